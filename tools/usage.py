"""What the programs of this folder have in common: their usage, and a file that must be there."""

from __future__ import annotations

import argparse
from pathlib import Path


def parser(program: str, description: str | None) -> argparse.ArgumentParser:
    """Make the parser of a program's arguments, which prints the usage for ``--help``.

    Parameters
    ----------
    program : str
        Name of the module.
    description : str or None
        Its docstring.

    Examples
    --------
    >>> print(parser("write_splits", "Write the splits.").format_usage(), end="")
    usage: python -m tools.write_splits [-h]
    """
    return argparse.ArgumentParser(
        prog=f"python -m tools.{program}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def existing(text: str) -> Path:
    """Read the path of a file or folder, for ``type`` of an argument.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is not there.
    """
    path = Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"{text} is not there; name what the usage asks for")
    return path
