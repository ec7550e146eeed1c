"""Get micrographs from their sources, prove that they are the right ones, and keep them.

Three environment variables steer it: ``UHCS_BENCH_MIRROR`` names a folder or base URL that is tried
before the sources themselves, laid out ``<host>/<path>``; ``UHCS_BENCH_CACHE`` moves the cache;
``UHCS_BENCH_OFFLINE=1`` forbids the network.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import numpy as np

from uhcs_bench import canonical, images
from uhcs_bench.errors import DataUnavailableError, UhcsBenchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from uhcs_bench.registry import Entry, File, FileKind, Source

MIRROR_VARIABLE = "UHCS_BENCH_MIRROR"
CACHE_VARIABLE = "UHCS_BENCH_CACHE"
OFFLINE_VARIABLE = "UHCS_BENCH_OFFLINE"

_TIMEOUT_S = 30
_CHUNK_BYTES = 1 << 18
_USER_AGENT = "uhcs-bench (a benchmark data set loader; python-requests)"


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
    return cache_folder() / entry.version / entry.task / f"{entry.id}.npy"


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


def fetch(entries: Iterable[Entry]) -> int:
    """See to it that the cache has all these micrographs.

    Those that are there already cost no access to any source. For the others, every source is tried
    in turn: first in the mirror, then at its own address. A file that fails its hash is discarded
    and the next source tried. Progress shows on standard error if that is a terminal.

    Parameters
    ----------
    entries : iterable of Entry

    Returns
    -------
    int
        How many micrographs had to be fetched.

    Raises
    ------
    DataUnavailableError
        If a file could not be had from any source. Everything that could be had is in the cache by
        then; the message lists each source with its reason, and says what to do.
    """
    missing = [entry for entry in entries if not cache_path(entry).is_file()]
    if not missing:
        return 0
    from tqdm import tqdm

    sources = _Sources()
    failures: dict[str, list[Failure]] = {}
    # disable=None: a bar on a terminal, silence in a pipe
    for entry in tqdm(missing, desc="Fetching micrographs", unit="micrograph", disable=None):
        try:
            _fetch_one(entry, sources)
        except _NoSource as error:
            failures[f"{entry.task} {entry.id} ({error.kind})"] = error.failures
        except OSError as error:
            raise DataUnavailableError(
                f"The cache {cache_folder()} can't be written ({error.strerror or error}). "
                f"Free some room there, or name another folder in {CACHE_VARIABLE}."
            ) from error
    if failures:
        raise DataUnavailableError(_describe(failures, n_wanted=len(missing)))
    return len(missing)


@dataclass(frozen=True)
class Failure:
    """Why a source did not give a file.

    Attributes
    ----------
    location : str
        Address of the file, or only the host where that is the reason, whatever the file.
    reason : str
    """

    location: str
    reason: str


class _NoSource(Exception):
    def __init__(self, kind: FileKind, failures: list[Failure]) -> None:
        super().__init__(kind)
        self.kind = kind
        self.failures = failures


def _fetch_one(entry: Entry, sources: _Sources) -> None:
    path = cache_path(entry)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{entry.id}-", dir=path.parent) as folder:
        scratch = Path(folder)
        image, image_source = _canonical(entry, "image", sources, scratch)
        labels, labels_source = _canonical(entry, "labels", sources, scratch)
        provenance = {
            "sources": [image_source.url, labels_source.url],
            "filled_rows": list(range(image_source.missing_rows)),
        }
        written = scratch / "provenance.json"
        written.write_text(json.dumps(provenance), encoding="utf-8")
        written.replace(path.with_suffix(".json"))
        finished = scratch / path.name
        np.save(finished, np.stack([image, labels]))
        finished.replace(path)


def _canonical(
    entry: Entry, kind: FileKind, sources: _Sources, scratch: Path
) -> tuple[NDArray[np.uint8], Source]:
    file = entry.files[kind]
    failures = []
    for source, location in sources.locations(file):
        try:
            raw = sources.retrieve(source, location, scratch)
            array = canonical.canonical_array(images.read_image(raw), source)
            canonical.check_pixels(array, file)
        except UhcsBenchError as error:
            host_wide = isinstance(error, _HostRefused)
            failures.append(Failure(_host(location) if host_wide else location, str(error)))
        else:
            return array, source
    raise _NoSource(kind, failures)


class _Refused(UhcsBenchError):
    """A location that gave no file; the message is the reason."""


class _HostRefused(_Refused):
    """A host that gives no file at all."""


@dataclass
class _Sources:
    """The places where files may be, and what is known of them in this run."""

    mirror: str = field(default_factory=lambda: os.environ.get(MIRROR_VARIABLE, ""))
    offline: bool = field(
        default_factory=lambda: os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0")
    )
    silent_hosts: dict[str, str] = field(default_factory=dict)

    def locations(self, file: File) -> list[tuple[Source, str]]:
        """Where a file's sources may be had, in the order in which to try them."""
        own = [(source, source.url) for source in file.sources]
        if not self.mirror:
            return own
        return [(source, _in_mirror(self.mirror, source.url)) for source in file.sources] + own

    def retrieve(self, source: Source, location: str, folder: Path) -> Path:
        """Copy or download one file and check its hash; `_Refused` says why that failed."""
        import pooch
        import requests

        remote = _is_url(location)
        host = _host(location)
        if remote and self.offline:
            raise _HostRefused(f"the network is forbidden by {OFFLINE_VARIABLE}")
        if remote and host in self.silent_hosts:
            raise _HostRefused(self.silent_hosts[host])
        pooch.get_logger().setLevel(logging.ERROR)
        download = pooch.HTTPDownloader(
            timeout=_TIMEOUT_S, chunk_size=_CHUNK_BYTES, headers={"User-Agent": _USER_AGENT}
        )
        try:
            path = pooch.retrieve(
                location,
                known_hash=f"sha256:{source.sha256}",
                fname=f"{source.sha256}{Path(urlsplit(source.url).path).suffix}",
                path=folder,
                downloader=download if remote else _copy,
            )
        except ValueError as error:
            raise _Refused(_hash_mismatch(error, remote)) from error
        except FileNotFoundError as error:
            raise _Refused("there is no such file in the mirror") from error
        except requests.HTTPError as error:
            raise _Refused(
                f"the server answered {error.response.status_code} {error.response.reason}"
            ) from error
        except requests.exceptions.SSLError as error:
            raise _Refused(f"the server's certificate was not accepted ({error})") from error
        except (requests.ConnectionError, requests.Timeout) as error:
            # One dead host must not cost a time-out for each of 96 files.
            self.silent_hosts[host] = f"can't be reached ({type(error).__name__})"
            raise _HostRefused(self.silent_hosts[host]) from error
        except requests.RequestException as error:
            raise _Refused(f"the download failed ({error})") from error
        return Path(path)


def _is_url(location: str) -> bool:
    return location.startswith(("http://", "https://"))


def _host(location: str) -> str:
    return urlsplit(location).netloc


def _in_mirror(mirror: str, url: str) -> str:
    parts = urlsplit(url)
    if _is_url(mirror):
        return f"{mirror.rstrip('/')}/{parts.netloc}{parts.path}"
    return str(Path(mirror).expanduser() / parts.netloc / unquote(parts.path).lstrip("/"))


def _copy(location: str, output_file: str, _pooch: object) -> None:
    shutil.copyfile(location, output_file)


def _hash_mismatch(error: ValueError, remote: bool) -> str:
    what = (
        "the download was discarded"
        if remote
        else "its copy was discarded, the mirror left as it is"
    )
    detail = str(error)
    found = detail.partition("but got ")[2].partition(". ")[0] or detail
    expected = detail.partition("expected ")[2].partition(" but got")[0] or "the registry's"
    return f"its sha256 is {found}, expected {expected}; {what}"


def _describe(failures: Mapping[str, Sequence[Failure]], n_wanted: int) -> str:
    files_of: dict[Failure, list[str]] = defaultdict(list)
    for name, tried in failures.items():
        for failure in tried:
            files_of[failure].append(name)
    lines = [
        f"{len(failures)} of {n_wanted} micrographs could not be fetched. What was tried:",
        *(
            f"  {tried.location} for {_listing(names)}: {tried.reason}"
            for tried, names in files_of.items()
        ),
        f"Try again later, or set {MIRROR_VARIABLE} to a folder or base URL that holds the files "
        "as <host>/<path>"
        + (f", or unset {OFFLINE_VARIABLE}." if os.environ.get(OFFLINE_VARIABLE) else "."),
        "Micrographs that were fetched are kept.",
    ]
    return "\n".join(lines)


def _listing(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} files, {names[0]} to {names[-1]}"
