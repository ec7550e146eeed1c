"""Survey of the sources: which of them answer now, and what each would give."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from uhcs_bench import protocol
from uhcs_bench.data import registry
from uhcs_bench.data.download import listings, settings
from uhcs_bench.data.download.http import Client, Patience, Refused
from uhcs_bench.data.download.sources import DEPOSIT_KINDS, KINDS, in_mirror, is_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from uhcs_bench.data.registry import Deposit, Entry, FileKind

SCHEMA = "uhcs-bench/sources/1"
_PATIENCE = Patience(connect_s=5, read_s=15, attempts=1)


@dataclass(frozen=True)
class Status:
    """A source at this moment.

    Attributes
    ----------
    name : str
    address : str
        What was asked for: one of its files, or its index.
    answers : bool
    detail : str
        What came, or why nothing did.
    gives : str
        What it would give.
    checked_by : str
        What proves that its files are the right ones.
    """

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
    probes = [*_pinned(entries), *_deposits(entries)]
    # One after another, hosts that don't answer would take a time-out each.
    with ThreadPoolExecutor(len(probes) or 1) as pool:
        states = list(pool.map(lambda probe: _ask(client, probe), probes))
    asked = [
        Status(probe.name, probe.address, *state, probe.gives, probe.checked_by)
        for probe, state in zip(probes, states, strict=True)
    ]
    return _mirror(client, entries) + asked


@dataclass(frozen=True)
class _Probe:
    name: str
    address: str
    gives: str
    checked_by: str
    deposit: Deposit | None = None


def _pinned(entries: list[Entry]) -> list[_Probe]:
    counts: dict[str, Counter[str]] = {}
    examples: dict[str, str] = {}
    for entry in entries:
        for kind in KINDS:
            for source in entry.files[kind].sources:
                name = _name(source.url)
                examples.setdefault(name, source.url)
                counts.setdefault(name, Counter())[_what(entry, kind)] += 1
    return [
        _Probe(name, examples[name], _sum(count), "sha256 of the file, then of the pixels")
        for name, count in counts.items()
    ]


def _deposits(entries: list[Entry]) -> list[_Probe]:
    by_name: dict[str, list[tuple[Deposit, Entry]]] = {}
    for entry in entries:
        for deposit in entry.deposits:
            name = "Internet Archive" if deposit.kind == "archive" else _name(deposit.url)
            if deposit.kind == "zip":
                name += f" {Path(deposit.url).name}"
            by_name.setdefault(name, []).append((deposit, entry))
    probes = []
    ordered = sorted(by_name.items(), key=lambda item: DEPOSIT_KINDS.index(item[1][0][0].kind))
    for name, held in ordered:
        deposit = held[0][0]
        kinds = KINDS[:1] if deposit.kind == "image" else KINDS
        count = Counter(_what(entry, kind) for _, entry in held for kind in kinds)
        gives = _sum(count)
        if deposit.kind in ("archive", "page"):
            gives = f"whatever it has of: {gives}"
        proof = "git blob id, then sha256 of the pixels" if deposit.git_blob else "sha256 of pixels"
        probes.append(_Probe(name, deposit.url, gives, proof, deposit))
    return probes


def _ask(client: Client, probe: _Probe) -> tuple[bool, str]:
    listing = probe.deposit and {"archive": listings.captures, "page": listings.bitstreams}.get(
        probe.deposit.kind
    )
    try:
        if not listing:
            client.probe(probe.address)
            return True, "answers"
        with TemporaryDirectory() as folder:
            found = listing(client, probe.address, Path(folder))
        return bool(found), f"answers; lists {len(found)} files"
    except Refused as error:
        return False, str(error)


def _mirror(client: Client, entries: list[Entry]) -> list[Status]:
    mirror = settings.mirror()
    if not mirror:
        return []
    urls = [
        (_what(entry, kind), source.url)
        for entry in entries
        for kind in KINDS
        for source in entry.files[kind].sources
    ]
    proof = "as the source that it copies"
    if is_url(mirror):
        address = in_mirror(mirror, urls[0][1])
        answers, detail = _ask(client, _Probe("", address, "", ""))
        return [Status("mirror", address, answers, detail, "files of all sources below", proof)]
    there = {(what, url) for what, url in urls if Path(in_mirror(mirror, url)).is_file()}
    gives = _sum(Counter(what for what, _ in there))
    detail = f"has {len({url for _, url in there})} of {len({url for _, url in urls})} files"
    return [Status("mirror", mirror, bool(there), detail, gives, proof)]


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
