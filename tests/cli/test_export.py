"""The commands that write the data for other tools and gather their predictions."""

from __future__ import annotations

import json

import pytest

from tests.helpers import exports
from tests.helpers.command import run
from uhcs_bench.data import dataset, label_maps
from uhcs_bench.exporters import export


@pytest.fixture
def small(monkeypatch):
    """Let the exports load small synthetic sets instead of whole ones."""
    monkeypatch.setattr(dataset, "load", exports.load_small)


@pytest.mark.slow
@pytest.mark.parametrize("form", export.FORMATS)
@pytest.mark.usefixtures("small")
def test_export_says_where_to_read_on(form, tmp_path):
    """Check every format's command."""
    result = run("export", form, tmp_path / "out", "--dataset-version", "synthetic")
    assert result.exit_code == 0
    assert result.stderr == ""
    count = 6 if form == "coco" else 12
    assert result.stdout.startswith(f"{count} micrographs for ")
    assert result.stdout.endswith(f"What comes next: {tmp_path / 'out' / 'README.md'}\n")
    assert (tmp_path / "out" / "README.md").is_file()


@pytest.mark.usefixtures("small")
def test_options_reach_the_export(tmp_path):
    """Check task, version and split."""
    options = ("--task", "uhcs", "--dataset-version", "synthetic", "--split", "paper")
    assert run("export", "png", tmp_path / "out", *options).exit_code == 0
    manifest = json.loads((tmp_path / "out" / "uhcs-bench.json").read_text("utf-8"))
    assert [found["task"] for found in manifest["sets"]] == ["microconstituents"]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (("export", "pascal", "out"), 2, "formats are nnunet"),
        (("export", "coco", "out", "--task", "uhcs"), 2, "can't express microconstituents"),
        (("export", "png", "out", "--dataset-version", "2.0"), 2, "no data set version"),
        (("export", "png", "out", "--split", "mine"), 2, "no split"),
        (("export", "png", "out"), 3, "particles"),
        (("collect", "nnunet", "nowhere", "--out", "preds"), 2, "there is no fold_0"),
        (("collect", "pascal", "nowhere", "--out", "preds"), 2, "nnunet"),
        (("collect", "nnunet", "nowhere"), 2, "--out"),
    ],
)
def test_errors_have_exit_codes_and_no_traceback(
    arguments, exit_code, message, tmp_path, monkeypatch
):
    """Check the messages of wrong commands."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    result = run(*arguments)
    assert result.exit_code == exit_code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.slow
def test_collect_prints_how_to_score(tmp_path):
    """Check the command on the truth as nnU-Net would lay it out, and the command that it names."""
    for micrograph in dataset.load("particles", version="synthetic"):
        place = tmp_path / "results" / f"fold_{micrograph.fold}" / "validation"
        label_maps.write_label_map(place / f"{micrograph.id}.png", micrograph.labels)
    result = run(
        *("collect", "nnunet", tmp_path / "results", "--out", tmp_path / "preds"),
        *("--dataset-version", "synthetic"),
    )
    assert result.exit_code == 0
    assert result.stdout.startswith(f"24 label maps of particles in {tmp_path / 'preds'}. ")
    command = result.stdout.partition("Score them: uhcs-bench ")[2].split()
    scored = run(*command)
    assert scored.exit_code == 0
    assert "100.0 ± 0.0" in scored.stdout


@pytest.mark.parametrize("command", ["export", "collect"])
def test_help_fits_the_terminal(command):
    """Check examples, exit codes and width of the help."""
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert "Exit codes" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "\b" not in result.stdout
    assert "\\b" not in result.stdout


def test_help_lists_every_format():
    """Check that the formats of the help are those that there are."""
    listed = run("export", "--help").stdout.partition("Formats:\n")[2].partition("\n\n")[0]
    assert tuple(line.split()[0] for line in listed.splitlines()) == tuple(export.FORMATS)
