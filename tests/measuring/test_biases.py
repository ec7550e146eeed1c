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
    names = {measure.name for found in columns.MEASURES.values() for measure in found}
    assert set(stated()) <= names
    for name in names - set(stated()):
        assert biases.text(name) == "not calibrated"


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
    said = biases.text("perimeter_mean")
    assert said.endswith("% at 4, 8, 16 px per mean diameter")
    assert f"{100 * found['bias']['4']:+.1f}, {100 * found['bias']['8']:+.1f}" in said
