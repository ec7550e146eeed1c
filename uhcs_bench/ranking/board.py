"""The leaderboard: entries scored from their label maps, and ranked.

Methods are ranked by paired tests and not by means. A method's rank is a range, from the number of
methods that are significantly better and the number of those that are significantly worse; methods
without a significant difference share ranks.
"""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from uhcs_bench import paper, protocol
from uhcs_bench._version import __version__
from uhcs_bench.metrics.table import OVERALL_SCORES, RANKED_SCORES
from uhcs_bench.ranking import declaration, entry
from uhcs_bench.ranking.declaration import EntryError
from uhcs_bench.scoring import comparison
from uhcs_bench.scoring import score as scoring
from uhcs_bench.scoring.submission import Submission

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from uhcs_bench.ranking.entry import LeaderboardEntry, TaskMaps
    from uhcs_bench.scoring.comparison import Difference
    from uhcs_bench.scoring.results import Report, TaskScore

SCHEMA = "uhcs-bench/leaderboard/1"

RANKED = (*(score.name for score in RANKED_SCORES), "KS")
"""Scores over all classes that methods are ranked by; KS for particles alone."""

_RANKED_BY_CLASS = tuple(score.name for score in RANKED_SCORES if score.per_class)

_DIGITS = 6
"""Decimals that are kept, so that another machine's last digits change nothing; of a p-value
significant digits, since none is zero."""


@dataclass(frozen=True)
class RankRange:
    """Places that a method can have, given what the paired tests tell apart.

    Attributes
    ----------
    best : int
        One more than the number of methods that are significantly better.
    worst : int
        The number of methods, less those that are significantly worse.
    """

    best: int
    worst: int

    def __str__(self) -> str:
        return f"{self.best}" if self.best == self.worst else f"{self.best}-{self.worst}"


@dataclass(frozen=True)
class Row:
    """An entry on one task.

    Attributes
    ----------
    entry : LeaderboardEntry
    maps : TaskMaps
    score : TaskScore or None
        None where label maps are missing.
    ranks : dict of str to RankRange
        By score, one of `RANKED`; empty for a row that has no rank.
    """

    entry: LeaderboardEntry
    maps: TaskMaps
    score: TaskScore | None
    ranks: dict[str, RankRange]

    @property
    def result(self) -> TaskScore:
        """The scores of a row that has them."""
        if self.score is None:
            raise ValueError(f"{self.entry.slug} has no scores on {self.maps.task.name}")
        return self.score


@dataclass(frozen=True)
class Group:
    """What can be compared: one task, one version of the annotations, one split.

    Attributes
    ----------
    task : Task
    version, split : str
    n_images, n_folds : int
    ranked, retired, unfinished : list of Row
        Of the first, the highest mean IU first.
    reported : list of paper.Reported
        Numbers of the paper, whose label maps are not public.
    differences : list of Difference
        Between all pairs of ranked rows, by their slugs, in the scores of `RANKED`.
    """

    task: protocol.Task
    version: protocol.Version
    split: protocol.Split
    n_images: int
    n_folds: int
    ranked: list[Row]
    retired: list[Row]
    unfinished: list[Row]
    reported: list[paper.Reported]
    differences: list[Difference]

    @property
    def anchor(self) -> str:
        """Name in addresses."""
        return f"{self.task.name}-{self.version}-{self.split}".replace(".", "-")

    @property
    def scored(self) -> list[Row]:
        """All rows with scores."""
        return [*self.ranked, *self.retired]

    @property
    def ranked_by(self) -> tuple[str, ...]:
        """Scores of `RANKED` that the task has."""
        return tuple(name for name in RANKED if name != "KS" or self.task.has_particles)


@dataclass(frozen=True)
class Board:
    """All entries, scored.

    Attributes
    ----------
    entries : list of LeaderboardEntry
        By slug.
    groups : list of Group
        By task, version and split.
    """

    entries: list[LeaderboardEntry]
    groups: list[Group]

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; those that are computed are rounded."""
        return {
            "schema": SCHEMA,
            "scorer_version": __version__,
            "conventions": protocol.CONVENTIONS,
            "entries": {found.slug: _entry_content(found) for found in self.entries},
            "groups": [_rounded(_group_content(group)) for group in self.groups],
        }

    def to_json(self) -> str:
        """Text of ``leaderboard.json``."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def read_entries(folder: Path) -> list[LeaderboardEntry]:
    """Read all entries of a folder.

    Parameters
    ----------
    folder : Path
        Each folder in it that is not hidden is an entry.

    Returns
    -------
    list of LeaderboardEntry
        By slug.

    Raises
    ------
    EntryError
        If anything is wrong with any entry; all problems of all are listed. If there is none.
    """
    entries, problems = [], []
    if not folder.is_dir():
        raise _no_entries(folder, "the folder does not exist")
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_dir():
            continue
        try:
            entries.append(entry.read_entry(path))
        except EntryError as error:
            problems += [f"{declaration.shown(path.name)}: {problem}" for problem in error.problems]
    problems += _shared_names(entries)
    if problems:
        raise EntryError(str(folder), problems, "holds entries that are not valid")
    if not entries:
        raise _no_entries(folder, "it has no folder in it")
    return entries


def _shared_names(entries: Iterable[LeaderboardEntry]) -> Iterator[str]:
    """Find entries that would stand in one table under one name."""
    slugs: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for found in entries:
        name = unicodedata.normalize("NFKC", found.name).casefold()
        slugs[name, found.version, found.split].append(found.slug)
    for sharing in slugs.values():
        if len(sharing) > 1:
            yield f"{' and '.join(sharing)}: have the same name; readers can't tell them apart"


def _no_entries(folder: Path, reason: str) -> EntryError:
    advice = "--entries names another folder, uhcs-bench submit makes an entry"
    return EntryError(str(folder), [f"{reason}; {advice}"], "holds no entries")


def build(entries: Sequence[LeaderboardEntry]) -> Board:
    """Score entries against the annotations, and rank them.

    Parameters
    ----------
    entries : sequence of LeaderboardEntry

    Returns
    -------
    Board

    Raises
    ------
    DataUnavailableError
        If the annotations could not be had from any source.
    """
    groups = []
    for task in protocol.TASKS:
        concerned = [found for found in entries if task in found.tasks]
        scopes = list(protocol.VERSIONS), list(protocol.SPLITS)

        def scope(
            found: LeaderboardEntry, scopes: tuple[list[Any], list[Any]] = scopes
        ) -> tuple[int, int]:
            return scopes[0].index(found.version), scopes[1].index(found.split)

        for _, members in groupby(sorted(concerned, key=scope), key=scope):
            groups.append(_group(protocol.TASKS[task], list(members)))
    return Board(list(entries), groups)


# Scores and ranks


def _group(task: protocol.Task, members: Sequence[LeaderboardEntry]) -> Group:
    reports = {found.slug: _scored(found, task.name) for found in members if _complete(found, task)}
    ranked_slugs = [found.slug for found in members if found.tasks[task.name].status == "active"]
    differences = _differences({slug: reports[slug] for slug in ranked_slugs})
    rows = []
    for found in members:
        report = reports.get(found.slug)
        ranks = {}
        if found.slug in ranked_slugs:
            ranks = {
                metric: rank_range(found.slug, ranked_slugs, differences, metric)
                for metric in RANKED
                if metric != "KS" or task.has_particles
            }
        score = None if report is None else report[task.name]
        rows.append(Row(found, found.tasks[task.name], score, ranks))
    first = members[0]
    expected = first.tasks[task.name].expected
    is_papers = (first.version, first.split) == (protocol.REAL_VERSION, protocol.PAPER_SPLIT)
    by_status = {
        status: [row for row in rows if row.maps.status == status]
        for status in ("active", "retired", "incomplete")
    }
    return Group(
        task=task,
        version=first.version,
        split=first.split,
        n_images=len(expected),
        n_folds=len({micrograph.fold for micrograph in expected}),
        ranked=sorted(by_status["active"], key=_first_score, reverse=True),
        retired=by_status["retired"],
        unfinished=by_status["incomplete"],
        reported=paper.reported(task.name) if is_papers else [],
        differences=differences,
    )


def _complete(found: LeaderboardEntry, task: protocol.Task) -> bool:
    return found.tasks[task.name].complete


def _first_score(row: Row) -> float:
    means = row.result.conventions["paper"]
    return getattr(means, RANKED[0]).mean or 0.0


def _scored(found: LeaderboardEntry, task: protocol.TaskName) -> Report:
    maps = found.tasks[task]
    submitted = Submission(maps.task, found.version, maps.expected, maps.maps, found.split)
    return scoring.score_submissions([submitted])


def _differences(reports: dict[str, Report]) -> list[Difference]:
    if len(reports) < 2:
        return []
    (compared,) = comparison.compare(reports).tasks
    return [d for d in compared.differences if d.class_name is None and d.metric in RANKED]


def rank_range(
    name: str, names: Sequence[str], differences: Iterable[Difference], metric: str
) -> RankRange:
    """Find the places that a method can have.

    Parameters
    ----------
    name : str
        The method.
    names : sequence of str
        All methods that are ranked.
    differences : iterable of Difference
        Between all pairs of them.
    metric : str
        Score to rank by.

    Returns
    -------
    RankRange

    Examples
    --------
    >>> rank_range("otsu", ["otsu"], [], "IU")
    RankRange(best=1, worst=1)
    """
    better = worse = 0
    for difference in differences:
        if difference.metric != metric or not difference.separable:
            continue
        if name in (difference.a, difference.b):
            is_higher = (difference.mean > 0) == (name == difference.a)
            worse += is_higher
            better += not is_higher
    return RankRange(1 + better, len(names) - worse)


# leaderboard.json


def _entry_content(found: LeaderboardEntry) -> dict[str, Any]:
    return {
        "declaration": found.declaration,
        "sha256": found.fingerprint.sha256,
        "task_sha256": found.fingerprint.tasks,
        "map_pixel_sha256": found.fingerprint.maps,
    }


def _group_content(group: Group) -> dict[str, Any]:
    scored = group.scored
    return {
        "task": group.task.name,
        "dataset_version": group.version,
        "split": group.split,
        "data_id": scored[0].result.data_id if scored else None,
        "n_images": group.n_images,
        "n_folds": group.n_folds,
        "recomputed": [_row_content(row) for row in scored],
        "unfinished": [
            {
                "entry": row.entry.slug,
                "n_maps": len(row.maps.maps),
                "folds": row.maps.folds,
                "reason": row.maps.reason,
            }
            for row in group.unfinished
        ],
        "reported": [
            {"source": paper.SOURCE, "source_url": paper.SOURCE_URL, "unit": "percent"}
            | asdict(row)
            for row in group.reported
        ],
        "differences": [
            {
                key: getattr(difference, key)
                for key in ("a", "b", "metric", "mean", "ci95", "p_value", "p_holm", "n")
            }
            | {"separable": difference.separable}
            for difference in group.differences
        ],
    }


def _row_content(row: Row) -> dict[str, Any]:
    score = row.result
    return {
        "entry": row.entry.slug,
        "status": row.maps.status,
        "reason": row.maps.reason,
        "rank": {metric: [ranks.best, ranks.worst] for metric, ranks in row.ranks.items()},
        "conventions": {name: asdict(means) for name, means in score.conventions.items()},
        "psd": None if score.psd is None else asdict(score.psd),
        "images": [
            {
                "id": image.id,
                "fold": image.fold,
                **{score.name: getattr(image, score.name) for score in OVERALL_SCORES},
                **{
                    f"class_{score}": {
                        name: getattr(scores, score) for name, scores in image.classes.items()
                    }
                    for score in _RANKED_BY_CLASS
                },
                "psd": None if image.psd is None else asdict(image.psd),
            }
            for image in score.images
        ],
    }


def _rounded(content: Any) -> Any:
    if isinstance(content, float):
        return round(content, _DIGITS)
    if isinstance(content, dict):
        return {
            key: float(f"{value:.{_DIGITS}g}")
            if key in ("p_value", "p_holm") and value is not None
            else _rounded(value)
            for key, value in content.items()
        }
    if isinstance(content, (list, tuple)):
        return [_rounded(value) for value in content]
    return content


# README.md


PAGE_NAME = "README.md"


DATA_NAME = "leaderboard.json"


RULES_NAME = "RULES.md"
