"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file to write that takes another's place when it is whole.

    Its name can't be foreseen, so that nobody can put a link there beforehand.

    Parameters
    ----------
    path : Path
        In a folder that exists. A link is replaced and not followed. A device or pipe, such as
        ``/dev/stdout``, is given itself.

    Yields
    ------
    Path
        With the same suffix.

    Raises
    ------
    OSError
        If it can't be written; what was there before is then unchanged.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "table.csv"
    ...     with replacing(path) as partial:
    ...         _ = partial.write_text("a")
    ...     path.read_text()
    'a'
    """
    if path.exists() and not path.is_file():
        yield path
        return
    handle, name = tempfile.mkstemp(suffix=path.suffix, prefix=".partial.", dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o644)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
