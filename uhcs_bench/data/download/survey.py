"""Survey of the sources: which of them answer now."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from uhcs_bench import protocol
from uhcs_bench.data import registry
from uhcs_bench.data.download import listings, settings
from uhcs_bench.data.download.http import Client, Patience, Refused, without_secrets
from uhcs_bench.data.download.sources import DEPOSIT_KINDS, in_mirror, is_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from uhcs_bench.data.registry import DepositKind, Entry

SCHEMA = "uhcs-bench/sources/2"
_PATIENCE = Patience(connect_s=5, read_s=15, attempts=1)


@dataclass(frozen=True)
class Status:
    """A source at this moment: the file or index that was asked for, and its answer."""

    name: str
    address: str
    answers: bool
    detail: str


def survey(entries: Iterable[Entry] | None = None) -> list[Status]:
    """Ask every source for its first byte.

    Parameters
    ----------
    entries : iterable of Entry, optional
        Micrographs whose sources are asked.  [default: all real ones]

    Returns
    -------
    list of Status
        In the order in which sources are tried. Addresses hold neither passwords nor queries.
    """
    if entries is None:
        entries = [entry for task in protocol.TASKS for entry in registry.entries(task)]
    entries = list(entries)
    client, mirror = Client(settings.offline(), _PATIENCE), settings.mirror()
    urls = [s.url for entry in entries for file in entry.files.values() for s in file.sources]
    deposits = {deposit for entry in entries for deposit in entry.deposits}
    ordered = sorted(deposits, key=lambda found: (DEPOSIT_KINDS.index(found.kind), found.url))
    probes: dict[str, tuple[str, DepositKind | None]] = {}
    if is_url(mirror) and urls:
        probes["mirror"] = in_mirror(mirror, urls[0]), None
    for url in urls:
        probes.setdefault(_name(url), (url, None))
    for deposit in ordered:
        probes.setdefault(_name(deposit.url, deposit.kind), (deposit.url, deposit.kind))
    # One after another, hosts that don't answer would take a time-out each.
    with ThreadPoolExecutor(len(probes) or 1) as pool:
        states = list(pool.map(lambda name: _ask(client, name, *probes[name]), probes))
    if mirror and not is_url(mirror):
        there = sum(Path(in_mirror(mirror, url)).is_file() for url in urls)
        found = f"has {there} of {len(urls)} files"
        states.insert(0, Status("mirror", mirror, bool(there), found))
    return states


def _ask(client: Client, name: str, url: str, kind: DepositKind | None) -> Status:
    listing = listings.OF_KIND.get(kind)
    answers, detail = True, "answers"
    try:
        if listing:
            detail = f"answers; lists {len(listing(client, url))} files"
        else:
            client.probe(url)
    except Refused as error:
        answers, detail = False, without_secrets(str(error))
    return Status(name, without_secrets(url), answers, detail)


def to_text(states: Iterable[Status]) -> str:
    """Table of a survey, for a terminal."""
    from tabulate import tabulate

    rows = [(state.name, state.detail) for state in states]
    return tabulate(rows, ("source", "answer"), maxcolwidths=[36, 40])


def to_json(states: Iterable[Status]) -> str:
    """Survey in machine-readable form."""
    return json.dumps({"schema": SCHEMA, "sources": [vars(state) for state in states]}, indent=1)


def _name(url: str, kind: DepositKind | None = None) -> str:
    parts = urlsplit(url)
    if parts.netloc == "web.archive.org":
        return "Internet Archive"
    if parts.netloc != "raw.githubusercontent.com":
        place = parts.netloc
    else:
        place = "GitHub " + "/".join(unquote(parts.path).split("/")[1:3])
    return f"{place} {Path(url).name}" if kind == "zip" else place
