"""The command line, called in this process, and all of its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.testing import CliRunner

from baselines.__main__ import main as baselines
from uhcs_bench import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

PROGRAMS = {"uhcs-bench": cli.main, "python -m baselines": baselines}


def run(*arguments: object) -> Result:
    """Call ``uhcs-bench``; standard output and error are kept apart."""
    return CliRunner().invoke(cli.main, list(map(str, arguments)), prog_name="uhcs-bench")


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, by what is typed."""
    yield name, command
    if isinstance(command, click.Group):
        for part, below in command.commands.items():
            yield from commands(f"{name} {part}", below)


COMMANDS = dict(pair for program in PROGRAMS.items() for pair in commands(*program))
