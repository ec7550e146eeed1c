"""A lock on a method in a folder of runs, so that two commands don't mix their results there."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import filelock

from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io import atomic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FolderInUseError(UhcsBenchError):
    """Another process runs the same method into the same folder."""

    exit_code = 4


@contextmanager
def hold(out: Path, method: str) -> Iterator[None]:
    """Lock a method in a folder of runs.

    The operating system releases the lock when the process ends, however it ends; the empty file
    that stays behind locks nothing.

    Parameters
    ----------
    out : Path
        Folder of all runs.
    method : str

    Raises
    ------
    FolderInUseError
        If another process holds the lock. It is not waited for.
    UhcsBenchError
        If the file system can't lock files, or the folder can't be written.
    """
    path = out / "folds" / method / ".lock"
    try:
        atomic.make_folder(path.parent)
        lock = filelock.FileLock(path).acquire(timeout=0)
    except filelock.Timeout as error:
        raise FolderInUseError(
            f"Nothing was run, since another process is running {method} into {out}: wait until it "
            "has ended, or choose another --out (--jobs runs folds side by side)."
        ) from error
    except (NotImplementedError, OSError) as error:
        reason = getattr(error, "strerror", None) or "its file system can't lock files"
        raise UhcsBenchError(
            f"{out} can't be used for runs ({reason}). Choose a folder on a local disk that you "
            "may write to as --out."
        ) from error
    with lock:
        yield
