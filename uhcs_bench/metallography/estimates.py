"""Measures of one map with intervals from blocks that the map is cut into.

Neighbouring pixels, interface points and particles resemble each other, so that blocks are left out
one at a time, see `uhcs_bench.stats.blocks`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench.stats import blocks, proportions

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from uhcs_bench.stats.means import Statistic


BLOCKS = 3
"""Blocks along each side of a map, 9 in all.

A block must be larger than the distance over which the structure is correlated, yet there must be
enough of them to see how they differ. ``tests/benchmarks/field_coverage.py`` simulates how often
the intervals hold.
"""


PERCENTILES = (5, 25, 50, 75, 95)


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval, see `BLOCKS`; NaN where undefined.

    Attributes
    ----------
    value : float
    low, high : float
        Ends of an interval for the mean of many fields of view.
    """

    value: float
    low: float
    high: float

    def __mul__(self, factor: float) -> Estimate:
        """Change the unit."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)


UNDEFINED = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Quantity:
    """A quantity in units of pixels and of micrometres: a length, or a number per area.

    Attributes
    ----------
    px : Estimate
        In pixels, square pixels or their inverse.
    um : Estimate
        In micrometres instead; NaN where the pixel size is unknown.
    """

    px: Estimate
    um: Estimate

    @classmethod
    def from_px(cls, px: Estimate, pixel_size_um: float | None, power: int = 1) -> Quantity:
        """Take a quantity in pixels to a power, -2 for a number per area."""
        return cls(px, px * (math.nan if pixel_size_um is None else pixel_size_um**power))


NOWHERE = Quantity(UNDEFINED, UNDEFINED)


@dataclass(frozen=True)
class Distribution:
    """Summary of a sample of lengths.

    Attributes
    ----------
    n : int
        Number of lengths that count, those of weight above zero.
    mean, median : Quantity
    standard_deviation : Quantity
        Of the lengths, not of their mean.
    percentiles : dict of int to Quantity
        Smallest length that at least so many percent of the weight don't exceed; see `PERCENTILES`.
    reason : str
        Why all lengths are NaN; empty where they are not.
    """

    n: int
    mean: Quantity
    median: Quantity
    standard_deviation: Quantity
    percentiles: dict[int, Quantity]
    reason: str = ""


def block_numbers(
    row: ArrayLike, column: ArrayLike, shape: tuple[int, int], blocks: int = BLOCKS
) -> NDArray[np.int64]:
    """Find the block of a map that a point lies in.

    Parameters
    ----------
    row, column : array_like
        Coordinates in pixels, pixel centres being whole numbers.
    shape : tuple of int
        Of the map.
    blocks : int, optional
        Along each side.

    Returns
    -------
    ndarray of int64
        Row after row, from 0 to `blocks` squared - 1.

    Examples
    --------
    >>> block_numbers([0, 0, 99], [0, 50, 99], shape=(100, 100))
    array([0, 1, 8])
    """
    number = []
    for position, side in ((row, shape[0]), (column, shape[1])):
        whole = np.floor((np.asarray(position, float) + 0.5) * blocks / side).astype(np.int64)
        number.append(np.clip(whole, 0, blocks - 1))
    return np.asarray(number[0] * blocks + number[1])


def distribution(
    lengths: ArrayLike,
    block: ArrayLike,
    weights: ArrayLike | None = None,
    pixel_size_um: float | None = None,
    reason: str = "there are no lengths",
) -> Distribution:
    """Summarize lengths, with intervals from blocks.

    Parameters
    ----------
    lengths : array_like
        In pixels.
    block : array_like of int
        The block of the map that each comes from, see `block_numbers`.
    weights : array_like, optional
        How much each counts, at least 0.
    pixel_size_um : float, optional
        Edge of a pixel in micrometres.
    reason : str, optional
        What to say if no length counts.

    Returns
    -------
    Distribution
        Intervals are NaN if the lengths come from fewer than
        `uhcs_bench.stats.blocks.FEWEST_BLOCKS` blocks.

    Examples
    --------
    >>> found = distribution([1, 2, 3, 6, 8], block=[0, 1, 2, 3, 4], pixel_size_um=0.5)
    >>> found.mean.px.value, found.mean.um.value, found.median.px.value
    (4.0, 2.0, 3.0)
    >>> found.mean.px.low < 4 < found.mean.px.high
    True
    """
    values, numbers = np.asarray(lengths, float), np.asarray(block, np.int64)
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, float)
    counts = weight > 0
    values, numbers, weight = values[counts], numbers[counts], weight[counts]
    if not len(values):
        percentiles = dict.fromkeys(PERCENTILES, NOWHERE)
        return Distribution(0, NOWHERE, NOWHERE, NOWHERE, percentiles, reason)
    order = np.argsort(values)
    values, weight = values[order], weight[order]
    occupied, number = np.unique(numbers[order], return_inverse=True)
    centre = float(np.average(values, weights=weight))
    deviations = values - centre  # so that their squares don't cancel
    sums = block_sums(number, [weight, weight * deviations, weight * deviations**2])

    def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        total, first, second = sums @ drawn.T
        mean, square = proportions.ratio(first, total), proportions.ratio(second, total)
        return np.stack([centre + mean, np.sqrt(np.maximum(square - mean**2, 0))], axis=1)

    mean, deviation = (
        Quantity.from_px(estimate, pixel_size_um)
        for estimate in estimates(statistic, len(occupied))
    )
    quantiles = [
        Quantity.from_px(estimate, pixel_size_um)
        for estimate in _quantiles(values, weight, number, sums[0])
    ]
    by_percent = dict(zip(PERCENTILES, quantiles, strict=True))
    return Distribution(len(values), mean, by_percent[50], deviation, by_percent)


def block_sums(
    number: NDArray[np.int64], columns: list[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Add up columns over the members of each block.

    Parameters
    ----------
    number : ndarray of int64, shape (n,)
        Block of each member, from 0 on without gaps.
    columns : list of ndarray, each of shape (n,)

    Returns
    -------
    ndarray of float64, shape (n_columns, n_blocks)

    Examples
    --------
    >>> block_sums(np.array([0, 1, 0]), [np.array([1.0, 2.0, 4.0])])
    array([[5., 2.]])
    """
    return np.stack([np.bincount(number, weights=column) for column in columns])


def _quantiles(
    values: NDArray[np.float64],
    weight: NDArray[np.float64],
    number: NDArray[np.int64],
    totals: NDArray[np.float64],
) -> list[Estimate]:
    """Find the smallest values with at least a share of the weight up to them.

    For `PERCENTILES`, with Woodruff's intervals.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Ascending.
    weight, number : ndarray, shape (n,)
        Weight and block of each value.
    totals : ndarray, shape (n_blocks,)
        Weight of each block.
    """
    up_to = weight.cumsum()

    def at(levels: NDArray[np.float64]) -> NDArray[np.float64]:
        # The tolerance keeps a weight that meets the level exactly, whatever its sum is rounded to.
        places = np.searchsorted(up_to, up_to[-1] * levels * (1 - 1e-12))
        return np.asarray(values[np.minimum(places, len(values) - 1)])

    shares = np.array(PERCENTILES) / 100
    found = at(shares)
    stops = np.stack([np.searchsorted(values, found, side) for side in ("left", "right")], axis=1)
    parts = [
        [np.bincount(number[:n], weights=weight[:n], minlength=len(totals)) for n in pair]
        for pair in stops
    ]
    levels = blocks.block_quantile_levels(parts, totals, shares)
    ends = np.full(levels.shape, np.nan) if np.isnan(levels).any() else at(levels)
    return [
        Estimate(float(value), float(low), float(high))
        for value, (low, high) in zip(found, ends, strict=True)
    ]


def estimates(
    statistic: Statistic, n_blocks: int, bounds: tuple[float, float] = (0.0, math.inf)
) -> list[Estimate]:
    """Evaluate a statistic of weighted blocks, with jackknife intervals over the blocks.

    Parameters
    ----------
    statistic : callable
        See `uhcs_bench.stats.blocks.block_intervals`.
    n_blocks : int
        At least 1; intervals are NaN for fewer than `uhcs_bench.stats.blocks.FEWEST_BLOCKS`.
    bounds : tuple of float, optional
        Smallest and largest possible value, which no interval exceeds.

    Returns
    -------
    list of Estimate
    """
    values = statistic(np.ones((1, n_blocks)))[0]
    ends = np.clip(blocks.block_intervals(statistic, n_blocks), *bounds)
    return [
        Estimate(float(value), float(low), float(high))
        for value, (low, high) in zip(values, ends, strict=True)
    ]


def block_sizes(shape: tuple[int, int]) -> NDArray[np.int64]:
    """Count the pixels of each block of a map, see `block_numbers`.

    Examples
    --------
    >>> block_sizes((8, 10))
    array([ 9, 12,  9,  6,  8,  6,  9, 12,  9])
    """
    heights, widths = (np.diff(block_edges(side)) for side in shape)
    return np.asarray(np.outer(heights, widths).ravel())


def block_edges(side: int) -> NDArray[np.int64]:
    """First pixels whose centres are past the blocks' edges."""
    return np.asarray(-((BLOCKS - 2 * np.arange(BLOCKS + 1) * side) // (2 * BLOCKS)))


def distribution_dict(found: Distribution) -> dict[str, Any]:
    """Convert a distribution to plain dictionaries."""
    content: dict[str, Any] = {"n": found.n, "reason": found.reason}
    for name, length in (
        ("mean", found.mean),
        ("median", found.median),
        ("standard_deviation", found.standard_deviation),
    ):
        content[f"{name}_px"] = estimate_dict(length.px)
        content[f"{name}_um"] = estimate_dict(length.um)
    for unit in ("px", "um"):
        content[f"percentiles_{unit}"] = {
            str(level): getattr(length, unit).value for level, length in found.percentiles.items()
        }
    return content


def estimate_dict(estimate: Estimate) -> dict[str, Any]:
    """Convert an estimate to a plain dictionary."""
    value, low, high = cells(estimate)
    return {"value": value, "ci95": None if math.isnan(low) else [low, high]}


def cells(estimate: Estimate) -> tuple[float, float, float]:
    """Give value, low and high, as cells of a table."""
    return estimate.value, estimate.low, estimate.high
