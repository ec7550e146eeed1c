"""Identity of what a measurement depends on: the content of a file, and the code that measures.

Sizes and times of files are no identity: copies, mounts and archives keep them while the content
changes.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from uhcs_bench._version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path

SIDECAR_SUFFIX = ".txt"
"""Ending of the file beside a micrograph in which some microscopes state the pixel size."""


def of_file(path: Path) -> str:
    """Return the SHA-256 of a micrograph's or label map's content, and of the text beside it.

    Parameters
    ----------
    path : Path
        A file; a text file of the same name beside it, which some microscopes write, counts too.

    Returns
    -------
    str
        Hexadecimal; empty if the file can't be read, which reading it for measuring explains.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.png"
    ...     _ = path.write_bytes(b"pixels")
    ...     before = of_file(path)
    ...     _ = path.with_suffix(".txt").write_text("$$SM_MICRON_BAR 100")
    ...     before[:8], of_file(path) == before
    ('6ec9c2b0', False)
    """
    hashes = []
    for part in (path, path.with_suffix(SIDECAR_SUFFIX)):
        try:
            if part.is_file():  # a pipe would wait for its writer
                with part.open("rb") as stream:
                    hashes.append(hashlib.file_digest(stream, "sha256").hexdigest())
        except OSError:
            return ""
    if not hashes:
        return ""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


@cache
def of_code() -> str:
    """Return the version of this package, and the beginning of a hash over its source files.

    Two installations of one version number that differ in a line of code differ here, so that a
    worker with other code, or a journal of other code, is told apart.

    Examples
    --------
    >>> of_code().startswith(__version__ + "+")
    True
    """
    digest = hashlib.sha256()
    for name, file in sorted(_sources(resources.files("uhcs_bench"), "")):
        digest.update(f"{name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return f"{__version__}+{digest.hexdigest()[:12]}"


def _sources(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _sources(item, f"{prefix}{item.name}/")
        elif item.name.endswith((".py", ".json")):
            yield prefix + item.name, item
