"""Rank ranges by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhcs_bench.stats.ranks import rank_range, wider_rank_range

NAMES = ["a", "b", "c", "d"]
pairs = st.sets(st.tuples(*(st.sampled_from(NAMES),) * 2).filter(lambda pair: pair[0] < pair[1]))


def test_ranks_by_hand():
    """Check a clear winner, two that tie and a clear loser."""
    better = {("a", "b"), ("a", "c"), ("a", "d"), ("b", "d"), ("c", "d")}
    found = [rank_range(name, NAMES, better) for name in NAMES]
    assert found == [(1, 1), (2, 3), (2, 3), (4, 4)]


@pytest.mark.slow
@given(pairs, pairs)
def test_wider_range_holds_both(by_micrograph, by_fold):
    """Check that a second unit can only widen a rank, in either order."""
    for name in NAMES:
        wider = wider_rank_range(name, NAMES, [by_micrograph, by_fold])
        assert wider == wider_rank_range(name, NAMES, [by_fold, by_micrograph])
        for better in (by_micrograph, by_fold):
            best, worst = rank_range(name, NAMES, better)
            assert wider[0] <= best <= worst <= wider[1]
