"""Intervals of means, against scipy, a regression package's formulae by hand, and coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from uhcs_bench.stats import means

SKEWED = np.random.default_rng(1).beta(8, 1, (24, 3))


def test_t_interval_is_scipys():
    """Check each column against scipy."""
    for column, ends in zip(SKEWED.T, means.t_interval(SKEWED, 0.9), strict=True):
        expected = stats.ttest_1samp(column, 0).confidence_interval(0.9)
        np.testing.assert_allclose(ends, expected)


def test_bootstrap_t_is_the_definition():
    """Check against resamples that are drawn and studentised one by one."""
    values, rng = SKEWED[:, 0], np.random.default_rng(5)
    n = len(values)
    ratios = []
    for _ in range(20_000):
        drawn = rng.choice(values, n)
        ratios.append((drawn.mean() - values.mean()) / (drawn.std(ddof=1) / np.sqrt(n)))
    low, high = np.quantile(ratios, [0.025, 0.975])
    error = values.std(ddof=1) / np.sqrt(n)
    expected = [values.mean() - high * error, values.mean() - low * error]
    np.testing.assert_allclose(means.bootstrap_t_interval(values, 0.95), expected, atol=0.2 * error)


def test_bootstrap_t_reaches_further_on_the_long_tail():
    """Check a sample skewed to the left."""
    low, high = means.bootstrap_t_interval(SKEWED[:, 0])
    assert SKEWED[:, 0].mean() - low > 1.1 * (high - SKEWED[:, 0].mean())


@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_units_change_the_ends_alone(factor, shift):
    """Check that intervals move and stretch with the values."""
    clusters = np.arange(24) // 4
    for interval in (
        means.t_interval,
        lambda x: means.bootstrap_t_interval(x, n_resamples=500),
        lambda x: means.cluster_interval(x, clusters),
    ):
        expected = factor * interval(SKEWED) + shift
        np.testing.assert_allclose(interval(factor * SKEWED + shift), expected, rtol=1e-6)


def test_undefined_values_are_left_out():
    """Check a column with gaps against the same values alone."""
    gaps = SKEWED.copy()
    gaps[[2, 7], 1] = np.nan
    found = means.bootstrap_t_interval(gaps)
    np.testing.assert_allclose(found[0], means.bootstrap_t_interval(SKEWED[:, 0]))
    np.testing.assert_allclose(
        found[1], means.bootstrap_t_interval(np.delete(SKEWED[:, 1], [2, 7]))
    )


@pytest.mark.parametrize("n", [0, 1, means.FEWEST - 1])
def test_few_values_have_no_interval(n):
    """Check that nothing is printed where nothing was found to hold."""
    assert np.isnan(means.bootstrap_t_interval(SKEWED[:n, 0])).all()
    assert np.isnan(means.bootstrap_t_interval(SKEWED[:n])).all()


def test_values_without_scatter_have_no_interval():
    """Check that equal values claim no certainty, whatever their sum is rounded to."""
    same = np.full(24, 0.7)
    for ends in (
        means.t_interval(same),
        means.bootstrap_t_interval(same),
        means.cluster_interval(same, np.arange(24) // 4),
    ):
        assert np.isnan(ends).all()


def test_resamples_of_equal_values_give_no_interval():
    """Check a sample of which so many values are equal that resamples without scatter decide."""
    assert np.isnan(means.bootstrap_t_interval([1.0] * 23 + [0.5])).all()


def test_cluster_error_of_equal_clusters_is_that_of_their_means():
    """Check that, of equally large clusters, the interval is Student's of the cluster means."""
    values = SKEWED[:, 0]
    by_cluster = values.reshape(6, 4).mean(1)
    np.testing.assert_allclose(
        means.cluster_interval(values, np.repeat(range(6), 4), 0.95), means.t_interval(by_cluster)
    )


def test_cluster_error_is_that_of_the_regression():
    """Check CR2 against its definition by matrices: (I - H)^(-1/2) of each cluster's residuals."""
    sizes = [5, 7, 5, 3, 4]
    cluster, values = np.repeat(range(5), sizes), SKEWED[:, 0]
    residuals, score = values - values.mean(), 0.0
    for number in range(5):
        own = residuals[cluster == number]
        vectors = np.linalg.eigh(np.eye(len(own)) - np.ones((len(own), len(own))) / 24)
        adjusted = vectors[1] @ np.diag(vectors[0] ** -0.5) @ vectors[1].T @ own
        score += adjusted.sum() ** 2
    reach = stats.t.ppf(0.975, means.degrees_of_freedom(sizes)) * np.sqrt(score) / 24
    expected = [values.mean() - reach, values.mean() + reach]
    np.testing.assert_allclose(means.cluster_interval(values, cluster, 0.95), expected)


def test_cluster_test_is_the_interval_turned_round():
    """Check that the p-value is the level at which the interval ends at 0."""
    values, cluster = SKEWED[:, 0] - 0.75, np.repeat(range(6), 4)
    p_value = means.cluster_p_value(values, cluster)
    ends = means.cluster_interval(values, cluster, 1 - p_value)
    assert np.abs(ends).min() == pytest.approx(0, abs=1e-9)
    expected = stats.ttest_1samp(values.reshape(6, 4).mean(1), 0).pvalue
    assert p_value == pytest.approx(expected)


def test_cluster_test_needs_samples_and_scatter():
    """Check four samples, and differences that are all 0 or all alike."""
    assert means.cluster_p_value(SKEWED[:, 0], np.arange(24) % 4) == 1
    assert means.cluster_p_value(np.zeros(24), np.arange(24) // 4) == 1
    assert means.cluster_p_value(np.full(24, 0.1), np.arange(24) // 4) == 0


def test_degrees_of_freedom_are_satterthwaites():
    """Check against the moments of simulated variance estimates of copied values."""
    sizes = np.array([6, 5, 2, 2, 2, 1, 1])
    cluster, rng = np.repeat(range(7), sizes), np.random.default_rng(2)
    sample = rng.normal(size=(7, 40_000))[cluster]
    ends = means.cluster_interval(sample, cluster, 0.95)
    variances = np.ptp(ends, axis=1) ** 2
    expected = 2 * variances.mean() ** 2 / variances.var()
    assert means.degrees_of_freedom(sizes) == pytest.approx(expected, rel=0.05)


def test_few_clusters_have_no_interval():
    """Check four samples, and one."""
    for n in (1, 4):
        assert np.isnan(means.cluster_interval(SKEWED[:, 0], np.arange(24) % n)).all()


def test_influences_of_a_ratio_give_the_delta_methods_error():
    """Check the standard error of a ratio of sums against the first-order formula."""
    x, y = np.random.default_rng(3).uniform(1, 2, (2, 200))
    found = means.influences(lambda w: ((w @ x) / (w @ y))[:, np.newaxis], 200)[:, 0]
    ratio = x.sum() / y.sum()
    assert found.mean() == pytest.approx(ratio)
    expected = (x - ratio * y).std(ddof=1) / y.mean()
    assert found.std(ddof=1) == pytest.approx(expected, rel=0.02)
