"""Smooth random fields, which vary slowly in space and are alike everywhere."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.synthetic.limits import (
    Limits,
    generator_problems,
    number_problems,
    refuse,
    shape_problems,
)

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

_REACH = 3
"""Grid cells to each side that a node of a field reaches."""

FINEST_PX = 0.1
"""Shortest length of a field, whose grid then has a hundred nodes in each pixel."""
_LIMITS = {"length_px": Limits(FINEST_PX, 1e30)}


def smooth_field(rng: Generator, shape: tuple[int, int], length_px: float) -> NDArray[np.float64]:
    """Draw a Gaussian random field of zero mean and unit variance everywhere.

    Parameters
    ----------
    rng : Generator
    shape : tuple of int
    length_px : float
        Distance at which the correlation has fallen to exp(-1/4) along rows and columns.

    Returns
    -------
    ndarray of float64

    Raises
    ------
    UsageError
        If an argument is of another kind or makes no sense; the message lists all of them.

    Examples
    --------
    >>> field = smooth_field(np.random.Generator(np.random.PCG64(1)), (30, 40), 5.0)
    >>> field.shape, bool(np.abs(np.diff(field)).max() < 0.8)
    ((30, 40), True)
    """
    problems = number_problems({"length_px": length_px}, _LIMITS)
    refuse("The field", [*generator_problems(rng), *shape_problems(shape), *problems])
    n_nodes = [math.floor((n - 1) / length_px) + 1 + 2 * _REACH for n in shape]
    nodes = rng.standard_normal(n_nodes)
    return _spread(_spread(nodes, shape[0], length_px).T, shape[1], length_px).T


def _spread(nodes: NDArray[np.float64], n: int, length_px: float) -> NDArray[np.float64]:
    """Go from a grid of spacing `length_px` to `n` rows, at a cost independent of that length."""
    position = np.arange(n) / length_px
    before = np.floor(position).astype(np.intp)
    offsets = np.arange(2 * _REACH + 1)
    weights = np.exp(-(((position - before)[:, None] + _REACH - offsets) ** 2))
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    rows = np.zeros((n, nodes.shape[1]))
    for offset in offsets:
        rows += weights[:, offset, None] * nodes[before + offset]
    return rows
