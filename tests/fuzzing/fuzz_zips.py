"""Search damaged and hostile zips for micrographs, and print a table of what becomes of them.

Run as ``python -m tests.fuzzing.fuzz_zips [CASES] [SEED]``. Every zip must be searched or refused
with a message, within `TIME_LIMIT_S` and `MEMORY_LIMIT_MB`, and whatever is found must be a
micrograph's true pixels. Anything else ends the run with the case's number.
"""

from __future__ import annotations

import bz2
import io
import lzma
import random
import resource
import struct
import sys
import tarfile
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests import faults
from tests.helpers import fault_server
from uhcs_bench.data import pixels
from uhcs_bench.data.download import pixel_index
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io.images import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from uhcs_bench.data.registry import Entry

MEMORY_LIMIT_MB = 200
TIME_LIMIT_S = 10
ADDRESS_SPACE = 4 << 30
SHAPE = (60, 50)
BOMB_BYTES = 1 << 26
"""What a member of a bomb inflates to."""


def micrographs() -> tuple[list[Entry], dict[str, bytes]]:
    """Make small micrographs, and the files that hold them."""
    chance = np.random.default_rng(0)
    entries, files = [], {}
    template = fault_server.micrographs("http://x")[0]
    for entry in template:
        found = {}
        for kind, n_levels in (("image", 256), ("labels", 2)):
            array = chance.integers(0, n_levels, SHAPE, np.uint8)
            files[f"{entry.id}/{kind}.png"] = fault_server.png(array)
            file = entry.files[kind]
            found[kind] = replace(file, pixel_sha256=pixels.pixel_sha256(array))
        entries.append(replace(entry, shape=SHAPE, files=found))
    return entries, files


ENTRIES, FILES = micrographs()
INDEX = pixel_index.Index(ENTRIES)
N_FILES = len(FILES)
DIRECTORY, LOCAL, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"


def whole(chance: random.Random, **options: int) -> bytearray:
    """Pack a sound zip, stored or deflated."""
    stream = io.BytesIO()
    method = options.get("method", chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))
    with zipfile.ZipFile(stream, "w", method) as opened:
        for name, content in FILES.items():
            opened.writestr(name, content)
    return bytearray(stream.getvalue())


def place(chance: random.Random, data: bytearray, magic: bytes) -> int:
    """Choose one of the records of a kind."""
    places, start = [], data.find(magic)
    while start >= 0:
        places.append(start)
        start = data.find(magic, start + 1)
    return chance.choice(places)


def sound(chance: random.Random) -> bytes:
    """Leave the zip as it is."""
    return whole(chance)


def flipped(chance: random.Random) -> bytes:
    """Flip some bits."""
    data = whole(chance)
    for _ in range(chance.choice((1, 1, 2, 8))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def cut(chance: random.Random) -> bytes:
    """Cut the zip off, or a piece out of it."""
    data = whole(chance)
    start = chance.randrange(len(data))
    del data[start : chance.choice((len(data), start + chance.randrange(1, 300)))]
    return data


def of_records(chance: random.Random) -> bytes:
    """Change a field of a record: sizes, offsets, checksums, flags, lengths of names."""
    data = whole(chance)
    start = place(chance, data, chance.choice((DIRECTORY, LOCAL, END)))
    offset = start + chance.randrange(4, 42, 2)
    value = chance.choice((0, 1, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF, chance.randrange(1 << 32)))
    data[offset : offset + 4] = struct.pack("<I", value)
    return data


def wrong_checksum(chance: random.Random) -> bytes:
    """Change one member's checksum."""
    data = whole(chance)
    data[place(chance, data, DIRECTORY) + 16] ^= 1
    return data


def compressed_otherwise(chance: random.Random) -> bytes:
    """Declare another compression."""
    data = whole(chance)
    method = chance.choice((1, 6, 9, 12, 14, 20, 93, 95, 97, 99, 0xFFFF))
    start = place(chance, data, DIRECTORY) + 10
    data[start : start + 2] = struct.pack("<H", method)
    return data


def empty_name(chance: random.Random) -> bytes:
    """Give a member no name."""
    stream = io.BytesIO()
    nameless = chance.choice(list(FILES))
    with zipfile.ZipFile(stream, "w") as opened:
        for name, content in FILES.items():
            info = zipfile.ZipInfo(name)
            info.filename = "" if name == nameless else name
            opened.writestr(info, content)
    return stream.getvalue()


def encrypted(chance: random.Random) -> bytes:
    """Declare a password."""
    data = whole(chance)
    data[place(chance, data, DIRECTORY) + 8] |= 1
    return data


def hostile_names(chance: random.Random) -> bytes:
    """Give members names that lead elsewhere, act on a terminal, or are no text."""
    stream = io.BytesIO()
    names = ["../../x.png", "/etc/x.png", "C:\\x.png", "\x1b[2J.png", "a" * 60_000, "\0.png"]
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(stream, "w") as opened:
        for content in FILES.values():
            info = zipfile.ZipInfo("x")
            info.filename = chance.choice(names)
            opened.writestr(info, content)
    return stream.getvalue()


def bomb(chance: random.Random) -> bytes:
    """Let a member that begins like an image or a zip inflate to much more."""
    method = chance.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    magic = chance.choice((b"\x89PNG", b"PK\x03\x04", b"II*\0", b"text"))
    if (method, magic) not in PACKED:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as opened:
            opened.writestr("x.png", magic + bytes(BOMB_BYTES))
        PACKED[method, magic] = stream.getvalue()
    return PACKED[method, magic]


PACKED: dict[tuple[int, bytes], bytes] = {}
"""Bombs, which take long to make."""


def nested(chance: random.Random) -> bytes:
    """Put zips into zips."""
    data = bytes(whole(chance))
    for _ in range(chance.randrange(1, 6)):
        data = fault_server.zipped({"inner.zip": data, "x.png": next(iter(FILES.values()))})
    return data


def crowded(chance: random.Random) -> bytes:
    """List many members, or more than are there."""
    key = -1, b""
    if key not in PACKED:
        PACKED[key] = fault_server.zipped(dict.fromkeys(map(str, range(60_000)), b""))
    data = bytearray(PACKED[key])
    if chance.random() < 0.5:
        end = data.rindex(END)
        data[end + 12 : end + 16] = struct.pack("<I", chance.randrange(1 << 32))
    return data


def overlapping(chance: random.Random) -> bytes:
    """Let all members be the same bytes."""
    data = whole(chance)
    start = data.find(DIRECTORY)
    while start >= 0:
        data[start + 42 : start + 46] = bytes(4)
        start = data.find(DIRECTORY, start + 1)
    return data


def another_archive(chance: random.Random) -> bytes:
    """Give a tar, plain or compressed."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=chance.choice(("w", "w:gz", "w:bz2", "w:xz"))) as opened:
        for name, content in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def of_macos(_chance: random.Random) -> bytes:
    """Add what macOS notes about each file."""
    forks = {f"__MACOSX/._{name}": b"\x89PNGforks" for name in FILES}
    return fault_server.zipped({**forks, **FILES})


def garbage(chance: random.Random) -> bytes:
    """Begin like a zip, a bz2 or an xz, and go on at random."""
    begin = chance.choice((LOCAL, bz2.compress(b"a"), lzma.compress(b"a"), LOCAL + END))
    return begin + chance.randbytes(chance.randrange(2000))


KINDS: dict[str, Callable[[random.Random], bytes]] = {
    "sound": sound,
    "bits flipped": flipped,
    "cut": cut,
    "fields of records": of_records,
    "wrong checksum": wrong_checksum,
    "another compression": compressed_otherwise,
    "no name": empty_name,
    "encrypted": encrypted,
    "hostile names": hostile_names,
    "zips in zips": nested,
    "members at one place": overlapping,
    "another archive": another_archive,
    "of macOS": of_macos,
    "garbage": garbage,
    "bomb": bomb,
    "60,000 members": crowded,
}
RARE = {"bomb": 20, "60,000 members": 20}
"""Kinds that take time; each is tried once in so many rounds."""


@dataclass
class Row:
    """What became of one kind."""

    outcomes: Counter[str] = field(default_factory=Counter)
    largest_mb: float = 0
    longest_s: float = 0
    """Seconds of the processor."""


def try_zip(kind: str, chance: random.Random, path: Path, row: Row) -> None:
    """Search a zip of a kind."""
    path.write_bytes(KINDS[kind](chance))
    meter, problems = faults.Row(), []
    start = time.process_time()  # a clock on the wall measures what else the machine does
    try:
        with faults.metered(meter):
            finds = list(pixel_index.search(path, INDEX, "a.zip", problems))
    except (UhcsBenchError, ImageError) as error:
        if not str(error):
            raise AssertionError("was refused without a reason") from error
        row.outcomes["refused"] += 1
    else:
        for find in finds:
            if pixels.pixel_sha256(find.array) != find.entry.files[find.kind].pixel_sha256:
                raise AssertionError("gave other pixels")
        complete = len({(find.entry.id, find.kind) for find in finds}) == N_FILES
        row.outcomes["all found" if complete else "rest found" if finds else "nothing found"] += 1
        if not complete and not problems and kind in ("wrong checksum", "another compression"):
            raise AssertionError("lacks a file without a word")
    elapsed_s = time.process_time() - start
    row.largest_mb = max(row.largest_mb, meter.largest_mb)
    row.longest_s = max(row.longest_s, elapsed_s)
    if meter.largest_mb > MEMORY_LIMIT_MB or elapsed_s > TIME_LIMIT_S:
        raise AssertionError(f"took {meter.largest_mb:.0f} MB and {elapsed_s:.1f} s")


def run(cases: int, seed: int) -> dict[str, Row]:
    """Try so many zips, all kinds in turn."""
    rows = {kind: Row() for kind in KINDS}
    done = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.zip"
        number = 0
        while done < cases:
            for kind in KINDS:
                if number % RARE.get(kind, 1) == 0 and done < cases:
                    chance = random.Random(f"{seed} {kind} {number}")
                    try:
                        try_zip(kind, chance, path, rows[kind])
                    except BaseException as error:
                        raise AssertionError(f"{kind}, case {number} of seed {seed}") from error
                    done += 1
            number += 1
    return rows


def table(rows: dict[str, Row]) -> str:
    """Lay the outcomes out."""
    from tabulate import tabulate

    outcomes = ("all found", "rest found", "nothing found", "refused")
    lines = [
        (
            kind,
            row.outcomes.total(),
            *(row.outcomes[outcome] for outcome in outcomes),
            f"{row.largest_mb:.0f}",
            f"{row.longest_s:.2f}",
        )
        for kind, row in rows.items()
    ]
    return tabulate(lines, ("kind", "tries", *outcomes, "largest MB", "longest CPU s"))


def main() -> None:
    """Run the cases within a limit of memory and print the table."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    cases, seed = (*map(int, sys.argv[1:]), *(2000, 7)[len(sys.argv) - 1 :])
    start = time.monotonic()
    sys.stdout.write(table(run(cases, seed)) + "\n")
    sys.stdout.write(f"{cases} zips of seed {seed} in {time.monotonic() - start:.0f} s\n")


if __name__ == "__main__":
    main()
