"""Survey of the sources: which of them answer now, and what each would give."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from uhcs_bench import protocol
from uhcs_bench.data import registry
from uhcs_bench.data.download import listings, settings
from uhcs_bench.data.download.http import Client, Patience, Refused, without_secrets
from uhcs_bench.data.download.sources import DEPOSIT_KINDS, KINDS, in_mirror, is_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from uhcs_bench.data.registry import DepositKind, Entry, FileKind

SCHEMA = "uhcs-bench/sources/1"
_PATIENCE = Patience(connect_s=5, read_s=15, attempts=1)


@dataclass(frozen=True)
class Status:
    """A source at this moment: the file or index asked for, its answer, and what it would give."""

    name: str
    address: str
    answers: bool
    detail: str
    gives: str
    checked_by: str


def survey(entries: Iterable[Entry] | None = None) -> list[Status]:
    """Ask every source for its first byte.

    Parameters
    ----------
    entries : iterable of Entry, optional
        Micrographs whose sources are asked.  [default: all real ones]

    Returns
    -------
    list of Status
        In the order in which sources are tried.
    """
    if entries is None:
        entries = [entry for task in protocol.TASKS for entry in registry.entries(task)]
    entries = list(entries)
    client = Client(settings.offline(), _PATIENCE)
    probes = [*_sources(entries), *_deposits(entries)]
    # One after another, hosts that don't answer would take a time-out each.
    with ThreadPoolExecutor(len(probes) or 1) as pool:
        return _mirror(client, entries) + list(pool.map(lambda probe: probe.ask(client), probes))


@dataclass
class _Probe:
    name: str
    address: str
    checked_by: str
    kind: DepositKind | None = None
    gives: Counter[str] = field(default_factory=Counter)

    def ask(self, client: Client) -> Status:
        """Ask for the file or index."""
        listing = listings.OF_KIND.get(self.kind)
        gives = f"whatever it has of: {_sum(self.gives)}" if listing else _sum(self.gives)
        try:
            if listing:
                n_found = len(listing(client, self.address))
                answers, detail = n_found > 0, f"answers; lists {n_found} files"
            else:
                client.probe(self.address)
                answers, detail = True, "answers"
        except Refused as error:
            answers, detail = False, without_secrets(str(error))
        return Status(self.name, self.address, answers, detail, gives, self.checked_by)


def _sources(entries: list[Entry]) -> Iterable[_Probe]:
    probes: dict[str, _Probe] = {}
    for entry in entries:
        for kind in KINDS:
            for source in entry.files[kind].sources:
                name = _name(source.url)
                new = _Probe(name, source.url, "sha256 of the file, then of the pixels")
                probes.setdefault(name, new).gives[_what(entry, kind)] += 1
    return probes.values()


def _deposits(entries: list[Entry]) -> Iterable[_Probe]:
    probes: dict[str, _Probe] = {}
    for entry in entries:
        for deposit in entry.deposits:
            name = "Internet Archive" if deposit.kind == "archive" else _name(deposit.url)
            if deposit.kind == "zip":
                name += f" {Path(deposit.url).name}"
            blob = "git blob id, then sha256 of the pixels"
            proof = blob if deposit.git_blob else "sha256 of pixels"
            new = _Probe(name, deposit.url, proof, deposit.kind)
            kinds = KINDS[:1] if deposit.kind == "image" else KINDS
            probes.setdefault(name, new).gives.update(_what(entry, kind) for kind in kinds)
    return sorted(probes.values(), key=lambda probe: DEPOSIT_KINDS.index(probe.kind or "zip"))


def _mirror(client: Client, entries: list[Entry]) -> list[Status]:
    mirror = settings.mirror()
    files = [
        (_what(entry, kind), in_mirror(mirror, source.url))
        for entry in entries
        for kind in KINDS
        for source in entry.files[kind].sources
    ]
    proof = "as the source that it copies"
    if is_url(mirror):
        state = _Probe("mirror", files[0][1], proof).ask(client)
        address = without_secrets(state.address)
        return [replace(state, address=address, gives="files of all sources below")]
    there = {(what, path) for what, path in files if mirror and Path(path).is_file()}
    gives = _sum(Counter(what for what, _ in there))
    detail = f"has {len({path for _, path in there})} of {len({path for _, path in files})} files"
    return [Status("mirror", mirror, bool(there), detail, gives, proof)] if mirror else []


def to_text(states: Iterable[Status]) -> str:
    """Table of a survey, for a terminal."""
    from tabulate import tabulate

    rows = [(state.name, state.detail, state.gives) for state in states]
    # The longest words fit: names of repositories and hosts, and of exceptions.
    return tabulate(rows, ("source", "answer", "would give"), maxcolwidths=[32, 21, 23])


def to_json(states: Iterable[Status]) -> str:
    """Survey in machine-readable form."""
    return json.dumps({"schema": SCHEMA, "sources": [vars(state) for state in states]}, indent=1)


def _name(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc == "raw.githubusercontent.com":
        return "GitHub " + "/".join(unquote(parts.path).split("/")[1:3])
    return parts.netloc


def _what(entry: Entry, kind: FileKind) -> str:
    return f"{'images' if kind == 'image' else 'label maps'} of {entry.task}"


def _sum(count: Counter[str]) -> str:
    return ", ".join(f"{n} {what}" for what, n in sorted(count.items())) or "nothing"
