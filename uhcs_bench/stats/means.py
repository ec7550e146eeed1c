"""Confidence intervals of means, of one micrograph per value or of several per sample of steel.

Scores near 1 are skewed to the left: the score of one micrograph that a method fails on is many
standard deviations below the rest. Intervals that rely on a symmetric distribution then miss the
true mean too often. The levels below are therefore higher than the 95 % that the intervals are
printed as; ``tests/benchmarks/coverage.py`` gives the coverage that they have.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from uhcs_bench.stats import beta

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

Statistic: TypeAlias = "Callable[[NDArray[np.float64]], NDArray[np.float64]]"

COVERAGE = 0.93
"""What the printed intervals hold at least, in the simulation that their levels are chosen by."""

NOMINAL = 0.99
"""Level of `bootstrap_t_interval` at which it holds the mean of real scores in 93 % or more."""

NOMINAL_OF_POOLED = 0.995
"""The same for the influences of pooled scores, see `influences`."""

NOMINAL_OF_CLUSTERS = 0.97
"""Level of `cluster_interval` at which it holds the mean in 93 % or more."""

FEWEST = 19
"""Values from which on `bootstrap_t_interval` reaches that coverage."""

FEWEST_CLUSTERS = 5
"""Clusters from which on `cluster_interval` reaches that coverage."""

RESAMPLES = 10_000
_SEED = 0
_COLUMNS_AT_ONCE = 256


def t_interval(values: ArrayLike, level: float = 0.95) -> NDArray[np.float64]:
    """Return Student's t interval of a mean.

    Parameters
    ----------
    values : array_like, shape (n,) or (n, m)
        One sample, or m of them side by side; NaN where a value is undefined.
    level : float, optional
        Nominal confidence.

    Returns
    -------
    ndarray of float64, shape (2,) or (m, 2)
        Lower and upper end; NaN for fewer than two values.

    Examples
    --------
    >>> t_interval([0.2, 0.4, 0.4, 0.6, 0.9]).round(3)
    array([0.171, 0.829])
    """
    return _by_column(values, 2, lambda sample, _: _t(sample, level))


def bootstrap_t_interval(
    values: ArrayLike,
    level: float = NOMINAL,
    fewest: int = FEWEST,
    n_resamples: int = RESAMPLES,
) -> NDArray[np.float64]:
    """Return the bootstrap-t interval of a mean.

    The mean of each resample is divided by that resample's own standard error; the quantiles of
    this ratio take the place of those of Student's t [1]_, so that a skewed sample gets an interval
    that reaches further on the side of its long tail.

    Parameters
    ----------
    values : array_like, shape (n,) or (n, m)
        One sample, or m of them side by side; NaN where a value is undefined.
    level : float, optional
        Nominal confidence.
    fewest : int, optional
        Values below which there is no interval.
    n_resamples : int, optional

    Returns
    -------
    ndarray of float64, shape (2,) or (m, 2)
        Lower and upper end, the same at every call. NaN for fewer than `fewest` values, for values
        without scatter, and where so many are equal that resamples without scatter decide.

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani (1993), An Introduction to the Bootstrap, chapter 12.5.

    Examples
    --------
    >>> scores = [0.93, 0.95, 0.94, 0.96, 0.92, 0.95, 0.94, 0.93, 0.96, 0.95, 0.84, 0.81]
    >>> bootstrap_t_interval(scores, fewest=12).round(2)
    array([0.8 , 0.95])
    >>> t_interval(scores).round(2)
    array([0.89, 0.95])
    """
    return _by_column(values, fewest, lambda sample, _: _bootstrap_t(sample, level, n_resamples))


def cluster_interval(
    values: ArrayLike,
    clusters: ArrayLike,
    level: float = NOMINAL_OF_CLUSTERS,
    fewest: int = FEWEST_CLUSTERS,
) -> NDArray[np.float64]:
    """Return the interval of a mean over values of which those of one cluster resemble each other.

    The standard error is the cluster-robust one with the small-sample correction CR2 of Bell and
    McCaffrey [1]_. Its degrees of freedom are Satterthwaite's, under the most careful working
    model: that the values of a cluster are copies of each other.

    Parameters
    ----------
    values : array_like, shape (n,) or (n, m)
        One sample, or m of them side by side; NaN where a value is undefined.
    clusters : array_like of int, shape (n,)
        The cluster that each value belongs to.
    level : float, optional
        Nominal confidence.
    fewest : int, optional
        Clusters below which there is no interval.

    Returns
    -------
    ndarray of float64, shape (2,) or (m, 2)
        Lower and upper end; NaN for fewer than `fewest` clusters and for values without scatter.

    References
    ----------
    .. [1] R. M. Bell, D. F. McCaffrey (2002), Survey Methodology 28, 169-181.

    Examples
    --------
    >>> samples = [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4]
    >>> scores = [0.80, 0.81, 0.82, 0.74, 0.76, 0.90, 0.91, 0.85, 0.83, 0.78, 0.77, 0.79]
    >>> cluster_interval(scores, samples).round(2)
    array([0.73, 0.9 ])
    """
    members = np.asarray(clusters)

    def interval(sample: NDArray[np.float64], rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        return _clustered(sample, np.unique(members[rows], return_inverse=True)[1], level, fewest)

    return _by_column(values, 2, interval)


def cluster_p_value(values: ArrayLike, clusters: ArrayLike) -> float:
    """Return the two-sided p-value of a mean being 0, by the statistic of `cluster_interval`.

    Parameters
    ----------
    values : array_like, shape (n,)
        For example paired differences.
    clusters : array_like of int, shape (n,)
        The cluster that each value belongs to.

    Returns
    -------
    float
        1 for fewer than `FEWEST_CLUSTERS` clusters, and for values that are all 0.

    Examples
    --------
    >>> round(cluster_p_value([0, 1, 1, 3, 2, 2, -1, 0, 2, 4], [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]), 3)
    0.087
    """
    sample = np.asarray(values, float)[:, np.newaxis]
    cluster = np.unique(np.asarray(clusters), return_inverse=True)[1]
    sizes = np.bincount(cluster)
    if len(sizes) < FEWEST_CLUSTERS or not sample.any():
        return 1.0
    error = float(_cluster_error(sample, cluster, sizes)[0])
    mean = float(sample.mean())
    if error <= 1e-12 * np.abs(sample).max():
        return 0.0
    freedom = degrees_of_freedom(sizes)
    # Student's t test: both tails together are one tail of a beta distribution.
    return beta.distribution(freedom / (freedom + (mean / error) ** 2), freedom / 2, 0.5)


def influences(statistic: Statistic, n: int) -> NDArray[np.float64]:
    """Turn a statistic of weighted micrographs into values of which it is the mean.

    These are Tukey's pseudo-values, shifted to have the statistic as their mean: what each
    micrograph adds to it, by leaving one out at a time. They give intervals of statistics that are
    no means, such as scores of pooled pixels.

    Parameters
    ----------
    statistic : callable
        Takes weights of shape (k, n), for k samples of n micrographs, and gives the statistics of
        each sample, shape (k, m).
    n : int
        Micrographs.

    Returns
    -------
    ndarray of float64, shape (n, m)
        NaN for a statistic that is undefined, or would be without one of the micrographs.

    Examples
    --------
    Of a mean they are the values themselves:

    >>> values = np.array([0.2, 0.4, 0.9])
    >>> influences(lambda w: (w @ values / w.sum(1))[:, np.newaxis], 3).T.round(9)
    array([[0.2, 0.4, 0.9]])
    """
    whole = statistic(np.ones((1, n)))[0]
    without_one = statistic(1.0 - np.eye(n))
    return np.asarray(whole - (n - 1) * (without_one - without_one.mean(0)))


def _by_column(
    values: ArrayLike,
    fewest: int,
    interval: Callable[[NDArray[np.float64], NDArray[np.bool_]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Apply an interval to the defined values of each column, at once to columns alike."""
    columns = np.asarray(values, float)
    if columns.ndim == 1:
        return np.asarray(_by_column(columns[:, np.newaxis], fewest, interval)[0])
    ends = np.full((columns.shape[1], 2), np.nan)
    defined = ~np.isnan(columns)
    for rows in np.unique(defined, axis=1).T:
        if rows.sum() >= fewest:
            alike = np.flatnonzero((defined == rows[:, np.newaxis]).all(0))
            for some in np.split(alike, range(_COLUMNS_AT_ONCE, len(alike), _COLUMNS_AT_ONCE)):
                sample = columns[np.ix_(rows, some)]
                found = interval(sample, rows)
                ends[some] = np.where(_has_scatter(sample)[:, np.newaxis], found, np.nan)
    return ends


def _has_scatter(sample: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which columns hold more than one value, whatever their sums are rounded to."""
    return np.asarray(np.ptp(sample, axis=0) > 1e-12 * np.abs(sample).max(axis=0))


def _t(sample: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    n = len(sample)
    mean, error = sample.mean(0), sample.std(0, ddof=1) / np.sqrt(n)
    reach = t_quantile(level, n - 1) * error
    return np.stack([mean - reach, mean + reach], axis=1)


@lru_cache(maxsize=1024)
def t_quantile(level: float, degrees_of_freedom: float) -> float:
    """Return how many standard errors Student's t interval reaches to each side.

    Parameters
    ----------
    level : float
        Nominal confidence, in (0, 1).
    degrees_of_freedom : float
        Above 0, not necessarily a whole number.

    Returns
    -------
    float
        Agrees with ``scipy.special.stdtrit`` to 1e-12 up to 1000 degrees of freedom.

    Examples
    --------
    >>> round(t_quantile(0.95, 23), 3)
    2.069
    """
    # Both tails of t together are one tail of a beta distribution, that of n / (n + t^2).
    share = beta.quantile(1 - level, degrees_of_freedom / 2, 0.5)
    return math.sqrt(degrees_of_freedom * (1 - share) / share)


def normal_quantile(level: float) -> float:
    """Return how many standard errors a normal interval reaches to each side.

    Examples
    --------
    >>> round(normal_quantile(0.95), 2)
    1.96
    """
    from statistics import NormalDist

    return NormalDist().inv_cdf((1 + level) / 2)


def _bootstrap_t(
    sample: NDArray[np.float64], level: float, n_resamples: int
) -> NDArray[np.float64]:
    mean, error = sample.mean(0), sample.std(0, ddof=1) / np.sqrt(len(sample))
    ratios = studentised_resamples(sample, n_resamples)
    rank = int((1 - level) / 2 * n_resamples)
    ratios.partition([rank, n_resamples - 1 - rank], axis=1)
    quantiles = ratios[:, [n_resamples - 1 - rank, rank]]
    quantiles[~np.isfinite(quantiles).all(1)] = np.nan
    return np.asarray(mean[:, np.newaxis] - quantiles * error[:, np.newaxis])


def studentised_resamples(sample: NDArray[np.float64], n_resamples: int) -> NDArray[np.float64]:
    """Return each resample's distance from the mean over the resample's own standard error.

    Parameters
    ----------
    sample : ndarray of float64, shape (n, m)
    n_resamples : int

    Returns
    -------
    ndarray of float64, shape (m, n_resamples)
        Infinite for a resample of equal values.
    """
    deviations = (sample - sample.mean(0)).T
    counts = resamples(len(sample), n_resamples)
    drawn = deviations @ counts
    variance = deviations**2 @ counts
    variance -= drawn**2
    variance[variance < 1e-12 * (deviations**2).mean(1, keepdims=True)] = 0.0  # equal values
    variance /= len(sample) - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn /= np.sqrt(variance, out=variance)
    drawn[np.isnan(drawn)] = 0.0
    return np.asarray(drawn)


@cache
def resamples(n: int, n_resamples: int) -> NDArray[np.float64]:
    """Return the share of each of n values in each resample, shape (n, n_resamples).

    Examples
    --------
    >>> resamples(4, 1000).shape, resamples(4, 1000).sum(0).max()
    ((4, 1000), np.float64(1.0))
    """
    counts = np.random.default_rng(_SEED).multinomial(n, np.full(n, 1 / n), n_resamples)
    return np.ascontiguousarray(counts.T / n)


def _clustered(
    sample: NDArray[np.float64], cluster: NDArray[np.int64], level: float, fewest: int
) -> NDArray[np.float64]:
    sizes = np.bincount(cluster)
    if len(sizes) < max(fewest, 2):
        return np.full((sample.shape[1], 2), np.nan)
    mean, error = sample.mean(0), _cluster_error(sample, cluster, sizes)
    reach = t_quantile(level, degrees_of_freedom(sizes)) * error
    return np.stack([mean - reach, mean + reach], axis=1)


def _cluster_error(
    sample: NDArray[np.float64], cluster: NDArray[np.int64], sizes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Cluster-robust standard error of each column's mean, with the correction CR2."""
    n = len(sample)
    sums = np.zeros((len(sizes), sample.shape[1]))
    np.add.at(sums, cluster, sample - sample.mean(0))
    correction = 1 / np.sqrt(1 - sizes / n)
    return np.asarray(np.sqrt(((correction[:, np.newaxis] * sums) ** 2).sum(0)) / n)


def degrees_of_freedom(sizes: ArrayLike) -> float:
    """Return Satterthwaite's degrees of freedom of `cluster_interval`.

    Parameters
    ----------
    sizes : array_like of int, shape (n_clusters,)
        Values in each cluster, at least two clusters.

    Returns
    -------
    float
        One less than the number of clusters if they are equally large, fewer if not.

    Examples
    --------
    >>> round(degrees_of_freedom([4, 4, 4, 4, 4, 4]), 9)
    5.0
    >>> round(degrees_of_freedom([6, 5, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1]), 1)
    2.8
    """
    size = np.asarray(sizes, float)
    n = size.sum()
    # Cluster sums of deviations from the mean are those of independent copies, times this:
    centring = np.diag(size) - np.outer(size / n, size)
    scaled = centring / np.sqrt(1 - size / n)[:, np.newaxis]
    covariance = scaled @ scaled.T
    return float(np.trace(covariance) ** 2 / (covariance**2).sum())
