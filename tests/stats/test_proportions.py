"""Ratios and intervals of proportions, against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from uhcs_bench.stats import proportions


@given(st.integers(1, 60), st.data())
def test_proportion_interval_is_scipys(n, data):
    """Check Wilson's interval against scipy."""
    hits = data.draw(st.integers(0, n))
    expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(proportions.proportion_interval(hits, n), expected, atol=1e-12)


@pytest.mark.filterwarnings("error")
def test_share_of_nothing_is_undefined():
    """Check that 0 / 0 is NaN without a warning, for numbers and arrays."""
    assert np.isnan(proportions.ratio(0, 0))
    np.testing.assert_array_equal(proportions.ratio([1, 0], [4, 0]), [0.25, np.nan])
