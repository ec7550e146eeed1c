"""How commands print, and end: text of others, full disks, interrupts."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest

import baselines
import uhcs_bench.cli
from tests.helpers.command import COMMANDS as EVERY_COMMAND
from tests.helpers.command import run
from tests.test_errors import HOSTILE
from uhcs_bench.data import label_maps

FOLDERS = [Path(room.__file__).parent for room in (uhcs_bench.cli, baselines)]
MODULES = [path for folder in FOLDERS for path in sorted(folder.glob("*.py"))]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_one_function_prints(path):
    """Check that no command prints by another function, which would let escapes through."""
    found = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func)
        in ("click.echo", "click.secho", "print", "sys.stdout.write", "sys.stderr.write")
    ]
    allowed = ["click.echo(printable(str(text)), err=err)"] if path.stem == "common" else []
    assert found == allowed


COMMANDS = {
    "measure": "measure {} --task particles --out out.csv",
    "combine": "combine {} {} --out out.csv",
    "compare": "compare {} {}x --dataset-version synthetic",
    "score": "score {} --dataset-version synthetic",
    "validate": "validate {}",
    "download": "download all --from {}",
    "collect": "collect nnunet {} --out new",
    "submit": "submit {} --name a",
    "export": "export png {}",
    "model": "measure {} --out out.csv --model {}",
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", ["clear the screen", "C1 control", "write from right to left"])
def test_names_do_not_act_on_the_terminal(tmp_path, monkeypatch, command, kind):
    """Check names of folders and files of others in every command that takes one."""
    monkeypatch.chdir(tmp_path)
    name = HOSTILE[kind] + "name"
    folder = tmp_path / name
    folder.mkdir()
    np.save(folder / f"{name}.npy", np.full((3, 3), 9))
    (folder / f"{name}.png").write_bytes(b"damaged")
    (folder / f"{name}.zip").write_bytes(b"PK\x03\x04damaged")
    result = run(*(part.format(name, name) for part in COMMANDS[command].split()))
    assert result.exit_code in (1, 2, 3), result.output
    assert "name" in result.output
    for character in "\x1b\x9b\u202e":
        assert character not in result.output


ON_LINKS = {
    "measure": "measure {} --task particles --model otsu --out {}",
    "measure into": "measure a.npy --task particles --model none --maps {}",
    "measure table": "measure a.npy --task particles --model none --out {}",
    "combine": "combine {} {} --out {}",
    "compare": "compare {} {} --dataset-version synthetic --out {}",
    "score": "score {} --dataset-version synthetic --report {}",
    "validate": "validate {}",
    "download": "download all --from {}",
    "collect": "collect nnunet {} --out {}",
    "submit": "submit {} --name a --out {}",
    "export": "export png {} --dataset-version synthetic",
    "board": "leaderboard show --board {}",
    "site": "leaderboard build --entries {} --site {}",
    "model": "measure a.npy --task particles --model {}",
    "pixel sizes": "measure a.npy --task particles --model none --pixel-size {}",
}


@pytest.mark.parametrize("command", ON_LINKS)
@pytest.mark.parametrize("kind", ["loop", "nowhere", "pipe"])
def test_what_leads_nowhere_is_an_error_or_a_place(tmp_path, monkeypatch, command, kind):
    """Check links that lead to themselves or to nothing, and pipes, on which nothing waits."""
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", np.zeros((60, 60), np.uint8))
    if kind == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("needs named pipes")
        if "--out" in ON_LINKS[command]:
            pytest.skip("writes into the pipe, which waits for its reader, as it should")
        os.mkfifo("place")
    else:
        Path("place").symlink_to("place" if kind == "loop" else "absent")
    result = run(*ON_LINKS[command].format(*["place"] * 3).split())
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (0, 1, 2, 3)
    assert result.exit_code == 0 or result.output.strip()


PATHS = [
    pytest.param(parameter, id=f"{typed} {parameter.name}")
    for typed, command in EVERY_COMMAND.items()
    for parameter in command.params
    if isinstance(parameter.type, click.Path)
]


@pytest.mark.parametrize("parameter", PATHS)
@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_path_is_not_the_current_folder(parameter, text):
    """Check every path that a command takes: an unset variable of the shell leaves it empty."""
    with pytest.raises(click.BadParameter, match="The path is empty"):
        parameter.type.convert(text, parameter, None)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["measure", "", "--task", "particles"], "INPUT..."),
        (["score", ""], "PREDS"),
        (["score", "preds", "--report", ""], "--report"),
        (["download", "--from", ""], "--from"),
    ],
)
def test_the_empty_path_is_named(arguments, name):
    """Check that the message says which argument or option is empty."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert f"Invalid value for '{name}': The path is empty." in result.stderr


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("arguments", [["leaderboard", "show"], ["--help"], ["sources"]])
def test_full_output_exits_with_1(arguments):
    """Check standard output on a full disk: one sentence, and not Python's exit code 120."""
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "uhcs_bench", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.returncode == 1
    assert result.stderr.strip().endswith(
        "No space left on device. Free some room, or write elsewhere."
    )
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_closed_standard_error_costs_notes_alone(tmp_path):
    """Check a command that shows progress: its table is on standard output, and exit code 0."""
    maps = tmp_path / "maps"
    maps.mkdir()
    label_maps.write_label_map(maps / "a.png", np.eye(30, dtype=np.uint8))
    command = [sys.executable, "-m", "uhcs_bench", "measure", str(maps), "--task", "particles"]
    result = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *command],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert result.returncode == 0
    assert "V_V" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("delay_s", [0.2, 0.5, 1, 2])
def test_interrupt_exits_with_130(tmp_path, delay_s):
    """Check Ctrl-C at several moments, from imports to the work: no traceback."""
    label_maps.write_label_map(tmp_path / "a.png", np.zeros((9, 9), np.uint8))
    command = ["calibrate", "--out", "c", "--replicates", "64"]
    process = subprocess.Popen(
        [sys.executable, "-m", "uhcs_bench", *command],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(delay_s)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT), errors
    if "uhcs-bench" in errors:
        assert "Traceback" not in errors
