"""Correlation of gray values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def windows(
    shape_a: tuple[int, ...], shape_b: tuple[int, ...], offset: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where two arrays overlap, if the second lies at an offset in the first."""
    spans = []
    for length_a, length_b, start in zip(shape_a, shape_b, offset, strict=True):
        first, stop = max(0, start), max(0, start, min(length_a, start + length_b))
        spans.append((slice(first, stop), slice(first - start, stop - start)))
    rows, columns = spans
    return (rows[0], columns[0]), (rows[1], columns[1])


STANDARD_ERRORS = 5.0
"""Distance from zero at which a shift or drift is taken for real. Chance makes at most one map in
400 look stretched by that much, by Student's distribution for 8 strips."""


OVERLAP_CORRELATION = 0.5
"""Correlation of two micrographs' gray levels above which they show the same spot."""


PATCH_PX = 7
"""Edge of the square of pixels that counts as one independent gray level: particles make
neighbours alike. Small overlaps have few of them, and need a correlation that is `STANDARD_ERRORS`
away from chance all the same: 35 over the root of their pixels. Unrelated micrographs of version
1.0 reach 27, the least true overlap 131."""


def local_mean(image: NDArray[np.generic], reach: int) -> NDArray[np.float64]:
    """Mean over the square that reaches so far to each side, as much of it as there is."""
    mean = image.astype(np.float64)
    for axis in (0, 1):
        sums = np.insert(np.cumsum(mean, axis), 0, 0, axis)
        position = np.arange(image.shape[axis])
        stop = np.minimum(position + reach + 1, image.shape[axis])
        start = np.maximum(position - reach, 0)
        mean = sums.take(stop, axis) - sums.take(start, axis)
        mean /= np.expand_dims(stop - start, 1 - axis)
    return mean


def needed_correlation(n_pixels: int) -> float:
    """Correlation from which on an overlap of so many pixels is taken for the same spot.

    Examples
    --------
    >>> needed_correlation(10_000), needed_correlation(2_500)
    (0.5, 0.7)
    """
    by_chance = STANDARD_ERRORS * PATCH_PX / math.sqrt(max(n_pixels, 1))
    return max(OVERLAP_CORRELATION, by_chance)


def pearson(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """Pearson's correlation; 0 for a constant array, which is like no other."""
    if not a.size:
        return 0.0
    deviation_a, deviation_b = (x - x.mean(dtype=np.float64) for x in (a, b))
    # no product of vectors: its threads would fight for the processor with other programs'
    norm = math.sqrt(float(np.square(deviation_a).sum()) * float(np.square(deviation_b).sum()))
    return float((deviation_a * deviation_b).sum()) / norm if norm else 0.0
