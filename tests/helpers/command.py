"""The command line, called in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner

from uhcs_bench import cli

if TYPE_CHECKING:
    from click.testing import Result


def run(*arguments: object) -> Result:
    """Call ``uhcs-bench``; standard output and error are kept apart."""
    return CliRunner().invoke(cli.main, list(map(str, arguments)), prog_name="uhcs-bench")
