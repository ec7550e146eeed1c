"""Print the paper's tables beside what the label maps of a folder score."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tabulate import tabulate

import uhcs_bench
from uhcs_bench import paper, protocol
from uhcs_bench.data import dataset
from uhcs_bench.errors import UsageError, listed
from uhcs_bench.scoring import training_record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from uhcs_bench.scoring.results import MeanScore, TaskScore

METHODS = ("otsu", "pixelnet-focal", "pixelnet-ce", "unet")
"""What the paper compares."""

UNKNOWN = "unknown"
MISSING = "missing"


@dataclass(frozen=True)
class Cell:
    """A number found here, percent.

    Attributes
    ----------
    mean, se : float or None
    """

    mean: float | None
    se: float | None

    def __str__(self) -> str:
        if self.mean is None:
            return "-"
        return f"{self.mean:.1f}" if self.se is None else f"{self.mean:.1f} ± {self.se:.1f}"


def check(out: Path, version: str, split: str, *, required: bool) -> None:
    """Make sure that a folder holds, or may hold, label maps of the methods for a split.

    Parameters
    ----------
    out : Path
    version, split : str
    required : bool
        Whether label maps have to be there already.

    Raises
    ------
    UsageError
        There is no such version or split, there are no label maps, or those that are there come
        from models that were trained for something else.
    """
    protocol.check_version(version)
    protocol.check_split(split)
    problems = [
        f"{out / method}: {problem}"
        for method in METHODS
        for problem in training_record.contradictions(
            training_record.read(out / method), version, split
        )
    ]
    if problems:
        raise UsageError(listed(f"{out} was not read", problems))
    there = any((out / method / task).is_dir() for method in METHODS for task in protocol.TASKS)
    if required and not there:
        fact = f"{out} holds no label maps" if out.is_dir() else f"There is no folder {out}"
        raise UsageError(
            f"{fact}. Give the folder of finished runs, which has a folder for each method "
            f"({', '.join(METHODS)}), such as leaderboard/ in the repository; or leave --no-run "
            "out to run the methods there."
        )


def tables(
    out: Path, version: str = protocol.REAL_VERSION, split: str = protocol.PAPER_SPLIT
) -> str:
    """Lay out the paper's Tables 1 to 4, and what else was run, with differences.

    Parameters
    ----------
    out : Path
        Folder with label maps, ``<out>/<method>/<task>/<id>.png``.
    version, split : str
        Data set version and split to score against.

    Returns
    -------
    str
        Percent; a number of the paper that nobody has is "unknown", one of a method that has not
        run on all micrographs is "missing", and what is missing is listed at the end.

    Raises
    ------
    SubmissionError
        Label maps are there, but can't be scored.
    """
    scores: dict[tuple[str, str], TaskScore | str] = {
        (method, task): _score(out, method, task, version, split)
        for method in METHODS
        for task in protocol.TASKS
    }
    found = {key: score for key, score in scores.items() if not isinstance(score, str)}
    parts = []
    if version != protocol.REAL_VERSION:
        parts.append(
            f"Scored on the data set version {version!r}:\nnot comparable with the paper's numbers."
        )
    if split != protocol.PAPER_SPLIT:
        parts.append(
            f"Trained and scored on the folds of the split {split!r}:\nnot comparable with the "
            "paper's numbers."
        )
    parts += [
        _class_table(table, found.get((table.method, table.task))) for table in paper.CLASS_TABLES
    ]
    parts.append(_table_4(found))
    parts += [
        _class_table(table, found.get((table.method, table.task)))
        for table in paper.TABLES_WITHOUT_NUMBERS
    ]
    gaps = [
        f"  {method}, {task}: {score}"
        for (method, task), score in scores.items()
        if isinstance(score, str)
    ]
    if gaps:
        parts.append("\n".join(["Missing:", *gaps]))
    return "\n\n".join(parts)


def _score(out: Path, method: str, task: str, version: str, split: str) -> TaskScore | str:
    """Score a method on a task, or say what is missing for that."""
    ids = [entry.id for entry in dataset.catalogue(task, version, split)]
    folder = out / method / task
    present = sum((folder / f"{name}.png").is_file() for name in ids)
    if present < len(ids):
        return f"{present} of {len(ids)} label maps in {folder}"
    return uhcs_bench.score(folder, task=task, version=version, split=split)[task]


def _class_table(table: paper.ClassTable, score: TaskScore | None) -> str:
    rows = []
    for name in (*protocol.task(table.task).classes, "overall"):
        for metric in paper.METRICS:
            published = table.cells.get(name, {}).get(metric)
            cell = None if score is None else _found(score, name, metric)
            rows.append([name, metric, *_compare(published, cell)])
    return _titled(table.title, rows, "class", table.note)


def _found(score: TaskScore, name: str, metric: str) -> Cell:
    """Pick a number of Tables 1 to 3: overall precision and recall are the pixel accuracy."""
    means = score.conventions["paper"]
    if name != "overall":
        return _cell(getattr(means.classes[name], metric))
    return _cell(means.IU if metric == "IU" else means.AC)


def _table_4(found: dict[tuple[str, str], TaskScore]) -> str:
    columns = ("IU matrix", "IU particle", "IU mean", "AC", "KS score")
    rows = []
    for method, published in paper.TABLE_4.items():
        score = found.get((method, "particles"))
        cells = None if score is None else _table_4_row(score)
        for column in columns:
            comparison = _compare(published.get(column), None if cells is None else cells[column])
            rows.append([method, column, *comparison])
    note = (
        "The draft's spread of the Otsu row fits a standard deviation (SD), not a standard error."
    )
    return _titled(paper.TABLE_4_TITLE, rows, "method", note)


def _table_4_row(score: TaskScore) -> dict[str, Cell]:
    means = score.conventions["paper"]
    consistent = None if score.psd is None else 100 * score.psd.ks_score
    return {
        "IU matrix": _cell(means.classes["matrix"].IU),
        "IU particle": _cell(means.classes["particle"].IU),
        "IU mean": _cell(means.IU),
        "AC": _cell(means.AC),
        "KS score": Cell(consistent, None),
    }


def _cell(estimate: MeanScore) -> Cell:
    return Cell(
        None if estimate.mean is None else 100 * estimate.mean,
        None if estimate.se is None else 100 * estimate.se,
    )


def _compare(published: paper.Published | None, cell: Cell | None) -> list[str]:
    """Give the paper's number, the one found here, and their difference."""
    difference = ""
    if published is not None and cell is not None and cell.mean is not None:
        difference = f"{cell.mean - published.mean:+.1f}"
    return [_published(published), MISSING if cell is None else str(cell), difference]


def _published(number: paper.Published | None) -> str:
    if number is None:
        return UNKNOWN
    if number.is_deviation:
        return f"{number.mean:.1f} (SD {number.spread:.1f})"
    return str(Cell(number.mean, number.spread))


def _titled(title: str, rows: Iterable[list[str]], what: str, note: str) -> str:
    headers = [what, "%", "paper", "here", "diff."]
    text = tabulate(rows, headers=headers, disable_numparse=True)
    return "\n".join([title, "", text, *([f"\n{textwrap.fill(note, 80)}"] if note else [])])
