"""Tests of paired differences, against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from uhcs_bench.stats import paired


def summed_difference(a, b, axis):
    return np.sum(a - b, axis=axis)


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=8))
def test_sign_flips_are_scipys(differences):
    """Check the exact p-value against scipy's permutation test, ties included."""
    values = np.array(differences, float)
    expected = stats.permutation_test(
        (values, 0 * values),
        summed_difference,
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert paired.sign_flip_p_value(values) == pytest.approx(expected.pvalue)
    assert paired.sign_flip_p_value(values / 10) == pytest.approx(expected.pvalue)


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2, 3, 8, 23, 24])
@pytest.mark.parametrize("shift", [0, 0.3, 0.8])
def test_sign_flips_that_exceed_a_level(n, shift):
    """Check that no p-value is called larger than it is, and that most without ties are found."""
    rng = np.random.default_rng(n)
    plain = rng.normal(shift, 1, (300, n))
    for values in (plain, rng.integers(-2, 4, (300, n)) / 10, plain**5):
        p_values = paired.sign_flip_p_values(values)
        for level in (0.0, 0.05, 0.5):
            exceed = paired.sign_flips_exceed(values, level)
            assert not (exceed & (p_values <= level)).any()
            if values is plain and n > 3:
                assert exceed[p_values > level + 0.05].all()


def test_sign_flips_by_hand():
    """Check that 24 equal differences are as extreme as can be, whatever their sign."""
    assert paired.sign_flip_p_value(np.full(24, 0.1)) == 2 / 2**24
    assert paired.sign_flip_p_value(np.full(24, -0.1)) == 2 / 2**24
    assert paired.sign_flip_p_value(np.zeros(24)) == 1


@pytest.mark.slow
def test_p_values_are_uniform_without_a_difference():
    """Check that chance alone is called a difference about as often as it should be."""
    rng = np.random.default_rng(0)
    p_values = [paired.sign_flip_p_value(rng.normal(size=24)) for _ in range(2000)]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert 0.04 < np.mean(np.array(p_values) < 0.05) < 0.06


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_by_definition(p_values):
    """Check each corrected value: the largest scaled p-value among those that are not larger."""
    n = len(p_values)
    ranked = sorted(p_values)
    for p, corrected in zip(p_values, paired.holm(p_values), strict=True):
        last = max(i for i, q in enumerate(ranked) if q == p)
        assert corrected == pytest.approx(min(1, max((n - i) * ranked[i] for i in range(last + 1))))
