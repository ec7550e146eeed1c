"""Tango's interval, against the values that he published and McNemar's test."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhcs_bench.stats.paired_proportions import paired_proportion_interval, tango_z


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # Only A, only B, all. Score intervals solved by an independent grid search of the
        # likelihood, and for no discordant pairs in closed form: z^2 / (n + z^2).
        ((0, 0, 24), (-0.1380, 0.1380)),
        ((0, 0, 100), (-0.0370, 0.0370)),
    ],
)
def test_closed_form(counts, expected):
    """Check equal verdicts, which must not shrink to a point."""
    assert paired_proportion_interval(*counts) == pytest.approx(expected, abs=1e-4)


def likelihood_z(only_a, only_b, n, difference, grid=200_000):
    """Score statistic with the nuisance share found by trying all, not by the closed form."""
    import numpy as np

    low = max(0.0, -difference)
    share = np.linspace(low, (1 - difference) / 2, grid)[1:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        likelihood = (
            only_b * np.log(share)
            + only_a * np.log(share + difference)
            + (n - only_a - only_b) * np.log(1 - 2 * share - difference)
        )
    best = share[np.nanargmax(likelihood)]
    return (only_a - only_b - n * difference) / (n * (2 * best + difference - difference**2)) ** 0.5


@pytest.mark.parametrize("counts", [(9, 1, 24), (3, 2, 24), (8, 2, 40), (1, 5, 22)])
def test_ends_are_where_the_score_test_rejects(counts):
    """Check both ends against the likelihood itself."""
    low, high = paired_proportion_interval(*counts)
    assert likelihood_z(*counts, low) == pytest.approx(1.96, abs=2e-3)
    assert likelihood_z(*counts, high) == pytest.approx(-1.96, abs=2e-3)


@given(st.integers(0, 12), st.integers(0, 12))
def test_interval_excludes_zero_where_mcnemars_test_rejects(only_a, only_b):
    """Check the duality, and the symmetry of A and B."""
    low, high = paired_proportion_interval(only_a, only_b, 24)
    rejects = only_a + only_b > 0 and (only_a - only_b) ** 2 / (only_a + only_b) > 1.959964**2
    assert (low > 0 or high < 0) == rejects
    assert paired_proportion_interval(only_b, only_a, 24) == pytest.approx((-high, -low))
    assert -1 <= low <= (only_a - only_b) / 24 <= high <= 1


def test_statistic_at_zero_is_mcnemars():
    """Check the root of (b - c)^2 / (b + c)."""
    assert tango_z(9, 1, 24, 0.0) ** 2 == pytest.approx(6.4)
