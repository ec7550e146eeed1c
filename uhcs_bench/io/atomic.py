"""Write files and folders in one step: a reader sees the old state or the new one, no mixture.

A file is synchronised to disk (``fsync``) before it is renamed, so that after a power failure its
name leads to the old content or to the new one, and not to a file of zeros. Files inside of a new
folder are not: the command that wrote the folder can write it again.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from uhcs_bench.errors import UhcsBenchError, UsageError
from uhcs_bench.io import paths, protection

if TYPE_CHECKING:
    from collections.abc import Iterator


NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
"""What a system says where a file can't grow: a full disk, a limit of files, a quota."""


class UnwritableError(UhcsBenchError):
    """A file that can't be written; the message names it with the reason and the remedy."""


def check(path: Path) -> None:
    """Check that a file can be written, before anything is computed for it.

    Parameters
    ----------
    path : Path

    Raises
    ------
    UnwritableError
        If the path is a folder, or its own folder is missing or read-only.
    ProtectedFileError
        If it is an input of the command, or a file of the user; see `uhcs_bench.io.protection`.

    Examples
    --------
    >>> check(Path("absent") / "table.csv")
    Traceback (most recent call last):
    ...
    uhcs_bench.io.atomic.UnwritableError: Can't write absent/table.csv: there is no folder absent. \
Make the folder, or name another file.
    """
    parent = path.absolute().parent
    if path.is_dir():
        reason = "it is a folder. Name a file"
    elif not parent.is_dir():
        reason = f"there is no folder {path.parent}. Make the folder, or name another file"
    elif not os.access(path if path.exists() else parent, os.W_OK):
        reason = "permission denied. Name a file that you may write"
    else:
        protection.check(path)
        return
    raise UnwritableError(f"Can't write {path}: {reason}.")


@contextmanager
def replacing(
    path: Path,
    workspace: Path | None = None,
    *,
    mark: bytes | None = None,
    private: bool = False,
) -> Iterator[Path]:
    """Give a file to write that replaces another one when the block ends without an error.

    The temporary name is random, so that no link can be prepared under it. The file's mode follows
    the umask.

    Parameters
    ----------
    path : Path
        In a folder that exists. A link is replaced and not followed. A device or pipe, such as
        ``/dev/stdout``, is given itself.
    workspace : Path, optional
        Folder of the temporary file, on the same file system. By default that of `path`.
    mark : bytes, optional
        What a file of this kind begins with, if the program wrote it; see
        `uhcs_bench.io.protection.check`.
    private : bool, optional
        Whether the file is in a folder of the program's own, such as the cache, where the user has
        no files: nothing is checked or remembered.

    Yields
    ------
    Path
        With the same suffix.

    Raises
    ------
    OSError
        If it can't be written; what was there before is then unchanged.
    ProtectedFileError
        If it is an input of the command, or a file of the user.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "table.csv"
    ...     with replacing(path) as partial:
    ...         _ = partial.write_text("a")
    ...     path.read_text()
    'a'
    """
    if path.exists() and not path.is_file():
        try:
            yield path
        except OSError as error:
            _raise_named(error, path, path)
            raise
        return
    if not private:
        protection.check(path, mark)
    folder = path.parent if workspace is None else workspace
    partial = folder / f".partial.{os.urandom(8).hex()}{path.suffix}"
    try:
        # Not tempfile: it narrows the mode, which the umask should give.
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        yield partial
        _synchronise(partial)
        # First, so that a process killed in between leaves a file that counts as the program's.
        if not private and not _UNFINISHED.intersection(path.absolute().parents):
            protection.remember(path, partial)
        partial.replace(path)
    except OSError as error:
        _raise_named(error, partial, path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, unless it is there.

    Parameters
    ----------
    path : Path

    Raises
    ------
    UsageError
        If something else has the name, or a link that leads nowhere.
    OSError
        If it can't be made.

    Examples
    --------
    >>> make_folder(Path())
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        kind = "a link that leads nowhere" if path.is_symlink() else "no folder"
        raise UsageError(f"{path} is {kind}. Nothing was written there; name a folder.") from error


def _raise_named(error: OSError, partial: Path, target: Path) -> None:
    """Raise an error that names what is written, if there was no room for it.

    The system names no file then, and the temporary name says nothing to anybody.
    """
    place = error.filename
    if error.errno in NO_ROOM and (place is None or str(place).startswith(str(partial))):
        raise OSError(error.errno, error.strerror, str(target)) from error


def _synchronise(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


_UNFINISHED: set[Path] = set()
"""Folders that `new_folder` gives, until they get their name."""


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a folder to fill that gets its name when the block ends without an error.

    Parameters
    ----------
    target : Path
        Must not exist, or be an empty folder. Folders above it are made.

    Yields
    ------
    Path
        Beside the target. After an error it is removed.

    Raises
    ------
    UsageError
        If there is something at the target already.
    OSError
        If it can't be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with new_folder(Path(folder) / "maps") as partial:
    ...         _ = (partial / "a.txt").write_text("a")
    ...     (Path(folder) / "maps" / "a.txt").read_text()
    'a'
    """
    if target.is_symlink() and not target.exists():
        raise UsageError(
            f"{target} is a link that leads nowhere. Nothing was written; name a new folder."
        )
    target = paths.real(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        found = "holds files already" if target.is_dir() else "is a file"
        raise UsageError(f"{target} {found}. Nothing was written; name a new folder.")
    if target == Path.cwd():
        raise UsageError(f"{target} is the current folder. Nothing was written; name a new one.")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.parent / f".{target.name}.{os.urandom(8).hex()}"
    partial.mkdir()
    _UNFINISHED.add(partial)
    try:
        yield partial
        if target.exists():
            target.rmdir()
        partial.rename(target)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, OSError):
            _raise_named(error, partial, target)
        raise
    finally:
        _UNFINISHED.discard(partial)
