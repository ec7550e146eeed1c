"""Bring micrographs from their sources into the cache, the most trusted source first.

Each file's own sources, pinned by a hash of the file, are tried in the mirror and then at their
addresses. What is still lacking is searched for in the deposits, which hold many micrographs whose
files are identified by the hash of their pixels.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pooch

from uhcs_bench.data import pixels as canonical
from uhcs_bench.data.download import listings, pixel_index, settings
from uhcs_bench.data.download.http import Client, HostRefused, Refused, without_secrets
from uhcs_bench.data.download.pixel_index import Find
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io import images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from uhcs_bench.data.registry import Deposit, DepositKind, Entry, FileKind, Source

KINDS: tuple[FileKind, ...] = ("image", "labels")
DEPOSIT_KINDS: tuple[DepositKind, ...] = ("zip", "image", "archive", "page")
"""In order of trust."""
_MAX_PROBLEMS = 5
"""Of members of a zip that are reported."""


@dataclass(frozen=True)
class Failure:
    """Why a source did not give a file: its address, or the host if that gives no file at all."""

    location: str
    reason: str


@dataclass
class Order:
    """A micrograph to be fetched: what of it has been found, and which attempts failed."""

    entry: Entry
    finds: dict[FileKind, Find] = field(default_factory=dict)
    failures: dict[FileKind, list[Failure]] = field(
        default_factory=lambda: {kind: [] for kind in KINDS}
    )

    @property
    def lacking(self) -> tuple[FileKind, ...]:
        """What has not been found yet."""
        return tuple(kind for kind in KINDS if kind not in self.finds)

    def lacking_from(self, deposit: Deposit) -> tuple[FileKind, ...]:
        """List what has not been found yet and a deposit may have."""
        if deposit not in self.entry.deposits:
            return ()
        return tuple(kind for kind in self.lacking if kind == "image" or deposit.kind != "image")


def supply(entries: Iterable[Entry], workspace: Path, advance: Callable[[], object]) -> list[Order]:
    """Bring micrographs into the cache and list those that could not be had.

    Parameters
    ----------
    entries : iterable of Entry
    workspace : Path
        Folder from `uhcs_bench.data.download.cache.hold`.
    advance : callable
        Called after each micrograph that is complete.
    """
    sources = _Sources(workspace)
    orders = [Order(entry) for entry in entries]

    def store(complete: Iterable[Order]) -> None:
        for order in complete:
            if not order.lacking:
                pixel_index.store(order.entry, order.finds, workspace)
                advance()

    for order in orders:
        for kind in KINDS:
            sources.try_in_turn(order, kind)
        store([order])
    deposits = dict.fromkeys(deposit for order in orders for deposit in order.entry.deposits)
    for deposit in sorted(deposits, key=lambda deposit: DEPOSIT_KINDS.index(deposit.kind)):
        concerned = [order for order in orders if order.lacking_from(deposit)]
        if concerned:
            sources.search(deposit, concerned)
            store(concerned)
    return [order for order in orders if order.lacking]


class _Sources:
    """The mirror and the network, as the environment variables allow them."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self.mirror = settings.mirror()
        self.client = Client(offline=settings.offline())
        pooch.get_logger().setLevel("WARNING")

    def try_in_turn(self, order: Order, kind: FileKind) -> None:
        """Try a file's own sources until one gives it."""
        file = order.entry.files[kind]
        for source, location in self._locations(file.sources):
            try:
                path = self._retrieve(location, kind, source.n_bytes, source.sha256)
                array = canonical.canonical_array(images.read_image(path), source)
                canonical.check_pixels(array, file)
            except UhcsBenchError as error:
                order.failures[kind].append(_failure(location, source.url, error))
            else:
                filled = tuple(range(source.missing_rows))
                order.finds[kind] = Find(order.entry, kind, array, filled, source.url)
                return

    def _locations(self, sources: tuple[Source, ...]) -> Iterator[tuple[Source, str]]:
        if self.mirror:
            for source in sources:
                yield source, in_mirror(self.mirror, source.url)
        for source in sources:
            yield source, source.url

    def search(self, deposit: Deposit, orders: list[Order]) -> None:
        """Search a deposit for what micrographs lack."""
        try:
            locations = self._files(deposit)
            read = [self._search_file(deposit, orders, *location) for location in locations]
            if not locations or any(read):
                raise Refused("it holds no file with these pixels")
        except UhcsBenchError as error:
            _note(orders, deposit, _failure(deposit.url, deposit.url, error))

    def _files(self, deposit: Deposit) -> list[tuple[str, str]]:
        """Locations of a deposit's files, and their public addresses."""
        listing = listings.OF_KIND.get(deposit.kind)
        if listing:
            return [(url, url) for url in listing(self.client, deposit.url)]
        locations = [in_mirror(self.mirror, deposit.url)] if self.mirror else []
        return [(location, deposit.url) for location in (*locations, deposit.url)]

    def _search_file(
        self, deposit: Deposit, orders: list[Order], location: str, address: str
    ) -> bool:
        """Search a file of a deposit, if anything is lacking, and say whether it could be read."""
        wanting = {order.entry.id: order for order in orders if order.lacking_from(deposit)}
        if not wanting:
            return False
        index = pixel_index.Index(order.entry for order in wanting.values())
        problems: list[str] = []
        try:
            path = self._retrieve(location, "deposit", deposit.max_bytes)
            if deposit.git_blob:
                check_git_blob(path, deposit.git_blob)
            for find in pixel_index.search(path, index, address, problems):
                pixel_index.keep_better(wanting[find.entry.id].finds, find)
        except UhcsBenchError as error:
            _note(orders, deposit, _failure(location, address, error))
            return False
        for problem in problems[:_MAX_PROBLEMS]:
            _note(orders, deposit, _failure(location, address, UhcsBenchError(problem)))
        return True

    def _retrieve(
        self, location: str, name: str, max_bytes: int, sha256: str | None = None
    ) -> Path:
        """Let pooch retrieve a file; one of a known hash has to have `max_bytes` exactly."""

        def download(location: str, output_file: str, _: object) -> None:
            content = (
                self.client.get(location, max_bytes, exact=sha256 is not None)
                if is_url(location)
                else _read(Path(location), max_bytes)
            )
            Path(output_file).write_bytes(content)

        name += Path(urlsplit(location).path).suffix if sha256 else ""
        (self.workspace / name).unlink(missing_ok=True)
        try:
            return Path(pooch.retrieve(location, sha256, name, self.workspace, downloader=download))
        except ValueError as error:  # for another hash
            raise Refused(str(error)) from error


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        if not path.is_file():
            raise Refused("there is no such file in the mirror")
        size = path.stat().st_size
        if size > max_bytes:
            raise Refused(f"it is {size} bytes long, more than the {max_bytes} expected")
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


def _note(orders: list[Order], deposit: Deposit, failure: Failure) -> None:
    for order in orders:
        for kind in order.lacking_from(deposit):
            order.failures[kind].append(failure)


def _failure(location: str, address: str, error: UhcsBenchError) -> Failure:
    """Note a failure without the secrets of the user's mirror."""
    shown = location if location == address else without_secrets(location)
    if isinstance(error, HostRefused):
        shown = urlsplit(shown).netloc
    return Failure(shown, without_secrets(str(error)))
