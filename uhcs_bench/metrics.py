"""Measures of agreement between an annotated and a predicted label map.

Pixel measures are functions of the confusion matrix, particle measures of the particles' areas.
Undefined values are NaN; how they enter a mean is a matter of the convention (see
`uhcs_bench.scoring`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from uhcs_bench import kolmogorov, protocol

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    LabelMap = NDArray[np.integer | np.bool_]
    Confusion = NDArray[np.int64] | NDArray[np.float64]

_CHUNK_PIXELS = 1 << 16
"""Pixels counted at a time: few enough to stay in the processor's cache."""

_BAND_PIXELS = 1 << 19
"""Pixels cut into runs at a time: more than a micrograph has, few enough for any memory."""


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

    The mask is cut into horizontal runs; runs that touch in neighbouring rows are then joined. A
    large mask is worked off in bands of rows, so that beside the mask only one band's runs are in
    memory.

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
    areas: list[NDArray[Any]] = [np.zeros(0)]
    bottoms: list[NDArray[np.int64]] = []
    tops: list[NDArray[np.int64]] = []
    band_rows = max(1, _BAND_PIXELS // max(1, mask.shape[1]))
    n_parts = 0
    for row in range(0, len(mask), band_rows):
        # Each band starts with the last row of the one above, where the parts of a particle that
        # is cut by their border are found again.
        overlap = min(row, 1)
        starts, stops, width = _runs(mask[row - overlap : row + band_rows])
        roots = _run_components(starts, stops, width, connectivity)
        is_root = roots == np.arange(len(roots))
        parts = n_parts + np.cumsum(is_root)[roots] - 1
        lengths = stops - starts
        if overlap:
            n_repeated = np.searchsorted(starts, width)
            lengths[:n_repeated] = 0
            tops.append(parts[:n_repeated])
        if row + band_rows < len(mask):
            last_row = width * (band_rows - 1 + overlap)
            bottoms.append(parts[np.searchsorted(starts, last_row) :])
        areas.append(np.bincount(parts - n_parts, weights=lengths.astype(float)))
        n_parts += int(is_root.sum())
    whole = np.concatenate(areas)
    if tops:
        roots = _join(np.arange(n_parts), np.concatenate(bottoms), np.concatenate(tops))
        whole = np.bincount(roots, weights=whole)
        whole = whole[whole > 0]
    return whole.astype(np.int64)


def _run_components(
    starts: NDArray[np.int64], stops: NDArray[np.int64], width: int, connectivity: Literal[4, 8]
) -> NDArray[np.int64]:
    """Find for each run the first run of its component."""
    # A run touches those of the row above whose pixels lie over it; with 8-connectivity also
    # diagonally.
    reach = 1 if connectivity == 8 else 0
    first = np.searchsorted(stops, starts - width - reach, side="right")
    last = np.searchsorted(starts, stops - width + reach, side="left")
    run = np.arange(len(starts))
    # Most runs touch one run above: that makes a forest, which few edges are left to join.
    roots = _roots(np.where(last > first, first, run))
    n_more = np.maximum(last - first - 1, 0)
    below = np.repeat(run, n_more)
    nth = np.arange(len(below)) - np.repeat(np.cumsum(n_more) - n_more, n_more)
    return _join(roots, below, np.repeat(first + 1, n_more) + nth)


def _runs(
    mask: NDArray[np.generic],
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Find starts and stops of the horizontal runs, counted row after row, and a row's length.

    Two empty columns between rows keep runs of different rows apart, diagonal neighbours included.
    """
    width = mask.shape[1] + 2
    padded = np.zeros((mask.shape[0], width), np.bool_)
    np.not_equal(mask, 0, out=padded[:, 1:-1])
    flat = padded.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return edges[::2], edges[1::2], width


def _roots(parents: NDArray[np.int64]) -> NDArray[np.int64]:
    """Follow every node of a forest up to its root."""
    while True:
        shortened = parents[parents]
        if np.array_equal(shortened, parents):
            return parents
        parents = shortened


def _join(
    roots: NDArray[np.int64], ends_a: NDArray[np.int64], ends_b: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Join the trees that edges connect: each hangs its root below the smallest that it meets."""
    while True:
        root_a, root_b = roots[ends_a], roots[ends_b]
        apart = root_a != root_b
        if not apart.any():
            return roots
        ends_a, ends_b, root_a, root_b = (x[apart] for x in (ends_a, ends_b, root_a, root_b))
        np.minimum.at(roots, np.maximum(root_a, root_b), np.minimum(root_a, root_b))
        roots = _roots(roots)


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
