"""What is measured beside the paper's scores, collected by name."""

from __future__ import annotations

import math

import numpy as np
import pytest

from uhcs_bench.metrics import boundaries
from uhcs_bench.scoring import extended

CLASSES = ("matrix", "network", "spheroidite", "widmanstatten")


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
    """Check fractions and their error on a confusion matrix."""
    found = extended.agreement_measures(np.array([[60, 20], [0, 20]]), ("matrix", "particle"))
    assert found["classes", "particle", "area_fraction_true"] == 0.2
    assert found["classes", "particle", "area_fraction_pred"] == 0.4
    assert found["classes", "particle", "area_fraction_error"] == pytest.approx(0.2)
    assert found["classes", "particle", "dice"] == pytest.approx(40 / 60)
    assert found["kappa",] == pytest.approx((0.8 - (0.8 * 0.6 + 0.2 * 0.4)) / (1 - 0.56))


def test_sizes_without_a_pixel_size_stay_in_pixels():
    """Check that micrometres are undefined instead of invented."""
    areas = np.array([4, 9]), np.array([4, 9, 16])
    found = extended.size_measures(*areas, None)
    assert found["sizes", "count_error"] == 1
    assert math.isnan(found["sizes", "wasserstein_um"])
    scaled = extended.size_measures(*areas, 0.5)
    assert scaled["sizes", "wasserstein_um"] == 0.5 * found["sizes", "wasserstein_px"]


def test_boundaries_count_where_they_are_annotated():
    """Check that a class which is only predicted has no boundary measure, unlike others."""
    annotated = bands_map()
    predicted = annotated.copy()
    predicted[10:14, 25:30] = 3
    found = extended.boundary_measures(annotated, predicted, CLASSES)
    assert math.isnan(found["classes", "widmanstatten", "boundary_f1"])
    assert math.isnan(found["classes", "widmanstatten", "boundary_iou"])
    expected = boundaries.boundary_f1(annotated, predicted, len(CLASSES))
    assert found["classes", "spheroidite", "boundary_f1"] == expected[2]
    assert found["classes", "network", "boundary_f1"] == 1


def test_a_narrower_zone_is_an_error_of_its_width():
    """Check a zone that is two pixels too narrow, and a map without one."""
    annotated = bands_map()
    annotated[5, 10:12] = 1  # the authors' procedure takes a zone of smooth outline for detached
    predicted = annotated.copy()
    predicted[:, 14:] = 2
    found = extended.denuded_zone_measures(annotated, predicted, 0.1)
    assert found["denuded_zone", "mean_width_error_px"] == pytest.approx(-2, abs=0.1)
    assert found["denuded_zone", "mean_width_error_um"] == pytest.approx(-0.2, abs=0.01)
    nothing = extended.denuded_zone_measures(annotated, 0 * predicted, 0.1)
    assert all(math.isnan(value) for value in nothing.values())


def test_particles_are_matched_at_every_threshold():
    """Check names and values for a perfect map."""
    mask = np.zeros((9, 9), np.uint8)
    mask[2:5, 2:5] = mask[7, 7] = 1
    found = extended.instance_measures(mask, mask)
    assert found["instances", "panoptic_quality"] == 1
    assert found["instances", "f1", "0.50"] == found["instances", "f1", "0.95"] == 1
