"""Boards that the tests of this folder read and never change."""

from __future__ import annotations

import pytest

import uhcs_bench
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


@pytest.fixture(scope="session")
def split_board(tmp_path_factory):
    """A board of two methods on the splits clean and grouped; Other is worse on grouped."""
    root = tmp_path_factory.mktemp("split-board")
    for split, share in (("clean", 0.05), ("grouped", 0.2)):
        for name, own in (("One", 0.05), ("Other", share)):
            ids = uhcs_bench.load("particles", version="synthetic", split=split).ids
            maps = {key: labels for key, labels in noisy(own).items() if key in ids}
            write_entry(
                root / f"{name.lower()}-{split}", {"particles": maps}, named(name, split=split)
            )
    return leaderboard.build(*leaderboard.read_entries(root))
