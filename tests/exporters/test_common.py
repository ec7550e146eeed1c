"""What all exports share: whole or nothing, identity and licences; and the plain pairs of PNG."""

from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest
from skimage import io

from tests.helpers import exports
from uhcs_bench.data import dataset, registry
from uhcs_bench.errors import DataUnavailableError, MissingPackageError, UsageError
from uhcs_bench.exporters import export, png


@pytest.fixture
def small(monkeypatch):
    """Let the exports load small synthetic sets instead of whole ones."""
    monkeypatch.setattr(dataset, "load", exports.load_small)


@pytest.mark.parametrize("form", export.FORMATS)
@pytest.mark.usefixtures("small")
def test_every_export_states_its_data(form, tmp_path):
    """Check that version, split, classes and licences stand in words and for programs."""
    exported = export.export(form, tmp_path / "out", version="synthetic")
    text = (exported.folder / export.README_NAME).read_text("utf-8")
    assert f"for {exported.usage.title}" in text
    assert "Data set version `synthetic`: generated stand-in" in text
    assert "Split `paper`" in text
    assert "uhcs-bench score preds/ --dataset-version synthetic\n" in text
    assert "Licence of the micrographs: MIT (generated" in text
    assert "{" not in exported.usage.text.replace("{tv_tensors", ""), "unfilled template"
    manifest = json.loads((exported.folder / export.MANIFEST_NAME).read_text("utf-8"))
    assert manifest["format"] == form
    assert sum(len(s["micrographs"]) for s in manifest["sets"]) == exported.n_micrographs
    for found in manifest["sets"]:
        micrographs = exports.small_set(found["task"])
        assert found["data_id"] == micrographs.data_id
        assert found["classes"] == list(micrographs.classes)
        assert [(m["id"], m["fold"]) for m in found["micrographs"]] == [
            (m.id, m.fold) for m in micrographs
        ]


@pytest.mark.usefixtures("small")
def test_pairs_are_read_back(tmp_path):
    """Check pixels, folds and classes with other readers."""
    root = export.export("png", tmp_path / "out", version="synthetic").folder
    for micrographs in exports.small_sets():
        folder = root / micrographs.task.name
        for m in micrographs:
            for kind, pixels in (("images", m.image), ("labels", m.labels)):
                read = io.imread(folder / kind / f"{m.id}.png")
                assert read.dtype == np.uint8
                np.testing.assert_array_equal(read, pixels)
        with (folder / "folds.csv").open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        assert {row["id"]: int(row["fold"]) for row in rows} == {m.id: m.fold for m in micrographs}
        assert {row["dataset_version"] for row in rows} == {"synthetic"}
        classes = json.loads((folder / "classes.json").read_text("utf-8"))
        assert [c["name"] for c in classes] == list(micrographs.classes)
        assert [c["label"] for c in classes] == list(range(len(classes)))


@pytest.mark.usefixtures("small")
def test_one_task_alone(tmp_path):
    """Check the choice of a task by its alias."""
    exported = export.export("png", tmp_path / "out", task="uhcs", version="synthetic")
    assert exported.n_micrographs == 6
    assert not (tmp_path / "out" / "particles").exists()


@pytest.mark.usefixtures("small")
def test_failure_leaves_nothing(tmp_path, monkeypatch):
    """Check that a half-written export vanishes, and that an empty target stays as it was."""

    def fail_half_way(folder, _sets):
        (folder / "some file").write_text("x")
        raise OSError(28, "No space left on device")

    (tmp_path / "out").mkdir()
    monkeypatch.setattr(png, "write", fail_half_way)
    with pytest.raises(OSError, match="No space"):
        export.export("png", tmp_path / "out", version="synthetic")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert list((tmp_path / "out").iterdir()) == []


def test_without_data_nothing_is_written(tmp_path):
    """Check an export of the real data where they can't be had."""
    with pytest.raises(DataUnavailableError):
        export.export("png", tmp_path / "exports" / "out")
    assert list((tmp_path / "exports").iterdir()) == []


def test_target_in_use_is_not_changed(tmp_path, monkeypatch):
    """Check the errors for what exists already, before anything is fetched."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("mine")
    with pytest.raises(UsageError, match="file is a file"):
        export.export("png", tmp_path / "file")
    with pytest.raises(UsageError, match="holds files already"):
        export.export("png", tmp_path / "folder")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UsageError, match="is the current folder"):
        export.export("png", ".")
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "file").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.usefixtures("small")
def test_an_empty_folder_and_missing_parents_are_taken(tmp_path):
    """Check targets that hold nothing yet."""
    (tmp_path / "empty").mkdir()
    for target in (tmp_path / "empty", tmp_path / "new" / "deep"):
        export.export("png", target, version="synthetic")
        assert (target / "README.md").stat().st_mode & 0o444 == 0o444
        assert target.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pascal",), "formats are nnunet, mmsegmentation, coco, huggingface, png"),
        (("coco", "uhcs"), "can't express microconstituents, only particles"),
        (("png", "steel"), "tasks are particles"),
        (("png", "uhcs", "2.0"), "versions are 1.0"),
        (("png", "uhcs", "1.0", "mine"), "splits are paper"),
    ],
)
def test_wrong_arguments_list_the_right_ones(arguments, message, tmp_path):
    """Check the errors for what does not exist."""
    form, *rest = arguments
    with pytest.raises(UsageError, match=message):
        export.export(form, tmp_path / "out", *rest)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("form", "package", "extra"),
    [("coco", "pycocotools", "coco"), ("huggingface", "pyarrow.parquet", "huggingface")],
)
@pytest.mark.usefixtures("small")
def test_missing_package_is_named(form, package, extra, tmp_path, monkeypatch):
    """Check that the error names what to install, and that nothing is left."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=rf"pip install 'uhcs-bench\[{extra}\]'"):
        export.export(form, tmp_path / "out", version="synthetic")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("real_data")
def test_real_export_names_licences_and_gaps(tmp_path):
    """Check licences, citations and filled rows of the real data, in another split."""
    root = export.export("png", tmp_path / "out", task="particles", split="clean").folder
    text = (root / export.README_NAME).read_text("utf-8")
    entries = registry.entries("particles", split="clean")
    assert f"{len(entries)} micrographs of 475 x 645 px" in text
    for entry in entries:
        assert entry.files["image"].licence in text
        assert entry.files["labels"].licence in text
        assert all(citation in text for citation in entry.citation)
    filled = next(line for line in text.splitlines() if "First row lost" in line)
    assert "800C-24H-Q-3" in filled
    assert "970C-5M-Q-2" not in filled
    assert "moved into place" not in text
    assert "uhcs-bench score preds/ --split clean\n" in text
    assert len(list((root / "particles" / "labels").iterdir())) == len(entries)


@pytest.mark.usefixtures("real_data")
def test_an_audited_export_names_moved_maps(tmp_path):
    """Check that the other version lists its changes and folds."""
    options = {"task": "particles", "version": "audited", "split": "grouped"}
    root = export.export("png", tmp_path / "out", **options).folder
    text = (root / export.README_NAME).read_text("utf-8")
    moved = next(line for line in text.splitlines() if line.startswith("- Label map moved"))
    entries = registry.entries("particles", "audited", "grouped")
    listed = set(moved.partition(": ")[2].removesuffix(".").split(", "))
    assert listed == {entry.id for entry in entries if entry.correction is not None}
    assert f"in {dataset.n_folds('particles', split='grouped')} folds" in text
    assert "uhcs-bench score preds/ --dataset-version audited --split grouped\n" in text
