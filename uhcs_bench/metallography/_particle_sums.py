"""Sums over the pixels of each particle, from its horizontal runs, in bands of rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

import numpy as np

from uhcs_bench.metallography import components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from uhcs_bench.metallography.components import Band

    Integers = NDArray[np.int64]

T = TypeVar("T", bound=np.generic)

DIRECTIONS = 16
"""Directions in which particles are measured with a caliper, over half a turn."""

_ANGLES = np.arange(DIRECTIONS) * math.pi / DIRECTIONS


class Sums(NamedTuple):
    """Of each particle, or of each part of one in a band.

    Attributes
    ----------
    sums : ndarray of int64, shape (8, n_particles)
        Of 1, row, column, row squared, column squared, row times column; and the number of chords
        along rows and columns, and of those along diagonals.
    lowest : ndarray of int64, shape (4, n_particles)
        Of row, minus row, column, minus column: the bounding box.
    extents : ndarray of float32, shape (2 * DIRECTIONS, n_particles)
        Largest coordinate of a pixel's centre along each direction, and against it.
    """

    sums: Integers
    lowest: Integers
    extents: NDArray[np.float32]

    @property
    def box(self) -> tuple[Integers, Integers, Integers, Integers]:
        """First and last row, first and last column."""
        top, bottom, left, right = self.lowest
        return top, -bottom, left, -right

    @property
    def feret(self) -> NDArray[np.float64]:
        """Largest width over the directions, between the centres of pixels, and one pixel."""
        along, against = self.extents[:DIRECTIONS], self.extents[DIRECTIONS:]
        return np.asarray((along + against).max(0, initial=0).astype(float) + 1)


def sums(mask: NDArray[np.generic], connectivity: Literal[4, 8]) -> Sums:
    """Sum over the pixels of each particle of a mask, and find its extents.

    Raises
    ------
    UsageError
        If there are more than `uhcs_bench.metallography.components.MOST_PARTICLES`.
    """
    bands = components.ComponentBands(mask, connectivity)
    found = []
    for band in bands:
        components.check_number(bands.fewest)
        found.append(_of_band(band))
    if not found:
        none = np.zeros((4, 0), np.int64)
        return Sums(np.zeros((8, 0), np.int64), none, np.zeros((2 * DIRECTIONS, 0), np.float32))
    if len(found) == 1:
        return found[0]
    whole, particle = np.unique(bands.roots(), return_inverse=True)
    order, first = _groups(particle, len(whole))
    all_sums, lowest, extents = ([*parts] for parts in zip(*found, strict=True))
    found.clear()
    return Sums(
        extents=_joined(np.maximum, extents, order, first),
        sums=_joined(np.add, all_sums, order, first),
        lowest=_joined(np.minimum, lowest, order, first),
    )


def _joined(
    join: np.ufunc, parts: list[NDArray[T]], order: Integers, first: NDArray[np.intp]
) -> NDArray[T]:
    """Join what bands have found, row by row and taking it away: of a million particles it is much.

    Parameters
    ----------
    join : ufunc
    parts : list of ndarray, shape (n, n_parts)
        Of each band; empty afterwards.
    order, first : ndarray of integers
        See `_groups`.
    """
    joined = np.empty((len(parts[0]), len(first)), parts[0].dtype)
    for place in range(len(joined)):
        joined[place] = join.reduceat(np.concatenate([part[place] for part in parts])[order], first)
    parts.clear()
    return joined


def _of_band(band: Band) -> Sums:
    """Add up the runs of each part of a band, and join their boxes."""
    row = band.starts // band.width
    left = band.starts - row * band.width - 1
    right = left + band.stops - band.starts - 1
    row += band.first_row
    of_runs = np.concatenate([_of_runs(row, left, right), _chords(band)])
    of_runs[:, : band.n_repeated] = 0
    order, first = _groups(band.part, band.n_parts)
    row, left, right = row[order], left[order], right[order]
    boxes = np.stack([row, -row, left, -right])
    return Sums(
        np.add.reduceat(of_runs[:, order], first, axis=1),
        np.minimum.reduceat(boxes, first, axis=1),
        _extents(row, left, right, first),
    )


def _groups(group: Integers, n_groups: int) -> tuple[Integers, NDArray[np.intp]]:
    """Order members by their group, and find each group's first; no group is empty."""
    order = np.argsort(group, kind="stable")
    return order, np.searchsorted(group[order], np.arange(n_groups))


def _of_runs(row: Integers, left: Integers, right: Integers) -> Integers:
    """Sum powers of coordinates over each run, from its first to its last column."""
    length = right - left + 1
    columns = (left + right) * length // 2
    before = left - 1
    squares = right * (right + 1) * (2 * right + 1) - before * left * (2 * before + 1)
    return np.stack([length, row * length, columns, row**2 * length, squares // 6, row * columns])


def _chords(band: Band) -> Integers:
    """Count the chords that begin in each run: along its row and column, and along diagonals.

    A chord begins at a pixel whose neighbour before it is not set. Pixels of a run that have a
    neighbour in the row above overlap with a run there, moved by a column for diagonals.
    """
    length = band.stops - band.starts
    n_above = band.last - band.first
    run = np.repeat(np.arange(len(length)), n_above)
    above = np.arange(len(run)) - np.repeat(np.cumsum(n_above) - n_above - band.first, n_above)
    start, stop = band.starts[run] - band.width, band.stops[run] - band.width
    continued = []
    for step in (-1, 0, 1):
        overlap = np.minimum(stop + step, band.stops[above])
        overlap -= np.maximum(start + step, band.starts[above])
        sums_ = np.bincount(run, weights=np.maximum(overlap, 0), minlength=len(length))
        continued.append(sums_.astype(np.int64))
    before, straight, behind = continued
    return np.stack([1 + length - straight, 2 * length - before - behind])


def _extents(
    row: Integers, left: Integers, right: Integers, first: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Find how far each group of runs reaches along every direction, and against it."""
    found = np.empty((2 * DIRECTIONS, len(first)), np.float32)
    for number, angle in enumerate(_ANGLES):
        sine, cosine = math.sin(angle), math.cos(angle)
        down = row * sine
        far, near = (right, left) if cosine >= 0 else (left, right)
        found[number] = np.maximum.reduceat(down + far * cosine, first)
        found[DIRECTIONS + number] = -np.minimum.reduceat(down + near * cosine, first)
    return found
