"""Confidence intervals, against scipy and their own coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from uhcs_bench.stats import bootstrap


def mean_of(values):
    values = np.asarray(values, float)
    return lambda weights: (weights @ values / weights.sum(1))[:, np.newaxis]


@pytest.mark.parametrize("n", [6, 24])
@pytest.mark.parametrize("skew", [1, 4])
def test_bootstrap_is_scipys(n, skew):
    """Check against scipy's BCa interval, within the scatter of two random streams."""
    values = np.random.default_rng(n + skew).beta(5, skew, n)
    expected = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=1)
    (found,) = bootstrap.bootstrap_interval(mean_of(values), range(n))
    width = expected.confidence_interval.high - expected.confidence_interval.low
    np.testing.assert_allclose(found, expected.confidence_interval, atol=0.05 * width)


def test_intervals_cover_the_truth():
    """Check on 200 normal samples that about 95 % of the intervals hold the true mean."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        ((low, high),) = bootstrap.bootstrap_interval(mean_of(rng.normal(size=24)), range(24))
        covered += low <= 0 <= high
    # A binomial of 200 at 0.93, which is what the bootstrap reaches at n = 24, give or take 3 SD.
    assert 175 <= covered <= 197


def test_intervals_are_the_same_at_every_call():
    """Check that the random stream is fixed."""
    values = np.random.default_rng(0).random(24)
    first, second = (bootstrap.bootstrap_interval(mean_of(values), range(24)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_groups_are_drawn_whole():
    """Check that equal micrographs within a fold carry no more information than one."""
    folds = np.repeat(np.arange(6), 4)
    fold_values = np.random.default_rng(0).random(6)
    by_fold = bootstrap.bootstrap_interval(mean_of(fold_values[folds]), folds)
    np.testing.assert_allclose(
        by_fold, bootstrap.bootstrap_interval(mean_of(fold_values), range(6))
    )
    ((low, high),) = bootstrap.bootstrap_interval(mean_of(fold_values[folds]), range(24))
    assert high - low < by_fold[0, 1] - by_fold[0, 0]


def test_several_statistics_at_once():
    """Check that each column gets the interval that it would get alone."""
    values = np.random.default_rng(0).random((24, 2))

    def means(weights):
        return weights @ values / weights.sum(1, keepdims=True)

    together = bootstrap.bootstrap_interval(means, range(24))
    alone = [bootstrap.bootstrap_interval(mean_of(column), range(24))[0] for column in values.T]
    np.testing.assert_allclose(together, alone)


def test_without_scatter_the_interval_is_a_point():
    """Check equal values, where the corrections would divide by zero."""
    np.testing.assert_allclose(
        bootstrap.bootstrap_interval(mean_of(np.full(24, 0.7)), range(24)), [[0.7, 0.7]]
    )


def test_a_single_group_has_no_interval():
    """Check that nothing is invented from one fold."""
    assert np.isnan(bootstrap.bootstrap_interval(mean_of([1, 2, 3]), [0, 0, 0])).all()


def test_undefined_statistics_have_no_interval():
    """Check a statistic that is NaN."""
    values = np.array([np.nan, 1, 2])
    assert np.isnan(bootstrap.bootstrap_interval(mean_of(values), range(3))).all()
