"""Commands of the leaderboard: outputs, exit codes and messages."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from tests.helpers.command import run
from tests.helpers.entries import declared, noisy, write_entry
from uhcs_bench.ranking.outputs import board_json


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp("original")
    write_entry(root / "near", {"particles": noisy(0.05)}, declared(name="Near"))
    return root


@pytest.fixture
def entries(original, tmp_path):
    """A folder of one entry."""
    return shutil.copytree(original, tmp_path / "entries")


def test_validate(entries):
    """Check a valid entry in both forms, offline and without any data."""
    result = run("validate", entries / "near")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "near: valid.\n  sha256 " in result.stdout
    assert "particles: active, 24 of 24 label maps" in result.stdout
    (found,) = json.loads(run("validate", entries / "near", "--format", "json").stdout)["entries"]
    assert found["valid"]
    assert found["sha256"] in result.stdout


def test_validate_reports_all_problems_of_all_entries(entries):
    """Check that a sound entry does not hide two broken ones, and the exit code."""
    write_entry(entries / "one", {}, declared(date="yesterday"))
    (entries / "one" / "x").touch()
    result = run("validate", *sorted(entries.iterdir()), entries / "absent")
    assert result.exit_code == 2
    assert "near: valid." in result.stdout
    assert "one: 3 problems." in result.stdout
    assert "absent: 1 problem." in result.stdout


def test_a_long_path_is_shown_to_its_end(entries):
    """Check that the entry's name is not cut off, whether it is valid or not."""
    deep = entries / ("d" * 100)
    shutil.copytree(entries / "near", deep / "near")
    assert f"{deep / 'near'}: valid." in run("validate", deep / "near").stdout
    assert f"{deep / 'absent'}: 1 problem." in run("validate", deep / "absent").stdout


@pytest.mark.slow
def test_submit_validate_build(entries, tmp_path):
    """Check the way of a stranger, up to a site that has the new entry."""
    for name, labels in noisy(0.2).items():
        np.save(tmp_path / f"{name}.npy", labels)
    options = ("--out", entries, "--dataset-version", "synthetic")
    result = run("submit", tmp_path, "--name", "My net", *options)
    assert result.exit_code == 0
    assert "Left to fill in" in result.stdout
    lines = [line.split()[:2] for line in result.stdout.splitlines() if line.startswith("  git ")]
    assert lines == [["git", word] for word in ("switch", "add", "commit", "push")]
    assert "\n  licence\n" in result.stdout
    result = run("leaderboard", "build", "--entries", entries)
    assert result.exit_code == 2
    assert "Wrote README.md and leaderboard.json of 1 entry" in result.stdout
    assert "my-net-synthetic: entry.yaml: summary: is still to be filled in" in result.stderr
    path = entries / "my-net-synthetic" / "entry.yaml"
    path.write_text(path.read_text().replace('"TO BE FILLED IN"', "filled"))
    assert run("validate", entries / "my-net-synthetic").exit_code == 0
    result = run("leaderboard", "build", "--entries", entries, "--site", tmp_path / "site")
    assert result.exit_code == 0
    assert "of 2 entries" in result.stdout
    assert result.stderr == f"Site: {tmp_path / 'site' / 'index.html'}\n"
    assert "My net" in (tmp_path / "site" / "particles.html").read_text("utf-8")


@pytest.mark.slow
def test_check_exits_with_1_when_outdated(entries):
    """Check that --check writes nothing, and sees a number that was changed by hand."""
    assert run("leaderboard", "build", "--entries", entries, "--check").exit_code == 1
    assert sorted(path.name for path in entries.iterdir()) == ["near"]
    assert run("leaderboard", "build", "--entries", entries, "--no-cache").exit_code == 0
    result = run("leaderboard", "build", "--entries", entries, "--check")
    assert (result.exit_code, result.stdout.count("1 entry give")) == (0, 1)
    page = entries / "README.md"
    text = page.read_text("utf-8")
    page.write_text(text.replace("**n = 24**", "**n = 25**"), "utf-8")
    result = run("leaderboard", "build", "--entries", entries, "--check")
    assert result.exit_code == 1
    assert "README.md differs from line" in result.stderr
    assert "**n = 25**" in page.read_text("utf-8")


@pytest.mark.parametrize(("name", "reason"), [("absent", "does not exist"), ("empty", "no folder")])
def test_a_folder_without_entries(tmp_path, name, reason):
    """Check that no empty board is written, and what is said to do."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "README.md").write_text("mine")
    result = run("leaderboard", "build", "--entries", tmp_path / name)
    assert result.exit_code == 2
    assert f"{name} holds no entries: 1 problem." in result.stderr
    assert reason in result.stderr
    assert "uhcs-bench submit makes an entry" in result.stderr
    assert [*tmp_path.rglob("*")] == [tmp_path / "empty", tmp_path / "empty" / "README.md"]
    assert (tmp_path / "empty" / "README.md").read_text() == "mine"


def test_missing_data_exit_with_3(tmp_path):
    """Check a real entry where the annotations can't be had: nothing is written."""
    from uhcs_bench.data import dataset

    maps = {e.id: np.zeros(e.shape, np.uint8) for e in dataset.catalogue("particles")}
    entries = tmp_path / "entries"
    write_entry(entries / "zero", {"particles": maps}, declared(dataset_version="1.0"))
    assert run("validate", entries / "zero").exit_code == 0
    assert run("leaderboard", "build", "--entries", entries).exit_code == 3
    assert [path.name for path in entries.iterdir()] == ["zero"]


@pytest.mark.parametrize(
    "command",
    [
        ("validate",),
        ("submit",),
        ("leaderboard",),
        ("leaderboard", "build"),
        ("leaderboard", "show"),
    ],
)
def test_help(command):
    """Check width and exit codes of each help."""
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Exit codes" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_a_copied_name_leaves_the_board_as_it_is(entries):
    """Check that a newcomer of an existing name takes no method off the board."""
    assert run("leaderboard", "build", "--entries", entries).exit_code == 0
    files = {name: (entries / name).read_bytes() for name in ("README.md", "leaderboard.json")}
    shutil.copytree(entries / "near", entries / "copy")
    result = run("leaderboard", "build", "--entries", entries)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "holds entries of one name (nothing was written)" in result.stderr
    assert "copy and near have the same name" in result.stderr
    assert {name: (entries / name).read_bytes() for name in files} == files


def test_records_of_other_programs_are_named(entries):
    """Check the note of validate in both forms; a damaged record of this program is a problem."""
    record = entries / "near" / "record.json"
    record.write_text('{"schema": "x", "tasks": [1]}')
    result = run("validate", entries / "near")
    assert result.exit_code == 0
    assert "note: record.json: has the schema x, not uhcs-bench/method-record/1 or" in result.stdout
    (found,) = json.loads(run("validate", entries / "near", "--format", "json").stdout)["entries"]
    assert len(found["notes"]) == 1
    record.write_text('{"schema": "uhcs-bench/method-record/1", "tasks": [1]}')
    result = run("validate", entries / "near")
    assert result.exit_code == 2
    assert "record.json: is damaged (a part of it is of another type)" in result.stdout


def test_one_run_is_not_submitted_twice(entries, tmp_path):
    """Check one folder that is named twice, and that no entry is left of it."""
    maps = entries / "near" / "particles"
    options = ("--name", "two", "--out", tmp_path / "out", "--dataset-version", "synthetic")
    result = run("submit", maps, maps, *options)
    assert result.exit_code == 2
    assert f"{maps} and {maps} have the same label maps of particles." in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "The name is empty."),
        (" ", "The name is empty."),
        ("\u03b1\u03b2", "after '\u03b1\u03b2'"),
    ],
)
def test_names_are_shown_as_they_are(entries, tmp_path, name, message):
    """Check what is said of names that name no folder."""
    maps = entries / "near" / "particles"
    result = run("submit", maps, "--name", name, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize("content", ["# A page", "[]", None])
def test_what_is_no_board_is_named_with_advice(tmp_path, content):
    """Check a page in the place of the JSON, another JSON, and no file."""
    path = tmp_path / "README.md"
    if content is not None:
        path.write_text(content)
    result = run("leaderboard", "show", "ranks", "--board", path)
    assert result.exit_code == 1
    assert "Name a leaderboard.json, which uhcs-bench leaderboard build writes" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("splits", "--entry", "unet"), "no comparisons of splits for the entry unet"),
        (("ranks", "--entry", "otsu-clean", "--split", "paper"), "It has those of otsu-clean for"),
        (("sizes", "--task", "microconstituents"), "It has those for particles, split paper"),
    ],
)
def test_show_says_what_the_board_has(options, message):
    """Check the reason on the shipped board in the place of a table."""
    result = run("leaderboard", "show", *options)
    assert result.exit_code == 0
    assert message in " ".join(result.stdout.split())


@pytest.mark.slow
def test_score_states_a_subset(entries):
    """Check that it stands with the scores for readers and programs, as record.json states it."""
    model = {"dataset_version": "synthetic", "configuration": {}, "training": ["a"]}
    folds = {"0": model | {"validation": [], "train_size": 1}}
    content = {"schema": "uhcs-bench/method-record/1", "tasks": {"particles": folds}}
    (entries / "near" / "entry.yaml").unlink()
    (entries / "near" / "record.json").write_text(json.dumps(content))
    result = run("score", entries / "near", "--dataset-version", "synthetic")
    assert result.exit_code == 0
    said = "Trained on fixed subsets of the folds of split paper, 1 of each fold, as declared"
    assert said in " ".join(result.stdout.split())
    result = run("score", entries / "near", "--dataset-version", "synthetic", "--format", "json")
    assert json.loads(result.stdout)["training_subsets"] == [1]


def test_score_tells_of_a_damaged_record_before_it_scores(entries):
    """Check that no score is printed, with and without an entry.yaml that states the split."""
    (entries / "near" / "record.json").write_text("{")
    for _ in range(2):
        result = run("score", entries / "near", "--dataset-version", "synthetic")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "record.json is not JSON" in result.stderr
        (entries / "near" / "entry.yaml").unlink(missing_ok=True)


def test_submit_of_a_bad_name(tmp_path):
    """Check a name that names no folder, before anything is read."""
    result = run("submit", tmp_path, "--name", "???")
    assert result.exit_code == 2
    assert "No folder can be named" in result.stderr


def test_show_prints_the_shipped_board(tmp_path):
    """Check each table and form, and an entry that there isn't."""
    for what in ("ranks", "sizes", "fit", "pairs"):
        for form in ("table", "markdown"):
            result = run("leaderboard", "show", what, "--format", form)
            assert result.exit_code == 0
            assert "particles, data set 1.0, split paper, n = 24" in result.stdout
    result = run("leaderboard", "show", "splits")
    assert "What a new sample costs" in result.stdout
    for what, keys in (("pairs", {"better", "p_micrographs"}), ("splits", {"easier", "harder"})):
        found = json.loads(run("leaderboard", "show", what, "--format", "json").stdout)["rows"]
        assert all({"task", "metric", "difference", *keys} <= set(row) for row in found)
    shown = json.loads(run("leaderboard", "show", "--format", "json").stdout)
    assert {row["method"] for row in shown["rows"]} >= {"otsu", "unet"}
    result = run("leaderboard", "show", "pairs", "--entry", "unet", "--task", "particles")
    assert all("U-Net" in line for line in result.stdout.splitlines() if line.startswith("- "))
    result = run("leaderboard", "show", "--entry", "nobody")
    assert (result.exit_code, "It has otsu" in result.stderr) == (2, True)
    (tmp_path / "x.json").write_text("[1]")
    result = run("leaderboard", "show", "--board", tmp_path / "x.json")
    assert (result.exit_code, "is no board of the form" in result.stderr) == (1, True)


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
@pytest.mark.parametrize("what", ["ranks", "sizes", "fit", "pairs", "splits"])
def test_show_of_a_damaged_board(tmp_path, what, form):
    """Check one error in the place of a traceback, whatever is missing or of another type."""
    whole = board_json.read()
    path = tmp_path / "leaderboard.json"
    damaged = [
        {"schema": whole["schema"]},
        whole | {"groups": 1, "split_comparisons": None},
        whole | {"groups": [{}], "split_comparisons": [{}]},
        whole | {"entries": [1]},
    ]
    for content in damaged:
        path.write_text(json.dumps(content))
        result = run("leaderboard", "show", what, "--format", form, "--board", path)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "leaderboard.json is damaged (" in result.stderr


def test_a_second_build_takes_scores_from_the_cache(entries, monkeypatch):
    """Check that nothing is scored twice, and that the board is the same."""
    from uhcs_bench.scoring import score as scoring

    assert run("leaderboard", "build", "--entries", entries).exit_code == 0
    first = (entries / "leaderboard.json").read_text("utf-8")
    monkeypatch.setattr(scoring, "score_submissions", None)
    assert run("leaderboard", "build", "--entries", entries).exit_code == 0
    assert (entries / "leaderboard.json").read_text("utf-8") == first
    assert run("leaderboard", "build", "--entries", entries, "--check").exit_code != 0


def test_one_unreadable_entry_stops_neither_validate_nor_build(entries, monkeypatch):
    """Check that a map on a failing disk leaves its entry out, and no other."""
    from pathlib import Path

    shutil.copytree(entries / "near", entries / "broken")
    opened = Path.open

    def fail(path, *arguments, **options):
        if "broken" in path.parts and path.suffix == ".png":
            raise OSError(5, "Input/output error")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", fail)
    result = run("validate", *sorted(entries.iterdir()))
    assert result.exit_code == 2
    assert "near: valid." in result.stdout
    assert "broken: 24 problems." in result.stdout
    result = run("leaderboard", "build", "--entries", entries)
    assert result.exit_code == 2
    assert "1 of them was left out" in result.stderr
    assert "[Near](near/)" in (entries / "README.md").read_text("utf-8")
    assert "- broken: 24 problems" in (entries / "README.md").read_text("utf-8")
