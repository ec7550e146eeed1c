"""Intervals from blocks, against Student's t and numpy's quantiles."""

from __future__ import annotations

import numpy as np
import pytest

from uhcs_bench.stats import blocks, means


def test_interval_of_a_mean_is_students():
    """Check that of blocks that each give one value the jackknife is the t interval."""
    values = np.random.default_rng(0).random(9)
    (ends,) = blocks.block_intervals(lambda w: (w @ values / w.sum(1))[:, np.newaxis], 9)
    np.testing.assert_allclose(ends, means.t_interval(values, blocks.NOMINAL))


def test_few_blocks_have_no_interval():
    """Check four blocks, and an undefined statistic."""
    values = np.arange(9.0)
    few = blocks.block_intervals(lambda w: (w @ values[:4])[:, np.newaxis], 4)
    assert np.isnan(few).all()
    values[3] = np.nan
    assert np.isnan(blocks.block_intervals(lambda w: (w @ values)[:, np.newaxis], 9)).all()


def test_quantile_levels_hold_the_share():
    """Check independent values in blocks: about 95 % of the medians' intervals hold it."""
    rng, covered = np.random.default_rng(4), 0
    for _ in range(400):
        values = rng.normal(size=(9, 40))
        median = np.quantile(values, 0.5, method="inverted_cdf")
        ((low, high),) = blocks.block_quantile_levels(
            [[(values <= median).sum(1)]], np.full(9, 40), [0.5], 0.95
        )
        ends = np.quantile(values, [low, high], method="inverted_cdf")
        covered += ends[0] <= 0 <= ends[1]
    assert 0.91 * 400 <= covered <= 0.985 * 400


def test_quantile_levels_stay_shares():
    """Check the extremes."""
    ((low, high),) = blocks.block_quantile_levels([[[0, 1, 0, 3, 0]]], [9, 9, 9, 9, 9], [0.05])
    assert low == 0
    assert 0.05 < high <= 1
    assert np.isnan(blocks.block_quantile_levels([[[0, 1]]], [9, 9], [0.05])).all()


def test_undefined_blocks_are_no_certainty():
    """Check that the interval of few blocks is not a point."""
    ends = blocks.block_intervals(lambda w: (w.sum(1) / w.sum(1))[:, np.newaxis], 3)
    assert ends.shape == (1, 2)
    assert np.isnan(ends).all()
    assert blocks.FEWEST_BLOCKS == pytest.approx(5)
