"""Lists of the deposit's files in the Internet Archive and on a repository's page."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from uhcs_bench.data.download.http import Refused
from uhcs_bench.io.texts import from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from uhcs_bench.data.download.http import Client
    from uhcs_bench.data.registry import DepositKind

MAX_LISTING_BYTES = 4 << 20
MAX_FILES = 200
"""Of one listing: the deposit has 98 files, or two zips."""

_SKIPPED_TYPES = ("text/", "application/pdf", "image/jpeg", "warc/revisit")


def captures(client: Client, url: str) -> list[str]:
    """List the files that the Internet Archive has captured.

    Parameters
    ----------
    client : Client
    url : str
        A query of the CDX server with ``output=json`` and the fields timestamp, original, mimetype
        and digest.

    Returns
    -------
    list of str
        Addresses of the files as captured (``id_``), zips first, each content's latest capture.

    Raises
    ------
    Refused
        If there is no answer, or none that can be read.
    """
    try:
        # Where nothing was captured the answer is an empty list, or empty.
        header, *rows = from_json(_listing(client, url).strip() or "[]") or [[]]
        records = [dict(zip(header, row, strict=True)) for row in rows]
        found = {
            record["digest"]: (record["timestamp"], record["original"])
            for record in sorted(records, key=lambda record: str(record["timestamp"]))
            if not record["mimetype"].startswith(_SKIPPED_TYPES)
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(f"its answer is not an index of captures ({error!r})") from error
    base = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
    return _zips_first([f"{base}/web/{time}id_/{original}" for time, original in found.values()])


def bitstreams(client: Client, url: str) -> list[str]:
    """List the files that a repository's page (DSpace) about a deposit links to."""
    handle = re.escape("/".join(urlsplit(url).path.split("/")[-2:]))
    pattern = rf'href="([^"]*/bitstream/(?:handle/)?{handle}/[^"]+)"'
    links = dict.fromkeys(re.findall(pattern, _listing(client, url)))
    try:
        return _zips_first([urljoin(url, html.unescape(link)) for link in links])
    except ValueError as error:
        raise Refused(f"its page links to what is no address ({error})") from error


def _listing(client: Client, url: str) -> str:
    return client.get(url, MAX_LISTING_BYTES).decode(errors="replace")


def _zips_first(urls: list[str]) -> list[str]:
    wanted = [url for url in urls if not re.search(r"\.(txt|rdf|html?|sqlite)(\?|$)", url)]
    return sorted(wanted, key=lambda url: ".zip" not in url.lower())[:MAX_FILES]


OF_KIND: Mapping[DepositKind | None, Callable[[Client, str], list[str]]] = {
    "archive": captures,
    "page": bitstreams,
}
"""How to list the files of a deposit that has many."""
