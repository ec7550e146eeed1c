"""What is on record of the baselines' fold runs: the layout of a run, and the committed entries."""

from __future__ import annotations

from pathlib import Path

import pytest

from uhcs_bench import protocol
from uhcs_bench.data import dataset
from uhcs_bench.ranking.entries import strict_yaml
from uhcs_bench.scoring import training_record

LEADERBOARD = Path(__file__).parents[2] / "leaderboard"
COMMITTED = sorted(path.parent.name for path in LEADERBOARD.glob("*/record.json"))


@pytest.fixture(params=COMMITTED)
def entry(request):
    """Give the models of each run, by its folder, and the declaration of a trained baseline."""
    folder = LEADERBOARD / request.param
    declaration = strict_yaml.load((folder / "entry.yaml").read_bytes())
    folders = [folder / run["folder"] for run in declaration["runs"]]
    return {place: training_record.read(place) for place in folders}, declaration


def test_trained_baselines_are_committed():
    """Check that the tests below see any."""
    assert {"pixelnet-ce", "pixelnet-focal", "unet"} <= set(COMMITTED)


def test_every_label_map_is_on_record(entry):
    """Check that the maps are those that the recorded folds predicted, and no others."""
    runs, declaration = entry
    split = declaration["split"]
    for folder, models in runs.items():
        assert not training_record.contradictions(models, declaration["dataset_version"], split)
        for task in protocol.TASKS:
            mine = [model for model in models if model.task == task]
            predicted = {name for model in mine for name in model.validation}
            assert predicted == {path.stem for path in (folder / task).glob("*.png")}
            fold_of = {item.id: item.fold for item in dataset.catalogue(task, split=split)}
            assert all(fold_of[name] == model.fold for model in mine for name in model.validation)
            assert all(fold_of[name] != model.fold for model in mine for name in model.training)


def test_all_runs_of_a_task_have_one_configuration(entry):
    """Check the rule of the leaderboard, as `uhcs-bench validate` does."""
    runs, _ = entry
    assert not training_record.other_settings({str(folder): runs[folder] for folder in runs})


def test_the_declaration_says_what_is_on_record(entry):
    """Check finished tasks, seeds, hours of training and settings of entry.yaml."""
    folders, declaration = entry
    for (_, models), declared in zip(folders.items(), declaration["runs"], strict=True):
        assert declared["seeds"] == sorted({model.run["seed"] for model in models})
    models = [model for found in folders.values() for model in found]
    for task in declaration["tasks"]:
        folds = {model.fold for model in models if model.task == task}
        finished = len(folds) == dataset.n_folds(task, split=declaration["split"])
        assert declaration["tasks"][task]["status"] == ("active" if finished else "incomplete")
    runs = [model.run for model in models]
    hours = sum(run["seconds"]["train"] for run in runs) / 3600
    assert declaration["compute"]["training_hours"] == pytest.approx(hours, abs=0.005)
    seconds = sum(run["seconds"]["predict"] for run in runs)
    seconds /= sum(len(model.validation) for model in models)
    assert declaration["compute"]["inference_seconds"] == pytest.approx(seconds, rel=0.005)
    settings = declaration["hyperparameters"]
    formats = {
        task: dict.fromkeys(
            run["configuration"]["precision"] for run in runs if run["task"] == task
        )
        for task in declaration["tasks"]
    }
    for run in runs:
        configuration = run["configuration"]
        values = {
            "updates": [stage["updates"] for stage in configuration["stages"]],
            "number format": " and ".join(formats[run["task"]]),
        }
        for name, value in values.items():
            assert settings.get(name, settings.get(f"{name} for {run['task']}")) == value
        crop = settings[f"crop of {run['task']}"]
        assert crop == (configuration["crop"] or "whole micrographs")
        for name in ("batch", "weight_decay"):
            assert settings[name] == configuration[name]
