"""Runs and the components that they make up, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from uhcs_bench.metallography import components as runs

masks = hnp.arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14)))


@given(masks)
def test_runs_paint_the_mask_again(mask):
    """Check that starts and stops say which pixels are set."""
    starts, stops, width = runs.find_runs(mask)
    painted = np.zeros(mask.shape[0] * width, np.bool_)
    for start, stop in zip(starts, stops, strict=True):
        painted[start:stop] = True
    np.testing.assert_array_equal(painted.reshape(-1, width)[:, 1:-1], mask)


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
