"""Connectivity, against scipy's labelling and cases made by hand, and grain size numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from uhcs_bench.metallography import denuded_zone, network
from uhcs_bench.metallography.estimates import UNDEFINED, Estimate, Quantity
from uhcs_bench.metallography.labels import NETWORK, SPHEROIDITE

maps = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.integers(0, 3)
)


@given(maps)
def test_parts_and_cells_are_scipys(labels):
    """Check shares, without a smallest area, against labelled maps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(denuded_zone, "HOLE_PX", 1)
        found = network.connectivity(labels)
    parts, n = ndimage.label(labels == NETWORK, np.ones((3, 3)))
    assert found.n_parts == n
    if not n:
        assert found.reason == denuded_zone.NO_NETWORK
        assert math.isnan(found.largest_part)
        return
    areas = np.bincount(parts.ravel())[1:]
    assert found.largest_part == pytest.approx(areas.max() / areas.sum())
    cells, _ = ndimage.label(labels != NETWORK)
    outer = np.unique(np.concatenate([cells[0], cells[-1], cells[:, 0], cells[:, -1]]))
    closed = np.count_nonzero(cells) - np.isin(cells, outer[outer > 0]).sum()
    if np.count_nonzero(cells):
        assert found.closed_cells == pytest.approx(closed / np.count_nonzero(cells))


@pytest.mark.parametrize(("pixel_size", "n_parts"), [(None, 1), (0.2, 1), (0.5, 2), (2.0, 2)])
def test_specks_are_sized_in_um(pixel_size, n_parts):
    """Check that a part of 100 px is a speck at .2 um per pixel, and none at .5."""
    labels = np.full((200, 200), SPHEROIDITE)
    labels[:, 50:60] = labels[20:30, 100:110] = NETWORK
    assert network.connectivity(labels, pixel_size).n_parts == n_parts


def test_broken_network():
    """Check a grid in one piece, and the same with a gap that cuts it in two."""
    labels = np.full((300, 300), SPHEROIDITE)
    labels[::60], labels[:, ::60] = NETWORK, NETWORK
    labels[1::60], labels[:, 1::60] = NETWORK, NETWORK
    whole = network.connectivity(labels)
    assert (whole.n_parts, whole.largest_part, whole.is_broken) == (1, 1.0, False)
    assert whole.closed_cells == pytest.approx(16 / 25, abs=0.01)
    labels[:, 150:153] = SPHEROIDITE
    assert network.connectivity(labels).is_broken


@pytest.mark.parametrize(
    ("spacing_um", "number"), [(320.0, 0.0), (56.6, 5.0), (14.1, 9.0), (10.0, 10.0)]
)
def test_grain_size_numbers_are_those_of_the_standard(spacing_um, number):
    """Check ASTM E112, table 4: mean intercept and number; ends of the interval change places."""
    spacing = Quantity.from_px(Estimate(spacing_um, 0.9 * spacing_um, 1.1 * spacing_um), 1.0)
    found = network.grain_size_number(spacing)
    assert found.value == pytest.approx(number, abs=0.01)
    assert found.low < found.value < found.high


def test_grain_size_number_needs_a_pixel_size():
    """Check that it is undefined without, and without a network."""
    px = Estimate(50.0, 40.0, 60.0)
    assert math.isnan(network.grain_size_number(Quantity.from_px(px, None)).value)
    assert math.isnan(network.grain_size_number(Quantity(UNDEFINED, UNDEFINED)).low)
