"""The leaderboard: every number recomputed from the entries' label maps, ties shown as ties.

Methods are ranked by paired tests and not by means. A method's rank range says how many methods are
better than it, and how many worse, beyond chance; methods that the 24 micrographs can't tell apart
share their ranks.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections import defaultdict
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from uhcs_bench import paper, protocol
from uhcs_bench._version import __version__
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io.atomic import replacing
from uhcs_bench.leaderboard import entry
from uhcs_bench.leaderboard.entry import EntryError
from uhcs_bench.scoring import comparison
from uhcs_bench.scoring import score as scoring
from uhcs_bench.scoring.submission import Submission

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from uhcs_bench.leaderboard.entry import Entry, TaskMaps
    from uhcs_bench.scoring.comparison import Difference
    from uhcs_bench.scoring.score import Estimate, Report, TaskScore

SCHEMA = "uhcs-bench/leaderboard/1"
PAGE_NAME = "README.md"
DATA_NAME = "leaderboard.json"
RULES_NAME = "RULES.md"

RANKED = ("IU", "AC", "KS")
"""Scores over all classes that methods are ranked by; KS for particles alone."""

_DIGITS = 6
"""Decimals that are kept, so that another machine's last digits change nothing; of a p-value
significant digits, since none is zero."""

_MISSING = "-"


class OutdatedError(UhcsBenchError):
    """What is committed is not what the label maps give."""


@dataclass(frozen=True)
class RankRange:
    """Places that a method can have, given what the paired tests tell apart.

    Attributes
    ----------
    best : int
        One more than the number of methods that are better beyond chance.
    worst : int
        The number of methods, less those that are worse beyond chance.
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
    entry : Entry
    maps : TaskMaps
    score : TaskScore or None
        None where label maps are missing.
    ranks : dict of str to RankRange
        By score, one of `RANKED`; empty for a row that has no rank.
    """

    entry: Entry
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
        Numbers that the paper gives and nobody can recompute.
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
    entries : list of Entry
        By slug.
    groups : list of Group
        By task, version and split.
    """

    entries: list[Entry]
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


def read_entries(folder: Path) -> list[Entry]:
    """Read all entries of a folder.

    Parameters
    ----------
    folder : Path
        Each folder in it that is not hidden is an entry.

    Returns
    -------
    list of Entry
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
            problems += [f"{entry.shown(path.name)}: {problem}" for problem in error.problems]
    problems += _shared_names(entries)
    if problems:
        raise EntryError(str(folder), problems, "holds entries that are not valid")
    if not entries:
        raise _no_entries(folder, "it has no folder in it")
    return entries


def _shared_names(entries: Iterable[Entry]) -> Iterator[str]:
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


def build(entries: Sequence[Entry]) -> Board:
    """Score entries against the annotations, and rank them.

    Parameters
    ----------
    entries : sequence of Entry

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

        def scope(found: Entry, scopes: tuple[list[Any], list[Any]] = scopes) -> tuple[int, int]:
            return scopes[0].index(found.version), scopes[1].index(found.split)

        for _, members in groupby(sorted(concerned, key=scope), key=scope):
            groups.append(_group(protocol.TASKS[task], list(members)))
    return Board(list(entries), groups)


def write(folder: Path, board: Board) -> None:
    """Write ``README.md`` and ``leaderboard.json``, each whole or not at all.

    Parameters
    ----------
    folder : Path
    board : Board
    """
    for name, text in _files(board).items():
        with replacing(folder / name) as partial:
            partial.write_text(text, encoding="utf-8")


def check(folder: Path, board: Board) -> None:
    """Compare what is committed with what the label maps give.

    Raises
    ------
    OutdatedError
        If a file differs; the message names the first line that does.
    """
    problems = []
    for name, text in _files(board).items():
        path = folder / name
        found = path.read_bytes().decode("utf-8", "replace") if path.is_file() else None
        if found is None:
            problems.append(f"{path} is not there")
        elif found != text:
            pairs = zip(found.splitlines(), text.splitlines(), strict=False)
            line = next((i for i, (a, b) in enumerate(pairs, 1) if a != b), None)
            where = "in its length" if line is None else f"from line {line} on"
            problems.append(f"{path} differs {where}")
    if problems:
        raise OutdatedError(
            f"{'; '.join(problems)}. Nothing was written; to write what the label maps give: "
            f"uhcs-bench leaderboard build --entries {folder}"
        )


def _files(board: Board) -> dict[str, str]:
    return {PAGE_NAME: to_markdown(board), DATA_NAME: board.to_json()}


# Scores and ranks


def _group(task: protocol.Task, members: Sequence[Entry]) -> Group:
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
        ranked=sorted(by_status["active"], key=_mean_iu, reverse=True),
        retired=by_status["retired"],
        unfinished=by_status["incomplete"],
        reported=paper.reported(task.name) if is_papers else [],
        differences=differences,
    )


def _complete(found: Entry, task: protocol.Task) -> bool:
    return found.tasks[task.name].complete


def _mean_iu(row: Row) -> float:
    return row.result.conventions["paper"].IU.mean or 0.0


def _scored(found: Entry, task: protocol.TaskName) -> Report:
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


def _entry_content(found: Entry) -> dict[str, Any]:
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
                "AC": image.AC,
                "IU": image.IU,
                "class_IU": {name: scores.IU for name, scores in image.classes.items()},
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


def to_markdown(board: Board) -> str:
    """Lay the board out as a page that GitHub shows beside the entries.

    Parameters
    ----------
    board : Board

    Returns
    -------
    str
    """
    parts = [_HEAD]
    for task, groups in groupby(board.groups, key=lambda group: group.task.name):
        parts.append(f"## {task.capitalize()}")
        for group in groups:
            parts += _group_parts(group)
    parts += ["## Entries", *(part for found in board.entries for part in _entry_parts(found))]
    return "\n\n".join(parts) + "\n"


_HEAD = f"""\
<!-- Written by `uhcs-bench leaderboard build`; edit the entries, not this page. -->

# Leaderboard

The label maps that methods predicted for validation micrographs, `<method>/<task>/<id>.png`, each
by a model that had not seen the micrograph's fold; `entry.yaml` says how a method was run, and for
trained baselines `record.json` how each fold was. No score is stored in an entry: all numbers here
are recomputed from the maps, and the tests fail when one of them differs.

    uhcs-bench score leaderboard/otsu
    uhcs-bench leaderboard build --site board/     # this page, and a site with every micrograph
    python -m baselines reproduce --no-run --out leaderboard/

The last command prints the paper's Tables 1 to 4 beside what these maps give.
[{RULES_NAME}]({RULES_NAME}) says how to submit and what the rules are; [{DATA_NAME}]({DATA_NAME})
holds everything for programs, with the score of each micrograph.

Percent. IU is intersection over union, AC the share of correct pixels; the KS score counts the
micrographs whose predicted particle sizes have the annotated distribution. In brackets, the 95 %
interval: bootstrapped over micrographs, for the KS score Wilson's. **A rank is a range**, from
exact paired permutation tests on the micrographs' scores in the paper's convention, corrected by
Holm's method for the number of pairs: 1-2 is a method that no method beats beyond chance, and that
can't be told from one other. Methods share a rank when the micrographs can't separate them."""


def _group_parts(group: Group) -> list[str]:
    parts = [
        f"### Data set {group.version}, split {group.split}",
        f"**n = {group.n_images}** micrographs in {group.n_folds} folds.",
    ]
    if group.version == protocol.SYNTHETIC_VERSION:
        parts.append("**SYNTHETIC set, not real micrographs.**")
    if group.ranked:
        parts += [_rank_table(group), _convention_table(group.ranked)]
        parts.append(_class_table(group.task, group.ranked))
    if group.reported:
        source = (
            "*Reported* by the paper and not recomputed, since its label maps are not public "
            f"([DeCost et al. 2019]({paper.SOURCE_URL}), numbers of the [authors' draft]"
            f"({paper.DRAFT_URL})); ± is the standard error, SD a standard deviation:"
        )
        parts += [source, _reported_table(group)]
    for heading, rows in (("Unfinished", group.unfinished), ("Retired", group.retired)):
        if rows:
            parts.append(f"{heading}, and therefore without a rank:")
            parts.append("\n".join(_status_line(row, group) for row in rows))
    return parts


def _rank_table(group: Group) -> str:
    metrics = group.ranked_by
    rows = []
    for row in group.ranked:
        means = row.result.conventions["paper"]
        cells = {"IU": _with_interval(means.IU), "AC": _with_interval(means.AC)}
        if row.result.psd is not None:
            psd = row.result.psd
            low, high = psd.ci95
            cells["KS"] = f"{psd.n_consistent} of {psd.n} [{low:.3f}, {high:.3f}]"
        columns = [text for metric in metrics for text in (cells[metric], str(row.ranks[metric]))]
        rows.append([_entry_link(row.entry), *columns])
    headers = [text for metric in metrics for text in (metric, f"rank by {metric}")]
    return _table(["method", *headers], rows)


def _convention_table(rows: Sequence[Row]) -> str:
    names = list(protocol.CONVENTIONS)
    return _table(
        [
            "the three conventions",
            *(f"{score}, {name}" for score in ("IU", "AC") for name in names),
        ],
        [
            [
                escaped(row.entry.name),
                *(percent(row.result.conventions[name].IU.mean) for name in protocol.CONVENTIONS),
                *(percent(row.result.conventions[name].AC.mean) for name in protocol.CONVENTIONS),
            ]
            for row in rows
        ],
    )


def _class_table(task: protocol.Task, rows: Sequence[Row]) -> str:
    return _table(
        ["IU by class, paper's convention", *task.classes],
        [
            [
                escaped(row.entry.name),
                *(_with_interval(c.IU) for c in row.result.conventions["paper"].classes.values()),
            ]
            for row in rows
        ],
    )


def _reported_table(group: Group) -> str:
    classes = group.task.classes
    scores = ["IU", "AC", *(["KS score"] if group.task.has_particles else [])]
    rows = []
    for row in group.reported:
        numbers = [row.IU, row.AC, *([row.ks_score] if group.task.has_particles else [])]
        numbers += [row.classes.get(name) for name in classes]
        cells = [_published(number) for number in numbers]
        rows.append([f"*{paper.METHOD_NAMES[row.method]}* ({row.table})", *cells])
    return _table(["reported", *scores, *(f"IU {name}" for name in classes)], rows)


def _published(number: paper.Published | None) -> str:
    return _MISSING if number is None else f"*{reported_number(number)}*"


def _status_line(row: Row, group: Group) -> str:
    found = row.maps
    line = f"- {_entry_link(row.entry)}: {len(found.maps)} of {group.n_images} label maps"
    if found.folds and not found.complete:
        line += f" (folds {', '.join(map(str, found.folds))})"
    if row.score is not None:
        line += f", IU {percent(row.score.conventions['paper'].IU.mean)}"
    return f"{line}. {escaped(found.reason)}"


def _entry_parts(found: Entry) -> list[str]:
    declared = found.declaration
    facts = {
        "authors": ", ".join(_author(author) for author in declared["authors"]),
        "date, licence of the maps": f"{declared['date']}, {escaped(declared['licence'])}",
        "trained on": escaped(declared["training_data"]),
        "external data": "; ".join(map(_external, declared["external_data"])) or "none",
        "settings": escaped(settings_text(declared)) or "none",
        "run": escaped(run_text(declared)),
        "links": ", ".join(_links(declared)) or "none",
        "submission": f"`{found.fingerprint.sha256}`",
    }
    lines = [f"- {name}: {text}" for name, text in facts.items()]
    lines += [f"- note: {escaped(note)}" for note in declared["notes"]]
    heading = f"### {escaped(found.name)}"
    return [
        heading,
        f"[{found.slug}/]({found.slug}/). {escaped(declared['summary'].rstrip('.'))}.",
        "\n".join(lines),
    ]


def settings_text(declared: Any) -> str:
    """Write hyperparameters as one line."""

    def written(value: object) -> str:
        if isinstance(value, list):
            return ", ".join(map(written, value))
        return value if isinstance(value, str) else json.dumps(value)

    pairs = declared["hyperparameters"].items()
    return "; ".join(f"{name} {written(value)}" for name, value in pairs)


def run_text(declared: Any) -> str:
    """Write seeds, hardware, training time and size of the model as one line."""
    parts = [declared["hardware"]]
    if declared["seeds"]:
        parts.append(f"seeds {', '.join(map(str, declared['seeds']))}")
    hours = declared["training_hours"]
    parts.append("training time unknown" if hours is None else f"{hours:g} h of training")
    count = declared["parameters"]
    parts.append("parameters unknown" if count is None else f"{count:,} parameters")
    return "; ".join(parts)


def _author(author: dict[str, str]) -> str:
    name = escaped(author["name"])
    orcid = author.get("orcid")
    return name if orcid is None else f"[{name}](https://orcid.org/{orcid})"


def _external(item: dict[str, str | None]) -> str:
    name, link = escaped(str(item["name"])), item.get("link")
    return f"{name if link is None else f'[{name}]({link})'} ({escaped(str(item['use']))})"


def _links(declared: Any) -> list[str]:
    return [f"[{name}]({link})" for name, link in declared["links"].items() if link is not None]


def _entry_link(found: Entry) -> str:
    return f"[{escaped(found.name)}]({found.slug}/)"


def percent(value: float | None) -> str:
    """Write a fraction in percent."""
    return _MISSING if value is None else f"{100 * value:.1f}"


def reported_number(number: paper.Published) -> str:
    """Write a number of the paper with its spread."""
    if number.spread is None:
        return f"{number.mean:.1f}"
    if number.is_deviation:
        return f"{number.mean:.1f} (SD {number.spread:.1f})"
    return f"{number.mean:.1f} ± {number.spread:.1f}"


def _with_interval(estimate: Estimate) -> str:
    if estimate.ci95 is None:
        return percent(estimate.mean)
    low, high = map(percent, estimate.ci95)
    return f"{percent(estimate.mean)} [{low}, {high}]"


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def escaped(text: str) -> str:
    r"""Keep a text of a stranger text on a Markdown page.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Nothing in it is markup, HTML, a link or the end of a table's cell.

    Examples
    --------
    >>> print(escaped("<b>*a* | b</b>"))
    &lt;b&gt;\*a\* \| b&lt;/b&gt;
    """
    text = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", " ".join(text.split()))
    text = html.escape(text, quote=False)
    # Addresses become links even where nobody asks for it.
    text = text.replace("://", ":&#47;&#47;")
    return re.sub(r"(?i)\bwww\.", lambda match: match[0][:-1] + "&#46;", text)
