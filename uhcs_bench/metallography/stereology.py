"""Phase fractions and intercept lengths of a label map.

One micrograph is one field of view. Intervals are for the mean of many fields of the same sample;
see `uhcs_bench.metallography.estimates`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.errors import UsageError
from uhcs_bench.metallography import arguments
from uhcs_bench.metallography.estimates import (
    NOWHERE,
    UNDEFINED,
    Estimate,
    Quantity,
    block_edges,
    block_sizes,
    estimates,
)
from uhcs_bench.metallography.labels import check_label_map
from uhcs_bench.stats import proportions
from uhcs_bench.stats.blocks import FEWEST_BLOCKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from uhcs_bench.metallography.labels import LabelMap


TOO_SMALL = "the map is too small to be cut into blocks"


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
        In [0, 1]; NaN without pixels. The interval is NaN for a class that is absent, or alone, of
        which one field says nothing.
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


def phase_fractions(label_map: LabelMap, task: str) -> tuple[PhaseFraction, ...]:
    """Measure the area fractions of a label map's classes.

    Fractions are those of `uhcs_bench.metrics.confusion.annotated_fractions`; for
    intervals see `uhcs_bench.metallography.estimates`.

    Parameters
    ----------
    label_map : ndarray of integers, shape (rows, columns)
    task : str
        Name or alias of the task that the labels belong to.

    Returns
    -------
    tuple of PhaseFraction

    Raises
    ------
    UsageError
        If there is no such task, the map has not two dimensions, or a label is outside the classes.

    Examples
    --------
    >>> labels = np.zeros((80, 80), int)
    >>> labels[:, :20] = 1
    >>> network = phase_fractions(labels, "microconstituents")[1]
    >>> network.phase, network.fraction.value
    ('network', 0.25)
    """
    phases = protocol.task(task).classes
    labels = check_label_map(label_map, len(phases))
    counts = np.stack([_block_sums(labels == label, labels.shape) for label in range(len(phases))])
    sizes = counts.sum(0)
    if not sizes.any():
        return tuple(PhaseFraction(name, UNDEFINED, 0, "the map has no pixels") for name in phases)
    shares = counts[:, sizes > 0]

    def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        return proportions.ratio(drawn @ shares.T, (drawn @ shares.sum(0))[:, np.newaxis])

    found = []
    for name, estimate, n_pixels in zip(
        phases, estimates(statistic, shares.shape[1], (0, 1)), counts.sum(1), strict=True
    ):
        if 0 < n_pixels < sizes.sum():
            reason = TOO_SMALL if shares.shape[1] < FEWEST_BLOCKS else ""
            found.append(PhaseFraction(name, estimate, int(n_pixels), reason))
        else:
            share = Estimate(float(n_pixels > 0), math.nan, math.nan)
            reason = f"the map is all {name}" if n_pixels else f"the map has no {name}"
            found.append(PhaseFraction(name, share, int(n_pixels), reason))
    return tuple(found)


def _block_sums(counted: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Count true pixels, or true pixel edges, in each block of a map."""
    edges = [block_edges(side) for side in shape]
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
    spacing : Quantity
        Length of the test lines over the number of times that they cross the network: the mean
        distance from one crossing to the next, centre to centre.
    free_path : Quantity
        Mean length of test line between two crossings, `spacing` less the network's own part.
    thickness : Quantity
        Mean length of test line inside the network, at a crossing.
    per_length : Quantity
        Crossings per length of test line, the inverse of `spacing`.
    horizontal_px, vertical_px : float
        Spacing along rows and along columns alone; that they differ shows anisotropy. Infinite
        where no line in that direction crosses the network.
    n_crossings : float
        A crossing cut by the image's edge counts one half.
    reason : str
        Why the lengths are NaN; empty where they are not.
    """

    spacing: Quantity
    free_path: Quantity
    thickness: Quantity
    per_length: Quantity
    horizontal_px: float
    vertical_px: float
    n_crossings: float
    reason: str = ""


def mean_intercept_length(
    label_map: LabelMap, pixel_size_um: float | None = None, phase: str = "network"
) -> MeanIntercept:
    """Measure the spacing of a phase by the intercept method (ASTM E112 for grain boundaries).

    Every row and every column of the map is a test line. A crossing is an entry into the network
    and an exit from it, each one half of it, so that a network that a line's end cuts off counts by
    half, as the standard has it. The network is taken as it is labelled: holes in it are gaps.

    Parameters
    ----------
    label_map : ndarray of integers, shape (rows, columns)
    pixel_size_um : float, optional
        Edge of a pixel in micrometres.
    phase : str, optional
        Class that is crossed: ``network`` unless given, another microconstituent, or ``particle``
        for a map of particles.

    Returns
    -------
    MeanIntercept
        With intervals, see `uhcs_bench.metallography.estimates`.

    Raises
    ------
    UsageError
        If there is no such phase, the map has not two dimensions, or a label is outside the classes
        of the phase's task.

    References
    ----------
    .. [1] E. E. Underwood (1970), Quantitative Stereology, chapters 3 and 4.

    Examples
    --------
    Walls 5 px thick, 50 px from centre to centre, in one direction:

    >>> from uhcs_bench.metallography.labels import NETWORK
    >>> labels = np.zeros((200, 200), int)
    >>> labels[:, 20::50] = labels[:, 21::50] = labels[:, 22::50] = NETWORK
    >>> labels[:, 23::50] = labels[:, 24::50] = NETWORK
    >>> found = mean_intercept_length(labels)
    >>> found.horizontal_px, found.vertical_px, found.n_crossings
    (50.0, inf, 800.0)
    >>> found.spacing.px.value, found.thickness.px.value
    (100.0, 10.0)
    """
    arguments.check_pixel_size(pixel_size_um)
    classes = _classes_with(phase)
    network = check_label_map(label_map, len(classes)) == classes.index(phase)
    entries = (network[:, 1:] != network[:, :-1], network[1:] != network[:-1])
    crossings = np.stack([_block_sums(changes, network.shape) / 2 for changes in entries])
    n_crossings = float(crossings.sum())
    if not n_crossings:
        reason = f"no test line enters or leaves {phase}"
        return MeanIntercept(NOWHERE, NOWHERE, NOWHERE, NOWHERE, math.nan, math.nan, 0.0, reason)
    inside = 2.0 * _block_sums(network, network.shape)  # each pixel lies on a row and on a column
    length = 2.0 * block_sizes((len(network), network.shape[1]))
    by_block = np.stack([crossings.sum(0), length, length - inside, inside])[:, length > 0]

    def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        n, *lengths = by_block @ drawn.T
        n[n == 0] = np.nan  # blocks that nothing crosses have no spacing
        return np.stack([*(x / n for x in lengths), n / lengths[0]], axis=1)

    *lengths, rate = estimates(statistic, by_block.shape[1])
    spacing, free_path, thickness = (Quantity.from_px(x, pixel_size_um) for x in lengths)
    per_length = Quantity.from_px(rate, pixel_size_um, power=-1)
    with np.errstate(divide="ignore"):
        horizontal, vertical = network.size / crossings.sum(1)
    return MeanIntercept(
        spacing,
        free_path,
        thickness,
        per_length,
        float(horizontal),
        float(vertical),
        n_crossings,
    )


def _classes_with(phase: str) -> tuple[str, ...]:
    """Give the classes of the task that has a phase; the matrix, which both have, is none."""
    for task in protocol.TASKS.values():
        if phase in task.classes[1:]:
            return task.classes
    known = [name for task in protocol.TASKS.values() for name in task.classes[1:]]
    raise UsageError(f"There is no phase {phase!r} to cross. Give one of {', '.join(known)}.")
