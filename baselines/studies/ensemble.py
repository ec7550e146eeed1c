"""Segment the validation micrographs again with finished folds' models, averaged over seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

import uhcs_bench
from baselines import prediction, records
from baselines.studies import finished
from uhcs_bench.data import label_maps
from uhcs_bench.errors import UsageError
from uhcs_bench.io.texts import read_json
from uhcs_bench.scoring import training_record

if TYPE_CHECKING:
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
        The maps would replace those of a run or lie beside the record of something else, or the
        runs don't belong together, see `finished.find`.
    UhcsBenchError
        Folds are not finished, or a checkpoint is gone; the message lists all.
    """
    _check_place(plan)
    found = finished.find(
        plan.runs, plan.method, plan.task, plan.version, f"{plan.name} was not segmented"
    )
    for fold in tqdm(found.folds, desc=plan.name, unit="fold", disable=None):
        _segment_fold(plan, fold, found)
    _write_record(plan, _recorded(plan), found)
    return sum(len(members[0][1]["validation"]) for members in found.folds.values())


def _check_place(plan: Plan) -> None:
    """Make sure that the name is one of a folder, and that the folder is no run's or another's."""
    if plan.name in ("", "..") or plan.name != Path(plan.name).name:
        raise UsageError(f"--name {plan.name!r} is no name of a folder. Give one without slashes.")
    advice = "Choose another --name or --out."
    held = records.method_record(plan.out, plan.name)
    if held.is_file() and training_record.RUN_SCHEMA.encode() in held.read_bytes():
        raise UsageError(f"{plan.out / plan.name} holds the label maps of a run. {advice}")
    try:
        _recorded(plan)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{held} is no record that the command segment wrote, or is damaged. {advice}"
        ) from error


def _recorded(plan: Plan) -> dict[str, Any]:
    """Read the parts of the record of all tasks but that of the plan."""
    path = records.method_record(plan.out, plan.name)
    tasks = read_json(path)["tasks"] if path.is_file() else {}
    return {task: dict(part) for task, part in tasks.items() if task != plan.task}


def _segment_fold(plan: Plan, fold: int, found: finished.Finished) -> None:
    """Write the label maps of one fold."""
    checkpoints = [place.checkpoint for place, _ in found.folds[fold]]
    model, *others = prediction.load_models(checkpoints, plan.device)
    # Until all maps are new, no record may say which models made them.
    if fold == min(found.folds) and records.method_record(plan.out, plan.name).is_file():
        _write_record(plan, _recorded(plan))
    loaded = uhcs_bench.load(plan.task, fold=fold, version=plan.version, split=found.split)
    for micrograph in loaded.val:
        labels = prediction.segment(
            model, micrograph.image, plan.precision, tta=plan.tta, others=others
        )
        path = plan.out / plan.name / plan.task / f"{micrograph.id}.png"
        label_maps.write_label_map(path, labels)


def _write_record(
    plan: Plan, tasks: dict[str, Any], found: finished.Finished | None = None
) -> None:
    """Write the record: the parts of other tasks, and that of the plan once its maps are there."""
    if found is not None:
        how = {"tta": plan.tta, "precision": plan.precision, "dataset_version": plan.version}
        members = {
            str(fold): [record for _, record in of_fold] for fold, of_fold in found.folds.items()
        }
        tasks = {**tasks, plan.task: {**how, "folds": members}}
    path = records.method_record(plan.out, plan.name)
    names = {"name": plan.name, "method": plan.method}
    records.write_json(path, {"schema": training_record.ENSEMBLE_SCHEMA, **names, "tasks": tasks})
