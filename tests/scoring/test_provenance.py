"""Declarations beside label maps: which split they state, and what contradicts it."""

from __future__ import annotations

import json

import pytest

import uhcs_bench
from uhcs_bench.data import label_maps
from uhcs_bench.errors import SubmissionError
from uhcs_bench.scoring import provenance, training_record


def record(**changes):
    """A record of the reference methods, of one fold."""
    run = {"dataset_version": "1.0", "training": [], "validation": [], "configuration": {}}
    content = {"tasks": {"particles": {"0": run | changes}}}
    return json.dumps({"schema": training_record.RUN_SCHEMA} | content)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("entry.yaml", "name: x\nsplit: grouped\n", "grouped"),
        ("entry.yaml", 'split: "clean"  # as declared\n', "clean"),
        ("entry.yaml", "notes:\n  - split: grouped\n", None),
        ("entry.yaml", "name: no split\n", None),
        ("record.json", record(), "paper"),
        ("record.json", record(split="grouped"), "grouped"),
        ("record.json", json.dumps({"tasks": {"particles": {"0": {"fold": 0}}}}), None),
        ("record.json", "[]", None),
        ("cross_validation.json", json.dumps({"data_id": "particles-1.0-clean-0a"}), "clean"),
        ("cross_validation.json", json.dumps({"data_id": "other"}), None),
        ("other.json", json.dumps({"split": "grouped"}), None),
    ],
)
def test_declared_split(tmp_path, name, text, expected):
    """Check what a file states."""
    (tmp_path / name).write_text(text)
    found = provenance.training_split(tmp_path)
    assert found == (None if expected is None else (expected, name))


def test_declaration_counts_for_the_folder_of_a_task(tmp_path):
    """Check that the file beside the folder of a task is read, and that of another folder not."""
    (tmp_path / "entry.yaml").write_text("split: grouped\n")
    assert provenance.training_split(tmp_path / "particles") == ("grouped", "entry.yaml")
    assert provenance.training_split(tmp_path / "mine") is None


@pytest.fixture
def folder(tmp_path):
    """Write the annotations of the synthetic particles as a submission."""
    for m in uhcs_bench.load("particles", version="synthetic"):
        label_maps.write_label_map(tmp_path / f"{m.id}.png", m.labels)
    return tmp_path


@pytest.mark.slow
def test_cross_validation_is_its_own_declaration(tmp_path):
    """Check that the maps that `cross_validate` writes are scored on its split alone."""
    report = uhcs_bench.cross_validate(
        lambda _: lambda image: image > 128, "particles", tmp_path, "clean", "synthetic"
    )
    assert report.training_split == "clean"
    with pytest.raises(SubmissionError, match=r"cross_validation\.json beside"):
        uhcs_bench.score(tmp_path, version="synthetic")


def test_maps_of_another_split_are_refused(folder):
    """Check the message, and that the split that is stated is scored."""
    (folder / "entry.yaml").write_text("split: grouped\n")
    with pytest.raises(SubmissionError, match="trained on the split grouped, not paper") as caught:
        uhcs_bench.score(folder, version="synthetic")
    assert caught.value.exit_code == 2
    assert "--split grouped" in str(caught.value)
    report = uhcs_bench.score(folder, version="synthetic", split="grouped")
    assert report.training_split == "grouped"
    assert "Trained on the folds of split grouped" in report.training


def test_unknown_training_is_stated(folder):
    """Check a folder without a declaration, and arrays."""
    maps = {m.id: m.labels for m in uhcs_bench.load("particles", version="synthetic")}
    for predictions in (folder, maps):
        report = uhcs_bench.score(predictions, version="synthetic")
        assert report.training_split is None
        assert "the training split is not stated" in report.training
