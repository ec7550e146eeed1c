"""Tables of a board as text: what stands in them is what the board holds."""

from __future__ import annotations

import json

import pytest

from uhcs_bench.ranking.outputs import board_json, sentences, text_tables
from uhcs_bench.ranking.pair_tests import Pair


@pytest.mark.parametrize(
    ("metric", "difference", "said"),
    [
        ("IU", 0.0004, "A and B differ by 0.0 points of IU, -1.0 to +1.0, as rounded "),
        ("fit", 0.0, "A and B differ by 0.0 points of fit, -1.0 to +1.0, as rounded "),
        ("D", 0.0004, "A and B differ by 0.000 of D, -0.010 to +0.010, as rounded "),
        ("IU", 0.0006, "A is ahead of B by 0.1 points of IU, -1.0 to +1.0 "),
    ],
)
def test_a_difference_that_rounds_to_zero_puts_no_one_ahead(metric, difference, said):
    """Check the sentence of a pair by the digits that it shows."""
    pair = Pair("a", "b", metric, difference, (-0.01, 0.01), 0.5, 0.5, 24, 6)
    assert sentences.pair_sentence(pair, {"a": "A", "b": "B"}).startswith(said)


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
    assert text_tables.text(text_tables.chosen(content, "microconstituents"), "splits") == ""


@pytest.mark.parametrize("what", ["ranks", "sizes", "fit", "pairs", "splits"])
def test_tables_fit_into_a_terminal(what):
    """Check the board of the package, and names of methods that have no place to break."""
    board = board_json.read()
    for content in (board, long_named(board)):
        shown = text_tables.text(text_tables.chosen(content), what)
        assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("form", ["table", "markdown"])
@pytest.mark.parametrize("what", ["ranks", "sizes", "fit", "pairs"])
def test_methods_that_looked_at_validation_folds_are_marked(what, form):
    """Check mark and sentence against the declarations, and that there is none without a choice."""
    board = board_json.read()
    selected = [e for e in board["entries"] if e["declaration"]["selection"]]
    assert selected
    shown = " ".join(text_tables.text(text_tables.chosen(board, "particles"), what, form).split())
    assert sentences.SELECTED_MEANING in shown
    for entry in selected:
        for said in sentences.selection_sentences(entry["declaration"], "particles"):
            assert f"{entry['declaration']['name']} {sentences.SELECTED}: {said}." in shown
    for entry in board["entries"]:
        entry["declaration"]["selection"] = []
    assert sentences.SELECTED not in text_tables.text(text_tables.chosen(board), what, form)


def test_every_score_of_the_ranks_is_explained():
    """Check that the legend has the metrics of the table, and the rule of the ranks."""
    shown = text_tables.text(text_tables.chosen(board_json.read(), "microconstituents"), "ranks")
    assert "- fit, %: share of the measures" in shown
    assert "- D" not in shown
    assert sentences.RANK_RULE in " ".join(shown.split())


def long_named(board):
    """Give a board's methods names of three words that are all different."""
    entries = [
        entry | {"name": f"{'N' * 24} {'o' * 20} {number}"}
        for number, entry in enumerate(board["entries"])
    ]
    return board | {"entries": entries}


@pytest.mark.parametrize(
    ("what", "scope", "said"),
    [
        ("pairs", ("particles", "paper", None), "no pairs for the task particles, the split paper"),
        ("ranks", (None, "clean", "one-grouped"), "those of one-grouped for particles, split grou"),
        ("sizes", ("microconstituents", None, None), "those for particles, split clean; particles"),
        ("splits", ("microconstituents", None, None), "for particles, splits clean and grouped."),
    ],
)
def test_what_is_absent_is_said_with_what_there_is(split_board, what, scope, said):
    """Check the scope that was asked for, the reason, and where the board has such tables."""
    content = json.loads(board_json.to_json(split_board))
    assert text_tables.text(text_tables.chosen(content, *scope), what) == ""
    found = text_tables.absent(content, what, *scope)
    assert said in " ".join(found.split())
    assert max(map(len, found.splitlines())) <= 80


@pytest.mark.parametrize("what", ["ranks", "sizes", "fit", "pairs", "splits"])
def test_an_empty_board_has_a_reason_for_every_table(what):
    """Check that no place is named where there is none."""
    empty = {"entries": [], "groups": [], "split_comparisons": []}
    found = " ".join(text_tables.absent(empty, what).split())
    assert found.startswith("The board has no ")
    assert "It has" not in found


def test_groups_of_one_split(split_board):
    """Check that a split leaves its own groups, and the comparisons that it is part of."""
    content = json.loads(board_json.to_json(split_board))
    for split, n_comparisons in (("clean", 1), ("grouped", 1), ("paper", 0)):
        found = text_tables.chosen(content, split=split)
        assert {group["split"] for group in found["groups"]} == {split} - {"paper"}
        assert len(found["split_comparisons"]) == n_comparisons
