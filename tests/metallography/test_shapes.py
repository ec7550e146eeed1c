"""Perimeters, Feret diameters and shape shares, against scikit-image and geometry."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import label, perimeter_crofton

from uhcs_bench.metallography import components, shapes
from uhcs_bench.metallography.particles import measure_particles

masks = hnp.arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14)))


def feret(row, column):
    """Largest distance of two pixels, by trying all pairs."""
    pixels = list(zip(row, column, strict=True))
    return max(math.dist(a, b) for a in pixels for b in pixels)


@given(masks, st.integers(1, 40))
def test_perimeters_are_scikit_images(mask, band_pixels):
    """Check Crofton's formula particle by particle, also of masks that are worked off in bands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(components, "BAND_PIXELS", band_pixels)
        table = measure_particles(mask).table
    numbered = label(mask, connectivity=2)
    expected = [perimeter_crofton(numbered == i) for i in range(1, numbered.max() + 1)]
    np.testing.assert_allclose(table["perimeter_px"], expected)
    circularity = 4 * math.pi * table["area_px"] / table["perimeter_px"] ** 2
    np.testing.assert_allclose(table["circularity"], circularity)


@pytest.mark.slow
@given(masks, st.integers(1, 40))
def test_feret_is_the_largest_distance_of_pixels_and_one_more(mask, band_pixels):
    """Check that 16 directions find at least 99.5 % of it, and never more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(components, "BAND_PIXELS", band_pixels)
        found = measure_particles(mask).table["feret_px"]
    numbered = label(mask, connectivity=2)
    longest = [feret(*np.nonzero(numbered == i)) for i in range(1, numbered.max() + 1)]
    assert (found - 1 <= np.multiply(longest, 1 + 1e-6)).all()
    assert (found - 1 >= np.multiply(longest, math.cos(math.pi / 32) - 1e-6)).all()


def test_discs_are_round():
    """Check perimeter, circularity and Feret diameter of a large disc against its radius."""
    row, column = np.indices((301, 301)) - 150
    disc = measure_particles(np.hypot(row, column) <= 100.0).table[0]
    assert disc["perimeter_px"] == pytest.approx(2 * math.pi * 100, rel=0.005)
    assert disc["circularity"] == pytest.approx(1, abs=0.01)
    assert disc["feret_px"] == pytest.approx(201, rel=0.005)


def bars():
    """Rows of pixels 10 to 60 px long, some of them at the border, and one square."""
    mask = np.zeros((200, 300), np.uint8)
    for number, length in enumerate((10, 20, 40, 60)):
        mask[20 + 20 * number : 30 + 20 * number, 30 : 30 + length] = 1
    mask[150:160, :70] = 1
    return mask


def test_spheroidised_share_counts_whole_particles():
    """Check both shares by hand: bars of aspect ratio 1, 2, 4 and 6, and one that is cut."""
    found = measure_particles(bars())
    summary = shapes.mean_shapes(found)
    weight = found.table["edge_weight"][:4]
    area = weight * np.array([100, 200, 400, 600])
    for limit, n in ((2, 2), (3, 2), (5, 3)):
        share = summary.spheroidised[limit]
        assert share.by_number.value == pytest.approx(weight[:n].sum() / weight.sum())
        assert share.by_area.value == pytest.approx(area[:n].sum() / area.sum())
    ratios = np.array([1, 2, 4, 6])
    assert summary.aspect_ratio.value == pytest.approx(weight @ ratios / weight.sum())


def test_intervals_of_shares_stay_between_0_and_1():
    """Check many particles, of which nearly all pass, and that there is none where all do."""
    rng = np.random.default_rng(0)
    mask = np.zeros((300, 300), np.uint8)
    for row, column in rng.integers(5, 290, (200, 2)):
        mask[row : row + 2, column : column + 2] = 1
    for share in shapes.mean_shapes(measure_particles(mask)).spheroidised.values():
        for estimate in (share.by_number, share.by_area):
            if estimate.value == 1:
                assert math.isnan(estimate.low)
            else:
                assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_map_without_a_whole_particle_has_a_reason():
    """Check that everything is undefined."""
    found = shapes.mean_shapes(measure_particles(np.ones((9, 9))))
    assert math.isnan(found.circularity.value)
    assert math.isnan(found.spheroidised[2].by_area.value)
    assert "whole" in found.reason
