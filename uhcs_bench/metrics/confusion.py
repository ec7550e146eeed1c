"""Measures of agreement between an annotated and a predicted label map.

Pixel measures are functions of the confusion matrix, particle measures of the particles' areas.
Undefined values are NaN; how they enter a mean is a matter of the convention (see
`uhcs_bench.scoring.score`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.metallography import components
from uhcs_bench.stats import kolmogorov

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    LabelMap = NDArray[np.integer | np.bool_]
    Confusion = NDArray[np.int64] | NDArray[np.float64]

_CHUNK_PIXELS = 1 << 16
"""Pixels counted at a time: few enough to stay in the processor's cache."""


def confusion_matrix(annotated: LabelMap, predicted: LabelMap, n_classes: int) -> NDArray[np.int64]:
    """Count pixels by annotated and predicted class.

    Parameters
    ----------
    annotated, predicted : ndarray of integers, same shape
        Class labels from 0 to `n_classes` - 1.
    n_classes : int
        At most 16.

    Returns
    -------
    ndarray of int64, shape (n_classes, n_classes)
        Row: annotated class; column: predicted class. Counts are exact at any size.

    Raises
    ------
    ValueError
        If the shapes differ or a label is outside the classes.

    Examples
    --------
    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), n_classes=2)
    array([[1, 1],
           [0, 1]])
    """
    if annotated.shape != predicted.shape:
        raise ValueError(
            f"the annotation's shape {annotated.shape} is not the prediction's {predicted.shape}"
        )
    flat_annotated = _flat_labels(annotated, n_classes)
    flat_predicted = _flat_labels(predicted, n_classes)
    counts = np.zeros(n_classes * n_classes, np.int64)
    for start in range(0, flat_annotated.size, _CHUNK_PIXELS):
        chunk = slice(start, start + _CHUNK_PIXELS)
        # n_classes <= 16, so that this fits into uint8
        pairs = flat_annotated[chunk] * np.uint8(n_classes) + flat_predicted[chunk]
        counts += np.bincount(pairs, minlength=n_classes * n_classes)
    return counts.reshape(n_classes, n_classes)


def _flat_labels(labels: LabelMap, n_classes: int) -> NDArray[np.uint8]:
    if labels.size and not 0 <= labels.min() <= labels.max() < n_classes:
        raise ValueError(
            f"labels must lie between 0 and {n_classes - 1}, found {labels.min()} to {labels.max()}"
        )
    return labels.astype(np.uint8, copy=False).ravel()


def accuracy(confusion: Confusion) -> NDArray[np.float64]:
    """Share of correctly classified pixels, AC.

    The paper's overall precision and overall recall are this number (section "Performance
    evaluation").

    Parameters
    ----------
    confusion : ndarray of int64, shape (..., n_classes, n_classes)

    Returns
    -------
    ndarray of float64, shape (...)
        In [0, 1]; NaN without pixels.
    """
    return ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum((-2, -1)))


def precision(confusion: Confusion) -> NDArray[np.float64]:
    """Share of the pixels predicted as a class that are annotated as it (Eq. 3).

    Parameters
    ----------
    confusion : ndarray of int64, shape (..., n_classes, n_classes)

    Returns
    -------
    ndarray of float64, shape (..., n_classes)
        In [0, 1]; NaN for a class that is not predicted.
    """
    return ratio(_hits(confusion), confusion.sum(-2))


def recall(confusion: Confusion) -> NDArray[np.float64]:
    """Share of the pixels annotated as a class that are predicted as it (Eq. 4).

    Parameters
    ----------
    confusion : ndarray of int64, shape (..., n_classes, n_classes)

    Returns
    -------
    ndarray of float64, shape (..., n_classes)
        In [0, 1]; NaN for a class that is not annotated.
    """
    return ratio(_hits(confusion), confusion.sum(-1))


def intersection_over_union(confusion: Confusion) -> NDArray[np.float64]:
    """Pixels annotated and predicted as a class over those that are either (Eq. 5), Jaccard index.

    Parameters
    ----------
    confusion : ndarray of int64, shape (..., n_classes, n_classes)

    Returns
    -------
    ndarray of float64, shape (..., n_classes)
        In [0, 1]; NaN for a class that is neither annotated nor predicted.

    Examples
    --------
    >>> intersection_over_union(np.array([[1, 1], [0, 2]]))
    array([0.5       , 0.66666667])
    """
    hits = _hits(confusion)
    return ratio(hits, confusion.sum(-1) + confusion.sum(-2) - hits)


def _hits(confusion: Confusion) -> NDArray[np.int64]:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def ratio(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    """Divide, giving NaN for 0 / 0: a share of nothing is undefined.

    Examples
    --------
    >>> ratio([1, 0], [2, 0])
    array([0.5, nan])
    """
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN on purpose
        return np.asarray(np.true_divide(part, whole))


def particle_areas(
    mask: NDArray[np.generic], connectivity: Literal[4, 8] = protocol.CONNECTIVITY
) -> NDArray[np.int64]:
    """Areas of the particles, that is, of the mask's connected components.

    Parameters
    ----------
    mask : ndarray, shape (rows, columns)
        Non-zero where there is particle.
    connectivity : {8, 4}, optional
        Neighbours that join two pixels.

    Returns
    -------
    ndarray of int64, shape (n_particles,)
        Areas in pixels, in the order in which the particles' first pixels appear.

    Examples
    --------
    >>> particle_areas(np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0]]))
    array([3, 2])
    """
    bands = components.ComponentBands(mask, connectivity)
    areas: list[NDArray[Any]] = [np.zeros(0)]
    for band in bands:
        lengths = (band.stops - band.starts).astype(float)
        lengths[: band.n_repeated] = 0
        areas.append(np.bincount(band.part, weights=lengths, minlength=band.n_parts))
    whole = np.bincount(bands.roots(), weights=np.concatenate(areas))
    return whole[whole > 0].astype(np.int64)


def ks_test(sample: ArrayLike, other: ArrayLike) -> tuple[float, float]:
    """Two-sample Kolmogorov-Smirnov test, two-sided.

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
    first, second = np.sort(np.asarray(sample)), np.sort(np.asarray(other))
    if not len(first) or not len(second):
        return float("nan"), float("nan")
    values = np.concatenate([first, second])
    below_first = np.searchsorted(first, values, side="right") / len(first)
    below_second = np.searchsorted(second, values, side="right") / len(second)
    statistic = float(np.abs(below_first - below_second).max())
    n_effective = len(first) * len(second) / (len(first) + len(second))
    # scipy rounds in the same way; for two samples of one it would be 0, which has no distribution.
    return statistic, kolmogorov.survival(statistic, max(round(n_effective), 1))


def same_distribution(
    annotated_areas: NDArray[np.int64], predicted_areas: NDArray[np.int64], p_value: float
) -> bool:
    """Whether a predicted size distribution is consistent with the annotated one.

    Parameters
    ----------
    annotated_areas, predicted_areas : ndarray
        Particle areas.
    p_value : float
        Of their `ks_test`.

    Returns
    -------
    bool
        Whether the test does not reject equality at the protocol's level. Two maps without
        particles are consistent, a map without particles is not consistent with one that has some.
    """
    if not len(annotated_areas) or not len(predicted_areas):
        return len(annotated_areas) == len(predicted_areas)
    return p_value >= protocol.KS_ALPHA
