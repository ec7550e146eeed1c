"""Download one file over HTTP, within a limit of time and a limit of bytes."""

from __future__ import annotations

import http.client
import io
import math
import multiprocessing
import re
import threading
import time
from dataclasses import dataclass
from itertools import count
from multiprocessing.pool import ThreadPool
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from uhcs_bench._version import __version__
from uhcs_bench.data.download.settings import OFFLINE_VARIABLE
from uhcs_bench.errors import UhcsBenchError, printable

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from multiprocessing.pool import AsyncResult

    from urllib3 import PoolManager

_T = TypeVar("_T")
_CHUNK_BYTES = 1 << 16
_OVERHEAD_BYTES = 1 << 18
"""For status lines, headers, chunk sizes and trailers of an attempt with all its redirects."""
_MAX_REDIRECTS = 5
_BUSY = (429, 500, 502, 503, 504)
_USER_AGENT = f"uhcs-bench/{__version__} (loader of a benchmark data set; python-requests)"
_CERTIFICATE = (
    "the server's certificate was not accepted: renew the certificates of this computer (package "
    "certifi), or name those of your network in REQUESTS_CA_BUNDLE"
)


@dataclass(frozen=True)
class Patience:
    """Time-outs and limits of retries.

    Attributes
    ----------
    connect_s, read_s : float
        Time-outs of a connection, and of each wait for more bytes.
    attempts : int
        How often a file is asked for, at most.
    backoff_s : float
        Wait before the second attempt; it doubles with each further one.
    longest_wait_s : float
        All waits between attempts together; a server that asks for longer ones is given up.
    grace_s, slowest_bytes_per_s : float
        A file, with all attempts and redirects, may take this long plus its length at this rate.
    """

    connect_s: float = 10
    read_s: float = 30
    attempts: int = 4
    backoff_s: float = 1
    longest_wait_s: float = 60
    grace_s: float = 150
    slowest_bytes_per_s: float = 20_000


PATIENCE = Patience()


class Refused(UhcsBenchError):
    """A location that gave no file; the message is the reason."""


class HostRefused(Refused):
    """A host that gives no file at all."""


class _TransientError(Exception):
    """A failure that another attempt may mend; after `wait_s` if the server asks for it."""

    def __init__(self, reason: str, attempts: float = math.inf, wait_s: float = 0) -> None:
        super().__init__(reason)
        self.attempts, self.wait_s = attempts, wait_s


class _Budget(threading.local):
    """What the file that this thread downloads may still take."""

    deadline = math.inf
    bytes_left: float = math.inf


_BUDGET = _Budget()


class _Metered(io.RawIOBase):
    """What a server sends, counted: headers, chunk sizes and trailers as well as bodies."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._socket = raw, sock

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what has come, unless the file has had all of its time or bytes."""
        if time.monotonic() > _BUDGET.deadline:
            raise HostRefused("is too slow")
        n_bytes = self._raw.readinto(buffer)
        _BUDGET.bytes_left -= n_bytes or 0
        if _BUDGET.bytes_left < 0:
            raise HostRefused("sends more than the file and its headers; it was cut off")
        return n_bytes

    def close(self) -> None:
        """Close the connection's file."""
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_Metered(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    """Connections whose answers are metered, with or without a proxy."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> PoolManager:
        manager: PoolManager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        return manager


class _Session(requests.Session):
    """A session that follows no redirect, as it would read the redirect's body to its end."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Treat a redirect as an answer like any other."""


class Client:
    """Downloads with one session, and asks no host again that can't be reached.

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
        self._refusals: dict[str, str] = {}
        self._session = _Session()
        self._session.mount("http://", _Adapter())
        self._session.mount("https://", _Adapter())
        self._session.headers.update({"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"})

    def get(self, url: str, max_bytes: int, exact: bool = False) -> bytes:
        """Download a file of at most `max_bytes`, or exactly so many, into memory.

        Raises
        ------
        Refused
            If this address does not give the file.
        HostRefused
            If its host need not be asked again.
        """

        def attempt() -> bytes:
            with self._open(url) as response:
                return _content(response, max_bytes, exact)

        return self._run(url, attempt, max_bytes)

    def probe(self, url: str) -> None:
        """Raise `Refused` unless an address answers; its file is not read."""
        self._run(url, lambda: self._open(url).close(), 0)

    def _run(self, url: str, attempt: Callable[[], _T], n_bytes: int) -> _T:
        """Try as often as is reasonable, within one limit of time for all attempts together."""
        try:
            host = urlsplit(url).netloc
        except ValueError as error:
            raise Refused(f"it is no address ({error})") from error
        if self.offline:
            raise HostRefused(f"the network is forbidden by {OFFLINE_VARIABLE}")
        if host in self._refusals:
            raise HostRefused(self._refusals[host])
        allowed_s = self.patience.grace_s + n_bytes / self.patience.slowest_bytes_per_s
        # In a daemon thread, as a name server or a handshake may take any time.
        pool = ThreadPool(1)
        try:
            task = attempt, time.monotonic() + allowed_s, n_bytes
            running: AsyncResult[_T] = pool.apply_async(self._attempt, task)
            return running.get(allowed_s)
        except (multiprocessing.TimeoutError, HostRefused) as error:
            # One dead host must not cost a time-out for each of 96 files.
            self._refusals[host] = str(error) or f"is too slow (not done in {allowed_s:.0f} s)"
            raise HostRefused(self._refusals[host]) from error
        finally:
            pool.terminate()

    def _attempt(self, attempt: Callable[[], _T], deadline: float, n_bytes: int) -> _T:
        _BUDGET.deadline = deadline
        left_s = self.patience.longest_wait_s
        for number in count(1):
            _BUDGET.bytes_left = n_bytes + _OVERHEAD_BYTES
            try:
                return attempt()
            except _TransientError as error:
                failure = error
            except (OSError, ValueError, HTTPError, http.client.HTTPException) as error:
                failure = _explain(error)
            wait_s = failure.wait_s or self.patience.backoff_s * 2 ** (number - 1)
            if number >= min(self.patience.attempts, failure.attempts) or wait_s > left_s:
                times = f", {number} times in a row" if number > 1 else ""
                raise HostRefused(f"{failure}{times}") from failure
            left_s -= wait_s
            time.sleep(wait_s)
        raise AssertionError

    def _open(self, url: str) -> requests.Response:
        """Ask for a file and follow redirects; no body is read of what is not a file."""
        timeout = self.patience.connect_s, self.patience.read_s
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._session.get(url, stream=True, timeout=timeout)
            if response.ok and not response.is_redirect:
                return response
            response.close()
            if not response.ok:
                _refuse_status(response)
            url = urljoin(url, response.headers["Location"])
        raise Refused(f"it redirects more than {_MAX_REDIRECTS} times")


def _refuse_status(response: requests.Response) -> NoReturn:
    reason = f"the server answered {response.status_code} {printable(response.reason or '')}"
    if response.status_code not in _BUSY:
        raise Refused(reason)
    wait = response.headers.get("Retry-After")
    if wait is None:
        raise _TransientError(reason)
    wait_s = Retry().parse_retry_after(wait)
    raise _TransientError(f"{reason} and asks to come back later ({wait})", wait_s=wait_s)


def _content(response: requests.Response, max_bytes: int, exact: bool) -> bytes:
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and "Content-Encoding" not in response.headers:
        if exact and int(length) != max_bytes:
            raise Refused(f"it is {length} bytes long, expected {max_bytes}")
        if int(length) > max_bytes:
            raise Refused(f"it is {length} bytes long, more than the {max_bytes} expected")
    content = bytearray()
    try:
        for chunk in response.iter_content(_CHUNK_BYTES):
            content += chunk
            if len(content) > max_bytes:
                raise Refused(f"it goes on after the {max_bytes} bytes expected; it was cut off")
    except (requests.RequestException, HTTPError) as error:
        raise _TransientError(f"the connection broke off ({type(error).__name__})") from error
    if exact and len(content) < max_bytes:
        raise _TransientError(f"the connection broke off after {len(content)} of {max_bytes} bytes")
    return bytes(content)


def _explain(error: Exception) -> _TransientError:
    """Say why a request got no answer; raise `Refused` if another attempt is of no use."""
    if isinstance(error, requests.exceptions.SSLError):
        raise HostRefused(f"{_CERTIFICATE} ({error})") from error
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        inner = error.args[0] if error.args else error
        cause = type(getattr(inner, "reason", None) or error).__name__
        return _TransientError(f"can't be reached ({cause})", attempts=2)
    if not isinstance(error, OSError) or isinstance(error, requests.RequestException):
        raise Refused(f"the download failed ({error})") from error
    # A plain OSError: REQUESTS_CA_BUNDLE names a file that is not there.
    raise HostRefused(f"{_CERTIFICATE} ({error})") from error


def without_secrets(text: str) -> str:
    """Remove users, passwords and queries, which may hold tokens, from the addresses in a text.

    Examples
    --------
    >>> without_secrets("https://me:word@mirror.net/a.png?token=1 is too slow")
    'https://mirror.net/a.png is too slow'
    >>> without_secrets("can't be reached: me:p@word@proxy.net:3128 (url: /a?key=t0ken)")
    "can't be reached: proxy.net:3128 (url: /a)"
    """
    text = re.sub(r"(?<=//)[^/\s]*@", "", text)
    text = re.sub(r"[^/\s'\"(]+:[^/\s'\"(]*@", "", text)
    return " ".join(re.sub(r"\?[^\s)'\"]+", "", text).split())
