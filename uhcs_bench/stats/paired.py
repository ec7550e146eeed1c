"""Tests of paired differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

_ROUNDING = 1e-9
_AT_ONCE = 64

_PARTS = 3
_CELLS = 512 - _PARTS
"""Cells of the grid of `sign_flips_exceed`, on each side of 0: a Fourier transform of 1024 is then
enough."""


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
    return float(sign_flip_p_values(np.asarray(differences, float)[np.newaxis])[0])


def sign_flip_p_values(differences: ArrayLike) -> NDArray[np.float64]:
    """Return the p-values of `sign_flip_p_value` for many samples of the same size.

    Parameters
    ----------
    differences : array_like, shape (k, n)

    Returns
    -------
    ndarray of float64, shape (k,)

    Examples
    --------
    >>> sign_flip_p_values([[3, 1, 2, 2], [3, 1, -2, 2], [0, 0, 0, 0]])
    array([0.125, 0.5  , 1.   ])
    """
    values = np.asarray(differences, float)
    n, reach = values.shape[1], np.abs(values)
    whole = reach.sum(1)
    # Sums of the same numbers in another order may differ in the last digits.
    thresholds = np.abs(values.sum(1)) - _ROUNDING * whole
    p_values = np.ones(len(values))
    # Where all differences have one sign, only the pattern seen and its opposite reach as far.
    zero = values == 0
    clear = np.where(zero, np.inf, reach).min(1, initial=np.inf) > n * _ROUNDING * whole
    one_sided = clear & ((values >= 0).all(1) | (values <= 0).all(1)) & (whole > 0)
    p_values[one_sided] = 2.0 ** (1 + zero[one_sided].sum(1) - n)
    rest = np.flatnonzero(~one_sided & (thresholds > 0))
    for rows in np.split(rest, range(_AT_ONCE, len(rest), _AT_ONCE)):
        # Searching is four times as fast for numbers in their order.
        some, others = (
            np.sort(_signed_sums(part)) for part in (values[rows, : n // 2], values[rows, n // 2 :])
        )
        # For each pattern there is its opposite, so that counting one tail is enough.
        for row, first, second in zip(rows, some, others, strict=True):
            below = np.searchsorted(second, thresholds[row] - first, side="left")
            p_values[row] = 2 - 2 * int(below.sum()) / (len(first) * len(second))
    return p_values


def sign_flips_exceed(differences: ArrayLike, level: float) -> NDArray[np.bool_]:
    """Tell soon which p-values of `sign_flip_p_values` are certainly above a level.

    The sums of a third of the differences are rounded down to a grid. A convolution of the three
    counts then gives how many patterns reach as far as the one seen even so: a lower bound of the
    p-value, in a fraction of the time that all patterns take.

    Parameters
    ----------
    differences : array_like, shape (k, n)
    level : float

    Returns
    -------
    ndarray of bool, shape (k,)
        False for a p-value at or below the level, and for one so little above it that the grid
        doesn't show it.

    Examples
    --------
    >>> sign_flips_exceed([[3, 1, 2, 2], [3, 1, -2, 2], [0, 0, 0, 0]], level=0.2)
    array([False,  True,  True])
    """
    values = np.asarray(differences, float)
    whole = np.abs(values).sum(1)
    exceed: NDArray[np.bool_] = np.asarray((whole == 0) & (level < 1))
    rest = np.flatnonzero(whole > 0)
    for rows in np.split(rest, range(_AT_ONCE, len(rest), _AT_ONCE)):
        exceed[rows] = _lower_bounds(values[rows] / whole[rows, np.newaxis]) > level
    return exceed


def _lower_bounds(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bound the p-values of rows whose magnitudes sum to 1."""
    n_cells = 2 * (_CELLS + _PARTS)
    places = n_cells * np.arange(len(values))[:, np.newaxis]
    spectrum = np.ones((len(values), n_cells // 2 + 1), complex)
    for part in np.array_split(values, _PARTS, axis=1):
        cells = np.floor(_signed_sums(part) * _CELLS).astype(np.int64) % n_cells + places
        counts = np.bincount(cells.ravel(), minlength=places.size * n_cells)
        shares = counts.reshape(-1, n_cells) / 2 ** part.shape[1]
        spectrum *= np.fft.rfft(shares, axis=1)
    shares = np.roll(np.fft.irfft(spectrum, n_cells, axis=1), n_cells // 2, axis=1)
    # A sum of the cells is at most the sum itself, so that what reaches the next cell reaches far.
    first = np.ceil(np.abs(values.sum(1)) * _CELLS).astype(np.int64) + n_cells // 2
    tails = np.cumsum(shares[:, ::-1], axis=1)[:, ::-1]
    both = 2 * np.take_along_axis(tails, np.minimum(first, n_cells - 1)[:, np.newaxis], 1)[:, 0]
    return np.where(first < n_cells, np.minimum(both, 1), 0.0) - _ROUNDING


def _signed_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum each row in all patterns of signs."""
    sums = np.zeros((len(values), 2 ** values.shape[1]))
    for place, column in enumerate(values.T):
        n = 2**place
        sums[:, n : 2 * n] = sums[:, :n] + column[:, np.newaxis]
        sums[:, :n] -= column[:, np.newaxis]
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
