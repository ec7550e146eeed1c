"""Fetch from servers that fail in every way we know, and kill fetching clients; print a table.

Run as ``python tests/faults.py [--kills N] [--repeats N]``. After each fault the cache may hold
only whole micrographs, the client must have ended in time, and the next fetch from a sound server
must complete the cache. All servers are on this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.helpers.fault_server import (
    CASES,
    PATIENCE,
    SHAPE,
    TIME_LIMIT_S,
    Answer,
    Case,
    FaultyServer,
    dies,
    serving,
)
from uhcs_bench.data.download import cache, fetch, settings
from uhcs_bench.data.download import http as download
from uhcs_bench.errors import DataUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MEMORY_LIMIT_MB = 100

CLIENT = """
import pickle, sys
from uhcs_bench.data.download import fetch
from uhcs_bench.data.download import http as download
download.PATIENCE, entries = pickle.load(sys.stdin.buffer)
fetch.fetch(entries)
"""
CLIENTS = """
import os, pickle, sys
import tqdm
from uhcs_bench.data.download import fetch, sources
from uhcs_bench.data.download import http as download
while True:
    order = pickle.load(sys.stdin.buffer)
    if isinstance(order, int):
        print(os.waitstatus_to_exitcode(os.waitpid(order, 0)[1]), flush=True)
        continue
    variables, download.PATIENCE, entries = order
    pid = os.fork()
    if not pid:
        os.environ.update(variables)
        fetch.fetch(entries)
        os._exit(0)
    print(pid, flush=True)
"""
"""A process that has imported all modules, forks clients, and says how they ended."""


@dataclass
class Row:
    """What became of one kind of fault.

    Attributes
    ----------
    count, as_expected, corrupted, hung, recovered : int
        Trials; how many ended as they should; caches with a damaged micrograph; clients that did
        not end in time; caches that the next fetch completed.
    longest_s, largest_mb : float
        Of the fetches; the memory is what they took beyond what was taken before.
    notes : dict of str to int
    """

    count: int = 0
    as_expected: int = 0
    corrupted: int = 0
    hung: int = 0
    recovered: int = 0
    longest_s: float = 0
    largest_mb: float = 0
    notes: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def is_sound(self) -> bool:
        """Whether nothing went wrong."""
        sound = self.as_expected == self.recovered == self.count
        return sound and not self.corrupted + self.hung and self.largest_mb < MEMORY_LIMIT_MB


def memory_mb(name: str) -> float:
    """Memory of this process: ``VmRSS``, what it takes, or ``VmHWM``, the most that it took."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1024
    return 0


@contextlib.contextmanager
def metered(row: Row) -> Iterator[None]:
    """Measure memory and time of what is done, where the system can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the most so far is forgotten
    before, start = memory_mb("VmRSS"), time.monotonic()
    try:
        yield
    finally:
        row.longest_s = max(row.longest_s, time.monotonic() - start)
        row.largest_mb = max(row.largest_mb, memory_mb("VmHWM") - before)


@contextlib.contextmanager
def environment(folder: Path) -> Iterator[None]:
    """Let the package use an empty cache, no mirror, and little patience."""
    variables = {
        settings.CACHE_VARIABLE: str(folder),
        settings.OFFLINE_VARIABLE: "0",
        settings.MIRROR_VARIABLE: "",
    }
    with mock.patch.dict(os.environ, variables), mock.patch.object(download, "PATIENCE", PATIENCE):
        yield


@contextlib.contextmanager
def trial() -> Iterator[FaultyServer]:
    """Run a server and let the package use an empty cache."""
    with (
        tempfile.TemporaryDirectory() as folder,
        environment(Path(folder)),
        serving() as server,
    ):
        yield server


def conclude(row: Row, server: FaultyServer, elapsed_s: float) -> None:
    """Inspect the cache after a fault, and complete it from a sound server."""
    row.count += 1
    row.longest_s = max(row.longest_s, elapsed_s)
    row.hung += elapsed_s > TIME_LIMIT_S
    row.corrupted += bool(fetch.verify(server.entries).damaged)
    server.fault = Answer.well
    server.asked.clear()
    fetch.fetch(server.entries)
    files = {path.name for path in cache.cache_folder().rglob("*") if path.is_file()}
    expected = {f"{entry.id}{end}" for entry in server.entries for end in (".npy", ".json")}
    intact = fetch.verify(server.entries).n_intact == len(server.entries)
    row.recovered += intact and files == {*expected, cache.LOCK_NAME}


def serve_fault(case: Case, repeats: int = 1) -> Row:
    """Fetch from a server with a fault."""
    row = Row()
    for _ in range(repeats):
        with (
            tempfile.TemporaryDirectory() as folder,
            environment(Path(folder)),
            serving() as server,
        ):
            server.fault = case.fault
            start = time.monotonic()
            try:
                with metered(row):
                    fetch.fetch(server.entries)
                row.as_expected += case.refusal is None
            except DataUnavailableError as error:
                row.as_expected += case.refusal is not None and case.refusal in str(error)
            conclude(row, server, time.monotonic() - start)
    return row


class Clients:
    """Processes that fetch all micrographs of a server; each starts without importing anything."""

    def __init__(self) -> None:
        self.parent = subprocess.Popen(
            [sys.executable, "-c", CLIENTS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def start(self, server: FaultyServer) -> int:
        """Start a client and give its process id."""
        return self._ask((dict(os.environ), PATIENCE, server.entries))

    def end(self, pid: int) -> int:
        """Wait for a client to end, and kill it if it does not; give its exit code."""
        killer = threading.Timer(TIME_LIMIT_S, os.kill, (pid, signal.SIGKILL))
        killer.start()
        try:
            return self._ask(pid)
        finally:
            killer.cancel()

    def _ask(self, order: object) -> int:
        self.parent.stdin.write(pickle.dumps(order))
        self.parent.stdin.flush()
        return int(self.parent.stdout.readline())

    def close(self) -> None:
        """End the process that starts clients."""
        self.parent.kill()
        self.parent.communicate()


def kill(count: int, as_zip: bool = False, seed: int = 0) -> Row:
    """Kill clients (SIGKILL) at random moments, half of them just when a micrograph is written."""
    row = Row()
    chance = random.Random(seed)
    with contextlib.closing(Clients()) as clients:
        duration_s = 0.0
        while row.count < count:
            with trial() as server:
                if as_zip:
                    server.keep_a_zip()
                server.fault = lambda answer, content: answer.well(content, pace_s=0.001)
                pid = clients.start(server)
                start = time.monotonic()
                if not duration_s:
                    # Undisturbed, to know how long a client takes.
                    clients.end(pid)
                    duration_s = time.monotonic() - start
                    continue
                if row.count % 2:
                    time.sleep(chance.uniform(0, duration_s))
                else:
                    # Of all moments, those around the writing of a micrograph are most delicate.
                    path = cache.cache_path(chance.choice(server.entries)).with_suffix(".json")
                    while not path.exists() and time.monotonic() < start + duration_s:
                        time.sleep(0.0001)
                    time.sleep(chance.uniform(0, 0.01))
                os.kill(pid, signal.SIGKILL)  # nobody else has its id, as it is waited for below
                code = clients.end(pid)
                row.as_expected += code in (-signal.SIGKILL, 0)
                row.notes["ended before"] += code == 0
                folder = cache.cache_folder()
                row.notes["left parts"] += any((folder / ".partial").glob("*"))
                row.notes["left a part of the set"] += 0 < len([*folder.rglob("*.npy")]) < 3
                conclude(row, server, time.monotonic() - start)
    return row


def crowd(n_clients: int = 8, as_zip: bool = False, repeats: int = 1) -> Row:
    """Let several processes fetch into one cache at once, from a server that dies mid-file."""
    row = Row()
    with contextlib.closing(Clients()) as clients:
        for _ in range(repeats):
            with trial() as server:
                if as_zip:
                    server.keep_a_zip()
                server.fault = dies
                start = time.monotonic()
                pids = [clients.start(server) for _ in range(n_clients)]
                stop = threading.Event()
                damaged: list[object] = []
                reader = threading.Thread(target=read_on, args=(server, stop, damaged))
                reader.start()
                codes = [clients.end(pid) for pid in pids]
                stop.set()
                reader.join()
                row.corrupted += bool(damaged)
                once = all(server.asked[path] == 2 for path in server.files)
                row.notes["each file fetched once"] += once
                row.as_expected += not any(codes)
                conclude(row, server, time.monotonic() - start)
    return row


def read_on(server: FaultyServer, stop: threading.Event, damaged: list[object]) -> None:
    """Read micrographs while they are being written, as long as nobody stops it."""
    while not stop.is_set():
        for entry in server.entries:
            try:
                fetch.read(entry)
            except FileNotFoundError:
                continue
            except DataUnavailableError as error:
                damaged.append(error)
        time.sleep(0.0005)


def fill_disk(repeats: int = 1) -> Row:
    """Let the system refuse to write on, at a random point of a file."""
    row = Row()
    chance = random.Random(0)
    for _ in range(repeats):
        limit = chance.choice((100, 5000, 100_000, SHAPE[0] * SHAPE[1]))
        with (
            tempfile.TemporaryDirectory() as folder,
            environment(Path(folder)),
            serving() as server,
        ):
            start = time.monotonic()
            program = f"import resource; resource.setrlimit({resource.RLIMIT_FSIZE}, ({limit},)*2)"
            result = subprocess.run(
                [sys.executable, "-c", program + CLIENT],
                input=pickle.dumps((PATIENCE, server.entries)),
                capture_output=True,
                timeout=TIME_LIMIT_S,
                check=False,
            )
            row.as_expected += b"can't be written (File too large). Free some room" in result.stderr
            conclude(row, server, time.monotonic() - start)
    return row


def flip_bit(path: Path, chance: random.Random) -> None:
    """Flip a bit of the pixels."""
    content = bytearray(path.read_bytes())
    content[chance.randrange(200, len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def flip_labels(path: Path, chance: random.Random) -> None:
    """Change 50,000 labels, each to another class."""
    content = bytearray(path.read_bytes())
    for place in chance.sample(range(len(content) - SHAPE[0] * SHAPE[1], len(content)), 50_000):
        content[place] ^= 1
    path.write_bytes(content)


def exchange(path: Path, _chance: random.Random) -> None:
    """Let two micrographs' files change places."""
    other = next(found for found in path.parent.glob("*.npy") if found != path)
    content = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(content)


def truncate(path: Path, chance: random.Random) -> None:
    """Cut a file off."""
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def lie_about_shape(path: Path, _chance: random.Random) -> None:
    """Declare an array of terabytes."""
    path.write_bytes(path.read_bytes().replace(b"(2, 800, 1000)", b"(2, 900, 9**9)", 1))


def drop_origin(path: Path, _chance: random.Random) -> None:
    """Remove the file that says where a micrograph came from."""
    path.with_suffix(".json").unlink()


def nest_origin(path: Path, _chance: random.Random) -> None:
    """Nest JSON deeply."""
    path.with_suffix(".json").write_text("[" * 100_000)


def put_a_link(path: Path, _chance: random.Random) -> None:
    """Put a link to another micrograph in a file's place."""
    other = next(found for found in path.parent.glob("*.npy") if found != path)
    path.unlink()
    path.symlink_to(other.name)


DAMAGES = {
    "a bit of the pixels": flip_bit,
    "50,000 labels": flip_labels,
    "two files exchanged": exchange,
    "truncated": truncate,
    "lying shape": lie_about_shape,
    "origin gone": drop_origin,
    "origin nested": nest_origin,
    "a link to another": put_a_link,
}


def damage_cache(name: str, repeats: int = 1) -> Row:
    """Damage a file of the cache; it may not be read, and the next fetch renews it."""
    row, chance = Row(), random.Random(0)
    for _ in range(repeats):
        with trial() as server:
            fetch.fetch(server.entries)
            DAMAGES[name](cache.cache_path(chance.choice(server.entries)), chance)
            refused = 0
            with metered(row):
                for entry in server.entries:
                    try:
                        fetch.read(entry)
                    except cache.DamagedError:
                        refused += 1
            row.as_expected += refused == (2 if name == "two files exchanged" else 1)
            server.asked.clear()
            fetch.fetch(server.entries)
            conclude(row, server, 0)
    return row


def table(rows: Mapping[str, Row]) -> str:
    """Write the fault table."""
    from tabulate import tabulate

    columns = (
        "case",
        "count",
        "as expected",
        "corrupted",
        "hung",
        "recovered",
        "longest s",
        "largest MB",
        "",
    )
    return tabulate(
        [
            (
                *(name, row.count, row.as_expected, row.corrupted, row.hung, row.recovered),
                f"{row.longest_s:.1f}",
                f"{row.largest_mb:.0f}",
                ", ".join(f"{note}: {n}" for note, n in row.notes.items() if n),
            )
            for name, row in rows.items()
        ],
        columns,
    )


def main() -> None:
    """Run all cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    rows = {name: serve_fault(case, options.repeats) for name, case in CASES.items()}
    rows |= {f"cache: {name}": damage_cache(name, options.repeats) for name in DAMAGES}
    rows["disk full"] = fill_disk(options.repeats)
    rows["eight clients at once"] = crowd(repeats=options.repeats)
    rows["eight clients at once, zip"] = crowd(as_zip=True, repeats=options.repeats)
    rows["kill -9 of the client"] = kill(options.kills)
    rows["kill -9 of the client, zip"] = kill(options.kills // 4, as_zip=True)
    sys.stdout.write(table(rows) + "\n")
    sys.exit(not all(row.is_sound for row in rows.values()))


if __name__ == "__main__":
    main()
