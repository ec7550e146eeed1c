"""Ranks of methods from pairwise tests, as ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

Pair = tuple[str, str]
"""The better method of two, then the worse."""


def rank_range(name: str, names: Sequence[str], better: Collection[Pair]) -> tuple[int, int]:
    """Return the places that a method can have.

    Parameters
    ----------
    name : str
        The method.
    names : sequence of str
        All methods that are ranked.
    better : collection of (str, str)
        Pairs that a test tells apart, the better method first.

    Returns
    -------
    best, worst : int
        One more than the methods that are better; their number less those that are worse.

    Examples
    --------
    >>> rank_range("b", ["a", "b", "c"], {("a", "b"), ("a", "c")})
    (2, 3)
    """
    n_better = sum(worse == name for _, worse in better)
    n_worse = sum(first == name for first, _ in better)
    return 1 + n_better, len(names) - n_worse


def wider_rank_range(
    name: str, names: Sequence[str], by_unit: Sequence[Collection[Pair]]
) -> tuple[int, int]:
    """Return the widest range of places over tests of different units.

    Parameters
    ----------
    name : str
        The method.
    names : sequence of str
        All methods that are ranked.
    by_unit : sequence of collections of (str, str)
        What the test of each unit tells apart: micrographs, folds.

    Returns
    -------
    best, worst : int
        The best place that any of the tests leaves possible, and the worst.

    Examples
    --------
    Micrographs tell a from b, folds don't:

    >>> wider_rank_range("a", ["a", "b"], [{("a", "b")}, set()])
    (1, 2)
    """
    ranges = [rank_range(name, names, better) for better in by_unit]
    return min(best for best, _ in ranges), max(worst for _, worst in ranges)
