"""Connected components of masks as joined horizontal runs, without a map of component numbers.

Few pixels start or end a run, so that this takes less memory than labelling every pixel, and is as
fast with NumPy alone as labelling libraries are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.errors import UsageError
from uhcs_bench.metallography import arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

_Scalar = TypeVar("_Scalar", bound=np.generic)

BAND_PIXELS = 1 << 19
"""Pixels cut into runs at a time: more than a micrograph has, few enough for any memory."""


def find_runs(mask: NDArray[np.generic]) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Find the horizontal runs of a mask.

    Parameters
    ----------
    mask : ndarray, shape (rows, columns)
        Non-zero where it is set.

    Returns
    -------
    starts, stops : ndarray of int64, shape (n_runs,)
        First pixel of each run and the one after its last, counted row after row.
    width : int
        Length of a row in that count: two empty columns more than the mask has, which keep runs of
        different rows apart, diagonal neighbours included. Column 0 of the mask has number 1.

    Examples
    --------
    >>> find_runs(np.array([[1, 1, 0], [0, 0, 1]]))
    (array([1, 8]), array([3, 9]), 5)
    """
    width = mask.shape[1] + 2
    padded = np.zeros((mask.shape[0], width), np.bool_)
    np.not_equal(mask, 0, out=padded[:, 1:-1])
    flat = padded.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return edges[::2], edges[1::2], width


def join_runs(
    starts: NDArray[np.int64], stops: NDArray[np.int64], width: int, connectivity: Literal[4, 8]
) -> NDArray[np.int64]:
    """Find for each run the first run of its component.

    Parameters
    ----------
    starts, stops, width
        As `find_runs` gives them.
    connectivity : {4, 8}
        Neighbours that join two pixels.

    Returns
    -------
    ndarray of int64, shape (n_runs,)
        Its own number for the first run of a component.
    """
    return _join_touching(*touching(starts, stops, width, connectivity))


def touching(
    starts: NDArray[np.int64], stops: NDArray[np.int64], width: int, connectivity: Literal[4, 8]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find for each run the runs of the row above that touch it.

    Parameters
    ----------
    starts, stops, width
        As `find_runs` gives them.
    connectivity : {4, 8}
        Neighbours that join two pixels: with 8 also diagonal ones.

    Returns
    -------
    first, last : ndarray of int64, shape (n_runs,)
        The first of them, and the one after the last.
    """
    reach = 1 if connectivity == 8 else 0
    first = np.searchsorted(stops, starts - width - reach, side="right")
    last = np.searchsorted(starts, stops - width + reach, side="left")
    return first, last


def _join_touching(first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
    run = np.arange(len(first))
    # Most runs touch one run above: that makes a forest, which few edges are left to join.
    roots = _roots(np.where(last > first, first, run))
    n_more = np.maximum(last - first - 1, 0)
    below = np.repeat(run, n_more)
    nth = np.arange(len(below)) - np.repeat(np.cumsum(n_more) - n_more, n_more)
    return _join(roots, below, np.repeat(first + 1, n_more) + nth)


@dataclass(frozen=True)
class Band:
    """The runs of some rows of a mask, and the parts of components that they make up.

    Attributes
    ----------
    first_row : int
        Row of the mask that the band starts with.
    starts, stops, width
        Runs of the band, as `find_runs` gives them.
    n_repeated : int
        Runs at the beginning that the band before has as well.
    part : ndarray of int64, shape (n_runs,)
        Part that each run belongs to, from 0 to `n_parts` - 1.
    n_parts : int
    first, last : ndarray of int64, shape (n_runs,)
        Runs of the row above that touch each run, see `touching`.
    """

    first_row: int
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    width: int
    n_repeated: int
    part: NDArray[np.int64]
    n_parts: int
    first: NDArray[np.int64]
    last: NDArray[np.int64]


class ComponentBands:
    """The components of a mask, band after band, so that memory is bounded at any size.

    Iterating gives each `Band`; afterwards `roots` says which parts of different bands belong
    together. Each band starts with the last row of the one above, where the parts of a component
    that is cut by their border are found again.

    Parameters
    ----------
    mask : ndarray, shape (rows, columns)
    connectivity : {4, 8}
    """

    def __init__(self, mask: NDArray[np.generic], connectivity: Literal[4, 8]) -> None:
        self._mask = mask
        self._connectivity = connectivity
        self._above: list[NDArray[np.int64]] = []
        self._below: list[NDArray[np.int64]] = []
        self._n_parts = 0

    def __iter__(self) -> Iterator[Band]:
        mask = self._mask
        self._above, self._below, self._n_parts = [], [], 0
        band_rows = max(1, BAND_PIXELS // max(1, mask.shape[1]))
        for row in range(0, len(mask), band_rows):
            overlap = min(row, 1)
            starts, stops, width = find_runs(mask[row - overlap : row + band_rows])
            first, last = touching(starts, stops, width, self._connectivity)
            roots = _join_touching(first, last)
            is_root = roots == np.arange(len(roots))
            part = np.cumsum(is_root)[roots] - 1
            n_repeated = int(np.searchsorted(starts, width * overlap))
            if overlap:
                self._below.append(self._n_parts + part[:n_repeated])
            if row + band_rows < len(mask):
                last_row = width * (band_rows - 1 + overlap)
                self._above.append(self._n_parts + part[np.searchsorted(starts, last_row) :])
            n_parts = int(is_root.sum())
            self._n_parts += n_parts
            yield Band(row - overlap, starts, stops, width, n_repeated, part, n_parts, first, last)

    @property
    def fewest(self) -> int:
        """Components that there are at least in the bands so far."""
        return self._n_parts - sum(map(len, self._below))

    def roots(self) -> NDArray[np.int64]:
        """Find for each part, counted over all bands, the first part of its component."""
        parts = np.arange(self._n_parts)
        if not self._below:
            return parts
        return _join(parts, np.concatenate(self._above), np.concatenate(self._below))


def _roots(parents: NDArray[np.int64]) -> NDArray[np.int64]:
    """Follow every node of a forest up to its root."""
    while True:
        shortened = parents[parents]
        if np.array_equal(shortened, parents):
            return parents
        parents = shortened


def _join(
    roots: NDArray[np.int64], ends_a: NDArray[np.int64], ends_b: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Join the trees that edges connect: each hangs its root below the smallest that it meets."""
    while True:
        root_a, root_b = roots[ends_a], roots[ends_b]
        apart = root_a != root_b
        if not apart.any():
            return roots
        ends_a, ends_b, root_a, root_b = (x[apart] for x in (ends_a, ends_b, root_a, root_b))
        np.minimum.at(roots, np.maximum(root_a, root_b), np.minimum(root_a, root_b))
        roots = _roots(roots)


def particle_areas(
    mask: NDArray[np.generic], connectivity: Literal[4, 8] = protocol.CONNECTIVITY
) -> NDArray[np.int64]:
    """Areas of the particles, that is, of the mask's connected components.

    Parameters
    ----------
    mask : ndarray, shape (rows, columns)
        Boolean, or 0 and 1, or 0 and 255; not 0 where there is particle.
    connectivity : {8, 4}, optional
        Neighbours that join two pixels.

    Returns
    -------
    ndarray of int64, shape (n_particles,)
        Areas in pixels, in the order in which the particles' first pixels appear.

    Raises
    ------
    UsageError
        If `mask` is no mask, such as a micrograph or a map of several classes, or `connectivity`
        is another.

    Examples
    --------
    >>> particle_areas(np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0]]))
    array([3, 2])
    """
    arguments.check_connectivity(connectivity)
    bands = ComponentBands(arguments.as_mask(mask, "particle mask"), connectivity)
    areas: list[NDArray[Any]] = [np.zeros(0)]
    for band in bands:
        lengths = (band.stops - band.starts).astype(float)
        lengths[: band.n_repeated] = 0
        areas.append(np.bincount(band.part, weights=lengths, minlength=band.n_parts))
    whole = np.bincount(bands.roots(), weights=np.concatenate(areas))
    return whole[whole > 0].astype(np.int64)


def label_particles(
    mask: NDArray[np.generic], connectivity: Literal[4, 8] = protocol.CONNECTIVITY
) -> NDArray[np.int32]:
    """Give numbers to the particles, that is, to the mask's connected components.

    Parameters
    ----------
    mask : ndarray, shape (rows, columns)
        Boolean, or 0 and 1, or 0 and 255; not 0 where there is particle.
    connectivity : {8, 4}, optional
        Neighbours that join two pixels.

    Returns
    -------
    ndarray of int32, shape (rows, columns)
        Particles from 1 in the order in which their first pixels appear, 0 elsewhere.

    Raises
    ------
    UsageError
        As `particle_areas`.

    Examples
    --------
    >>> label_particles(np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0]]))
    array([[1, 0, 1],
           [0, 1, 0],
           [0, 0, 0],
           [2, 2, 0]], dtype=int32)
    """
    from scipy import ndimage

    arguments.check_connectivity(connectivity)
    mask = arguments.as_mask(mask, "particle mask")
    structure = ndimage.generate_binary_structure(2, 2 if connectivity == 8 else 1)
    labelled: NDArray[np.int32] = ndimage.label(mask, structure)[0]
    return labelled


def equivalent_diameters(
    areas: ArrayLike, pixel_size_um: float | None = None
) -> NDArray[np.float64]:
    """Diameters of the circles with the particles' areas.

    Parameters
    ----------
    areas : array_like of int
        Areas in pixels, see `uhcs_bench.metallography.components.particle_areas`.
    pixel_size_um : float, optional
        Edge of a pixel in micrometres.

    Returns
    -------
    ndarray of float64
        In pixels; with `pixel_size_um` in micrometres.

    Examples
    --------
    >>> equivalent_diameters([1, 4, 100]).round(3)
    array([ 1.128,  2.257, 11.284])
    """
    numbers = arguments.as_array(areas, "sequence of areas").astype(np.float64)
    if numbers.size and not numbers.min() >= 0:
        raise UsageError(f"The smallest of the areas is {numbers.min()}. Give areas from 0 on.")
    scale = arguments.check_pixel_size(pixel_size_um)
    return np.sqrt(4 / math.pi * numbers) * (1.0 if scale is None else scale)


MOST_PARTICLES = 1_000_000
"""Particles up to which a map is measured: about 0.8 GB. The annotated micrographs have up to 1.3
particles per 100 pixels, a montage of 100 million pixels about a million."""


def check_number(n: int) -> None:
    """See that so many particles can be measured.

    Raises
    ------
    UsageError
        If they are more than `MOST_PARTICLES`.
    """
    if n > MOST_PARTICLES:
        raise UsageError(
            f"The map holds more than {MOST_PARTICLES:,} particles, which don't fit into memory. "
            "Most are specks, if it is a segmentation: leave them out (--min-diameter 5px), or cut "
            "the map into tiles."
        )


def drop_small(
    mask: NDArray[_Scalar],
    smallest_px: float,
    connectivity: Literal[4, 8] = protocol.CONNECTIVITY,
) -> tuple[NDArray[_Scalar], int, int]:
    """Take the components out of a mask that are smaller than an area.

    Parameters
    ----------
    mask : ndarray, shape (rows, columns)
        Non-zero where it is set.
    smallest_px : float
        Area in pixels from which on components stay.
    connectivity : {8, 4}, optional
        Neighbours that join two pixels.

    Returns
    -------
    mask : ndarray
        A copy without them; the mask itself if there are none.
    n : int
        Number of components that were taken out.
    area : int
        Their pixels.

    Examples
    --------
    >>> drop_small(np.array([[1, 0, 1], [1, 0, 0]]), smallest_px=2)
    (array([[1, 0, 0],
           [1, 0, 0]]), 1, 1)
    """
    if smallest_px <= 1:
        return mask, 0, 0
    bands = ComponentBands(mask, connectivity)
    parts: list[NDArray[Any]] = [np.zeros(0)]
    for band in bands:
        lengths = (band.stops - band.starts).astype(float)
        lengths[: band.n_repeated] = 0
        parts.append(np.bincount(band.part, weights=lengths, minlength=band.n_parts))
    roots = bands.roots()
    areas = np.bincount(roots, weights=np.concatenate(parts), minlength=len(roots))
    small = areas < smallest_px * (1 - 1e-12)  # rounding of a circle's area
    n, area = int((small & (areas > 0)).sum()), int(areas[small].sum())
    if not n:
        return mask, 0, 0
    kept = mask.copy()
    is_small, first_part = small[roots], 0
    for band in bands:
        dropped = is_small[first_part + band.part]
        rows = kept[band.first_row :]
        paint(rows, band.starts[dropped], band.stops[dropped], band.width, 0)
        first_part += band.n_parts
    return kept, n, area


def fill_small(
    labels: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    connectivity: Literal[4, 8],
    area: float,
    label: int,
) -> None:
    """Give components of a mask that are smaller than an area to a class, in place.

    Examples
    --------
    >>> labels = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)
    >>> fill_small(labels, labels == 0, 4, area=2, label=1)
    >>> labels.min()
    np.uint8(1)
    """
    starts, stops, width = find_runs(mask)
    roots = join_runs(starts, stops, width, connectivity)
    small = (np.bincount(roots, weights=stops - starts) < area)[roots]
    paint(labels, starts[small], stops[small], width, label)


def paint(
    labels: NDArray[Any],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    width: int,
    label: int,
) -> None:
    """Give the pixels of runs, as `find_runs` counts them, a label, in place."""
    lengths = stops - starts
    pixels = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    # Runs are counted in rows that have an empty column on either side.
    labels.reshape(-1)[pixels - 2 * (pixels // width) - 1] = label
