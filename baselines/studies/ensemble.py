"""Segment the validation micrographs again with finished folds' models, averaged over seeds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

import uhcs_bench
from baselines import prediction, records
from uhcs_bench import protocol
from uhcs_bench.data import dataset, label_maps
from uhcs_bench.errors import UhcsBenchError, UsageError, listed
from uhcs_bench.scoring import training_record

if TYPE_CHECKING:
    from pathlib import Path

    import torch


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which models segment what, and how.

    Attributes
    ----------
    method, task : str
    version : str
        Data set version.
    runs : tuple of Path
        Folders that `python -m baselines run` wrote, one for each seed.
    name : str
        Name that the label maps are filed under.
    out : Path
    device : torch.device
    precision : {"float32", "bfloat16"}
    tta : bool
        Average over the eight rotations and reflections of a micrograph.
    """

    method: str
    task: str
    version: str
    runs: tuple[Path, ...]
    name: str
    out: Path
    device: torch.device
    precision: str
    tta: bool

    def members(self, fold: int) -> list[records.FoldRun]:
        """Places of a fold's runs."""
        return [records.FoldRun(run, self.method, self.task, fold) for run in self.runs]


def segment_folds(plan: Plan) -> int:
    """Write the label maps of all folds, and the record ``<out>/<name>/record.json``.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    int
        Number of label maps.

    Raises
    ------
    UsageError
        The maps would replace those of a run, or the runs are of different splits, of inner folds
        or of another data set version.
    UhcsBenchError
        Folds are not finished, or a checkpoint is gone; the message lists all.
    """
    held = records.method_record(plan.out, plan.name)
    if held.is_file() and training_record.RUN_SCHEMA.encode() in held.read_bytes():
        raise UsageError(
            f"{plan.out / plan.name} holds the label maps of a run. Choose another --name or --out."
        )
    split = _common_split(plan)
    written = {}
    n_folds = dataset.n_folds(plan.task, plan.version, split)
    for fold in tqdm(range(n_folds), desc=plan.name, unit="fold", disable=None):
        written[str(fold)] = _segment_fold(plan, fold, split)
    _write_record(plan, written)
    return sum(len(members[0]["validation"]) for members in written.values())


def _common_split(plan: Plan) -> protocol.Split:
    """Give the split that all runs were trained on, once all folds are there."""
    found = [
        (place, place.read()) for fold in range(protocol.N_FOLDS) for place in plan.members(fold)
    ]
    of_runs = [(place, record) for place, record in found if record is not None]
    wrong = [
        f"{place}, in {place.out}, has the data set version {record['dataset_version']}, not "
        f"{plan.version}."
        for place, record in of_runs
        if record["dataset_version"] != plan.version
    ]
    wrong += [
        f"{place}, in {place.out}, segmented an inner fold; run it without --inner."
        for place, record in of_runs
        if record.get("inner")
    ]
    splits = {record.get("split", protocol.PAPER_SPLIT) for _, record in of_runs}
    if len(splits) > 1:
        wrong.append(
            f"The runs were trained on the folds of the splits {' and '.join(sorted(splits))}; "
            "give runs of one split."
        )
    if wrong:
        raise UsageError(listed(f"{plan.name} was not segmented", wrong))
    split = protocol.check_split(next(iter(splits), protocol.PAPER_SPLIT))
    missing = [
        f"{place.folder}: {place} is not finished or has no model"
        for fold in range(dataset.n_folds(plan.task, plan.version, split))
        for place in plan.members(fold)
        if place.read() is None or not place.checkpoint.is_file()
    ]
    if missing:
        raise UhcsBenchError(listed(f"{plan.name} was not segmented", missing))
    return split


def _segment_fold(plan: Plan, fold: int, split: protocol.Split) -> list[dict[str, Any]]:
    """Write the label maps of one fold, and give the records of its members."""
    places = plan.members(fold)
    model, *others = prediction.load_models([place.checkpoint for place in places], plan.device)
    for micrograph in uhcs_bench.load(plan.task, fold=fold, version=plan.version, split=split).val:
        labels = prediction.segment(
            model, micrograph.image, plan.precision, tta=plan.tta, others=others
        )
        path = plan.out / plan.name / plan.task / f"{micrograph.id}.png"
        label_maps.write_label_map(path, labels)
    return [place.read() or {} for place in places]


def _write_record(plan: Plan, written: dict[str, list[dict[str, Any]]]) -> None:
    """Write the task's part of the record; that of the other task stays."""
    path = records.method_record(plan.out, plan.name)
    tasks = json.loads(path.read_text(encoding="utf-8"))["tasks"] if path.is_file() else {}
    how = {"tta": plan.tta, "precision": plan.precision, "dataset_version": plan.version}
    tasks[plan.task] = {**how, "folds": written}
    names = {"name": plan.name, "method": plan.method}
    records.write_json(path, {"schema": training_record.ENSEMBLE_SCHEMA, **names, "tasks": tasks})
