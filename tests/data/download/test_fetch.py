"""Fetching: sources in order, hashes, mirrors, the cache, and what is said when nothing works."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import hashlib
import http.server
import io
import os
import subprocess
import sys
import threading
from urllib.parse import quote, unquote, urlsplit

import numpy as np
import pytest
from PIL import Image

import uhcs_bench
from uhcs_bench import protocol
from uhcs_bench.data import pixels as canonical
from uhcs_bench.data import registry
from uhcs_bench.data.download import cache, fetch, settings
from uhcs_bench.data.download.sources import in_mirror
from uhcs_bench.data.registry import Entry, File, HeatTreatment, PixelSize, Source
from uhcs_bench.errors import DataUnavailableError, UsageError

IMAGE = np.random.default_rng(0).integers(0, 256, (6, 5), np.uint8)
LABELS = np.random.default_rng(1).integers(0, 2, (6, 5), np.uint8)


def png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def source(url, content, rows=(0, 6), missing_rows=0):
    return Source(url, hashlib.sha256(content).hexdigest(), len(content), rows, missing_rows)


def entry(image_sources, labels_sources, name="m0", hashed_from_row=0):
    return Entry(
        task="particles",
        id=name,
        version="1.0",
        fold=0,
        shape=(6, 5),
        uhcsdb_id=None,
        pixel_size=PixelSize(None, "none", {}, False),
        heat_treatment=HeatTreatment(None, None, None, None),
        licence="",
        citation=(),
        files={
            "image": File(
                canonical.pixel_sha256(IMAGE[hashed_from_row:]), hashed_from_row, image_sources, ""
            ),
            "labels": File(canonical.pixel_sha256(LABELS), 0, labels_sources, ""),
        },
    )


def mirror_file(mirror, url, content):
    parts = urlsplit(url)
    path = mirror / parts.netloc / unquote(parts.path).lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """An empty mirror folder."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv(fetch.MIRROR_VARIABLE, str(folder))
    return folder


@pytest.fixture
def simple(mirror):
    """A micrograph whose two files are in the mirror."""
    urls = "https://example.org/a%20b/image.png", "https://example.org/labels.png"
    for url, array in zip(urls, (IMAGE, LABELS), strict=True):
        mirror_file(mirror, url, png(array))
    return entry((source(urls[0], png(IMAGE)),), (source(urls[1], png(LABELS)),))


@contextlib.contextmanager
def served(folder):
    """Serve a folder over HTTP on this machine, and record what is asked for and by whom."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_request(self, code="-", size="-"):
            asked.append((self.path, int(code), self.headers.get("User-Agent")))

        def log_error(self, *args):
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def files_below(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_mirror_folder_is_enough(simple):
    """Check that a micrograph is fetched without network, read back equal, and immutable."""
    assert fetch.fetch([simple]) == 1
    pixels = fetch.read(simple)
    np.testing.assert_array_equal(pixels.image, IMAGE)
    np.testing.assert_array_equal(pixels.labels, LABELS)
    assert pixels.filled_rows == ()
    assert pixels.sources == tuple(file.sources[0].url for file in simple.files.values())
    for array in (pixels.image, pixels.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_a_second_fetch_touches_no_source(simple, mirror):
    """Check that what is cached needs neither mirror nor network."""
    fetch.fetch([simple])
    for path in files_below(mirror):
        path.unlink()
    assert fetch.fetch([simple]) == 0
    np.testing.assert_array_equal(fetch.read(simple).image, IMAGE)


def test_nothing_but_the_micrograph_stays_in_the_cache(simple):
    """Check that downloads are cleaned up."""
    fetch.fetch([simple])
    names = [path.name for path in fetch.cache_folder().rglob("*") if not path.is_dir()]
    assert sorted(names) == [".lock", "m0.json", "m0.npy"]
    assert not [path for path in fetch.cache_path(simple).parent.iterdir() if path.is_dir()]


def test_a_base_url_serves_as_mirror(simple, mirror, monkeypatch):
    """Check a mirror over HTTP: one request for each file, with a descriptive user agent."""
    with served(mirror) as (base, asked):
        monkeypatch.setenv(fetch.MIRROR_VARIABLE, base)
        monkeypatch.delenv(fetch.OFFLINE_VARIABLE)
        assert fetch.fetch([simple]) == 1
    assert [path for path, _, _ in asked] == [
        "/example.org/a%20b/image.png",
        "/example.org/labels.png",
    ]
    assert all("uhcs-bench" in agent for _, _, agent in asked)


def test_sources_are_tried_in_order(mirror, monkeypatch):
    """Check that 404 and other content both lead on to the next source, which is recorded."""
    monkeypatch.delenv(fetch.OFFLINE_VARIABLE)
    files = mirror / "files"
    files.mkdir()
    (files / "other.png").write_bytes(png(255 - IMAGE))
    (files / "good.png").write_bytes(png(IMAGE))
    (files / "labels.png").write_bytes(png(LABELS))
    with served(files) as (base, asked):
        wanted = entry(
            (
                source(f"{base}/absent.png", png(IMAGE)),
                source(f"{base}/other.png", png(IMAGE)),
                source(f"{base}/good.png", png(IMAGE)),
            ),
            (source(f"{base}/labels.png", png(LABELS)),),
        )
        fetch.fetch([wanted])
    assert [(path, code) for path, code, _ in asked] == [
        ("/absent.png", 404),
        ("/other.png", 200),
        ("/good.png", 200),
        ("/labels.png", 200),
    ]
    assert fetch.read(wanted).sources[0].endswith("/good.png")


def test_any_container_with_the_same_pixels_verifies(mirror):
    """Check that a file of another format proves to be the same image."""
    stream = io.BytesIO()
    np.save(stream, np.pad(IMAGE, ((2, 3), (0, 0))))
    url = "https://example.org/image.npy"
    mirror_file(mirror, url, stream.getvalue())
    mirror_file(mirror, "https://example.org/labels.png", png(LABELS))
    wanted = entry(
        (source(url, stream.getvalue(), rows=(2, 8)),),
        (source("https://example.org/labels.png", png(LABELS)),),
    )
    fetch.fetch([wanted])
    np.testing.assert_array_equal(fetch.read(wanted).image, IMAGE)


def test_a_true_first_row_is_preferred_to_a_filled_one(mirror):
    """Check both kinds of source of a micrograph whose first row is in no hash."""
    whole, headless = "https://example.org/whole.png", "https://example.org/headless.png"
    labels = "https://example.org/labels.png"
    mirror_file(mirror, headless, png(IMAGE[1:]))
    mirror_file(mirror, labels, png(LABELS))
    wanted = entry(
        (
            source(whole, png(IMAGE)),
            source(headless, png(IMAGE[1:]), rows=(0, 5), missing_rows=1),
        ),
        (source(labels, png(LABELS)),),
        hashed_from_row=1,
    )
    fetch.fetch([wanted])
    filled = fetch.read(wanted)
    assert filled.filled_rows == (0,)
    np.testing.assert_array_equal(filled.image[0], IMAGE[1])
    np.testing.assert_array_equal(filled.image[1:], IMAGE[1:])

    mirror_file(mirror, whole, png(IMAGE))
    fetch.cache_path(wanted).unlink()
    fetch.fetch([wanted])
    assert fetch.read(wanted).filled_rows == ()
    np.testing.assert_array_equal(fetch.read(wanted).image, IMAGE)


def test_a_file_with_another_hash_is_refused(simple, mirror):
    """Check that one changed byte is seen, both hashes are named, and the mirror is left alone."""
    url = simple.files["image"].sources[0].url
    changed = png(IMAGE)[:-1] + b"x"
    path = mirror_file(mirror, url, changed)
    with pytest.raises(DataUnavailableError) as caught:
        fetch.fetch([simple])
    message = str(caught.value)
    assert hashlib.sha256(changed).hexdigest() in message
    assert hashlib.sha256(png(IMAGE)).hexdigest() in message
    assert str(path) in message
    assert path.read_bytes() == changed
    assert not fetch.cache_path(simple).exists()


def test_pixels_are_checked_beside_the_file(simple, mirror):
    """Check that a registry whose recipe gives other pixels is caught."""
    image = simple.files["image"]
    url = image.sources[0].url
    mirror_file(mirror, url, png(np.vstack([IMAGE, IMAGE])))
    off_by_one = source(url, png(np.vstack([IMAGE, IMAGE])), rows=(1, 7))
    wanted = dataclasses.replace(
        simple, files={**simple.files, "image": dataclasses.replace(image, sources=(off_by_one,))}
    )
    with pytest.raises(DataUnavailableError, match="other pixels"):
        fetch.fetch([wanted])


def test_one_error_lists_every_source_and_what_to_do(simple, mirror):
    """Check the message when the mirror lacks the file and the network is forbidden."""
    path = mirror_file(mirror, simple.files["image"].sources[0].url, b"")
    path.unlink()
    with pytest.raises(DataUnavailableError) as caught:
        fetch.fetch([simple])
    message = str(caught.value)
    assert f"{path} for particles m0 (image): there is no such file" in message
    assert (
        "example.org for particles m0 (image): "
        f"the network is forbidden by {fetch.OFFLINE_VARIABLE}" in message
    )
    assert f"set {fetch.MIRROR_VARIABLE}" in message
    assert f"unset {fetch.OFFLINE_VARIABLE}" in message


def test_a_dead_host_is_asked_once(monkeypatch):
    """Check that a host that can't be reached does not cost a time-out for each file."""
    monkeypatch.delenv(fetch.OFFLINE_VARIABLE)
    with served(".") as (base, _):
        pass  # now nobody listens there
    calls = []
    import requests

    original = requests.Session.get

    def counting(session, url, **options):
        calls.append(url)
        return original(session, url, **options)

    monkeypatch.setattr(requests.Session, "get", counting)
    wanted = [
        entry((source(f"{base}/{i}.png", b""),), (source(f"{base}/l.png", b""),), f"m{i}")
        for i in range(3)
    ]
    with pytest.raises(DataUnavailableError, match="3 of 3 micrographs could not be fetched"):
        fetch.fetch(wanted)
    assert len(calls) == 2, "one attempt and one more"


def test_what_can_be_had_is_kept(simple):
    """Check that one missing micrograph does not lose the others."""
    absent = entry((source("https://example.org/x.png", b""),), (), name="m1")
    with pytest.raises(DataUnavailableError, match="1 of 2 micrographs"):
        fetch.fetch([absent, simple])
    np.testing.assert_array_equal(fetch.read(simple).image, IMAGE)


def emptied(path):
    path.write_bytes(b"")


def garbled(path):
    path.write_bytes(b"garbage")


def truncated(path):
    path.write_bytes(path.read_bytes()[:-1])


def of_another_shape(path):
    np.save(path, IMAGE)


def with_a_flipped_label(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def with_a_lying_header(path):
    content = path.read_bytes().replace(b"(2, 6, 5)", b"(2, 1000000000, 5)")
    path.write_bytes(content)


def without_origin(path):
    path.with_suffix(".json").unlink()


def with_origin(text):
    def damage(path):
        path.with_suffix(".json").write_text(text)

    return damage


DAMAGES = [
    emptied,
    garbled,
    truncated,
    of_another_shape,
    with_a_flipped_label,
    with_a_lying_header,
    without_origin,
    *map(
        with_origin,
        [
            "",
            "{}",
            "[1]",
            "null",
            "[" * 100_000,
            '{"sources": [], "filled_rows": 5}',
            '{"sources": [], "filled_rows": ["a"]}',
            '{"sources": [], "filled_rows": [0]}',
            '{"sources": 1, "filled_rows": []}',
        ],
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_renewed_or_named(simple, mirror, damage):
    """Check that no damaged file is loaded: it is fetched again, or named where that fails."""
    fetch.fetch([simple])
    path = fetch.cache_path(simple)
    damage(path)
    with pytest.raises(fetch.DamagedError):
        fetch.read(simple)
    assert list(fetch.verify([simple]).damaged) == [path]
    hidden = mirror.rename(mirror.with_name("hidden"))
    with pytest.raises(DataUnavailableError, match="and was not used") as caught:
        fetch.fetch([simple])
    assert str(path) in str(caught.value)
    hidden.rename(mirror)
    assert fetch.fetch([simple]) == 1
    np.testing.assert_array_equal(fetch.read(simple).labels, LABELS)
    assert fetch.verify([simple]).n_intact == 1


def test_exchanged_files_of_two_micrographs_are_found(simple, mirror):
    """Check two files of the cache that have changed places, each of them sound."""
    other = 255 - IMAGE
    mirror_file(mirror, "https://example.org/other.png", png(other))
    image = File(
        canonical.pixel_sha256(other),
        0,
        (source("https://example.org/other.png", png(other)),),
        "",
    )
    twin = dataclasses.replace(simple, id="m1", files={**simple.files, "image": image})
    fetch.fetch([simple, twin])
    first, second = map(fetch.cache_path, (simple, twin))
    first.rename(first.with_suffix(".x"))
    second.rename(first)
    first.with_suffix(".x").rename(second)
    assert len(fetch.verify([simple, twin]).damaged) == 2
    assert fetch.fetch([simple, twin]) == 2
    np.testing.assert_array_equal(fetch.read(twin).image, other)


def test_damage_that_keeps_the_time_is_found(simple):
    """Check that pixels are compared whenever they are read, whatever the file's time says."""
    (before,) = fetch.load([simple])
    path = fetch.cache_path(simple)
    state = path.stat()
    with_a_flipped_label(path)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(fetch.DamagedError, match="holds other pixels"):
        fetch.read(simple)
    (after,) = fetch.load([simple])
    np.testing.assert_array_equal(after.labels, before.labels)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_cache_is_not_called_damaged_by_a_user(simple):
    """Check a file without permission."""
    fetch.fetch([simple])
    fetch.cache_path(simple).chmod(0)
    with pytest.raises(cache.UnreadableError, match="Permission denied"):
        fetch.read(simple)


def test_a_file_that_comes_meanwhile_is_not_called_damaged(simple, monkeypatch):
    """Check a reader to whom the file was absent, beside a process that has just written it."""
    fetch.fetch([simple])

    def absent(*_, **__):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr(cache, "_stacked", absent)
    with pytest.raises(FileNotFoundError):
        fetch.read(simple)


def test_unreadable_cache_is_not_called_damaged(simple, monkeypatch):
    """Check the sentence and exit code where the system refuses."""
    fetch.fetch([simple])

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cache, "_stacked", refuse)
    for call in (fetch.read, lambda entry: fetch.fetch([entry])):
        with pytest.raises(cache.UnreadableError, match=r"Permission denied.*Make it") as caught:
            call(simple)
        assert caught.value.exit_code == 1


def test_linked_workspace_is_not_followed(simple, tmp_path):
    """Check that tidying deletes nothing elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "image.png").write_text("the user's")
    fetch.cache_folder().mkdir()
    (fetch.cache_folder() / ".partial").symlink_to(elsewhere)
    assert fetch.fetch([simple]) == 1
    assert fetch.fetch([simple]) == 0
    assert [path.name for path in elsewhere.iterdir()] == ["image.png"]
    assert not (fetch.cache_folder() / ".partial").exists()


@pytest.mark.parametrize("error", [OSError(errno.ENOLCK, "No locks"), NotImplementedError("flock")])
def test_file_systems_without_locks_are_explained(simple, monkeypatch, error):
    """Check the remedy: another disk, not other permissions."""

    def refuse(*_, **__):
        raise error

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with pytest.raises(DataUnavailableError, match=r"can't lock files. Move it to a local disk"):
        fetch.fetch([simple])


def test_waiting_for_another_process_is_said(monkeypatch, capsys):
    """Check the line on standard error, once."""
    monkeypatch.setattr(cache, "_NOTICE_S", 0.01)
    with cache.hold(), pytest.raises(cache.UnreadableError), cache.hold(timeout_s=0.1):
        pass
    assert capsys.readouterr().err.count("Waiting for another process") == 1


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        (fetch.MIRROR_VARIABLE, "http://[::1", "no address"),
        (fetch.MIRROR_VARIABLE, "s3://bucket/", "s3:// can't be read"),
        (fetch.MIRROR_VARIABLE, "~nouser-of-that-name/data", "no user of that name"),
        (fetch.CACHE_VARIABLE, "~nouser-of-that-name/cache", "no user of that name"),
    ],
)
def test_impossible_settings_are_named(simple, monkeypatch, variable, value, reason):
    """Check the variable's name and the reason."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=reason) as caught:
        fetch.fetch([simple])
    assert variable in str(caught.value)


@pytest.mark.parametrize("spell", ["file://{}", "{}/", " {} "])
def test_mirror_folders_have_several_spellings(simple, mirror, monkeypatch, spell):
    """Check an address of a folder, and spaces."""
    monkeypatch.setenv(fetch.MIRROR_VARIABLE, spell.format(mirror))
    assert fetch.fetch([simple]) == 1


def test_schemes_have_any_case(simple, mirror, monkeypatch):
    """Check a mirror over HTTP in capitals."""
    with served(mirror) as (base, _):
        monkeypatch.setenv(fetch.MIRROR_VARIABLE, base.replace("http:", "HTTP:"))
        monkeypatch.setenv(fetch.OFFLINE_VARIABLE, "off")
        assert fetch.fetch([simple]) == 1


@pytest.mark.parametrize(
    ("value", "forbidden"),
    [
        *((no, False) for no in ("", "0", "false", "False", "no", "off", " OFF ")),
        *((yes, True) for yes in ("1", "true", "yes", "on", "2")),
    ],
)
def test_network_is_forbidden_by_what_means_yes(monkeypatch, value, forbidden):
    """Check the values that people write."""
    monkeypatch.setenv(fetch.OFFLINE_VARIABLE, value)
    assert settings.offline() is forbidden


def test_a_cache_that_cannot_be_written_is_named(simple, tmp_path, monkeypatch):
    """Check the message when the cache folder is impossible."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(fetch.CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(DataUnavailableError, match=f"another folder in {fetch.CACHE_VARIABLE}"):
        fetch.fetch([simple])


def test_a_pipe_sees_no_progress(simple):
    """Check that fetching is silent where standard error is no terminal."""
    program = (
        "import pickle, sys; from uhcs_bench.data.download import fetch;"
        "fetch.fetch([pickle.load(sys.stdin.buffer)])"
    )
    import pickle

    result = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(simple), capture_output=True, check=True
    )
    assert (result.stdout, result.stderr) == (b"", b"")
    assert fetch.cache_path(simple).is_file()


def test_mirror_paths_are_unquoted_in_folders_alone():
    """Check how a source's address becomes a place in a mirror."""
    url = f"https://example.org/{quote('For Training')}/a.png"
    assert in_mirror("https://mirror.net/base/", url).endswith(
        "/base/example.org/For%20Training/a.png"
    )
    assert in_mirror("/folder", url) == "/folder/example.org/For Training/a.png"


@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize("task", protocol.TASKS)
def test_real_data_verify(task):
    """Check the pixels of all cached real micrographs against the registry's hashes."""
    for wanted in registry.entries(task):
        pixels = fetch.read(wanted)
        canonical.check_pixels(pixels.image, wanted.files["image"])
        canonical.check_pixels(pixels.labels, wanted.files["labels"])
        assert len(pixels.filled_rows) <= wanted.files["image"].hashed_from_row


@pytest.mark.usefixtures("real_data")
def test_filled_rows_are_marked():
    """Check that the nine micrographs with a lost row say so, and repeat row 1 there."""
    filled = [m for m in uhcs_bench.load("particles") if m.filled_rows]
    assert len(filled) == 9
    for micrograph in filled:
        assert micrograph.filled_rows == (0,)
        np.testing.assert_array_equal(micrograph.image[0], micrograph.image[1])
