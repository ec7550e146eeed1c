"""Download one file over HTTP, within a limit of time and a limit of bytes."""

from __future__ import annotations

import http.client
import math
import re
import threading
import time
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from uhcs_bench._version import __version__
from uhcs_bench.data.download.settings import OFFLINE_VARIABLE
from uhcs_bench.errors import UhcsBenchError, printable

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK_BYTES = 1 << 16
_OVERHEAD_BYTES = 1 << 18
"""For status lines, headers, chunk sizes and trailers of an attempt with all its redirects."""
_SLOWEST_BYTES_PER_S = 20_000
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
    grace_s : float
        A file, with all attempts, waits and redirects, may take this long, and a second more for
        each 20 kB.
    """

    connect_s: float = 10
    read_s: float = 30
    attempts: int = 4
    backoff_s: float = 1
    grace_s: float = 150


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


_BUDGET = threading.local()
"""What the file that this thread downloads may still take: `bytes_left`, until `deadline`."""


class _Response(http.client.HTTPResponse):
    """An answer that is metered: headers, chunk sizes and trailers as well as bodies."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        raw: Any = self.fp.raw
        raw.readinto = partial(_read_into, raw.readinto)


def _read_into(read: Callable[[Any], int | None], buffer: Any) -> int | None:
    """Read what has come, unless the file has had all of its time or bytes."""
    if time.monotonic() > _BUDGET.deadline:
        raise HostRefused("is too slow")
    n_bytes = read(buffer)
    _BUDGET.bytes_left -= n_bytes or 0
    if _BUDGET.bytes_left < 0:
        raise HostRefused("sends more than the file and its headers; it was cut off")
    return n_bytes


class _Adapter(HTTPAdapter):
    """Connections, with or without a proxy, whose answers are metered."""

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*arguments, **options)
        plain = pool.ConnectionCls
        if plain.response_class is not _Response:
            pool.ConnectionCls = type("_Connection", (plain,), {"response_class": _Response})
        return pool


def _leave_redirect(response: requests.Response, **_: object) -> None:
    """Close a redirect, as requests would read its body to the end, and unpack it."""
    if response.is_redirect:
        response.close()


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
        self._session = requests.Session()
        self._session.max_redirects = _MAX_REDIRECTS
        self._session.hooks["response"] = [_leave_redirect]
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
        return self._run(url, max_bytes, lambda response: _content(response, max_bytes, exact))

    def probe(self, url: str) -> None:
        """Raise `Refused` unless an address answers; its file is not read."""
        self._run(url, 0, lambda _: b"")

    def _run(self, url: str, n_bytes: int, read: Callable[[requests.Response], bytes]) -> bytes:
        if self.offline:
            raise HostRefused(f"the network is forbidden by {OFFLINE_VARIABLE}")
        host = urlsplit(url).netloc
        if host in self._refusals:
            raise HostRefused(self._refusals[host])
        limit_s = self.patience.grace_s + n_bytes / _SLOWEST_BYTES_PER_S
        _BUDGET.deadline = time.monotonic() + limit_s
        try:
            return self._try_on(url, n_bytes, read)
        except HostRefused as error:
            # One dead host must not cost a time-out for each of 96 files.
            self._refusals[host] = str(error)
            raise

    def _try_on(self, url: str, n_bytes: int, read: Callable[[requests.Response], bytes]) -> bytes:
        """Try as often as is reasonable, within one limit of time for all attempts together."""
        timeout = self.patience.connect_s, self.patience.read_s
        for number in count(1):
            _BUDGET.bytes_left = n_bytes + _OVERHEAD_BYTES
            try:
                with self._session.get(url, stream=True, timeout=timeout) as response:
                    if not response.ok:
                        raise _refusal(response)
                    return read(response)
            except _TransientError as error:
                failure = error
            except (OSError, ValueError, HTTPError, http.client.HTTPException) as error:
                failure = _explain(error)
            wait_s = failure.wait_s or self.patience.backoff_s * 2 ** (number - 1)
            is_late = time.monotonic() + wait_s > _BUDGET.deadline
            if number >= min(self.patience.attempts, failure.attempts) or is_late:
                times = f", {number} times in a row" if number > 1 else ""
                raise HostRefused(f"{failure}{times}") from failure
            time.sleep(wait_s)
        raise AssertionError


def _refusal(response: requests.Response) -> Exception:
    reason = f"the server answered {response.status_code} {printable(response.reason or '')}"
    if response.status_code not in _BUSY:
        return Refused(reason)
    wait = response.headers.get("Retry-After")
    if wait is None:
        return _TransientError(reason)
    wait_s = Retry().parse_retry_after(wait)
    return _TransientError(f"{reason} and asks to come back later ({wait})", wait_s=wait_s)


def check_length(n_bytes: int, max_bytes: int, exact: bool) -> None:
    """Raise `Refused` unless a file has the length that is expected of it."""
    if exact and n_bytes != max_bytes:
        raise Refused(f"it is {n_bytes} bytes long, expected {max_bytes}")
    if n_bytes > max_bytes:
        raise Refused(f"it is {n_bytes} bytes long, more than the {max_bytes} expected")


def _content(response: requests.Response, max_bytes: int, exact: bool) -> bytes:
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and "Content-Encoding" not in response.headers:
        check_length(int(length), max_bytes, exact)
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
    # An OSError that is not of requests: REQUESTS_CA_BUNDLE names a file that is not there.
    is_of_requests = isinstance(error, requests.RequestException)
    if isinstance(error, requests.exceptions.SSLError if is_of_requests else OSError):
        raise HostRefused(f"{_CERTIFICATE} ({error})") from error
    if not isinstance(error, requests.ConnectionError | requests.Timeout):
        raise Refused(f"the download failed ({error})") from error
    inner = error.args[0] if error.args else error
    cause = type(getattr(inner, "reason", None) or error).__name__
    return _TransientError(f"can't be reached ({cause})", attempts=2)


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
