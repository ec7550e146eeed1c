"""The help of every command: width, exit codes, and valid examples."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress

import click
import pytest
from click.testing import CliRunner

from tests.helpers.command import COMMANDS, PROGRAMS


def help_of(typed: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Print the help in a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    program = next(name for name in PROGRAMS if typed.startswith(name))
    words = [*typed.removeprefix(program).split(), "--help"]
    # Click leaves two columns of a terminal free, but CliRunner would have it fill all of 80.
    result = CliRunner().invoke(PROGRAMS[program], words, prog_name=program, terminal_width=78)
    assert result.exit_code == 0
    return result.stdout


def examples(text: str) -> list[str]:
    """Commands of the examples; a line may go on after a backslash, and end in a comment."""
    block = re.search(r"^  Examples?:\n((?:    .*\n)+)", text, re.MULTILINE)
    lines = block[1].replace("\\\n", " ").splitlines() if block else []
    return [line.strip() for line in lines]


@pytest.mark.parametrize("typed", COMMANDS)
def test_help_fits_a_terminal(typed, monkeypatch):
    """Check the width, and that there are exit codes and examples."""
    text = help_of(typed, monkeypatch)
    assert max(map(len, text.splitlines())) <= 80
    assert "Exit codes:" in text
    assert "  130  interrupted" in text
    assert examples(text)


@pytest.mark.parametrize("typed", [t for t, c in COMMANDS.items() if isinstance(c, click.Group)])
def test_summaries_are_whole_sentences(typed, monkeypatch):
    """Check the list of commands: each has one line that is a whole sentence."""
    listed = help_of(typed, monkeypatch).partition("Commands:\n")[2].partition("\n\n")[0]
    names = [line.split()[0] for line in listed.splitlines()]
    assert names == sorted(COMMANDS[typed].commands)
    cut = [line.split()[0] for line in listed.splitlines() if not re.search(r"[^.]\.$", line)]
    assert not cut


@pytest.mark.parametrize("typed", COMMANDS)
def test_examples_are_valid_commands(typed, monkeypatch, tmp_path):
    """Check that each example names a command, arguments and options that there are."""
    monkeypatch.chdir(tmp_path)
    for line in examples(help_of(typed, monkeypatch)):
        program = next(name for name in PROGRAMS if line.startswith(f"{name} "))
        words = shlex.split(line.removeprefix(program), comments=True)
        for word in words:
            if word.endswith(".onnx"):  # a model has to be there before anything begins
                (tmp_path / word).touch()
        command: click.Command = PROGRAMS[program]
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]
        with suppress(click.exceptions.Exit):  # of an option that prints something, and ends
            command.make_context(line, words)  # raises a usage error
