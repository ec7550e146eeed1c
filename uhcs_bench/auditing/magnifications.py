"""Pairs of micrographs of one task that show the same field at different magnifications.

A micrograph at a higher magnification may lie in one at a lower magnification. The search reduces
the finer one by the ratio of the two pixel sizes and cross-correlates it with the coarser one.
Every pair within a task whose pixel sizes differ is compared, whichever samples are on record.
Where a pixel size is unknown, the ratios between `UNKNOWN_RATIOS` are tried.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from uhcs_bench.auditing import circumstances
from uhcs_bench.auditing.correlation import local_mean, needed_correlation, pearson
from uhcs_bench.auditing.overlaps import Overlap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from uhcs_bench.data.micrograph import Micrograph

SCALE_STEP = 0.02
"""Relative distance of the scales that are tried. Half of it misplaces the border of a field of 64
reduced pixels by a third of a pixel."""

SCALE_REACH = 4
"""Steps to either side of the ratio of the pixel sizes: 8 %, four times what `PIXEL_SIZE_TOLERANCE`
allows for reading a micron bar."""

UNKNOWN_RATIOS = (1 / 6, 0.97)
"""Ratios of pixel sizes, finer by coarser, that are tried where either is unknown."""

SMALLEST_SHARE = 0.1
"""Share of the finer micrograph below which an overlap is not looked for."""

_SEARCH_ROWS = 96
"""Rows that micrographs are reduced to, at least, in the search."""
_LOCAL_MEAN_REACH = 2
_CANDIDATE = 7.0
"""Standard deviations of chance, under independent pixels, from which on a fit is refined."""
_SMALLEST_PX = 8
"""Edge of a reduced micrograph below which nothing can be compared."""
_FIRST_STEP_PX, _LAST_STEP_PX = 2.0, 0.05
"""Steps of the refinement, in pixels of the coarser micrograph; each is half of the one before."""


@dataclass(frozen=True)
class Fit:
    """Best fit of a finer micrograph in a coarser one.

    Attributes
    ----------
    coarse, fine : str
        Ids.
    scale : float
        Pixel size of the finer micrograph, in pixels of the coarser one.
    offset : tuple of float
        Row and column of the coarser micrograph where the corner of the finer one lies.
    shape : tuple of int
        Rows and columns of the overlap, in pixels of the coarser micrograph.
    correlation : float
        Of the gray levels in the overlap, the finer micrograph resampled.
    """

    coarse: str
    fine: str
    scale: float
    offset: tuple[float, float]
    shape: tuple[int, int]
    correlation: float

    @property
    def needed(self) -> float:
        """Correlation from which on an overlap of this size is taken for the same field."""
        return needed_correlation(self.shape[0] * self.shape[1])

    @property
    def is_same_field(self) -> bool:
        """Whether the correlation is what is needed."""
        return self.correlation >= self.needed


@dataclass(frozen=True)
class Search:
    """Outcome of a search across magnifications.

    Attributes
    ----------
    n_pairs : int
        Pairs of micrographs that were compared.
    overlaps : tuple of Overlap
        Pairs that show the same field; `a` is the coarser micrograph.
    best_unrelated : Fit or None
        Of the other pairs that were refined, the one that comes nearest to the correlation needed.
    """

    n_pairs: int
    overlaps: tuple[Overlap, ...]
    best_unrelated: Fit | None


@dataclass(frozen=True, eq=False)  # arrays don't compare as a whole
class SharedField:
    """What two micrographs show of one field, on the pixels of the coarser one.

    Attributes
    ----------
    image_a, image_b : ndarray of uint8, shape (rows, columns)
        Gray levels.
    labels_a, labels_b : ndarray of uint8, shape (rows, columns)
        Label maps. A pixel of a resampled map has the class that covers most of it.
    """

    image_a: NDArray[np.uint8]
    image_b: NDArray[np.uint8]
    labels_a: NDArray[np.uint8]
    labels_b: NDArray[np.uint8]


class _Candidate(NamedTuple):
    score: float
    coarse: int
    fine: int
    scale: float
    offset: tuple[float, float]


def search(micrographs: Sequence[Micrograph]) -> Search:
    """Find the pairs of one task that show the same field at different magnifications.

    Parameters
    ----------
    micrographs : sequence of Micrograph
        Of one or several tasks; pairs across tasks are not compared.

    Returns
    -------
    Search

    Notes
    -----
    Both micrographs, less their local mean, are cross-correlated at all offsets by Fourier
    transform, for each scale in `SCALE_STEP`. A sum is divided by the root of the number of
    overlapping pixels. The best scale and offset of each pair that stands out are refined on the
    gray levels, to fractions of a pixel of the coarser micrograph, by pattern search. A pair shows
    the same field if the correlation is at least `uhcs_bench.auditing.needed_correlation`.

    Examples
    --------
    >>> from uhcs_bench import load
    >>> search(load("particles", version="synthetic")[:6]).overlaps
    ()
    """
    overlaps: list[Overlap] = []
    n_pairs, rejected = 0, []
    for task in dict.fromkeys(m.task for m in micrographs):
        members = [m for m in micrographs if m.task == task]
        best = _best_candidates(members)
        n_pairs += len(best)
        for candidate in best:
            if candidate.score < _CANDIDATE:
                continue
            coarse, fine = members[candidate.coarse], members[candidate.fine]
            fit = _refined(coarse, fine, candidate)
            if fit.is_same_field:
                overlaps.append(_overlap(coarse, fine, fit))
            else:
                rejected.append(fit)
    return Search(
        n_pairs,
        tuple(sorted(overlaps, key=lambda o: (-o.correlation, o.a, o.b))),
        max(rejected, key=lambda fit: fit.correlation / fit.needed, default=None),
    )


def shared_field(a: Micrograph, b: Micrograph, overlap: Overlap) -> SharedField:
    """Cut the overlap out of both micrographs, the finer one resampled.

    Parameters
    ----------
    a, b : Micrograph
        Those that `overlap` names.
    overlap : Overlap

    Returns
    -------
    SharedField
    """
    rows, columns = (slice(*span) for span in (overlap.rows, overlap.columns))
    place = (overlap.scale, overlap.offset, (rows, columns))
    return SharedField(
        image_a=a.image[rows, columns],
        image_b=np.rint(_resampled(_real(b.image), *place)).astype(np.uint8),
        labels_a=a.labels[rows, columns],
        labels_b=_resampled_labels(b.labels, *place),
    )


def _ratios(fine: Micrograph, coarse: Micrograph) -> list[float]:
    """Scales to be tried; none if the second is not the coarser one."""
    if fine.pixel_size_um is None or coarse.pixel_size_um is None:
        n_steps = round(math.log(UNKNOWN_RATIOS[1] / UNKNOWN_RATIOS[0]) / SCALE_STEP)
        return [UNKNOWN_RATIOS[0] * math.exp(k * SCALE_STEP) for k in range(n_steps + 1)]
    ratio = fine.pixel_size_um / coarse.pixel_size_um
    if ratio * (1 + circumstances.PIXEL_SIZE_TOLERANCE) >= 1:
        return []
    return [ratio * math.exp(k * SCALE_STEP) for k in range(-SCALE_REACH, SCALE_REACH + 1)]


def _best_candidates(micrographs: Sequence[Micrograph]) -> list[_Candidate]:
    """Best scale and offset of each pair that is compared.

    Where the pixel sizes don't tell which micrograph is the finer one, both ways are tried.
    """
    from scipy import fft
    from tqdm import tqdm

    if not micrographs:
        return []
    factor = max(1, min(m.image.shape[0] for m in micrographs) // _SEARCH_ROWS)
    wholes = [_reduced(_real(m.image), 1 / factor) for m in micrographs]
    longest = [max(whole.shape[axis] for whole in wholes) for axis in (0, 1)]
    size = [fft.next_fast_len(2 * length, real=True) for length in longest]
    spectra = [fft.rfft2(whole, size) for whole in wholes]
    best: dict[frozenset[int], _Candidate] = {}
    bar = tqdm(micrographs, desc="Two scales", unit="micrograph", disable=None, leave=False)
    for fine, micrograph in enumerate(bar):
        gray = _real(micrograph.image)  # once for all scales
        for scale, partners in _partners(fine, micrographs).items():
            template = _reduced(gray, scale / factor)
            if min(template.shape) < _SMALLEST_PX:
                continue
            spectrum = fft.rfft2(template, size).conj()
            for coarse in partners:
                sums = fft.irfft2(spectra[coarse] * spectrum, size)
                score, (row, column) = _best_offset(sums, wholes[coarse].shape, template.shape)
                offset = (float(row * factor), float(column * factor))
                found = _Candidate(score, coarse, fine, scale, offset)
                pair = frozenset((coarse, fine))
                best[pair] = max(best.get(pair, found), found)
    return list(best.values())


def _partners(fine: int, micrographs: Sequence[Micrograph]) -> dict[float, list[int]]:
    """Micrographs that one may lie in, by the scales to be tried."""
    partners: dict[float, list[int]] = {}
    for coarse, micrograph in enumerate(micrographs):
        if coarse != fine:
            for scale in _ratios(micrographs[fine], micrograph):
                partners.setdefault(scale, []).append(coarse)
    return partners


def _best_offset(
    sums: NDArray[np.float32], whole: tuple[int, ...], template: tuple[int, ...]
) -> tuple[float, tuple[int, int]]:
    """Score and offset of the best place, given the sums of products at all offsets."""
    sums *= _weights(whole, template, sums.shape)
    best = int(sums.argmax())
    row, column = divmod(best, sums.shape[1])
    # Fourier transforms are periodic: places beyond the micrograph are the negative offsets.
    return float(sums.ravel()[best]), (
        row - sums.shape[0] * (row >= whole[0]),
        column - sums.shape[1] * (column >= whole[1]),
    )


@lru_cache(maxsize=1)  # the partners of one micrograph mostly have one shape
def _weights(
    whole: tuple[int, ...], template: tuple[int, ...], size: tuple[int, ...]
) -> NDArray[np.float32]:
    """Divide by the root of the overlapping pixels; 0 where they are too few."""
    n_rows, n_columns = map(_overlap_lengths, whole, template, size)
    n = n_rows[:, None] * n_columns
    is_large = n >= SMALLEST_SHARE * template[0] * template[1]
    return np.where(is_large, 1 / np.sqrt(np.maximum(n, 1)), 0).astype(np.float32)


def _overlap_lengths(whole: int, template: int, size: int) -> NDArray[np.int64]:
    """Pixels that overlap along one axis, by place in a periodic array."""
    start = np.arange(size)
    start[whole:] -= size
    length: NDArray[np.int64] = np.minimum(start + template, whole) - np.maximum(start, 0)
    return length.clip(0)


def _real(array: NDArray[np.generic]) -> Image.Image:
    """Give an array as Pillow's image of real numbers, which resampling takes."""
    return Image.fromarray(array.astype(np.float32))


def _reduced(image: Image.Image, scale: float) -> NDArray[np.float32]:
    """Resample an image, take its local mean off and give it unit variance."""
    rows, columns = (int(length * scale) for length in (image.height, image.width))
    if not rows or not columns:
        return np.zeros((rows, columns), np.float32)
    means = _resampled(image, scale, (0, 0), (slice(0, rows), slice(0, columns)))
    difference = means - local_mean(means, _LOCAL_MEAN_REACH)
    # bright spots must not decide alone
    clipped: NDArray[np.float32] = np.clip(difference / (difference.std() or 1.0), -3, 3).astype(
        np.float32
    )
    return clipped


def _resampled(
    image: Image.Image,
    scale: float,
    offset: tuple[float, float],
    window: tuple[slice, slice],
) -> NDArray[np.float32]:
    """Values of an image on the pixels of another one in which it lies, within a window of that."""
    tops_and_ends = [
        (
            max(0.0, (span.start - start) / scale),
            min(float(length), (span.stop - start) / scale),
        )
        for span, start, length in zip(window, offset, (image.height, image.width), strict=True)
    ]
    (top, bottom), (left, right) = tops_and_ends
    rows, columns = (span.stop - span.start for span in window)
    resized = image.resize(
        (columns, rows), Image.Resampling.BILINEAR, box=(left, top, right, bottom)
    )
    return np.asarray(resized)


def _resampled_labels(
    labels: NDArray[np.uint8],
    scale: float,
    offset: tuple[float, float],
    window: tuple[slice, slice],
) -> NDArray[np.uint8]:
    """Class that covers most of each pixel of the window; the lower one of two equals."""
    present = np.unique(labels)
    shares = [_resampled(_real(labels == label), scale, offset, window) for label in present]
    majority: NDArray[np.uint8] = present[np.argmax(shares, axis=0)]
    return majority


def _window(
    coarse: tuple[int, ...], fine: tuple[int, ...], scale: float, offset: tuple[float, float]
) -> tuple[slice, slice]:
    """Whole pixels of the coarser micrograph that the finer one covers."""
    rows, columns = (
        slice(first := math.ceil(max(0.0, start)), max(first, math.floor(stop)))
        for length, n, start in zip(coarse, fine, offset, strict=True)
        for stop in (min(float(length), start + n * scale),)
    )
    return rows, columns


def _refined(coarse: Micrograph, fine: Micrograph, candidate: _Candidate) -> Fit:
    """Fit scale and position by pattern search, so that the gray levels correlate best.

    The place of the finer micrograph's middle is what moves, since it hardly depends on the scale.
    """
    shape = fine.image.shape
    gray = _real(fine.image)

    def fitted(scale: float, row: float, column: float) -> Fit:
        offset = (row - scale * shape[0] / 2, column - scale * shape[1] / 2)
        window = _window(coarse.image.shape, shape, scale, offset)
        n_rows, n_columns = (span.stop - span.start for span in window)
        correlation = 0.0
        if n_rows * n_columns >= SMALLEST_SHARE * fine.image.size * scale**2:
            resampled = _resampled(gray, scale, offset, window)
            correlation = pearson(coarse.image[window], resampled)
        return Fit(coarse.id, fine.id, scale, offset, (n_rows, n_columns), correlation)

    scale = candidate.scale
    row, column = (start + scale * n / 2 for start, n in zip(candidate.offset, shape, strict=True))
    best = fitted(scale, row, column)
    step = _FIRST_STEP_PX
    while step >= _LAST_STEP_PX:
        # A change of scale moves the finer micrograph's upper border by as much as a step does.
        rescaled = 2 * step / min(shape)
        points = [
            (scale + sign * move[0] * rescaled, row + sign * move[1], column + sign * move[2])
            for move in ((1, 0, 0), (0, step, 0), (0, 0, step))
            for sign in (1, -1)
        ]
        fits = [fitted(*point) for point in points]
        top = max(range(len(fits)), key=lambda k: fits[k].correlation)
        if fits[top].correlation > best.correlation:
            best, (scale, row, column) = fits[top], points[top]
        else:
            step /= 2
    return best


def _share(coarse: tuple[int, ...], fine: tuple[int, ...], fit: Fit) -> float:
    """Share of the finer micrograph's field that lies in the coarser one."""
    inside = [
        1 - (max(0.0, -start) + max(0.0, start + n * fit.scale - length)) / (n * fit.scale)
        for length, n, start in zip(coarse, fine, fit.offset, strict=True)
    ]
    return inside[0] * inside[1]


def _overlap(coarse: Micrograph, fine: Micrograph, fit: Fit) -> Overlap:
    """Describe a fit as the overlap of two micrographs."""
    window = _window(coarse.image.shape, fine.image.shape, fit.scale, fit.offset)
    labels = _resampled_labels(fine.labels, fit.scale, fit.offset, window)
    expected = None
    if fine.pixel_size_um is not None and coarse.pixel_size_um is not None:
        expected = fine.pixel_size_um / coarse.pixel_size_um
    return Overlap(
        a=coarse.id,
        b=fine.id,
        tasks=(coarse.task, fine.task),
        folds=(coarse.fold, fine.fold),
        offset=fit.offset,
        shape=fit.shape,
        share=_share(coarse.image.shape, fine.image.shape, fit),
        correlation=fit.correlation,
        equal_pixels=None,
        equal_labels=float((coarse.labels[window] == labels).mean()),
        scale=fit.scale,
        expected_scale=expected,
    )
