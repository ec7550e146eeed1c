"""Tests of paired differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


def sign_flip_p_value(differences: ArrayLike) -> float:
    """Exact two-sided permutation test of paired differences.

    If the two submissions were exchangeable, each difference could as well have the other sign.
    The p-value is the share of all 2^n patterns of signs whose sum is at least as far from zero as
    the one seen (R. A. Fisher, "The design of experiments", 1935). All of them are counted, by
    meeting in the middle: the sums of one half of the differences are looked up among those of the
    other half.

    Parameters
    ----------
    differences : array_like, shape (n,)

    Returns
    -------
    float
        Not below 2^(1 - n).

    Examples
    --------
    >>> sign_flip_p_value([3, 1, 2, 2])
    0.125
    """
    values = np.asarray(differences, float)
    observed = abs(values.sum())
    # Sums of the same numbers in another order may differ in the last digits.
    threshold = observed - 1e-9 * np.abs(values).sum()
    if threshold <= 0:
        return 1.0
    half = len(values) // 2
    some, others = _signed_sums(values[:half]), np.sort(_signed_sums(values[half:]))
    above = len(others) - np.searchsorted(others, threshold - some, side="left")
    below = np.searchsorted(others, -threshold - some, side="right")
    return float((above.sum() + below.sum()) / (len(some) * len(others)))


def _signed_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (S. Holm, Scand. J. Statist. 6, 1979).

    Parameters
    ----------
    p_values : sequence of float

    Returns
    -------
    list of float
        In the same order, each at most 1.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    scaled = np.asarray(p_values, float)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return corrected.tolist()
