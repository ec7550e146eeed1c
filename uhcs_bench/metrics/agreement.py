"""Measures of agreement from confusion matrices, beside those of the paper.

The paper's are in `uhcs_bench.metrics.confusion`. All take confusion matrices with the annotated classes in
rows and the predicted ones in columns, one or a stack of them, and give fractions without a unit.
Undefined values are NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.metrics import confusion as metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray


def dice(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    r"""Dice coefficient of each class, which is also its F1 score.

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
    overlap = metrics.intersection_over_union(confusion)
    return 2 * overlap / (1 + overlap)


def cohen_kappa(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    r"""Pixel accuracy beyond what two independent maps with these class shares would reach.

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
        class, which leaves nothing beyond chance.

    References
    ----------
    .. [1] J. Cohen (1960), Educational and Psychological Measurement 20, 37-46.

    Examples
    --------
    >>> cohen_kappa(np.array([[20, 5], [10, 15]]))
    array(0.4)
    """
    by_chance = (annotated_fractions(confusion) * predicted_fractions(confusion)).sum(-1)
    return metrics.ratio(metrics.accuracy(confusion) - by_chance, 1 - by_chance)


def annotated_fractions(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of the pixels that is annotated as each class.

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
    return metrics.ratio(confusion.sum(-1), confusion.sum((-2, -1))[..., np.newaxis])


def predicted_fractions(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of the pixels that is predicted as each class, see `annotated_fractions`.

    Examples
    --------
    >>> predicted_fractions(np.array([[6, 2], [1, 1]]))
    array([0.7, 0.3])
    """
    return metrics.ratio(confusion.sum(-2), confusion.sum((-2, -1))[..., np.newaxis])


def fraction_errors(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Error of each class's area fraction, predicted minus annotated.

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
    # Counts are subtracted, not fractions, so that equal counts give exactly 0.
    return metrics.ratio(
        confusion.sum(-2) - confusion.sum(-1), confusion.sum((-2, -1))[..., np.newaxis]
    )
