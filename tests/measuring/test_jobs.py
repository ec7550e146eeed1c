"""Hints about single files of a run: label maps in the place of micrographs, training data."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import uhcs_bench
from uhcs_bench.data import registry
from uhcs_bench.measuring import jobs
from uhcs_bench.segmentation import models


def hints(image, model="particles"):
    task = "particles" if model == "otsu" else model
    return jobs._hints(image, jobs.Options(task, model=model))


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
