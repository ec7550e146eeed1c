"""Servers that fail, clients that are killed, disks that are full: the cache stays whole.

``UHCS_BENCH_KILLS=200 pytest tests/test_faults.py`` runs the long form; ``python tests/faults.py``
prints the table.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from dataclasses import replace

import pytest

from tests import faults
from uhcs_bench.data.download import cache, fetch, http
from uhcs_bench.errors import DataUnavailableError

KILLS = int(os.environ.get("UHCS_BENCH_KILLS", "15"))


@pytest.fixture
def server(tmp_path):
    """A server of three micrographs, and a client with little patience."""
    with faults.environment(tmp_path / "cache"), faults.serving() as running:
        yield running


@pytest.mark.parametrize("name", faults.CASES)
def test_server_faults(name):
    """Check the message or success, the cache afterwards, and that the next fetch completes it."""
    row = faults.serve_fault(faults.CASES[name])
    assert row.is_sound, row


def test_killed_clients_leave_whole_micrographs():
    """Check the cache after each kill, and that the next fetch completes and tidies it."""
    row = faults.kill(KILLS)
    assert row.is_sound, row
    assert row.notes["left parts"], "no client was killed during a download"
    row = faults.kill(KILLS // 4, as_zip=True)
    assert row.is_sound, row


@pytest.mark.parametrize("as_zip", [False, True])
def test_eight_clients_fetch_each_file_once(as_zip):
    """Check that processes share a cache: none fails, none repeats what another does."""
    row = faults.crowd(as_zip=as_zip)
    assert row.is_sound, row
    assert row.notes["each file fetched once"] == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_is_named():
    """Check the sentence of a client that may not write on."""
    row = faults.fill_disk()
    assert row.is_sound, row


def test_an_interrupted_download_resumes_where_it_stopped(server):
    """Check the ranges that are asked for, within one run."""
    server.fault = faults.dies
    fetch.fetch(server.entries)
    for path, content in server.files.items():
        assert server.asked[path] == [None, f"bytes={len(content) // 3}-"]


def test_the_next_run_resumes_what_the_last_one_left(server):
    """Check the ranges that are asked for, over two runs."""
    server.fault = faults.stalls
    with pytest.raises(DataUnavailableError):
        fetch.fetch(server.entries)
    server.asked.clear()
    server.fault = faults.Answer.well
    fetch.fetch(server.entries)
    path, content = next(iter(server.files.items()))
    assert server.asked[path] == [f"bytes={len(content) // 3}-"]


def test_a_left_over_is_not_trusted(server):
    """Check that wrong bytes from an earlier run are found and fetched again."""
    path = next(iter(server.files))
    sha256 = server.entries[0].files["image"].sources[0].sha256
    with cache.hold(cache.workspace_name(server.entries[0])) as folder:
        (folder / f"{sha256}.png.part").write_bytes(b"x" * 100)
    fetch.fetch(server.entries)
    assert server.asked[path] == ["bytes=100-", None]
    assert fetch.verify(server.entries).n_intact == 3


def test_one_host_continues_what_another_has_begun(server):
    """Check that a left-over survives a host that has lost the file, and a host that is down."""
    entry = server.entries[0]
    path, content = next(iter(server.files.items()))
    source = entry.files["image"].sources[0]
    gone = replace(source, url=source.url.replace(path, "/gone.png"))
    down = replace(source, url="http://127.0.0.1:9/image.png")
    image = replace(entry.files["image"], sources=(gone, down, source))
    with cache.hold(cache.workspace_name(entry)) as folder:
        (folder / f"{source.sha256}.png.part").write_bytes(content[:100])
    fetch.fetch([replace(entry, files={**entry.files, "image": image})])
    assert server.asked["/gone.png"] == server.asked[path] == ["bytes=100-"]


def test_what_is_left_beside_a_complete_cache_is_removed(server):
    """Check the files of a client that was killed at its very end, but not those of a live one."""
    fetch.fetch(server.entries)
    first, second = map(cache.workspace_name, server.entries[:2])
    folder = cache.cache_folder() / ".partial"
    (folder / f"{first}.lock").touch()
    (folder / first).mkdir()
    (folder / first / "file.part").touch()
    (folder / "deposit-0").mkdir()
    with cache.hold(second):
        assert fetch.fetch(server.entries) == 0
        assert {path.name for path in folder.iterdir()} == {second, f"{second}.lock"}
    assert not list(folder.iterdir())


@pytest.mark.parametrize("extra", [0, 1])
def test_a_left_over_that_is_too_long_is_fetched_again(server, extra):
    """Check a wrong left-over of the full length, and one beyond it."""
    path, content = next(iter(server.files.items()))
    sha256 = server.entries[0].files["image"].sources[0].sha256
    with cache.hold(cache.workspace_name(server.entries[0])) as folder:
        (folder / f"{sha256}.png.part").write_bytes(b"x" * (len(content) + extra))
    fetch.fetch(server.entries)
    assert server.asked[path] == [None]
    assert fetch.verify(server.entries).n_intact == 3


def test_retry_after_is_honoured(server):
    """Check that the client waits as long as it is asked to."""
    server.fault = faults.busy_once
    start = time.monotonic()
    fetch.fetch(server.entries)
    assert time.monotonic() - start >= 1


def test_an_overloaded_host_is_left_alone(server):
    """Check that a host that stays busy is not asked for every file."""
    server.fault = lambda answer, _: answer.busy(503)
    with pytest.raises(DataUnavailableError, match="3 of 3"):
        fetch.fetch(server.entries)
    assert [len(asked) for asked in server.asked.values()] == [faults.PATIENCE.attempts]


def test_a_certificate_that_is_not_accepted_is_named(server):
    """Check the sentence where the other side's TLS is not to be trusted."""
    url = f"https://127.0.0.1:{server.server_port}/0/image.png"
    with pytest.raises(http.HostRefused, match="renew the certificates of this computer"):
        http.Client().get(url, cache.cache_folder() / "file", 1000)


def test_missing_certificates_are_named(server, monkeypatch):
    """Check the sentence where the user's bundle of certificates is not there."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/absent/certificates.pem")
    url = f"https://127.0.0.1:{server.server_port}/0/image.png"
    with pytest.raises(http.HostRefused, match=r"/absent/certificates\.pem"):
        http.Client().get(url, cache.cache_folder() / "file", 1000)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "No space left on device.*Free some room"),
        (errno.EROFS, "Read-only file system.*Make it writable"),
        (errno.EACCES, "Permission denied.*Make it writable"),
    ],
)
def test_a_cache_that_cannot_be_written_is_explained(server, monkeypatch, number, sentence):
    """Check each cause, with its remedy, and that nothing half written stays."""

    def refuse(_descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DataUnavailableError, match=sentence):
        fetch.fetch(server.entries)
    assert not list(cache.cache_folder().rglob("*.npy"))


def test_a_cache_on_a_read_only_disk_is_read(server, monkeypatch):
    """Check that what is there needs no writing."""
    fetch.fetch(server.entries)

    def refuse(*_arguments, **_options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(cache, "hold", refuse)
    assert fetch.fetch(server.entries) == 0
    assert fetch.verify(server.entries).n_intact == 3


def test_damage_is_found_and_renewed(server):
    """Check that every damaged file is named, and fetched again once it is discarded."""
    fetch.fetch(server.entries)
    flipped, cut = map(fetch.cache_path, server.entries[:2])
    content = bytearray(flipped.read_bytes())
    content[-1] ^= 1
    flipped.write_bytes(content)
    cut.write_bytes(cut.read_bytes()[:-1])
    found = fetch.verify(server.entries)
    assert (found.n_intact, found.n_absent) == (1, 0)
    assert set(found.damaged) == {flipped, cut}
    assert "holds other pixels" in found.damaged[flipped]
    assert str(cut) in str(found)
    fetch.verify(server.entries, discard=True)
    assert not flipped.exists()
    assert fetch.fetch(server.entries) == 2
    assert str(fetch.verify(server.entries)) == (
        "3 micrographs intact, 0 damaged, 0 not in the cache."
    )


@pytest.mark.parametrize("provenance", [None, "{}", '{"sources": [], "filled_rows": [0]}'])
def test_damaged_provenance_is_found(server, provenance):
    """Check a cache whose record of origins is gone, empty or false."""
    fetch.fetch(server.entries)
    path = fetch.cache_path(server.entries[0]).with_suffix(".json")
    path.unlink() if provenance is None else path.write_text(provenance)
    assert len(fetch.verify(server.entries).damaged) == 1
