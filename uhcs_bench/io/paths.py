"""Paths as users give them, to functions and to commands, and where they lead."""

from __future__ import annotations

import os
from pathlib import Path

from uhcs_bench.errors import UsageError


def given(path: str | os.PathLike[str]) -> Path:
    """Turn a path that a user gave into a `Path`, with the home folder for ``~``.

    `pathlib.Path` takes an empty text for the current folder. A variable that is unset or was not
    filled in would thus read, or write to, a folder that nobody named.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        If the path is empty or blank, holds a zero character, or begins with the home folder of a
        user who does not exist.

    Examples
    --------
    >>> given("preds/../maps").as_posix()
    'preds/../maps'
    >>> given("")
    Traceback (most recent call last):
    ...
    uhcs_bench.errors.UsageError: The path is empty. Give a path; "." is the current folder.
    """
    text = os.fspath(path)
    if not text.strip():
        raise UsageError('The path is empty. Give a path; "." is the current folder.')
    if "\0" in text:
        raise UsageError(f"The path {text!r} holds a zero character. Give one without.")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"The path {text} begins with the home folder of a user who does not exist. Give "
            "another one, or ./ before it if the name begins with ~."
        ) from error


def real(path: Path) -> Path:
    """Follow links as far as they lead.

    `pathlib.Path.resolve` raises another error than `OSError` for links that lead to each other
    (before Python 3.13), which nobody expects where a file is merely named.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Path
        Absolute.

    Examples
    --------
    >>> real(Path("preds/../maps")) == Path.cwd() / "maps"
    True
    """
    return Path(os.path.realpath(path))
