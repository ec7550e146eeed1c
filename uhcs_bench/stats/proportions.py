"""Ratios and shares, with confidence intervals of shares."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench import protocol

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
    """Confidence interval of a proportion, by Wilson's score.

    Unlike the bootstrap's it does not shrink to a point where no micrograph, or every one, hits.

    Parameters
    ----------
    n_hits, n : int

    Returns
    -------
    tuple of float
        Lower and upper end at the protocol's confidence.

    Examples
    --------
    >>> low, high = proportion_interval(0, 24)
    >>> round(low, 3), round(high, 3)
    (0.0, 0.138)
    """
    z = NormalDist().inv_cdf((1 + protocol.CONFIDENCE) / 2)
    share = n_hits / n
    centre = share + z**2 / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
