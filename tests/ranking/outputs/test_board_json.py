"""The file ``leaderboard.json``: its numbers, and how they are rounded."""

from __future__ import annotations

import json

import numpy as np
import pytest

import uhcs_bench
from tests.helpers.entries import UNFINISHED, declared, write_entry
from uhcs_bench.ranking import board as leaderboard
from uhcs_bench.ranking.outputs import board_json, sentences
from uhcs_bench.ranking.outputs.markdown_page import to_markdown


@pytest.mark.slow
def test_numbers_are_those_of_score(folder, board):
    """Check every number of leaderboard.json against `uhcs_bench.score` of the folder."""
    (group,) = json.loads(board_json.to_json(board))["groups"]
    assert len(group["recomputed"]) == 4
    for row in group["recomputed"]:
        report = uhcs_bench.score(folder / row["entry"] / "particles", version="synthetic")
        score = report["particles"]
        for name, means in score.conventions.items():
            found = row["conventions"][name]
            assert found["IU"]["mean"] == pytest.approx(means.IU.mean, abs=1e-6)
            assert found["AC"]["ci95"] == pytest.approx(means.AC.ci95, abs=1e-6)
        ious = [image.IU for image in score.images]
        assert row["micrographs"]["IU"] == pytest.approx(ious, abs=1e-4)
        distances = [image.psd.ks_statistic for image in score.images]
        assert row["micrographs"]["D"] == pytest.approx(distances, abs=1e-4)
        assert row["sizes"]["D"]["mean"] == pytest.approx(np.mean(distances), abs=1e-6)
        moved = score.measures["sizes"]["wasserstein_px"].mean
        assert row["sizes"]["W1_px"]["mean"] == pytest.approx(moved, abs=1e-6)
        assert row["sizes"]["ks"][0]["n_not_rejected"] == score.psd.n_consistent
        assert group["micrographs"]["id"] == [image.id for image in score.images]
        assert group["data_id"] == score.data_id


def test_no_p_value_is_rounded_to_zero(board):
    """Check the smallest that 24 micrographs can give."""
    pairs = json.loads(board_json.to_json(board))["groups"][0]["pairs"]
    found = {(pair["better"], pair["worse"], pair["metric"]): pair for pair in pairs}
    # Three pairs, so that Holm's method takes the smallest of 2^24 patterns three times.
    expected = pytest.approx(3 * 2 / 2**24, rel=1e-3)
    assert found["near", "worse", "IU"]["p_micrographs"] == expected
    assert "p < 0.001 by micrograph" in to_markdown(board)


def test_declared_numbers_are_not_rounded(tmp_path):
    """Check a learning rate below the last digit of a score, and texts with quotes in them."""
    settings = {"learning_rate": 1e-8, "name": 'a "b"', "steps": [1, True]}
    write_entry(tmp_path / "a", {}, declared(hyperparameters=settings, tasks=UNFINISHED))
    board = leaderboard.build(*leaderboard.read_entries(tmp_path))
    declaration = board_json.to_dict(board)["entries"][0]["declaration"]
    assert declaration["hyperparameters"] == settings
    text = sentences.settings_text(declaration)
    assert text == 'learning_rate 1e-08; name a "b"; steps 1, true'


def test_numbers_are_rounded_once():
    """Check that last digits of another machine don't show."""
    third = np.float64(1) / 3
    assert board_json._rounded({"a": [(third, 1, None, "x")]}) == {"a": [[0.333333, 1, None, "x"]]}
