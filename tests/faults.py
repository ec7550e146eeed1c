"""Fetch from servers that fail in every way we know, and kill fetching clients; print a table.

Run as ``python tests/faults.py [--kills N] [--repeats N]``. After each fault the cache may hold
only whole micrographs, the client must have ended in time, and the next fetch from a sound server
must complete the cache. All servers are on this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import http.server
import io
import os
import pickle
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
from PIL import Image

from uhcs_bench.data import pixels
from uhcs_bench.data.download import cache, fetch, settings
from uhcs_bench.data.download import http as download
from uhcs_bench.data.registry import Deposit, Entry, File, HeatTreatment, PixelSize, Source
from uhcs_bench.errors import DataUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SHAPE = (800, 1000)
"""Larger than real micrographs, so that writing them takes long enough to be interrupted."""
COARSE = (40, 50)
"""Before magnification, so that their files are small and quickly sent."""
N_MICROGRAPHS = 3
MEMORY_LIMIT_MB = 100
TIME_LIMIT_S = 30
"""No fetch of the few small files here may take longer: it would hang."""

PATIENCE = download.Patience(
    connect_s=2, read_s=0.3, attempts=3, backoff_s=0.005, longest_wait_s=2, grace_s=2
)
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


def png(array: np.ndarray) -> bytes:
    """Encode an array."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def zipped(members: Mapping[str, bytes]) -> bytes:
    """Pack a zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return stream.getvalue()


def git_blob(content: bytes) -> str:
    """Name a file's content as git does."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def micrographs(base: str) -> tuple[list[Entry], dict[str, bytes]]:
    """Make micrographs, with their sources at a base URL, and the files that belong there."""
    files: dict[str, bytes] = {}
    chance = np.random.default_rng(0)

    def file(name: str, n_levels: int) -> File:
        coarse = chance.integers(0, n_levels, COARSE, np.uint8)
        array = np.kron(coarse, np.ones((20, 20), np.uint8))
        files[f"/{name}"] = content = png(array)
        sha256 = hashlib.sha256(content).hexdigest()
        source = Source(f"{base}/{name}", sha256, len(content), (0, SHAPE[0]))
        return File(pixels.pixel_sha256(array), 0, (source,), "")

    entries = [
        Entry(
            task="particles",
            id=f"m{i}",
            version="1.0",
            fold=0,
            shape=SHAPE,
            uhcsdb_id=None,
            pixel_size=PixelSize(None, "none", {}, False),
            heat_treatment=HeatTreatment(None, None, None, None),
            licence="",
            citation=(),
            files={
                "image": file(f"{i}/image.png", 256),
                "labels": file(f"{i}/labels.png", 2),
            },
        )
        for i in range(N_MICROGRAPHS)
    ]
    return entries, files


class Answer(http.server.BaseHTTPRequestHandler):
    """A request, with the ways to answer it, well or badly."""

    server: FaultyServer

    def do_GET(self) -> None:
        """Answer as the server's fault has it."""
        self.server.asked[self.path] += 1
        content = self.server.files.get(self.path)
        # A client that has seen enough closes the connection.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if content is None:
                self.send_error(404)
            else:
                self.server.fault(self, content)

    @property
    def times_asked(self) -> int:
        """How often this file has been asked for, this time included."""
        return self.server.asked[self.path]

    def well(self, content: bytes, upto: int | None = None, pace_s: float = 0) -> None:
        """Send a file; break off or dawdle if so told."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.body(content[:upto], pace_s)

    def body(self, content: bytes, pace_s: float = 0) -> None:
        """Send bytes, all at once or a little now and then."""
        step = 256 if pace_s else len(content) or 1
        for start in range(0, len(content), step):
            self.wfile.write(content[start : start + step])
            self.wfile.flush()
            if pace_s and self.server.stopping.wait(pace_s):
                return

    def plain(self, content: bytes, length: int | None = None) -> None:
        """Send a file of any announced length."""
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.body(content)

    def busy(self, status: int, retry_after: int | str | None = None) -> None:
        """Ask to come back later."""
        self.send_response(status)
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def redirect(self, to: str) -> None:
        """Send elsewhere."""
        self.send_response(302)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Stay silent."""


class FaultyServer(http.server.ThreadingHTTPServer):
    """A server of a few files that answers as its fault has it."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: Counter[str] = Counter()
        self.stopping = threading.Event()
        self.fault: Callable[[Answer, bytes], None] = Answer.well
        self.entries, self.files = micrographs(f"http://127.0.0.1:{self.server_port}")

    def keep_a_zip(self) -> None:
        """Keep the files in a zip alone."""
        content = zipped({name.strip("/"): file for name, file in self.files.items()})
        self.files = {"/deposit.zip": content}
        url = f"http://127.0.0.1:{self.server_port}/deposit.zip"
        deposit = Deposit("zip", url, 2 * len(content), git_blob(content))
        self.entries = [replace(entry, deposits=(deposit,)) for entry in self.entries]

    def handle_error(self, *args: object) -> None:
        """Stay silent: clients that are killed leave broken connections."""


@contextlib.contextmanager
def serving() -> Iterator[FaultyServer]:
    """Run a server."""
    with FaultyServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            server.shutdown()
            thread.join()


def slow(answer: Answer, content: bytes) -> None:
    """Send a little now and then, never so late that one wait would be too long."""
    answer.well(content, pace_s=0.1)


def silent(answer: Answer, _content: bytes) -> None:
    """Take the request and say nothing."""
    answer.server.stopping.wait(TIME_LIMIT_S)


def stalls(answer: Answer, content: bytes) -> None:
    """Send a third, then nothing more, with the connection left open."""
    answer.well(content, upto=len(content) // 3)
    answer.server.stopping.wait(TIME_LIMIT_S)


def truncated(answer: Answer, content: bytes) -> None:
    """Announce all, send half, every time, and from the start."""
    answer.plain(content[: len(content) // 2], length=len(content))


def truncated_unannounced(answer: Answer, content: bytes) -> None:
    """Send half, every time, without a word on the length."""
    answer.plain(content[: len(content) // 2])


def dies(answer: Answer, content: bytes) -> None:
    """Break off after a third, the first time."""
    answer.well(content, upto=len(content) // 3 if answer.times_asked == 1 else None)


def changes(answer: Answer, content: bytes) -> None:
    """Break off in another file, the first time."""
    if answer.times_asked == 1:
        answer.well(content[::-1], upto=len(content) // 3)
    else:
        answer.well(content)


def drips_header(answer: Answer, _content: bytes) -> None:
    """Send a header without an end, a little now and then."""
    answer.send_response(200)
    answer.flush_headers()
    answer.body(b"X-Filler: " + b"x" * 100_000, pace_s=0.1)


def endless_with(status: int, **headers: str) -> Callable[[Answer, bytes], None]:
    """Send a status whose body has no end."""

    def fault(answer: Answer, content: bytes) -> None:
        answer.send_response(status)
        for name, value in headers.items():
            answer.send_header(name, value)
        answer.end_headers()
        while not answer.server.stopping.is_set():
            answer.body(content)

    return fault


def raw(
    begin: bytes, then: bytes = b"", pace_s: float = 0, end: bytes = b""
) -> Callable[[Answer, bytes], None]:
    """Send bytes below HTTP: a beginning, then the same again and again."""

    def fault(answer: Answer, _content: bytes) -> None:
        answer.close_connection = True
        answer.wfile.write(begin)
        block = then if pace_s else then * (1 + (1 << 16) // max(len(then), 1))
        while then and not answer.server.stopping.wait(pace_s):
            answer.wfile.write(block)
        answer.wfile.write(end)

    return fault


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def corrupted(answer: Answer, content: bytes) -> None:
    """Flip one bit."""
    middle = len(content) // 2
    answer.well(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])


def garbage(answer: Answer, content: bytes) -> None:
    """Speak no HTTP."""
    answer.wfile.write(content)
    answer.close_connection = True


def closes(answer: Answer, _content: bytes) -> None:
    """Hang up."""
    answer.connection.shutdown(socket.SHUT_RDWR)
    answer.close_connection = True


def busy_once(answer: Answer, content: bytes) -> None:
    """Ask to come back in a second, for one of the files."""
    if answer.path == "/1/image.png" and answer.times_asked == 1:
        answer.busy(429, 1)
    else:
        answer.well(content)


def compressed(answer: Answer, content: bytes) -> None:
    """Compress, although the client asked for the bytes as they are."""
    content = gzip.compress(content)
    answer.send_response(200)
    answer.send_header("Content-Encoding", "gzip")
    answer.send_header("Content-Length", str(len(content)))
    answer.end_headers()
    answer.body(content)


def first(fault: Callable[[Answer, bytes], None], times: int = 1) -> Callable[..., None]:
    """Be at fault the first times that a file is asked for, then sound."""

    def then_well(answer: Answer, content: bytes) -> None:
        (fault if answer.times_asked <= times else Answer.well)(answer, content)

    return then_well


@dataclass(frozen=True)
class Case:
    """A fault, and what must come of it.

    Attributes
    ----------
    fault : callable
    refusal : str or None
        What the message has to say; None where the fetch must succeed.
    """

    fault: Callable[[Answer, bytes], None]
    refusal: str | None = None


CASES: Mapping[str, Case] = {
    "404": Case(lambda answer, _: answer.busy(404), "answered 404 Not Found"),
    "429, Retry-After 1 s, then sound": Case(busy_once),
    "429, Retry-After 1 h": Case(
        lambda answer, _: answer.busy(429, 3600), "come back later (3600)"
    ),
    "429, Retry-After nonsense": Case(
        lambda answer, _: answer.busy(429, "soon"), "the download failed"
    ),
    "503, always": Case(lambda answer, _: answer.busy(503), "503 Service Unavailable"),
    "503 twice, then sound": Case(first(lambda answer, _: answer.busy(503), times=2)),
    "slow": Case(slow, "is too slow"),
    "silent": Case(silent, "can't be reached"),
    "stalls mid-file": Case(stalls, "broke off"),
    "truncated": Case(truncated, "the connection broke off"),
    "truncated, length unannounced": Case(truncated_unannounced, "the connection broke off"),
    "corrupted": Case(corrupted, "does not match the known hash"),
    "shorter than registered": Case(
        lambda answer, content: answer.well(content[:-1]), "bytes long, expected"
    ),
    "longer than registered": Case(
        lambda answer, content: answer.well(content + b"."), "bytes long, expected"
    ),
    "endless": Case(endless_with(200), "it was cut off"),
    "endless body of 503": Case(endless_with(503), "503 Service Unavailable"),
    "endless body of a redirect": Case(
        endless_with(302, Location="/0/image.png"), "redirects more than 5 times"
    ),
    "endless header": Case(drips_header, "is too slow"),
    "empty": Case(lambda answer, _: answer.plain(b"", length=0), "0 bytes long, expected"),
    "a web page with status 200": Case(
        lambda answer, _: answer.plain(b"<html>Please log in</html>"), "broke off"
    ),
    "redirect loop": Case(
        lambda answer, _: answer.redirect(answer.path), "redirects more than 5 times"
    ),
    "redirect to nonsense": Case(
        lambda answer, _: answer.redirect("http://[::1/\x80"), "the download failed"
    ),
    "redirect, then sound": Case(first(lambda answer, _: answer.redirect(answer.path))),
    "dies mid-file, then sound": Case(dies),
    "another file after the break": Case(changes),
    "closes the connection, then sound": Case(first(closes)),
    "closes the connection, always": Case(closes, "can't be reached"),
    "compressed, unasked": Case(compressed),
    "no HTTP": Case(garbage, "can't be reached"),
    "trickled status line": Case(raw(b"HTTP/1.1 200 ", b"O", 0.05), "is too slow"),
    "endless status line": Case(raw(b"HTTP/1.1 200 ", b"O"), "can't be reached"),
    "trickled header": Case(raw(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.05), "is too slow"),
    "endless header line": Case(raw(b"HTTP/1.1 200 OK\r\nX: ", b"x"), "for 6 files, particles"),
    "endless headers": Case(raw(b"HTTP/1.1 200 OK\r\n", b"X: x\r\n"), "for 6 files, particles"),
    "trickled 100 Continue": Case(raw(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05), "is too slow"),
    "endless 100 Continue": Case(raw(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "it was cut off"),
    "trickled chunk extension": Case(raw(CHUNKED + b"1;", b"x", 0.05), "is too slow"),
    "endless chunk extension": Case(raw(CHUNKED + b"1;", b"x"), "for 6 files, particles"),
    "chunks of one byte, trickled": Case(raw(CHUNKED, b"1\r\nx\r\n", 0.05), "is too slow"),
    "endless chunk extensions of one byte": Case(
        raw(CHUNKED, b"1;" + b"x" * 60_000 + b"\r\nx\r\n"), "it was cut off"
    ),
    "trickled trailer": Case(raw(CHUNKED + b"0\r\nX: ", b"x", 0.05), "is too slow"),
    "endless trailer line": Case(raw(CHUNKED + b"0\r\nX: ", b"x"), "for 6 files, particles"),
    "endless trailers": Case(raw(CHUNKED + b"0\r\n", b"X: x\r\n"), "it was cut off"),
    "endless chunked body of 503": Case(
        raw(b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n", b"4\r\nbusy\r\n"),
        "503 Busy",
    ),
    "trickled body of 404": Case(raw(b"HTTP/1.1 404 No\r\n\r\n", b"x", 0.05), "404 No"),
    "escapes in the reason": Case(
        raw(b"HTTP/1.1 404 \x1b[2J\x9bgone\r\nContent-Length: 0\r\n\r\n"), "404 \\u001b[2J"
    ),
    "redirect to a file": Case(
        lambda answer, _: answer.redirect("file:///etc/passwd"), "the download failed"
    ),
    "redirect to another host": Case(
        lambda answer, _: answer.redirect("http://localhost:1/a"), "can't be reached"
    ),
}


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
