"""Runs and the components that they make up, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.measure import regionprops_table

import uhcs_bench
from uhcs_bench.metallography import components as runs
from uhcs_bench.metallography.components import (
    equivalent_diameters,
    label_particles,
    particle_areas,
)

EIGHT_NEIGHBOURS = np.ones((3, 3))
odd_masks = hnp.arrays(np.bool_, st.tuples(st.integers(0, 14), st.integers(0, 14)))
masks = hnp.arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14)))


@given(masks)
def test_runs_paint_the_mask_again(mask):
    """Check that starts and stops say which pixels are set."""
    starts, stops, width = runs.find_runs(mask)
    painted = np.zeros(mask.shape[0] * width, np.bool_)
    for start, stop in zip(starts, stops, strict=True):
        painted[start:stop] = True
    np.testing.assert_array_equal(painted.reshape(-1, width)[:, 1:-1], mask)


@pytest.mark.slow
@pytest.mark.parametrize("connectivity", [4, 8])
@given(mask=masks)
def test_joined_runs_are_scipys_components(mask, connectivity):
    """Check that two runs are joined exactly where scipy sees one component."""
    starts, stops, width = runs.find_runs(mask)
    roots = runs.join_runs(starts, stops, width, connectivity)
    components, _ = ndimage.label(mask, np.ones((3, 3)) if connectivity == 8 else None)
    of_runs = np.pad(components, ((0, 0), (1, 1))).ravel()[starts]
    np.testing.assert_array_equal(
        roots[:, None] == roots[None, :], of_runs[:, None] == of_runs[None, :]
    )
    np.testing.assert_array_equal(roots[roots], roots)
    assert (roots <= np.arange(len(roots))).all()


@given(mask=masks, band_pixels=st.integers(1, 60))
def test_bands_hold_every_run_once(mask, band_pixels):
    """Check that bands repeat only the runs that they say, and that parts add up to components."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "BAND_PIXELS", band_pixels)
        bands = runs.ComponentBands(mask, 8)
        n_runs = sum(len(band.starts) - band.n_repeated for band in bands)
        assert n_runs == len(runs.find_runs(mask)[0])
        assert len(np.unique(bands.roots())) == ndimage.label(mask, np.ones((3, 3)))[1]


@pytest.mark.slow
@pytest.mark.parametrize(("connectivity", "structure"), [(4, None), (8, EIGHT_NEIGHBOURS)])
@given(mask=odd_masks)
def test_particle_areas_are_scipys(mask, connectivity, structure):
    """Check random masks, empty and odd-sized ones included, against scipy's components."""
    components, n = ndimage.label(mask, structure)
    expected = np.bincount(components.ravel(), minlength=n + 1)[1:]
    np.testing.assert_array_equal(particle_areas(mask, connectivity), expected)


@pytest.mark.parametrize("share", [0.05, 0.4, 0.6, 0.95])
def test_particle_areas_of_a_large_map(share):
    """Check a map of the real odd size, from sparse specks to a percolating network."""
    mask = np.random.default_rng(0).random((475, 645)) < share
    components, _ = ndimage.label(mask, EIGHT_NEIGHBOURS)
    np.testing.assert_array_equal(particle_areas(mask), np.bincount(components.ravel())[1:])


@pytest.mark.slow
@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("band_pixels", [1, 700, 4000])
@given(mask=odd_masks)
def test_bands_are_seamless(mask, connectivity, band_pixels):
    """Check that cutting the work into bands of one or more rows changes nothing, not the order."""
    with pytest.MonkeyPatch.context() as patch:
        whole = particle_areas(mask, connectivity)
        patch.setattr(runs, "BAND_PIXELS", band_pixels)
        np.testing.assert_array_equal(particle_areas(mask, connectivity), whole)


def test_particle_areas_of_a_spiral():
    """Check a component whose runs join only after a long way round."""
    spiral = np.array(
        [
            [1, 1, 1, 1, 1, 1, 1],
            [0, 0, 0, 0, 0, 0, 1],
            [1, 1, 1, 1, 1, 0, 1],
            [1, 0, 0, 0, 1, 0, 1],
            [1, 0, 1, 1, 1, 0, 1],
            [1, 0, 0, 0, 0, 0, 1],
            [1, 1, 1, 1, 1, 1, 1],
        ]
    )
    assert particle_areas(spiral, 4).tolist() == [spiral.sum()]


@pytest.mark.usefixtures("real_data")
def test_particle_areas_of_the_annotations():
    """Check all real annotations against scipy."""
    for micrograph in uhcs_bench.load("particles"):
        components, _ = ndimage.label(micrograph.labels, EIGHT_NEIGHBOURS)
        np.testing.assert_array_equal(
            particle_areas(micrograph.labels), np.bincount(components.ravel())[1:]
        )


def test_equivalent_diameters_are_scikit_images():
    """Check a disk and a bar, in pixels and in micrometres."""
    row, column = np.indices((40, 60))
    small = (row - 20) ** 2 + (column - 10) ** 2 <= 25
    large = (row - 20) ** 2 + (column - 40) ** 2 <= 81
    numbered = label_particles(small | large)
    expected = regionprops_table(numbered, properties=["equivalent_diameter_area"])
    areas = np.bincount(numbered.ravel())[1:]
    in_pixels = equivalent_diameters(areas)
    np.testing.assert_allclose(in_pixels, expected["equivalent_diameter_area"])
    np.testing.assert_allclose(equivalent_diameters(areas, 0.04), 0.04 * in_pixels)
