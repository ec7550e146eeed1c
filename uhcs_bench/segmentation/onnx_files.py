"""What an ONNX file consists of: itself, and files beside it that hold its weights.

ONNX (onnx.proto3 of version 1.16) is a protocol buffer; a tensor may name a file with its values
instead of holding them. Only the fields that lead to such names are read here, without the package
onnx and without any of the values.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from uhcs_bench.errors import UhcsBenchError, listed
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


class ModelFileError(UhcsBenchError):
    """A model whose files can't be used; the message names it."""


def external_files(path: Path) -> tuple[Path, ...]:
    """List the files beside an ONNX file that hold some of its weights.

    Parameters
    ----------
    path : Path

    Returns
    -------
    tuple of Path
        By name; empty for a model that is one file, and for a file that is no protocol buffer.

    Raises
    ------
    ModelFileError
        If one lies outside of the model's folder or is not there; all are listed.

    Examples
    --------
    >>> from uhcs_bench.segmentation import models
    >>> external_files(models.find("particles"))
    ()
    """
    folder = path.parent.resolve()
    problems = []
    found = []
    for name in sorted(set(_locations(path))):
        place = (folder / name).resolve()
        if "\0" in name or not place.is_relative_to(folder):
            problems.append(
                f"It takes weights from {name!r}, which is outside of its folder. Save the model "
                "again with that file beside it."
            )
        elif not place.is_file():
            problems.append(
                f"It takes weights from {name!r}, which is not there. Copy that file into the "
                "model's folder, too."
            )
        else:
            found.append(place)
    if problems:
        fact = f"The model {path} was not loaded; its files must lie beside it"
        raise ModelFileError(listed(fact, problems))
    return tuple(found)


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
    """Give the names of external files; none where the file is damaged, which loading it says."""
    if not path.stat().st_size:
        return
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        waiting = [("model", 0, len(data))]
        try:
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
        except (IndexError, ValueError):
            return


def _fields(data: mmap.mmap, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Give number, start and end of the fields of a message that have a length."""
    while start < stop:
        tag, start = _varint(data, start)
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            _, start = _varint(data, start)
        elif wire in (1, 5):
            start += 8 if wire == 1 else 4
        elif wire == 2:
            length, start = _varint(data, start)
            if start + length > stop:
                raise ValueError("a field ends behind its message")
            yield field, start, start + length
            start += length
        else:
            raise ValueError(f"there is no wire type {wire}")


def _varint(data: mmap.mmap, start: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = data[start]
        start += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, start
        shift += 7
    raise ValueError("a number is too long")
