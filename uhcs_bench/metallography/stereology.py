"""Phase fractions and network spacing of a label map, and how sure a measure of one map is.

One micrograph is one field of view. What it leaves uncertain is how another field of the same
sample would differ, and neighbouring pixels, interface points and particles say nearly the same of
that. So the bootstrap here draws blocks of the map, not pixels or particles; see `BLOCKS`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.metrics import confusion
from uhcs_bench.stats import bootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from uhcs_bench.metrics.confusion import LabelMap

MICROCONSTITUENTS = protocol.TASKS["microconstituents"].classes
MATRIX, NETWORK, SPHEROIDITE, WIDMANSTATTEN = range(len(MICROCONSTITUENTS))

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
class Length:
    """A length in pixels and in micrometres.

    Attributes
    ----------
    px : Estimate
        In pixels.
    um : Estimate
        In micrometres; NaN where the pixel size is unknown.
    """

    px: Estimate
    um: Estimate

    @classmethod
    def from_px(cls, px: Estimate, pixel_size_um: float | None) -> Length:
        """Take a length in pixels."""
        return cls(px, px * (math.nan if pixel_size_um is None else pixel_size_um))


@dataclass(frozen=True)
class Distribution:
    """Summary of a sample of lengths.

    Attributes
    ----------
    n : int
        Number of lengths that count, those of weight above zero.
    mean, median : Length
    standard_deviation : Length
        Of the lengths, not of their mean.
    percentiles : dict of int to Length
        Smallest length that at least so many percent of the weight don't exceed; see `PERCENTILES`.
    reason : str
        Why all lengths are NaN; empty where they are not.
    """

    n: int
    mean: Length
    median: Length
    standard_deviation: Length
    percentiles: dict[int, Length]
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
        nothing = Length(UNDEFINED, UNDEFINED)
        return Distribution(
            0, nothing, nothing, nothing, dict.fromkeys(PERCENTILES, nothing), reason
        )
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
        mean, square = confusion.ratio(first, total), confusion.ratio(second, total)
        columns = [centre + mean, np.sqrt(np.maximum(square - mean**2, 0))]
        columns += [_quantile(unique, up_to, drawn, p / 100) for p in PERCENTILES]
        return np.stack(columns, axis=1)

    mean, deviation, *percentiles = (
        Length.from_px(estimate, pixel_size_um) for estimate in estimates(statistic, len(occupied))
    )
    by_percent = dict(zip(PERCENTILES, percentiles, strict=True))
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


@dataclass(frozen=True)
class PhaseFraction:
    """Share of a map's area that a class takes.

    By the first principle of stereology the area fraction of a random section estimates the
    volume fraction [1]_.

    Attributes
    ----------
    phase : str
        Name of the class.
    fraction : Estimate
        In [0, 1]; NaN without pixels. The interval is NaN for a class that is absent, of which one
        field says nothing.
    n_pixels : int
        Pixels of the class.
    reason : str
        Why a number is NaN; empty where none is.

    References
    ----------
    .. [1] J. C. Russ, R. T. Dehoff (2000), Practical Stereology, chapter 2.
    """

    phase: str
    fraction: Estimate
    n_pixels: int
    reason: str = ""


def phase_fractions(
    label_map: LabelMap, phases: Sequence[str] = MICROCONSTITUENTS
) -> tuple[PhaseFraction, ...]:
    """Measure the area fractions of a label map's classes.

    Fractions are those of `uhcs_bench.metrics.agreement.annotated_fractions`; the intervals come from a
    block bootstrap, see `BLOCKS`.

    Parameters
    ----------
    label_map : ndarray of integers, shape (rows, columns)
    phases : sequence of str, optional
        Names of the labels from 0 on, those of the microconstituents unless told.

    Returns
    -------
    tuple of PhaseFraction

    Raises
    ------
    ValueError
        If the map has not two dimensions or a label is outside the classes.

    Examples
    --------
    >>> labels = np.zeros((80, 80), int)
    >>> labels[:, :20] = 1
    >>> network = phase_fractions(labels)[1]
    >>> network.phase, network.fraction.value
    ('network', 0.25)
    """
    labels = check_label_map(label_map, len(phases))
    counts = np.stack([_block_sums(labels == label) for label in range(len(phases))])
    sizes = counts.sum(0)
    if not sizes.any():
        return tuple(PhaseFraction(name, UNDEFINED, 0, "the map has no pixels") for name in phases)
    shares = counts[:, sizes > 0]

    def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        return confusion.ratio(drawn @ shares.T, (drawn @ shares.sum(0))[:, np.newaxis])

    found = []
    for name, estimate, n_pixels in zip(
        phases, estimates(statistic, shares.shape[1]), counts.sum(1), strict=True
    ):
        if n_pixels:
            reason = "" if shares.shape[1] > 1 else "the map is too small to be cut into blocks"
            found.append(PhaseFraction(name, estimate, int(n_pixels), reason))
        else:
            nothing = Estimate(0.0, math.nan, math.nan)
            found.append(PhaseFraction(name, nothing, 0, f"the map has no {name}"))
    return tuple(found)


def block_sizes(shape: tuple[int, int]) -> NDArray[np.int64]:
    """Count the pixels of each block of a map, see `block_numbers`.

    Examples
    --------
    >>> block_sizes((8, 10))
    array([4, 6, 4, 6, 4, 6, 4, 6, 4, 6, 4, 6, 4, 6, 4, 6])
    """
    heights, widths = (np.diff(_block_edges(side)) for side in shape)
    return np.asarray(np.outer(heights, widths).ravel())


def _block_edges(side: int) -> NDArray[np.int64]:
    """First pixels whose centres are past the blocks' edges."""
    return np.asarray(-((BLOCKS - 2 * np.arange(BLOCKS + 1) * side) // (2 * BLOCKS)))


def _block_sums(counted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count a map's true pixels in each block."""
    edges = [_block_edges(side) for side in counted.shape]
    return np.array(
        [
            np.count_nonzero(counted[top:bottom, left:right])
            for top, bottom in zip(edges[0][:-1], edges[0][1:], strict=True)
            for left, right in zip(edges[1][:-1], edges[1][1:], strict=True)
        ]
    )


@dataclass(frozen=True)
class MeanIntercept:
    """Mean linear intercepts of a network, all of them NaN where the test lines don't cross it.

    Attributes
    ----------
    spacing : Length
        Length of the test lines over the number of times that they cross the network: the mean
        distance from one crossing to the next, centre to centre.
    free_path : Length
        Mean length of test line between two crossings, `spacing` less the network's own part.
    thickness : Length
        Mean length of test line inside the network, at a crossing.
    horizontal_px, vertical_px : float
        Spacing along rows and along columns alone; that they differ shows anisotropy. Infinite
        where no line in that direction crosses the network.
    n_crossings : float
        A crossing cut by the image's edge counts one half.
    reason : str
        Why the lengths are NaN; empty where they are not.
    """

    spacing: Length
    free_path: Length
    thickness: Length
    horizontal_px: float
    vertical_px: float
    n_crossings: float
    reason: str = ""


def mean_intercept_length(
    label_map: LabelMap, pixel_size_um: float | None = None, label: int = NETWORK
) -> MeanIntercept:
    """Measure the spacing of the network by the intercept method (ASTM E112 for grain boundaries).

    Every row and every column of the map is a test line. A crossing is an entry into the network
    and an exit from it, each one half of it, so that a network that a line's end cuts off counts by
    half, as the standard has it. The network is taken as it is labelled: holes in it are gaps.

    Parameters
    ----------
    label_map : ndarray of integers, shape (rows, columns)
    pixel_size_um : float, optional
        Edge of a pixel in micrometres.
    label : int, optional
        Class that is crossed, the network unless told.

    Returns
    -------
    MeanIntercept
        With block bootstrap intervals, see `BLOCKS`.

    Raises
    ------
    ValueError
        If the map has not two dimensions.

    References
    ----------
    .. [1] E. E. Underwood (1970), Quantitative Stereology, chapters 3 and 4.

    Examples
    --------
    Walls 5 px thick, 50 px from centre to centre, in one direction:

    >>> labels = np.zeros((200, 200), int)
    >>> labels[:, 20::50] = labels[:, 21::50] = labels[:, 22::50] = NETWORK
    >>> labels[:, 23::50] = labels[:, 24::50] = NETWORK
    >>> found = mean_intercept_length(labels)
    >>> found.horizontal_px, found.vertical_px, found.n_crossings
    (50.0, inf, 800.0)
    >>> found.spacing.px.value, found.thickness.px.value
    (100.0, 10.0)
    """
    network = check_label_map(label_map) == label
    entries = [network[:, 1:] != network[:, :-1], network[1:] != network[:-1]]
    crossings = np.zeros((2, BLOCKS**2))
    for direction, changes in enumerate(entries):
        # np.nonzero takes far longer in two dimensions
        row, column = np.divmod(np.flatnonzero(changes), max(changes.shape[1], 1))
        numbers = block_numbers(row, column, network.shape) if len(row) else row
        crossings[direction] = np.bincount(numbers, minlength=BLOCKS**2) / 2
    n_crossings = float(crossings.sum())
    if not n_crossings:
        nothing = Length(UNDEFINED, UNDEFINED)
        reason = f"no test line enters or leaves {MICROCONSTITUENTS[label]}"
        return MeanIntercept(nothing, nothing, nothing, math.nan, math.nan, 0.0, reason)
    inside = 2.0 * _block_sums(network)  # each pixel lies on a row and on a column
    length = 2.0 * block_sizes((len(network), network.shape[1]))
    by_block = np.stack([crossings.sum(0), length, length - inside, inside])[:, length > 0]

    def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        n, *lengths = by_block @ drawn.T
        n[n == 0] = np.nan  # blocks that nothing crosses have no spacing
        return np.stack([x / n for x in lengths], axis=1)

    spacing, free_path, thickness = (
        Length.from_px(estimate, pixel_size_um)
        for estimate in estimates(statistic, by_block.shape[1])
    )
    with np.errstate(divide="ignore"):
        horizontal, vertical = network.size / crossings.sum(1)
    return MeanIntercept(
        spacing, free_path, thickness, float(horizontal), float(vertical), n_crossings
    )


def check_label_map(label_map: LabelMap, n_classes: int | None = None) -> LabelMap:
    """Give back a label map as an array, if it is one.

    Parameters
    ----------
    label_map : array_like of integers
    n_classes : int, optional
        Labels must lie below it.

    Raises
    ------
    ValueError
        If it has not two dimensions, holds no integers, or a label is outside the classes.
    """
    labels = np.asarray(label_map)
    if labels.ndim != 2:
        raise ValueError(f"a label map has two dimensions, not {labels.ndim}")
    if labels.dtype.kind not in "biu":
        raise ValueError(f"a label map holds integers, not {labels.dtype}")
    if n_classes and labels.size and not 0 <= labels.min() <= labels.max() < n_classes:
        raise ValueError(
            f"labels must lie between 0 and {n_classes - 1}, found {labels.min()} to {labels.max()}"
        )
    return labels
