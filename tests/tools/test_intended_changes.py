"""Intended changes: what they explain, what they don't, and that each stands in the changelog."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import intended_changes
from tools.differences import Difference
from tools.intended_changes import Changed, IntendedChanges, Keyed, Moved

ROOT = Path(__file__).parents[2]
FILES = sorted(ROOT.glob("tools/changes_since_*.toml"))


@pytest.mark.parametrize(
    ("path", "explained"),
    [
        ("score-a/IU/ci95", True),
        ("score-a/IU/ci95/0", True),
        ("score-a/IU/ci95_samples", False),
        ("audit/IU/ci95", False),
    ],
)
def test_a_path_holds_what_is_below_it(path, explained):
    """Check the path, a value below it, a longer name and another item."""
    assert Changed(("x", "score-*/ci95"), "why").explains(Difference(path, 1, 2)) == explained


@pytest.mark.parametrize(
    ("before", "after", "explained"),
    [(1.0, 1.01, True), (1.0, 1.02, False), (1.0, None, False), ("a", "b", False)],
)
def test_at_most_limits_numbers(before, after, explained):
    """Check both sides of the limit, and what is no number."""
    change = Changed(("*",), "why", at_most=0.01)
    assert change.explains(Difference("x/y", before, after)) == explained


def test_rows_are_keyed_in_any_order():
    """Check two keys, and rows that have the same ones."""
    changes = IntendedChanges(keyed=(Keyed(("x/rows",), ("a", "b")),))
    rows = [{"a": 1, "b": 2, "v": 3}, {"a": 1, "b": 3, "v": 4}, {"a": 1, "b": 2, "v": 5}]
    keyed = {"1": {"2": rows[0], "3": rows[1], "2 (2)": rows[2]}}
    assert changes.after({"x": {"rows": rows}}) == {"x": {"rows": keyed}}
    swapped = [rows[1], rows[0], rows[2]]
    assert changes.after({"x": {"rows": swapped}}) == {"x": {"rows": keyed}}


def test_moved_values_stand_where_they_stand_now():
    """Check a name, a place with a star, and that the newer results are left alone."""
    changes = IntendedChanges(moved=(Moved("x/old", "x/new"), Moved("x/*/rank", "x/*/rank/best")))
    tree = {"x": {"old": 1, "otsu": {"rank": [1, 2]}}}
    assert changes.before(tree) == {"x": {"new": 1, "otsu": {"rank": {"best": [1, 2]}}}}
    assert changes.after(tree) == tree


@pytest.mark.parametrize(
    "content",
    ["no toml", "[[changd]]", '[[changed]]\npaths = ["x"]', '[[keyed]]\nlist = ["x"]'],
)
def test_unreadable_changes_are_refused(tmp_path, content):
    """Check that the message holds the file and says what was done."""
    path = tmp_path / "changes.toml"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"changes.toml can't be read .* Nothing is compared"):
        intended_changes.load(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_visible_change_stands_in_the_changelog(path):
    """Check the words of each change; without any, no printed digit may change."""
    changelog = " ".join((ROOT / "CHANGELOG.md").read_text("utf-8").split())
    changes = intended_changes.load(path)
    assert changes.changed
    for change in changes.changed:
        assert change.changelog in changelog
        assert change.changelog or change.at_most <= 1e-9


def test_a_file_of_changes_is_there():
    """Check that the test above looks at one."""
    assert FILES
