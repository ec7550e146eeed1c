"""What is on record of the baselines' fold runs: the layout of a run, and the committed entries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from baselines import records
from uhcs_bench import protocol
from uhcs_bench.data import dataset
from uhcs_bench.ranking import strict_yaml

LEADERBOARD = Path(__file__).parents[2] / "leaderboard"
COMMITTED = sorted(path.parent.name for path in LEADERBOARD.glob("*/record.json"))


@pytest.fixture(params=COMMITTED)
def entry(request):
    """Give name, record and declaration of a trained baseline in the leaderboard."""
    folder = LEADERBOARD / request.param
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    return folder, record, strict_yaml.load((folder / "entry.yaml").read_bytes())


def test_trained_baselines_are_committed():
    """Check that the tests below see any."""
    assert {"pixelnet-ce", "pixelnet-focal", "unet"} <= set(COMMITTED)


def test_every_label_map_is_on_record(entry):
    """Check that the maps are those that the recorded folds predicted, and no others."""
    folder, record, _ = entry
    assert record["schema"] == records.RECORD_SCHEMA
    for task in protocol.TASKS:
        folds = record["tasks"].get(task, {}).values()
        predicted = [name for fold in folds for name in fold["validation"]]
        assert sorted(predicted) == sorted(path.stem for path in (folder / task).glob("*.png"))
        fold_of = {item.id: item.fold for item in dataset.catalogue(task)}
        assert all(fold_of[name] == fold["fold"] for fold in folds for name in fold["validation"])
        assert all(fold_of[name] != fold["fold"] for fold in folds for name in fold["training"])


def test_all_folds_of_a_task_have_one_configuration(entry):
    """Check the rule of the leaderboard that settings are the same for all folds."""
    _, record, _ = entry
    for folds in record["tasks"].values():
        first, *others = (fold["configuration"] for fold in folds.values())
        assert all(other == first for other in others)


def test_the_declaration_says_what_is_on_record(entry):
    """Check finished tasks, seeds, hours of training and settings of entry.yaml."""
    _, record, declaration = entry
    runs = [fold for folds in record["tasks"].values() for fold in folds.values()]
    for task in protocol.TASKS:
        finished = len(record["tasks"].get(task, {})) == protocol.N_FOLDS
        assert declaration["tasks"][task]["status"] == ("active" if finished else "incomplete")
    assert declaration["seeds"] == sorted({run["seed"] for run in runs})
    hours = sum(run["seconds"]["train"] for run in runs) / 3600
    assert declaration["training_hours"] == pytest.approx(hours, abs=0.005)
    settings = declaration["hyperparameters"]
    for run in runs:
        configuration = run["configuration"]
        assert settings["updates"] == [stage["updates"] for stage in configuration["stages"]]
        assert settings["number format"] == configuration["precision"]
        crop = settings[f"crop of {run['task']}"]
        assert crop == (configuration["crop"] or "whole micrographs")
        for name in ("batch", "weight_decay"):
            assert settings[name] == configuration[name]
