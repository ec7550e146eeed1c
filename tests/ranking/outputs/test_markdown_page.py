"""The board as a page of Markdown: what it states, and that untrusted texts stay texts."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from tests.helpers.command import run as run_command
from tests.helpers.entries import annotations, hostile, named, noisy, write_entry
from uhcs_bench.data.label_maps import write_label_map
from uhcs_bench.ranking import board as leaderboard
from uhcs_bench.ranking.outputs.markdown_page import escaped, to_markdown

HOSTILE = (
    "</td><script>alert(1)</script> | a | [x](javascript:y) ![i](//e) `c` *b* @all www.evil.org"
)


class Tags(HTMLParser):
    """Collect tags, attributes and text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.links = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data):
        self.text += data


def test_hostile_texts_stay_texts(tmp_path):
    """Check Markdown of an entry that has HTML, links and table marks in every text."""
    content = hostile(
        HOSTILE,
        external_data=[{"name": HOSTILE, "use": HOSTILE, "link": "https://example.org/a"}],
        hyperparameters={"key": HOSTILE, "keys": [HOSTILE]},
        notes=[HOSTILE, "https://evil.org", "# heading", "- list"],
    )
    write_entry(tmp_path / "evil", {"particles": annotations()}, content)
    page = to_markdown(leaderboard.build(*leaderboard.read_entries(tmp_path)))
    reader = MarkdownIt("gfm-like", {"html": True}).disable("linkify")
    found = Tags(reader.render(page))
    assert "script" not in found.tags
    assert "img" not in found.tags
    assert set(found.links) == {
        "leaderboard.json",
        "evil/",
        "https://orcid.org/0000-0002-1825-0097",
        "https://example.org/a",
        "https://example.org/code",
    }
    assert HOSTILE in found.text
    rows = [line for line in page.splitlines() if line.startswith("| [")]
    assert len(rows) == 1
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == 10
    for bare in ("https://evil", "www.evil"):
        assert bare not in page


def test_synthetic_boards_say_so_and_report_nothing(board):
    """Check that the paper's numbers don't stand beside synthetic ones."""
    page = to_markdown(board)
    assert "SYNTHETIC" in page
    assert "reported" not in page.partition("## Particles")[2].lower()
    assert "**n = 24** micrographs in 6 folds" in page


def test_the_page_of_ones_own_entries_is_true_there(board):
    """Check that nothing refers to the project's own board, and that commands name the folder."""
    page = to_markdown(board, folder="entries")
    for absent in ("RULES.md", "baselines", "tests fail"):
        assert absent not in page
    assert "uhcs-bench leaderboard build --entries entries --site board/" in page
    assert "uhcs-bench score entries/near --dataset-version synthetic\n" in page
    shipped = to_markdown(board, is_shipped=True)
    assert "[RULES.md](RULES.md)" in shipped


def test_formulas_stay_texts():
    """Check that GitHub sets nothing between dollars."""
    assert "$" not in escaped("$x$ and \\$y")


def test_choices_that_saw_folds_are_marked(tmp_path):
    """Check mark and sentence of an entry whose choice looked at two folds."""
    choice = {"task": "particles", "folds": [0, 2], "choice": "The size of windows."}
    write_entry(tmp_path / "a", {"particles": noisy(0.1)}, named("Seen", selection=[choice]))
    write_entry(tmp_path / "b", {"particles": noisy(0.1, seed=1)}, named("Unseen"))
    page = to_markdown(leaderboard.build(*leaderboard.read_entries(tmp_path)))
    assert "[Seen](a/) † |" in page
    assert "[Unseen](b/) |" in page.replace("  ", "")
    assert "† Seen: Particles, folds 0, 2 had been looked at: The size of windows." in page


def test_what_another_split_costs_stands_below_the_groups(split_board):
    """Check the table of both splits against the groups' scores, and the entries' headings."""
    page = to_markdown(split_board)
    _, _, section = page.partition("### What a new sample costs")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.partition("## Entries")[0].splitlines()
        if "| IU " in line
    ]
    clean, grouped = split_board.groups
    assert [row[0] for row in rows] == [row.entry.name for row in clean.ranked]
    for cells, of_clean in zip(rows, clean.ranked, strict=True):
        (of_grouped,) = [r for r in grouped.ranked if r.entry.name == of_clean.entry.name]
        assert cells[2:4] == [f"{100 * row.mean('IU').mean:.1f}" for row in (of_clean, of_grouped)]
    assert rows[[row[0] for row in rows].index("Other")][4].startswith("-")
    assert "### One, split grouped" in page
    assert "What the leaks" not in page  # no method was run on the split paper


@pytest.mark.parametrize(
    ("folders", "place"), [((".",), ""), (("runs/1", "runs/2"), "/runs/1"), ((".", "runs/2"), "")]
)
@pytest.mark.parametrize("split", ["paper", "clean"])
def test_the_command_that_scores_an_entry(tmp_path, monkeypatch, folders, place, split):
    """Check that the command on the page runs as it is printed, of several runs and any split."""
    root = tmp_path / "entries"
    declared_runs = [{"folder": run, "seeds": [seed]} for seed, run in enumerate(folders)]
    write_entry(root / "a", {}, named("A", status="incomplete"))
    entry = write_entry(root / "b", {}, named("B", runs=declared_runs, split=split))
    for seed, run in enumerate(folders):
        for name, labels in noisy(0.1, seed=seed).items():
            write_label_map(entry / run / "particles" / f"{name}.png", labels)
    page = to_markdown(leaderboard.build(*leaderboard.read_entries(root)), folder="entries")
    (line,) = (line for line in page.splitlines() if "uhcs-bench score" in line)
    options = " --dataset-version synthetic" + ("" if split == "paper" else f" --split {split}")
    assert line.strip() == f"uhcs-bench score entries/b{place}{options}"
    monkeypatch.chdir(tmp_path)
    result = run_command(*line.split()[1:])
    assert (result.exit_code, result.stderr) == (0, "")
