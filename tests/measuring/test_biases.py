"""Biases that the glossary states: those of `calibrate`, and none that was not run."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from uhcs_bench.measuring import biases, calibration, columns


def stated():
    place = resources.files("uhcs_bench.measuring") / "biases.json"
    return json.loads(place.read_text(encoding="utf-8"))["measures"]


def test_every_calibrated_measure_has_one():
    """Check the names against those that calibrate knows and those of the columns."""
    assert tuple(stated()) == calibration.MEASURES
    names = {task: {m.name for m in found} for task, found in columns.MEASURES.items()}
    calibrated_ = {(name, found["task"]) for name, found in stated().items()}
    assert all(name in names[task] for name, task in calibrated_)
    for task, of_task in names.items():
        for name in of_task:
            is_calibrated = (name, task) in calibrated_
            assert (biases.text(name, task) != "not calibrated") == is_calibrated


def test_a_measure_of_two_tasks_is_calibrated_on_one():
    """Check the matrix, whose share was measured on synthetic micrographs with a denuded zone."""
    assert "px per zone width" in biases.text("fraction_matrix", "microconstituents")
    assert biases.text("fraction_matrix", "particles") == "not calibrated"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["diameter_mean", "circularity_mean", "intercept_spacing"])
def test_numbers_are_those_of_calibrate(name, calibrated):
    """Check one resolution of measures of particles and of the network."""
    noise = 4.0 if name in calibration.NETWORK_MEASURES else None
    (found,) = calibrated.line(name, noise)
    assert stated()[name]["bias"]["4"] == pytest.approx(found.bias, abs=1e-4)


@pytest.fixture(scope="module")
def calibrated():
    return calibration.calibrate(resolutions_px=[4], noise=[4])


def test_sentence_states_resolution_and_percent():
    """Check the form, and that the numbers stand in the order of their resolutions."""
    found = stated()["perimeter_mean"]
    said = biases.text("perimeter_mean", "particles")
    assert said.endswith("% at 4, 8, 16 px per mean diameter")
    assert f"{100 * found['bias']['4']:+.1f}, {100 * found['bias']['8']:+.1f}" in said
