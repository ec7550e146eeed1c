"""The leaderboard: entries scored from their label maps, and ranked.

Methods are ranked by paired tests and not by means, see `uhcs_bench.ranking.pair_tests`: by
intersection over union and accuracy, by the distance of particle sizes, and by how near they come
to what is measured on the maps, see `uhcs_bench.ranking.fit`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from uhcs_bench import executors, paper, protocol
from uhcs_bench.ranking import fit, run_scores
from uhcs_bench.ranking.annotator_agreement import annotator_agreement
from uhcs_bench.ranking.entries import declaration, entry
from uhcs_bench.ranking.entries.declaration import EntryError
from uhcs_bench.ranking.pair_tests import MOST_LISTED, Pair, PairTests, Ranks
from uhcs_bench.ranking.split_changes import Comparison, compare_splits
from uhcs_bench.scoring.conventions import estimates
from uhcs_bench.stats.runs import mean_of_runs, seed_spread
from uhcs_bench.stats.undefined import none_if_nan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from uhcs_bench.ranking.entries.entry import LeaderboardEntry, TaskMaps
    from uhcs_bench.ranking.result_cache import Cache
    from uhcs_bench.ranking.run_scores import RunScore, Truth
    from uhcs_bench.scoring.results import MeanScore, MicrographScore, TaskScore
    from uhcs_bench.stats.runs import SeedSpread


@dataclass(frozen=True)
class Metric:
    """A score that methods are ranked by.

    Attributes
    ----------
    name : str
        Key, and heading of its column.
    meaning : str
        In a sentence's words.
    better : {'higher', 'lower'}
    unit : {'%', ''}
        Percent for fractions.
    kind : str
        Of its intervals, see `uhcs_bench.scoring.coverage`.
    pick : callable or None
        Gives a micrograph's value; None for the fit to measure.
    of_particles : bool
        Whether single particles must be annotated.
    """

    name: str
    meaning: str
    better: Literal["higher", "lower"]
    unit: Literal["%", ""]
    kind: str
    pick: Callable[[MicrographScore], float | None] | None
    of_particles: bool = False


def _size_distance(image: MicrographScore) -> float:
    """Give D, 1 where one map alone has particles: no two distributions are further apart."""
    test = image.psd
    if test is None or test.ks_statistic is None:
        return 0.0 if test is not None and test.consistent else 1.0
    return test.ks_statistic


METRICS = (
    Metric("IU", "intersection over union", "higher", "%", "IU", lambda image: image.IU),
    Metric("AC", "share of correct pixels", "higher", "%", "AC", lambda image: image.AC),
    Metric(
        "D",
        "largest distance of the size distributions",
        "lower",
        "",
        "sizes.ks_distance",
        _size_distance,
        True,
    ),
    Metric(
        "fit", "share of the measures within 20 % of the annotation's", "higher", "%", "fit", None
    ),
)
"""In the order of the columns; tables are sorted by the first."""


@dataclass(frozen=True)
class Row:
    """An entry on one task.

    Attributes
    ----------
    entry : LeaderboardEntry
    maps : TaskMaps
    runs : tuple of RunScore
        Empty where label maps are missing.
    score : TaskScore or None
        Mean of the runs; None without them.
    values : dict of str to ndarray of float64, shape (n_runs, n_micrographs)
        By the names of `METRICS`.
    fits : dict of str to Fit
        By measure.
    ranks : dict of str to Ranks
        By the names of `METRICS`; empty for a row that has no rank.
    """

    entry: LeaderboardEntry
    maps: TaskMaps
    runs: tuple[RunScore, ...] = ()
    score: TaskScore | None = None
    values: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    fits: dict[str, fit.Fit] = field(default_factory=dict)
    ranks: dict[str, Ranks] = field(default_factory=dict)

    @property
    def result(self) -> TaskScore:
        """The scores of a row that has them."""
        if self.score is None:
            raise ValueError(f"{self.entry.slug} has no scores on {self.maps.task.name}")
        return self.score

    def mean(self, metric: str) -> MeanScore:
        """Mean of a score over micrographs, with its interval."""
        return self._estimate(mean_of_runs(self.values[metric]), (0.0, 1.0))

    def micrographs(self, metric: str) -> list[float | None]:
        """Give a score of each micrograph, the mean over runs; None where undefined."""
        values = mean_of_runs(self.values[metric])
        return [none_if_nan(value) for value in values]

    def size_distances_px(self) -> NDArray[np.float64]:
        """Wasserstein distance of the particles' diameters on each micrograph, in pixels."""
        picked = run_scores.values_of(
            self.runs, lambda image: image.measures["sizes"]["wasserstein_px"]
        )
        return mean_of_runs(picked)

    def size_distance_px(self) -> MeanScore:
        """Mean of `size_distances_px`, with its interval."""
        return self._estimate(self.size_distances_px(), (0.0, np.inf))

    def _estimate(self, values: NDArray[np.float64], within: tuple[float, float]) -> MeanScore:
        (found,) = estimates(values[:, np.newaxis], self.result.samples, within)
        return found

    def not_rejected(self) -> list[int]:
        """Micrographs on which the test of sizes does not reject equality, in each run."""
        return [run.score.psd.n_consistent for run in self.runs if run.score.psd is not None]

    def seeds(self, metric: str) -> SeedSpread | None:
        """Spread of a score between runs; None for a single one."""
        return seed_spread(self.values[metric]) if len(self.runs) > 1 else None


@dataclass(frozen=True)
class Group:
    """Entries that can be compared: one task, one version of the annotations, one split.

    Attributes
    ----------
    task : Task
    version, split : str
    expected : tuple of registry.Entry
        The micrographs, in the order of the folds.
    truth : Truth or None
        The annotations; None where no entry has scores.
    ranked, retired, unfinished : list of Row
        Of the first, the highest mean IU first.
    reported : list of paper.Reported
        Numbers of the paper, whose label maps are not public.
    pairs : list of Pair
        Of ranked rows, see `uhcs_bench.ranking.pair_tests.PairTests.pairs`.
    annotator_agreement : dict or None
        See `uhcs_bench.ranking.annotator_agreement`.
    """

    task: protocol.Task
    version: protocol.Version
    split: protocol.Split
    expected: tuple[Any, ...]
    truth: Truth | None
    ranked: list[Row]
    retired: list[Row]
    unfinished: list[Row]
    reported: list[paper.Reported]
    pairs: list[Pair]
    annotator_agreement: dict[str, Any] | None

    @property
    def n_images(self) -> int:
        """Number of micrographs."""
        return len(self.expected)

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return len({micrograph.fold for micrograph in self.expected})

    @property
    def anchor(self) -> str:
        """Name in addresses."""
        return f"{self.task.name}-{self.version}-{self.split}".replace(".", "-")

    @property
    def scored(self) -> list[Row]:
        """All rows with scores."""
        return [*self.ranked, *self.retired]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Those of `METRICS` that the task has."""
        return tuple(m for m in METRICS if self.task.has_particles or not m.of_particles)

    @property
    def measures(self) -> tuple[fit.Measure, ...]:
        """What is measured on its maps."""
        return fit.MEASURES[self.task.name]


@dataclass(frozen=True)
class LeftOut:
    """An entry that is not on the board, since something is wrong with it."""

    slug: str
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Board:
    """All entries, scored.

    Attributes
    ----------
    entries : list of LeaderboardEntry
        By slug.
    groups : list of Group
        By task, version and split.
    left_out : list of LeftOut
    split_comparisons : list of Comparison
        What other splits do to the scores of methods that were run on several.
    """

    entries: list[LeaderboardEntry]
    groups: list[Group]
    left_out: list[LeftOut]
    split_comparisons: list[Comparison]


def read_entries(
    folder: Path, cache: Cache | None = None, workers: int = 1
) -> tuple[list[LeaderboardEntry], list[LeftOut]]:
    """Read all entries of a folder.

    Parameters
    ----------
    folder : Path
        Each folder in it is an entry, but for hidden ones without an ``entry.yaml``.
    cache : Cache, optional
        See `uhcs_bench.ranking.entries.entry.read_entry`.
    workers : int, optional
        Processes to read in, at most.

    Returns
    -------
    entries : list of LeaderboardEntry
        Those with which nothing is wrong, by slug.
    left_out : list of LeftOut
        The others, with all that is wrong with them.

    Raises
    ------
    EntryError
        If there is no folder in it, or entries of one scope share a name: a board without them
        would drop a method because of another entry.
    """
    if not folder.is_dir():
        raise _no_entries(folder, "the folder does not exist")
    paths = sorted(path for path in folder.iterdir() if path.is_dir() and _may_be_entry(path))
    if not paths:
        raise _no_entries(folder, "it has no folder in it")
    read = executors.in_order(partial(_read, cache=cache), paths, workers)
    entries = [found for found in read if not isinstance(found, LeftOut)]
    left_out = [found for found in read if isinstance(found, LeftOut)]
    shared = [
        f"{' and '.join(slugs)} have the same name; readers can't tell them apart, so give all but "
        "one another name"
        for slugs in _shared_names(entries)
    ]
    if shared:
        problems = [f"{found.slug}: {text}" for found in left_out for text in found.problems]
        summary = "holds entries of one name (nothing was written)"
        raise EntryError(str(folder), [*shared, *problems], summary)
    return entries, sorted(left_out, key=lambda found: found.slug)


def _may_be_entry(path: Path) -> bool:
    return not path.name.startswith(".") or (path / declaration.FILE_NAME).exists()


def _read(path: Path, cache: Cache | None) -> LeaderboardEntry | LeftOut:
    try:
        return entry.read_entry(path, cache)
    except EntryError as error:
        return LeftOut(declaration.shown(path.name), error.problems)


def _shared_names(entries: Iterable[LeaderboardEntry]) -> Iterator[list[str]]:
    """Find entries that would stand in one table under one name."""
    slugs: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for found in entries:
        slugs[found.plain_name, found.version, found.split].append(found.slug)
    for sharing in slugs.values():
        if len(sharing) > 1:
            yield sharing


def _no_entries(folder: Path, reason: str) -> EntryError:
    advice = "--entries names another folder, uhcs-bench submit makes an entry"
    return EntryError(str(folder), [f"{reason}; {advice}"], "holds no entries")


def build(
    entries: Sequence[LeaderboardEntry],
    left_out: Sequence[LeftOut] = (),
    cache: Cache | None = None,
    workers: int = 1,
) -> Board:
    """Score entries against the annotations, and rank them.

    The label maps of one run are in the memory of a process at a time.

    Parameters
    ----------
    entries : sequence of LeaderboardEntry
    left_out : sequence of LeftOut, optional
        Named on the board.
    cache : Cache, optional
        Where scores are looked up. By default all are computed.
    workers : int, optional
        Processes to score in, at most. The board is the same for any number of them.

    Returns
    -------
    Board

    Raises
    ------
    DataUnavailableError
        If the annotations could not be had from any source.
    """
    scopes = list(protocol.VERSIONS), list(protocol.SPLITS)

    def scope(found: LeaderboardEntry) -> tuple[int, int]:
        return scopes[0].index(found.version), scopes[1].index(found.split)

    outlines = [
        _Outline(task, list(members), cache)
        for task in protocol.TASKS.values()
        for _, members in groupby(
            sorted((found for found in entries if task.name in found.tasks), key=scope), key=scope
        )
    ]
    jobs = [job for outline in outlines for job in outline.jobs]
    scores = iter(run_scores.run_scores(jobs, cache, workers))
    groups = [_group(outline, [next(scores) for _ in outline.jobs], cache) for outline in outlines]
    return Board(list(entries), groups, list(left_out), compare_splits(groups))


# Scores and ranks


class _Outline:
    """A group before its runs are scored."""

    def __init__(
        self, task: protocol.Task, members: list[LeaderboardEntry], cache: Cache | None
    ) -> None:
        self.task = task
        self.members = members
        complete = [found for found in members if found.tasks[task.name].complete]
        self.truth = (
            run_scores.truth(complete[0], complete[0].tasks[task.name], cache) if complete else None
        )
        self.jobs = [
            run_scores.Job((found.version, found.split), maps, run, self.truth)
            for found in complete
            for maps in [found.tasks[task.name]]
            for run in maps.runs
            if self.truth is not None
        ]


def _group(outline: _Outline, scores: Sequence[RunScore], cache: Cache | None) -> Group:
    task, members = outline.task, outline.members
    first = members[0]
    maps = first.tasks[task.name]
    annotated = outline.truth
    left = iter(scores)
    rows = [
        _row(found, own, annotated, [next(left) for _ in own.runs] if own.complete else [])
        for found in members
        for own in [found.tasks[task.name]]
    ]
    ranked = [row for row in rows if row.maps.status == "active"]
    pairs: list[Pair] = []
    folds = [micrograph.fold for micrograph in maps.expected]
    for metric in METRICS:
        if ranked and (task.has_particles or not metric.of_particles):
            pairs += _rank(ranked, metric, folds, cache)
    is_papers = (first.version, first.split) == (protocol.REAL_VERSION, protocol.PAPER_SPLIT)
    return Group(
        task=task,
        version=first.version,
        split=first.split,
        expected=maps.expected,
        truth=annotated,
        ranked=sorted(ranked, key=_first_score, reverse=True),
        retired=[row for row in rows if row.maps.status == "retired"],
        unfinished=[row for row in rows if row.maps.status == "incomplete"],
        reported=paper.reported(task.name) if is_papers else [],
        pairs=pairs,
        annotator_agreement=annotator_agreement(task.name, first.version, cache)
        if annotated
        else None,
    )


def _rank(
    rows: Sequence[Row], metric: Metric, folds: Sequence[int], cache: Cache | None
) -> list[Pair]:
    """Rank rows by a score, and list their pairs."""
    sign = 1 if metric.better == "higher" else -1
    tests = PairTests(
        metric.name,
        {row.entry.slug: sign * mean_of_runs(row.values[metric.name]) for row in rows},
        folds,
        cache,
    )
    for row in rows:
        row.ranks[metric.name] = tests.ranks(row.entry.slug)
    is_listed = len(rows) <= MOST_LISTED or metric == METRICS[0]
    return list(tests.pairs()) if is_listed else []


def _first_score(row: Row) -> float:
    means = row.result.conventions["paper"]
    return getattr(means, METRICS[0].name).mean or 0.0


def _row(
    found: LeaderboardEntry, maps: TaskMaps, annotated: Truth | None, runs: Sequence[RunScore]
) -> Row:
    if annotated is None or not runs:
        return Row(found, maps)
    errors = {
        measure.name: np.array(
            [
                fit.relative_errors(annotated.measured[measure.name], run.measured[measure.name])
                for run in runs
            ]
        )
        for measure in fit.MEASURES[maps.task.name]
    }
    values = {
        metric.name: run_scores.values_of(runs, metric.pick)
        if metric.pick is not None
        else fit.share_within(np.array([*errors.values()]))
        for metric in METRICS
        if maps.task.has_particles or not metric.of_particles
    }
    return Row(
        entry=found,
        maps=maps,
        runs=tuple(runs),
        score=run_scores.mean_of_runs(runs, maps.task.classes),
        values=values,
        fits={name: fit.summary(found_errors) for name, found_errors in errors.items()},
    )
