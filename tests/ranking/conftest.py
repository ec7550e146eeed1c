"""A board of five entries, which the tests of this folder read and never change."""

from __future__ import annotations

import pytest

from tests.helpers.entries import annotations, named, noisy, write_entry
from uhcs_bench.ranking import board as leaderboard


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Two methods that can't be told apart, one that is worse, one retired and one unfinished."""
    root = tmp_path_factory.mktemp("board")
    for slug, share, seed in (("near", 0.05, 0), ("same", 0.05, 1), ("worse", 0.3, 2)):
        write_entry(root / slug, {"particles": noisy(share, seed=seed)}, named(slug.capitalize()))
    write_entry(root / "old", {"particles": noisy(0.2)}, named("Old", "retired"))
    some = dict(list(annotations().items())[:8])
    write_entry(root / "half", {"particles": some}, named("Half", "incomplete"))
    return root


@pytest.fixture(scope="session")
def board(folder):
    return leaderboard.build(*leaderboard.read_entries(folder))
