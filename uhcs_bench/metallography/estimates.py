"""Measures of one map with intervals from a bootstrap over blocks.

Neighbouring pixels are correlated, so blocks are resampled, not pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench.stats import bootstrap, proportions

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


BLOCKS = 4
"""Blocks along each side of a map that the bootstrap draws, 16 in all.

A block must be larger than the distance over which the structure is correlated, yet there must be
enough of them to see how they differ. Here the network's cells are about as large as the image, so
that no choice is safe. On windows of Voronoi networks with cells of 0.2 to 0.8 of the image's
height, 4 x 4 blocks did about best: a standard error of 65 to 80 % of the true one, so that
nominal 95 % intervals hold the whole map's fraction in about 8 of 10 windows (8 x 8 blocks: 6 to 8
of 10; single pixels: next to none). Intervals from one field are lower bounds of the uncertainty;
those from several fields, drawn field by field, are better.
"""


PERCENTILES = (5, 25, 50, 75, 95)


@dataclass(frozen=True)
class Estimate:
    """A value and its confidence interval, see `BLOCKS`; NaN where undefined.

    Attributes
    ----------
    value : float
    low, high : float
        At the protocol's confidence.
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
    array([ 0,  2, 15])
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
    """Summarize lengths, with block bootstrap intervals.

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

    Examples
    --------
    >>> found = distribution([1, 2, 3, 6], block=[0, 1, 2, 3], pixel_size_um=0.5)
    >>> found.mean.px.value, found.mean.um.value, found.median.px.value
    (3.0, 1.5, 2.0)
    >>> found.mean.px.low < 3 < found.mean.px.high
    True
    """
    values, numbers = np.asarray(lengths, float), np.asarray(block, np.int64)
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, float)
    counts = weight > 0
    values, numbers, weight = values[counts], numbers[counts], weight[counts]
    if not len(values):
        percentiles = dict.fromkeys(PERCENTILES, NOWHERE)
        return Distribution(0, NOWHERE, NOWHERE, NOWHERE, percentiles, reason)
    unique, place = np.unique(values, return_inverse=True)
    occupied, number = np.unique(numbers, return_inverse=True)
    by_block = np.zeros((len(unique), len(occupied)))
    np.add.at(by_block, (place, number), weight)
    centre = float(np.average(values, weights=weight))
    deviations = unique - centre  # so that their squares don't cancel
    sums = np.stack([by_block.sum(0), deviations @ by_block, deviations**2 @ by_block])
    up_to = by_block.cumsum(0)

    def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        total, first, second = sums @ drawn.T
        mean, square = proportions.ratio(first, total), proportions.ratio(second, total)
        columns = [centre + mean, np.sqrt(np.maximum(square - mean**2, 0))]
        columns += [_quantile(unique, up_to, drawn, p / 100) for p in PERCENTILES]
        return np.stack(columns, axis=1)

    mean, deviation, *quantiles = (
        Quantity.from_px(estimate, pixel_size_um)
        for estimate in estimates(statistic, len(occupied))
    )
    by_percent = dict(zip(PERCENTILES, quantiles, strict=True))
    return Distribution(len(values), mean, by_percent[50], deviation, by_percent)


def _quantile(
    values: NDArray[np.float64],
    up_to: NDArray[np.float64],
    drawn: NDArray[np.float64],
    level: float,
) -> NDArray[np.float64]:
    """Smallest value that has at least a share of each sample's weight up to it.

    By bisection, so that a sample's whole distribution function is never built.

    Parameters
    ----------
    values : ndarray, shape (n_values,)
        Ascending.
    up_to : ndarray, shape (n_values, n_blocks)
        Weight of each block up to each value.
    drawn : ndarray, shape (n_samples, n_blocks)
    level : float
    """
    # The tolerance keeps a weight that meets the level exactly, whatever its sum is rounded to.
    wanted = drawn @ up_to[-1] * level * (1 - 1e-12)
    low = np.zeros(len(drawn), np.int64)
    high = np.full(len(drawn), len(values) - 1)
    while (low < high).any():
        middle = (low + high) // 2
        enough = np.einsum("ij,ij->i", up_to[middle], drawn) >= wanted
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    return values[low]


def estimates(statistic: bootstrap.Statistic, n_blocks: int) -> list[Estimate]:
    """Evaluate a statistic of weighted blocks, with bootstrap intervals over the blocks.

    Parameters
    ----------
    statistic : callable
        See `uhcs_bench.stats.bootstrap.bootstrap_interval`.
    n_blocks : int
        At least 1; intervals are NaN for a single one.

    Returns
    -------
    list of Estimate
    """
    values = statistic(np.ones((1, n_blocks)))[0]
    ends = bootstrap.bootstrap_interval(statistic, range(n_blocks))
    return [
        Estimate(float(value), float(low), float(high))
        for value, (low, high) in zip(values, ends, strict=True)
    ]


def block_sizes(shape: tuple[int, int]) -> NDArray[np.int64]:
    """Count the pixels of each block of a map, see `block_numbers`.

    Examples
    --------
    >>> block_sizes((8, 10))
    array([4, 6, 4, 6, 4, 6, 4, 6, 4, 6, 4, 6, 4, 6, 4, 6])
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
