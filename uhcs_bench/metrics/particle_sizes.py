"""Agreement of particle sizes, for the paper's and for other ways of counting particles.

A particle's size is its equivalent diameter, that of the circle of equal area, in pixels or in
micrometres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.metallography import arguments
from uhcs_bench.metallography.components import equivalent_diameters
from uhcs_bench.stats import kolmogorov

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

MINIMUM_AREAS = (1, 2, 3, 5, 10)
"""Smallest particles that are counted in `ks_sensitivity`, in pixels."""

WATERSHED_DEPTH_PX = 0.5
"""Depth of the neck at which `split_particles` cuts, the tolerance of ImageJ's binary watershed."""


def wasserstein_distance(sample: ArrayLike, other: ArrayLike) -> float:
    """Compute the Wasserstein-1 distance, the area between two empirical distribution functions.

    It is the least mean distance that values have to move to make one distribution of the other
    [1]_. Unlike the statistic of `uhcs_bench.metrics.ks_test` it has the samples' unit: it
    measures how far sizes differ, not only how many do.

    Parameters
    ----------
    sample, other : array_like, one-dimensional
        For example two maps' equivalent diameters.

    Returns
    -------
    float
        In the samples' unit, as ``scipy.stats.wasserstein_distance`` gives it; NaN if a sample is
        empty.

    References
    ----------
    .. [1] S. S. Vallender (1974), Theory of Probability and Its Applications 18, 784-786.

    Examples
    --------
    >>> wasserstein_distance([1, 2, 3], [3, 4, 5])
    2.0
    """
    # Differences of whole numbers of few bits don't fit into as many bits.
    first, second = (
        np.sort(arguments.as_sample(x, "sample")).astype(np.float64) for x in (sample, other)
    )
    if not len(first) or not len(second):
        return float("nan")
    values = np.sort(np.concatenate([first, second]))
    below_first = np.searchsorted(first, values[:-1], side="right") / len(first)
    below_second = np.searchsorted(second, values[:-1], side="right") / len(second)
    return float((np.abs(below_first - below_second) * np.diff(values)).sum())


@dataclass(frozen=True)
class SizeErrors:
    """How number and sizes of the predicted particles differ from the annotated ones.

    Errors are predicted minus annotated. Lengths in micrometres are NaN where the pixel size is
    unknown, and all lengths are NaN where a map has no particles.

    Attributes
    ----------
    count_error : int
        Difference of the numbers of particles.
    relative_count_error : float
        The same as a fraction of the annotated particles, at least -1; NaN if there are none.
    mean_diameter_error_px, mean_diameter_error_um : float
        Difference of the mean equivalent diameters.
    wasserstein_px, wasserstein_um : float
        Wasserstein-1 distance between the distributions of the equivalent diameters; never less
        than the absolute error of the mean.
    """

    count_error: int
    relative_count_error: float
    mean_diameter_error_px: float
    mean_diameter_error_um: float
    wasserstein_px: float
    wasserstein_um: float


def size_errors(
    annotated_areas: NDArray[np.int64],
    predicted_areas: NDArray[np.int64],
    pixel_size_um: float | None = None,
) -> SizeErrors:
    """Compare number and sizes of annotated and predicted particles.

    Parameters
    ----------
    annotated_areas, predicted_areas : ndarray
        Areas in pixels, see `uhcs_bench.metallography.components.particle_areas`.
    pixel_size_um : float, optional
        Edge of a pixel in micrometres.

    Returns
    -------
    SizeErrors

    Examples
    --------
    >>> errors = size_errors(np.array([100, 100]), np.array([100, 100, 1]), pixel_size_um=0.04)
    >>> errors.count_error, round(errors.mean_diameter_error_px, 3), round(errors.wasserstein_um, 3)
    (1, -3.385, 0.135)
    """
    arguments.check_pixel_size(pixel_size_um)
    annotated_areas = arguments.as_sample(annotated_areas, "sequence of annotated areas")
    predicted_areas = arguments.as_sample(predicted_areas, "sequence of predicted areas")
    n_true, n_pred = len(annotated_areas), len(predicted_areas)
    annotated = equivalent_diameters(annotated_areas)
    predicted = equivalent_diameters(predicted_areas)
    mean_error = float(predicted.mean() - annotated.mean()) if n_true and n_pred else math.nan
    distance = wasserstein_distance(annotated, predicted)
    scale = math.nan if pixel_size_um is None else pixel_size_um
    return SizeErrors(
        count_error=n_pred - n_true,
        relative_count_error=(n_pred - n_true) / n_true if n_true else math.nan,
        mean_diameter_error_px=mean_error,
        mean_diameter_error_um=mean_error * scale,
        wasserstein_px=distance,
        wasserstein_um=distance * scale,
    )


@dataclass(frozen=True)
class Counting:
    """What counts as a particle.

    Attributes
    ----------
    connectivity : {8, 4}
        Neighbours that join two pixels.
    watershed : bool
        Whether touching particles are split, see `split_particles`.
    border : bool
        Whether particles with a pixel on the image's edge are kept. After splitting, only the part
        at the edge is removed.
    minimum_area : int
        Area of the smallest particles that are kept, in pixels.
    """

    connectivity: Literal[4, 8] = protocol.CONNECTIVITY
    watershed: bool = False
    border: bool = True
    minimum_area: int = 1

    @property
    def is_protocol(self) -> bool:
        """Whether this is how the paper counts."""
        return self == PROTOCOL


PROTOCOL = Counting()
"""How the paper counts: 8-connected components, all of them, as they are."""

CONNECTIVITIES: tuple[Literal[4, 8], ...] = (8, 4)

COUNTINGS: tuple[Counting, ...] = tuple(
    Counting(*choices)
    for choices in product(CONNECTIVITIES, (False, True), (True, False), MINIMUM_AREAS)
)
"""Rows of `ks_sensitivity`; the paper's is the first."""


@dataclass(frozen=True)
class SizeTest:
    """Kolmogorov-Smirnov test of a micrograph's particle sizes, for one way of counting.

    Attributes
    ----------
    counting : Counting
    ks_statistic, p_value : float
        See `uhcs_bench.metrics.ks_test`; NaN where a map has no particles left.
    n_true, n_pred : int
        Annotated and predicted particles.
    consistent : bool
        See `uhcs_bench.metrics.not_rejected`.
    """

    counting: Counting
    ks_statistic: float
    p_value: float
    n_true: int
    n_pred: int
    consistent: bool


@dataclass(frozen=True)
class CountingScore:
    """KS score for one way of counting.

    Attributes
    ----------
    counting : Counting
    ks_score : float
        `n_consistent` / `n`.
    n_consistent, n : int
        Micrographs with consistent sizes, and all micrographs.
    """

    counting: Counting
    ks_score: float
    n_consistent: int
    n: int


def split_particles(
    mask: NDArray[np.generic], connectivity: Literal[4, 8] = protocol.CONNECTIVITY
) -> NDArray[np.int32]:
    """Label particles after a watershed that cuts them at their necks.

    The watershed [1]_ floods the exact Euclidean distance to the matrix, the image's edge not being
    matrix. It starts from the distance's maxima that a fall of more than half a pixel separates
    from any higher one (the regional maxima of its h-reconstruction, h = 0.5 px [2]_); equally high
    ones without such a fall between them are one start. Every pixel of the mask stays with a
    particle, and every component keeps at least one.

    Parameters
    ----------
    mask : ndarray, shape (rows, columns)
        Non-zero where there is particle.
    connectivity : {8, 4}, optional
        Neighbours that join two pixels.

    Returns
    -------
    ndarray of int32, shape (rows, columns)
        Particles from 1 on, 0 elsewhere.

    References
    ----------
    .. [1] S. Beucher, F. Meyer (1993), in Mathematical Morphology in Image Processing, 433-481.
    .. [2] P. Soille (2003), Morphological Image Analysis, section 6.3.4.

    Examples
    --------
    >>> row, column = np.indices((9, 19))
    >>> left, right = ((row - 4) ** 2 + (column - c) ** 2 < 20 for c in (5, 13))
    >>> int(split_particles(left | right).max())
    2
    """
    from scipy import ndimage

    filled = np.asarray(mask) != 0
    return _split(filled, ndimage.distance_transform_edt(filled), connectivity)


def _split(
    filled: NDArray[np.bool_], depth: NDArray[np.float64], connectivity: Literal[4, 8]
) -> NDArray[np.int32]:
    from scipy import ndimage
    from skimage.morphology import local_maxima, reconstruction
    from skimage.segmentation import watershed

    if filled.all():  # without matrix there is no distance to it
        return filled.astype(np.int32)
    rank = 2 if connectivity == 8 else 1
    neighbours = ndimage.generate_binary_structure(2, rank)
    # Not skimage's h_maxima, which cuts between equally high maxima at any fall.
    levelled = reconstruction(depth - WATERSHED_DEPTH_PX, depth, footprint=neighbours)
    peaks = local_maxima(levelled, connectivity=rank) & filled
    markers = ndimage.label(peaks, neighbours)[0]
    return np.asarray(watershed(-depth, markers, mask=filled, connectivity=rank), np.int32)


def ks_sensitivity(
    annotated: NDArray[np.generic], predicted: NDArray[np.generic]
) -> tuple[SizeTest, ...]:
    """Test a micrograph's particle sizes for every way of counting in `COUNTINGS`.

    The paper's KS test is on 8-connected components of any size. This table shows whether its
    result changes with another, equally defensible way of counting: connectivity 8
    or 4; touching particles as they are or split; particles at the image's edge kept or removed;
    particles of at least 1, 2, 3, 5 or 10 px. Both maps are treated alike.

    Parameters
    ----------
    annotated, predicted : ndarray, shape (rows, columns)
        Non-zero where there is particle.

    Returns
    -------
    tuple of SizeTest
        In the order of `COUNTINGS`, the paper's first.

    Examples
    --------
    A single speck at the edge is the difference between these maps:

    >>> annotated = np.zeros((20, 20), bool)
    >>> annotated[4:8, 4:8] = True
    >>> predicted = annotated.copy()
    >>> predicted[0, 0] = True
    >>> table = ks_sensitivity(annotated, predicted)
    >>> table[0].counting.is_protocol, table[0].n_true, table[0].n_pred, table[0].ks_statistic
    (True, 1, 2, 0.5)
    >>> {test.n_pred for test in table if test.counting.border and test.counting.minimum_area == 1}
    {2}
    >>> {test.ks_statistic for test in table if not test.counting.border}
    {0.0}
    """
    annotated = arguments.as_mask(annotated, "annotated mask")
    predicted = arguments.as_mask(predicted, "predicted mask")
    areas_annotated, areas_predicted = _areas_by_counting(annotated), _areas_by_counting(predicted)
    tests = []
    for counting in COUNTINGS:
        areas_true, areas_pred = areas_annotated[counting], areas_predicted[counting]
        statistic, p_value, consistent = compared_sizes(areas_true, areas_pred)
        tests.append(
            SizeTest(
                counting=counting,
                ks_statistic=statistic,
                p_value=p_value,
                n_true=len(areas_true),
                n_pred=len(areas_pred),
                consistent=consistent,
            )
        )
    return tuple(tests)


def _areas_by_counting(mask: NDArray[np.generic]) -> dict[Counting, NDArray[np.int64]]:
    from scipy import ndimage

    from uhcs_bench.metallography.components import label_particles

    filled = np.asarray(mask) != 0
    if not filled.size:
        return dict.fromkeys(COUNTINGS, np.zeros(0, np.int64))
    depth = ndimage.distance_transform_edt(filled)
    areas = {}
    for connectivity, watershed in product(CONNECTIVITIES, (False, True)):
        if watershed:
            numbered = _split(filled, depth, connectivity)
        else:
            numbered = label_particles(filled, connectivity)
        all_areas = np.bincount(numbered.ravel(), minlength=1)
        edge = np.concatenate([numbered[[0, -1]].ravel(), numbered[:, [0, -1]].ravel()])
        inner_areas = all_areas.copy()
        inner_areas[edge] = 0
        for border, minimum in product((True, False), MINIMUM_AREAS):
            kept = (all_areas if border else inner_areas)[1:]
            areas[Counting(connectivity, watershed, border, minimum)] = kept[kept >= minimum]
    return areas


def ks_score_by_counting(tables: Sequence[Sequence[SizeTest]]) -> tuple[CountingScore, ...]:
    """Compute the KS score over micrographs for every way of counting.

    Parameters
    ----------
    tables : sequence of sequences of SizeTest
        For each micrograph what `ks_sensitivity` gives; at least one.

    Returns
    -------
    tuple of CountingScore
        In the order of `COUNTINGS`. The paper's KS score is the first.

    Examples
    --------
    >>> mask = np.eye(9)
    >>> scores = ks_score_by_counting([ks_sensitivity(mask, mask), ks_sensitivity(mask, mask * 0)])
    >>> scores[0].ks_score, scores[0].n_consistent, scores[0].n
    (0.5, 1, 2)
    """
    scores = []
    for tests in zip(*tables, strict=True):
        n_consistent = sum(test.consistent for test in tests)
        scores.append(
            CountingScore(tests[0].counting, n_consistent / len(tests), n_consistent, len(tests))
        )
    return tuple(scores)


def ks_test(sample: ArrayLike, other: ArrayLike) -> tuple[float, float]:
    """Compute the two-sample Kolmogorov-Smirnov test, two-sided.

    The result does not change under a monotone rescaling: areas in pixels, their square roots (the
    paper's particle sizes) and diameters in micrometres give the same.

    Parameters
    ----------
    sample, other : array_like, one-dimensional
        For example two maps' particle areas.

    Returns
    -------
    statistic : float
        Largest distance between the two empirical distribution functions; NaN if a sample is empty.
    p_value : float
        As ``scipy.stats.ks_2samp(..., method="asymp")`` gives it; NaN if a sample is empty.

    Examples
    --------
    >>> ks_test([1, 2, 3], [1, 2, 3])
    (0.0, 1.0)
    """
    first, second = (np.sort(arguments.as_sample(x, "sample")) for x in (sample, other))
    if not len(first) or not len(second):
        return float("nan"), float("nan")
    values = np.concatenate([first, second])
    below_first = np.searchsorted(first, values, side="right") / len(first)
    below_second = np.searchsorted(second, values, side="right") / len(second)
    statistic = float(np.abs(below_first - below_second).max())
    n_effective = len(first) * len(second) / (len(first) + len(second))
    # scipy rounds in the same way; for two samples of one it would be 0, which has no distribution.
    return statistic, kolmogorov.survival(statistic, max(round(n_effective), 1))


def compared_sizes(
    annotated_areas: NDArray[np.int64], predicted_areas: NDArray[np.int64]
) -> tuple[float, float, bool]:
    """Test whether two maps' particle sizes have one distribution.

    Parameters
    ----------
    annotated_areas, predicted_areas : ndarray of int64, one-dimensional
        Particle areas.

    Returns
    -------
    statistic, p_value : float
        See `ks_test`.
    consistent : bool
        See `not_rejected`.

    Examples
    --------
    >>> compared_sizes(np.array([5, 9]), np.array([5, 9]))
    (0.0, 1.0, True)
    """
    statistic, p_value = ks_test(annotated_areas, predicted_areas)
    return statistic, p_value, not_rejected(annotated_areas, predicted_areas, p_value)


def not_rejected(
    annotated_areas: NDArray[np.int64], predicted_areas: NDArray[np.int64], p_value: float
) -> bool:
    """Tell whether the test does not reject that two maps' sizes have one distribution.

    It is no evidence that they have: with few particles, large differences are not rejected.

    Parameters
    ----------
    annotated_areas, predicted_areas : ndarray
        Particle areas.
    p_value : float
        Of their `ks_test`.

    Returns
    -------
    bool
        Whether the p-value is at least the protocol's level. Two maps without particles count as
        not rejected, a map without and one with particles as rejected.
    """
    if not len(annotated_areas) or not len(predicted_areas):
        return len(annotated_areas) == len(predicted_areas)
    return p_value >= protocol.KS_ALPHA
