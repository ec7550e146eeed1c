"""The command line: outputs, exit codes, messages, and no traceback ever."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import uhcs_bench
from tests.helpers.command import run
from uhcs_bench import __version__, cli
from uhcs_bench.auditing import audit as auditing
from uhcs_bench.auditing.findings import HEADINGS
from uhcs_bench.cli import score as scoring
from uhcs_bench.data import label_maps
from uhcs_bench.data.download import fetch
from uhcs_bench.ranking.outputs import board_files


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """A synthetic submission: the truth of particles."""
    folder = tmp_path_factory.mktemp("truth")
    for micrograph in uhcs_bench.load("particles", version="synthetic"):
        label_maps.write_label_map(folder / f"{micrograph.id}.png", micrograph.labels)
    return folder


@pytest.fixture
def predictions(truth, tmp_path):
    """A copy, which a test may change."""
    return shutil.copytree(truth, tmp_path / "preds")


def score(predictions, *options):
    return run("score", predictions, "--dataset-version", "synthetic", *options)


def test_table_goes_to_standard_output(predictions):
    """Check a plain run."""
    result = score(predictions)
    assert result.exit_code == 0
    assert "100.0 ± 0.0" in result.stdout
    assert result.stderr == ""


def test_json_is_the_reports(predictions):
    """Check that the command and the function give the same."""
    result = score(predictions, "--format", "json", "--fold", 2)
    report = uhcs_bench.score(predictions, fold=2, version="synthetic")
    assert result.stdout == report.to_json() + "\n"


@pytest.mark.slow
@pytest.mark.parametrize("form", scoring.FORMATS)
def test_output_file_holds_what_would_be_printed(predictions, tmp_path, form):
    """Check each format, in a file and on standard output."""
    printed = score(predictions, "--format", form)
    result = score(predictions, "--format", form, "--out", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (0, "")
    assert (tmp_path / "out").read_text("utf-8") == printed.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "preds"]


def test_invalid_submission_exits_with_2(predictions):
    """Check that all problems are listed on standard error."""
    np.save(predictions / "synthetic-particles-00.npy", np.zeros((2, 2)))
    (predictions / "synthetic-particles-01.png").write_bytes(b"")
    result = score(predictions)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "2 problems" not in result.stderr
    assert result.stderr.startswith(f"uhcs-bench: {predictions} was not scored: 3 problems.\n  - ")
    assert "synthetic-particles-01.png: is empty" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--task", "steel"), "tasks are particles"),
        (("--fold", "6"), "folds are 0 to 5"),
        (("--dataset-version", "7"), "versions are 1.0"),
        (("--split", "random"), "splits are paper"),
        (("--format", "xml"), "'xml' is not one of"),
        (("--fold", "two"), "not a valid integer"),
    ],
)
def test_wrong_usage_exits_with_2(predictions, options, message):
    """Check each wrong option."""
    result = score(predictions, *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_missing_data_exit_with_3(tmp_path):
    """Check a valid submission where the annotations can't be had, and a download."""
    for name, shape in ((e.id, e.shape) for e in uhcs_bench.data.dataset.catalogue("particles")):
        label_maps.write_label_map(tmp_path / f"{name}.png", np.zeros(shape, np.uint8))
    for arguments in (("score", tmp_path), ("download", "particles")):
        result = run(*arguments)
        assert result.exit_code == 3
        assert fetch.OFFLINE_VARIABLE in result.stderr


def test_scores_and_comparisons_of_a_split(predictions, tmp_path):
    """Check the option of both commands, and that scores of the paper's split are others."""
    result = score(predictions, "--split", "grouped", "--format", "json")
    report = uhcs_bench.score(predictions, version="synthetic", split="grouped")
    assert result.stdout == report.to_json() + "\n"
    (tmp_path / "other").symlink_to(predictions)
    options = ("--dataset-version", "synthetic", "--split", "grouped")
    result = run("compare", predictions, tmp_path / "other", *options)
    assert f"split grouped, data id {report['particles'].data_id}\n" in result.stdout


LINKED = {
    "score": ("score PREDS --dataset-version synthetic", 0),
    "score by a protocol": ("score PREDS --protocol matseg2022", 2),  # of real micrographs
    "compare": ("compare PREDS OTHER --dataset-version synthetic", 0),
    "check": ("check PREDS --claim IU=1.00 --task particles", 0),
    "submit": ("submit PREDS --name Mine --dataset-version synthetic --out board", 0),
}


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.slow
@pytest.mark.parametrize("name", LINKED)
def test_links_are_followed_by_an_option(predictions, tmp_path, name, monkeypatch):
    """Check each command that reads label maps, without and with the option."""
    monkeypatch.chdir(tmp_path)
    linked = tmp_path / "linked"
    linked.mkdir()
    for path in predictions.iterdir():
        (linked / path.name).symlink_to(path)
    command, code = LINKED[name]
    words = {"PREDS": linked, "OTHER": predictions}
    arguments = [words.get(word, word) for word in command.split()]
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert "--follow-links" in refused.stderr
    result = run(*arguments, "--follow-links")
    assert result.exit_code == code
    assert "leads out" not in result.stderr
    if name == "submit":
        assert not any(path.is_symlink() for path in (tmp_path / "board").rglob("*"))


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_the_audited_version_is_scored(tmp_path):
    """Check that its own label maps score 100 % on one of its splits, and others less."""
    for micrograph in uhcs_bench.load("particles", version="audited", split="clean"):
        label_maps.write_label_map(tmp_path / f"{micrograph.id}.png", micrograph.labels)
    options = ("score", tmp_path, "--split", "clean")
    result = run(*options, "--dataset-version", "audited")
    assert result.exit_code == 0
    assert result.stdout.startswith("particles: data set audited; n = 19, folds 0-5\nsplit clean, ")
    assert "100.0 ± 0.0" in result.stdout
    assert "100.0 ± 0.0" not in run(*options).stdout


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_the_audited_version_is_audited(real_audit, monkeypatch):
    """Check that the command shows what is found in the version that is named.

    It shows the same fields twice as the deposit, at one magnification and across, but none of its
    label maps is shifted.
    """
    found = []
    monkeypatch.setattr(auditing, "audit", lambda sets, audit=auditing.audit: keep(audit(sets)))

    def keep(audited):
        found.append(audited)
        return audited

    result = run("audit", "--dataset-version", "audited")
    assert result.exit_code == 0
    (audited,) = found
    assert result.stdout == audited.to_text() + "\n"
    assert result.stdout.startswith("Audit of data set version audited\n")
    assert max(map(len, result.stdout.splitlines())) <= 80
    heading = HEADINGS["shifted labels"]
    assert heading in real_audit.to_text()
    assert heading not in result.stdout
    shown_twice = [
        [replace(overlap, equal_labels=None) for overlap in each.overlaps]
        for each in (audited, real_audit)
    ]
    assert shown_twice[0] == shown_twice[1]
    assert any(overlap.is_across_magnifications for overlap in audited.overlaps)


@pytest.mark.usefixtures("real_data")
def test_download_verifies_the_cache():
    """Check that every pixel of a sound cache is found intact."""
    result = run("download", "all", "--verify")
    assert result.exit_code == 0
    assert result.stdout.startswith("48 micrographs intact, 0 damaged, 0 not in the cache.\n")


def test_import_of_nothing_exits_with_3(tmp_path):
    """Check a folder without data, and one that does not exist."""
    assert run("download", "all", "--from", tmp_path).exit_code == 3
    assert run("download", "all", "--from", tmp_path / "absent").exit_code == 2


def test_sources_say_what_they_are_worth():
    """Check both forms offline: each source stands there with its reason."""
    table = run("sources")
    assert table.exit_code == 0
    assert fetch.OFFLINE_VARIABLE in table.stdout
    assert json.loads(run("sources", "--format", "json").stdout)


def test_unwritable_file_exits_with_1(predictions, tmp_path):
    """Check the message for a missing folder."""
    result = score(predictions, "--out", tmp_path / "absent" / "out.json")
    assert result.exit_code == 1
    assert "there is no folder" in result.stderr


@pytest.mark.parametrize("typed", [*cli.main.commands])
def test_interruption_exits_with_130(typed, monkeypatch):
    """Check Ctrl-C in every command."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.main.commands[typed], "make_context", interrupt)
    result = run(typed)
    assert result.exit_code == 130
    assert result.stderr == "uhcs-bench: Interrupted.\n"


@pytest.mark.slow
def test_demo_scores_the_synthetic_set(tmp_path):
    """Check both tasks, offline, and that the kept maps score the same."""
    result = run("demo", "--out", tmp_path / "demo")
    assert result.exit_code == 0
    assert result.stdout.count("SYNTHETIC set, not real micrographs") == 2
    again = score(tmp_path / "demo")
    assert again.stdout == result.stdout


def test_report_is_written_beside_the_scores(predictions, tmp_path):
    """Check that the page appears, is named on standard error, and does not change the output."""
    result = score(predictions, "--fold", 0, "--report", tmp_path / "report")
    assert result.exit_code == 0
    page = tmp_path / "report" / "index.html"
    assert result.stderr == f"Report: {page}\n"
    assert "preds" in page.read_text("utf-8")
    assert result.stdout == score(predictions, "--fold", 0).stdout


@pytest.mark.slow
def test_compare_two_submissions(predictions, tmp_path):
    """Check the command on two folders, and the errors for one and for the same one twice."""
    other = tmp_path / "other"
    for micrograph in uhcs_bench.load("particles", version="synthetic"):
        label_maps.write_label_map(other / f"{micrograph.id}.png", 0 * micrograph.labels)
    options = ("--dataset-version", "synthetic")
    result = run("compare", predictions, other, *options)
    assert result.exit_code == 0
    assert "IU: preds is better than other by" in result.stdout
    result = run("compare", predictions, other, *options, "--format", "json")
    assert json.loads(result.stdout)["names"] == ["preds", "other"]
    result = run("compare", predictions, other, *options, "--resample", "samples")
    assert "cluster-robust, by heat-treated sample" in result.stdout
    result = run("compare", predictions, other, *options, "--report", tmp_path / "page")
    assert result.stderr == f"Report: {tmp_path / 'page' / 'index.html'}\n"
    assert "preds and other" in (tmp_path / "page" / "index.html").read_text("utf-8")
    three = (predictions, other, tmp_path / "third")
    result = run("compare", *three, *options, "--report", tmp_path / "none")
    assert (result.exit_code, (tmp_path / "none").exists()) == (2, False)
    assert "The page of --report shows two submissions, not 3." in result.stderr
    assert run("compare", predictions, *options).exit_code == 2
    assert run("compare", predictions, predictions, *options).exit_code == 2


@pytest.mark.usefixtures("real_data")
def test_entry_of_the_board_is_compared_by_its_name(tmp_path, monkeypatch):
    """Check the name against the folder, and that an installed wheel says where the maps are."""
    monkeypatch.chdir(tmp_path)
    shipped = board_files.SHIPPED
    options = ("--task", "particles", "--fold", 2, "--format", "csv")
    by_name = run("compare", "unet", "otsu", *options)
    by_folder = run("compare", shipped / "unet", shipped / "otsu", *options)
    assert by_name.exit_code == 0
    assert by_name.stdout == by_folder.stdout
    monkeypatch.setattr(board_files, "SHIPPED", tmp_path / "leaderboard")
    missing = run("compare", "unet", shipped / "otsu", *options)
    assert missing.exit_code == 2
    assert "Clone the repository, and name its folder leaderboard/unet." in missing.stderr
    assert "the folder does not exist" in run("compare", "none", "nil", *options).stderr


@pytest.mark.slow
def test_audit_in_both_forms(tmp_path):
    """Check that the synthetic set is audited offline, in words and for programs."""
    result = run("audit", "--dataset-version", "synthetic")
    assert result.exit_code == 0
    assert result.stdout.startswith("Audit of data set version synthetic\n")
    assert max(map(len, result.stdout.splitlines())) <= 80
    run("audit", "--dataset-version", "synthetic", "--format", "json", "--out", tmp_path / "a")
    assert json.loads((tmp_path / "a").read_text("utf-8"))["dataset_version"] == "synthetic"


def test_help_and_version():
    """Check that help shows examples and exit codes."""
    assert run("--version").stdout == f"uhcs-bench, version {__version__}\n"
    for command in (
        (),
        ("score",),
        ("compare",),
        ("audit",),
        ("sources",),
        ("download",),
        ("demo",),
    ):
        result = run(*command, "--help")
        assert result.exit_code == 0
        assert "Exit codes" in result.stdout
        assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.slow
def test_a_closed_pipe_is_no_error(predictions):
    """Check that a reader who stops early causes no traceback."""
    score = f"{sys.executable} -m uhcs_bench score {predictions} --dataset-version synthetic"
    command = f"{score} --format csv | head -1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("dataset_version,split,data_id,task")
    assert result.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "score PREDS --dataset-version synthetic --format json --out full.txt",
        "export png full --dataset-version synthetic",
    ],
    ids=lambda command: command.split()[0],
)
def test_a_file_that_can_not_grow_is_named(predictions, tmp_path, command):
    """Check a limit of files as a full disk: place, reason, what to do, and no traceback."""
    resource = pytest.importorskip("resource")
    words = [str(predictions) if word == "PREDS" else word for word in command.split()]
    program = f"import resource; resource.setrlimit({resource.RLIMIT_FSIZE}, (4096, 4096))\n"
    program += "from uhcs_bench.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "full" in result.stderr
    assert "File too large" in result.stderr
    assert "Free some room" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.glob("full*"))


@pytest.mark.slow
def test_a_full_disk_is_said_so(predictions):
    """Check that a result that can't be written is not lost silently."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    score = f"{sys.executable} -m uhcs_bench score {predictions} --dataset-version synthetic"
    command = f"{score} > /dev/full"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "No space left" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("real_data")
def test_download_verifies_everything_once():
    """Check that a cached data set is not fetched again."""
    result = run("download", "all")
    assert result.exit_code == 0
    assert "48 micrographs" in result.stdout
    assert "0 fetched" in result.stdout
