"""Entries made of the runs of a reference method."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import uhcs_bench
from tests.helpers.entries import noisy
from uhcs_bench.data.label_maps import write_label_map
from uhcs_bench.errors import SubmissionError, UhcsBenchError, UsageError
from uhcs_bench.ranking.entries import create, declaration, entry, strict_yaml
from uhcs_bench.scoring import training_record


@pytest.fixture
def predictions(tmp_path):
    """Write label maps of a method's six folds and what is on record of them."""

    def make(**changes):
        folds = {}
        for number in range(6):
            fold = uhcs_bench.load("particles", fold=number, version="synthetic")
            for micrograph in fold.val:
                np.save(tmp_path / f"{micrograph.id}.npy", micrograph.labels)
            folds[str(number)] = {
                "dataset_version": "synthetic",
                "configuration": {
                    "loss": "ce",
                    "stages": [{"updates": 9, "learning_rate": 1e-5, "features_rate": 0.0}],
                    "batch": 4,
                    "crop": None,
                    "weight_decay": 0.01,
                    "precision": "float32",
                },
                "training": list(fold.train.ids),
                "validation": list(fold.val.ids),
                "weights": "sha256:abc",
                "parameters": 1234,
                "seed": number,
                "seconds": {"train": 600.0, "predict": 2.0},
                "hardware": {"device": "cpu", "cpu": "a processor", "threads": 2},
                **changes,
            }
        content = {"schema": training_record.RUN_SCHEMA, "tasks": {"particles": folds}}
        (tmp_path / "record.json").write_text(json.dumps(content), encoding="utf-8")
        return tmp_path

    return make


def test_what_is_on_record_is_filled_in(predictions, tmp_path):
    """Check the values of entry.yaml, what is left, and that the record goes with the maps."""
    folder, to_fill = create.create([predictions()], "mine", tmp_path / "out", "synthetic")
    assert to_fill == ["summary", "authors.0.name", "licence"]
    declared = strict_yaml.load((folder / "entry.yaml").read_bytes())
    assert declared["runs"] == [{"folder": ".", "seeds": [0, 1, 2, 3, 4, 5]}]
    assert declared["compute"] == {
        "device": "a processor",
        "count": 2,
        "training_hours": 1.0,
        "inference_seconds": 0.5,
        "inference_gb": None,
    }
    assert declared["parameters"] == 1234
    assert "the 20 training micrographs" in declared["training_data"]
    assert declared["hyperparameters"]["learning_rate"] == [1e-5]
    assert declared["hyperparameters"]["crop of particles"] == "whole micrographs"
    assert declared["external_data"][0]["use"] == "Pretrained encoder, weights sha256:abc"
    path = folder / "entry.yaml"
    path.write_text(path.read_text("utf-8").replace(f'"{declaration.TO_FILL}"', "filled"), "utf-8")
    assert entry.read_entry(folder).name == "mine"
    assert len(training_record.read(folder)) == 6


def test_a_subset_and_no_weights_are_declared(predictions, tmp_path):
    """Check the declaration of a run from scratch on few micrographs."""
    some = predictions(train_size=2, training=["a", "b"], weights=None)
    folder, _ = create.create([some], "mine", tmp_path / "out", "synthetic")
    declared = strict_yaml.load((folder / "entry.yaml").read_bytes())
    assert "a fixed subset of 2 training micrographs" in declared["training_data"]
    assert declared["external_data"] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "grouped"}, r"split grouped, not.* paper.* Say --split grouped"),
        ({"dataset_version": "1.0"}, "Say --dataset-version 1.0."),
        ({"inner": True}, "those of inner folds"),
    ],
)
def test_maps_of_other_folds_are_refused(predictions, tmp_path, changes, message):
    """Check that a run on one split is not submitted as another."""
    with pytest.raises(SubmissionError, match=message):
        create.create([predictions(**changes)], "mine", tmp_path / "out", "synthetic", "paper")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("key", ["configuration", "seconds", "hardware"])
def test_a_damaged_record_is_refused(predictions, tmp_path, key):
    """Check a record that lacks what entry.yaml declares, and that nothing is written."""
    with pytest.raises(UhcsBenchError, match=r"record\.json beside the maps is damaged \('\w+' is"):
        create.create([predictions(**{key: {}})], "mine", tmp_path / "out", "synthetic")
    assert not (tmp_path / "out").exists()


def test_settings_of_each_task_are_declared(predictions):
    """Check settings that two tasks share, and those in which they differ."""
    content = json.loads((predictions() / "record.json").read_text("utf-8"))
    fold = content["tasks"]["particles"]["0"]
    changed = {"stages": [fold["configuration"]["stages"][0] | {"updates": 20}], "crop": 224}
    other = fold | {"configuration": fold["configuration"] | changed | {"tta": True}}
    content["tasks"]["microconstituents"] = {"0": other}
    settings = create.declared_of(training_record.parse(content))["hyperparameters"]
    for name, values in {"updates": ([9], [20]), "test-time averaging": (False, True)}.items():
        assert name not in settings
        names = (f"{name} for particles", f"{name} for microconstituents")
        assert tuple(settings[key] for key in names) == values
    crops = [settings[f"crop of {task}"] for task in ("particles", "microconstituents")]
    assert crops == ["whole micrographs", 224]
    assert settings["batch"] == 4


def test_number_formats_of_a_task_are_declared(predictions):
    """Check folds that were computed in two formats, as on two machines."""
    content = json.loads((predictions() / "record.json").read_text("utf-8"))
    content["tasks"]["particles"]["3"]["configuration"]["precision"] = "bfloat16"
    settings = create.declared_of(training_record.parse(content))["hyperparameters"]
    assert settings["number format"] == "float32 and bfloat16"


def test_other_settings_of_a_fold_are_refused(predictions, tmp_path):
    """Check that the settings of one fold are not declared for all."""
    path = predictions() / "record.json"
    content = json.loads(path.read_text("utf-8"))
    content["tasks"]["particles"]["3"]["configuration"]["batch"] = 8
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(SubmissionError, match=r"fold 3 of particles .* than fold 0 .*\(batch\)"):
        create.create([tmp_path], "mine", tmp_path / "out", "synthetic")
    assert not (tmp_path / "out").exists()


def test_split_and_version_are_those_of_the_record(predictions, tmp_path):
    """Check that nothing needs to be typed that the record states, and that it is entered so."""
    folder, _ = create.create([predictions(split="clean")], "mine", tmp_path / "out")
    assert folder.name == "mine-synthetic-clean"
    declared = strict_yaml.load((folder / "entry.yaml").read_bytes())
    assert (declared["dataset_version"], declared["split"]) == ("synthetic", "clean")


def test_version_is_what_cross_validate_handed_out(tmp_path):
    """Check that its record decides the version and the split, and that others are refused."""
    preds = tmp_path / "preds"
    uhcs_bench.cross_validate(
        lambda _: lambda image: (image > 128).astype(np.uint8),
        "particles",
        version="synthetic",
        split="clean",
        out=preds,
    )
    folder, _ = create.create([preds], "mine", tmp_path / "out")
    assert folder.name == "mine-synthetic-clean"
    record = preds / "particles" / "cross_validation.json"
    record.write_text(record.read_text("utf-8").replace("-synthetic-", "-audited-"), "utf-8")
    with pytest.raises(SubmissionError, match=r"audited, not synthetic\. Say --dataset-vers"):
        create.create([preds], "mine", tmp_path / "other", "synthetic")
    assert not (tmp_path / "other").exists()


def test_records_of_several_splits_make_no_entry(predictions, tmp_path):
    """Check two runs whose records contradict each other, unless the split is given."""
    runs = [shutil.copytree(predictions(), tmp_path / name) for name in ("a", "b")]
    record = runs[1] / "record.json"
    content = json.loads(record.read_text("utf-8"))
    for fold in content["tasks"]["particles"].values():
        fold["split"] = "clean"
    record.write_text(json.dumps(content), "utf-8")
    with pytest.raises(UsageError, match=r"several splits \(paper: .*a; clean: .*b\)"):
        create.create(runs, "mine", tmp_path / "out")
    with pytest.raises(SubmissionError, match=r"b was not entered: .*\n.*clean"):
        create.create(runs, "mine", tmp_path / "out", "synthetic", "paper")


@pytest.mark.parametrize(
    ("places", "folders"),
    [
        (("seed-0", "seed-1"), ["runs/seed-0", "runs/seed-1"]),
        (("0/unet", "1/unet"), ["runs/1", "runs/2"]),
        (("Seed 0", "b"), ["runs/1", "runs/2"]),
    ],
)
def test_runs_keep_their_names_and_ask_for_seeds(tmp_path, places, folders):
    """Check the folders of runs in an entry, what is left to fill in, and what validation notes."""
    for seed, place in enumerate(places):
        for name, labels in noisy(0.1, seed=seed).items():
            write_label_map(tmp_path / place / f"{name}.png", labels)
    given = [tmp_path / place for place in places]
    folder, to_fill = create.create(given, "mine", tmp_path / "out", "synthetic")
    assert to_fill[-2:] == [f"runs: seeds of {run}" for run in folders]
    path = folder / declaration.FILE_NAME
    path.write_text(path.read_text("utf-8").replace('"TO BE FILLED IN"', "filled"), "utf-8")
    found = entry.read_entry(folder)
    assert [run.folder for run in found.tasks["particles"].runs] == folders
    (note,) = found.notes
    assert f"no seed is stated of {', '.join(folders)}" in note
