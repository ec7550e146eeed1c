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
from PIL import Image

import uhcs_bench
from tests.entries import annotations, declared, noisy, write_entry
from uhcs_bench import paper
from uhcs_bench.data import label_maps
from uhcs_bench.io.protection import ProtectedFileError, protecting
from uhcs_bench.ranking import board as leaderboard
from uhcs_bench.ranking import content, files, words
from uhcs_bench.ranking.declaration import EntryError
from uhcs_bench.ranking.page import escaped, to_markdown
from uhcs_bench.scoring import comparison

REPOSITORY = Path(__file__).parents[2]
HOSTILE = (
    "</td><script>alert(1)</script> | a | [x](javascript:y) ![i](//e) `c` *b* @all www.evil.org"
)

UNFINISHED = {"particles": {"status": "incomplete", "reason": "Not run yet"}}


def text_of(board):
    return content.to_json(content.to_dict(board))


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
    return leaderboard.build(*leaderboard.read_entries(folder))


@pytest.mark.slow
def test_numbers_are_those_of_score(folder, board):
    """Check every number of leaderboard.json against `uhcs_bench.score` of the folder."""
    (group,) = json.loads(text_of(board))["groups"]
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_same_maps_give_same_bytes(folder, board, tmp_path):
    """Check a second build, from a copy with other PNG encodings."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    for path in copy.glob("near/particles/*.png"):
        Image.open(path).save(path, compress_level=1)
    again = leaderboard.build(*leaderboard.read_entries(copy))
    assert text_of(again) == text_of(board)
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


@pytest.mark.slow
def test_one_changed_pixel_changes_the_board(folder, board, tmp_path):
    """Check that no number survives the map that it was computed from."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    path = copy / "near" / "particles" / "synthetic-particles-00.png"
    labels = np.asarray(Image.open(path)).copy()
    labels[:8] = 1 - labels[:8]
    path.unlink()
    label_maps.write_label_map(path, labels)
    changed = leaderboard.build(*leaderboard.read_entries(copy))
    assert text_of(changed) != text_of(board)
    assert to_markdown(changed) != to_markdown(board)


def test_an_entry_with_problems_is_left_out(folder, tmp_path):
    """Check two broken entries beside sound ones; hidden folders are none."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / ".git").mkdir()
    (copy / "worse" / "entry.yaml").write_text("a: &x 1")
    (copy / "old" / "x").touch()
    entries, left_out = leaderboard.read_entries(copy)
    assert [found.slug for found in entries] == ["half", "near", "same"]
    assert [found.slug for found in left_out] == ["old", "worse"]
    assert left_out[0].problems[0].startswith("x: does not")
    assert left_out[1].problems[0].startswith("entry.yaml: line 1")
    smaller = leaderboard.build(entries, left_out)
    assert "- old: 1 problem" in to_markdown(smaller)
    assert json.loads(text_of(smaller))["left_out"][1]["entry"] == "worse"
    (group,) = smaller.groups
    assert {row.entry.slug: str(row.ranks["IU"]) for row in group.ranked} == {
        "near": "1-2",
        "same": "1-2",
    }
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
        selection=[{"task": "particles", "folds": [1], "choice": HOSTILE}],
        compute=declared()["compute"] | {"device": HOSTILE},
        retrained={"date": "2026-11-22", "command": HOSTILE},
        notes=[HOSTILE, "https://evil.org", "# heading", "- list"],
        tasks={"particles": {"status": "active", "reason": HOSTILE}},
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


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_the_committed_board_is_what_the_maps_give():
    """Check every committed number of the real board against the committed label maps."""
    folder = REPOSITORY / "leaderboard"
    board = leaderboard.build(*leaderboard.read_entries(folder))
    files.check(folder, board)
    groups = {(group.task.name, group.version, group.split): group for group in board.groups}
    particles = groups["particles", "1.0", "paper"]
    otsu = next(row for row in particles.ranked if row.entry.slug == "otsu")
    # Table 4 recomputed by others from the same files.
    assert round(100 * otsu.result.conventions["paper"].IU.mean, 1) == 71.6
    page = (folder / "README.md").read_text("utf-8")
    assert "*72.4 ± 3.1*" in page
    # As somebody else counted them, whole particles of 5 px and more within 20 %.
    within = {
        row.entry.slug: [round(fit.within[0.2]) for fit in row.fits.values()]
        for row in particles.ranked
    }
    assert within["pixelnet-ce"] == [24, 23, 22, 23]
    assert within["pixelnet-focal"] == [5, 10, 19, 19]


def test_no_p_value_is_rounded_to_zero(board):
    """Check the smallest that 24 micrographs can give."""
    pairs = json.loads(text_of(board))["groups"][0]["pairs"]
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
    declaration = content.to_dict(board)["entries"][0]["declaration"]
    assert declaration["hyperparameters"] == settings
    text = words.settings_text(declaration)
    assert text == 'learning_rate 1e-08; name a "b"; steps 1, true'


def test_names_in_one_table_differ(tmp_path):
    """Check that one name in other letters is left out, unless the split is another."""
    for slug, name, split in (("a", "Otsu", "paper"), ("b", "\uff2fTSU", "paper")):
        write_entry(tmp_path / slug, {}, declared(name=name, split=split, tasks=UNFINISHED))
    entries, left_out = leaderboard.read_entries(tmp_path)
    assert entries == []
    assert [found.slug for found in left_out] == ["a", "b"]
    assert "a and b have the same name" in left_out[0].problems[0]
    (tmp_path / "b" / "entry.yaml").unlink()
    (tmp_path / "b").rmdir()
    write_entry(tmp_path / "c", {}, declared(name="Otsu", split="clean", tasks=UNFINISHED))
    assert len(leaderboard.read_entries(tmp_path)[0]) == 2


@pytest.mark.parametrize("name", ["README.md", "leaderboard.json"])
@pytest.mark.parametrize("is_link", [True, False])
def test_files_of_others_are_not_replaced(tmp_path, name, is_link):
    """Check somebody's own file, and a link of a stranger, where the board is written."""
    victim = tmp_path / "victim"
    victim.write_text('{"mine": 1}')
    folder = tmp_path / "board"
    write_entry(folder / "a", {}, declared(tasks=UNFINISHED))
    if is_link:
        (folder / name).symlink_to(victim)
    else:
        shutil.copy(victim, folder / name)
    board = leaderboard.build(*leaderboard.read_entries(folder))
    with pytest.raises(ProtectedFileError, match="--force"):
        files.write(folder, board)
    assert victim.read_text() == (folder / name).read_text() == '{"mine": 1}'
    with protecting([], force=True):
        files.write(folder, board)
    assert victim.read_text() == '{"mine": 1}'
    files.write(folder, board)
    assert "a/" in (folder / "README.md").read_text("utf-8")


def test_the_page_of_ones_own_entries_is_true_there(board):
    """Check that nothing of the project's own board is spoken of, and that commands name it."""
    page = to_markdown(board, folder="entries")
    for absent in ("RULES.md", "baselines", "tests fail"):
        assert absent not in page
    assert "uhcs-bench leaderboard build --entries entries --site board/" in page
    assert "uhcs-bench score entries/half" in page
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


def test_numbers_are_rounded_once():
    """Check that last digits of another machine don't show."""
    third = np.float64(1) / 3
    assert content._rounded({"a": [(third, 1, None, "x")]}) == {"a": [[0.333333, 1, None, "x"]]}
