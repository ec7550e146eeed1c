"""Tests between all pairs of methods, by micrograph and by fold, and the ranks that they leave.

Each micrograph gives one difference between two methods. The exact permutation test takes the
micrographs as its unit, as if each had been predicted by a model of its own. In truth the
micrographs of a fold share one model, so that Student's t test of the folds' mean differences
stands beside it. Both are corrected by Holm's method for the number of pairs. A rank is a range,
the wider one of the two that the tests leave.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.stats.differences import agreeing, difference_interval, paired_t_p_values
from uhcs_bench.stats.paired import holm, sign_flip_p_values, sign_flips_exceed
from uhcs_bench.stats.ranks import rank_range, wider_rank_range
from uhcs_bench.stats.undefined import none_if_nan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from uhcs_bench.ranking.result_cache import Cache

    Values = NDArray[np.float64]

MOST_LISTED = 20
"""Methods up to which all pairs are listed; of more, those of neighbours in the first score."""

LEVEL = 1 - protocol.CONFIDENCE

_DIGITS = 24


@dataclass(frozen=True)
class Ranks:
    """Places that a method can have in one score.

    Attributes
    ----------
    best, worst : int
        The wider range of the two below.
    by_micrograph, by_fold : tuple of int
        Best and worst place that the test of this unit leaves.
    """

    best: int
    worst: int
    by_micrograph: tuple[int, int]
    by_fold: tuple[int, int]

    def __str__(self) -> str:
        return range_text(self.best, self.worst)


def range_text(best: int, worst: int) -> str:
    """Write a range of places.

    Examples
    --------
    >>> range_text(1, 2), range_text(3, 3)
    ('1-2', '3')
    """
    return str(best) if best == worst else f"{best}-{worst}"


@dataclass(frozen=True)
class Pair:
    """Two methods in one score, the one with the better mean first.

    Attributes
    ----------
    better, worse : str
        Slugs of their entries.
    metric : str
    difference : float
        By how much the first one is better, on average over micrographs; at least 0.
    ci95 : tuple of float, or None
        Interval of the difference, see `uhcs_bench.stats.differences.difference_interval`;
        stretched to 0 where one of the tests does not reject 0.
    p_micrographs, p_folds : float
        Of both tests, corrected by Holm's method for the number of pairs.
    n, n_folds : int
        Micrographs on which both have the score, and their folds.
    """

    better: str
    worse: str
    metric: str
    difference: float
    ci95: tuple[float, float] | None
    p_micrographs: float
    p_folds: float
    n: int
    n_folds: int

    @property
    def separable_by(self) -> tuple[str, ...]:
        """Units whose test finds the two significantly different."""
        tests = (("micrographs", self.p_micrographs), ("folds", self.p_folds))
        return tuple(unit for unit, p_value in tests if p_value < LEVEL)


class PairTests:
    """Tests between all pairs of methods in one score.

    Parameters
    ----------
    metric : str
    values : mapping of str to ndarray of float64, shape (n_micrographs,)
        By slug, the methods' scores; more is better. NaN where undefined.
    folds : sequence of int
        Of each micrograph.
    cache : Cache, optional
        Where the p-values of more than `MOST_LISTED` methods are kept, so that one more method
        takes the tests of its own pairs.

    Examples
    --------
    Twelve micrographs in three folds, where b is better on each:

    >>> rng = np.random.default_rng(0)
    >>> a = rng.normal(0.7, 0.05, 12)
    >>> tests = PairTests("IU", {"a": a, "b": a + rng.normal(0.1, 0.01, 12)}, [0, 1, 2] * 4)
    >>> str(tests.ranks("b")), str(tests.ranks("a"))
    ('1', '2')
    >>> [(pair.better, pair.worse) for pair in tests.pairs()]
    [('b', 'a')]
    """

    def __init__(
        self,
        metric: str,
        values: Mapping[str, Values],
        folds: Sequence[int],
        cache: Cache | None = None,
    ) -> None:
        self.metric = metric
        # In an order that does not depend on other methods, so that what is kept is found again.
        digests = {name: _digest(scores, folds) for name, scores in values.items()}
        values = {name: values[name] for name in sorted(values, key=lambda name: digests[name])}
        self.names = list(values)
        self._digests = [digests[name] for name in self.names]
        self._is_large = len(values) > MOST_LISTED
        self._cache = cache if self._is_large else None
        self._values = np.array([*values.values()], float).reshape(len(values), -1)
        self._folds = np.asarray(folds)
        n = len(self.names)
        above = np.triu_indices(n, 1)
        self._means = np.full((n, n), np.nan)
        p_values = {unit: np.ones((n, n)) for unit in ("micrographs", "folds")}
        # Row by row: the differences of all pairs at once would not fit into memory.
        for row in range(n - 1):
            means, *both = self._row(row)
            self._means[row, row + 1 :] = means
            for unit, found in zip(("micrographs", "folds"), both, strict=True):
                p_values[unit][row, row + 1 :] = found
        self._settle(p_values["micrographs"])
        self._p = {}
        for unit, table in p_values.items():
            corrected = np.ones((n, n))
            corrected[above] = holm(table[above].tolist())
            self._p[unit] = np.minimum(corrected, corrected.T)
        self._means = np.where(np.isnan(self._means), -self._means.T, self._means)
        self._better = {
            unit: (self._p[unit] < LEVEL) & (self._means > 0) for unit in ("micrographs", "folds")
        }

    def _row(self, row: int) -> tuple[Values, Values, Values]:
        """Compare a method with those after it; p-values that are kept are looked up."""
        differences = self._values[row] - self._values[row + 1 :]
        with np.errstate(invalid="ignore"):
            counts = (~np.isnan(differences)).sum(axis=1)
            means = np.nansum(differences, axis=1) / np.maximum(counts, 1)
        others = self._digests[row + 1 :]
        kept = self._cache.get("pairs", [self._digests[row]]) if self._cache is not None else None
        known: dict[str, list[float | None]] = kept or {}
        new = [place for place, other in enumerate(others) if other not in known]
        if new:
            p_values = zip(*self._tested(differences[new]), strict=True)
            known |= {
                others[place]: [none_if_nan(p) for p in both]
                for place, both in zip(new, p_values, strict=True)
            }
            if self._cache is not None:
                self._cache.put("pairs", [self._digests[row]], known)
        by_micrograph, by_fold = np.array([known[other] for other in others], float).T
        return means, by_micrograph, by_fold

    def _settle(self, p_values: Values) -> None:
        """Replace the p-values that are known to be above `LEVEL` alone, in place.

        Where at least 1 / `LEVEL` pairs are above it, Holm's method makes all of those 1; where
        fewer are, they are few enough to be computed.
        """
        rows, others = np.nonzero(np.isnan(p_values))
        above = np.triu(np.isnan(p_values) | (p_values > LEVEL), 1)
        if above.sum() * LEVEL >= 1:
            p_values[rows, others] = 1
        elif len(rows):
            differences = self._values[rows] - self._values[others]
            p_values[rows, others] = self._tested(differences, exact=True)[0]

    def _tested(self, differences: Values, *, exact: bool = False) -> tuple[Values, Values]:
        """P-value by micrograph and p-value by fold of each row of differences.

        Of a large board the first is NaN where it is certainly above `LEVEL`, unless `exact`.
        """
        by_micrograph, by_fold = np.ones((2, len(differences)))
        defined = ~np.isnan(differences)
        for pattern in np.unique(defined, axis=0):
            rows = np.flatnonzero((defined == pattern).all(axis=1))
            if not pattern.any():
                continue
            alike = differences[np.ix_(rows, np.flatnonzero(pattern))]
            folds = self._folds[pattern]
            by_micrograph[rows] = self._sign_flips(alike, exact=exact or not self._is_large)
            by_fold[rows] = paired_t_p_values(
                np.stack([alike[:, folds == fold].mean(axis=1) for fold in np.unique(folds)], 1)
            )
        return by_micrograph, by_fold

    @staticmethod
    def _sign_flips(differences: Values, *, exact: bool) -> Values:
        if exact:
            return sign_flip_p_values(differences)
        p_values = np.full(len(differences), np.nan)
        needed = ~sign_flips_exceed(differences, LEVEL)
        p_values[needed] = sign_flip_p_values(differences[needed])
        return p_values

    def ranks(self, name: str) -> Ranks:
        """Give the places that a method can have."""
        place = self.names.index(name)
        # `stats.ranks` counts pairs; of a large board it gets those of one method.
        by_unit = {
            unit: {
                *((self.names[other], name) for other in np.flatnonzero(better[:, place])),
                *((name, self.names[other]) for other in np.flatnonzero(better[place])),
            }
            for unit, better in self._better.items()
        }
        best, worst = wider_rank_range(name, self.names, list(by_unit.values()))
        by_micrograph, by_fold = (rank_range(name, self.names, pairs) for pairs in by_unit.values())
        return Ranks(best, worst, by_micrograph, by_fold)

    def pairs(self) -> Iterator[Pair]:
        """List pairs, those of the better methods first.

        Yields
        ------
        Pair
            All of them, or of more than `MOST_LISTED` methods those of neighbours.
        """
        with np.errstate(invalid="ignore"):
            order = np.argsort(-np.nan_to_num(np.nanmean(self._values, axis=1)), kind="stable")
        is_short = len(order) <= MOST_LISTED
        for place, first in enumerate(order):
            others = order[place + 1 :] if is_short else order[place + 1 : place + 2]
            for other in others:
                yield self._pair(int(first), int(other))

    def _pair(self, first: int, other: int) -> Pair:
        if self._means[first, other] < 0:  # where both have the score, the other one is better
            first, other = other, first
        differences = self._values[first] - self._values[other]
        defined = ~np.isnan(differences)
        p_micrographs, p_folds = (
            float(self._p[unit][first, other]) for unit in ("micrographs", "folds")
        )
        interval = None
        if defined.any():
            is_verdict = self.metric == "KS"
            interval = difference_interval(differences[defined], verdicts=is_verdict)
        return Pair(
            better=self.names[first],
            worse=self.names[other],
            metric=self.metric,
            difference=float(self._means[first, other]),
            ci95=agreeing(interval, rejected=max(p_micrographs, p_folds) < LEVEL),
            p_micrographs=p_micrographs,
            p_folds=p_folds,
            n=int(defined.sum()),
            n_folds=len(set(self._folds[defined].tolist())),
        )


def _digest(scores: Values, folds: Sequence[int]) -> str:
    """Name a method by its scores, for the cache."""
    digest = hashlib.sha256(np.ascontiguousarray(scores, np.float64).tobytes())
    digest.update(np.asarray(folds, np.int64).tobytes())
    return digest.hexdigest()[:_DIGITS]
