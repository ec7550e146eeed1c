"""Standard errors of an overall score: over micrographs, and as the paper's tables have it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class OverallErrors:
    """Standard errors of a mean over micrographs and classes.

    Attributes
    ----------
    over_micrographs : float
        From each micrograph's mean over its classes; NaN for a single micrograph.
    over_values : float
        From all single values, one of each micrograph and class, as if they were independent. The
        errors of the overall IU that the paper prints are these.
    n_micrographs, n_values : int
    """

    over_micrographs: float
    over_values: float
    n_micrographs: int
    n_values: int


def overall_errors(scores: ArrayLike) -> OverallErrors:
    """Compute both standard errors of an overall score.

    Parameters
    ----------
    scores : array_like, shape (n_micrographs, n_classes)
        NaN where a micrograph does not define a class's score.

    Returns
    -------
    OverallErrors

    Examples
    --------
    Classes that differ scatter more than micrographs do:

    >>> found = overall_errors([[0.9, 0.5], [0.8, 0.6], [0.9, 0.6]])
    >>> round(found.over_micrographs, 3), round(found.over_values, 3), found.n_values
    (0.017, 0.07, 6)
    """
    values = np.asarray(scores, float)
    defined = ~np.isnan(values)
    means = np.nanmean(values[defined.any(1)], axis=1)
    singles = values[defined]
    return OverallErrors(_error(means), _error(singles), len(means), len(singles))


def error_over_values(means: ArrayLike, errors: ArrayLike, n: ArrayLike) -> float:
    """Compute the standard error over all values from the mean and error of each class.

    Parameters
    ----------
    means, errors : array_like, shape (n_classes,)
        Of each class, over its micrographs.
    n : array_like of int, shape (n_classes,) or a number
        Micrographs that each mean is over.

    Returns
    -------
    float

    Examples
    --------
    The paper's PixelNet with focal loss prints class rows and an overall IU of 62.6 +- 2.5; of the
    particles, 72.4 +- 3.1:

    >>> round(error_over_values([49.1, 72.9, 85.7, 42.7], [3.4, 5.3, 1.8, 2.9], 24), 2)
    2.51
    >>> round(error_over_values([90.0, 54.8], [1.0, 3.4], 24), 2)
    3.11
    """
    mean, error = np.asarray(means, float), np.asarray(errors, float)
    counts = np.broadcast_to(np.asarray(n, float), mean.shape)
    total = counts.sum()
    centre = (counts * mean).sum() / total
    squares = (counts * (counts - 1) * error**2 + counts * (mean - centre) ** 2).sum()
    return math.sqrt(squares / (total - 1) / total)


def _error(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan
