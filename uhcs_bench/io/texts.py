"""Read text files: the package's own, and JSON of others, which may be made to end a program."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_MAX_DIGITS = 300
"""Of a whole number; more do not fit into a float."""

_MOST_BYTES = 200_000_000
"""Of a file that is read at once: far more than any table or record has."""

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


def read_bytes(path: Path) -> bytes:
    """Read a file of others, unless it is a pipe or the like, on which the program would wait.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bytes

    Raises
    ------
    OSError
        If it can't be read.
    ValueError
        If it is no regular file, or has more than 200 MB; the message is a phrase.
    """
    if path.exists() and not path.is_file():
        raise ValueError("it is not a regular file")
    with path.open("rb") as stream:
        content = stream.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES // 10**6} MB")
    return content


def read_json(path: Path) -> Any:
    """Decode a JSON file.

    Raises
    ------
    OSError
        If it can't be read.
    ValueError
        As `from_json` and `read_bytes` do.
    """
    return from_json(read_bytes(path))


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
