"""Download files over HTTP: resumed where they broke off, bounded in size, in time, in attempts."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util import Retry

from uhcs_bench._version import __version__
from uhcs_bench.data.download.cache import PARTIAL_SUFFIX
from uhcs_bench.data.download.settings import OFFLINE_VARIABLE
from uhcs_bench.errors import UhcsBenchError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

_CHUNK_BYTES = 1 << 20
_MAX_REDIRECTS = 5
_BUSY = (429, 500, 502, 503, 504)
_USER_AGENT = f"uhcs-bench/{__version__} (loader of a benchmark data set; python-requests)"


@dataclass(frozen=True)
class Patience:
    """How long to wait for whom.

    Attributes
    ----------
    connect_s, read_s : float
        Time-outs of a connection, and of each wait for more bytes.
    attempts : int
        How often a file is asked for, at most.
    backoff_s : float
        Wait before the second attempt; it doubles with each further one.
    longest_wait_s : float
        A server that asks to wait longer (Retry-After) is left alone.
    grace_s, slowest_bytes_per_s : float
        A file may take this long, plus its length at this rate.
    """

    connect_s: float = 10
    read_s: float = 30
    attempts: int = 4
    backoff_s: float = 1
    longest_wait_s: float = 60
    grace_s: float = 60
    slowest_bytes_per_s: float = 20_000


PATIENCE = Patience()


class Refused(UhcsBenchError):
    """A location that gave no file; the message is the reason."""


class HostRefused(Refused):
    """A host that gives no file at all."""


class _Mismatch(Refused):
    """A complete file that is not the one that was wanted."""


class _Interrupted(Exception):
    """A transfer that may go on where it stopped; the message is the reason."""


def check_sha256(expected: str) -> Callable[[Path], None]:
    """Make a check for `Client.get`: `Refused` unless the file has this SHA-256."""

    def check(path: Path) -> None:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != expected:
            raise _Mismatch(f"its sha256 is {found}, expected {expected}; it was not used")

    return check


def check_git_blob(expected: str) -> Callable[[Path], None]:
    """Make a check for `Client.get`: `Refused` unless git names the file's content so."""

    def check(path: Path) -> None:
        digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, lambda: digest).hexdigest()
        if found != expected:
            raise _Mismatch(f"its git blob id is {found}, expected {expected}; it was not used")

    return check


class Client:
    """Downloads with one session, and remembers which hosts are not worth asking again.

    Parameters
    ----------
    offline : bool, optional
        Refuse every address.
    patience : Patience, optional
        `PATIENCE`, unless given.
    """

    def __init__(self, offline: bool = False, patience: Patience | None = None) -> None:
        self.offline = offline
        self.patience = patience or PATIENCE
        self.silent_hosts: dict[str, str] = {}
        self.session = requests.Session()
        # identity: compressed on the way, a file's length and Range would mean something else.
        self.session.headers.update({"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"})
        self.session.max_redirects = _MAX_REDIRECTS
        retry = _BoundedRetry(
            total=self.patience.attempts - 1,
            connect=1,
            read=1,
            status_forcelist=_BUSY,
            backoff_factor=self.patience.backoff_s,
            backoff_max=self.patience.longest_wait_s,
            raise_on_status=False,
        )
        retry.longest_wait_s = self.patience.longest_wait_s
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(max_retries=retry))

    def get(
        self,
        url: str,
        path: Path,
        max_bytes: int,
        n_bytes: int | None = None,
        check: Callable[[Path], None] | None = None,
    ) -> None:
        """Download a file, complete and checked.

        What lies beside it from an interrupted download is continued if the server can, and if
        `check` can tell whether that went well; otherwise the download starts over.

        Parameters
        ----------
        url : str
        path : Path
            File to write. It appears when all is there; until then its name ends in ``.part``.
        max_bytes : int
            A longer answer is cut off.
        n_bytes : int, optional
            Length of the file, if it is known.
        check : callable, optional
            Called with the complete file; raises `Refused` if it is another one than was wanted.

        Raises
        ------
        Refused
            If this address does not give the file.
        HostRefused
            If its host need not be asked again.
        OSError
            If the file can't be written.
        """
        host = urlsplit(url).netloc
        if self.offline:
            raise HostRefused(f"the network is forbidden by {OFFLINE_VARIABLE}")
        if host in self.silent_hosts:
            raise HostRefused(self.silent_hosts[host])
        try:
            self._get(url, path, max_bytes, n_bytes, check)
        except HostRefused as error:
            # One dead host must not cost a time-out for each of 96 files.
            self.silent_hosts[host] = str(error)
            raise

    def probe(self, url: str) -> None:
        """Ask for the first byte of a file.

        Raises
        ------
        Refused
            If the address does not give it.
        """
        if self.offline:
            raise HostRefused(f"the network is forbidden by {OFFLINE_VARIABLE}")
        try:
            with self.open(url, {"Range": "bytes=0-0"}) as response:
                _next_chunk(response)
        except _Interrupted as error:
            raise Refused(str(error)) from error

    def _get(
        self,
        url: str,
        path: Path,
        max_bytes: int,
        n_bytes: int | None,
        check: Callable[[Path], None] | None,
    ) -> None:
        partial = path.with_name(path.name + PARTIAL_SUFFIX)
        if check is None:
            partial.unlink(missing_ok=True)
        transfer = _Transfer(self, url, partial, max_bytes, n_bytes, resumable=check is not None)
        reason = ""
        for attempt in range(self.patience.attempts):
            if reason:
                time.sleep(min(self.patience.backoff_s * 2**attempt, self.patience.longest_wait_s))
            continued = _size(partial) > 0
            try:
                transfer.run()
                if check is not None:
                    check(partial)
            except _Interrupted as error:
                reason = str(error)
            except _Mismatch as error:
                partial.unlink()
                # Perhaps two halves of different files; what was left from before is not trusted.
                if not continued:
                    raise
                reason = str(error)
            else:
                partial.replace(path)
                return
        raise HostRefused(f"{reason}, {self.patience.attempts} times in a row")

    def open(self, url: str, headers: dict[str, str]) -> requests.Response:
        """Ask for a file; raise `Refused` unless the answer is one of success (or 416)."""
        try:
            response = self.session.get(
                url,
                headers=headers,
                stream=True,
                timeout=(self.patience.connect_s, self.patience.read_s),
            )
        except requests.exceptions.SSLError as error:
            raise HostRefused(f"{_CERTIFICATE} ({_reason(error)})") from error
        except requests.TooManyRedirects as error:
            raise Refused(f"it redirects more than {_MAX_REDIRECTS} times") from error
        except (requests.ConnectionError, requests.Timeout) as error:
            raise HostRefused(f"can't be reached ({_cause(error)})") from error
        except (requests.RequestException, HTTPError, ValueError) as error:
            # The latter two: what some nonsense in a redirect gets through requests.
            raise Refused(f"the download failed ({_reason(error)})") from error
        except OSError as error:
            # What requests raises when REQUESTS_CA_BUNDLE names a file that is not there.
            raise HostRefused(f"{_CERTIFICATE} ({error})") from error
        status = response.status_code
        if status < 400 or status == 416:
            return response
        response.close()
        reason = f"the server answered {status} {response.reason}"
        if status not in _BUSY:
            raise Refused(reason)
        wait = response.headers.get("Retry-After")
        raise HostRefused(f"{reason} and asks to come back later ({wait})" if wait else reason)


_CERTIFICATE = (
    "the server's certificate was not accepted: renew the certificates of this computer (package "
    "certifi), or name those of your network in REQUESTS_CA_BUNDLE"
)


class _BoundedRetry(Retry):
    """Retries that don't wait for longer than a user would."""

    longest_wait_s: float = 60

    def new(self, **changes: Any) -> _BoundedRetry:
        """Copy, as urllib3 does for each retry."""
        copy = super().new(**changes)
        copy.longest_wait_s = self.longest_wait_s
        return copy

    def increment(self, *args: Any, **named: Any) -> _BoundedRetry:
        """Count a retry; give up at once where the server asks for too long a wait."""
        response = named.get("response")
        if response is not None and (self.get_retry_after(response) or 0) > self.longest_wait_s:
            raise MaxRetryError(named["_pool"], str(args[1]))
        return super().increment(*args, **named)


@dataclass
class _Transfer:
    """A file on its way to a partial file, in one request or several."""

    client: Client
    url: str
    partial: Path
    max_bytes: int
    n_bytes: int | None
    resumable: bool
    etag: str | None = None

    def run(self) -> None:
        """Complete the partial file; `_Interrupted` if another request may do what is left."""
        have = _size(self.partial)
        if have and have == self.n_bytes:
            return
        if have > (self.n_bytes or self.max_bytes) or not (self.resumable or self.etag):
            have = 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and self.etag:
            headers["If-Range"] = self.etag
        with self.client.open(self.url, headers) as response:
            have, total = self._position(response, have)
            etag = response.headers.get("ETag", "")
            # A weak one (W/) does not promise the same bytes.
            self.etag = etag if etag.startswith('"') else None
            self._receive(response, have, total)

    def _position(self, response: requests.Response, have: int) -> tuple[int, int | None]:
        """From which byte on the answer is, and how long the file is."""
        announced = None
        if response.status_code == 206:
            found = re.fullmatch(
                r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", "")
            )
            if found is None or int(found[1]) != have:
                self.partial.unlink(missing_ok=True)
                raise _Interrupted("the server sent another part than was asked for")
            announced = int(found[2])
        elif response.status_code == 416:
            self.partial.unlink(missing_ok=True)
            raise _Interrupted("the server has less than was there already")
        else:
            have = 0
            length = response.headers.get("Content-Length", "")
            if length.isdecimal() and "Content-Encoding" not in response.headers:
                announced = int(length)
        if announced is not None and self.n_bytes not in (None, announced):
            raise Refused(f"it is {announced} bytes long, expected {self.n_bytes}")
        if announced is not None and announced > self.max_bytes:
            raise Refused(f"it is {announced} bytes long, more than the {self.max_bytes} expected")
        return have, announced if self.n_bytes is None else self.n_bytes

    def _receive(self, response: requests.Response, have: int, total: int | None) -> None:
        limit = self.max_bytes if total is None else total
        patience = self.client.patience
        allowed_s = patience.grace_s + limit / patience.slowest_bytes_per_s
        deadline = time.monotonic() + allowed_s
        with self.partial.open("r+b" if have else "wb") as stream:
            stream.seek(have)
            stream.truncate()
            while chunk := _next_chunk(response):
                have += len(chunk)
                if have > limit:
                    raise Refused(f"it goes on after the {limit} bytes expected; it was cut off")
                stream.write(chunk)
                if time.monotonic() > deadline:
                    raise HostRefused(f"is too slow ({have} of {limit} bytes in {allowed_s:.0f} s)")
        if total is not None and have < total:
            raise _Interrupted(f"the connection broke off after {have} of {total} bytes")


def _next_chunk(response: requests.Response) -> bytes:
    try:
        # read1: returns what has come, so that a trickle can't hide from the deadline.
        chunk: bytes = response.raw.read1(_CHUNK_BYTES, decode_content=True)
    except (HTTPError, OSError) as error:
        raise _Interrupted(f"the connection broke off ({type(error).__name__})") from error
    return chunk


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _cause(error: Exception) -> str:
    """Name the error that urllib3 has wrapped, which says more than the wrapping."""
    inner = error.args[0] if error.args else error
    return type(getattr(inner, "reason", None) or error).__name__


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())
