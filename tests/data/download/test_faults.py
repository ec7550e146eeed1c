"""Servers that fail, clients that are killed, disks that are full: the cache stays complete.

``UHCS_BENCH_KILLS=200 pytest tests/data/download/test_faults.py`` runs the long form; ``python
tests/faults.py`` prints the table.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import threading
import time

import pytest

from tests import faults
from tests.helpers import fault_server
from uhcs_bench.data.download import cache, fetch, http, survey
from uhcs_bench.errors import DataUnavailableError

KILLS = int(os.environ.get("UHCS_BENCH_KILLS", "15"))


@pytest.fixture
def server(tmp_path):
    """A server of three micrographs, and a client with little patience."""
    with faults.environment(tmp_path / "cache"), fault_server.serving() as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("name", fault_server.CASES)
def test_server_faults(name):
    """Check the message or success, the cache afterwards, and that the next fetch completes it."""
    row = faults.serve_fault(fault_server.CASES[name])
    assert row.is_sound, row


@pytest.mark.slow
@pytest.mark.parametrize("name", faults.DAMAGES)
def test_damaged_caches(name):
    """Check that damage is found when a micrograph is read, and renewed by the next fetch."""
    row = faults.damage_cache(name)
    assert row.is_sound, row


@pytest.mark.slow
def test_killed_clients_leave_whole_micrographs():
    """Check the cache after each kill, and that the next fetch completes and tidies it."""
    row = faults.kill(KILLS)
    assert row.is_sound, row
    assert row.notes["left parts"], "no client was killed during a download"
    row = faults.kill(KILLS // 4, as_zip=True)
    assert row.is_sound, row


@pytest.mark.slow
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


def test_leftovers_are_not_used_and_removed(server):
    """Check the files of a killed client: before a fetch, and beside a complete cache."""
    workspace = cache.cache_folder() / ".partial"
    workspace.mkdir(parents=True)
    (workspace / "image.png").write_bytes(b"x" * 100)
    fetch.fetch(server.entries)
    assert fetch.verify(server.entries).n_intact == 3
    assert not workspace.exists()
    workspace.mkdir()
    (workspace / "m0.npy").touch()
    with cache.hold():
        (workspace / "m0.npy").touch()
        assert fetch.fetch(server.entries) == 0
        assert list(workspace.iterdir())
    workspace.mkdir()
    assert fetch.fetch(server.entries) == 0
    assert not workspace.exists()


def test_busy_cache_is_reported():
    """Check the sentence of a client that waits for another one too long."""
    with (
        cache.hold(),
        pytest.raises(DataUnavailableError, match=r"Another process .* End it, or name another"),
        cache.hold(timeout_s=0),
    ):
        pass


SECRETS = "p@ssword", "ssword", "t0ken"


@pytest.mark.parametrize(
    "name",
    ["404", "503, always", "redirect to nonsense", "corrupted", "closes the connection, always"],
)
def test_secrets_of_a_mirror_are_not_shown(server, monkeypatch, name):
    """Check that messages hold neither the password nor the query of the mirror's address."""
    server.fault = fault_server.CASES[name].fault
    base = f"127.0.0.1:{server.server_port}"
    monkeypatch.setenv(fetch.MIRROR_VARIABLE, f"http://me:p@ssword@{base}/mirror?key=t0ken")
    prefix = f"/mirror/{base}"
    server.files = {f"{prefix}{path}?key=t0ken": file for path, file in server.files.items()}
    with pytest.raises(DataUnavailableError) as caught:
        fetch.fetch(server.entries)
    assert base in str(caught.value)
    assert server.asked[f"{prefix}/0/image.png?key=t0ken"]
    assert not [secret for secret in SECRETS if secret in str(caught.value)]
    shown = survey.to_json(survey.survey(server.entries))
    assert not [secret for secret in SECRETS if secret in shown]


def test_retry_after_is_honoured(server):
    """Check that the client waits as long as it is asked to."""
    server.fault = fault_server.busy_once
    start = time.monotonic()
    fetch.fetch(server.entries)
    assert time.monotonic() - start >= 1


def test_an_overloaded_host_is_left_alone(server):
    """Check that a host that stays busy is not asked for every file."""
    server.fault = lambda answer, _: answer.busy(503)
    with pytest.raises(DataUnavailableError, match="3 of 3"):
        fetch.fetch(server.entries)
    assert list(server.asked.values()) == [fault_server.PATIENCE.attempts]


def test_a_certificate_that_is_not_accepted_is_named(server):
    """Check the sentence where the other side's TLS is not to be trusted."""
    url = f"https://127.0.0.1:{server.server_port}/0/image.png"
    with pytest.raises(http.HostRefused, match="renew the certificates of this computer"):
        http.Client().get(url, 1000)


def test_a_trickled_handshake_is_given_up():
    """Check a server that never ends the handshake, and is never silent for long."""
    stop = threading.Event()

    def trickle(listener):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.sendall(b"\x16\x03\x03\x40\x00\x02")  # a record of 16 KiB
                    while not stop.wait(0.05):
                        connection.sendall(b"\0")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=trickle, args=(listener,), daemon=True).start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/a.png"
        with pytest.raises(http.HostRefused, match="can't be reached"):
            http.Client(patience=http.Patience(connect_s=0.3, attempts=1)).get(url, 1000)
        stop.set()


def test_missing_certificates_are_named(server, monkeypatch):
    """Check the sentence where the user's bundle of certificates is not there."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/absent/certificates.pem")
    url = f"https://127.0.0.1:{server.server_port}/0/image.png"
    with pytest.raises(http.HostRefused, match=r"/absent/certificates\.pem"):
        http.Client().get(url, 1000)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "No space left on device.*Free some room"),
        (errno.EROFS, "Read-only file system.*Make it writable"),
        (errno.EACCES, "Permission denied.*Make it writable"),
        (errno.EDQUOT, "quota exceeded.*Free some room"),
    ],
)
def test_a_cache_that_cannot_be_written_is_explained(server, monkeypatch, number, sentence):
    """Check each cause, with its remedy, and that nothing half written stays."""

    def refuse(_descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DataUnavailableError, match=sentence) as caught:
        fetch.fetch(server.entries)
    assert caught.value.exit_code == 1
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
    assert fetch.fetch(server.entries) == 2
    assert str(fetch.verify(server.entries)) == (
        "3 micrographs intact, 0 damaged, 0 not in the cache."
    )
