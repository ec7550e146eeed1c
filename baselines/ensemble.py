"""Segment the validation micrographs again with finished folds' models, averaged over seeds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

import uhcs_bench
from baselines import prediction, records
from uhcs_bench import protocol
from uhcs_bench.data import label_maps
from uhcs_bench.errors import UhcsBenchError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    import torch

SCHEMA = "uhcs-bench/ensemble-record/1"


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
        The maps would replace those of a run.
    UhcsBenchError
        Folds are not finished, or a checkpoint is gone; the message lists all.
    """
    if plan.name == plan.method and plan.out in plan.runs:
        raise UsageError(
            f"{plan.out / plan.name} holds the label maps of a run. Choose another --name or --out."
        )
    _check_finished(plan)
    written = {}
    for fold in tqdm(range(protocol.N_FOLDS), desc=plan.name, unit="fold", disable=None):
        written[str(fold)] = _segment_fold(plan, fold)
    _write_record(plan, written)
    return sum(len(members[0]["validation"]) for members in written.values())


def _check_finished(plan: Plan) -> None:
    missing = [
        f"{place.folder}: {place}"
        for fold in range(protocol.N_FOLDS)
        for place in plan.members(fold)
        if place.read() is None or not place.checkpoint.is_file()
    ]
    if missing:
        lines = "".join(f"\n  {line}" for line in missing)
        raise UhcsBenchError(f"{len(missing)} folds are not finished or have no model:{lines}")


def _segment_fold(plan: Plan, fold: int) -> list[dict[str, Any]]:
    """Write the label maps of one fold, and give the records of its members."""
    places = plan.members(fold)
    model, *others = prediction.load_models([place.checkpoint for place in places], plan.device)
    for micrograph in uhcs_bench.load(plan.task, fold=fold, version=plan.version).val:
        labels = prediction.segment(
            model, micrograph.image, plan.precision, tta=plan.tta, others=others
        )
        path = plan.out / plan.name / plan.task / f"{micrograph.id}.png"
        label_maps.write_label_map(path, labels)
    return [place.read() or {} for place in places]


def _write_record(plan: Plan, written: dict[str, list[dict[str, Any]]]) -> None:
    """Write the task's part of the record; that of the other task stays."""
    path = plan.out / plan.name / "record.json"
    tasks = json.loads(path.read_text(encoding="utf-8"))["tasks"] if path.is_file() else {}
    how = {"tta": plan.tta, "precision": plan.precision, "dataset_version": plan.version}
    tasks[plan.task] = {**how, "folds": written}
    records.write_json(
        path, {"schema": SCHEMA, "name": plan.name, "method": plan.method, "tasks": tasks}
    )
