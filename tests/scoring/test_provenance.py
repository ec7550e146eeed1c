"""Declarations beside label maps: which split they state, and what contradicts it."""

from __future__ import annotations

import json
import shutil
from itertools import permutations

import pytest
from click import Option

import uhcs_bench
from tests.helpers import command
from uhcs_bench import cli, protocol
from uhcs_bench.data import dataset, label_maps
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
        ("cross_validation.json", json.dumps({"data_id": "particles-1.0-\x1b[2J-0a"}), None),
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


@pytest.mark.parametrize("task", protocol.TASKS)
@pytest.mark.parametrize(("trained", "scored"), [*permutations(protocol.SPLITS, 2)])
def test_the_difference_of_two_splits_is_that_of_their_folds(task, trained, scored):
    """Check each statement on what the models of a split have seen, by the ids of the folds."""
    fold = {entry.id: entry.fold for entry in dataset.catalogue(task, split=trained)}
    other = {entry.id: entry.fold for entry in dataset.catalogue(task, split=scored)}
    common = fold.keys() & other.keys()
    has_seen = any(
        other[a] == other[b] and fold[a] != fold[b] for a in common for b in common - {a}
    )
    text = provenance.difference(trained, scored)
    assert (f"have seen micrographs that {scored} keeps for validation" in text) == has_seen
    if "that clean leaves out: these show" in text:
        assert fold.keys() > other.keys()
        assert all(fold[name] == other[name] for name in common)
    if "they lack the training micrographs that clean leaves out" in text:
        assert trained == "clean"
        assert fold.keys() < other.keys()
        assert all(fold[name] == other[name] for name in common)


def test_an_unknown_split_is_not_advised(folder):
    """Check the message about a declaration of a split that there is not."""
    (folder / "entry.yaml").write_text("split: mine\n")
    with pytest.raises(SubmissionError, match=r"which there is not.* paper, clean and grouped"):
        uhcs_bench.score(folder, version="synthetic")


@pytest.fixture
def mixed(tmp_path):
    """Write label maps of both tasks whose models were trained on different splits."""
    run = {"dataset_version": "synthetic", "training": [], "validation": [], "configuration": {}}
    splits = {"particles": "clean", "microconstituents": "grouped"}
    for task, split in splits.items():
        for m in uhcs_bench.load(task, version="synthetic", split=split):
            label_maps.write_label_map(tmp_path / task / f"{m.id}.png", m.labels)
    tasks = {task: {"0": run | {"split": split}} for task, split in splits.items()}
    content = {"schema": training_record.RUN_SCHEMA, "tasks": tasks}
    (tmp_path / "record.json").write_text(json.dumps(content))
    return tmp_path


@pytest.mark.slow
def test_what_is_advised_for_several_splits_is_possible(mixed):
    """Check that the options that the message names lead to a score."""
    with pytest.raises(SubmissionError, match=r"particles: clean; microconstituents: grouped") as e:
        uhcs_bench.score(mixed, version="synthetic", split="clean")
    with pytest.raises(SubmissionError, match="folder of its own"):
        provenance.check(mixed, "clean")
    advised = str(e.value).partition("Name one task with its split: ")[2].rstrip(".").split(" or ")
    assert len(advised) == 2
    for options in advised:
        result = command.run("score", mixed, "--dataset-version", "synthetic", *options.split())
        assert result.exit_code == 0, result.stderr
    report = uhcs_bench.score(mixed / "particles", version="synthetic", split="clean")
    assert report.training_split == "clean"


@pytest.mark.slow
@pytest.mark.parametrize("is_mixed", [True, False])
@pytest.mark.parametrize("name", ["submit", "score", "compare"])
def test_only_options_of_the_command_are_advised(mixed, tmp_path_factory, name, is_mixed):
    """Check all options that a message about a mixed submission names, and about a single fold."""
    if not is_mixed:
        (mixed / "record.json").unlink()
        kept = {m.id for m in uhcs_bench.load("particles", fold=0, version="synthetic").val}
        for path in mixed.glob("*/*.png"):
            if path.stem not in kept:
                path.unlink()
    needed = ["--name", "Mine", "--out", mixed / "board"] if name == "submit" else []
    folders = [mixed]
    if name == "compare":
        folders.append(shutil.copytree(mixed, tmp_path_factory.mktemp("other") / "other"))
    result = command.run(name, *folders, *needed, "--dataset-version", "synthetic")
    assert result.exit_code == 2
    its_own = {
        text
        for parameter in cli.main.get_command(None, name).params
        if isinstance(parameter, Option)
        for text in parameter.opts
    }
    words = result.stderr.replace(",", " ").replace(";", " ").split()
    advised = {word.rstrip(".") for word in words if word.startswith("--")}
    assert advised <= its_own
    assert bool(advised) == (name != "submit")


def test_unknown_training_is_stated(folder):
    """Check a folder without a declaration, and arrays."""
    maps = {m.id: m.labels for m in uhcs_bench.load("particles", version="synthetic")}
    for predictions in (folder, maps):
        report = uhcs_bench.score(predictions, version="synthetic")
        assert report.training_split is None
        assert "the training split is not stated" in report.training
