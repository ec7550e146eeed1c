"""What an ONNX file consists of: itself, and files beside it that hold its weights.

ONNX (onnx.proto3 of version 1.16) is a protocol buffer; a tensor may name a file with its values
instead of holding them. Only the fields that lead to such names are read here, without the package
onnx and without any of the values.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from uhcs_bench.errors import UhcsBenchError, in_words, listed
from uhcs_bench.io import paths
from uhcs_bench.io.hashes import combined_sha256, file_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse tensor",
        23: "sparse tensor",
    },
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external data"},
}
"""Kinds of message, and which of their fields are messages that may lead to an external file."""


_LARGEST_FIELD = (1 << 29) - 1
"""Largest number that a field of a protocol buffer can have."""

_LONGEST_NAME = 80
"""Characters of a file's name that a message shows."""


class ModelFileError(UhcsBenchError):
    """A model whose files can't be used; the message names it."""


class DamagedModelError(ModelFileError):
    """A model whose own file can't be read to its end."""


def external_files(path: Path) -> tuple[Path, ...]:
    """List the files beside an ONNX file that hold some of its weights.

    Parameters
    ----------
    path : Path

    Returns
    -------
    tuple of Path
        By name; empty for a model that is one file.

    Raises
    ------
    ModelFileError
        If one lies outside of the model's folder or is not there; all are listed.
    DamagedModelError
        If the file can't be read to its end.

    Examples
    --------
    >>> from uhcs_bench.segmentation import models
    >>> external_files(models.find("particles"))
    ()
    """
    try:
        names = sorted(set(_locations(path)))
    except ValueError as error:
        # What onnxruntime makes of such a file is not known, nor from where it takes weights.
        raise DamagedModelError(
            f"{path} is no ONNX model that can be read to its end ({in_words(error)}), and was not "
            "loaded. Copy it again, or save the model again."
        ) from error
    folder = paths.real(path.parent)
    problems = []
    found = []
    for name in names:
        place = _inside(folder, name)
        if place is None:
            problems.append(
                f"It takes weights from {_shown(name)}, which is outside of its folder. Save the "
                "model again with that file beside it."
            )
        elif not _is_file(place):
            problems.append(
                f"It takes weights from {_shown(name)}, which is not there. Copy that file into "
                "the model's folder, too."
            )
        else:
            found.append(place)
    if problems:
        fact = f"The model {path} was not loaded; its files must lie beside it"
        raise ModelFileError(listed(fact, problems))
    return tuple(found)


def _inside(folder: Path, name: str) -> Path | None:
    """Give the place of a file in a folder; None if it is outside, or has no place anywhere."""
    try:
        place = paths.real(folder / name)
    except (OSError, ValueError):  # a name that is too long, a zero byte
        return None
    return place if "\0" not in name and place.is_relative_to(folder) else None


def _is_file(place: Path) -> bool:
    try:
        return place.is_file()
    except OSError:  # a name that is too long
        return False


def _shown(name: str) -> str:
    return repr(name) if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]!r}..."


def content_sha256(path: Path) -> str:
    """Return the SHA-256 over an ONNX file and all files that hold its weights.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
        Hexadecimal; that of the file itself where it stands alone.

    Raises
    ------
    ModelFileError
        As of `external_files`.
    """
    return combined_sha256([file_sha256(file) for file in (path, *external_files(path))])


def _locations(path: Path) -> Iterator[str]:
    """Give the names of external files.

    Raises
    ------
    ValueError
        If the file can't be read to its end: whoever reads it otherwise may find names in it.
    """
    if not path.stat().st_size:
        return
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        waiting = [("model", 0, len(data))]
        while waiting:
            kind, start, stop = waiting.pop()
            for field, first, last in _fields(data, start, stop):
                inner = _INSIDE[kind].get(field)
                if inner == "external data":
                    entry = {f: data[a:b] for f, a, b in _fields(data, first, last)}
                    if entry.get(1) == b"location":
                        yield entry.get(2, b"").decode("utf-8", "replace")
                elif inner is not None:
                    waiting.append((inner, first, last))


def _fields(data: mmap.mmap, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Give number, start and end of the fields of a message that have a length.

    Groups, of which ONNX has none, are passed over with all that is in them.
    """
    groups: list[int] = []
    while start < stop:
        tag, start = _varint(data, start, stop)
        field, wire = tag >> 3, tag & 7
        if not 0 < field <= _LARGEST_FIELD:
            raise ValueError(f"there is no field {field}")
        if wire == 3:
            groups.append(field)
        elif wire == 4:
            if not groups or groups.pop() != field:
                raise ValueError("a group ends that did not begin")
        else:
            first, last = _value(data, wire, start, stop)
            if wire == 2 and not groups:
                yield field, first, last
            start = last
    if groups:
        raise ValueError("a group does not end")


def _value(data: mmap.mmap, wire: int, start: int, stop: int) -> tuple[int, int]:
    """Give start and end of a field's value, by its wire type."""
    if wire == 0:
        _, last = _varint(data, start, stop)
    elif wire in (1, 5):
        last = start + (8 if wire == 1 else 4)
    elif wire == 2:
        length, start = _varint(data, start, stop)
        last = start + length
    else:
        raise ValueError(f"there is no wire type {wire}")
    if last > stop:
        raise ValueError("a field ends behind its message")
    return start, last


def _varint(data: mmap.mmap, start: int, stop: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        if start >= stop:
            raise ValueError("a number does not end")
        byte = data[start]
        start += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, start
        shift += 7
    raise ValueError("a number is too long")
