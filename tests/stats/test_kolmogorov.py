"""The distribution of the Kolmogorov-Smirnov statistic, against scipy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstwo

from uhcs_bench.stats import kolmogorov


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2, 3, 10, 139, 140, 141, 142, 1000, 5000, 100_000, 100_001])
def test_survival_is_scipys(n):
    """Check both sides of every limit between two ways of computing it."""
    limits = [
        0.5 / n,
        1 / n,
        0.5,
        1 - 1 / n,
        np.sqrt(4 / n),
        np.sqrt(2.2 / n),
        (1.4 / n) ** (2 / 3),
    ]
    around = [limit * factor for limit in limits for factor in (0.999, 1, 1.001)]
    for statistic in (*around, *(np.linspace(0.1, 5, 12) / np.sqrt(n))):
        if 0 < statistic < 1:
            expected = kstwo.sf(statistic, n)
            assert kolmogorov.survival(statistic, n) == pytest.approx(expected, rel=1e-8, abs=1e-13)


@pytest.mark.slow
def test_survival_of_a_million():
    """Check the accuracy that is promised for very large samples."""
    for statistic in (0.0005, 0.001, 0.002, 0.004):
        expected = kstwo.sf(statistic, 1_000_000)
        assert kolmogorov.survival(statistic, 1_000_000) == pytest.approx(expected, rel=1e-6)


@given(st.integers(1, 3000), st.floats(0, 1))
def test_survival_is_scipys_anywhere(n, statistic):
    """Check random arguments, the ends of the range included."""
    expected = kstwo.sf(statistic, n)
    assert kolmogorov.survival(statistic, n) == pytest.approx(expected, rel=1e-8, abs=1e-13)


@pytest.mark.slow
@given(st.integers(1, 500))
def test_survival_falls(n):
    """Check that a larger statistic is never more probable, from 1 down to 0."""
    values = [kolmogorov.survival(statistic, n) for statistic in np.linspace(0, 1, 200)]
    assert values[0] == 1
    assert values[-1] == 0
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(values))
