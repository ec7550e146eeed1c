"""Numbers as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uhcs_bench import protocol

if TYPE_CHECKING:
    from uhcs_bench.scoring.results import MeanScore


_MISSING = "-"


def percent(value: float | None) -> str:
    """Write a share in percent, with one decimal."""
    return _MISSING if value is None else f"{100 * value:.1f}"


def mean_se(score: MeanScore) -> str:
    """Write a mean and its standard error in percent."""
    if score.se is None:
        return percent(score.mean)
    return f"{percent(score.mean)} ± {percent(score.se)}"


def interval(score: MeanScore) -> str:
    """Write the ends of a confidence interval in percent."""
    if score.ci95 is None:
        return ""
    return " to ".join(map(percent, score.ci95))


def count(number: int) -> str:
    """Group digits by a narrow space that does not break."""
    return f"{number:,}".replace(",", "\u202f")


def decimal(value: float | None) -> str:
    """Write a number with two decimals."""
    return _MISSING if value is None else f"{value:.2f}"


def p_value_text(p_value: float | None) -> str:
    """Round a p-value, but never across the level of the test."""
    if p_value is None:
        return _MISSING
    if p_value < 0.001:
        return "< 0.001"
    digits = 2
    while (float(f"{p_value:.{digits}g}") >= protocol.KS_ALPHA) != (p_value >= protocol.KS_ALPHA):
        digits += 1
    return f"{p_value:.{digits}g}"
