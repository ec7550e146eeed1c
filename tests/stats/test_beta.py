"""The beta distribution, against scipy and its own inverse."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from uhcs_bench.stats import beta, means

SHAPES = (0.5, 1.0, 1.4, 6.0, 11.5, 24.0, 100.0, 499.5)
DEGREES = (1, 1.3, 1.9, 2, 2.8, 3, 4, 5, 6.7, 10, 18, 23, 46, 99.5, 250, 999)
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.97, 0.985, 0.99, 0.995, 0.999, 0.9999)


def test_distribution_is_scipys():
    """Check shapes on both sides of 1, from the lower end to the upper."""
    for a, b in itertools.product(SHAPES, SHAPES):
        for x in (1e-9, 1e-4, 0.03, 0.2, 0.5, 0.71, 0.97, 1 - 1e-6):
            expected = special.betainc(a, b, x)
            assert beta.distribution(x, a, b) == pytest.approx(expected, rel=0, abs=1e-12), (
                a,
                b,
                x,
            )


def test_ends_of_the_distribution():
    """Check that nothing lies below 0, and everything below 1."""
    assert [beta.distribution(x, 0.5, 3) for x in (-1, 0, 1, 2)] == [0, 0, 1, 1]


@given(st.floats(0.001, 0.999), st.floats(0.5, 400), st.floats(0.5, 400))
def test_quantile_is_the_inverse(share, a, b):
    """Check that the share comes back, and that neighbouring numbers lie on both sides of it."""
    found = beta.quantile(share, a, b)
    assert 0 < found <= 1
    assert beta.distribution(found, a, b) == pytest.approx(share, rel=1e-9)
    assert beta.distribution(np.nextafter(found, 0) * (1 - 1e-12), a, b) <= share


@pytest.mark.parametrize("level", LEVELS)
def test_quantiles_of_student_are_scipys(level):
    """Check degrees of freedom from 1 to 999, whole and not, to twelve digits."""
    found = [means.t_quantile(level, freedom) for freedom in DEGREES]
    np.testing.assert_allclose(found, special.stdtrit(DEGREES, (1 + level) / 2), rtol=1e-12)


def test_quantiles_of_shares_are_scipys():
    """Check the ends of exact intervals of proportions, to twelve digits."""
    for n in (1, 2, 5, 19, 24, 60, 1000):
        for hits in {1, n // 3, n // 2, n - 1} - {0}:
            shapes = hits, n - hits + 1
            found = [beta.quantile(tail, *shapes) for tail in (0.025, 0.975)]
            expected = special.betaincinv(*shapes, [0.025, 0.975])
            np.testing.assert_allclose(found, expected, rtol=1e-12)
