"""Tables of a board as text: what stands in them is what the board holds."""

from __future__ import annotations

import json

import pytest

from uhcs_bench.ranking.outputs import board_json, sentences, text_tables


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_splits_are_those_of_the_board(split_board, form):
    """Check that what is read back from the file gives the cells of the board itself."""
    content = json.loads(board_json.to_json(split_board))
    shown = text_tables.text(text_tables.chosen(content), "splits", form)
    (found,) = split_board.split_comparisons
    assert len(found.changes) == 8
    lines = shown.splitlines()
    assert lines[0] == "particles, data set synthetic. What a new sample costs"
    for change in found.changes:
        name, *cells = sentences.change_cells(change)
        of_method = lines[next(k for k, line in enumerate(lines) if name in line.split()) :]
        line = next(line for line in of_method if change.metric in line.split())
        assert all(cell in line for cell in cells)
    if form == "table":
        assert max(map(len, lines)) <= 80


def test_splits_of_one_entry(split_board):
    """Check that the entry of either split shows the method's change and no other."""
    content = json.loads(board_json.to_json(split_board))
    for slug in ("other-clean", "other-grouped"):
        shown = text_tables.text(text_tables.chosen(content, "particles", entry=slug), "splits")
        assert "Other" in shown
        assert "One" not in shown
    none = text_tables.text(text_tables.chosen(content, "microconstituents"), "splits")
    assert none == text_tables.NO_TABLE


def test_groups_of_one_split(split_board):
    """Check that a split leaves its own groups, and the comparisons that it is part of."""
    content = json.loads(board_json.to_json(split_board))
    for split, n_comparisons in (("clean", 1), ("grouped", 1), ("paper", 0)):
        found = text_tables.chosen(content, split=split)
        assert {group["split"] for group in found["groups"]} == {split} - {"paper"}
        assert len(found["split_comparisons"]) == n_comparisons
