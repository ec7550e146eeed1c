"""Agreement of the pixels of an annotated and a predicted label map, by their confusion matrix.

Undefined values are NaN; `uhcs_bench.scoring.conventions` defines how they enter a mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.errors import UsageError
from uhcs_bench.metallography import arguments
from uhcs_bench.stats.proportions import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from uhcs_bench.metallography.labels import LabelMap

    Confusion = NDArray[np.int64] | NDArray[np.float64]

MAX_CLASSES = 16
"""Pairs of as many classes fit into a byte."""

_FEW_CLASSES = 4
"""Classes up to which it is faster to look for each pair than to count all in one go."""

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
    UsageError
        If the shapes differ or a label is outside the classes.

    Examples
    --------
    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), n_classes=2)
    array([[1, 1],
           [0, 1]])
    """
    if not isinstance(n_classes, int | np.integer) or not 1 <= n_classes <= MAX_CLASSES:
        raise UsageError(
            f"{n_classes!r} classes can't be counted. Give a number from 1 to {MAX_CLASSES}."
        )
    pair = arguments.as_pair(annotated, predicted, n_classes)
    flat_annotated, flat_predicted = (
        labels.astype(np.uint8, copy=False).ravel() for labels in pair
    )
    counts = np.zeros(n_classes * n_classes, np.int64)
    for start in range(0, flat_annotated.size, _CHUNK_PIXELS):
        chunk = slice(start, start + _CHUNK_PIXELS)
        # n_classes <= 16, so that this fits into uint8
        pairs = flat_annotated[chunk] * np.uint8(n_classes) + flat_predicted[chunk]
        if n_classes <= _FEW_CLASSES:
            counts += [np.count_nonzero(pairs == number) for number in range(len(counts))]
        else:
            counts += np.bincount(pairs, minlength=len(counts))
    return counts.reshape(n_classes, n_classes)


def _checked(confusion: Confusion) -> Confusion:
    """Give back confusion matrices as an array, if they are some."""
    counts: Confusion = arguments.as_array(confusion, "confusion matrix")
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2]:
        raise UsageError(
            f"A confusion matrix is square, but this one has the shape {counts.shape}. Give the "
            "result of confusion_matrix, or a stack of them."
        )
    if not _are_counts(counts):
        raise UsageError(
            "A confusion matrix holds numbers of pixels, finite and from 0 on, but this one holds "
            f"numbers from {counts.min():g} to {counts.max():g}. Give the result of "
            "confusion_matrix, or a stack of them."
        )
    # Differences of unsigned numbers would wrap around.
    return counts.astype(np.int64) if counts.dtype.kind in "bu" else counts


def _are_counts(counts: Confusion) -> bool:
    # NaN is the minimum wherever there is one; whole numbers are finite.
    return not counts.size or bool(
        counts.min() >= 0 and (counts.dtype.kind != "f" or counts.max() < np.inf)
    )


def accuracy(confusion: Confusion) -> NDArray[np.float64]:
    """Compute the share of correctly classified pixels, AC.

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
    confusion = _checked(confusion)
    return ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum((-2, -1)))


def precision(confusion: Confusion) -> NDArray[np.float64]:
    """Compute the share of the pixels predicted as a class that are annotated as it (Eq. 3).

    Parameters
    ----------
    confusion : ndarray of int64, shape (..., n_classes, n_classes)

    Returns
    -------
    ndarray of float64, shape (..., n_classes)
        In [0, 1]; NaN for a class that is not predicted.
    """
    confusion = _checked(confusion)
    return ratio(_hits(confusion), confusion.sum(-2))


def recall(confusion: Confusion) -> NDArray[np.float64]:
    """Compute the share of the pixels annotated as a class that are predicted as it (Eq. 4).

    Parameters
    ----------
    confusion : ndarray of int64, shape (..., n_classes, n_classes)

    Returns
    -------
    ndarray of float64, shape (..., n_classes)
        In [0, 1]; NaN for a class that is not annotated.
    """
    confusion = _checked(confusion)
    return ratio(_hits(confusion), confusion.sum(-1))


def intersection_over_union(confusion: Confusion) -> NDArray[np.float64]:
    """Compute the intersection over union of each class (Eq. 5), the Jaccard index.

    It is the number of pixels annotated and predicted as the class over the number of those that
    are either.

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
    confusion = _checked(confusion)
    hits = _hits(confusion)
    return ratio(hits, confusion.sum(-1) + confusion.sum(-2) - hits)


def _hits(confusion: Confusion) -> NDArray[np.int64]:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def dice(confusion: Confusion) -> NDArray[np.float64]:
    r"""Compute the Dice coefficient of each class, which is also its F1 score.

    .. math:: \frac{2 |A \cap P|}{|A| + |P|} = \frac{2 \cdot \text{precision} \cdot \text{recall}}
       {\text{precision} + \text{recall}}

    for the pixels A annotated and P predicted as the class [1]_. It orders the predictions of one
    micrograph as the intersection over union does, Dice = 2 IU / (1 + IU), but not their means.

    Parameters
    ----------
    confusion : ndarray of int64, shape (..., n_classes, n_classes)

    Returns
    -------
    ndarray of float64, shape (..., n_classes)
        In [0, 1]; NaN for a class that is neither annotated nor predicted, 0 for one that is only
        annotated or only predicted.

    References
    ----------
    .. [1] L. R. Dice (1945), Ecology 26, 297-302.

    Examples
    --------
    >>> dice(np.array([[1, 1], [0, 2]]))
    array([0.66666667, 0.8       ])
    """
    overlap = intersection_over_union(confusion)
    return 2 * overlap / (1 + overlap)


def cohen_kappa(confusion: Confusion) -> NDArray[np.float64]:
    r"""Compute Cohen's kappa, the accuracy beyond that of independent maps of these class shares.

    .. math:: \kappa = \frac{p_o - p_e}{1 - p_e}

    with the accuracy :math:`p_o` and the accuracy :math:`p_e` expected by chance, the sum over
    classes of annotated share times predicted share [1]_.

    Parameters
    ----------
    confusion : ndarray of int64, shape (..., n_classes, n_classes)

    Returns
    -------
    ndarray of float64, shape (...)
        In [-1, 1]: 1 for equal maps, 0 for agreement by chance, for example of a prediction that
        holds a single class. NaN without pixels, and where both maps consist of the same single
        class, for which kappa is 0 / 0.

    References
    ----------
    .. [1] J. Cohen (1960), Educational and Psychological Measurement 20, 37-46.

    Examples
    --------
    >>> cohen_kappa(np.array([[20, 5], [10, 15]]))
    array(0.4)
    """
    confusion = _checked(confusion)
    by_chance = (annotated_fractions(confusion) * predicted_fractions(confusion)).sum(-1)
    return ratio(accuracy(confusion) - by_chance, 1 - by_chance)


def annotated_fractions(confusion: Confusion) -> NDArray[np.float64]:
    """Compute the share of the pixels that is annotated as each class.

    On a random section the area fraction estimates the volume fraction without bias [1]_.

    Parameters
    ----------
    confusion : ndarray of int64, shape (..., n_classes, n_classes)

    Returns
    -------
    ndarray of float64, shape (..., n_classes)
        In [0, 1]; 0 for an absent class, NaN without pixels.

    References
    ----------
    .. [1] A. E. Delesse (1847), Comptes rendus de l'Academie des sciences 25, 544-545; ASTM E562
       and E1245.

    Examples
    --------
    >>> annotated_fractions(np.array([[6, 2], [1, 1]]))
    array([0.8, 0.2])
    """
    confusion = _checked(confusion)
    return ratio(confusion.sum(-1), confusion.sum((-2, -1))[..., np.newaxis])


def predicted_fractions(confusion: Confusion) -> NDArray[np.float64]:
    """Compute the share of the pixels that is predicted as each class, see `annotated_fractions`.

    Parameters
    ----------
    confusion : ndarray of int64, shape (..., n_classes, n_classes)

    Returns
    -------
    ndarray of float64, shape (..., n_classes)
        In [0, 1]; 0 for a class that is not predicted, NaN without pixels.

    Examples
    --------
    >>> predicted_fractions(np.array([[6, 2], [1, 1]]))
    array([0.7, 0.3])
    """
    confusion = _checked(confusion)
    return ratio(confusion.sum(-2), confusion.sum((-2, -1))[..., np.newaxis])


def fraction_errors(confusion: Confusion) -> NDArray[np.float64]:
    """Compute the error of each class's area fraction, predicted minus annotated.

    It is signed, so that a mean over micrographs is the bias; errors in different places of one
    micrograph cancel, which the intersection over union doesn't let them do.

    Parameters
    ----------
    confusion : ndarray of int64, shape (..., n_classes, n_classes)

    Returns
    -------
    ndarray of float64, shape (..., n_classes)
        In [-1, 1], 0.01 is one percentage point of the area; 0 for a class that both maps lack, NaN
        without pixels. A micrograph's errors add up to 0.

    Examples
    --------
    >>> fraction_errors(np.array([[6, 2], [1, 1]])).round(3)
    array([-0.1,  0.1])
    """
    confusion = _checked(confusion)
    # Counts are subtracted, not fractions, so that equal counts give exactly 0.
    return ratio(confusion.sum(-2) - confusion.sum(-1), confusion.sum((-2, -1))[..., np.newaxis])
