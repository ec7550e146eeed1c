"""Measures beside the paper's scores, by their place in the output."""

from __future__ import annotations

import math

import numpy as np
import pytest

from uhcs_bench import protocol
from uhcs_bench.metrics import boundaries
from uhcs_bench.metrics.pair import MapPair
from uhcs_bench.metrics.table import MEASURES
from uhcs_bench.scoring import extended

PARTICLES = protocol.task("particles")
MICROCONSTITUENTS = protocol.task("microconstituents")


def measured(annotated, predicted, task, pixel_size_um=None):
    pair = MapPair(annotated, predicted, len(task.classes), pixel_size_um)
    return extended.measure(pair, task, extended=True)


def bands_map():
    """Network, matrix and spheroidite in vertical bands; no laths."""
    labels = np.zeros((30, 40), np.uint8)
    labels[:, :10] = 1
    labels[:, 16:] = 2
    return labels


def test_names_become_branches():
    """Check that names of several parts are nested, and single ones are not."""
    flat = {("a",): 1, ("b", "c"): 2, ("b", "d", "e"): 3}
    assert extended.nested(flat) == {"a": 1, "b": {"c": 2, "d": {"e": 3}}}


def test_agreement_by_hand():
    """Check fractions and their error on a map of 100 pixels."""
    annotated = np.repeat(np.array([[0, 1]], np.uint8), [80, 20], axis=1)
    predicted = np.repeat(np.array([[0, 1]], np.uint8), [60, 40], axis=1)
    found = measured(annotated, predicted, PARTICLES)
    assert found["classes", "particle", "area_fraction_true"] == 0.2
    assert found["classes", "particle", "area_fraction_pred"] == 0.4
    assert found["classes", "particle", "area_fraction_error"] == pytest.approx(0.2)
    assert found["classes", "particle", "dice"] == pytest.approx(40 / 60)
    assert found["kappa",] == pytest.approx((0.8 - (0.8 * 0.6 + 0.2 * 0.4)) / (1 - 0.56))


def test_sizes_without_a_pixel_size_stay_in_pixels():
    """Check that micrometres are undefined instead of invented."""
    annotated = np.zeros((20, 20), np.uint8)
    annotated[2:4, 2:4] = annotated[8:11, 8:11] = 1
    predicted = annotated.copy()
    predicted[14:18, 14:18] = 1
    found = measured(annotated, predicted, PARTICLES)
    assert found["sizes", "count_error"] == 1
    assert math.isnan(found["sizes", "wasserstein_um"])
    scaled = measured(annotated, predicted, PARTICLES, 0.5)
    assert scaled["sizes", "wasserstein_um"] == 0.5 * found["sizes", "wasserstein_px"]


def test_boundaries_count_where_they_are_annotated():
    """Check that a class which is only predicted has no boundary measure, unlike others."""
    annotated = bands_map()
    predicted = annotated.copy()
    predicted[10:14, 25:30] = 3
    found = measured(annotated, predicted, MICROCONSTITUENTS)
    network, spheroidite, laths = MICROCONSTITUENTS.classes[1:4]
    assert math.isnan(found["classes", laths, "boundary_f1"])
    assert math.isnan(found["classes", laths, "boundary_iou"])
    expected = boundaries.boundary_f1(annotated, predicted, 4)
    assert found["classes", spheroidite, "boundary_f1"] == expected[2]
    assert found["classes", network, "boundary_f1"] == 1


def test_narrower_zone_is_an_error_of_its_width():
    """Check a zone that is two pixels too narrow, and a map without one."""
    annotated = bands_map()
    annotated[5, 10:12] = 1  # the authors' procedure takes a zone of smooth outline for detached
    predicted = annotated.copy()
    predicted[:, 14:] = 2
    found = measured(annotated, predicted, MICROCONSTITUENTS, 0.1)
    assert found["denuded_zone", "mean_width_error_px"] == pytest.approx(-2, abs=0.1)
    assert found["denuded_zone", "mean_width_error_um"] == pytest.approx(-0.2, abs=0.01)
    assert found["denuded_zone", "filled_hole_um2"] == pytest.approx(128 * 0.1**2)
    nothing = measured(annotated, 0 * predicted, MICROCONSTITUENTS, 0.1)
    undefined = {k: v for k, v in nothing.items() if k[0] == "denuded_zone" and "hole" not in k[-1]}
    assert len(undefined) == 8
    assert all(map(math.isnan, undefined.values()))


def test_both_procedures_measure_the_zone():
    """Check lines through the zone against the widths of a straight one, 6 and 4 px."""
    annotated, predicted = bands_map(), bands_map()
    predicted[:, 14:] = 2
    found = measured(annotated, predicted, MICROCONSTITUENTS, 0.1)
    clear = {key[-1]: value for key, value in found.items() if "unobstructed" in key}
    assert clear == pytest.approx(
        {
            "mean_width_error_px": -2,
            "mean_width_error_um": -0.2,
            "wasserstein_px": 2,
            "wasserstein_um": 0.2,
        }
    )


def test_particles_are_matched_at_every_threshold():
    """Check names and values for a perfect map."""
    mask = np.zeros((9, 9), np.uint8)
    mask[2:5, 2:5] = mask[7, 7] = 1
    found = measured(mask, mask, PARTICLES)
    assert found["instances", "panoptic_quality"] == 1
    assert found["instances", "f1", "0.50"] == found["instances", "f1", "0.95"] == 1


def test_slow_measures_are_left_out_unless_asked_for():
    """Check which measures come without the option: those that the table doesn't call slow."""
    pair = MapPair(bands_map(), bands_map(), 4)
    quick = extended.measure(pair, MICROCONSTITUENTS)
    slow = extended.measure(pair, MICROCONSTITUENTS, extended=True)
    found = {False: quick, True: slow}
    for with_option, measures in found.items():
        expected = {
            (*m.group, m.name)
            for m in MEASURES
            if m.structure != "particles" and (with_option or not m.extended)
        }
        assert {key[2:] if key[0] == "classes" else key for key in measures} == expected
    assert quick.keys() < slow.keys()
    assert {"kappa", "classes"} <= {key[0] for key in quick}
    assert "denuded_zone" in {key[0] for key in slow} - {key[0] for key in quick}


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        (("sizes", "count_error"), True),
        (("sizes", "mean_diameter_error_um"), True),
        (("classes", "matrix", "area_fraction_error"), True),
        (("denuded_zone", "mean_width_error_px"), True),
        (("denuded_zone", "unobstructed", "mean_width_error_px"), True),
        (("denuded_zone", "filled_hole_um2"), False),
        (("sizes", "ks_distance"), False),
        (("denuded_zone", "wasserstein_px"), False),
        (("classes", "matrix", "dice"), False),
        (("kappa",), False),
    ],
)
def test_errors_are_signed(key, signed):
    """Check which measures are given with their mean absolute value."""
    assert extended.is_signed(key) is signed
