"""Columns that tables of scores take in a terminal."""

from uhcs_bench.metrics.table import CLASS_SCORES, RANKED_SCORES

WIDTH = max(
    80,
    63 + max(len(f"{score.name} widmanstatten") for score in RANKED_SCORES if score.per_class),
    16 + sum(2 + max(11, len(score.name)) for score in CLASS_SCORES),
)
"""80, and more where the names of metrics alone take more: in the first column beside 63 columns of
numbers, or as headings of the classes' scores."""
