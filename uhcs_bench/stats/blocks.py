"""Confidence intervals of what is measured on one map, from blocks that the map is cut into.

Neighbouring pixels, interface points and particles resemble each other, so that blocks of the map
are left out one at a time, not pixels or particles. The levels are chosen by simulated coverage on
synthetic structures, see ``tests/benchmarks/field_coverage.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.stats.means import t_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from uhcs_bench.stats.means import Statistic

NOMINAL = 0.985
"""Level at which the intervals hold the mean of many fields in 93 % or more."""

FEWEST_BLOCKS = 5
"""Blocks below which there is no interval."""


def block_intervals(
    statistic: Statistic, n_blocks: int, level: float = NOMINAL
) -> NDArray[np.float64]:
    """Return jackknife intervals of statistics of weighted blocks.

    One block is left out at a time; the scatter of the statistic gives its standard error [1]_, and
    Student's t with one degree of freedom less than there are blocks gives the interval.

    Parameters
    ----------
    statistic : callable
        Takes weights of shape (k, n_blocks) and gives the statistics of each, shape (k, m).
    n_blocks : int
    level : float, optional
        Nominal confidence.

    Returns
    -------
    ndarray of float64, shape (m, 2)
        Lower and upper end; NaN where the statistic is undefined with or without one of the blocks,
        and for fewer than `FEWEST_BLOCKS` blocks.

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani (1993), An Introduction to the Bootstrap, chapter 11.

    Examples
    --------
    Of a mean it is Student's interval of the blocks' values:

    >>> values = np.array([0.2, 0.4, 0.4, 0.6, 0.9])
    >>> block_intervals(lambda w: (w @ values / w.sum(1))[:, np.newaxis], 5, level=0.95).round(3)
    array([[0.171, 0.829]])
    """
    whole = statistic(np.ones((1, n_blocks)))[0]
    if n_blocks < FEWEST_BLOCKS:
        return np.full((len(whole), 2), np.nan)
    without_one = statistic(1.0 - np.eye(n_blocks))
    scatter = ((without_one - without_one.mean(0)) ** 2).sum(0)
    reach = t_quantile(level, n_blocks - 1) * np.sqrt(scatter * (n_blocks - 1) / n_blocks)
    return np.stack([whole - reach, whole + reach], axis=1)


def block_quantile_levels(
    up_to: ArrayLike, total: ArrayLike, shares: ArrayLike, level: float = NOMINAL
) -> NDArray[np.float64]:
    """Return the shares between whose quantiles the quantiles of some shares lie.

    The interval of the share of weight up to a quantile is turned into one of the quantile
    (Woodruff [1]_): quantiles of lengths on a pixel grid jump from one value to the next, so that
    their own scatter says little.

    Parameters
    ----------
    up_to : array_like, shape (k, m, n_blocks)
        Weight of each block up to each quantile, in one or several readings (with and without the
        values equal to it); the reading that scatters most counts.
    total : array_like, shape (n_blocks,)
        Weight of each block.
    shares : array_like, shape (k,)
        Shares of the quantiles, 0.5 for the median.
    level : float, optional
        Nominal confidence.

    Returns
    -------
    ndarray of float64, shape (k, 2)
        Lower and upper share, in [0, 1]; NaN for fewer than `FEWEST_BLOCKS` blocks.

    References
    ----------
    .. [1] R. S. Woodruff (1952), J. Am. Stat. Assoc. 47, 635-646.

    Examples
    --------
    >>> block_quantile_levels([[[1, 3, 2, 1, 3]]], [4, 4, 4, 4, 4], [0.5], level=0.95).round(3)
    array([[0.19, 0.81]])
    """
    parts, whole = np.asarray(up_to, float), np.asarray(total, float)
    centre = np.asarray(shares, float)[:, np.newaxis]
    flat = parts.reshape(-1, len(whole))

    def readings(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(weights @ flat.T / (weights @ whole)[:, np.newaxis])

    ends = block_intervals(readings, len(whole), level).reshape(*parts.shape[:2], 2)
    reach = (ends[..., 1] - ends[..., 0]).max(axis=1, keepdims=True) / 2
    ends = np.concatenate([centre - reach, centre + reach], axis=1)
    return np.asarray(np.clip(ends, 0.0, 1.0))
