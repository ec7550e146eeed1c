"""Identity of the installed code, on which every result depends."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from uhcs_bench._version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable


@cache
def version_and_hash() -> str:
    """Return the version of this package, and the beginning of a hash over its source files.

    Two installations of one version number that differ in a line of code differ here, so that a
    worker or a journal of other code is recognised.

    Examples
    --------
    >>> version_and_hash().startswith(__version__ + "+")
    True
    """
    return f"{__version__}+{source_sha256(('.py', '.json'))[:12]}"


@cache
def source_sha256(endings: tuple[str, ...]) -> str:
    """Return a hash over the names and contents of this package's files with one of the endings.

    Parameters
    ----------
    endings : tuple of str

    Returns
    -------
    str
        Hexadecimal SHA-256.

    Examples
    --------
    >>> source_sha256((".py",)) == source_sha256((".py", ".json"))
    False
    """
    digest = hashlib.sha256()
    for name, file in sorted(_sources(resources.files("uhcs_bench"), "")):
        if name.endswith(endings):
            digest.update(f"{name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _sources(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _sources(item, f"{prefix}{item.name}/")
        else:
            yield prefix + item.name, item
