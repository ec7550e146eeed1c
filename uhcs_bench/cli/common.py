"""What the commands share: options, exit codes, and how results and errors are written."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from uhcs_bench import protocol
from uhcs_bench.errors import UhcsBenchError, UsageError, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from click.shell_completion import CompletionItem

EXIT_CODES = """
\b
Exit codes:
  0    done
  1    a file could not be read or written
  2    invalid submission, or wrong usage
  3    data unavailable
  130  interrupted (Ctrl-C)
"""
INTERRUPTED = 130
"""Exit code of an interrupted command: 128 and the number of SIGINT, as shells give it."""


class _GivenPath(click.Path):
    """Type of an option or argument that names a file or folder; see `uhcs_bench.io.paths`."""

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """Turn a text into a path."""
        from uhcs_bench.io import paths

        try:
            found = paths.given(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)
        return super().convert(found, param, ctx)


class InputPath(_GivenPath):
    """Type of an option or argument that names a file or folder to read."""


class OutputFile(_GivenPath):
    """Type of an option or argument that names a file to write."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False)


class OutputFolder(_GivenPath):
    """Type of an option or argument that names a folder to write files into.

    Parameters
    ----------
    may_be_input : bool, optional
        Whether the command also reads from the folder. Otherwise it may not be an input.
    """

    def __init__(self, *, may_be_input: bool = False) -> None:
        super().__init__(file_okay=False)
        self.may_be_input = may_be_input


class NewFolder(_GivenPath):
    """Type of an option or argument that names a folder which is written with `new_folder`."""


class GuardedCommand(click.Command):
    """A command whose outputs replace neither its inputs nor files of the user.

    Inputs are the parameters of type `InputPath`. A command that replaces files gets the option
    ``--force``.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        if any(isinstance(parameter.type, OutputFile | OutputFolder) for parameter in self.params):
            help_text = "Replace files that uhcs-bench did not write, or that were changed since."
            self.params.append(click.Option(["--force"], is_flag=True, help=help_text))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        from uhcs_bench.io import protection

        force = bool(ctx.params.pop("force", False))
        inputs: list[Path] = []
        files: list[Path] = []
        folders: list[Path] = []
        shared: list[Path] = []
        for parameter in self.params:
            kind, value = parameter.type, ctx.params.get(parameter.name or "")
            if value is None:
                continue
            if isinstance(kind, InputPath):
                group = inputs
            elif isinstance(kind, OutputFile):
                group = files
            elif isinstance(kind, OutputFolder):
                group = shared if kind.may_be_input else folders
            else:
                continue
            group += map(Path, value if isinstance(value, tuple) else [value])
        with protection.protecting(inputs, force=force):
            protection.check_apart(files, folders, shared)
            return super().invoke(ctx)


class CommandGroup(click.Group):
    """A group of such commands."""

    command_class = GuardedCommand
    group_class = type


class ReportingGroup(CommandGroup):
    """A command group that turns the package's errors into a message and an exit code."""

    interrupted = "Interrupted."
    """What is reported after Ctrl-C."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except UhcsBenchError as error:
            echo(f"{ctx.info_name}: {error}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            echo(f"{ctx.info_name}: {self.interrupted}", err=True)
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            # The reader of a pipe has seen enough.
            _give_up_output()
            sys.exit(1)
        except OSError as error:
            _report(str(ctx.info_name), error)

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Parse the command line and run the command; help may meet a full disk, too."""
        if sys.stderr is None:  # closed, as by some daemons: notes go nowhere, results do
            sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        try:
            return super().main(*arguments, **options)
        except OSError as error:
            _report(str(options.get("prog_name") or self.name), error)


def _report(program: str, error: OSError) -> NoReturn:
    _give_up_output()
    with suppress(OSError):
        echo(f"{program}: {_described(error)}", err=True)
    sys.exit(1)


def _give_up_output() -> None:
    """Write nothing more to an output that is full or closed, which Python would try at its exit.

    The exit code would then be 120.
    """
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def echo(text: object, err: bool = False) -> None:
    """Print a line that may hold names and values of others.

    Every command prints by this function. What acts on a terminal is written as in JSON; see
    `uhcs_bench.errors.printable`.
    """
    click.echo(printable(str(text)), err=err)


def _described(error: OSError) -> str:
    """Name the file and the reason, without the number of the error."""
    from uhcs_bench.io.atomic import NO_ROOM

    advice = " Free some room, or write elsewhere." if error.errno in NO_ROOM else ""
    if error.filename is None:
        return f"{error.strerror or error}.{advice}"
    return f"{error.filename}: {error.strerror}.{advice}"


class Name(click.types.StringParamType):
    """A name that a shell completes. The function that takes it says which names there are."""

    name = "text"

    def __init__(self, *known: str) -> None:
        self.known = known

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click gives it
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """List the known names that begin with what has been typed."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in self.known if name.startswith(incomplete)]


TASK = Name(*protocol.TASKS)


def version_option(command: Any) -> Any:
    """Add the option that names the data set version."""
    names = ("--dataset-version", "version")
    return _name_option(*names, known=protocol.VERSIONS, default=protocol.REAL_VERSION)(command)


def split_option(command: Any) -> Any:
    """Add the option that names the split."""
    return _name_option("--split", known=protocol.SPLITS, default=protocol.PAPER_SPLIT)(command)


def _name_option(*names: str, known: Mapping[Any, str], default: str) -> Any:
    """Make an option that takes one of some names, whose meanings its help lists."""
    return click.option(
        *names,
        type=Name(*known),
        default=default,
        show_default=True,
        metavar=names[-1].lstrip("-").upper(),
        help="; ".join(f"{name}: {meaning}" for name, meaning in known.items()) + ".",
    )


def links_option(command: Any) -> Any:
    """Add the option that lets links lead out of a folder of label maps."""
    return click.option(
        "--follow-links",
        is_flag=True,
        help="Read maps that are links to files outside of their folder, as DVC, git-annex and the "
        "Hugging Face cache lay them.",
    )(command)


def out_option(command: Any) -> Any:
    """Add the option that names a file for the result; see `emit`."""
    return click.option(
        "--out",
        type=OutputFile(),
        help="File to write instead of standard output.",
    )(command)


def format_option(*forms: str) -> Callable[[Any], Any]:
    """Add the option that names the form of the result; the first one is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help="Form of the result.",
    )


def emit(text: str, out: Path | None) -> None:
    """Write a result to standard output, or to a file in one step.

    Raises
    ------
    UnwritableError
        If the file can't be written; its exit code is 1.
    """
    if out is None:
        echo(text)
        return
    from uhcs_bench.io import atomic

    atomic.check(out)
    with atomic.replacing(out) as partial:
        partial.write_text(text.removesuffix("\n") + "\n", encoding="utf-8")


def json_text(content: Mapping[str, Any]) -> str:
    """Lay out a result for programs: one space of indentation, ``schema`` first."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
