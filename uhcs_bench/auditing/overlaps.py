"""Micrographs that show the same steel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.auditing.correlation import (
    local_mean,
    needed_correlation,
    pearson,
    windows,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from uhcs_bench import protocol
    from uhcs_bench.data.micrograph import Micrograph


SMALLEST_OVERLAP = 0.04
"""Share of a micrograph below which an overlap isn't looked for: chance alone makes small ones."""


SAME_SPOT = 0.9
"""Share of the smaller micrograph above which an overlap leaves only one effective micrograph."""


_COARSE_ROWS = 96
"""Rows that micrographs are reduced to, at least, in the search for overlaps."""


_COARSE_REACH = 2


_CANDIDATE = (8.0, 0.25)
"""Standard deviations of chance, and correlation of the reduced micrographs, at which an overlap is
worth a look at full resolution."""


@dataclass(frozen=True)
class Overlap:
    """Two micrographs that show the same spot.

    Attributes
    ----------
    a, b : str
        Ids.
    tasks : tuple of str
    folds : tuple of int
    offset : tuple of float
        Row and column of `a` where the first row and column of `b` lies; may be negative. Whole
        numbers at the same magnification.
    shape : tuple of int
        Rows and columns of the overlap, in pixels of `a`.
    share : float
        Of the field of the micrograph that shows the smaller one.
    correlation : float
        Of the gray levels in the overlap, those of a finer `b` resampled to the pixels of `a`.
    equal_pixels : float or None
        Share of the overlap's pixels with equal gray level, filled rows left out; None across
        magnifications.
    equal_labels : float or None
        Share of the overlap's pixels with equal label, the map of a finer `b` resampled; None
        across tasks.
    scale : float
        Pixel size of `b` in pixels of `a`, as the gray levels have it: below 1 across
        magnifications, where `b` is the finer micrograph.
    expected_scale : float or None
        The same from the recorded pixel sizes; None at the same magnification, and where either is
        unknown.
    """

    a: str
    b: str
    tasks: tuple[protocol.TaskName, protocol.TaskName]
    folds: tuple[int, int]
    offset: tuple[float, float]
    shape: tuple[int, int]
    share: float
    correlation: float
    equal_pixels: float | None
    equal_labels: float | None
    scale: float = 1.0
    expected_scale: float | None = None

    @property
    def is_across_tasks(self) -> bool:
        """Whether the two belong to different tasks."""
        return self.tasks[0] != self.tasks[1]

    @property
    def is_leak(self) -> bool:
        """Whether one is trained on while the other validates."""
        return not self.is_across_tasks and self.folds[0] != self.folds[1]

    @property
    def is_across_magnifications(self) -> bool:
        """Whether one shows the spot in more pixels than the other."""
        return self.scale != 1

    @property
    def is_same_spot(self) -> bool:
        """Whether one shows little that the other doesn't, at the same magnification."""
        return self.share >= SAME_SPOT and not self.is_across_magnifications

    @property
    def rows(self) -> tuple[int, int]:
        """First row of `a` in the overlap, and the one after the last."""
        first = math.ceil(max(0, self.offset[0]))
        return first, first + self.shape[0]

    @property
    def columns(self) -> tuple[int, int]:
        """First column of `a` in the overlap, and the one after the last."""
        first = math.ceil(max(0, self.offset[1]))
        return first, first + self.shape[1]


def find_overlaps(micrographs: Sequence[Micrograph]) -> tuple[Overlap, ...]:
    """Find the pairs of micrographs that show the same spot at the same magnification.

    Parameters
    ----------
    micrographs : sequence of Micrograph

    Returns
    -------
    tuple of Overlap
        Largest share first.

    Notes
    -----
    The gray levels, less their local mean, of reduced micrographs are cross-correlated at all
    offsets by Fourier transform. Each sum is divided by its standard deviation under independent
    pixels, the root of the number of overlapping pixels. Pairs that stand out are then compared
    pixel by pixel at full resolution, around the offset found.

    Examples
    --------
    >>> from uhcs_bench import load
    >>> find_overlaps(load("particles", version="synthetic")[:6])
    ()
    """
    if len(micrographs) < 2:
        return ()
    factor = max(1, min(m.image.shape[0] for m in micrographs) // _COARSE_ROWS)
    coarse = [_reduced(m.image, factor) for m in micrographs]
    overlaps = []
    for i, j, offset in _candidates(coarse):
        around = (offset[0] * factor, offset[1] * factor)
        found = _compared(micrographs[i], micrographs[j], around, factor)
        if found is not None:
            overlaps.append(found)
    return largest_first(overlaps)


def _reduced(image: NDArray[np.uint8], factor: int) -> NDArray[np.float32]:
    """Means over squares of `factor` pixels, less their local mean, with unit variance."""
    rows, columns = (length // factor for length in image.shape)
    squares = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    means = squares.mean((1, 3))
    means -= local_mean(means, _COARSE_REACH)
    # bright spots must not decide alone
    scale = means.std() or 1.0
    clipped: NDArray[np.float32] = np.clip(means / scale, -3, 3).astype(np.float32)
    return clipped


def _candidates(
    images: Sequence[NDArray[np.float32]],
) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Pairs that may overlap, each with the offset of the second in the first."""
    from scipy import fft
    from tqdm import tqdm

    longest = [max(image.shape[axis] for image in images) for axis in (0, 1)]
    size = [fft.next_fast_len(2 * length, real=True) for length in longest]
    spectra = [fft.rfft2(image, size) for image in images]
    shapes = {image.shape: fft.rfft2(np.ones_like(image), size) for image in images}
    scales: dict[tuple[tuple[int, ...], tuple[int, ...]], NDArray[np.float32]] = {}
    bar = tqdm(images, desc="Same spot", unit="micrograph", disable=None, leave=False)
    for i, first in enumerate(bar):
        for j in range(i + 1, len(images)):
            pair = (first.shape, images[j].shape)
            if pair not in scales:
                n = np.rint(fft.irfft2(shapes[pair[0]] * shapes[pair[1]].conj(), size))
                is_large = n >= SMALLEST_OVERLAP * min(first.size, images[j].size)
                scales[pair] = np.where(is_large, 1 / np.sqrt(np.maximum(n, 1)), 0)
            scores = fft.irfft2(spectra[i] * spectra[j].conj(), size) * scales[pair]
            best = int(scores.argmax())
            score, scale = scores.ravel()[best], scales[pair].ravel()[best]
            if score >= _CANDIDATE[0] and score * scale >= _CANDIDATE[1]:
                row, column = divmod(best, size[1])
                # Fourier transforms are periodic: the far half are the negative offsets.
                yield (
                    i,
                    j,
                    (
                        row - size[0] * (row >= longest[0]),
                        column - size[1] * (column >= longest[1]),
                    ),
                )


def _compared(a: Micrograph, b: Micrograph, around: tuple[int, int], reach: int) -> Overlap | None:
    """Compare two micrographs pixel by pixel at the offsets near one."""
    moves = [
        (row, column) for row in range(-reach, reach + 1) for column in range(-reach, reach + 1)
    ]
    best: tuple[float, tuple[int, int]] = (0.0, around)
    for move in sorted(moves, key=lambda move: move[0] ** 2 + move[1] ** 2):
        offset = (around[0] + move[0], around[1] + move[1])
        in_a, in_b = windows(a.image.shape, b.image.shape, offset)
        correlation = pearson(a.image[in_a], b.image[in_b])
        if correlation > best[0]:
            best = (correlation, offset)
        if correlation > 1 - 1e-3:
            break  # nothing near the right offset is better
    correlation, offset = best
    in_a, in_b = windows(a.image.shape, b.image.shape, offset)
    equal = a.image[in_a] == b.image[in_b]
    if correlation < needed_correlation(equal.size):
        return None
    is_known = np.ones(len(equal), np.bool_)
    for window, micrograph in ((in_a, a), (in_b, b)):
        filled = [row - window[0].start for row in micrograph.filled_rows]
        is_known[[row for row in filled if 0 <= row < len(is_known)]] = False
    return Overlap(
        a=a.id,
        b=b.id,
        tasks=(a.task, b.task),
        folds=(a.fold, b.fold),
        offset=offset,
        shape=(equal.shape[0], equal.shape[1]),
        share=equal.size / min(a.image.size, b.image.size),
        correlation=correlation,
        equal_pixels=float(equal[is_known].mean()),
        equal_labels=(
            float((a.labels[in_a] == b.labels[in_b]).mean()) if a.task == b.task else None
        ),
    )


def largest_first(overlaps: Iterable[Overlap]) -> tuple[Overlap, ...]:
    """Sort overlaps by their share of the field, the largest first."""
    return tuple(sorted(overlaps, key=lambda found: (-found.share, found.a, found.b)))
