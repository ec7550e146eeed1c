"""Intervals of paired differences that agree with the tests beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.stats.means import bootstrap_t_interval
from uhcs_bench.stats.paired_proportions import paired_proportion_interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

FEWEST = 16
"""Micrographs from which on the interval of a mean difference holds in 93 % or more."""

NOMINAL_OF_VERDICTS = 0.98
"""Level of `uhcs_bench.stats.paired_proportions` at which it holds in 93 % or more, from `FEWEST`
micrographs on and for all shares."""

DOMINATED = 0.5
"""Share of the squared deviations from which on one micrograph carries a mean difference."""


def difference_interval(
    differences: ArrayLike, *, verdicts: bool = False
) -> tuple[float, float] | None:
    """Return the interval of a mean difference, None where no method holds.

    Parameters
    ----------
    differences : array_like, shape (n,)
        One of each micrograph.
    verdicts : bool
        They are differences of verdicts, -1, 0 or 1, and get the interval of
        `uhcs_bench.stats.paired_proportions`; others get
        `uhcs_bench.stats.means.bootstrap_t_interval`.

    Returns
    -------
    low, high : tuple of float, or None
        None for too few micrographs, for scores without scatter, and where one micrograph carries
        the scatter: another sample of micrographs may or may not have such a one, which the others
        can't show.

    Examples
    --------
    >>> difference_interval([0.01, 0.02] * 10 + [0.9])
    >>> low, high = difference_interval([1, 1] + 22 * [0], verdicts=True)
    >>> round(low, 2), round(high, 2)
    (-0.12, 0.3)
    """
    values = np.asarray(differences, float)
    if len(values) < FEWEST:
        return None
    if verdicts:
        n_only = int((values > 0).sum()), int((values < 0).sum())
        return paired_proportion_interval(*n_only, len(values), NOMINAL_OF_VERDICTS)
    if np.ptp(values) == 0 or dominating(values) is not None:
        return None
    low, high = bootstrap_t_interval(values, fewest=FEWEST)
    return None if np.isnan(low) else (float(low), float(high))


def dominating(differences: ArrayLike) -> int | None:
    """Find the micrograph that carries more than half of the scatter of a mean difference.

    Parameters
    ----------
    differences : array_like, shape (n,)

    Returns
    -------
    int or None
        Its place; None if there is none.

    Examples
    --------
    >>> dominating([0.01, 0.02, 0.01, 0.9])
    3
    >>> dominating([0.01, 0.02, 0.03, 0.04])
    """
    values = np.asarray(differences, float)
    squares = (values - values.mean()) ** 2
    place = int(squares.argmax())
    return place if squares[place] > DOMINATED * squares.sum() and len(values) > 2 else None


def agreeing(interval: tuple[float, float] | None, *, rejected: bool) -> tuple[float, float] | None:
    """Stretch an interval to 0 where the test beside it does not exclude 0.

    The test may be the stricter one: it is exact, and corrected for the number of pairs. A wider
    interval holds no less often.

    Examples
    --------
    >>> agreeing((0.5, 2.0), rejected=False), agreeing((0.5, 2.0), rejected=True)
    ((0.0, 2.0), (0.5, 2.0))
    """
    if interval is None or rejected:
        return interval
    return min(interval[0], 0.0), max(interval[1], 0.0)


def excludes_zero(interval: tuple[float, float] | None) -> bool:
    """Tell whether an interval lies on one side of 0; one that is not known does.

    Examples
    --------
    >>> excludes_zero((-0.1, 0.2)), excludes_zero((0.1, 0.2)), excludes_zero(None)
    (False, True, True)
    """
    return interval is None or interval[0] > 0 or interval[1] < 0


def fold_means(values: ArrayLike, folds: ArrayLike) -> list[float]:
    """Average the values of each fold.

    Parameters
    ----------
    values : array_like, shape (n,)
        NaN where undefined.
    folds : array_like of int, shape (n,)

    Returns
    -------
    list of float
        By fold; folds without a defined value are left out.

    Examples
    --------
    >>> fold_means([0.1, 0.3, 0.5], [0, 0, 1])
    [0.2, 0.5]
    """
    numbers, defined = np.asarray(values, float), ~np.isnan(np.asarray(values, float))
    kept = np.asarray(folds)[defined]
    return [float(numbers[defined][kept == fold].mean()) for fold in np.unique(kept)]


def paired_t_p_value(differences: ArrayLike) -> float:
    """Return the two-sided p-value of Student's t test of paired differences.

    For fold means: each fold has one model, so that folds are the unit that training repeats. Six
    of them are too few for an exact test of signs, whose p-value is never below 2^(1 - 6) = .031.

    Parameters
    ----------
    differences : array_like, shape (n,)

    Returns
    -------
    float
        1 for fewer than three differences and for those that are all 0.

    Examples
    --------
    >>> round(paired_t_p_value([1, 2, 3, 2, 1, 3]), 4)
    0.0028
    """
    return float(paired_t_p_values(np.asarray(differences, float)[np.newaxis])[0])


def paired_t_p_values(differences: ArrayLike) -> NDArray[np.float64]:
    """Return the p-values of `paired_t_p_value` for many samples of the same size.

    Parameters
    ----------
    differences : array_like, shape (k, n)

    Returns
    -------
    ndarray of float64, shape (k,)

    Examples
    --------
    >>> paired_t_p_values([[1, 2, 3, 2, 1, 3], [0, 0, 0, 0, 0, 0]]).round(4)
    array([0.0028, 1.    ])
    """
    from scipy.special import stdtr

    values = np.asarray(differences, float)
    n = values.shape[1]
    if n < 3:
        return np.ones(len(values))
    error = values.std(axis=1, ddof=1) / np.sqrt(n)
    constant = error <= 1e-12 * np.abs(values).max(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_values = 2 * stdtr(n - 1, -np.abs(values.mean(axis=1)) / error)
    p_values = np.where(constant, 0.0, p_values)
    return np.asarray(np.where(values.any(axis=1), p_values, 1.0))
