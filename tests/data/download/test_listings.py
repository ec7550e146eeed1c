"""Listings of archives and repositories: what is found behind them, and what is refused."""

from __future__ import annotations

import json

import pytest

from tests.data.download.deposits import base, deposit_members, with_deposits
from tests.helpers.fault_server import zipped
from uhcs_bench.data.download import fetch, listings
from uhcs_bench.data.registry import Deposit
from uhcs_bench.errors import DataUnavailableError


def cdx(server, *rows):
    header = ["timestamp", "original", "mimetype", "digest"]
    server.files["/cdx?url=x*"] = json.dumps([header, *rows]).encode()
    return Deposit("archive", f"{base(server)}/cdx?url=x*", 10**6)


def test_the_archive_is_asked_for_its_index_and_raw_captures(server):
    """Check query, raw form, order (zips first, latest capture), and what is skipped."""
    host = "https://materialsdata.nist.gov/bitstream/handle/11256/964"
    index = cdx(
        server,
        ["20200101000000", f"{host}/readme.txt?sequence=1", "text/plain", "A"],
        ["20200101000000", f"{host}/img.png?sequence=4", "image/png", "B"],
        ["20200101000000", f"{host}/all.zip?sequence=2", "application/zip", "C"],
        ["20230101000000", f"{host}/all.zip?sequence=2", "application/zip", "C"],
        ["20230101000000", f"{host}/all.zip?sequence=3", "text/html", "D"],
    )
    raw = f"/web/20230101000000id_/{host}/all.zip?sequence=2"
    server.files[raw] = zipped(deposit_members(server.pixels))
    entries = with_deposits(server, index)
    assert fetch.fetch(entries) == 3
    assert fetch.verify(entries).n_intact == 3
    assert [path for path in server.asked if not path.endswith(".png")] == ["/cdx?url=x*", raw]


def test_a_damaged_capture_leads_on_to_the_next(server):
    """Check that the archive's second file is used when the first is broken."""
    content = zipped(deposit_members(server.pixels))
    index = cdx(server, *(["2020010100000" + str(i), f"http://x/{i}.zip", "a", i] for i in (1, 2)))
    server.files["/web/20200101000001id_/http://x/1.zip"] = content[: len(content) // 2]
    server.files["/web/20200101000002id_/http://x/2.zip"] = content
    assert fetch.fetch(with_deposits(server, index)) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", [b"", b"[]", b"<html>", b'{"a": 1}', b'[["x"], ["y"]]', b"[[], 1]"]
)
def test_a_strange_index_is_survived(server, text):
    """Check the Archive's answers for nothing, and what it might say one day."""
    server.files["/cdx"] = text
    with pytest.raises(DataUnavailableError):
        fetch.fetch(with_deposits(server, Deposit("archive", f"{base(server)}/cdx", 10**6)))


def test_the_repository_is_used_when_it_returns(server):
    """Check that the files which its page links to are searched."""
    server.files["/handle/11256/964"] = (
        b'<a href="/bitstream/handle/11256/964/readme.txt?sequence=1">readme</a>'
        b'<a href="/bitstream/handle/11256/964/p.zip?sequence=2&amp;isAllowed=y">zip</a>'
        b'<a href="/bitstream/handle/11256/940/other.zip?sequence=2">another deposit</a>'
    )
    path = "/bitstream/handle/11256/964/p.zip?sequence=2&isAllowed=y"
    server.files[path] = zipped(deposit_members(server.pixels))
    page = Deposit("page", f"{base(server)}/handle/11256/964", 10**6)
    assert fetch.fetch(with_deposits(server, page)) == 3
    assert "/bitstream/handle/11256/940/other.zip?sequence=2" not in server.asked


def test_listings_are_bounded(server, monkeypatch):
    """Check that an endless listing is cut off."""
    server.files["/cdx"] = b"[" * 1000
    monkeypatch.setattr(listings, "MAX_LISTING_BYTES", 100)
    with pytest.raises(DataUnavailableError, match="more than the 100 expected"):
        fetch.fetch(with_deposits(server, Deposit("archive", f"{base(server)}/cdx", 10**6)))


@pytest.mark.parametrize("text", [b"[" * 100_000, b'[["a"], ["' + b"1" * 400 + b'"]]', b"[[1" * 9])
def test_nested_listings_are_refused(server, text):
    """Check an index of the archive that would end the program."""
    server.files["/cdx"] = text
    with pytest.raises(DataUnavailableError, match="not an index of captures"):
        fetch.fetch(with_deposits(server, Deposit("archive", f"{base(server)}/cdx", 10**6)))


def test_strange_links_of_a_page_are_refused(server):
    """Check a repository's page with a link that is no address."""
    server.files["/handle/11256/964"] = (
        b'<a href="http://[::1/bitstream/handle/11256/964/p.zip">zip</a>'
    )
    page = Deposit("page", f"{base(server)}/handle/11256/964", 10**6)
    with pytest.raises(DataUnavailableError, match="no address"):
        fetch.fetch(with_deposits(server, page))
