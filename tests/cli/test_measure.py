"""The command ``measure``: outputs, exit codes, messages, and what an interrupt leaves."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner

from uhcs_bench import cli
from uhcs_bench.data import label_maps


def run(*arguments):
    return CliRunner().invoke(cli.main, ["measure", *map(str, arguments)], prog_name="uhcs-bench")


def particle_map(seed, shape=(60, 80)):
    return (np.random.default_rng(seed).random(shape) < 0.2).astype(np.uint8)


@pytest.fixture
def maps(tmp_path):
    """A folder with three label maps."""
    for seed in range(3):
        label_maps.write_label_map(tmp_path / "maps" / f"map{seed}.png", particle_map(seed))
    return tmp_path / "maps"


def test_all_outputs(maps, tmp_path):
    """Check both tables, plots, and that standard output stays empty."""
    result = run(
        maps, "--task", "spheroidite", "--out", tmp_path / "out.csv", "--pixel-size", 0.05,
        "--particles", tmp_path / "particles.csv", "--plots", tmp_path / "plots",
    )  # fmt: skip
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"3 of 3 files measured: {tmp_path / 'out.csv'}\n"
    with (tmp_path / "out.csv").open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert [r["task"] for r in found] == ["particles"] * 3
    assert [r["pixel_size_source"] for r in found] == ["given by the user"] * 3
    n_lines = len((tmp_path / "particles.csv").read_text().splitlines())
    assert n_lines == 1 + sum(int(r["n_particles"]) for r in found)
    names = sorted(p.name for p in (tmp_path / "plots").iterdir())
    assert names == ["map0.png", "map1.png", "map2.png", "overview.png"]


def test_without_a_pixel_size_it_says_so(maps, tmp_path):
    """Check the note, its width, and the second run's."""
    for again in (False, True):
        result = run(maps, "--task", "particles", "--out", tmp_path / "out.json")
        assert result.exit_code == 0
        assert "3 without a pixel size, so that their lengths are in px" in result.stderr
        assert ("3 of them were in" in result.stderr) == again
    assert json.loads((tmp_path / "out.json").read_text())["rows"][0]["diameter_mean_um"] is None


def test_bad_files_are_listed_at_the_end(maps, tmp_path):
    """Check exit code 1, the reasons, and that the others are in the table."""
    (maps / "map1.png").write_bytes((maps / "map1.png").read_bytes()[:60])
    np.save(maps / "z.npy", np.full((3, 3), 7))
    result = run(maps, "--task", "particles", "--out", tmp_path / "out.json")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert lines[0].startswith("2 of 4 files measured")
    assert lines[-3] == "uhcs-bench: 2 of 4 files could not be measured:"
    assert lines[-2].startswith(f"  - {maps / 'map1.png'}: can't be decoded")
    assert lines[-1].startswith(f"  - {maps / 'z.npy'}: holds the value 7 at row 0, column 0")
    assert "Traceback" not in result.stderr
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [r["id"] for r in rows] == ["map0", "map2"]


def test_micrographs_in_the_place_of_label_maps(tmp_path):
    """Check that the message says what micrographs need, where nothing else was given."""
    np.save(tmp_path / "image.npy", np.arange(100, dtype=np.uint8).reshape(10, 10))
    result = run(tmp_path, "--task", "particles", "--out", tmp_path / "out.csv")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Micrographs need a --model that segments them."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--task", "steel"), "tasks are particles"),
        ((), "Say what the labels mean"),
        (("--task", "particles", "--pixel-size", "0"), "not possible"),
        (("--task", "particles", "--pixel-size", "5000"), "not possible"),
        (("--task", "particles", "--workers", "0"), "0 is not in the range"),
        (("--task", "particles", "--workers", "2", "--scheduler", "tcp://x:1"), "not both"),
        (("--task", "uhcs", "--particles", "p.csv"), "no single particles"),
        (("--task", "particles", "--model", "absent.onnx"), "does not exist"),
    ],
)
def test_wrong_usage_exits_with_2(maps, tmp_path, options, message):
    """Check each wrong option, and that nothing was begun."""
    result = run(maps, "--out", tmp_path / "out.csv", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["maps"]


@pytest.mark.parametrize(("name", "code"), [("out.xlsx", 2), ("maps", 2), ("absent/out.csv", 1)])
def test_impossible_output_is_refused(maps, tmp_path, name, code):
    """Check an unknown format, a folder in the way and a missing folder."""
    assert run(maps, "--task", "particles", "--out", tmp_path / name).exit_code == code
    assert [p.name for p in tmp_path.iterdir()] == ["maps"]


def test_wrong_inputs_exit_with_2(tmp_path):
    """Check none at all, and one that is not there."""
    out = ("--task", "particles", "--out", tmp_path / "out.csv")
    assert "nothing to measure" in run(*out).stderr
    result = run(tmp_path / "absent", *out)
    assert (result.exit_code, "does not exist" in result.stderr) == (2, True)


def test_help_fits_80_columns():
    """Check the help text, which has examples."""
    text = run("--help").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "Examples:" in text


@pytest.mark.slow
def test_interrupt_of_parallel_work_can_be_resumed(tmp_path):
    """Check Ctrl-C in a terminal: exit code, message, no table; the same command does the rest."""
    n = 24
    for seed in range(n):
        label_maps.write_label_map(
            tmp_path / "maps" / f"{seed}.png", particle_map(seed, (200, 300))
        )
    # The last map takes seconds, so that the interrupt comes before the end.
    last = np.tile(particle_map(n, (200, 300)), (20, 14))
    label_maps.write_label_map(tmp_path / "maps" / "last.png", last)
    out, journal = tmp_path / "out.csv", tmp_path / "out.csv.journal"
    options = ("--task", "particles", "--out", str(out), "--workers", "2")
    command = [sys.executable, "-m", "uhcs_bench", "measure", str(tmp_path / "maps"), *options]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell lets what it starts in the background ignore the signal, tests too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    empty = 3 * 4096
    while process.poll() is None and not (journal.exists() and journal.stat().st_size > empty):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130, stderr
    assert f"of {n + 1} files are measured and kept in {journal}" in stderr
    assert "Traceback" not in stderr
    assert not out.exists()
    result = run(tmp_path / "maps", *options[:-2])
    assert result.exit_code == 0
    assert f"of them were in {journal} already" in result.stderr
    assert run(tmp_path / "maps", "--task", "particles", "--out", tmp_path / "b.csv").exit_code == 0
    assert out.read_bytes() == (tmp_path / "b.csv").read_bytes()
