"""Reproduce the paper: its tables, its comparisons and its settings beside what was found here."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from tabulate import tabulate

import uhcs_bench
from baselines.configuration import METHODS as TRAINED
from baselines.configuration import Configuration
from baselines.reproduction.paper_settings import differences
from baselines.reproduction.paper_tables import (
    STRICT,
    WIDTH,
    Scores,
    class_table,
    overall_iu,
    table_4,
)
from uhcs_bench import paper, protocol
from uhcs_bench.data import dataset
from uhcs_bench.errors import UsageError, listed
from uhcs_bench.scoring import training_record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from uhcs_bench.scoring.results import TaskScore

METHODS = ("otsu", "pixelnet-focal", STRICT, "pixelnet-ce", "unet")
"""What the paper compares; PixelNet with the focal loss twice, see
`baselines.reproduction.paper_settings`."""


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
    parts = _warnings(version, split)
    parts += [class_table(table, found) for table in paper.CLASS_TABLES]
    parts.append(table_4(found))
    parts += [class_table(table, found) for table in paper.TABLES_WITHOUT_NUMBERS]
    parts += [_comparisons(found), *_settings(out, found)]
    gaps = [
        f"  {method}, {task}: {score}"
        for (method, task), score in scores.items()
        if isinstance(score, str)
    ]
    if gaps:
        parts.append("\n".join(["Missing:", *gaps]))
    return "\n\n".join(parts)


def _warnings(version: str, split: str) -> list[str]:
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
    return parts


def _score(out: Path, method: str, task: str, version: str, split: str) -> TaskScore | str:
    """Score a method on a task, or say what is missing for that."""
    ids = [entry.id for entry in dataset.catalogue(task, version, split)]
    folder = out / method / task
    present = sum((folder / f"{name}.png").is_file() for name in ids)
    if present < len(ids):
        return f"{present} of {len(ids)} label maps in {folder}"
    return uhcs_bench.score(folder, task=task, version=version, split=split)[task]


def _comparisons(found: Scores) -> str:
    """Lay out what the paper says of its methods beside the same differences here."""
    rows = [
        ["PixelNet (focal)", "62.6", _iu(found, "pixelnet-focal")],
        ["the same with the text's settings", "62.6", _iu(found, STRICT)],
        [
            "cross-entropy - focal loss",
            '"a nearly ten point bump"',
            _difference(found, "pixelnet-ce", "pixelnet-focal"),
        ],
        [
            "U-Net - PixelNet (cross-entropy)",
            '"slightly underperformed"',
            _difference(found, "unet", "pixelnet-ce"),
        ],
        [
            "particles: PixelNet (focal) - Otsu",
            '"slightly better"',
            _difference(found, "pixelnet-focal", "otsu", "particles"),
        ],
    ]
    text = tabulate(rows, headers=["overall IU", "paper", "here"], disable_numparse=True)
    note = (
        "Overall IU, percent; of microconstituents where particles are not named. A difference has "
        "its standard error over micrographs, which both methods share."
    )
    return "\n".join(["The paper's comparisons", "", text, "", textwrap.fill(note, WIDTH)])


def _iu(found: Scores, method: str) -> str:
    score = found.get((method, "microconstituents"))
    return "missing" if score is None else str(overall_iu(score))


def _difference(found: Scores, one: str, other: str, task: str = "microconstituents") -> str:
    """Give the mean difference of two methods' IU over micrographs, with its standard error."""
    a, b = found.get((one, task)), found.get((other, task))
    if a is None or b is None:
        return "missing"
    pairs = zip(a.images, b.images, strict=True)
    values = 100 * np.array([first.IU - second.IU for first, second in pairs])
    return f"{values.mean():+.1f} ± {values.std(ddof=1) / np.sqrt(len(values)):.1f}"


def _settings(out: Path, found: Scores) -> list[str]:
    """Lay out where the runs of each method depart from the paper's text."""
    parts = []
    for method in METHODS:
        if method == "otsu":
            continue
        ran = {
            model.task: Configuration.from_dict(model.run["configuration"])
            for model in training_record.read(out / method)
            if (method, model.task) in found
        }
        if ran:
            parts.append(_settings_of(method, ran))
    if not parts:
        return []
    return ["Settings that differ from the paper's text", *parts]


_WITHOUT_SETTINGS = {
    "unet": "The paper states no settings of its U-Net.",
    "pixelnet-ce": 'The paper gives the settings of its cross-entropy model as "revised training '
    'hyperparameters", without values; these are those of the focal loss.',
}


def _settings_of(method: str, ran: Mapping[protocol.TaskName, Configuration]) -> str:
    """Lay out the differences of one method; a setting of one task alone is named with it."""
    by_task = {task: differences(configuration) for task, configuration in ran.items()}
    shared = [d for d in next(iter(by_task.values())) if all(d in ds for ds in by_task.values())]
    rows = [[d.setting, d.paper or "not stated", d.here] for d in shared]
    rows += [
        [f"{d.setting}, {task}", d.paper or "not stated", d.here]
        for task, found in by_task.items()
        for d in found
        if d not in shared
    ]
    title = f"{method}:" if rows else f"{method}: none."
    note = _WITHOUT_SETTINGS.get(method, "")
    if TRAINED[method].model != "pixelnet":
        return f"{method}: {note}"
    text = tabulate(rows, headers=["setting", "paper", "here"], disable_numparse=True)
    parts = [title, textwrap.fill(note, WIDTH) if note else "", text if rows else ""]
    return "\n\n".join(part for part in parts if part)
