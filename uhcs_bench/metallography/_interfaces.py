"""Outlines, edges and straight lines on a grid of pixels, for the denuded zone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Points = NDArray[np.float64]

JAG_PX = 1.0
"""Length of a line that may cross spheroidite: the staircase of pixels at its start."""

STEP_PX = 0.5
"""Distance between the points of a line that are looked at."""

_CUT, _N_CUTS = 4, 2
"""Blocks in which laths are compared with the network are 16 px wide, then 4, then 1."""

_ROUNDING = 1e-9

_LINES_AT_A_TIME = 1 << 14
_STEPS_AT_A_TIME = 16

Changes = tuple[tuple["NDArray[np.int64]", "NDArray[np.uint8]", "NDArray[np.uint8]"], ...]
"""Changes of label down columns and along rows, see `changes`."""


def spread(mask: Mask, combine: np.ufunc) -> Mask:
    """Dilate (logical_or) or erode (logical_and) by a cross; outside the image is nothing."""
    spread = mask.copy()
    # Written out: np.moveaxis would take as long as the work.
    combine(spread[1:], mask[:-1], out=spread[1:])
    combine(spread[:-1], mask[1:], out=spread[:-1])
    combine(spread[:, 1:], mask[:, :-1], out=spread[:, 1:])
    combine(spread[:, :-1], mask[:, 1:], out=spread[:, :-1])
    return spread


def outline(mask: Mask) -> Mask:
    """Find the pixels of a mask next to others: the only ones that can be nearest to those."""
    return mask & ~spread(mask, np.logical_and)


def pixels(mask: Mask) -> NDArray[np.int64]:
    """Give rows and columns of a mask's pixels, much faster than np.argwhere."""
    flat = np.flatnonzero(mask)
    row = flat // max(mask.shape[1], 1)
    return np.stack([row, flat - row * mask.shape[1]], axis=1)


def tree(points: NDArray[Any]) -> Any:
    """Build a tree that finds the nearest of points, exactly."""
    from scipy.spatial import KDTree

    # Not balanced: outlines are evenly spread, so that the queries gain less than building costs.
    return KDTree(points, compact_nodes=False, balanced_tree=False)


def nearer(mask: Mask, these: Any, others: Any) -> Mask:
    """Find the pixels of a mask that are strictly nearer to one tree's points than to another's.

    A distance changes by at most the way that one goes. Where the middle of a block is nearer to
    one by more than twice the way to its corners, so is all of the block; only other blocks are
    cut into smaller ones.
    """
    largest = _CUT**_N_CUTS
    padded = np.zeros([-(-side // largest) * largest for side in mask.shape], np.bool_)
    padded[: len(mask), : mask.shape[1]] = mask
    grids = [padded]
    for _ in range(_N_CUTS):
        grids.append(_coarser(grids[-1]))
    undecided, nearer = grids[-1], np.zeros_like(grids[-1])
    for level in range(_N_CUTS, -1, -1):
        if level < _N_CUTS:
            undecided, nearer = _finer(undecided) & grids[level], _finer(nearer)
        side = _CUT**level
        block = pixels(undecided)
        middles = block * side + (side - 1) / 2
        reach = math.sqrt(2) * (side - 1) + (_ROUNDING if level else 0)
        to_others, _ = others.query(middles)
        # What is further away than this is not nearer: a bound saves most of the search.
        bound = to_others.max(initial=0) + reach + 1
        lead = these.query(middles, distance_upper_bound=bound)[0] - to_others
        nearer[tuple(block[lead < -reach].T)] = True
        undecided = np.zeros_like(undecided)
        undecided[tuple(block[np.abs(lead) <= reach].T)] = True
    return (nearer & padded)[: len(mask), : mask.shape[1]]


def _coarser(grid: Mask) -> Mask:
    """Find the blocks that hold a pixel. OR of slices is faster than reduceat or any."""
    rows = np.logical_or.reduce([grid[offset::_CUT] for offset in range(_CUT)])
    coarser: Mask = np.logical_or.reduce([rows[:, offset::_CUT] for offset in range(_CUT)])
    return coarser


def _finer(grid: Mask) -> Mask:
    return grid.repeat(_CUT, axis=0).repeat(_CUT, axis=1)


def changes(labels: NDArray[np.uint8]) -> Changes:
    """Find where neighbouring labels differ, down columns and along rows.

    Returns
    -------
    tuple of (pixels, before, after)
        For each of the two: the pixel before the change, shape (n, 2), and both labels.
    """
    found = []
    for before, after in ((labels[:-1], labels[1:]), (labels[:, :-1], labels[:, 1:])):
        changed = pixels(before != after)
        place = tuple(changed.T)
        found.append((changed, before[place], after[place]))
    return tuple(found)


def edges(
    changes: Changes, inner: int, outer: int | None = None
) -> tuple[Points, Points, NDArray[np.uint8]]:
    """Find the pixel edges between a class and another, or all others.

    Returns
    -------
    middles, normals : ndarray of float64, shape (n_edges, 2)
        The normals point out of the class.
    beyond : ndarray of uint8, shape (n_edges,)
        Label on the other side.
    """
    middles, normals, beyond = [], [], []
    for axis, (pixels, before, after) in enumerate(changes):
        unit = np.eye(2)[axis]
        for sign, near, far in ((1, before, after), (-1, after, before)):
            meets = near == inner
            if outer is not None:
                meets &= far == outer
            middles.append(pixels[meets] + unit / 2)
            normals.append(np.broadcast_to(sign * unit, middles[-1].shape))
            beyond.append(far[meets])
    return np.concatenate(middles), np.concatenate(normals), np.concatenate(beyond)


def run_clear(obstacles: Mask, starts: Points, ends: Points, lengths: NDArray[np.float64]) -> Mask:
    """Find the lines that cross obstacles by no more than `JAG_PX` in all.

    All lines are followed a few steps at a time, and no further than to where it is decided, so
    that long lines through a montage cost neither time nor memory.
    """
    clear = np.ones(len(starts), np.bool_)
    directions = (ends - starts) / lengths[:, np.newaxis]
    flat, width = obstacles.ravel(), obstacles.shape[1]
    for first in range(0, len(starts), _LINES_AT_A_TIME):
        line = np.arange(first, min(first + _LINES_AT_A_TIME, len(starts)))
        crossed = np.zeros(len(line))
        way = STEP_PX * (np.arange(_STEPS_AT_A_TIME) + 0.5)
        while len(line):
            length = lengths[line, np.newaxis]
            # Steps past a line's end don't count, and might lie outside the map.
            ways = np.minimum(way, length)
            row, column = (
                np.rint(starts[line, axis, np.newaxis] + ways * directions[line, axis, np.newaxis])
                for axis in (0, 1)
            )
            hits = flat[(row * width + column).astype(np.intp)] & (way < length)
            crossed += STEP_PX * np.count_nonzero(hits, axis=1)
            blocked = crossed > JAG_PX
            clear[line[blocked]] = False
            goes_on = ~blocked & (lengths[line] > way[-1])
            line, crossed, way = line[goes_on], crossed[goes_on], way + len(way) * STEP_PX
    return clear
