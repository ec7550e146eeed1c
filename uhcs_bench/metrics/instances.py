"""Agreement of single particles, matched one to one.

Particles are matched one to one where their intersection over union is greater than a threshold of
at least one half. At most one partner can then be that similar, so that the matching is unique
and no assignment has to be searched for [1]_.

References
----------
.. [1] A. Kirillov, K. He, R. Girshick, C. Rother, P. Dollar (2019), IEEE Conference on Computer
   Vision and Pattern Recognition, 9404-9413.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from uhcs_bench.errors import UsageError
from uhcs_bench.metallography import arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

THRESHOLDS: tuple[float, ...] = tuple(percent / 100 for percent in range(50, 100, 5))
"""Thresholds of the intersection over union, those of the COCO benchmark: 0.5, 0.55, ..., 0.95."""

PANOPTIC_THRESHOLD = 0.5
"""Threshold of the panoptic quality."""


@dataclass(frozen=True, eq=False)  # arrays don't compare as a whole
class InstanceScores:
    """Agreement of annotated and predicted particles.

    With no particle in either map, precision, recall, F1 and the qualities are NaN; with particles
    in one map only, F1 and panoptic quality are 0.

    Attributes
    ----------
    n_true, n_pred : int
        Annotated and predicted particles.
    thresholds : tuple of float
        Intersections over union that a match must exceed.
    n_matched : ndarray of int64, shape (n_thresholds,)
        Matched pairs.
    precision : ndarray of float64, shape (n_thresholds,)
        Share of the predicted particles that are matched; NaN if none is predicted.
    recall : ndarray of float64, shape (n_thresholds,)
        Share of the annotated particles that are matched; NaN if none is annotated.
    f1 : ndarray of float64, shape (n_thresholds,)
        Matched pairs over the mean of both numbers of particles.
    panoptic_quality : float
        `segmentation_quality` times `recognition_quality`; 0 without a match.
    segmentation_quality : float
        Mean intersection over union of the pairs matched above 0.5; NaN without one.
    recognition_quality : float
        F1 of the pairs matched above 0.5.
    """

    n_true: int
    n_pred: int
    thresholds: tuple[float, ...]
    n_matched: NDArray[np.int64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    panoptic_quality: float
    segmentation_quality: float
    recognition_quality: float

    @property
    def mean_f1(self) -> float:
        """F1 averaged over the thresholds."""
        return float(self.f1.mean())


def _checked(
    annotated: NDArray[np.integer], predicted: NDArray[np.integer]
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    numbered = arguments.as_pair(annotated, predicted)
    for array in numbered:
        if array.size and array.min() < 0:
            raise UsageError(
                f"Particles have numbers from 1 on, but {array.min()} was given. Give the result "
                "of label_particles."
            )
    return cast("tuple[NDArray[np.integer], NDArray[np.integer]]", numbered)


def intersections_over_union(
    annotated: NDArray[np.integer], predicted: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Intersection over union of every annotated and predicted particle that share a pixel.

    Only those pairs are listed: of thousands of particles each touches few others.

    Parameters
    ----------
    annotated, predicted : ndarray of integers, same shape
        Particles' numbers from 1 on, 0 elsewhere; see `label_particles`.

    Returns
    -------
    particle_annotated, particle_predicted : ndarray of int64, shape (n_pairs,)
        The pairs' numbers, in ascending order.
    iou : ndarray of float64, shape (n_pairs,)
        In (0, 1].

    Raises
    ------
    UsageError
        If the shapes differ.

    Examples
    --------
    >>> intersections_over_union(np.array([[1, 1, 0, 2, 2]]), np.array([[3, 3, 0, 0, 4]]))
    (array([1, 2]), array([3, 4]), array([1. , 0.5]))
    """
    annotated, predicted = _checked(annotated, predicted)
    areas_annotated = np.bincount(annotated.ravel(), minlength=1)
    areas_predicted = np.bincount(predicted.ravel(), minlength=1)
    shared = (annotated > 0) & (predicted > 0)
    stride = len(areas_predicted)
    keys, intersections = np.unique(
        annotated[shared].astype(np.int64) * stride + predicted[shared], return_counts=True
    )
    first, second = np.divmod(keys, stride)
    unions = areas_annotated[first] + areas_predicted[second] - intersections
    return first, second, intersections / unions


def match_instances(
    annotated: NDArray[np.integer],
    predicted: NDArray[np.integer],
    thresholds: Sequence[float] = THRESHOLDS,
) -> InstanceScores:
    """Match annotated and predicted particles one to one, and count the pairs.

    F1 is that of object detection, the qualities are those of [1]_ for the particles alone.

    Parameters
    ----------
    annotated, predicted : ndarray of integers, same shape
        Particles' numbers from 1 on, 0 elsewhere; see `label_particles`. Numbers may be missing.
    thresholds : sequence of float, optional
        Intersections over union that a match must exceed, from 0.5 to 1. Where equality counts
        as a match, as in other code, the numbers are higher by the pairs that meet a threshold
        exactly, which small particles often do: one of two pixels against one has 0.5.

    Returns
    -------
    InstanceScores

    Raises
    ------
    UsageError
        If the shapes differ, or for a threshold below 0.5, at which the matching isn't unique.

    References
    ----------
    .. [1] A. Kirillov, K. He, R. Girshick, C. Rother, P. Dollar (2019), IEEE Conference on
       Computer Vision and Pattern Recognition, 9404-9413.

    Examples
    --------
    Of two annotated particles one is found, with 3 of 4 pixels:

    >>> from uhcs_bench.metallography.components import label_particles
    >>> annotated = label_particles(np.array([[1, 1, 0, 0], [1, 1, 0, 1]]))
    >>> predicted = label_particles(np.array([[1, 1, 0, 0], [1, 0, 0, 0]]))
    >>> scores = match_instances(annotated, predicted)
    >>> scores.n_matched
    array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0])
    >>> float(scores.precision[0]), float(scores.recall[0]), scores.panoptic_quality
    (1.0, 0.5, 0.5)
    """
    smallest = min(arguments.as_sample(thresholds, "sequence of thresholds"), default=0.0)
    if smallest < PANOPTIC_THRESHOLD:
        raise UsageError(
            f"Thresholds must be at least {PANOPTIC_THRESHOLD} for the matching to be unique, but "
            f"the smallest is {smallest:g}. Give thresholds from {PANOPTIC_THRESHOLD} to 1."
        )
    annotated, predicted = _checked(annotated, predicted)
    n_true, n_pred = _n_particles(annotated), _n_particles(predicted)
    iou = intersections_over_union(annotated, predicted)[2]
    n_matched = np.array([np.count_nonzero(iou > threshold) for threshold in thresholds], np.int64)
    similar = iou[iou > PANOPTIC_THRESHOLD]
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN on purpose
        return InstanceScores(
            n_true=n_true,
            n_pred=n_pred,
            thresholds=tuple(thresholds),
            n_matched=n_matched,
            precision=n_matched / np.int64(n_pred),
            recall=n_matched / np.int64(n_true),
            f1=2 * n_matched / np.int64(n_true + n_pred),
            panoptic_quality=float(2 * similar.sum() / np.int64(n_true + n_pred)),
            segmentation_quality=float(similar.sum() / np.int64(len(similar))),
            recognition_quality=float(np.int64(2 * len(similar)) / np.int64(n_true + n_pred)),
        )


def _n_particles(numbered: NDArray[np.integer]) -> int:
    return int(np.count_nonzero(np.bincount(numbered.ravel(), minlength=1)[1:]))
