"""Bootstrap confidence intervals over micrographs or folds."""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from uhcs_bench import protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

Statistic: TypeAlias = "Callable[[NDArray[np.float64]], NDArray[np.float64]]"

_NORMAL = NormalDist()


def bootstrap_interval(statistic: Statistic, groups: Sequence[int]) -> NDArray[np.float64]:
    """Bootstrap confidence interval of a statistic of weighted micrographs.

    Groups are drawn with replacement, so that a micrograph's weight is the number of times that its
    group came. The interval is bias-corrected and accelerated (BCa; B. Efron, "Better bootstrap
    confidence intervals", J. Am. Stat. Assoc. 82, 1987), since scores near 1 are skewed.

    Parameters
    ----------
    statistic : callable
        Takes weights of shape (k, n), for k samples of n micrographs, and gives the statistics of
        each sample, shape (k, m).
    groups : sequence of int
        For each micrograph the group that it is drawn with: its own number to draw micrographs, its
        fold to draw folds.

    Returns
    -------
    ndarray of float64, shape (m, 2)
        Lower and upper end at the protocol's confidence, the same at every call; NaN where the
        statistic is undefined or there is but one group.

    Examples
    --------
    >>> values = np.array([0.2, 0.4, 0.4, 0.6, 0.9])
    >>> def mean(weights):
    ...     return (weights @ values / weights.sum(1))[:, np.newaxis]
    >>> bootstrap_interval(mean, range(5)).round(2)
    array([[0.32, 0.74]])
    """
    _, member_of = np.unique(np.asarray(groups), return_inverse=True)
    n_groups = int(member_of.max()) + 1
    everything = statistic(np.ones((1, len(member_of))))[0]
    if n_groups == 1:
        return np.full((len(everything), 2), np.nan)
    resampled = np.ascontiguousarray(statistic(_resamples(n_groups)[:, member_of]).T)
    without_one = statistic((1.0 - np.eye(n_groups))[:, member_of]).T
    return np.array(list(map(_bca, everything, resampled, without_one)))


@cache
def _resamples(n_groups: int) -> NDArray[np.float64]:
    """How often each group comes in each resample, shape (resamples, n_groups)."""
    n = protocol.BOOTSTRAP_RESAMPLES
    drawn = np.random.default_rng(protocol.SEED).integers(0, n_groups, (n, n_groups))
    cells = drawn + n_groups * np.arange(n)[:, np.newaxis]
    return np.bincount(cells.ravel(), minlength=n * n_groups).reshape(n, n_groups).astype(float)


def _bca(
    value: float, resampled: NDArray[np.float64], without_one: NDArray[np.float64]
) -> tuple[float, float]:
    """Interval of one statistic from its resamples and its jackknife values."""
    resampled = resampled[~np.isnan(resampled)]
    without_one = without_one[~np.isnan(without_one)]
    if math.isnan(value) or not len(resampled) or not len(without_one):
        return math.nan, math.nan
    # A resample equal to the sample is a tie, also where its sum is rounded differently.
    rounding = 1e-12 * max(1.0, abs(value))
    below = ((resampled < value - rounding).mean() + (resampled <= value + rounding).mean()) / 2
    # All resamples on one side would send the correction to infinity.
    limit = 0.5 / len(resampled)
    bias = _NORMAL.inv_cdf(min(max(float(below), limit), 1 - limit))
    distance = without_one.mean() - without_one
    spread = float((distance**2).sum() ** 1.5)
    acceleration = float((distance**3).sum()) / (6 * spread) if spread else 0.0
    tail = (1 - protocol.CONFIDENCE) / 2
    levels = []
    for level in (tail, 1 - tail):
        shifted = bias + _NORMAL.inv_cdf(level)
        levels.append(_NORMAL.cdf(bias + shifted / (1 - acceleration * shifted)))
    low, high = np.quantile(resampled, levels)
    return float(low), float(high)
