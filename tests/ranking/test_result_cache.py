"""The cache of scores: what is damaged, old or of something else counts as missing."""

from __future__ import annotations

import pytest

from tests.helpers.entries import declared, noisy, write_entry
from uhcs_bench import executors
from uhcs_bench.ranking import board as leaderboard
from uhcs_bench.ranking import result_cache
from uhcs_bench.ranking.outputs import board_json
from uhcs_bench.ranking.result_cache import Cache


@pytest.fixture
def kept(tmp_path):
    return Cache(tmp_path / "scores")


def test_a_record_is_found_by_all_of_its_key(kept, monkeypatch):
    """Check another kind, another key, and another state of the package's source."""
    kept.put("scores", ["maps", "annotations"], {"IU": 0.5})
    assert kept.get("scores", ["maps", "annotations"]) == {"IU": 0.5}
    assert kept.get("maps", ["maps", "annotations"]) is None
    assert kept.get("scores", ["mapsannotations"]) is None
    monkeypatch.setattr(result_cache, "_code", lambda: ["another"])
    assert kept.get("scores", ["maps", "annotations"]) is None


def test_every_flipped_bit_is_noticed(kept):
    """Check each byte of a record, hash included."""
    kept.put("scores", ["a"], {"IU": 0.5})
    (path,) = kept.folder.rglob("*.json")
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert kept.get("scores", ["a"]) is None
    path.write_bytes(content[:-1])
    assert kept.get("scores", ["a"]) is None


def test_a_record_in_the_place_of_another_is_not_taken(kept):
    """Check two records whose files were swapped."""
    kept.put("scores", ["a"], 1)
    (first,) = kept.folder.rglob("*.json")
    kept.put("scores", ["b"], 2)
    (second,) = (path for path in kept.folder.rglob("*.json") if path != first)
    second.write_bytes(first.read_bytes())
    assert (kept.get("scores", ["a"]), kept.get("scores", ["b"])) == (1, None)


def test_a_cache_that_cannot_be_written_is_none(tmp_path):
    """Check a file where the folder should be: scores are computed, and nothing is kept."""
    (tmp_path / "scores").write_text("mine")
    kept = Cache(tmp_path / "scores")
    kept.put("scores", ["a"], 1)
    assert kept.get("scores", ["a"]) is None
    assert (tmp_path / "scores").read_text() == "mine"


@pytest.mark.slow
def test_a_board_from_the_cache_is_the_same(kept, tmp_path):
    """Check the bytes of a board that was computed, kept, looked up and damaged."""
    write_entry(tmp_path / "board" / "a", {"particles": noisy(0.1)})

    def text(used):
        board = leaderboard.build(*leaderboard.read_entries(tmp_path / "board", used), used)
        return board_json.to_json(board)

    computed = text(None)
    assert text(kept) == computed
    assert text(kept) == computed
    records = list(kept.folder.rglob("*.json"))
    assert len(records) == 3
    for path in records:
        path.write_bytes(path.read_bytes().replace(b"0.9", b"0.8"))
    assert text(kept) == computed


@pytest.mark.slow
def test_a_board_of_two_processes_is_the_same(tmp_path, monkeypatch):
    """Check the bytes of a board whose entries were read and scored in two processes."""
    monkeypatch.setattr(executors, "TASKS_WORTH_A_WORKER", 1)
    for name, share in (("a", 0.1), ("b", 0.2), ("c", 0.3)):
        write_entry(tmp_path / name, {"particles": noisy(share)}, declared(name=name))
    (tmp_path / "b" / "entry.yaml").write_text("nothing")

    def text(workers):
        read = leaderboard.read_entries(tmp_path, None, workers)
        return board_json.to_json(leaderboard.build(*read, None, workers))

    assert text(2) == text(1)
