"""Spread between seeds, by hand and against scipy's Welch test."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from uhcs_bench.stats.runs import mean_of_runs, seed_spread, within_seeds


def test_spread_by_hand():
    """Check three runs, one with a gap."""
    found = seed_spread([[0.7, 0.9], [0.6, np.nan], [0.8, 1.0]])
    assert (found.n_runs, found.lowest, found.highest) == (3, 0.6, pytest.approx(0.9))
    assert found.standard_deviation == pytest.approx(np.std([0.8, 0.6, 0.9], ddof=1))


def test_one_run_tells_nothing_about_seeds():
    """Check that a single run has no spread and no verdict."""
    one = seed_spread([[0.7, 0.9]])
    assert math.isnan(one.standard_deviation)
    assert within_seeds(0.1, one, one) is None


def test_within_seeds_is_welchs_test():
    """Check against scipy at differences on both sides of the level."""
    rng = np.random.default_rng(0)
    verdicts = set()
    for _ in range(200):
        a, b = rng.normal(0.8, 0.01, 3), rng.normal(0.82, 0.03, 5)
        found = within_seeds(a.mean() - b.mean(), seed_spread(a[:, None]), seed_spread(b[:, None]))
        assert found == (stats.ttest_ind(a, b, equal_var=False).pvalue >= 0.05)
        verdicts.add(found)
    assert verdicts == {True, False}


def test_runs_have_two_dimensions():
    """Check the message for a single list, and for none."""
    for scores in ([0.5, 0.6], np.zeros((0, 3))):
        with pytest.raises(ValueError, match="runs, micrographs"):
            mean_of_runs(scores)
