"""Decide whether a file may be replaced, so that no output destroys a file of the user.

Three rules hold for every file that is written by `uhcs_bench.io.atomic.replacing`:

1. An input is never replaced, by whichever spelling or link it is named.
2. A file that is there already is replaced if uhcs-bench wrote it at this place and nobody has
   changed it since. The program remembers the SHA-256 of what it writes, in the user's state
   folder (``written`` in ``platformdirs.user_state_path("uhcs-bench")``); where that memory is
   lost, a file counts as the user's.
3. Any other file is replaced only with ``--force``, and none that lies in a folder of inputs.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from uhcs_bench.errors import UsageError
from uhcs_bench.io import paths
from uhcs_bench.io.hashes import file_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_DIGITS = 32
_MARK_BYTES = 4096
_MEMORY_BYTES = 1 << 20
"""Size from which on a folder's memory is rewritten without what is out of date."""


class ProtectedFileError(UsageError):
    """An output that would replace an input, or a file that uhcs-bench did not write."""


@dataclass(frozen=True)
class _Rules:
    inputs: tuple[Path, ...] = ()
    force: bool = False


_NO_RULES = _Rules()
_RULES: ContextVar[_Rules] = ContextVar("rules", default=_NO_RULES)


@contextmanager
def protecting(inputs: Iterable[Path], *, force: bool = False) -> Iterator[None]:
    """Protect the inputs of a command while it runs.

    Parameters
    ----------
    inputs : iterable of Path
        Files and folders; those that do not exist are ignored.
    force : bool, optional
        Let outputs replace files of the user that are not inputs.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.png"
    ...     _ = path.write_bytes(b"pixels")
    ...     with protecting([path], force=True):
    ...         try:
    ...             check(path)
    ...         except ProtectedFileError as error:
    ...             print(str(error).removeprefix(f"{path} "))
    is an input of this command. It was not written over; name another output.
    """
    found = tuple(paths.real(path) for path in inputs if path.exists())
    token = _RULES.set(_Rules(found, force))
    try:
        yield
    finally:
        _RULES.reset(token)


def add_inputs(paths: Iterable[Path]) -> None:
    """Protect further inputs, such as files that links in an input folder lead to.

    Parameters
    ----------
    paths : iterable of Path
        Resolved. Outside of `protecting` nothing is protected.
    """
    rules = _RULES.get()
    if rules is not _NO_RULES:
        _RULES.set(replace(rules, inputs=(*rules.inputs, *paths)))


def check(path: Path, mark: bytes | None = None) -> None:
    """Check that a file may be written, whether or not it exists.

    Parameters
    ----------
    path : Path
        A pipe or device is let through.
    mark : bytes, optional
        What the first 4 KiB of the program's own files of this kind hold. A file with the mark
        counts as the program's, wherever it was written.

    Raises
    ------
    ProtectedFileError
        If it is an input, or a file of the user that ``--force`` does not give up.
    """
    if not os.path.lexists(path):
        return
    if path.exists() and not path.is_file():
        return
    rules = _RULES.get()
    if any(_same(path, source) for source in rules.inputs):
        raise ProtectedFileError(
            f"{path} is an input of this command. It was not written over; name another output."
        )
    if _is_marked(path, mark) or _is_remembered(path):
        return
    if not rules.force:
        raise ProtectedFileError(
            f"{path} exists, and uhcs-bench did not write it, or it was changed since. It was not "
            "written over; name another output, move that file away, or give --force."
        )
    for folder in rules.inputs:
        if paths.real(path).parent.is_relative_to(folder) or _place(path).is_relative_to(folder):
            raise ProtectedFileError(
                f"{path} exists in {folder}, an input of this command. It was not written over, "
                "not even with --force; name another output."
            )


def check_apart(
    files: Sequence[Path], folders: Sequence[Path], shared: Sequence[Path] = ()
) -> None:
    """Check the outputs of a command against each other and against its inputs.

    Parameters
    ----------
    files : sequence of Path
        Files to write.
    folders : sequence of Path
        Folders to write into that may not be folders of inputs.
    shared : sequence of Path, optional
        Folders that the command reads and writes; none of `folders` may be in one of them.

    Raises
    ------
    ProtectedFileError
        If two files are one, a folder is an input, or a file may not be written.
    """
    for position, path in enumerate(files):
        for other in files[:position]:
            if str(_place(path)).casefold() == str(_place(other)).casefold() or (
                path.is_file() and _same(path, other)
            ):
                raise ProtectedFileError(
                    f"{other} and {path} are one file, which can't hold two outputs. Nothing was "
                    "written; give them two names."
                )
    for folder in folders:
        for source in shared:
            if paths.real(folder).is_relative_to(paths.real(source)):
                raise ProtectedFileError(
                    f"{folder} is in {source}, which the command reads. Nothing was written; name "
                    "a folder outside of it."
                )
        if any(_same(folder, source) for source in _RULES.get().inputs):
            raise ProtectedFileError(
                f"{folder} is an input of this command, and its files may not be written over. "
                "Nothing was written; name another folder for the output."
            )
    for path in files:
        check(path)


def remember(path: Path, partial: Path) -> None:
    """Remember what is about to be written, so that it may be replaced while nobody changes it.

    Parameters
    ----------
    path : Path
        Where the file will be.
    partial : Path
        The file, complete.

    Notes
    -----
    Where the state folder can't be written, nothing is remembered: the next command asks for
    ``--force``.
    """
    line = _line(path, partial)
    memory = _memory(path)
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        if memory.is_file() and memory.stat().st_size > _MEMORY_BYTES:
            _compact(memory)
        with memory.open("ab") as stream:
            stream.write(line)


def _compact(memory: Path) -> None:
    """Keep the last two versions of each file: the newer one may not have got its name."""
    lines: dict[bytes, list[bytes]] = {}
    for line in memory.read_bytes().splitlines(keepends=True):
        name = line[:_DIGITS]
        lines[name] = [*lines.get(name, [])[-1:], line]
    new = memory.with_suffix(f".{os.getpid()}")
    new.write_bytes(b"".join(line for kept in lines.values() for line in kept))
    new.replace(memory)


def _is_remembered(path: Path) -> bool:
    if path.is_symlink():
        return False
    try:
        known = _memory(path).read_bytes()
        return _name_hash(path) in known and _line(path, path) in known
    except OSError:
        return False


def _is_marked(path: Path, mark: bytes | None) -> bool:
    if mark is None or path.is_symlink():
        return False
    try:
        with path.open("rb") as stream:
            return mark in stream.read(_MARK_BYTES)
    except OSError:
        return False


def _same(path: Path, other: Path) -> bool:
    if paths.real(path) == paths.real(other):
        return True
    try:
        return path.samefile(other) and stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _place(path: Path) -> Path:
    """Return the absolute place of a name, without following a link that has the name."""
    return paths.real(path.parent) / path.name


def _memory(path: Path) -> Path:
    folder = os.fsencode(_place(path).parent)
    name = hashlib.sha256(folder).hexdigest()[:_DIGITS]
    return _state() / "written" / name


def _state() -> Path:
    from platformdirs import user_state_path

    return user_state_path("uhcs-bench", appauthor=False)


def _line(path: Path, content: Path) -> bytes:
    return _name_hash(path) + b" " + file_sha256(content).encode() + b"\n"


def _name_hash(path: Path) -> bytes:
    return hashlib.sha256(os.fsencode(path.name)).hexdigest()[:_DIGITS].encode()
