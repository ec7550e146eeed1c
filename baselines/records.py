"""Where a run's files lie and what is on record about it.

::

    <out>/<method>/<task>/<id>.png           label maps, the layout of a submission
    <out>/<method>/record.json               all finished folds of the method
    <out>/folds/<method>/<task>/<fold>/      fold.json, loss.csv, loss.png, checkpoint.pt
    <out>/folds/<method>/<task>/all/         the same of a model trained on all micrographs
    <out>/folds/<method>/.lock               locked while a command runs the method

``<out>/<method>`` is what a leaderboard takes. A fold is finished when its ``fold.json`` is there:
it is written last, after everything that it vouches for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from uhcs_bench import protocol
from uhcs_bench.io import atomic
from uhcs_bench.io.atomic import replacing
from uhcs_bench.io.texts import read_json
from uhcs_bench.scoring import training_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLD_SCHEMA = "uhcs-bench/fold-run/1"

FILE_NAME = "fold.json"
"""Of the record of a fold, beside its checkpoint."""


@dataclass(frozen=True)
class FoldRun:
    """Place of one fold's run of a method on a task.

    Attributes
    ----------
    out : Path
        Folder of all runs.
    method, task : str
    fold : int or None
        None for a model trained on all micrographs.
    """

    out: Path
    method: str
    task: str
    fold: int | None

    @property
    def folder(self) -> Path:
        """Folder of everything but the label maps."""
        return self.out / "folds" / self.method / self.task / self.name

    @property
    def name(self) -> str:
        """Number of the fold, or "all"."""
        return "all" if self.fold is None else str(self.fold)

    @property
    def record(self) -> Path:
        """The file that says that the fold is finished."""
        return self.folder / FILE_NAME

    @property
    def progress(self) -> Path:
        """State of an interrupted run, which goes on from there."""
        return self.folder / "progress.pt"

    @property
    def checkpoint(self) -> Path:
        """The trained model."""
        return self.folder / "checkpoint.pt"

    def label_map(self, micrograph: str) -> Path:
        """File of a validation micrograph's label map."""
        return self.out / self.method / self.task / f"{micrograph}.png"

    def read(self) -> dict[str, Any] | None:
        """Read the fold's record.

        Returns
        -------
        dict or None
            None if the fold isn't finished, its record is damaged, or some of its files are gone.
        """
        try:
            record = read_json(self.record)
            if not _is_record(record):
                return None
            # Of an id that no file can have as its name, some systems raise an error.
            complete = all(self.label_map(name).is_file() for name in record["validation"])
        except (OSError, ValueError):
            return None
        return record if complete else None

    def __str__(self) -> str:
        held_out = "all micrographs" if self.fold is None else f"fold {self.fold}"
        return f"{self.method}, {self.task}, {held_out}"


def _is_record(record: object) -> TypeGuard[dict[str, Any]]:
    """Tell whether a JSON value has what the record of a fold has."""
    if not isinstance(record, dict):
        return False
    ids = [record.get("training", []), record.get("validation")]
    seconds = record.get("seconds", {})
    return (
        isinstance(record.get("configuration"), dict)
        and isinstance(seconds, dict)
        and all(isinstance(value, int | float) for value in seconds.values())
        and isinstance(record.get("dataset_version"), str)
        and isinstance(record.get("split", ""), str)
        and all(isinstance(names, list) and all(isinstance(n, str) for n in names) for names in ids)
    )


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file atomically."""
    atomic.make_folder(path.parent)
    mark = content["schema"].encode() if "schema" in content else None
    with replacing(path, mark=mark) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def write_method_record(out: Path, method: str) -> Path:
    """Gather the records of all finished folds of a method, of both tasks, in one file.

    Parameters
    ----------
    out : Path
    method : str

    Returns
    -------
    Path
        The file. It is made anew from the folds' own records, so that the processes of ``--jobs``,
        which finish folds side by side, may all call this.
    """
    tasks: dict[str, Any] = {}
    for run in fold_runs(out, method):
        record = run.read()
        if record is not None:
            tasks.setdefault(run.task, {})[str(run.fold)] = record
    path = method_record(out, method)
    write_json(path, {"schema": training_record.RUN_SCHEMA, "method": method, "tasks": tasks})
    return path


def method_record(out: Path, method: str) -> Path:
    """Return the place of the record of a method, or of what is filed under a name."""
    return out / method / training_record.FILE_NAME


def fold_runs(out: Path, method: str) -> Iterator[FoldRun]:
    """Give the places of all folds of a method, finished or not."""
    for task in protocol.TASKS:
        for fold in range(protocol.N_FOLDS):
            yield FoldRun(out, method, task, fold)
