"""Agreement of the boundaries of an annotated and a predicted label map.

A boundary runs between two classes. The edge of the image is not one, since the
class beyond it is unknown.
Distances are Euclidean, between the centres of pixels, and exact: all classes are grown at once by
shifting the map within a disk, one bit for each class, which at a few pixels is faster than a
distance transform and needs numpy alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.errors import UsageError
from uhcs_bench.metallography import arguments
from uhcs_bench.stats import proportions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from uhcs_bench.metallography.labels import LabelMap

TOLERANCE_PX = 2
"""Distance up to which two boundaries count as one, in pixels.

14 of the 24 annotations of particles are one or two rows off their micrograph or drift by about a
row or more over its height (`uhcs-bench audit`), so a smaller distance would measure the
annotation. A larger one would forgive everything: half of the annotated particles are less than
4.3 px across, and the 0.75 % of the diagonal that is usual for photographs would be 6 px.
"""

MAX_CLASSES = 8
"""Classes that fit into a byte with one bit for each."""


def boundary_f1(
    annotated: LabelMap, predicted: LabelMap, n_classes: int, tolerance: int = TOLERANCE_PX
) -> NDArray[np.float64]:
    """Compute the F1 score of each class's boundary pixels, with a tolerance.

    The harmonic mean of `boundary_precision_recall` [1]_, the measure F of the DAVIS benchmark
    [2]_.

    Parameters
    ----------
    annotated, predicted : ndarray of integers, shape (rows, columns)
        Class labels from 0 to `n_classes` - 1.
    n_classes : int
        At most 8.
    tolerance : int, optional
        Euclidean distance in pixels up to which boundary pixels match.

    Returns
    -------
    ndarray of float64, shape (n_classes,)
        In [0, 1]. NaN for a class that has a boundary in neither map, because it is absent from
        both or fills a map; 0 for one that has a boundary in only one map.

    Raises
    ------
    UsageError
        If the shapes differ, a label is outside the classes or the tolerance is negative.

    References
    ----------
    .. [1] G. Csurka, D. Larlus, F. Perronnin (2013), British Machine Vision Conference, 32.
    .. [2] F. Perazzi, J. Pont-Tuset, B. McWilliams, L. Van Gool, M. Gross, A. Sorkine-Hornung
       (2016), IEEE Conference on Computer Vision and Pattern Recognition, 724-732.

    Examples
    --------
    A boundary that is one pixel off is within the tolerance:

    >>> annotated = np.array([[0, 0, 0, 1, 1, 1]])
    >>> predicted = np.array([[0, 0, 1, 1, 1, 1]])
    >>> boundary_f1(annotated, predicted, n_classes=2)
    array([1., 1.])
    >>> boundary_f1(annotated, predicted, n_classes=2, tolerance=0)
    array([0., 0.])
    """
    precision, recall = boundary_precision_recall(annotated, predicted, n_classes, tolerance)
    with np.errstate(invalid="ignore"):
        f1 = 2 * precision * recall / (precision + recall)
    nowhere = np.isnan(precision) & np.isnan(recall)
    return np.where(np.isnan(f1) & ~nowhere, 0.0, f1)


def boundary_precision_recall(
    annotated: LabelMap, predicted: LabelMap, n_classes: int, tolerance: int = TOLERANCE_PX
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the shares of predicted and annotated boundary pixels that the other map has nearby.

    A boundary pixel of a class is a pixel of that class with one of another class above, below,
    left or right of it.

    Parameters
    ----------
    annotated, predicted, n_classes, tolerance
        See `boundary_f1`.

    Returns
    -------
    precision : ndarray of float64, shape (n_classes,)
        Share of a class's predicted boundary pixels with an annotated boundary pixel of that class
        within the tolerance; NaN where no boundary is predicted.
    recall : ndarray of float64, shape (n_classes,)
        The same with the maps exchanged; NaN where no boundary is annotated.

    Raises
    ------
    UsageError
        See `boundary_f1`.

    Examples
    --------
    The prediction has a second particle that the annotation lacks:

    >>> annotated = np.array([[0, 1, 0, 0, 0, 0, 0]])
    >>> predicted = np.array([[0, 1, 0, 0, 0, 1, 0]])
    >>> precision, recall = boundary_precision_recall(annotated, predicted, n_classes=2)
    >>> float(precision[1]), float(recall[1])
    (0.5, 1.0)
    """
    annotated, predicted = _checked(annotated, predicted, n_classes, tolerance)
    lines_annotated = _band(_class_bits(annotated), 1)
    lines_predicted = _band(_class_bits(predicted), 1)
    return (
        _share_nearby(lines_predicted, lines_annotated, n_classes, tolerance),
        _share_nearby(lines_annotated, lines_predicted, n_classes, tolerance),
    )


def boundary_iou(
    annotated: LabelMap, predicted: LabelMap, n_classes: int, width: int = TOLERANCE_PX
) -> NDArray[np.float64]:
    """Compute the intersection over union of each class's bands along its boundary.

    The band holds the pixels of the class that are at most `width` away from a pixel of another
    class [1]_. Unlike `boundary_f1` it forgives no shift, and unlike the intersection over union it
    doesn't reward the inside of large regions. Where no pixel of a class is deeper than the band,
    as in particles of four pixels across, it is the intersection over union. The authors' code
    takes distances along rows, columns and diagonals alike and counts the image's edge as boundary;
    here distances are Euclidean and the edge doesn't count.

    Parameters
    ----------
    annotated, predicted : ndarray of integers, shape (rows, columns)
        Class labels from 0 to `n_classes` - 1.
    n_classes : int
        At most 8.
    width : int, optional
        Depth of the bands in pixels.

    Returns
    -------
    ndarray of float64, shape (n_classes,)
        In [0, 1]. NaN for a class that has a boundary in neither map, 0 for one that has a boundary
        in only one map.

    Raises
    ------
    UsageError
        See `boundary_f1`.

    References
    ----------
    .. [1] B. Cheng, R. Girshick, P. Dollar, A. C. Berg, A. Kirillov (2021), IEEE Conference on
       Computer Vision and Pattern Recognition, 15334-15342.

    Examples
    --------
    >>> annotated = np.array([[0, 0, 0, 0, 1, 1, 1, 1]])
    >>> predicted = np.array([[0, 0, 0, 1, 1, 1, 1, 1]])
    >>> boundary_iou(annotated, predicted, n_classes=2)
    array([0.33333333, 0.33333333])
    """
    annotated, predicted = _checked(annotated, predicted, n_classes, width)
    band_annotated = _band(_class_bits(annotated), width)
    band_predicted = _band(_class_bits(predicted), width)
    both = _count(band_annotated & band_predicted, n_classes)
    either = _count(band_annotated, n_classes) + _count(band_predicted, n_classes) - both
    return proportions.ratio(both, either)


def _checked(
    annotated: LabelMap, predicted: LabelMap, n_classes: int, distance: int
) -> tuple[LabelMap, LabelMap]:
    if not isinstance(n_classes, int | np.integer) or not 1 <= n_classes <= MAX_CLASSES:
        raise UsageError(
            f"The number of classes must be 1 to {MAX_CLASSES}, not {n_classes!r}. Give the number "
            "of the task's classes."
        )
    if not isinstance(distance, int | np.integer) or distance < 0:
        raise UsageError(
            f"A distance must be a whole number and not be negative, but it is {distance!r}. Give "
            "a number of pixels."
        )
    for labels in (annotated, predicted):
        arguments.as_map(labels, "label map")
    return arguments.as_pair(annotated, predicted, n_classes)


def _class_bits(labels: LabelMap) -> NDArray[np.uint8]:
    """Map with the bit of each pixel's class set."""
    return np.left_shift(np.uint8(1), labels.astype(np.uint8, copy=False))


def _band(bits: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Keep the pixels that have another class within a distance, 0 elsewhere."""
    band: NDArray[np.uint8] = bits * (_spread(bits, width) != bits)
    return band


def _share_nearby(
    lines: NDArray[np.uint8], others: NDArray[np.uint8], n_classes: int, tolerance: int
) -> NDArray[np.float64]:
    """Share of each class's line pixels that have one of the other lines within a distance."""
    return proportions.ratio(
        _count(lines & _spread(others, tolerance), n_classes), _count(lines, n_classes)
    )


def _spread(bits: NDArray[np.uint8], distance: int) -> NDArray[np.uint8]:
    """Give each pixel the bits of all pixels within a Euclidean distance.

    The disk is a stack of rows. From its top row to its middle they only get longer, so each is
    made from the one before.
    """
    n_rows = len(bits)
    distance = min(distance, math.ceil(math.hypot(*bits.shape)))  # farther is no pixel
    spread = np.zeros_like(bits)
    row, reach = bits.copy(), 0
    for offset in range(distance, -1, -1):
        while reach < math.isqrt(distance**2 - offset**2):
            reach += 1
            row[:, reach:] |= bits[:, :-reach]
            row[:, :-reach] |= bits[:, reach:]
        inside = max(n_rows - offset, 0)
        spread[offset:] |= row[:inside]
        spread[:inside] |= row[offset:]
    return spread


def _count(bits: NDArray[np.uint8], n_classes: int) -> NDArray[np.int64]:
    """Count the pixels of each class in a map with at most one bit for each pixel."""
    # Comparing for each class takes a fifth of the time of one np.bincount.
    return np.array([np.count_nonzero(bits == 1 << label) for label in range(n_classes)], np.int64)
