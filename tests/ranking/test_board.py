"""The leaderboard: recomputed numbers, ranks by tests, and pages that hold strangers' texts."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt

import uhcs_bench
from tests.entries import annotations, declared, noisy, write_entry
from uhcs_bench import paper
from uhcs_bench.data import label_maps
from uhcs_bench.io.protection import ProtectedFileError, protecting
from uhcs_bench.ranking import board as leaderboard
from uhcs_bench.ranking import files
from uhcs_bench.ranking.declaration import EntryError
from uhcs_bench.ranking.entry import read_entry
from uhcs_bench.ranking.page import settings_text, to_markdown
from uhcs_bench.scoring import comparison
from uhcs_bench.scoring.comparison import Difference

REPOSITORY = Path(__file__).parents[2]
HOSTILE = (
    "</td><script>alert(1)</script> | a | [x](javascript:y) ![i](//e) `c` *b* @all www.evil.org"
)

UNFINISHED = {"particles": {"status": "incomplete", "reason": "Not run yet"}}


def named(name, status="active", **changes):
    tasks = {"particles": {"status": status, "reason": f"Because of {status}"}}
    return declared(**{"name": name, "tasks": tasks} | changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two methods that can't be told apart, one that is worse, one retired and one unfinished."""
    root = tmp_path_factory.mktemp("board")
    for slug, share, seed in (("near", 0.05, 0), ("same", 0.05, 1), ("worse", 0.3, 2)):
        write_entry(root / slug, {"particles": noisy(share, seed=seed)}, named(slug.capitalize()))
    write_entry(root / "old", {"particles": noisy(0.2)}, named("Old", "retired"))
    some = dict(list(annotations().items())[:8])
    write_entry(root / "half", {"particles": some}, named("Half", "incomplete"))
    return root


@pytest.fixture(scope="module")
def board(folder):
    return leaderboard.build(leaderboard.read_entries(folder))


def test_numbers_are_those_of_score(folder, board):
    """Check every number of leaderboard.json against `uhcs_bench.score` of the folder."""
    (group,) = json.loads(board.to_json())["groups"]
    assert len(group["recomputed"]) == 4
    for row in group["recomputed"]:
        report = uhcs_bench.score(folder / row["entry"] / "particles", version="synthetic")
        score = report["particles"]
        for name, means in score.conventions.items():
            found = row["conventions"][name]
            assert found["IU"]["mean"] == pytest.approx(means.IU.mean, abs=1e-6)
            assert found["AC"]["ci95"] == pytest.approx(means.AC.ci95, abs=1e-6)
        assert [image["id"] for image in row["images"]] == [image.id for image in score.images]
        ious = [image["IU"] for image in row["images"]]
        assert ious == pytest.approx([image.IU for image in score.images], abs=1e-6)
        assert row["psd"]["n_consistent"] == score.psd.n_consistent
        assert group["data_id"] == score.data_id


def test_ties_share_ranks(folder, board):
    """Check rank ranges against the command's own comparison of the three ranked methods."""
    (group,) = board.groups
    assert [row.entry.slug for row in group.ranked][2] == "worse"
    ranks = {row.entry.slug: str(row.ranks["IU"]) for row in group.ranked}
    assert ranks == {"near": "1-2", "same": "1-2", "worse": "3"}
    reports = {
        name: uhcs_bench.score(folder / name / "particles", version="synthetic") for name in ranks
    }
    for difference in comparison.compare(reports).tasks[0].differences:
        if (difference.metric, difference.class_name) == ("IU", None):
            assert difference.separable == ("worse" in (difference.a, difference.b))


def test_retired_and_unfinished_have_no_rank(board):
    """Check that neither counts as a competitor, and that only the retired one has scores."""
    (group,) = board.groups
    assert [(row.entry.slug, row.ranks) for row in group.retired] == [("old", {})]
    assert group.retired[0].score is not None
    assert [(row.entry.slug, row.score) for row in group.unfinished] == [("half", None)]
    page = to_markdown(board)
    assert "[Half](half/): 8 of 24 label maps (folds 0, 1). Because of incomplete" in page
    assert "[Old](old/): 24 of 24 label maps, IU" in page


def difference(a, b, mean, p):
    return Difference(a, b, "IU", None, 0, 0, mean, None, p, p, 24, 0, 0, {})


def test_rank_ranges_by_hand():
    """Check three methods of which only the outer two can be told apart, and another score."""
    found = [difference("a", "b", 0.1, 0.2), difference("b", "c", 0.1, 0.2)]
    found.append(difference("a", "c", 0.2, 0.01))
    ranks = [str(leaderboard.rank_range(name, "abc", found, "IU")) for name in "abc"]
    assert ranks == ["1-2", "1-3", "2-3"]
    turned = [difference("c", "a", -0.2, 0.01)]
    assert str(leaderboard.rank_range("a", "abc", turned, "IU")) == "1-2"
    assert str(leaderboard.rank_range("a", "abc", found, "AC")) == "1-3"


def test_same_maps_give_same_bytes(folder, board, tmp_path):
    """Check a second build, from a copy with other PNG encodings."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    from PIL import Image

    for path in copy.glob("near/particles/*.png"):
        Image.open(path).save(path, compress_level=1)
    again = leaderboard.build(leaderboard.read_entries(copy))
    assert again.to_json() == board.to_json()
    assert to_markdown(again) == to_markdown(board)


def test_check_finds_every_difference(board, tmp_path):
    """Check that a build is accepted, and a changed number, a lost and an added line are not."""
    with pytest.raises(files.OutdatedError, match=r"README.md is not there.*json is not"):
        files.check(tmp_path, board)
    files.write(tmp_path, board)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "leaderboard.json"]
    files.check(tmp_path, board)
    path = tmp_path / "leaderboard.json"
    text = path.read_text("utf-8")
    number = re.search(r"0\.\d{6}", text)[0]
    line = text[: text.index(number)].count("\n") + 1
    path.write_text(text.replace(number, "0.999999", 1), "utf-8")
    with pytest.raises(
        files.OutdatedError, match=f"leaderboard.json differs from line {line}"
    ) as e:
        files.check(tmp_path, board)
    assert e.value.exit_code == 1
    path.write_text(text + "\n", "utf-8")
    with pytest.raises(files.OutdatedError, match="differs in its length"):
        files.check(tmp_path, board)


def test_one_changed_pixel_changes_the_board(folder, board, tmp_path):
    """Check that no number survives the map that it was computed from."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    path = copy / "near" / "particles" / "synthetic-particles-00.png"
    labels = read_entry(copy / "near").tasks["particles"].maps[path.stem].copy()
    labels[:8] = 1 - labels[:8]
    path.unlink()
    label_maps.write_label_map(path, labels)
    changed = leaderboard.build(leaderboard.read_entries(copy))
    assert changed.to_json() != board.to_json()
    assert to_markdown(changed) != to_markdown(board)


def test_problems_of_all_entries_are_listed(folder, tmp_path):
    """Check two broken entries beside sound ones; hidden folders are none."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / ".git").mkdir()
    (copy / "near" / "entry.yaml").write_text("a: &x 1")
    (copy / "same" / "x").touch()
    with pytest.raises(EntryError) as caught:
        leaderboard.read_entries(copy)
    assert any(problem.startswith("near: entry.yaml: line 1") for problem in caught.value.problems)
    assert any(problem.startswith("same: x: does not") for problem in caught.value.problems)
    with pytest.raises(EntryError, match="does not exist"):
        leaderboard.read_entries(tmp_path / "nowhere")


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
    content = declared(
        name=HOSTILE[:60],
        summary=HOSTILE,
        authors=[{"name": HOSTILE, "orcid": "0000-0002-1825-0097"}],
        licence=HOSTILE[:60],
        training_data=HOSTILE,
        external_data=[{"name": HOSTILE, "use": HOSTILE, "link": "https://example.org/a"}],
        hyperparameters={"key": HOSTILE, "keys": [HOSTILE]},
        hardware=HOSTILE,
        notes=[HOSTILE, "https://evil.org", "# heading", "- list"],
        tasks={"particles": {"status": "active", "reason": HOSTILE}},
    )
    write_entry(tmp_path / "evil", {"particles": annotations()}, content)
    entries = leaderboard.read_entries(tmp_path)
    page = to_markdown(leaderboard.build(entries))
    reader = MarkdownIt("gfm-like", {"html": True}).disable("linkify")
    found = Tags(reader.render(page))
    assert "script" not in found.tags
    assert "img" not in found.tags
    assert set(found.links) == {
        "RULES.md",
        "leaderboard.json",
        "evil/",
        "https://orcid.org/0000-0002-1825-0097",
        "https://example.org/a",
        "https://example.org/code",
    }
    assert HOSTILE in found.text
    rows = [line for line in page.splitlines() if line.startswith("| [")]
    assert len(rows) == 1
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == 8
    for bare in ("https://evil", "www.evil"):
        assert bare not in page


def test_reported_numbers_are_marked_and_apart():
    """Check that the paper's rows are those of its tables and never among recomputed ones."""
    (otsu, pixelnet) = paper.reported("particles")
    assert (otsu.IU.mean, otsu.IU.is_deviation, otsu.ks_score) == (69.9, True, None)
    assert (pixelnet.classes["particle"].mean, pixelnet.ks_score.mean) == (54.8, 4.2)
    (focal,) = paper.reported("microconstituents")
    assert (focal.method, focal.table, focal.AC.mean) == ("pixelnet-focal", "Table 1", 86.5)


def test_synthetic_boards_say_so_and_report_nothing(board):
    """Check that the paper's numbers don't stand beside synthetic ones."""
    page = to_markdown(board)
    assert "SYNTHETIC" in page
    assert "reported" not in page.partition("## Particles")[2].lower()
    assert "**n = 24** micrographs in 6 folds" in page


@pytest.mark.usefixtures("real_data")
def test_the_committed_board_is_what_the_maps_give():
    """Check every committed number of the real board against the committed label maps."""
    folder = REPOSITORY / "leaderboard"
    board = leaderboard.build(leaderboard.read_entries(folder))
    files.check(folder, board)
    groups = {(group.task.name, group.version, group.split): group for group in board.groups}
    particles = groups["particles", "1.0", "paper"]
    otsu = next(row for row in particles.ranked if row.entry.slug == "otsu")
    # Table 4 recomputed by others from the same files.
    assert round(100 * otsu.result.conventions["paper"].IU.mean, 1) == 71.6
    page = (folder / "README.md").read_text("utf-8")
    assert "*72.4 ± 3.1*" in page
    assert "slightly optimistic" in page


def test_no_p_value_is_rounded_to_zero():
    """Check the smallest that 24 micrographs can give, in its two places."""
    smallest = 2 / 2**24
    content = {"p_value": smallest, "mean": smallest, "psd": {"p_value": None}}
    rounded = {"p_value": 1.19209e-07, "mean": 0.0, "psd": {"p_value": None}}
    assert leaderboard._rounded(content) == rounded
    assert leaderboard._rounded({"p_holm": 3 * smallest}) == {"p_holm": 3.57628e-07}


def test_declared_numbers_are_not_rounded(tmp_path):
    """Check a learning rate below the last digit of a score, and texts with quotes in them."""
    settings = {"learning_rate": 1e-8, "name": 'a "b"', "steps": [1, True]}
    write_entry(tmp_path / "a", {}, declared(hyperparameters=settings, tasks=UNFINISHED))
    board = leaderboard.build(leaderboard.read_entries(tmp_path))
    declaration = board.to_dict()["entries"]["a"]["declaration"]
    assert declaration["hyperparameters"] == settings
    text = settings_text(declaration)
    assert text == 'learning_rate 1e-08; name a "b"; steps 1, true'


def test_names_in_one_table_differ(tmp_path):
    """Check that one name in other letters is refused, unless the split is another."""
    for slug, name, split in (("a", "Otsu", "paper"), ("b", "\uff2fTSU", "paper")):
        write_entry(tmp_path / slug, {}, declared(name=name, split=split, tasks=UNFINISHED))
    with pytest.raises(EntryError, match="a and b: have the same name"):
        leaderboard.read_entries(tmp_path)
    (tmp_path / "b" / "entry.yaml").unlink()
    (tmp_path / "b").rmdir()
    write_entry(tmp_path / "c", {}, declared(name="Otsu", split="clean", tasks=UNFINISHED))
    assert len(leaderboard.read_entries(tmp_path)) == 2


def test_links_in_the_way_are_not_written_through(tmp_path):
    """Check links of a stranger where the board and its unfinished files are written."""
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    folder = tmp_path / "board"
    write_entry(folder / "a", {}, declared(tasks=UNFINISHED))
    for name in ("README.md", ".README.md.partial", "leaderboard.json"):
        (folder / name).symlink_to(victim)
    board = leaderboard.build(leaderboard.read_entries(folder))
    with pytest.raises(ProtectedFileError, match="--force"):
        files.write(folder, board)
    with protecting([], force=True):
        files.write(folder, board)
    assert victim.read_text() == "untouched"
    assert "a/" in (folder / "README.md").read_text("utf-8")


def test_numbers_are_rounded_once():
    """Check that last digits of another machine don't show."""
    third = np.float64(1) / 3
    assert leaderboard._rounded({"a": [(third, 1, None, "x")]}) == {"a": [[0.333333, 1, None, "x"]]}
