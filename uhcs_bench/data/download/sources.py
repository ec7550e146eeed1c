"""Bring micrographs from their sources into the cache, the most trusted source first.

Each file's own sources, pinned by a hash of the file, are tried in the mirror and then at their
addresses. What is still lacking is searched for in the deposits, which hold many micrographs whose
files are identified by the hash of their pixels.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit

import pooch

from uhcs_bench.data import pixels as canonical
from uhcs_bench.data.download import cache, http, listings, pixel_index, settings
from uhcs_bench.data.download.http import Refused
from uhcs_bench.data.download.pixel_index import Find, Finds, file_name
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io import images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from uhcs_bench.data.registry import Deposit, DepositKind, Entry, FileKind, Source

_Place = TypeVar("_Place", "Source", "Deposit")

DEPOSIT_KINDS: tuple[DepositKind, ...] = ("zip", "image", "archive", "page")
"""In order of trust."""
_MAX_PROBLEMS = 5
"""Of members of a zip that are reported."""


class Supply:
    """The mirror and the network, as the environment variables allow them.

    Parameters
    ----------
    entries : iterable of Entry
        Micrographs that are wanted.
    workspace : Path
        Folder from `uhcs_bench.data.download.cache.hold`.

    Attributes
    ----------
    lacking : list of Entry
        Micrographs that are not in the cache yet.
    """

    def __init__(self, entries: Iterable[Entry], workspace: Path) -> None:
        self.lacking = list(entries)
        self._workspace = workspace
        self._finds = Finds()
        self._failures: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._index = pixel_index.Index(self.lacking)
        self._mirror = settings.mirror()
        self._client = http.Client(offline=settings.offline())
        pooch.get_logger().setLevel("WARNING")

    def bring(self, advance: Callable[[], object]) -> None:
        """Bring micrographs into the cache, and call `advance` after each that is complete."""
        for entry in tuple(self.lacking):
            for kind, file in entry.files.items():
                for source in self._everywhere(file.sources):
                    self._try([file_name(entry, kind)], *source, partial(self._own, entry, kind))
            self._store(advance)
        deposits = dict.fromkeys(place for entry in self.lacking for place in entry.deposits)
        for deposit in sorted(deposits, key=lambda place: DEPOSIT_KINDS.index(place.kind)):
            self._search(deposit)
            self._store(advance)

    def failures(self) -> Iterator[tuple[str, str, list[str]]]:
        """Give locations, reasons, and the names of the files that were not had elsewhere."""
        for (location, reason), names in self._failures.items():
            if left := self._without_finds(dict.fromkeys(names)):
                yield location, reason, left

    def _without_finds(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name not in self._finds]

    def _store(self, advance: Callable[[], object]) -> None:
        for entry in tuple(self.lacking):
            if pixels := self._finds.pixels(entry):
                cache.write(entry, pixels, self._workspace)
                self.lacking.remove(entry)
                advance()

    def _everywhere(self, places: Sequence[_Place]) -> list[tuple[_Place, str]]:
        """Pair places with their locations: all in the mirror, then all at their addresses."""
        mirrored = [(place, in_mirror(self._mirror, place.url)) for place in places if self._mirror]
        return mirrored + [(place, place.url) for place in places]

    def _try(
        self,
        names: Iterable[str],
        place: _Place,
        location: str,
        find: Callable[[_Place, str], Iterable[Find]],
    ) -> bool:
        """Take what a location gives, if a file is lacking, and say whether it could be read."""
        lacking = self._without_finds(names)
        try:
            for found in find(place, location) if lacking else ():
                self._finds.add(found)
        except UhcsBenchError as error:
            self._note(lacking, place, location, error)
            return False
        return bool(lacking)

    def _note(
        self, names: Iterable[str], place: _Place, location: str, error: UhcsBenchError
    ) -> None:
        """Note why a location gave nothing, without the secrets of the user's mirror."""
        shown = location if location == place.url else http.without_secrets(location)
        if isinstance(error, http.HostRefused):
            shown = urlsplit(shown).netloc
        self._failures[shown, http.without_secrets(str(error))] += names

    def _own(self, entry: Entry, kind: FileKind, source: Source, location: str) -> Iterator[Find]:
        """Get a file from a source of its own."""
        path = self._retrieve(location, source.n_bytes, source.sha256)
        array = canonical.canonical_array(images.read_image(path), source)
        canonical.check_pixels(array, entry.files[kind])
        yield Find(entry, kind, array, tuple(range(source.missing_rows)), source.url)

    def _search(self, deposit: Deposit) -> None:
        """Search a deposit for what micrographs lack."""
        kinds: list[FileKind] = ["image"] if deposit.kind == "image" else ["image", "labels"]
        asked = [entry for entry in self.lacking if deposit in entry.deposits]
        names = self._without_finds(file_name(entry, kind) for entry in asked for kind in kinds)
        if not names:
            return
        listing, files = listings.OF_KIND.get(deposit.kind), self._everywhere([deposit])
        try:
            if listing:
                urls = listing(self._client, deposit.url)
                files = [(replace(deposit, url=url), url) for url in urls]
        except Refused as error:
            self._note(names, deposit, deposit.url, error)
            return
        read = [self._try(names, *file, partial(self._found, names)) for file in files]
        if not read or any(read):
            reason = Refused("it holds no file with these pixels")
            self._note(names, deposit, deposit.url, reason)

    def _found(self, names: list[str], deposit: Deposit, location: str) -> Iterator[Find]:
        """Get what a file of a deposit has."""
        path = self._retrieve(location, deposit.max_bytes)
        if deposit.git_blob:
            check_git_blob(path, deposit.git_blob)
        problems: list[str] = []
        yield from pixel_index.search(path, self._index, deposit.url, problems)
        for problem in problems[:_MAX_PROBLEMS]:
            self._note(names, deposit, location, Refused(problem))

    def _retrieve(self, location: str, max_bytes: int, sha256: str | None = None) -> Path:
        """Let pooch retrieve a file; one of a known hash has to have `max_bytes` exactly."""

        def download(location: str, output_file: str, _: object) -> None:
            get = self._client.get if is_url(location) else _read
            Path(output_file).write_bytes(get(location, max_bytes, exact=sha256 is not None))

        name = "download"
        (self._workspace / name).unlink(missing_ok=True)
        try:
            return Path(
                pooch.retrieve(location, sha256, name, self._workspace, downloader=download)
            )
        except ValueError as error:  # for another hash
            raise Refused(str(error)) from error


def _read(location: str, max_bytes: int, exact: bool) -> bytes:
    path = Path(location)
    try:
        if not path.is_file():
            raise Refused("there is no such file in the mirror")
        http.check_length(path.stat().st_size, max_bytes, exact)
        return path.read_bytes()
    except OSError as error:
        raise Refused(f"it can't be read ({error.strerror})") from error


def check_git_blob(path: Path, expected: str) -> None:
    """Raise `Refused` unless git gives a file's content this id."""
    content = path.read_bytes()
    digest = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    if digest.hexdigest() != expected:
        raise Refused(
            f"its git blob id is {digest.hexdigest()}, expected {expected}; it was not used"
        )


def is_url(location: str) -> bool:
    """Whether a location is in the network rather than a folder."""
    return location.startswith(("http://", "https://"))


def in_mirror(mirror: str, url: str) -> str:
    """Place of a public file in a mirror, which is a folder or a base URL.

    Examples
    --------
    >>> in_mirror("https://mirror.net/base/?token=1", "https://example.org/a%20b/c.png")
    'https://mirror.net/base/example.org/a%20b/c.png?token=1'
    """
    parts = urlsplit(url)
    if is_url(mirror):
        base = urlsplit(mirror)
        return base._replace(path=f"{base.path.rstrip('/')}/{parts.netloc}{parts.path}").geturl()
    return str(Path(mirror) / parts.netloc / unquote(parts.path).lstrip("/"))
