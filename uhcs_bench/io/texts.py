"""Read text files: the package's own, and JSON of others, which may be made to end a program."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_MAX_DIGITS = 300
"""Of a whole number; more do not fit into a float."""

_MAX_DEPTH = 200
"""Levels of nesting. Far below the interpreter's limit of recursion: where that is reached,
anything else that runs there, such as the closing of a forgotten file, fails as well."""

_MARKS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
"""Strings, which may hold brackets, and brackets."""


_PACKAGE = Path(__file__).parents[1]


def packaged(name: str) -> str:
    """Read a text file that comes with the package.

    Parameters
    ----------
    name : str
        Its path below the package.

    Returns
    -------
    str

    Examples
    --------
    >>> packaged("measuring/biases.json")[0]
    '{'
    """
    return (_PACKAGE / name).read_text(encoding="utf-8")


def from_json(text: str | bytes) -> Any:
    """Decode JSON.

    Parameters
    ----------
    text : str or bytes

    Returns
    -------
    object

    Raises
    ------
    ValueError
        If it is no JSON, nested more than 200 levels deep, or holds a whole number of more than
        300 digits.

    Examples
    --------
    >>> from_json('{"mean": 0.5}')
    {'mean': 0.5}
    >>> from_json("[" * 100_000)
    Traceback (most recent call last):
    ...
    ValueError: it is nested more than 200 levels deep
    """
    text = text if isinstance(text, str) else text.decode(json.detect_encoding(text))
    _check_depth(text)
    return json.loads(text, parse_int=_integer)


def read_json(path: Path) -> Any:
    """Decode a JSON file, unless it is a pipe or the like, on which the program would wait.

    Raises
    ------
    OSError
        If it can't be read.
    ValueError
        As `from_json` does, and if it is no regular file.
    """
    if path.exists() and not path.is_file():
        raise ValueError("it is not a regular file")
    return from_json(path.read_bytes())


def _check_depth(text: str) -> None:
    depth = 0
    for mark in _MARKS.finditer(text):
        first = mark.group()[0]
        depth += (first in "[{") - (first in "]}")
        if depth > _MAX_DEPTH:
            raise ValueError(f"it is nested more than {_MAX_DEPTH} levels deep")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"it holds a number of {len(digits)} digits")
    return int(digits)
