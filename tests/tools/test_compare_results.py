"""Comparing two recordings of results: what differs, what may, and what is said of it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest

from tools import compare_results

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCORE = {"schema": "score/1", "IU": {"mean": 0.5, "n": 24}, "folds": [0, 1]}


def score(**changes: object) -> dict[str, object]:
    """Give a score with other values."""
    return {**SCORE, **changes}


def paths(before: object, after: object, tolerance: float = 0.0) -> list[str]:
    """List the paths of the values that differ."""
    return [d.path for d in compare_results.differences(before, after, tolerance)]


@pytest.fixture
def recording(tmp_path: Path) -> Callable[..., str]:
    """Give a function that writes a recording and gives its folder."""

    def write(name: str, **items: object) -> str:
        folder = tmp_path / name
        folder.mkdir()
        for item, results in items.items():
            (folder / f"{item}.json").write_text(json.dumps(results))
        return str(folder)

    return write


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (score(), []),
        (score(IU={"mean": 0.5, "n": 24.0}), []),
        (score(IU={"mean": math.nextafter(0.5, 1), "n": 24}), ["IU/mean"]),
        (score(IU={"mean": None, "n": 24}), ["IU/mean"]),
        (score(IU={"mean": "0.5", "n": 24}), ["IU/mean"]),
        (score(IU={"mean": 0.5}), ["IU/n"]),
        (score(IU=0.5), ["IU"]),
        (score(KS={"value": 1, "n": 2}), ["KS"]),
        (score(folds=[0, 1, 2]), ["folds/2"]),
        (score(folds=[1, 0]), ["folds/0", "folds/1"]),
        (score(folds=[0, True]), ["folds/1"]),
        (score(folds={"0": 0, "1": 1}), ["folds"]),
        (score(schema="score/2"), ["schema"]),
    ],
)
def test_each_value_that_differs_is_found_from_both_sides(after, expected):
    """Check the paths, whichever recording comes first."""
    assert paths(SCORE, after) == expected
    assert sorted(paths(after, SCORE)) == sorted(expected)


@pytest.mark.parametrize(
    ("before", "after", "tolerance", "same"),
    [
        (100.0, 101.0, 0.01, True),
        (100.0, 101.1, 0.01, False),
        (-100.0, -101.0, 0.01, True),
        (-1.0, 1.0, 0.01, False),
        (0.0, 1e-12, 0.01, False),
        (0.0, -0.0, 0.0, True),
        (math.nan, math.nan, 0.0, True),
        (math.nan, 1.0, 1.0, False),
        (math.inf, math.inf, 0.0, True),
        (math.inf, 1.0, 0.01, False),
        (1, True, 1.0, False),
    ],
)
def test_tolerance_is_a_share_of_the_larger_number(before, after, tolerance, same):
    """Check numbers on both sides of the tolerance."""
    assert paths([before], [after], tolerance) == ([] if same else ["0"])


def test_equal_recordings_give_exit_code_0(recording, capsys):
    """Check what is printed where nothing differs."""
    assert compare_results.main(["compare", recording("a", x=SCORE), recording("b", x=SCORE)]) == 0
    assert capsys.readouterr().out == "1 items compared, 0 values differ.\n"


def test_differences_are_listed_up_to_a_limit(recording, capsys):
    """Check path, before and after, the count of all, and the exit code."""
    before = recording("a", x={"values": [0, 1, 2]}, y=SCORE)
    after = recording("b", x={"values": [0, 2, 4]}, z=SCORE)
    assert compare_results.main(["compare", before, after, "--limit", "2"]) == 1
    first, second, rest, total = capsys.readouterr().out.splitlines()
    assert first == "x/values/1: 1 -> 2"
    assert second == "x/values/2: 2 -> 4"
    assert rest == "... and 2 more"
    assert total == "3 items compared, 4 values differ."


def test_ignored_paths_are_counted_for_each_pattern(recording, capsys):
    """Check a key, a whole part of the tree, and a pattern that matches nothing."""
    before = recording("a", x=SCORE)
    after = recording("b", x=score(schema="score/2", IU={"mean": 0.6, "n": 23}))
    ignore = ["--ignore", "*/schema", "--ignore", "x/IU", "--ignore", "*/folds"]
    assert compare_results.main(["compare", before, after, *ignore]) == 0
    *ignored, total = capsys.readouterr().out.splitlines()
    assert ignored == ["ignored as */schema: 1", "ignored as x/IU: 2", "ignored as */folds: 0"]
    assert total == "1 items compared, 0 values differ."


def test_values_under_a_renamed_key_are_compared(recording, capsys):
    """Check that a new name hides no number that moved."""
    before = recording("a", x={"rows": [{"old": 1}, {"old": 2}]})
    after = recording("b", x={"rows": [{"new": 1}, {"new": 3}]})
    assert compare_results.main(["compare", before, after, "--rename", "old=new"]) == 1
    assert capsys.readouterr().out.splitlines()[0] == "x/rows/1/new: 2 -> 3"


@pytest.mark.parametrize("only", ["*", "score-*"])
def test_folder_without_a_recording_is_wrong_usage(recording, capsys, only):
    """Check that two folders without results are not called equal."""
    items = {} if only == "*" else {"audit": SCORE}
    folders = [recording(name, **items) for name in "ab"]
    with pytest.raises(SystemExit, match="2"):
        compare_results.main(["compare", *folders, "--only", only])
    assert f"holds no recorded item that matches {only}" in capsys.readouterr().err


def test_recording_overwrites_nothing(recording, capsys):
    """Check that a folder with an earlier recording is refused."""
    with pytest.raises(SystemExit, match="2"):
        compare_results.main(["record", recording("a", x=SCORE)])
    assert "is not empty" in capsys.readouterr().err


def test_command_that_fails_is_named_and_the_rest_recorded(tmp_path, monkeypatch, capsys):
    """Check exit code and message, with two commands that need no data."""
    items = (
        compare_results.Item("wrong", ("leaderboard", "show", "--task", "nails")),
        compare_results.Item("right", ("leaderboard", "show", "--format", "json")),
    )
    monkeypatch.setattr(compare_results, "items", lambda _: items)
    monkeypatch.setattr(compare_results, "_write_inputs", lambda _: None)
    assert compare_results.main(["record", str(tmp_path / "a")]) == 1
    printed = capsys.readouterr()
    assert "wrong is not recorded: uhcs-bench leaderboard show --task nails gave" in printed.err
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["right.json"]


def test_files_of_a_folder_are_read_as_hashes(tmp_path):
    """Check the SHA-256 of an empty file, which is known."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "empty").touch()
    assert compare_results.read(tmp_path) == {
        "sub/empty": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    }
