"""Get micrographs, prove that they are the right ones, and keep them.

Three environment variables steer it: ``UHCS_BENCH_MIRROR`` names a folder or base URL that is tried
before the sources themselves, laid out ``<host>/<path>``; ``UHCS_BENCH_CACHE`` moves the cache;
``UHCS_BENCH_OFFLINE=1`` forbids the network.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uhcs_bench.data.download import cache, settings
from uhcs_bench.data.download.cache import Pixels, cache_folder, cache_path, read
from uhcs_bench.data.download.settings import CACHE_VARIABLE, MIRROR_VARIABLE, OFFLINE_VARIABLE
from uhcs_bench.errors import DataUnavailableError, UhcsBenchError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from uhcs_bench.data.download.pixel_index import Find, Index
    from uhcs_bench.data.download.sources import Failure, Order
    from uhcs_bench.data.registry import Entry, FileKind

__all__ = [
    "CACHE_VARIABLE",
    "MIRROR_VARIABLE",
    "OFFLINE_VARIABLE",
    "Imported",
    "Pixels",
    "Verified",
    "cache_folder",
    "cache_path",
    "fetch",
    "import_from",
    "read",
    "verify",
]


def fetch(entries: Iterable[Entry]) -> int:
    """See to it that the cache has all these micrographs.

    Those that are there already cost no access to any source. For the others, every source is tried
    in turn, the most trusted first; see `uhcs_bench.data.download.sources`. A file that fails its
    hash is discarded and the next source tried. Processes that fetch into one cache take turns.
    Progress shows on standard error if that is a terminal.

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
        If a file could not be had from any source, or the cache can't be written. Everything that
        could be had is in the cache by then; the message lists each source with its reason, and
        says what to do.
    """
    missing = _missing(entries)
    if not missing:
        cache.remove_leftovers()
        return 0
    from tqdm import tqdm

    from uhcs_bench.data.download import sources

    # disable=None: a bar on a terminal, silence in a pipe
    with (
        tqdm(total=len(missing), desc="Fetching", unit="micrograph", disable=None) as bar,
        cache.hold() as workspace,
    ):
        # While this process waited, another may have fetched them.
        missing = _missing(missing)
        failed = sources.supply(missing, workspace, bar.update)
    if failed:
        raise DataUnavailableError(_describe(failed, len(missing)))
    return len(missing)


def _missing(entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if not cache_path(entry).is_file()]


@dataclass(frozen=True)
class Verified:
    """How many micrographs of the cache are intact or absent, and what is wrong with which file."""

    n_intact: int
    damaged: Mapping[Path, str]
    n_absent: int

    def __str__(self) -> str:
        lines = [f"{path} {reason}" for path, reason in self.damaged.items()]
        lines.append(
            f"{self.n_intact} micrographs intact, {len(self.damaged)} damaged, "
            f"{self.n_absent} not in the cache."
        )
        return "\n".join(lines)


def verify(entries: Iterable[Entry], discard: bool = False) -> Verified:
    """Check every pixel of the cache against the registry's hashes.

    Parameters
    ----------
    entries : iterable of Entry
    discard : bool, optional
        Delete damaged files, so that the next `fetch` renews them.

    Raises
    ------
    DataUnavailableError
        If a damaged file can't be deleted.
    """
    entries = [entry for entry in entries if entry.files]
    damaged = {}
    n_absent = 0
    for entry in entries:
        try:
            reason = cache.damage(entry)
        except FileNotFoundError:
            n_absent += 1
            continue
        if reason is not None:
            damaged[cache_path(entry)] = reason
    if discard:
        try:
            for path in damaged:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise cache.unwritable(error) from error
    return Verified(len(entries) - len(damaged) - n_absent, damaged, n_absent)


@dataclass(frozen=True)
class Imported:
    """What was found in a user's own copy of the data.

    Attributes
    ----------
    n_files : int
        Files that proved to be images or label maps of the benchmark.
    stored, present, missing : tuple of Entry
        Micrographs that are in the cache now, that were before, and that were not found.
    incomplete : mapping of str to str
        Micrographs of which only a part was found, with what is missing.
    unread : mapping of str to str
        Files that could not be read, with the reason.
    """

    n_files: int
    stored: tuple[Entry, ...]
    present: tuple[Entry, ...]
    incomplete: Mapping[str, str]
    missing: tuple[Entry, ...]
    unread: Mapping[str, str]

    def __str__(self) -> str:
        lines = [f"{name} {reason}" for name, reason in self.unread.items()]
        for lack in dict.fromkeys(self.incomplete.values()):
            lacking = [name for name, its_lack in self.incomplete.items() if its_lack == lack]
            lines.append(f"Not imported, as {lack}: {_listing(lacking, 'micrographs')}.")
        lines.append(
            f"{self.n_files} files recognised by their pixels; {len(self.stored)} micrographs "
            f"imported into {cache_folder()}, {len(self.present)} were there."
        )
        if self.missing:
            names = _listing([f"{entry.task} {entry.id}" for entry in self.missing], "micrographs")
            lines.append(f"Not found: {names}.")
        return "\n".join(lines)


def import_from(path: Path, entries: Iterable[Entry]) -> Imported:
    """Import a copy of the data that the user already has.

    Names don't matter: each image in the folder, and in every zip there, is decoded and compared
    with the registry by the hash of its pixels. A micrograph in the cache is kept, unless it is
    damaged, or has a filled row where the copy has the true one.

    Raises
    ------
    UsageError
        If the path does not exist.
    DataUnavailableError
        If nothing in it is of the benchmark, or the cache can't be written.
    """
    from uhcs_bench.data.download import pixel_index

    if not path.exists():
        raise UsageError(f"There is no folder or file {path} to import from.")
    entries = list(entries)
    finds: dict[str, dict[FileKind, Find]] = defaultdict(dict)
    unread: dict[str, str] = {}
    addresses = set()
    for find in _search_all(path, pixel_index.Index(entries), unread):
        addresses.add(find.address)
        pixel_index.keep_better(finds[find.entry.id], find)
    if not addresses:
        lines = "".join(f"\n  {name} {reason}" for name, reason in unread.items())
        raise DataUnavailableError(
            f"Nothing in {path} has the pixels of an image or label map of the benchmark. "
            "It takes the images of the deposit themselves, in any format without loss, not scaled "
            f"and not cut on the left, at the right or at the top.{lines}"
        )
    stored, present, missing, incomplete = [], [], [], {}
    with cache.hold() as workspace:
        for entry in entries:
            found = finds.get(entry.id, {})
            if _is_good(entry, found):
                present.append(entry)
            elif len(found) == 2:
                pixel_index.store(entry, found, workspace)
                stored.append(entry)
            elif found:
                lack = "its label map" if "image" in found else "its image"
                incomplete[f"{entry.task} {entry.id}"] = f"{lack} was not found"
            else:
                missing.append(entry)
    return Imported(
        len(addresses), tuple(stored), tuple(present), incomplete, tuple(missing), unread
    )


def _search_all(path: Path, index: Index, unread: dict[str, str]) -> Iterator[Find]:
    from uhcs_bench.data.download import pixel_index
    from uhcs_bench.io import images

    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        if not file.is_file():
            continue
        name = f"{path.name}/{file.relative_to(path).as_posix()}" if file != path else path.name
        try:
            yield from pixel_index.search(file, index, name)
        except images.ImageError:
            continue  # a readme or the like
        except (UhcsBenchError, OSError) as error:
            unread[name] = str(error)


def _is_good(entry: Entry, found: Mapping[FileKind, Find]) -> bool:
    """Whether the cache has a micrograph that needs no replacement by what was found."""
    try:
        if cache.damage(entry) is not None:
            return False
        filled = read(entry).filled_rows
    except (FileNotFoundError, DataUnavailableError):
        return False
    return len(found) < 2 or len(found["image"].filled_rows) >= len(filled)


def _describe(failed: Sequence[Order], n_wanted: int) -> str:
    files_of: dict[Failure, list[str]] = defaultdict(list)
    for order in failed:
        for kind in order.lacking:
            for failure in order.failures[kind]:
                files_of[failure].append(f"{order.entry.task} {order.entry.id} ({kind})")
    lines = [
        f"{len(failed)} of {n_wanted} micrographs could not be fetched. What was tried:",
        *(
            f"  {tried.location} for {_listing(list(dict.fromkeys(names)), 'files')}: "
            f"{tried.reason}"
            for tried, names in files_of.items()
        ),
        f"Try again later, or set {MIRROR_VARIABLE} to a folder or base URL that holds the files "
        "as <host>/<path>" + (f", or unset {OFFLINE_VARIABLE}." if settings.offline() else "."),
        "A copy that you already have is imported by: uhcs-bench download --from FOLDER_OR_ZIP",
        "Micrographs that were fetched are kept.",
    ]
    return "\n".join(lines)


def _listing(names: Sequence[str], what: str) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} {what}, {names[0]} to {names[-1]}"
