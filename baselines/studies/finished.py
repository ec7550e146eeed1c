"""Finished folds of runs, whose models segment micrographs that they have not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from baselines.records import FoldRun
from baselines.unfinished import remedy
from uhcs_bench import protocol
from uhcs_bench.data import dataset
from uhcs_bench.errors import UhcsBenchError, UsageError, listed
from uhcs_bench.io import paths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    Member = tuple[FoldRun, dict[str, Any]]
    """Place of a fold's run, and its record."""


@dataclass(frozen=True)
class Finished:
    """Folds that are finished in all of some runs.

    Attributes
    ----------
    split : str
        Whose folds.
    folds : dict of int to list of tuple
        Of each fold the place and the record of its run in each folder, in order.
    """

    split: protocol.Split
    folds: dict[int, list[Member]]

    @property
    def checkpoints(self) -> list[Path]:
        """Model of each fold in the first of the folders, in the order of the folds."""
        return [self.folds[fold][0][0].checkpoint for fold in sorted(self.folds)]


def find(
    runs: Sequence[Path], method: str, task: str, version: str, fact: str, *, partly: bool = False
) -> Finished:
    """Find the folds that are finished in all runs, and make sure that they belong together.

    Parameters
    ----------
    runs : sequence of Path
        Folders that ``python -m baselines run`` wrote.
    method, task : str
    version : str
        Data set version.
    fact : str
        What is not done if they can't be used, the beginning of a message.
    partly : bool
        Whether folds may be missing.

    Returns
    -------
    Finished

    Raises
    ------
    UsageError
        A folder comes twice, or the runs are of different splits, of inner folds or of another data
        set version.
    UhcsBenchError
        Folds are not finished, or a checkpoint is gone; the message lists all.
    """
    if len({paths.real(run) for run in runs}) < len(runs):
        names = ", ".join(map(str, runs))
        raise UsageError(f"{fact}: a folder is given twice ({names}). Give each run once.")
    read: dict[int, list[tuple[FoldRun, dict[str, Any] | None]]] = {}
    for fold in range(protocol.N_FOLDS):
        places = [FoldRun(run, method, task, fold) for run in runs]
        read[fold] = [(place, place.read()) for place in places]
    known = [(place, record) for found in read.values() for place, record in found if record]
    wrong = [problem for member in known for problem in _problems(*member, version)]
    splits = sorted({str(record.get("split", protocol.PAPER_SPLIT)) for _, record in known})
    if len(splits) > 1:
        wrong.append(
            f"The runs were trained on the folds of the splits {' and '.join(splits)}; give runs "
            "of one split."
        )
    if wrong:
        raise UsageError(listed(fact, wrong))
    split = protocol.check_split(splits[0] if splits else protocol.PAPER_SPLIT)
    n_folds = dataset.n_folds(task, version, split)
    folds = {
        fold: [(place, record) for place, record in read[fold] if record and _has_model(place)]
        for fold in range(n_folds)
    }
    missing = [
        _missing(run, method, task, lacking if known or not partly else ())
        for run in runs
        if (lacking := [n for n in folds if run not in [place.out for place, _ in folds[n]]])
    ]
    folds = {fold: members for fold, members in folds.items() if len(members) == len(runs)}
    if missing and not (partly and folds):
        none = f"No fold of {method} on {task} is finished"
        raise UhcsBenchError(listed(none if partly else fact, missing))
    return Finished(split, folds)


def _has_model(place: FoldRun) -> bool:
    return place.checkpoint.is_file()


def _problems(place: FoldRun, record: dict[str, Any], version: str) -> list[str]:
    """List why a fold's model can't be applied to its validation micrographs."""
    problems = []
    if record["dataset_version"] != version:
        problems.append(
            f"{place}, in {place.out}, has the data set version {record['dataset_version']}, not "
            f"{version}: say --dataset-version, or give another run."
        )
    if record.get("inner"):
        problems.append(
            f"{place}, in {place.out}, segmented an inner fold; run it without --inner."
        )
    return problems


def _missing(run: Path, method: str, task: str, folds: Sequence[int]) -> str:
    """Say which folds a run lacks, and how to finish them; none are named if any would do."""
    numbers = ", ".join(map(str, folds))
    lacks = f"folds {numbers} are not finished or have no model"
    if len(folds) < 2:
        lacks = f"fold {numbers} is not finished or has no model" if folds else "no fold is done"
    return (
        f"{method}, {task}: {lacks} in {run}. {remedy(run, method, task, folds)}, or give "
        "another folder."
    )
