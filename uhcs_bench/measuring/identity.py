"""Identity of a file that is measured: its content.

Sizes and times of files are no identity: copies, mounts and archives keep them while the content
changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uhcs_bench.io.hashes import combined_sha256, file_sha256

if TYPE_CHECKING:
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
                hashes.append(file_sha256(part))
        except OSError:
            return ""
    return combined_sha256(hashes) if hashes else ""
