"""Intervals of paired differences that agree with the verdict, and the test by fold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from uhcs_bench.stats import differences as d
from uhcs_bench.stats import means, paired


def test_equal_verdicts_have_width():
    """Check that 24 equal verdicts give Tango's interval and not a point."""
    low, high = d.difference_interval(np.zeros(24), verdicts=True)
    z_squared = stats.norm.ppf(0.99) ** 2
    expected = z_squared / (24 + z_squared)
    assert (low, high) == pytest.approx((-expected, expected), abs=1e-6)


def test_equal_scores_have_no_interval():
    """Check identical maps: their scores have no scatter to tell anything from."""
    assert d.difference_interval(np.zeros(24)) is None


def test_scores_get_bootstrap_t():
    """Check that other differences get the interval of means."""
    values = np.random.default_rng(0).normal(0.02, 0.01, 24)
    assert d.difference_interval(values) == pytest.approx(means.bootstrap_t_interval(values))


def test_few_micrographs_leave_no_interval():
    """Check one micrograph fewer than the simulation asks for."""
    values = np.random.default_rng(0).normal(0.02, 0.01, d.FEWEST)
    assert d.difference_interval(values) is not None
    assert d.difference_interval(values[1:]) is None


def test_one_micrograph_that_carries_all_leaves_no_interval():
    """Check a single outlier, which a sample of 24 has or has not."""
    values = np.append(np.random.default_rng(0).normal(0.02, 0.001, 23), 0.4)
    assert d.dominating(values) == 23
    assert d.difference_interval(values) is None


@given(st.lists(st.floats(-1, 1), min_size=12, max_size=24))
def test_interval_agrees_with_the_test(values):
    """Check that an interval that excludes 0 never stands beside p above the level."""
    p_value = paired.sign_flip_p_value(values)
    interval = d.agreeing(d.difference_interval(values), rejected=p_value < 0.05)
    if interval is not None and p_value >= 0.05:
        assert interval[0] <= 0 <= interval[1]


@pytest.mark.parametrize("n", [16, 19, 22, 24])
def test_difference_of_verdicts_holds(n):
    """Check the exact coverage over shares of micrographs on which one method alone succeeds."""
    counts = np.array([(a, b) for a in range(n + 1) for b in range(n + 1 - a)])
    verdicts = [[1] * a + [-1] * b + [0] * (n - a - b) for a, b in counts]
    ends = np.array([d.difference_interval(values, verdicts=True) for values in verdicts])
    for a, b in ((0, 0.02), (0.1, 0.1), (0.3, 0.05), (0, 0.975), (0.5, 0.5)):
        shares = [a, b, max(1 - a - b, 0)]
        likely = stats.multinomial.pmf(np.c_[counts, n - counts.sum(1)], n, shares)
        holds = (ends[:, 0] <= a - b + 1e-9) & (a - b - 1e-9 <= ends[:, 1])
        assert likely[holds].sum() >= means.COVERAGE


def test_paired_t_is_scipys():
    """Check p-values of fold means."""
    values = np.random.default_rng(0).normal(0.5, 1, 6)
    assert d.paired_t_p_value(values) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_few_folds_tell_nothing():
    """Check two folds, and differences that are all 0."""
    assert d.paired_t_p_value([1, 1]) == 1
    assert d.paired_t_p_value(np.zeros(6)) == 1


def test_fold_means_leave_undefined_micrographs_out():
    """Check a fold with a gap, and one without a value."""
    found = d.fold_means([0.1, np.nan, 0.5, np.nan], [0, 0, 1, 2])
    assert found == pytest.approx([0.1, 0.5])
