"""Where an archive or a repository says that it keeps the deposit's files."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from uhcs_bench.data.download.http import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from uhcs_bench.data.download.http import Client

MAX_LISTING_BYTES = 4 << 20
MAX_FILES = 200
"""Of one listing: the deposit has 98 files, or two zips."""

_SKIPPED_TYPES = ("text/", "application/pdf", "image/jpeg", "warc/revisit")


def captures(client: Client, url: str, workspace: Path) -> list[str]:
    """Ask the Internet Archive's index which files it has.

    Parameters
    ----------
    client : Client
    url : str
        A query of the CDX server with ``output=json`` and the fields timestamp, original, mimetype
        and digest.
    workspace : Path

    Returns
    -------
    list of str
        Addresses of the files as they were captured (the raw ``id_`` form), zips first, each
        content once, the latest capture of it.

    Raises
    ------
    Refused
        If there is no answer, or none that can be read.
    """
    text = _listing(client, url, workspace)
    try:
        # "Nothing found" is an empty list, or no text at all.
        header, *rows = json.loads(text.strip() or "[]") or [[]]
        records = [dict(zip(header, row, strict=True)) for row in rows]
        found = {
            record["digest"]: (record["timestamp"], record["original"])
            for record in sorted(records, key=lambda record: str(record["timestamp"]))
            if not record["mimetype"].startswith(_SKIPPED_TYPES)
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(f"its answer is not what its index used to give ({error!r})") from error
    base = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
    return _zips_first([f"{base}/web/{time}id_/{original}" for time, original in found.values()])


def bitstreams(client: Client, url: str, workspace: Path) -> list[str]:
    """Read the addresses of the files on a repository's page (DSpace) about a deposit.

    Raises
    ------
    Refused
        If the page can't be had.
    """
    text = _listing(client, url, workspace)
    handle = "/".join(urlsplit(url).path.split("/")[-2:])
    links = re.findall(rf'href="([^"]*/bitstream/(?:handle/)?{re.escape(handle)}/[^"]+)"', text)
    return _zips_first([urljoin(url, html.unescape(link)) for link in dict.fromkeys(links)])


def _listing(client: Client, url: str, workspace: Path) -> str:
    path = workspace / "listing"
    client.get(url, path, MAX_LISTING_BYTES)
    return path.read_text(encoding="utf-8", errors="replace")


def _zips_first(urls: list[str]) -> list[str]:
    wanted = [url for url in urls if not re.search(r"\.(txt|rdf|html?|sqlite)(\?|$)", url)]
    return sorted(wanted, key=lambda url: ".zip" not in url.lower())[:MAX_FILES]
