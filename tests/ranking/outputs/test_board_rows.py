"""The board in the package as rows of a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import uhcs_bench
from uhcs_bench.ranking.outputs import board_json

BOARD = Path(__file__).parents[3] / "leaderboard" / "leaderboard.json"


def test_board_in_the_package_is_that_of_the_repository():
    """Check the copy that goes into the wheel; uhcs-bench leaderboard build writes both."""
    assert board_json.PACKAGED.read_text("utf-8") == BOARD.read_text("utf-8")


@pytest.mark.parametrize("convention", ["paper", "present", "pooled"])
def test_frame_holds_the_numbers_of_the_board(convention):
    """Check every row against the JSON file."""
    frame = uhcs_bench.leaderboard(convention=convention)
    content = json.loads(BOARD.read_text("utf-8"))
    rows = [(group, row) for group in content["groups"] for row in group["recomputed"]]
    assert len(frame) == len(rows) >= 10
    for found, (group, row) in zip(frame.to_dict("records"), rows, strict=True):
        means = row["conventions"][convention]
        assert found["data_id"] == group["data_id"]
        assert found["method"] == row["entry"]
        assert (found["IU"], found["AC"]) == (means["IU"]["mean"], means["AC"]["mean"])
        assert found["IU_matrix"] == means["classes"]["matrix"]["IU"]["mean"]
        assert found["IU_low"] == means["IU"]["ci95"][0]


def test_one_task_has_its_own_columns():
    """Check that there are no columns of the other task."""
    particles = uhcs_bench.leaderboard("spheroidite")
    assert set(particles["task"]) == {"particles"}
    assert {"D", "IU_particle", "rank_D", "n_particles_within_20"} <= set(particles.columns)
    assert "D" not in uhcs_bench.leaderboard("uhcs").columns
