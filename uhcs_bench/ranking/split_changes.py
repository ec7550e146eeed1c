"""What another split does to a method's scores, on the micrographs that both splits have.

A split keeps other micrographs from the training. A method that was run on two splits has been
scored twice on each micrograph that both have, so that the difference tells what the training
micrographs that one split leaves out are worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.ranking.pair_tests import LEVEL
from uhcs_bench.stats.differences import (
    agreeing,
    difference_interval,
    fold_means,
    paired_t_p_value,
)
from uhcs_bench.stats.paired import holm, sign_flip_p_value
from uhcs_bench.stats.runs import mean_of_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from uhcs_bench import protocol
    from uhcs_bench.ranking.board import Group, Metric, Row
    from uhcs_bench.ranking.entries.entry import LeaderboardEntry


@dataclass(frozen=True)
class Step:
    """Two splits that are compared.

    Attributes
    ----------
    easier, harder : str
    question : str
        What the comparison answers, as a heading.
    meaning : str
        In which way the training of the two differs, as a sentence.
    """

    easier: protocol.Split
    harder: protocol.Split
    question: str
    meaning: str


STEPS = (
    Step(
        "paper",
        "clean",
        "What the leaks of the paper's folds are worth",
        "Models of paper may have been trained on a micrograph that shows what a validation "
        "micrograph shows, models of clean have not.",
    ),
    Step(
        "clean",
        "grouped",
        "What a new sample costs",
        "Models of clean may have been trained on other micrographs of the same heat-treated "
        "sample, models of grouped have not.",
    ),
    Step(
        "paper",
        "grouped",
        "From the paper's folds to a new sample",
        "Models of paper may have been trained on a micrograph that shows what a validation "
        "micrograph shows, and on others of its sample, models of grouped have not.",
    ),
)


@dataclass(frozen=True)
class SplitChange:
    """A score of one method on two splits.

    Attributes
    ----------
    name : str
        Of the method.
    easier, harder : str
        Slugs of its entries on the two splits.
    metric : str
    means : tuple of float
        On the easier and on the harder split, over the micrographs that both have.
    difference : float
        The second mean less the first.
    ci95 : tuple of float, or None
        Interval of the difference, see `uhcs_bench.stats.differences.difference_interval`;
        stretched to 0 where one of the tests does not reject 0.
    p_micrographs, p_folds : float
        Of the exact permutation test of micrographs, and of Student's t test of the harder split's
        folds; corrected by Holm's method for the number of methods.
    n, n_folds : int
        Micrographs, and folds of the harder split, that have the score.
    """

    name: str
    easier: str
    harder: str
    metric: str
    means: tuple[float, float]
    difference: float
    ci95: tuple[float, float] | None
    p_micrographs: float
    p_folds: float
    n: int
    n_folds: int


@dataclass(frozen=True)
class Comparison:
    """All methods that were run on both splits of a step.

    Attributes
    ----------
    step : Step
    task, version : str
    n_images : int
        Micrographs that both splits have.
    n_training : tuple of tuple of int
        Of the easier and of the harder split, the fewest and the most training micrographs of a
        fold.
    changes : list of SplitChange
        By method, in the order of the easier split's ranks, and by score.
    """

    step: Step
    task: str
    version: str
    n_images: int
    n_training: tuple[tuple[int, int], tuple[int, int]]
    changes: list[SplitChange]

    @property
    def controls(self) -> list[str]:
        """Methods of which no score changes at all, since nothing is trained."""
        changed = {change.name for change in self.changes if change.difference != 0}
        names = dict.fromkeys(change.name for change in self.changes)
        return [name for name in names if name not in changed]

    @property
    def anchor(self) -> str:
        """Name in addresses."""
        parts = (self.task, self.version, self.step.easier, self.step.harder)
        return "-".join(parts).replace(".", "-")


def compare_splits(groups: Sequence[Group]) -> list[Comparison]:
    """Compare the splits on which methods were run.

    Parameters
    ----------
    groups : sequence of Group
        Of one board.

    Returns
    -------
    list of Comparison
        By task, version and step; those without a method on both splits are left out. Entries are
        of one method where name and authors are the same.
    """
    found: list[Comparison] = []
    by_scope = {(group.task.name, group.version, group.split): group for group in groups}
    for task, version in dict.fromkeys((group.task.name, group.version) for group in groups):
        for step in STEPS:
            easier, harder = (
                by_scope.get((task, version, split)) for split in (step.easier, step.harder)
            )
            if easier is not None and harder is not None:
                comparison = _compare(step, easier, harder)
                found += [] if comparison is None else [comparison]
    return found


def _compare(step: Step, easier: Group, harder: Group) -> Comparison | None:
    """Compare two groups; None where no method, or no micrograph, is in both."""
    places = {micrograph.id: place for place, micrograph in enumerate(easier.expected)}
    shared = [
        (places[micrograph.id], place)
        for place, micrograph in enumerate(harder.expected)
        if micrograph.id in places
    ]
    partners = {_method(row.entry): row for row in harder.ranked}
    pairs = [
        (row, partners[_method(row.entry)])
        for row in easier.ranked
        if _method(row.entry) in partners
    ]
    if not pairs or not shared:
        return None
    first, second = np.array(shared).T
    folds = np.array([micrograph.fold for micrograph in harder.expected])[second]
    by_metric = [_changes(metric, pairs, (first, second), folds) for metric in easier.metrics]
    return Comparison(
        step=step,
        task=easier.task.name,
        version=easier.version,
        n_images=len(shared),
        n_training=(_n_training(easier), _n_training(harder)),
        changes=[
            changes[place]
            for place in range(len(pairs))
            for changes in by_metric
            if place in changes
        ],
    )


def _method(found: LeaderboardEntry) -> tuple[str, ...]:
    return found.plain_name, *sorted(
        author["name"].casefold() for author in found.declaration["authors"]
    )


def _n_training(group: Group) -> tuple[int, int]:
    folds = [micrograph.fold for micrograph in group.expected]
    counts = [len(folds) - folds.count(fold) for fold in set(folds)]
    return min(counts), max(counts)


def _changes(
    metric: Metric,
    pairs: Sequence[tuple[Row, Row]],
    places: tuple[NDArray[np.int_], NDArray[np.int_]],
    folds: NDArray[np.int_],
) -> dict[int, SplitChange]:
    """Compare a score of each pair of rows, by the pair's place; without those never defined."""
    scores = [
        [
            mean_of_runs(row.values[metric.name])[chosen]
            for row, chosen in zip(pair, places, strict=True)
        ]
        for pair in pairs
    ]
    differences = [after - before for before, after in scores]
    defined = {
        place: kept for place, found in enumerate(differences) if (kept := ~np.isnan(found)).any()
    }
    by_micrograph = holm([sign_flip_p_value(differences[k][kept]) for k, kept in defined.items()])
    by_fold = holm([paired_t_p_value(fold_means(differences[k], folds)) for k in defined])
    changes = {}
    for (place, kept), *p_values in zip(defined.items(), by_micrograph, by_fold, strict=True):
        before, after = pairs[place]
        first, second = (float(found[kept].mean()) for found in scores[place])
        interval = difference_interval(differences[place][kept])
        changes[place] = SplitChange(
            name=before.entry.name,
            easier=before.entry.slug,
            harder=after.entry.slug,
            metric=metric.name,
            means=(first, second),
            difference=float(differences[place][kept].mean()),
            ci95=agreeing(interval, rejected=max(p_values) < LEVEL),
            p_micrographs=p_values[0],
            p_folds=p_values[1],
            n=int(kept.sum()),
            n_folds=len(set(folds[kept].tolist())),
        )
    return changes
