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
    """Check the exact interval against scipy."""
    hits = data.draw(st.integers(0, n))
    expected = stats.binomtest(hits, n).proportion_ci(method="exact")
    np.testing.assert_allclose(proportions.proportion_interval(hits, n), expected, atol=1e-9)


@pytest.mark.filterwarnings("error")
def test_share_of_nothing_is_undefined():
    """Check that 0 / 0 is NaN without a warning, for numbers and arrays."""
    assert np.isnan(proportions.ratio(0, 0))
    np.testing.assert_array_equal(proportions.ratio([1, 0], [4, 0]), [0.25, np.nan])


def test_proportion_interval_holds():
    """Check the coverage over all proportions at the n of the paper's and the clean split."""
    for n in (19, 22, 24):
        ends = np.array([proportions.proportion_interval(hits, n) for hits in range(n + 1)])
        for share in np.linspace(0.005, 0.995, 199):
            holds = (ends[:, 0] <= share) & (share <= ends[:, 1])
            assert stats.binom.pmf(np.arange(n + 1), n, share)[holds].sum() >= 0.95
