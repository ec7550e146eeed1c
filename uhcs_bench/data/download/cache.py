"""The cache: canonical pixels on the user's disk, safe to share between processes.

A micrograph's file appears in one step, complete. Whatever is under way lies in a workspace of its
own, which one process at a time may use and which says nothing about the micrographs themselves.
"""

from __future__ import annotations

import errno
import io
import json
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.data import pixels as canonical
from uhcs_bench.data.download.settings import CACHE_VARIABLE
from uhcs_bench.errors import DataUnavailableError
from uhcs_bench.io.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from uhcs_bench.data.registry import Entry

PARTIAL_SUFFIX = ".part"
"""Of a download that has not been completed."""

DEPOSIT_PREFIX = "deposit-"
"""Of the name of a workspace in which a deposit is searched."""

_LOCK_TIMEOUT_S = 900


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
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("uhcs-bench", appauthor=False)


def cache_path(entry: Entry) -> Path:
    """File of the cache that holds a micrograph's pixels: image and label map, stacked.

    It stands beside a JSON file of the same name that says where they came from, and that is
    written first, so that a micrograph whose pixels are there is complete.
    """
    return cache_folder() / entry.source_version / entry.task / f"{entry.id}.npy"


def read(entry: Entry) -> Pixels:
    """Read a micrograph from the cache.

    Raises
    ------
    FileNotFoundError
        If the cache does not have it.
    DataUnavailableError
        If the cache's file is damaged; the message says how to renew it.
    """
    path = cache_path(entry)
    try:
        stacked = np.load(path, allow_pickle=False)
        provenance = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        if stacked.shape != (2, *entry.shape) or stacked.dtype != np.uint8:
            raise ValueError(f"it holds an array of shape {stacked.shape}")
        stacked.flags.writeable = False
        return Pixels(
            image=stacked[0],
            labels=stacked[1],
            filled_rows=tuple(provenance["filled_rows"]),
            sources=tuple(provenance["sources"]),
        )
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file may raise anything
        raise DataUnavailableError(
            f"The cached micrograph {path} is damaged ({error}). Delete this file; "
            "it is fetched again when it is next needed."
        ) from error


def damage(entry: Entry) -> str | None:
    """Say what is wrong with a cached micrograph; None if every pixel is the registry's.

    Raises
    ------
    FileNotFoundError
        If the cache does not have it.
    """
    path = cache_path(entry)
    try:
        pixels = read(entry)
        canonical.check_pixels(pixels.image, entry.files["image"])
        canonical.check_pixels(pixels.labels, entry.files["labels"])
    except canonical.CanonicalError as error:
        return str(error)
    except DataUnavailableError as error:
        return f"can't be read ({error.__cause__})"
    except FileNotFoundError:
        if path.is_file():
            return "lacks the file that says where it came from"
        raise
    hashed_from = entry.files["image"].hashed_from_row
    if any(row >= hashed_from for row in pixels.filled_rows):
        return "claims filled rows that no source lacks"
    for row in pixels.filled_rows:
        if not np.array_equal(pixels.image[row], pixels.image[hashed_from]):
            return f"has a filled row, {row}, that does not repeat its neighbour"
    return None


def write(entry: Entry, pixels: Pixels, workspace: Path) -> None:
    """Put a micrograph into the cache, whole or not at all.

    Parameters
    ----------
    entry : Entry
    pixels : Pixels
    workspace : Path
        Folder from `hold`.

    Raises
    ------
    OSError
        If the disk is full or can't be written.
    """
    path = cache_path(entry)
    path.parent.mkdir(parents=True, exist_ok=True)
    provenance = {"sources": pixels.sources, "filled_rows": pixels.filled_rows}
    # Not np.save to the file: on a full disk it raises an error that does not say so.
    stream = io.BytesIO()
    np.save(stream, np.stack([pixels.image, pixels.labels]))
    _replace(path.with_suffix(".json"), json.dumps(provenance).encode(), workspace)
    _replace(path, stream.getvalue(), workspace)


def _replace(path: Path, content: bytes, workspace: Path) -> None:
    with replacing(path, workspace) as partial:
        partial.write_bytes(content)


@contextmanager
def hold(name: str, timeout_s: float = _LOCK_TIMEOUT_S) -> Iterator[Path]:
    """Hold a folder for work in progress, alone among all processes that use this cache.

    A killed process loses its hold, not its files: partial downloads are there for the next holder,
    who must check what they become. Other files are removed at the end, and so is all after
    `clear`.

    Parameters
    ----------
    name : str
        Of the piece of work, fit for a file.
    timeout_s : float, optional
        How long to wait for another process that holds it.

    Raises
    ------
    DataUnavailableError
        If another process has held it for all that time.
    OSError
        If the cache can't be written.
    """
    from filelock import FileLock, Timeout

    folder = _workspaces() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(f"{folder}.lock", timeout=timeout_s)
        lock.acquire()
    except Timeout as error:
        raise DataUnavailableError(
            f"Another process has been at work on {name} for {timeout_s / 60:.0f} minutes. "
            f"End it, or name another folder in {CACHE_VARIABLE}."
        ) from error
    try:
        folder.mkdir(exist_ok=True)
        yield folder
    finally:
        _tidy(folder)
        # While it is held: who waits for it notices, and starts over with a new one. Windows won't.
        if type(lock) is FileLock:  # not the kind for file systems without locks
            with suppress(OSError):
                Path(lock.lock_file).unlink()
        lock.release()


def clear(workspace: Path) -> None:
    """Remove what lies in a workspace, partial downloads too."""
    for path in workspace.iterdir():
        path.unlink()


def remove_leftovers(entries: Sequence[Entry]) -> None:
    """Remove what killed processes left of micrographs that are complete by now, and of deposits.

    What another process is at work on stays, and so does what can't be removed.
    """
    try:
        left = {path.name.removesuffix(".lock") for path in _workspaces().iterdir()}
    except OSError:
        return
    done = {workspace_name(entry) for entry in entries if cache_path(entry).is_file()}
    for name in left:
        if name in done or name.startswith(DEPOSIT_PREFIX):
            with suppress(OSError, DataUnavailableError), hold(name, timeout_s=0) as folder:
                clear(folder)


def workspace_name(entry: Entry) -> str:
    """Name of the workspace in which a micrograph is fetched."""
    return f"{entry.source_version}-{entry.task}-{entry.id}"


def unwritable(error: OSError) -> DataUnavailableError:
    """Turn a failure to write into the sentence that says what to do."""
    full = error.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", None))
    remedy = "Free some room there (all 48 micrographs take 31 MB)" if full else "Make it writable"
    return DataUnavailableError(
        f"The cache {cache_folder()} can't be written ({error.strerror or error}). "
        f"{remedy}, or name another folder in {CACHE_VARIABLE}."
    )


def _workspaces() -> Path:
    return cache_folder() / ".partial"


def _tidy(folder: Path) -> None:
    # Where the cache can't be written, that is reported already; left-overs are harmless.
    with suppress(OSError):
        for path in folder.iterdir():
            if path.suffix != PARTIAL_SUFFIX:
                path.unlink()
        if not any(folder.iterdir()):
            folder.rmdir()
