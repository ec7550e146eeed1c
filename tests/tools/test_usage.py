"""The usage that every program of the tools prints."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted(
    path.stem for path in (ROOT / "tools").glob("*.py") if "__main__" in path.read_text("utf-8")
)
WRONG = [
    ("compare_results", [], "command"),
    ("entry_comment", [], "--base"),
    ("write_biases", [], "table"),
    ("write_biases", ["no/such.csv"], "no/such.csv is not there"),
    ("write_corrections", ["--chek"], "--chek"),
    ("write_gray_ranges", ["--chek"], "--chek"),
    ("write_model_cards", ["--chek"], "--chek"),
    ("write_registry", [], "MIRROR"),
    ("write_registry", ["no/such"], "no/such is not there"),
    ("write_splits", ["--chek"], "--chek"),
]


def run(program, *arguments):
    """Call the program's main function; what has been asked for in vain would take minutes."""
    pytest.importorskip("onnxruntime")
    with pytest.raises(SystemExit) as caught:
        importlib.import_module(f"tools.{program}").main([*arguments])
    return caught.value.code


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_is_printed_and_nothing_is_done(program, capsys):
    """Check code, standard output and standard error."""
    assert run(program, "--help") == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"usage: python -m tools.{program} ")
    assert f"python -m tools.{program}" in printed.out.partition("\n\n")[2]
    assert not printed.err


@pytest.mark.parametrize(("program", "arguments", "named"), WRONG)
def test_wrong_arguments_are_named(program, arguments, named, capsys):
    """Check that the error has the code of wrong usage."""
    assert run(program, *arguments) == 2
    printed = capsys.readouterr()
    assert named in printed.err
    assert not printed.out


def test_every_program_is_called_wrongly():
    """Check that the table above leaves out no program."""
    assert sorted({program for program, *_ in WRONG}) == PROGRAMS
