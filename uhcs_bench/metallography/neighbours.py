"""Distances from particle to nearest particle, corrected for the image's edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.metallography import arguments, estimates
from uhcs_bench.metallography.estimates import NOWHERE, Quantity
from uhcs_bench.metallography.particles import Particles
from uhcs_bench.stats import proportions

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class NearestNeighbours:
    """Distances of centroids from the nearest other centroid.

    Attributes
    ----------
    n : int
        Particles that count: those nearer to another one than to the image's edge.
    distance : Quantity
        Mean distance.
    reason : str
        Why it is NaN; empty where it is not.
    """

    n: int
    distance: Quantity
    reason: str = ""


def nearest_neighbours(particles: Particles) -> NearestNeighbours:
    """Measure the mean distance from a particle's centroid to the nearest other one.

    A particle near the image's edge may have its nearest neighbour outside. So only those count
    that are nearer to a neighbour than to the edge, each with the inverse of the share of the image
    in which its distance would count: the estimator of Hanisch [1]_, which is not biased by the
    edge. Of particles at random places, so many per area, the mean is half the inverse of the root
    of their density.

    Parameters
    ----------
    particles : Particles

    Returns
    -------
    NearestNeighbours
        With intervals, see `uhcs_bench.metallography.estimates`.

    References
    ----------
    .. [1] K.-H. Hanisch (1984), Some remarks on estimators of the distribution function of nearest
       neighbour distance in stationary spatial point processes, Mathematische Operationsforschung
       und Statistik, Series Statistics 15, 409-412.

    Examples
    --------
    >>> from uhcs_bench.metallography.particles import measure_particles
    >>> mask = np.zeros((60, 60))
    >>> mask[10:50:8, 10:50:8] = 1
    >>> found = nearest_neighbours(measure_particles(mask))
    >>> found.n, found.distance.px.value
    (25, 8.0)
    """
    from scipy.spatial import KDTree

    arguments.check_is(particles, Particles, "particles", "Give the result of measure_particles")
    if len(particles) < 2:
        return NearestNeighbours(0, NOWHERE, "there are fewer than two particles")
    points = np.stack([particles.table["row"], particles.table["column"]], axis=1)
    distance = KDTree(points, compact_nodes=False, balanced_tree=False).query(points, k=2)[0][:, 1]
    sides = np.array(particles.shape)
    counts = distance < np.minimum(points + 0.5, sides - 0.5 - points).min(axis=1)
    if not counts.any():
        return NearestNeighbours(0, NOWHERE, "every particle is nearer to the edge than to another")
    distance = distance[counts]
    weight = 1 / np.prod(sides - 2 * distance[:, np.newaxis], axis=1)
    occupied, number = np.unique(particles.block[counts], return_inverse=True)
    sums = estimates.block_sums(number, [weight, weight * distance])

    def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        total, first = sums @ drawn.T
        return proportions.ratio(first, total)[:, np.newaxis]

    mean = estimates.estimates(statistic, len(occupied))[0]
    return NearestNeighbours(len(distance), Quantity.from_px(mean, particles.pixel_size_um))
