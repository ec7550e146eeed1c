"""Smooth random fields: their mean, variance and correlation."""

import numpy as np
import pytest

from uhcs_bench.synthetic.random_fields import smooth_field


def random(seed):
    return np.random.Generator(np.random.PCG64(seed))


def test_smooth_field_has_unit_variance_and_the_stated_correlation():
    """Check mean, variance and correlation at one length over many fields."""
    rng = random(0)
    fields = np.array([smooth_field(rng, (25, 31), 6.0) for _ in range(1000)])
    assert fields.mean() == pytest.approx(0.0, abs=0.05)
    assert fields.std(axis=0) == pytest.approx(np.ones((25, 31)), abs=0.1)
    apart = (fields[:, 6:] * fields[:, :-6]).mean()
    assert apart == pytest.approx(np.exp(-0.5), abs=0.03)


def test_the_correlation_of_neighbours_is_as_documented():
    """Check the documented length: at it, along a row, the correlation is exp(-1/2)."""
    rng = random(1)
    fields = np.array([smooth_field(rng, (3, 40), 4.0) for _ in range(2000)])
    for apart in (2, 4, 8):
        found = (fields[:, :, apart:] * fields[:, :, :-apart]).mean()
        assert found == pytest.approx(np.exp(-((apart / 4.0) ** 2) / 2.0), abs=0.03)
