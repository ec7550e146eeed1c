"""Scores of a method that was run several times."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from tests.helpers.entries import annotations, declared, noisy, write_entry
from uhcs_bench.data import label_maps
from uhcs_bench.ranking import board as leaderboard
from uhcs_bench.ranking import run_scores
from uhcs_bench.ranking.outputs import board_json
from uhcs_bench.ranking.outputs.markdown_page import to_markdown
from uhcs_bench.scoring import results


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """A method of three runs, one of them worse, and a method of a single run."""
    root = tmp_path_factory.mktemp("board")
    shares = {"a": 0.05, "b": 0.06, "c": 0.1}
    runs = [{"folder": f"runs/{name}", "seeds": [place]} for place, name in enumerate(shares)]
    write_entry(root / "seeds", {}, declared(name="Seeds", runs=runs))
    for place, (name, share) in enumerate(shares.items()):
        for micrograph, labels in noisy(share, seed=place).items():
            path = root / "seeds" / "runs" / name / "particles" / f"{micrograph}.png"
            label_maps.write_label_map(path, labels)
    write_entry(root / "single", {"particles": noisy(0.3)}, declared(name="Single"))
    return leaderboard.build(*leaderboard.read_entries(root))


@pytest.fixture
def rows(board):
    return {row.entry.slug: row for row in board.groups[0].scored}


@pytest.mark.slow
def test_a_method_scores_the_mean_of_its_runs(rows):
    """Check each micrograph, the mean, and the overall means of two conventions."""
    row = rows["seeds"]
    by_run = np.array([[image.IU for image in run.score.images] for run in row.runs])
    assert [image.IU for image in row.result.images] == pytest.approx(by_run.mean(0))
    assert row.mean("IU").mean == pytest.approx(by_run.mean())
    for name in ("paper", "present"):
        means = row.result.conventions[name]
        singles = [run.score.conventions[name].IU.mean for run in row.runs]
        assert means.IU.mean == pytest.approx(np.mean(singles))
        assert means.IU.n == 24
        low, high = means.IU.ci95
        assert low < means.IU.mean < high


@pytest.mark.slow
def test_pooled_scores_are_of_all_pixels_of_all_runs(rows):
    """Check the pooled accuracy against the sum of all confusion matrices."""
    row = rows["seeds"]
    summed = np.sum([image.confusion for run in row.runs for image in run.score.images], axis=0)
    accuracy = np.trace(summed) / summed.sum()
    assert row.result.conventions["pooled"].AC.mean == pytest.approx(accuracy)


@pytest.mark.slow
def test_the_board_shows_the_spread_between_seeds(board, rows):
    """Check spread and counts in data and page; a single run has none."""
    spread = rows["seeds"].seeds("IU")
    means = [np.mean([image.IU for image in run.score.images]) for run in rows["seeds"].runs]
    assert (spread.lowest, spread.highest) == pytest.approx((min(means), max(means)))
    assert spread.standard_deviation == pytest.approx(np.std(means, ddof=1))
    assert rows["single"].seeds("IU") is None
    page = to_markdown(board)
    assert f"{100 * min(means):.1f} to {100 * max(means):.1f}, SD" in page
    (group,) = json.loads(board_json.to_json(board))["groups"]
    found = {row["entry"]: row for row in group["recomputed"]}
    assert found["seeds"]["runs"] == ["runs/a", "runs/b", "runs/c"]
    assert len(found["seeds"]["sizes"]["ks"]) == 3
    assert found["seeds"]["seeds"]["IU"]["n_runs"] == 3
    assert found["single"]["seeds"] == {}


@pytest.mark.slow
def test_scores_survive_json(rows):
    """Check that a score that was written and read again is the same in every field."""
    from dataclasses import asdict

    score = rows["single"].runs[0].score
    again = run_scores.from_plain(results.TaskScore, json.loads(json.dumps(asdict(score))))
    assert again == score
    assert again.conventions["paper"].IU.ci95 == score.conventions["paper"].IU.ci95
    assert again.images[0].classes["particle"].IU == score.images[0].classes["particle"].IU


def test_a_map_without_particles_is_furthest(tmp_path):
    """Check D of an empty map: nothing is further from an annotation."""
    empty = {name: labels * 0 for name, labels in annotations().items()}
    write_entry(tmp_path / "empty", {"particles": empty})
    board = leaderboard.build(*leaderboard.read_entries(tmp_path))
    (row,) = board.groups[0].ranked
    assert row.mean("D").mean == 1
    assert row.size_distance_px().mean is None
    assert re.search(r"\| 1\.000.*\| - +\| 0 of 24", to_markdown(board))
