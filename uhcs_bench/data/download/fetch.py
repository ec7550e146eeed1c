"""Get micrographs, prove that they are the right ones, and keep them.

Three environment variables steer it: ``UHCS_BENCH_MIRROR`` names a folder or base URL that is tried
before the sources themselves, laid out ``<host>/<path>``; ``UHCS_BENCH_CACHE`` moves the cache;
``UHCS_BENCH_OFFLINE=1`` forbids the network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uhcs_bench.data.download import cache, settings
from uhcs_bench.data.download.cache import (
    DamagedError,
    Pixels,
    cache_folder,
    cache_path,
    read,
)
from uhcs_bench.data.download.settings import CACHE_VARIABLE, MIRROR_VARIABLE, OFFLINE_VARIABLE
from uhcs_bench.errors import DataUnavailableError, UhcsBenchError, UsageError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from uhcs_bench.data.download.pixel_index import Find, Index
    from uhcs_bench.data.download.sources import Supply
    from uhcs_bench.data.registry import Entry

__all__ = [
    "CACHE_VARIABLE",
    "MIRROR_VARIABLE",
    "OFFLINE_VARIABLE",
    "DamagedError",
    "Imported",
    "Pixels",
    "Verified",
    "cache_folder",
    "cache_path",
    "fetch",
    "import_from",
    "load",
    "read",
    "verify",
]


def fetch(entries: Iterable[Entry]) -> int:
    """See to it that the cache has all these micrographs, pixel for pixel.

    Those that are there already cost no access to any source. For the others, and for those that
    are damaged, every source is tried in turn, the most trusted first; see
    `uhcs_bench.data.download.sources`. A file that fails its hash is discarded and the next source
    tried. Processes that fetch into one cache take turns. Progress shows on standard error if that
    is a terminal.

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

    from uhcs_bench.data.download.sources import Supply

    # disable=None: a bar on a terminal, silence in a pipe
    with (
        tqdm(total=len(missing), desc="Fetching", unit="micrograph", disable=None) as bar,
        cache.hold() as workspace,
    ):
        # While this process waited, another may have fetched them.
        missing = _missing(missing)
        supply = Supply(missing, workspace)
        supply.bring(bar.update)
    if supply.lacking:
        raise DataUnavailableError(_describe(supply, len(missing)))
    return len(missing)


def load(entries: Sequence[Entry]) -> list[Pixels]:
    """Read micrographs, fetching what the cache does not have.

    Raises
    ------
    DataUnavailableError
        As `fetch` does.
    """
    try:
        return [read(entry) for entry in entries]
    except (FileNotFoundError, DamagedError):
        fetch(entries)
        return [read(entry) for entry in entries]


def _missing(entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if not verify([entry]).n_intact]


@dataclass
class Verified:
    """How many micrographs of the cache are intact or absent, and what is wrong with which file."""

    n_intact: int = 0
    damaged: dict[Path, str] = field(default_factory=dict)
    n_absent: int = 0

    def __str__(self) -> str:
        lines = [f"{path} {reason}" for path, reason in self.damaged.items()]
        lines.append(
            f"{self.n_intact} micrographs intact, {len(self.damaged)} damaged, "
            f"{self.n_absent} not in the cache."
        )
        return "\n".join(lines)


def verify(entries: Iterable[Entry]) -> Verified:
    """Check every pixel of the cache against the registry's hashes.

    Raises
    ------
    DataUnavailableError
        If a file may not be read.
    """
    verified = Verified()
    for entry in entries:
        try:
            read(entry)
            verified.n_intact += 1
        except FileNotFoundError:
            verified.n_absent += 1
        except DamagedError as error:
            verified.damaged[cache_path(entry)] = str(error)
    return verified


@dataclass(frozen=True)
class Imported:
    """What was found in a user's own copy of the data.

    Attributes
    ----------
    stored, present : list of Entry
        Micrographs that are in the cache now, and that were before.
    lacking : mapping of str to str
        Micrographs that are not, with what was not found.
    unread : list of str
        Files that could not be read, each with the reason.
    """

    unread: list[str]
    stored: list[Entry] = field(default_factory=list)
    present: list[Entry] = field(default_factory=list)
    lacking: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [*self.unread]
        for lack in dict.fromkeys(self.lacking.values()):
            names = [name for name, its_lack in self.lacking.items() if its_lack == lack]
            lines.append(f"Not imported, as {lack} not found: {_listing(names, 'micrographs')}.")
        lines.append(
            f"{len(self.stored)} micrographs imported into {cache_folder()}, "
            f"{len(self.present)} were there."
        )
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
    from uhcs_bench.data.download.pixel_index import Finds, Index, file_name

    if not path.exists():
        raise UsageError(
            f"There is no folder or file {path} to import from. Give the path of a copy of the "
            "data: a folder, a zip or an image."
        )
    entries = list(entries)
    finds, imported = Finds(), Imported([])
    for find in _search_all(path, Index(entries), imported.unread):
        finds.add(find)
    if not finds:
        lines = "".join(f"\n  {line}" for line in imported.unread)
        raise DataUnavailableError(
            f"Nothing in {path} has the pixels of an image or label map of the benchmark. "
            "It takes the images of the deposit themselves, in any format without loss, not scaled "
            f"and not cut on the left, at the right or at the top.{lines}"
        )
    with cache.hold() as workspace:
        for entry in entries:
            pixels, is_there = finds.pixels(entry), not _missing([entry])
            if is_there and not (pixels and len(pixels.filled_rows) < len(read(entry).filled_rows)):
                imported.present.append(entry)
            elif pixels:
                cache.write(entry, pixels, workspace)
                imported.stored.append(entry)
            else:
                image, labels = (file_name(entry, kind) in finds for kind in ("image", "labels"))
                lack = "the label map was" if image else "the image was" if labels else "they were"
                imported.lacking[f"{entry.task} {entry.id}"] = lack
    return imported


def _search_all(path: Path, index: Index, unread: list[str]) -> Iterator[Find]:
    from uhcs_bench.data.download import pixel_index
    from uhcs_bench.io import images

    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if not file.is_file() or pixel_index.is_resource_fork(file.name):
            continue
        name = f"{path.name}/{file.relative_to(path).as_posix()}" if file != path else path.name
        problems: list[str] = []
        try:
            yield from pixel_index.search(file, index, name, problems)
        except images.ImageError:
            continue  # a readme or the like
        except (UhcsBenchError, OSError) as error:
            unread.append(f"{name} {printable(str(error))}")
        unread += [f"{name}: {problem}" for problem in problems]


def _describe(supply: Supply, n_wanted: int) -> str:
    lines = [
        f"{len(supply.lacking)} of {n_wanted} micrographs could not be fetched. What was tried:",
        *(
            f"  {path}: it {problem}, and was not used"
            for path, problem in verify(supply.lacking).damaged.items()
        ),
        *(
            f"  {location} for {_listing(names, 'files')}: {reason}"
            for location, reason, names in supply.failures()
        ),
        f"Try again later, or set {MIRROR_VARIABLE} to a folder or base URL that holds the files "
        "as <host>/<path>" + (f", or unset {OFFLINE_VARIABLE}." if settings.offline() else "."),
        "A copy that you already have is imported by: uhcs-bench download --from FOLDER_OR_ZIP",
        "Micrographs that were fetched are kept.",
    ]
    return "\n".join(lines)


def _listing(names: Sequence[str], what: str) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} {what}, {names[0]} to {names[-1]}"
