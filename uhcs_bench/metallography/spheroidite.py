"""Particles in the spheroidite of a larger field of view (the paper's Figure 4).

Two models see the same micrograph: one finds particles, the other microconstituents. Particle
pixels outside the predicted spheroidite are dropped: what the particle model takes for particles
there are edges of the network, laths and dirt. Of what is left this module gives the sizes, also
as a function of the distance from the network, which the paper names as a next step: it may tell
coarsening, where particles near the network dissolve in its favour, from precipitation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench.formatting import abbreviated
from uhcs_bench.metallography import (
    arguments,
    components,
    denuded_zone,
    estimates,
    labels,
    particles,
)
from uhcs_bench.metallography.estimates import (
    UNDEFINED,
    Distribution,
    Estimate,
    distribution_dict,
    estimate_dict,
)
from uhcs_bench.stats import proportions
from uhcs_bench.stats.undefined import nan_to_none

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from uhcs_bench.metallography.labels import LabelMap
    from uhcs_bench.metallography.particles import Particles, SizeDistribution


WARNING = (
    "The micrographs of microconstituents resolve particles too poorly for exact size "
    "distributions (DeCost et al. 2019, Figure 4): small particles are missed or merged. Compare "
    "them only with distributions measured in the same way at the same pixel size."
)
"""What the paper says of these distributions; it goes with every result."""

SPECK_PX = 5
"""Area up to which a particle is called a speck, in pixels.

The particles that the paper's model missed or found in part were "typically one to five pixels in
size".
"""

N_BINS = 5
"""Distance bins, unless told, each with about the same number of whole particles."""

NO_PARTICLE = "the particle map has no particle"
NO_SPHEROIDITE = "the microconstituent map has no spheroidite"
ALL_SMALL = "every particle inside the spheroidite is smaller than the smallest that counts"
ALL_OUTSIDE = "every particle lies outside the spheroidite"


@dataclass(frozen=True)
class DistanceBin:
    """The sizes of the particles at some distance from the network.

    Attributes
    ----------
    near_px, far_px : float
        From the one up to, but not including, the other; see
        `uhcs_bench.metallography.particles.distance_to_network`.
    diameters : Distribution
        Equivalent diameters of whole particles, see
        `uhcs_bench.metallography.particles.sizes_by_distance`.
    """

    near_px: float
    far_px: float
    diameters: Distribution


@dataclass(frozen=True)
class Trend:
    """Whether size goes with the distance from the network.

    Attributes
    ----------
    rho : Estimate
        Spearman's rank correlation of distance and diameter over whole particles, -1 to 1; positive
        where particles far from the network are larger. See `rank_correlation`.
    n : int
        Number of those particles.
    reason : str
        Why it is NaN; empty where it is not.
    """

    rho: Estimate
    n: int
    reason: str = ""


@dataclass(frozen=True, eq=False)  # arrays don't compare as a whole
class CombinedAnalysis:
    """What the maps of two models say together of a micrograph.

    Attributes
    ----------
    particle_map : ndarray of uint8, shape (rows, columns)
        Particle pixels inside the spheroidite are 1.
    particles : Particles
        Those of `particle_map`. The spheroidite's boundary cuts some of them, see `n_cut`.
    distances_px : ndarray of float64, shape (n_particles,)
        From centroid to network; NaN without network.
    sizes : SizeDistribution
        Of whole particles, with intervals.
    by_distance : tuple of DistanceBin
        Empty without network or without whole particle.
    trend : Trend
    n_spheroidite_pixels : int
    n_pixels_kept, n_pixels_dropped : int
        Particle pixels inside and outside the spheroidite.
    n_dropped : int
        Particles that lie outside as a whole.
    n_cut : int
        Particles of which a part lies outside, and is dropped.
    n_left_out, n_pixels_left_out : int
        Particles inside, below the smallest diameter that counts, and their pixels; none of the
        other numbers counts them.
    n_specks : int
        Particles, of those that are left, with at most `SPECK_PX` pixels.
    reason : str
        Why no particle is left; empty where some are.
    warning : str
        `WARNING`.
    """

    particle_map: NDArray[np.uint8]
    particles: Particles
    distances_px: NDArray[np.float64]
    sizes: SizeDistribution
    by_distance: tuple[DistanceBin, ...]
    trend: Trend
    n_spheroidite_pixels: int
    n_pixels_kept: int
    n_pixels_dropped: int
    n_dropped: int
    n_cut: int
    n_left_out: int
    n_pixels_left_out: int
    n_specks: int
    reason: str
    warning: str = WARNING

    __repr__ = abbreviated

    @property
    def pixel_size_um(self) -> float | None:
        """Edge of a pixel in micrometres."""
        return self.particles.pixel_size_um

    @property
    def area_fraction(self) -> float:
        """Share of the spheroidite that particles cover; NaN without spheroidite."""
        return float(proportions.ratio(self.n_pixels_kept, self.n_spheroidite_pixels))

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; None where a quantity is undefined."""
        fit = self.sizes.lognormal
        content: dict[str, Any] = nan_to_none(
            {
                "pixel_size_um": self.pixel_size_um,
                "n_particles": len(self.particles),
                "n_dropped": self.n_dropped,
                "n_cut": self.n_cut,
                "n_left_out": self.n_left_out,
                "n_pixels_left_out": self.n_pixels_left_out,
                "n_specks": self.n_specks,
                "n_pixels_kept": self.n_pixels_kept,
                "n_pixels_dropped": self.n_pixels_dropped,
                "n_spheroidite_pixels": self.n_spheroidite_pixels,
                "area_fraction": self.area_fraction,
                "reason": self.reason,
                "diameter": {
                    **distribution_dict(self.sizes.diameters),
                    "lognormal": {
                        "median_px": estimate_dict(fit.median.px),
                        "median_um": estimate_dict(fit.median.um),
                        "sigma": estimate_dict(fit.sigma),
                        "ks_distance": fit.ks_distance,
                    },
                },
                "diameter_by_distance": [
                    {
                        "near_px": bin_.near_px,
                        "far_px": bin_.far_px,
                        "near_um": self.in_um(bin_.near_px),
                        "far_um": self.in_um(bin_.far_px),
                        **distribution_dict(bin_.diameters),
                    }
                    for bin_ in self.by_distance
                ],
                "trend": {
                    "spearman_rho": estimate_dict(self.trend.rho),
                    "n": self.trend.n,
                    "reason": self.trend.reason,
                },
            }
        )
        return content

    def in_um(self, length_px: float) -> float:
        """Give a length in micrometres; NaN where the pixel size is unknown."""
        return math.nan if self.pixel_size_um is None else length_px * self.pixel_size_um


def combine(
    particle_map: LabelMap,
    microconstituent_map: LabelMap,
    pixel_size_um: float | None = None,
    bin_edges_px: Sequence[float] | None = None,
    min_diameter: str | None = None,
) -> CombinedAnalysis:
    """Measure the particles inside the spheroidite of a micrograph.

    Parameters
    ----------
    particle_map : ndarray of integers, shape (rows, columns)
        What the particle model predicts: 0 matrix, 1 particle.
    microconstituent_map : ndarray of integers, shape (rows, columns)
        What the other model predicts for the same micrograph: 0 matrix, 1 network, 2 spheroidite,
        3 Widmanstatten.
    pixel_size_um : float, optional
        Edge of a pixel in micrometres.
    bin_edges_px : sequence of float, optional
        Distances from the network, ascending, that separate the bins. By default `N_BINS` bins
        with about the same number of whole particles.
    min_diameter : str, optional
        Equivalent circular diameter of the smallest particle that counts, such as ``"0.2um"`` or
        ``"5px"``, after what lies outside the spheroidite is cut away; all particles unless given.

    Returns
    -------
    CombinedAnalysis

    Raises
    ------
    UsageError
        If the shapes differ, a map is no label map of its task, the edges don't ascend, or the
        smallest diameter is none, or is in micrometres without a pixel size.

    Examples
    --------
    The last of three particles lies outside the spheroidite:

    >>> from uhcs_bench.metallography.labels import MATRIX, NETWORK, SPHEROIDITE
    >>> labels = np.full((60, 80), SPHEROIDITE)
    >>> labels[:, :10], labels[:, 70:] = NETWORK, MATRIX
    >>> mask = np.zeros((60, 80), np.uint8)
    >>> mask[10:12, 20:22] = mask[40:44, 60:64] = mask[40:50, 72:76] = 1
    >>> found = combine(mask, labels, pixel_size_um=0.5, bin_edges_px=[0, 30, 60])
    >>> len(found.particles), found.n_dropped, found.distances_px.round(1).tolist()
    (2, 1, [11.0, 52.0])
    >>> [round(bin.diameters.mean.um.value, 2) for bin in found.by_distance]
    [1.13, 2.26]
    """
    edges = None if bin_edges_px is None else arguments.check_ascending(bin_edges_px, "bin edges")
    arguments.check_pixel_size(pixel_size_um)
    smallest = arguments.smallest_area_px(min_diameter, pixel_size_um)
    kept_map = particles.mask_outside_spheroidite(particle_map, microconstituent_map)
    original = np.asarray(particle_map) != 0
    numbered = components.label_particles(original)
    n_parts = int(numbered.max(initial=0)) + 1
    inside = np.bincount(numbered[kept_map != 0], minlength=n_parts)[1:]
    outside = np.bincount(numbered[original & (kept_map == 0)], minlength=n_parts)[1:]
    kept_map, n_left_out, area_left_out = components.drop_small(kept_map, smallest)
    found = particles.measure_particles(kept_map, pixel_size_um)
    distances = particles.distance_to_network(found, microconstituent_map)
    n_spheroidite = np.count_nonzero(np.asarray(microconstituent_map) == labels.SPHEROIDITE)
    reason = ""
    if not len(found):
        reason = ALL_OUTSIDE if n_spheroidite else NO_SPHEROIDITE
        reason = ALL_SMALL if n_left_out else reason
        reason = reason if original.any() else NO_PARTICLE
    return CombinedAnalysis(
        particle_map=kept_map,
        particles=found,
        distances_px=distances,
        sizes=particles.size_distribution(found),
        by_distance=_bins(found, distances, edges),
        trend=_trend(found, distances, reason),
        n_spheroidite_pixels=int(n_spheroidite),
        n_pixels_kept=int(inside.sum()) - area_left_out,
        n_pixels_dropped=int(outside.sum()),
        n_dropped=int(((inside == 0) & (outside > 0)).sum()),
        n_cut=int(((inside > 0) & (outside > 0)).sum()),
        n_left_out=n_left_out,
        n_pixels_left_out=area_left_out,
        n_specks=int((found.table["area_px"] <= SPECK_PX).sum()),
        reason=reason,
    )


def _bins(
    found: Particles, distances_px: NDArray[np.float64], edges: list[float] | None
) -> tuple[DistanceBin, ...]:
    whole = (found.table["edge_weight"] > 0) & ~np.isnan(distances_px)
    if not whole.any():
        return ()
    if edges is None:
        edges = equal_counts(distances_px[whole])
    diameters = particles.sizes_by_distance(found, distances_px, edges)
    return tuple(
        DistanceBin(near, far, sizes)
        for (near, far), sizes in zip(pairwise(edges), diameters, strict=True)
    )


def equal_counts(distances_px: ArrayLike, n_bins: int = N_BINS) -> list[float]:
    """Find edges that part distances into bins of about the same number.

    Parameters
    ----------
    distances_px : array_like
        At least one.
    n_bins : int, optional
        Distances that are equal stay together, which may leave fewer bins.

    Returns
    -------
    list of float
        Ascending; the last lies just above the largest distance, since a bin does not include its
        far edge.

    Examples
    --------
    >>> edges = equal_counts([1, 2, 3, 4, 5, 6], n_bins=3)
    >>> np.histogram([1, 2, 3, 4, 5, 6], edges)[0]
    array([2, 2, 2])
    """
    distances = np.sort(np.asarray(distances_px, float))
    first = np.linspace(0, len(distances), n_bins, endpoint=False).astype(int)
    beyond = np.nextafter(distances[-1], np.inf)
    return [float(edge) for edge in np.unique([*distances[first], beyond])]


def _trend(found: Particles, distances_px: NDArray[np.float64], reason: str) -> Trend:
    whole = found.table["edge_weight"] > 0
    n = int(whole.sum())
    if not reason and np.isnan(distances_px).any():
        reason = denuded_zone.NO_NETWORK
    if not reason and not n:
        reason = particles.NO_WHOLE_PARTICLE
    if reason:
        return Trend(UNDEFINED, n, reason)
    diameters = found.table["diameter_px"][whole]
    rho = rank_correlation(distances_px[whole], diameters, found.block[whole])
    if math.isnan(rho.value):
        reason = "the particles have one size or one distance"
    return Trend(rho, n, reason)


def rank_correlation(x: ArrayLike, y: ArrayLike, block: ArrayLike) -> Estimate:
    """Spearman's rank correlation of two quantities, with an interval from blocks.

    Ranks are taken anew without each block, ties at their middle rank. Since a rank is a sum over
    blocks, the correlation is a ratio of polynomials in the weights of the blocks, whose
    coefficients are computed once.

    Parameters
    ----------
    x, y : array_like, shape (n,)
    block : array_like of int, shape (n,)
        Block of the map, see `uhcs_bench.metallography.estimates.BLOCKS`.

    Returns
    -------
    Estimate
        As `scipy.stats.spearmanr` gives it; NaN if either is constant or there is nothing. The
        interval is NaN for few blocks.

    Examples
    --------
    >>> found = rank_correlation([1, 2, 3, 4, 5], [10, 30, 20, 40, 50], block=[0, 1, 2, 3, 4])
    >>> round(found.value, 9), found.low < found.value <= found.high
    (0.9, True)
    """
    occupied, number = np.unique(np.asarray(block, np.int64), return_inverse=True)
    if not len(number):
        return UNDEFINED
    order = np.argsort(number, kind="stable")
    bounds = np.searchsorted(number[order], np.arange(len(occupied) + 1))
    by_block = [order[start:stop] for start, stop in pairwise(bounds)]
    ranks = [_ranks_by_block(np.asarray(values, float), by_block) for values in (x, y)]
    # product[u, v][a, b, c]: members of block a, their rank in u among block b's, in v among c's
    product = {
        (u, v): np.stack([ranks[u][:, own] @ ranks[v][:, own].T for own in by_block])
        for u, v in ((0, 1), (0, 0), (1, 1))
    }

    def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        covariance, variance_x, variance_y = (
            np.einsum("kab,ka,kb->k", np.tensordot(drawn, cubic, axes=1), drawn, drawn)
            for cubic in product.values()
        )
        spread = np.sqrt(variance_x) * np.sqrt(variance_y)
        return np.clip(proportions.ratio(covariance, spread), -1, 1)[:, np.newaxis]

    return estimates.estimates(statistic, len(occupied), (-1, 1))[0]


def _ranks_by_block(
    values: NDArray[np.float64], by_block: Sequence[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """Rank all values among those of each block, from the middle rank, shape (blocks, n).

    Halves of whole numbers, so that sums of their products are exact.
    """
    ranks = np.empty((len(by_block), len(values)))
    for row, members in zip(ranks, by_block, strict=True):
        own = np.sort(values[members])
        below = np.searchsorted(own, values, side="left")
        up_to = np.searchsorted(own, values, side="right")
        row[:] = (below + up_to - len(own)) / 2
    return ranks
