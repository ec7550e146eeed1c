"""The leaderboard: recomputed numbers and ranks by tests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import uhcs_bench
from tests.helpers.entries import UNFINISHED, declared, write_entry
from uhcs_bench.data import label_maps
from uhcs_bench.ranking import board as leaderboard
from uhcs_bench.ranking import fit
from uhcs_bench.ranking.entries.declaration import EntryError
from uhcs_bench.ranking.outputs import board_files, board_json
from uhcs_bench.ranking.outputs.markdown_page import to_markdown
from uhcs_bench.scoring import comparison

REPOSITORY = Path(__file__).parents[2]


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
    assert board_json.to_json(again) == board_json.to_json(board)
    assert to_markdown(again) == to_markdown(board)


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
    assert board_json.to_json(changed) != board_json.to_json(board)
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
    assert json.loads(board_json.to_json(smaller))["left_out"][1]["entry"] == "worse"
    (group,) = smaller.groups
    assert {row.entry.slug: str(row.ranks["IU"]) for row in group.ranked} == {
        "near": "1-2",
        "same": "1-2",
    }
    with pytest.raises(EntryError, match="does not exist"):
        leaderboard.read_entries(tmp_path / "nowhere")


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_the_committed_board_is_what_the_maps_give():
    """Check every committed number of the real board against the committed label maps."""
    folder = REPOSITORY / "leaderboard"
    board = leaderboard.build(*leaderboard.read_entries(folder))
    board_files.check(folder, board)
    groups = {(group.task.name, group.version, group.split): group for group in board.groups}
    particles = groups["particles", "1.0", "paper"]
    otsu = next(row for row in particles.ranked if row.entry.slug == "otsu")
    # Table 4 recomputed by others from the same files.
    assert round(100 * otsu.result.conventions["paper"].IU.mean, 1) == 71.6
    page = (folder / "README.md").read_text("utf-8")
    assert "*72.4 ± 3.1*" in page
    within = {
        row.entry.slug: [fit.within[0.2] for fit in row.fits.values()] for row in particles.ranked
    }
    assert within["pixelnet-focal"] == _counted("pixelnet-focal/particles") == [5, 10, 19, 19]
    # As somebody else counted them, whole particles of 5 px and more within 20 %.
    first = _counted("pixelnet-ce/particles")
    assert first == [24, 23, 22, 23]
    others = [_counted(f"pixelnet-ce/runs/seed-{seed}/particles") for seed in (1, 2)]
    means = np.mean([first, *others], axis=0)
    assert within["pixelnet-ce"] == pytest.approx(means.tolist())


def _counted(place):
    """Count the micrographs of a run on which a measure is within 20 % of the annotation's."""
    micrographs = uhcs_bench.load("particles")
    folder = REPOSITORY / "leaderboard" / place
    maps = [np.asarray(Image.open(folder / f"{m.id}.png")) for m in micrographs]
    truth = fit.measure([m.labels for m in micrographs], "particles")
    found = fit.measure(maps, "particles")
    return [
        sum(abs(b - a) <= 0.2 * a for a, b in zip(truth[name], found[name], strict=True))
        for name in truth
    ]


@pytest.mark.parametrize("name", ["..dots", ".hidden"])
def test_no_entry_is_passed_over_silently(tmp_path, name):
    """Check that a folder with an entry.yaml is left out with a reason if its name has a dot."""
    for slug in (name, "a"):
        write_entry(tmp_path / slug, {}, declared(name=slug, tasks=UNFINISHED))
    (tmp_path / ".git").mkdir()
    entries, (left_out,) = leaderboard.read_entries(tmp_path)
    assert [found.slug for found in entries] == ["a"]
    assert left_out.slug == name
    assert "not usable in an address" in left_out.problems[0]


def test_names_in_one_table_differ(tmp_path):
    """Check that one name in other letters is refused, unless the split is another.

    No board is built without a method because a newcomer has its name.
    """
    for slug, name, split in (("a", "Otsu", "paper"), ("b", "\uff2fTSU", "paper")):
        write_entry(tmp_path / slug, {}, declared(name=name, split=split, tasks=UNFINISHED))
    (tmp_path / "broken").mkdir()
    with pytest.raises(EntryError, match="nothing was written") as caught:
        leaderboard.read_entries(tmp_path)
    assert "a and b have the same name" in caught.value.problems[0]
    assert caught.value.problems[1].startswith("broken: ")
    (tmp_path / "broken").rmdir()
    (tmp_path / "b" / "entry.yaml").unlink()
    (tmp_path / "b").rmdir()
    write_entry(tmp_path / "c", {}, declared(name="Otsu", split="clean", tasks=UNFINISHED))
    assert len(leaderboard.read_entries(tmp_path)[0]) == 2
