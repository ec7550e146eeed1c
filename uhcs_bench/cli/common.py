"""What the commands share: options, exit codes, and how results and errors are written."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from uhcs_bench import protocol
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io.atomic import replacing

EXIT_CODES = """
\b
Exit codes:
  0  done
  1  a file could not be read or written
  2  invalid submission, or wrong usage
  3  data unavailable
"""


class ReportingGroup(click.Group):
    """A command group that turns the package's errors into a message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except UhcsBenchError as error:
            click.echo(f"{ctx.info_name}: {error}", err=True)
            sys.exit(error.exit_code)
        except BrokenPipeError:
            # The reader of a pipe has seen enough; Python would complain again at its exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except OSError as error:
            click.echo(f"{ctx.info_name}: {error}", err=True)
            sys.exit(1)


def version_option(command: Any) -> Any:
    """Add the option that names the data set version."""
    return click.option(
        "--dataset-version",
        "version",
        default=protocol.REAL_VERSION,
        show_default=True,
        metavar="VERSION",
        help="; ".join(f"{name}: {meaning}" for name, meaning in protocol.VERSIONS.items()) + ".",
    )(command)


def split_option(command: Any) -> Any:
    """Add the option that names the split."""
    return click.option(
        "--split",
        default=protocol.PAPER_SPLIT,
        show_default=True,
        metavar="SPLIT",
        help="; ".join(f"{name}: {meaning}" for name, meaning in protocol.SPLITS.items()) + ".",
    )(command)


def output_option(command: Any) -> Any:
    """Add the option that names a file for the result; see `emit`."""
    return click.option(
        "--output",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File to write instead of standard output.",
    )(command)


def emit(text: str, output: Path | None) -> None:
    """Write a result to standard output, or to a file, whole or not at all."""
    if output is None:
        click.echo(text)
        return
    try:
        with replacing(output) as partial:
            partial.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"can't write {output}: {error.strerror or error}") from error
