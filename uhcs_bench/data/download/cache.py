"""The cache: canonical pixels on the user's disk, safe to share between processes.

A micrograph's file appears in one step, complete. Files in progress are in a workspace that one
process at a time holds.
"""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
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
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from uhcs_bench.data.registry import Entry

LOCK_NAME = ".lock"
"""Of the file in the cache that the process holds which fetches into it."""

_LOCK_TIMEOUT_S = 3600


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
    """Put a micrograph into the cache in one step, from a workspace of `hold`."""
    path = cache_path(entry)
    path.parent.mkdir(parents=True, exist_ok=True)
    provenance = {"sources": pixels.sources, "filled_rows": pixels.filled_rows}
    # Not np.save to the file: on a full disk it raises an error that does not say so.
    stream = io.BytesIO()
    np.save(stream, np.stack([pixels.image, pixels.labels]))
    _replace(path.with_suffix(".json"), json.dumps(provenance).encode(), workspace)
    _replace(path, stream.getvalue(), workspace)


def _replace(path: Path, content: bytes, workspace: Path) -> None:
    with replacing(path, workspace, private=True) as partial:
        partial.write_bytes(content)


@contextmanager
def hold(timeout_s: float = _LOCK_TIMEOUT_S) -> Iterator[Path]:
    """Hold an empty workspace, alone among all processes that use this cache.

    Raises
    ------
    DataUnavailableError
        If another process has held it for `timeout_s`, or the cache can't be written.
    """
    from filelock import FileLock, Timeout

    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        with FileLock(cache_folder() / LOCK_NAME, timeout=timeout_s):
            shutil.rmtree(_workspace(), ignore_errors=True)
            _workspace().mkdir(exist_ok=True)
            try:
                yield _workspace()
            finally:
                shutil.rmtree(_workspace(), ignore_errors=True)
    except Timeout as error:
        raise DataUnavailableError(
            f"Another process has been fetching into {cache_folder()} for {timeout_s / 60:.0f} "
            f"minutes, so that nothing was fetched. End it, or name another folder in "
            f"{CACHE_VARIABLE}."
        ) from error
    except OSError as error:
        raise unwritable(error) from error


def remove_leftovers() -> None:
    """Remove what a killed process has left in the workspace, unless another one works there."""
    if _workspace().is_dir():
        with suppress(DataUnavailableError), hold(timeout_s=0):
            pass


def unwritable(error: OSError) -> DataUnavailableError:
    """Turn a failure to write into the sentence that says what to do."""
    full = error.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", None))
    remedy = "Free some room there (all 48 micrographs take 31 MB)" if full else "Make it writable"
    return DataUnavailableError(
        f"The cache {cache_folder()} can't be written ({error.strerror or error}). "
        f"{remedy}, or name another folder in {CACHE_VARIABLE}."
    )


def _workspace() -> Path:
    return cache_folder() / ".partial"
