"""A server that fails in every way we know, its micrographs, and what must come of each fault."""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import http.server
import io
import socket
import threading
import zipfile
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tests.helpers.registry_entries import entry
from uhcs_bench.data import pixels
from uhcs_bench.data.download import http as download
from uhcs_bench.data.registry import Deposit, Entry, File, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SHAPE = (800, 1000)
"""Larger than real micrographs, so that writing them takes long enough to be interrupted."""
COARSE = (40, 50)
"""Before magnification, so that their files are small and quickly sent."""
N_MICROGRAPHS = 3
TIME_LIMIT_S = 30
"""No fetch of the few small files here may take longer: it would hang."""

PATIENCE = download.Patience(connect_s=2, read_s=0.3, attempts=3, backoff_s=0.005, grace_s=2)


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


@functools.cache
def encoded() -> dict[str, tuple[bytes, str]]:
    """Draw image and label map of each micrograph: files by name, with the hashes of pixels."""
    found = {}
    chance = np.random.default_rng(0)
    for number in range(N_MICROGRAPHS):
        for kind, n_levels in (("image", 256), ("labels", 2)):
            coarse = chance.integers(0, n_levels, COARSE, np.uint8)
            array = np.kron(coarse, np.ones((20, 20), np.uint8))
            found[f"{number}/{kind}.png"] = png(array), pixels.pixel_sha256(array)
    return found


def micrographs(base: str) -> tuple[list[Entry], dict[str, bytes]]:
    """Make micrographs, with their sources at a base URL, and the files that belong there."""

    def file(name: str) -> File:
        content, pixel_sha256 = encoded()[name]
        sha256 = hashlib.sha256(content).hexdigest()
        source = Source(f"{base}/{name}", sha256, len(content), (0, SHAPE[0]))
        return File(pixel_sha256, 0, (source,), "")

    entries = [
        entry(
            f"m{i}",
            SHAPE,
            files={"image": file(f"{i}/image.png"), "labels": file(f"{i}/labels.png")},
        )
        for i in range(N_MICROGRAPHS)
    ]
    return entries, {f"/{name}": content for name, (content, _) in encoded().items()}


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


def bomb(**headers: str) -> Callable[[Answer, bytes], None]:
    """Send a few kB again and again that unpack to MBs each."""
    member = gzip.compress(bytes(16 << 20))

    def fault(answer: Answer, _content: bytes) -> None:
        answer.close_connection = True
        answer.send_response(302 if headers else 200)
        for name, value in {"Content-Encoding": "gzip", **headers}.items():
            answer.send_header(name, value)
        answer.end_headers()
        while not answer.server.stopping.is_set():
            answer.wfile.write(member)

    return fault


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
        endless_with(302, Location="/0/image.png"), "Exceeded 5 redirects"
    ),
    "endless header": Case(drips_header, "is too slow"),
    "empty": Case(lambda answer, _: answer.plain(b"", length=0), "0 bytes long, expected"),
    "a web page with status 200": Case(
        lambda answer, _: answer.plain(b"<html>Please log in</html>"), "broke off"
    ),
    "redirect loop": Case(lambda answer, _: answer.redirect(answer.path), "Exceeded 5 redirects"),
    "redirect to nonsense": Case(
        lambda answer, _: answer.redirect("http://[::1/\x80"), "the download failed"
    ),
    "redirect, then sound": Case(first(lambda answer, _: answer.redirect(answer.path))),
    "dies mid-file, then sound": Case(dies),
    "another file after the break": Case(changes),
    "closes the connection, then sound": Case(first(closes)),
    "closes the connection, always": Case(closes, "can't be reached"),
    "compressed, unasked": Case(compressed),
    "compressed without end": Case(bomb(), "it was cut off"),
    "compressed without end, in a redirect": Case(
        bomb(Location="/0/image.png"), "Exceeded 5 redirects"
    ),
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
