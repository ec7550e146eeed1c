"""Comparing two recordings of results: what differs, what may, and what is printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tools import compare_results, recording

if TYPE_CHECKING:
    from collections.abc import Callable

SCORE = {"schema": "score/1", "IU": {"mean": 0.5, "n": 24}, "folds": [0, 1]}


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., str]:
    """Give a function that writes a recording and gives its folder."""

    def write(name: str, **items: object) -> str:
        folder = tmp_path / name
        folder.mkdir()
        for item, results in items.items():
            (folder / f"{item}.json").write_text(json.dumps(results))
        return str(folder)

    return write


def test_equal_recordings_give_exit_code_0(written, capsys):
    """Check what is printed where nothing differs."""
    assert compare_results.main(["compare", written("a", x=SCORE), written("b", x=SCORE)]) == 0
    assert capsys.readouterr().out == (
        "1 items compared, 5 values before.\nNo unexplained difference.\n"
    )


def test_differences_are_listed_up_to_a_limit(written, capsys):
    """Check path, before and after, the count of all, and the exit code."""
    before = written("a", x={"values": [0, 1, 2]}, y=SCORE)
    after = written("b", x={"values": [0, 2, 4]}, z=SCORE)
    assert compare_results.main(["compare", before, after, "--limit", "2"]) == 1
    first, second, rest, items, total = capsys.readouterr().out.splitlines()
    assert first == "x/values/1: 1 -> 2"
    assert second == "x/values/2: 2 -> 4"
    assert rest == "... and 2 more"
    assert items == "3 items compared, 8 values before."
    assert total == "4 unexplained differences."


CHANGES = """
[[keyed]]
paths = ["x/rows"]
by = ["id"]

[[moved]]
before = "x/rows/*/old"
after = "x/rows/*/new"

[[changed]]
paths = ["x/rows"]
at_most = 5e-6
reason = "Six digits."

[[changed]]
paths = ["*/schema"]
reason = "Keys were added."
changelog = "Schemas"
"""
BEFORE = {"schema": 1, "rows": [{"id": "a", "old": 0.123456789}, {"id": "b", "old": 2}]}


@pytest.mark.parametrize(
    ("value", "code", "last"),
    [
        (0.123457, 0, "No unexplained difference."),
        (0.12345, 1, "1 unexplained difference."),
        (None, 1, "1 unexplained difference."),
    ],
)
def test_intended_changes_hide_no_other(written, tmp_path, capsys, value, code, last):
    """Check rows in another order and under new names: one that is rounded, and two that are not.

    The second case must fail: its number has moved by more than the digits that are cut.
    """
    (tmp_path / "changes.toml").write_text(CHANGES)
    rows = [{"id": "b", "new": 2, "n": 24}, {"id": "a", "new": value, "n": 24}]
    folders = written("a", x=BEFORE), written("b", x={"schema": 2, "rows": rows})
    changes = ["--changes", str(tmp_path / "changes.toml")]
    assert compare_results.main(["compare", *folders, *changes]) == code
    rounded, schema, new, *differences, _, total = capsys.readouterr().out.splitlines()
    assert rounded == f"on purpose: {1 - code}, x/rows: Six digits."
    assert schema == "on purpose: 1, */schema: Keys were added."
    assert new == "new in x: n (2)"
    assert differences == [f"x/rows/a/new: 0.123456789 -> {value}"] * code
    assert total == last


def test_an_item_that_was_not_recorded_is_a_difference(written, capsys):
    """Check that a command that failed in one checkout does not go unseen."""
    folders = written("a", x=SCORE), written("b", x=SCORE, y=SCORE)
    assert compare_results.main(["compare", *folders]) == 1
    assert capsys.readouterr().out.startswith("y: (missing) -> ")


@pytest.mark.parametrize("only", ["*", "score-*"])
def test_folder_without_a_recording_is_wrong_usage(written, capsys, only):
    """Check that two folders without results are not called equal."""
    items = {} if only == "*" else {"audit": SCORE}
    folders = [written(name, **items) for name in "ab"]
    with pytest.raises(SystemExit, match="2"):
        compare_results.main(["compare", *folders, "--only", only])
    assert f"holds no recorded item that matches {only}" in capsys.readouterr().err


def test_an_item_that_is_no_json_is_named(written, capsys):
    """Check a recording of which a file is cut off."""
    folders = written("a", x=SCORE), written("b", x=SCORE)
    (Path(folders[1]) / "x.json").write_text('{"a": ')
    with pytest.raises(SystemExit, match="2"):
        compare_results.main(["compare", *folders])
    assert "x.json is no recorded item" in capsys.readouterr().err


def test_recording_overwrites_nothing(written, capsys):
    """Check that a folder with an earlier recording is refused."""
    with pytest.raises(SystemExit, match="2"):
        compare_results.main(["record", written("a", x=SCORE)])
    assert "is not empty" in capsys.readouterr().err


def test_command_that_fails_is_named_and_the_rest_recorded(tmp_path, monkeypatch, capsys):
    """Check exit code and message, with two commands that need no data."""
    items = (
        recording.Item("wrong", ("leaderboard", "show", "--task", "nails")),
        recording.Item("right", ("leaderboard", "show", "--format", "json")),
    )
    monkeypatch.setattr(recording, "items", lambda _: items)
    monkeypatch.setattr(recording, "_write_inputs", lambda *_: None)
    assert compare_results.main(["record", str(tmp_path / "a")]) == 1
    printed = capsys.readouterr()
    assert "wrong is not recorded: uhcs-bench leaderboard show --task nails gave" in printed.err
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["right.json"]
