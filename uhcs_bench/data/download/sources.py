"""Bring micrographs from their sources into the cache, the most trusted source first.

That is: for each file its own sources, pinned by a hash of the file, in the mirror and then at
their addresses; after that, for what is still lacking, the deposits that hold many micrographs,
where each file has to prove by its pixels which one it is.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from uhcs_bench.data import pixels as canonical
from uhcs_bench.data.download import cache, listings, pixel_index, settings
from uhcs_bench.data.download.cache import Pixels
from uhcs_bench.data.download.http import Client, HostRefused, Refused, check_git_blob, check_sha256
from uhcs_bench.data.download.pixel_index import Find
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io import images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from uhcs_bench.data.registry import Deposit, DepositKind, Entry, File, FileKind, Source

KINDS: tuple[FileKind, ...] = ("image", "labels")
DEPOSIT_KINDS: tuple[DepositKind, ...] = ("zip", "image", "archive", "page")
"""In order of trust."""


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


@dataclass
class Order:
    """A micrograph that is being fetched: what of it has been found, and what was in vain.

    Attributes
    ----------
    entry : Entry
    finds : dict
    failures : dict
    """

    entry: Entry
    finds: dict[FileKind, Find] = field(default_factory=dict)
    failures: dict[FileKind, list[Failure]] = field(
        default_factory=lambda: {kind: [] for kind in KINDS}
    )

    @property
    def lacking(self) -> tuple[FileKind, ...]:
        """What has not been found yet."""
        return tuple(kind for kind in KINDS if kind not in self.finds)

    @property
    def is_done(self) -> bool:
        """Whether the cache has it, from this process or another."""
        return cache.cache_path(self.entry).is_file()

    def store(self, workspace: Path) -> None:
        """Put the micrograph into the cache.

        Raises
        ------
        OSError
            If the cache can't be written.
        """
        image, labels = self.finds["image"], self.finds["labels"]
        pixels = Pixels(
            image.array, labels.array, image.filled_rows, (image.address, labels.address)
        )
        cache.write(self.entry, pixels, workspace)
        cache.clear(workspace)


class Supply:
    """The mirror and the network, as the environment variables allow them."""

    def __init__(self) -> None:
        self.mirror = settings.mirror()
        self.client = Client(offline=settings.offline())

    def fetch(self, order: Order) -> None:
        """Try each file's own sources; store the micrograph if all was found.

        Raises
        ------
        OSError
            If the cache can't be written.
        """
        with cache.hold(cache.workspace_name(order.entry)) as workspace:
            if order.is_done:
                return
            for kind in KINDS:
                self._try_sources(order, kind, workspace)
            if not order.lacking:
                order.store(workspace)

    def _try_sources(self, order: Order, kind: FileKind, workspace: Path) -> None:
        file = order.entry.files[kind]
        for source, location in self._locations(file):
            try:
                path = self._retrieve_pinned(source, location, workspace)
                array = canonical.canonical_array(images.read_image(path), source)
                canonical.check_pixels(array, file)
            except UhcsBenchError as error:
                order.failures[kind].append(_failure(location, error))
            else:
                filled = tuple(range(source.missing_rows))
                order.finds[kind] = Find(order.entry, kind, array, filled, source.url)
                return

    def _retrieve_pinned(self, source: Source, location: str, workspace: Path) -> Path:
        """Let pooch retrieve a file of known hash; its downloader is `Client`, which resumes."""
        # Named by its content, so that one host can continue what another has begun.
        path = workspace / (source.sha256 + Path(urlsplit(source.url).path).suffix)
        check = check_sha256(source.sha256)
        if not is_url(location):
            return self._retrieve(location, path, source.n_bytes, source.n_bytes, check)
        import pooch

        def download(url: str, output_file: str, _pooch: object) -> None:
            self.client.get(url, path, source.n_bytes, source.n_bytes, check)
            path.replace(output_file)

        pooch.get_logger().setLevel(logging.WARNING)
        return Path(
            pooch.retrieve(
                location,
                known_hash=f"sha256:{source.sha256}",
                fname=path.name,
                path=workspace,
                downloader=download,
            )
        )

    def _locations(self, file: File) -> Iterator[tuple[Source, str]]:
        if self.mirror:
            for source in file.sources:
                yield source, in_mirror(self.mirror, source.url)
        for source in file.sources:
            yield source, source.url

    def search_deposits(self, orders: Sequence[Order]) -> Iterator[Order]:
        """Search all deposits, as long as something is lacking, and yield what gets complete.

        Raises
        ------
        OSError
            If the cache can't be written.
        """
        deposits = dict.fromkeys(deposit for order in orders for deposit in order.entry.deposits)
        for deposit in sorted(deposits, key=lambda deposit: DEPOSIT_KINDS.index(deposit.kind)):
            concerned = [
                order
                for order in orders
                if deposit in order.entry.deposits
                and _lacking(order, deposit)
                and not order.is_done
            ]
            if concerned:
                yield from self._search_deposit(deposit, concerned)

    def _search_deposit(self, deposit: Deposit, concerned: list[Order]) -> Iterator[Order]:
        with cache.hold(cache.DEPOSIT_PREFIX + _digest(deposit.url)) as workspace:
            # While this process waited for its turn, another may have searched the same deposit.
            orders = [order for order in concerned if not order.is_done]
            if orders:
                self._look_through(deposit, orders, workspace)
            for order in orders:
                if not order.lacking:
                    with cache.hold(cache.workspace_name(order.entry)) as own:
                        order.store(own)
        yield from (order for order in concerned if order.is_done)

    def _look_through(self, deposit: Deposit, orders: list[Order], workspace: Path) -> None:
        index = pixel_index.Index(order.entry for order in orders)
        by_id = {order.entry.id: order for order in orders}
        check = check_git_blob(deposit.git_blob) if deposit.git_blob else None
        try:
            locations = self._files(deposit, workspace)
        except UhcsBenchError as error:
            _note(orders, deposit, deposit.url, error)
            return
        searched = not locations
        for location, address in locations:
            if not any(_lacking(order, deposit) for order in orders):
                return
            try:
                path = self._retrieve(
                    location, workspace / _digest(location), deposit.max_bytes, None, check
                )
                for find in pixel_index.search(path, index, address):
                    # The first is the most trusted one, but a true row is worth more.
                    known = by_id[find.entry.id].finds.get(find.kind)
                    if known is None or len(find.filled_rows) < len(known.filled_rows):
                        by_id[find.entry.id].finds[find.kind] = find
                searched = True
            except UhcsBenchError as error:
                _note(orders, deposit, location, error)
        if searched:
            absent = Refused("it holds no file with these pixels")
            _note(orders, deposit, deposit.url, absent)

    def _files(self, deposit: Deposit, workspace: Path) -> list[tuple[str, str]]:
        """Where the files of a deposit can be had, and their public addresses."""
        if deposit.kind == "archive":
            return [(url, url) for url in listings.captures(self.client, deposit.url, workspace)]
        if deposit.kind == "page":
            return [(url, url) for url in listings.bitstreams(self.client, deposit.url, workspace)]
        locations = [in_mirror(self.mirror, deposit.url)] if self.mirror else []
        return [(location, deposit.url) for location in (*locations, deposit.url)]

    def _retrieve(
        self,
        location: str,
        path: Path,
        max_bytes: int,
        n_bytes: int | None,
        check: Callable[[Path], None] | None,
    ) -> Path:
        """Make a file available for reading, checked; `Refused` says why that failed."""
        if is_url(location):
            self.client.get(location, path, max_bytes, n_bytes, check)
            return path
        if not Path(location).is_file():
            raise Refused("there is no such file in the mirror")
        if check is not None:
            check(Path(location))
        return Path(location)


def is_url(location: str) -> bool:
    """Whether a location is in the network rather than a folder."""
    return location.startswith(("http://", "https://"))


def in_mirror(mirror: str, url: str) -> str:
    """Place of a public file in a mirror, which is a folder or a base URL.

    Examples
    --------
    >>> in_mirror("https://mirror.net/base/", "https://example.org/a%20b/c.png")
    'https://mirror.net/base/example.org/a%20b/c.png'
    """
    parts = urlsplit(url)
    if is_url(mirror):
        return f"{mirror.rstrip('/')}/{parts.netloc}{parts.path}"
    return str(Path(mirror).expanduser() / parts.netloc / unquote(parts.path).lstrip("/"))


def _lacking(order: Order, deposit: Deposit) -> tuple[FileKind, ...]:
    """List what a micrograph lacks that a deposit may have."""
    return tuple(kind for kind in order.lacking if kind == "image" or deposit.kind != "image")


def _note(orders: list[Order], deposit: Deposit, location: str, error: UhcsBenchError) -> None:
    for order in orders:
        for kind in _lacking(order, deposit):
            order.failures[kind].append(_failure(location, error))


def _failure(location: str, error: UhcsBenchError) -> Failure:
    host_wide = isinstance(error, HostRefused)
    return Failure(urlsplit(location).netloc if host_wide else location, str(error))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
