"""Several runs of one method, which differ by their seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class SeedSpread:
    """How much a method's score depends on the seed.

    Attributes
    ----------
    n_runs : int
    mean : float
        Of the runs' scores.
    lowest, highest : float
    standard_deviation : float
        Between runs; NaN for a single one, which tells nothing about it.
    """

    n_runs: int
    mean: float
    lowest: float
    highest: float
    standard_deviation: float


def seed_spread(scores: ArrayLike) -> SeedSpread:
    """Summarise the scores of a method's runs.

    Parameters
    ----------
    scores : array_like, shape (n_runs, n_micrographs)
        NaN where a score is undefined.

    Returns
    -------
    SeedSpread

    Raises
    ------
    ValueError
        If there is no run.

    Examples
    --------
    >>> found = seed_spread([[0.7, 0.9], [0.6, 0.8], [0.8, 1.0]])
    >>> round(found.mean, 3), round(found.lowest, 3), round(found.standard_deviation, 3)
    (0.8, 0.7, 0.1)
    """
    by_run = np.nanmean(_runs(scores), axis=1)
    deviation = float(by_run.std(ddof=1)) if len(by_run) > 1 else math.nan
    return SeedSpread(
        len(by_run), float(by_run.mean()), float(by_run.min()), float(by_run.max()), deviation
    )


def mean_of_runs(scores: ArrayLike) -> NDArray[np.float64]:
    """Average a method's runs on each micrograph: what the method is expected to score there.

    Tests between methods take these, so that a method does not gain by a lucky seed.

    Parameters
    ----------
    scores : array_like, shape (n_runs, n_micrographs)

    Returns
    -------
    ndarray of float64, shape (n_micrographs,)
        NaN where no run defines it.

    Raises
    ------
    ValueError
        If there is no run.

    Examples
    --------
    >>> mean_of_runs([[0.7, 0.9], [0.6, float("nan")]])
    array([0.65, 0.9 ])
    """
    runs = _runs(scores)
    defined = ~np.isnan(runs)
    with np.errstate(invalid="ignore"):  # no run defines it: NaN on purpose
        return np.asarray(np.where(defined, runs, 0.0).sum(0) / defined.sum(0))


def within_seeds(difference: float, a: SeedSpread, b: SeedSpread) -> bool | None:
    """Tell whether a difference is no larger than what seeds alone make likely.

    Parameters
    ----------
    difference : float
        Of the two methods' mean scores.
    a, b : SeedSpread

    Returns
    -------
    bool or None
        Whether it lies within the 95 % t interval of the difference of two means of runs, with
        Welch's degrees of freedom; None where either method has a single run.

    Examples
    --------
    >>> a = seed_spread([[0.7, 0.9], [0.6, 0.8], [0.8, 1.0]])
    >>> within_seeds(0.05, a, a), within_seeds(0.5, a, a)
    (True, False)
    """
    from uhcs_bench.stats.means import t_quantile

    if a.n_runs < 2 or b.n_runs < 2:
        return None
    variances = [x.standard_deviation**2 / x.n_runs for x in (a, b)]
    total = sum(variances)
    if not total:
        return difference == 0
    freedom = total**2 / sum(v**2 / (x.n_runs - 1) for v, x in zip(variances, (a, b), strict=True))
    return abs(difference) <= t_quantile(0.95, freedom) * math.sqrt(total)


def _runs(scores: ArrayLike) -> NDArray[np.float64]:
    runs = np.asarray(scores, float)
    if runs.ndim != 2 or not len(runs):
        raise ValueError(f"scores of runs have the shape (runs, micrographs), not {runs.shape}")
    return runs
