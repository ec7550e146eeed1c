"""Sizes, shapes and positions of particles, their number per area and their size distribution.

A particle is a connected component of the particle mask, as in the paper;
`uhcs_bench.metrics.particle_sizes` has what else could be counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.errors import UsageError
from uhcs_bench.formatting import abbreviated
from uhcs_bench.metallography import _particle_sums, arguments, denuded_zone, estimates, labels
from uhcs_bench.metallography.components import equivalent_diameters
from uhcs_bench.metallography.estimates import NOWHERE, UNDEFINED, Distribution, Estimate, Quantity
from uhcs_bench.stats import proportions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from uhcs_bench.metallography.labels import LabelMap

COLUMNS: dict[str, str] = {
    "row": "centroid in pixels; the centre of the first pixel is 0",
    "column": "centroid in pixels",
    "area_px": "area in square pixels, that is, number of pixels",
    "area_um2": "area in square micrometres",
    "diameter_px": "diameter of the circle of equal area, in pixels",
    "diameter_um": "the same in micrometres",
    "major_axis_px": "longer axis, in pixels, of the ellipse with equal second moments",
    "minor_axis_px": "shorter axis of that ellipse, in pixels",
    "aspect_ratio": "longer over shorter axis, at least 1",
    "perimeter_px": "length of the outline in pixels, by Crofton's formula in 4 directions",
    "perimeter_um": "the same in micrometres",
    "circularity": "4 pi area over perimeter squared, 1 for a circle; pixels may take it above",
    "feret_px": "largest caliper (Feret) diameter, in pixels, over 16 directions",
    "feret_um": "the same in micrometres",
    "at_border": "whether it has a pixel on the image's edge, and may be cut by it",
    "edge_weight": "how many particles it stands for, see `number_density`; 0 at the border",
}
"""What a table of particles holds; micrometres are NaN where the pixel size is unknown."""

_DTYPE = np.dtype(
    [(name, {"area_px": np.int64, "at_border": np.bool_}.get(name, np.float64)) for name in COLUMNS]
)

_PIXEL_MOMENT = 1 / 12
"""Second moment of a square of side 1. With it a particle of one pixel has an aspect ratio of 1 and
one of n pixels in a row n, instead of 0 / 0 and n / 0."""

NO_WHOLE_PARTICLE = "there is no particle that the image shows whole"


@dataclass(frozen=True, eq=False)  # arrays don't compare as a whole
class Particles:
    """The particles of a map.

    Attributes
    ----------
    table : structured ndarray, shape (n_particles,)
        See `COLUMNS`; in the order in which the particles' first pixels appear.
    shape : tuple of int
        Of the map.
    pixel_size_um : float or None
        Edge of a pixel in micrometres.
    """

    table: NDArray[np.void]
    shape: tuple[int, int]
    pixel_size_um: float | None

    __repr__ = abbreviated

    def __len__(self) -> int:
        return len(self.table)

    @property
    def block(self) -> NDArray[np.int64]:
        """Block of the map that each centroid lies in, for intervals."""
        return estimates.block_numbers(self.table["row"], self.table["column"], self.shape)


def measure_particles(
    mask: NDArray[np.generic],
    pixel_size_um: float | None = None,
    connectivity: Literal[4, 8] = protocol.CONNECTIVITY,
) -> Particles:
    """Measure every particle of a mask.

    The mask is cut into horizontal runs, whose sums of coordinates, squares and products have a
    closed form and add up to a particle's moments. No labelled map is built, and a large mask is
    worked off in bands of rows, as in `uhcs_bench.metallography.components.particle_areas`.

    Parameters
    ----------
    mask : ndarray, shape (rows, columns)
        Non-zero where there is particle.
    pixel_size_um : float, optional
        Edge of a pixel in micrometres.
    connectivity : {8, 4}, optional
        Neighbours that join two pixels.

    Returns
    -------
    Particles
        Areas, diameters and centroids are those of ``skimage.measure.regionprops_table``. Its axes
        take pixels for points, here they are squares: the squared axes are larger by 4/3.
        Perimeters are those of ``skimage.measure.perimeter_crofton`` (Crofton's formula [2]_:
        chords of the particle along rows, columns and diagonals). The Feret diameter is the largest
        distance of two pixels' centres, seen from 16 directions, plus one pixel.

    Raises
    ------
    UsageError
        If the mask has not two dimensions, is a label map of several classes, or holds more than
        `uhcs_bench.metallography.components.MOST_PARTICLES` particles.

    References
    ----------
    .. [1] R. M. Haralick, L. G. Shapiro (1992), Computer and Robot Vision I, appendix A, for the
       ellipse of equal second moments.
    .. [2] J. Ohser, F. Muecklich (2000), Statistical Analysis of Microstructures in Materials
       Science, chapter 4.

    Examples
    --------
    >>> mask = np.zeros((20, 20))
    >>> mask[4:8, 3:11] = 1
    >>> particle = measure_particles(mask, pixel_size_um=0.5).table[0]
    >>> [float(particle[name]) for name in ("area_px", "area_um2", "row", "major_axis_px")]
    [32.0, 8.0, 5.5, 9.237604307034012]
    >>> particle["aspect_ratio"].round(9)
    np.float64(2.0)
    """
    mask = arguments.as_mask(mask, "particle mask")
    arguments.check_connectivity(connectivity)
    pixel_size_um = arguments.check_pixel_size(pixel_size_um)
    found = _particle_sums.sums(mask, connectivity)
    area, rows, columns, rows_squared, columns_squared, products, straight, diagonal = found.sums
    top, bottom, left, right = found.box
    # Integers until here. From the box's corner, so that squares are small and don't cancel.
    rows_squared += top * (area * top - 2 * rows)
    columns_squared += left * (area * left - 2 * columns)
    products += area * top * left - top * columns - left * rows
    row, column = (rows - area * top) / area, (columns - area * left) / area
    row_moment = rows_squared / area - row**2 + _PIXEL_MOMENT
    column_moment = columns_squared / area - column**2 + _PIXEL_MOMENT
    mixed_moment = products / area - row * column
    middle = (row_moment + column_moment) / 2
    radius = np.hypot((row_moment - column_moment) / 2, mixed_moment)
    major, minor = 4 * np.sqrt(middle + radius), 4 * np.sqrt(middle - radius)

    n_rows, n_columns = mask.shape
    at_border = (top == 0) | (left == 0) | (bottom == n_rows - 1) | (right == n_columns - 1)
    # The places where its bounding box would be clear of the border, out of all places.
    n_places = (n_rows - 2.0 - (bottom - top)) * (n_columns - 2.0 - (right - left))
    table = np.zeros(len(area), _DTYPE)
    scale = math.nan if pixel_size_um is None else pixel_size_um
    diameter = equivalent_diameters(area)
    perimeter = math.pi / 4 * (straight + diagonal / math.sqrt(2))
    with np.errstate(divide="ignore"):
        weight = np.where(at_border, 0.0, mask.size / n_places)
    # One after the other: of a million particles, columns beside the table are much.
    table["row"] = rows / area
    table["column"] = columns / area
    table["area_px"] = area
    table["area_um2"] = area * scale**2
    table["diameter_px"] = diameter
    table["diameter_um"] = diameter * scale
    table["major_axis_px"] = major
    table["minor_axis_px"] = minor
    table["aspect_ratio"] = major / minor
    table["perimeter_px"] = perimeter
    table["perimeter_um"] = perimeter * scale
    table["circularity"] = 4 * math.pi * area / perimeter**2
    table["feret_px"] = found.feret
    table["feret_um"] = found.feret * scale
    table["at_border"] = at_border
    table["edge_weight"] = weight
    return Particles(table, (n_rows, n_columns), pixel_size_um)


def _check_particles(particles: Particles) -> None:
    advice = "Give the result of measure_particles"
    arguments.check_is(particles, Particles, "particles", advice)


def number_density(particles: Particles) -> Quantity:
    """Estimate the number of particles per area, not biased by the image's edge.

    Only particles clear of the edge count, which are too few, and large ones even more so. Each is
    therefore weighted by the inverse of its chance to be clear of it: of the places that the
    particle might have in the image, the share where its bounding box does not touch the edge
    (Miles and Lantuejoul [1]_). Unlike a counting frame [2]_, which asks how a cut particle goes on
    outside, it needs nothing that the image doesn't show, and the same weights correct the size
    distribution.

    Parameters
    ----------
    particles : Particles

    Returns
    -------
    Quantity
        Per square pixel and per square micrometre; NaN where the pixel size is unknown. Zero, with
        an undefined interval, without a particle; NaN without pixels.

    References
    ----------
    .. [1] J. Serra (1982), Image Analysis and Mathematical Morphology I, 246-248.
    .. [2] H. J. G. Gundersen (1977), Journal of Microscopy 111, 219-223.

    Examples
    --------
    One of two particles of 10 x 10 px is at one of the 90 x 90 places clear of the edge:

    >>> mask = np.zeros((101, 101))
    >>> mask[20:30, 20:30] = mask[20:30, 95:] = 1
    >>> found = measure_particles(mask)
    >>> bool(np.isclose(number_density(found).px.value, 1 / 90**2))
    True
    """
    _check_particles(particles)
    n_rows, n_columns = particles.shape
    if not n_rows * n_columns:
        return NOWHERE
    weights = np.bincount(
        particles.block, weights=particles.table["edge_weight"], minlength=estimates.BLOCKS**2
    )
    pixels = estimates.block_sizes(particles.shape)

    def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        return proportions.ratio(drawn @ weights, drawn @ pixels)[:, np.newaxis]

    if weights.any():
        per_px = estimates.estimates(statistic, len(pixels))[0]
    else:
        per_px = Estimate(0.0, math.nan, math.nan)
    return Quantity.from_px(per_px, particles.pixel_size_um, power=-2)


@dataclass(frozen=True)
class Lognormal:
    """Lognormal distribution of diameters, fitted by maximum likelihood.

    Attributes
    ----------
    median : Quantity
        Of the distribution, the exponential of the logarithms' mean.
    sigma : Estimate
        Standard deviation of the natural logarithms, without a unit.
    ks_distance : float
        Kolmogorov-Smirnov distance of the diameters from it, 0 to 1, smaller is better. No p-value
        goes with it: the parameters are fitted, and diameters of few pixels are discrete.
    """

    median: Quantity
    sigma: Estimate
    ks_distance: float


@dataclass(frozen=True)
class SizeDistribution:
    """Equivalent circular diameters of a map's particles.

    Attributes
    ----------
    diameters : Distribution
        Weighted by number.
    area_weighted, volume_weighted : Quantity
        Mean diameters weighted by the square and by the cube of the diameter (moment ratios 3, 2
        and 4, 3 of ISO 9276-2): large particles count as they take area, or volume.
    lognormal : Lognormal
        NaN, like the former, where there is no particle; its distance also for a single size.
    """

    diameters: Distribution
    area_weighted: Quantity
    volume_weighted: Quantity
    lognormal: Lognormal

    __repr__ = abbreviated


def size_distribution(particles: Particles) -> SizeDistribution:
    """Summarize the sizes of the particles that the image shows whole.

    Particles at the image's edge may be cut, so that their sizes are wrong; to leave them out takes
    away more large ones than small ones. The others' weights make up for that, see
    `number_density`. The paper uses all particles as they are; so do
    `uhcs_bench.metallography.components.particle_areas` and the KS score. For intervals see
    `uhcs_bench.metallography.estimates`.

    Parameters
    ----------
    particles : Particles

    Returns
    -------
    SizeDistribution

    Examples
    --------
    >>> mask = np.zeros((60, 60))
    >>> mask[10:14, 10:14] = mask[40:42, 40:42] = mask[30, 10] = 1
    >>> found = size_distribution(measure_particles(mask))
    >>> found.diameters.n, round(found.diameters.median.px.value, 3)
    (3, 2.257)
    >>> round(found.lognormal.sigma.value, 2), round(found.lognormal.ks_distance, 2)
    (0.57, 0.23)
    """
    _check_particles(particles)
    whole = particles.table["edge_weight"] > 0
    diameters = particles.table["diameter_px"][whole]
    weights = particles.table["edge_weight"][whole]
    block = particles.block[whole]
    pixel_size = particles.pixel_size_um
    summary = estimates.distribution(diameters, block, weights, pixel_size, NO_WHOLE_PARTICLE)
    if not len(diameters):
        nothing = Lognormal(NOWHERE, UNDEFINED, math.nan)
        return SizeDistribution(summary, NOWHERE, NOWHERE, nothing)
    logarithms = np.log(diameters)
    occupied, number = np.unique(block, return_inverse=True)
    centre = float(np.average(logarithms, weights=weights))
    deviations = logarithms - centre
    sums = estimates.block_sums(number, [weights * deviations**power for power in range(3)])
    moments = estimates.block_sums(number, [weights * diameters**power for power in (2, 3, 4)])

    def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        total, first, second = sums @ drawn.T
        mean = first / total
        spread = np.sqrt(np.maximum(second / total - mean**2, 0))
        squares, cubes, fourths = moments @ drawn.T
        means = [np.exp(centre + mean), cubes / squares, fourths / cubes]
        return np.stack([*means, spread], axis=1)

    *means, sigma = estimates.estimates(statistic, len(occupied))
    median, by_area, by_volume = (Quantity.from_px(mean, pixel_size) for mean in means)
    distance = _normal_ks_distance(deviations, weights, sigma.value)
    return SizeDistribution(summary, by_area, by_volume, Lognormal(median, sigma, distance))


def _normal_ks_distance(
    values: NDArray[np.float64], weights: NDArray[np.float64], deviation: float
) -> float:
    """Kolmogorov-Smirnov distance of weighted values from a normal distribution of mean 0."""
    unique, place = np.unique(values, return_inverse=True)
    if len(unique) == 1:
        return math.nan
    up_to = np.bincount(place, weights=weights).cumsum()
    up_to /= up_to[-1]
    normal = np.array([math.erfc(-x / deviation / math.sqrt(2)) / 2 for x in unique])
    return float(max((up_to - normal).max(), (normal - up_to + np.diff(up_to, prepend=0)).max()))


def mask_outside_spheroidite(
    particle_map: LabelMap, microconstituent_map: LabelMap
) -> NDArray[np.uint8]:
    """Drop the particle pixels outside spheroidite (the paper's Figure 4).

    The paper warns that the micrographs of microconstituents resolve particles too poorly for exact
    size distributions. Particles at the spheroidite's boundary are cut by it.

    Parameters
    ----------
    particle_map, microconstituent_map : ndarray of integers, same shape
        Predictions of the two models for the same micrograph.

    Returns
    -------
    ndarray of uint8
        The particle map that is left.

    Raises
    ------
    UsageError
        If the shapes differ, or a map is no label map of its task.

    Examples
    --------
    >>> mask_outside_spheroidite(np.array([[1, 1, 0, 1]]), np.array([[2, 0, 2, 2]]))
    array([[1, 0, 0, 1]], dtype=uint8)
    """
    particle = labels.check_label_map(particle_map, 2)
    constituent = labels.check_label_map(microconstituent_map, len(labels.MICROCONSTITUENTS))
    arguments.check_same_shape("particle map", particle, "microconstituent map", constituent)
    inside = constituent == labels.SPHEROIDITE
    left = (particle == protocol.PARTICLE_LABEL) & inside
    return np.asarray(left.astype(np.uint8))


def distance_to_network(
    particles: Particles, microconstituent_map: LabelMap
) -> NDArray[np.float64]:
    """Find each particle's distance from the network.

    Parameters
    ----------
    particles : Particles
    microconstituent_map : ndarray of integers, shape (rows, columns)

    Returns
    -------
    ndarray of float64, shape (n_particles,)
        From centroid to outline in pixels, see
        `uhcs_bench.metallography.denuded_zone.network_distances`; NaN if there is no network.

    Raises
    ------
    UsageError
        If the shapes differ or the map is no label map.

    Examples
    --------
    >>> from uhcs_bench.metallography.labels import NETWORK, SPHEROIDITE
    >>> labels = np.full((40, 40), SPHEROIDITE)
    >>> labels[:, :5] = NETWORK
    >>> mask = np.zeros((40, 40))
    >>> mask[9:12, 19:22] = 1
    >>> distance_to_network(measure_particles(mask), labels)
    array([15.5])
    """
    _check_particles(particles)
    map_ = labels.check_label_map(microconstituent_map, len(labels.MICROCONSTITUENTS))
    if map_.shape != particles.shape:
        raise UsageError(
            f"The particle map's shape {particles.shape} is not the microconstituent map's "
            f"{map_.shape}. Give two maps of the same micrograph, at its own size."
        )
    table = particles.table
    return denuded_zone.network_distances(
        table["row"], table["column"], microconstituent_map, particles.pixel_size_um
    )


def sizes_by_distance(
    particles: Particles, distances_px: NDArray[np.float64], bin_edges_px: Sequence[float]
) -> tuple[Distribution, ...]:
    """Summarize the diameters of particles at different distances from the network.

    Parameters
    ----------
    particles : Particles
    distances_px : ndarray of float64, shape (n_particles,)
        See `distance_to_network`.
    bin_edges_px : sequence of float
        Ascending; a bin holds the distances from one edge up to, but not including, the next.

    Returns
    -------
    tuple of Distribution
        One less than edges, of whole particles only, weighted as in `size_distribution`.

    Examples
    --------
    >>> mask = np.zeros((60, 60))
    >>> mask[10:14, 10:14] = mask[40:42, 40:42] = 1
    >>> found = sizes_by_distance(measure_particles(mask), np.array([8.0, 30.0]), [0, 20, 40, 60])
    >>> [round(bin.mean.px.value, 2) for bin in found]
    [4.51, 2.26, nan]
    >>> found[2].reason
    'there is no whole particle at 40 to 60 px from the network'
    """
    _check_particles(particles)
    distances_px = np.asarray(arguments.as_array(distances_px, "sequence of distances"), float)
    if distances_px.shape != particles.table.shape:
        raise UsageError(
            f"There are {distances_px.size} distances for {len(particles)} particles. Give the "
            "result of distance_to_network for the same particles."
        )
    found = []
    for near, far in pairwise(arguments.check_ascending(bin_edges_px, "bin edges")):
        there = (distances_px >= near) & (distances_px < far)
        found.append(
            estimates.distribution(
                particles.table["diameter_px"][there],
                particles.block[there],
                particles.table["edge_weight"][there],
                particles.pixel_size_um,
                f"there is no whole particle at {near:g} to {far:g} px from the network",
            )
        )
    return tuple(found)
