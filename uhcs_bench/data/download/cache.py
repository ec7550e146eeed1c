"""The cache: canonical pixels on the user's disk, safe to share between processes.

A micrograph's file appears in one step, complete. Files in progress are in a workspace that one
process at a time holds.
"""

from __future__ import annotations

import errno
import io
import json
import math
import os
import shutil
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench.data import pixels as canonical
from uhcs_bench.data.download.settings import CACHE_VARIABLE, folder
from uhcs_bench.errors import DataUnavailableError
from uhcs_bench.io.atomic import NO_ROOM, replacing
from uhcs_bench.io.texts import from_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from numpy.typing import NDArray

    from uhcs_bench.data.registry import Entry

LOCK_NAME = ".lock"
"""Of the file in the cache that the process holds which fetches into it."""

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)

_HEADER_START = 10
"""Bytes before the header of an array file, the last two of which hold its length."""

_LONGEST_HEADER = 4096

_LOCK_TIMEOUT_S = 3600
_NOTICE_S = 5.0
"""Wait for the cache after which the user is told."""


@dataclass(frozen=True)
class Pixels:
    """A micrograph's arrays as the cache keeps them.

    Attributes
    ----------
    image, labels : ndarray of uint8
        Canonical arrays of shape (rows, columns).
    filled_rows : tuple of int
        Rows of the image that its source had lost and that repeat a neighbour.
    sources : tuple of str
        Addresses that image and labels came from.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    filled_rows: tuple[int, ...]
    sources: tuple[str, ...]


def cache_folder() -> Path:
    """Folder of the cache: ``UHCS_BENCH_CACHE``, else the user's cache folder of the system."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return folder(CACHE_VARIABLE, named)
    from platformdirs import user_cache_path

    return user_cache_path("uhcs-bench", appauthor=False)


def cache_path(entry: Entry) -> Path:
    """File of the cache that holds a micrograph's pixels: image and label map, stacked.

    It stands beside a JSON file of the same name that says where they came from, and that is
    written first, so that a micrograph whose pixels are there is complete.
    """
    return cache_folder() / entry.source_version / entry.task / f"{entry.id}.npy"


class DamagedError(DataUnavailableError):
    """A cached micrograph that is not the registry's; the message follows its path."""


class UnreadableError(DataUnavailableError):
    """A cache that can't be read or written, with the reason and the remedy."""

    exit_code = 1


def read(entry: Entry) -> Pixels:
    """Read a micrograph from the cache, and compare its pixels with the registry's hashes.

    Raises
    ------
    FileNotFoundError
        If the cache does not have it.
    DamagedError
        If it is another micrograph, or damaged in any way.
    UnreadableError
        If the file may not be read.
    """
    path = cache_path(entry)
    try:
        pixels = _load(path, entry)
        _prove(pixels, entry)
    except FileNotFoundError:
        raise
    except canonical.CanonicalError as error:
        raise DamagedError(str(error)) from error
    except OSError as error:
        raise UnreadableError(
            f"The cached micrograph {path} can't be read ({error.strerror or error}). Make it "
            f"readable, or name another folder in {CACHE_VARIABLE}."
        ) from error
    except Exception as error:  # a damaged file may raise anything
        raise DamagedError(f"can't be read ({error})") from error
    return pixels


def _load(path: Path, entry: Entry) -> Pixels:
    stacked = _stacked(path, (2, *entry.shape))
    try:
        provenance = from_json(path.with_suffix(".json").read_bytes())
    except FileNotFoundError:
        raise canonical.CanonicalError("lacks the file that says where it came from") from None
    filled = tuple(int(row) for row in provenance["filled_rows"])
    sources = tuple(str(source) for source in provenance["sources"])
    return Pixels(stacked[0], stacked[1], filled, sources)


def _stacked(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read an array that nobody can write to, in less time than `numpy.load` takes to open it."""
    size = math.prod(shape)
    with path.open("rb") as stream:
        content = stream.read(size + _LONGEST_HEADER)
    start = _HEADER_START + int.from_bytes(content[_HEADER_START - 2 : _HEADER_START], "little")
    stored, _, dtype = _described(content[:start])
    if stored != shape or dtype != np.uint8:
        raise canonical.CanonicalError(f"holds an array of shape {stored}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


@lru_cache(maxsize=16)
def _described(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Parse a header once for all micrographs of a size: that takes longer than the pixels do."""
    stream = io.BytesIO(header)
    np.lib.format.read_magic(stream)
    return np.lib.format.read_array_header_1_0(stream)


def _prove(pixels: Pixels, entry: Entry) -> None:
    canonical.check_pixels(pixels.image, entry.files["image"])
    canonical.check_pixels(pixels.labels, entry.files["labels"])
    first = entry.files["image"].hashed_from_row
    for row in pixels.filled_rows:
        if row not in range(first) or not np.array_equal(pixels.image[row], pixels.image[first]):
            raise canonical.CanonicalError(f"says that row {row} repeats row {first}, against fact")


def write(entry: Entry, pixels: Pixels, workspace: Path) -> None:
    """Put a micrograph into the cache in one step, from a workspace of `hold`."""
    path = cache_path(entry)
    path.parent.mkdir(parents=True, exist_ok=True)
    provenance = {"sources": pixels.sources, "filled_rows": pixels.filled_rows}
    # Not np.save to the file: on a full disk it raises an error that does not say so.
    stream = io.BytesIO()
    np.save(stream, np.stack([pixels.image, pixels.labels]))
    for file, content in (
        (path.with_suffix(".json"), json.dumps(provenance).encode()),
        (path, stream.getvalue()),
    ):
        with replacing(file, workspace, private=True) as partial:
            partial.write_bytes(content)


@contextmanager
def hold(timeout_s: float = _LOCK_TIMEOUT_S) -> Iterator[Path]:
    """Hold an empty workspace, alone among all processes that use this cache.

    Raises
    ------
    UnreadableError
        If another process has held it for `timeout_s`, or the cache can't be written.
    """
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        with _lock(timeout_s):
            _clear()
            _workspace().mkdir()
            try:
                yield _workspace()
            finally:
                _clear()
    except OSError as error:
        if error.errno is None:  # of a library, not of the disk
            raise
        raise unwritable(error) from error


def _lock(timeout_s: float) -> AbstractContextManager[object]:
    """Lock the cache; a wait of minutes is said, also where progress is not shown."""
    import filelock

    line = f"Waiting for another process that fetches into {cache_folder()}."
    notice = threading.Timer(_NOTICE_S, print, [line], {"file": sys.stderr})
    notice.start()
    try:
        return filelock.FileLock(cache_folder() / LOCK_NAME).acquire(timeout_s)
    except filelock.Timeout as error:
        raise UnreadableError(
            f"Another process has been fetching into {cache_folder()} for {timeout_s / 60:.0f} "
            f"minutes, so that nothing was fetched. End it, or name another folder in "
            f"{CACHE_VARIABLE}."
        ) from error
    except NotImplementedError as error:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)) from error
    finally:
        notice.cancel()


def remove_leftovers() -> None:
    """Remove what a killed process has left in the workspace, unless another one works there."""
    if os.path.lexists(_workspace()):
        with suppress(DataUnavailableError), hold(timeout_s=0):
            pass


def unwritable(error: OSError) -> UnreadableError:
    """Turn a failure to write into the sentence that says what to do."""
    remedy = "Make it writable"
    if error.errno in NO_ROOM:
        remedy = "Free some room there (all 48 micrographs take 31 MB)"
    elif error.errno in _NO_LOCKS:
        remedy = "Its file system can't lock files. Move it to a local disk"
    return UnreadableError(
        f"The cache {cache_folder()} can't be written ({error.strerror or error}). "
        f"{remedy}, or name another folder in {CACHE_VARIABLE}."
    )


def _clear() -> None:
    """Remove the workspace; a link in its place is removed, and not followed."""
    if _workspace().is_symlink():
        _workspace().unlink()
    shutil.rmtree(_workspace(), ignore_errors=True)


def _workspace() -> Path:
    return cache_folder() / ".partial"
