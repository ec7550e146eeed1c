"""The command calibrate: what it prints and writes."""

from __future__ import annotations

import csv
import json
import sys

import pytest
from PIL import Image

from tests.helpers.command import run

SMALL = ("--resolution", "4", "--resolution", "6", "--noise", "10", "--replicates", "2")


@pytest.fixture
def calibrated(tmp_path):
    """A small run and its folder."""
    return run("calibrate", "--out", tmp_path / "new" / "c", *SMALL), tmp_path / "new" / "c"


@pytest.mark.slow
def test_it_writes_three_files_and_prints_a_table(calibrated):
    """Check a plain run: tables within 80 columns, and whole files."""
    result, folder = calibrated
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in folder.iterdir()) == [
        "calibration.csv", "calibration.json", "calibration.png",
    ]  # fmt: skip
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert result.stdout.count("label map") == 2
    with Image.open(folder / "calibration.png") as plot:
        assert min(plot.size) > 500
    content = json.loads((folder / "calibration.json").read_text("utf-8"))
    assert content["replicates"] == 2
    with (folder / "calibration.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == 1 + len(content["errors"]) == 1 + 33 * 2 * 2


@pytest.mark.slow
def test_formats_print_what_is_written(tmp_path):
    """Check that standard output holds the JSON or the CSV alone."""
    small = ("--resolution", "4", "--noise", "10", "--replicates", "2", "--out", tmp_path)
    found = {form: run("calibrate", *small, "--format", form).stdout for form in ("json", "csv")}
    assert found["json"] == (tmp_path / "calibration.json").read_text("utf-8")
    assert found["csv"] == (tmp_path / "calibration.csv").read_text("utf-8")


def test_wrong_numbers_end_with_2_and_write_nothing(tmp_path):
    """Check a resolution that can't be."""
    result = run("calibrate", "--out", tmp_path / "c", "--resolution", "0.5")
    assert result.exit_code == 2
    assert "2 to 100 px" in result.stderr
    assert not (tmp_path / "c").exists()


def test_an_impossible_folder_is_said_before_the_work(tmp_path, monkeypatch):
    """Check a folder below a file."""
    from uhcs_bench.measuring import calibration

    monkeypatch.setattr(calibration, "calibrate", lambda *_: pytest.fail("worked in vain"))
    (tmp_path / "file").touch()
    result = run("calibrate", "--out", tmp_path / "file" / "c", *SMALL)
    assert result.exit_code == 1
    assert "Not a directory" in result.stderr


def test_a_missing_matplotlib_is_said_before_the_work(tmp_path, monkeypatch):
    """Check that the message names the extra and that nothing is measured first."""
    from uhcs_bench.measuring import calibration

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(calibration, "calibrate", lambda *_: pytest.fail("worked in vain"))
    result = run("calibrate", "--out", tmp_path, *SMALL)
    assert result.exit_code == 1
    assert "pip install 'uhcs-bench[measure]'" in result.stderr
