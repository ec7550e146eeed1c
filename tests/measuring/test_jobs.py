"""Hints about single files of a run: label maps in the place of micrographs, training data."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from PIL import Image

import uhcs_bench
from uhcs_bench import protocol
from uhcs_bench.data import registry
from uhcs_bench.measuring import jobs
from uhcs_bench.measuring.pixel_size import Scale
from uhcs_bench.segmentation import models

KNOWN = Scale(0.05, "given by the user")


def hints(image, model="particles", scale=KNOWN):
    task = "particles" if model == "otsu" else model
    return jobs._hints(image, jobs.Options(task, model=model), scale)


@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize("task", models.NAMES)
def test_training_data_are_recognised(task):
    """Check all micrographs of the task, and one with a changed pixel; Otsu learns nothing."""
    for micrograph in uhcs_bench.load(task):
        (said,) = hints(micrograph.image, task)
        assert "trained on" in said
    changed = micrograph.image.copy()
    changed[-1, -1] ^= 1
    assert hints(changed, task) == []
    assert hints(micrograph.image, "otsu") == []


@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize("task", models.NAMES)
def test_registered_pixel_size_is_offered_where_a_file_has_none(task):
    """Check that a renamed micrograph is measured in pixels, with its size in the advice."""
    micrograph = next(m for m in uhcs_bench.load(task) if m.pixel_size.um is not None)
    _, said = hints(micrograph.image, task, Scale(None, "none: the file holds no pixel size"))
    assert f"--pixel-size {micrograph.pixel_size.um:g} " in said


def test_every_row_that_hashes_start_from_is_looked_at():
    """Check that the registry has micrographs whose first row no source has."""
    rows = {entry.files["image"].hashed_from_row for entry in registry.entries("particles")}
    assert set(jobs._seen_in_training("particles")) == rows
    assert len(rows) > 1


def test_generated_micrographs_are_new():
    """Check that none is called training data or a label map."""
    for task in models.NAMES:
        for micrograph in uhcs_bench.load(task, version="synthetic")[:3]:
            assert hints(micrograph.image, task) == []


def test_label_map_in_the_place_of_a_micrograph_is_named(tmp_path):
    """Check a whole job: the map is measured as a picture, with a warning what to do."""
    labels = (np.random.default_rng(0).random((80, 90)) < 0.2).astype(np.uint8)
    Image.fromarray(labels).save(tmp_path / "a.png")
    options = jobs.Options("particles", 0.1, "otsu", "")
    outcome = jobs.do(jobs.Job(0, str(tmp_path / "a.png"), "a.png", options))
    assert any("--model none measures a label map" in text for text in outcome.warnings)


def outcome_of(folder, pixels, model=None, task="particles"):
    """Measure a picture with a pixel of 0.05 um and a table, and any warning as an error."""
    np.save(folder / "a.npy", pixels)
    options = jobs.Options(task, 0.05, model, models.sha256(model) if model else None)
    kinds = ("overlays", "maps") if model else ("plots", "maps")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return jobs.do(jobs.Job(0, str(folder / "a.npy"), "a.npy", options, kinds, True))


@pytest.mark.parametrize("task", models.NAMES)
@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("shape", [(1, 1), (30, 40)])
def test_blank_label_map_is_reported(tmp_path, task, value, shape):
    """Check that the warning and the table say what it was taken for."""
    outcome = outcome_of(tmp_path, np.full(shape, value, np.uint8), task=task)
    assert not outcome.error
    (said,) = outcome.warnings
    assert said == outcome.row["warning"]
    assert said.startswith(f"all its pixels are {value}, so that it was taken for a label map and")
    assert f"--model {task} segments" in said
    name = protocol.TASKS[task].classes[value]
    assert f"every pixel is {name}, so that there is nothing to measure" in said


@pytest.mark.parametrize("value", [0, 77])
def test_flat_micrograph_is_reported(tmp_path, value):
    """Check that a picture without contrast is named in the warning and in the table."""
    outcome = outcome_of(tmp_path, np.full((30, 40), value, np.uint8), "otsu")
    assert "it has one gray level and no contrast" in str(outcome.row["warning"])
    assert "nan" not in " ".join(outcome.warnings)
    assert not any("as label maps have" in text for text in outcome.warnings)


@pytest.mark.slow
@pytest.mark.parametrize("model", [None, "otsu"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 7), (7, 1), (5, 40), (40, 5)])
def test_pictures_of_few_pixels_raise_no_warnings_of_numpy(tmp_path, model, shape):
    """Check maps and micrographs of every kind, with all files that are made of them."""
    random = np.random.default_rng(0).integers(0, 2, shape).astype(np.uint8)
    for task in models.NAMES:
        for pixels in (np.zeros(shape, np.uint8), np.ones(shape, np.uint8), random):
            assert outcome_of(tmp_path, pixels, model, task).error == ""
