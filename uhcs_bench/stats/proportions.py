"""Ratios and shares, with confidence intervals of shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.stats import beta

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def ratio(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    """Divide, giving NaN for 0 / 0: a share of nothing is undefined.

    Examples
    --------
    >>> ratio([1, 0], [2, 0])
    array([0.5, nan])
    """
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN on purpose
        return np.asarray(np.true_divide(part, whole))


def proportion_interval(n_hits: int, n: int) -> tuple[float, float]:
    """Return the exact confidence interval of a proportion, by Clopper and Pearson [1]_.

    It holds the proportion in at least the protocol's 95 %, whatever the proportion is; Wilson's
    score interval holds one near 0 or 1 in 84 % at n = 24. It does not shrink to a point where no
    micrograph, or every one, hits.

    Parameters
    ----------
    n_hits, n : int

    Returns
    -------
    tuple of float
        Lower and upper end at the protocol's confidence.

    References
    ----------
    .. [1] C. J. Clopper, E. S. Pearson (1934), Biometrika 26, 404-413.

    Examples
    --------
    >>> low, high = proportion_interval(0, 24)
    >>> round(low, 3), round(high, 3)
    (0.0, 0.142)
    """
    tail = (1 - protocol.CONFIDENCE) / 2
    low = beta.quantile(tail, n_hits, n - n_hits + 1) if n_hits else 0.0
    high = beta.quantile(1 - tail, n_hits + 1, n - n_hits) if n_hits < n else 1.0
    return low, high
