"""Zips and a user's own copies: the pixels decide what a file is."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

import uhcs_bench
from tests.data.download.deposits import (
    base,
    deposit_members,
    tif,
    with_data_bar,
    with_deposits,
    zip_deposit,
)
from tests.helpers import fault_server
from tests.helpers.fault_server import zipped
from uhcs_bench import protocol
from uhcs_bench.data import pixels as canonical
from uhcs_bench.data import registry
from uhcs_bench.data.download import fetch, http, pixel_index, sources, survey
from uhcs_bench.data.registry import Deposit
from uhcs_bench.errors import DataUnavailableError, UsageError
from uhcs_bench.io import images


def test_a_zip_gives_what_no_source_has(server):
    """Check that one download serves all micrographs, whatever its members are called."""
    deposit = zip_deposit(server, zipped(deposit_members(server.pixels)))
    entries = with_deposits(server, deposit)
    assert fetch.fetch(entries) == 3
    assert fetch.verify(entries).n_intact == 3
    assert server.asked["/deposit.zip"] == 1
    assert fetch.read(entries[1]).sources == (
        f"{deposit.url}/particles/images/specimen1.tif",
        f"{deposit.url}/particles/labels/specimen1.tif",
    )
    left = {path.suffix for path in fetch.cache_folder().rglob("*") if path.is_file()}
    assert left == {".npy", ".json", ""}


def test_a_zip_completes_what_a_source_has_begun(server):
    """Check an image from its own source and labels from the zip."""
    server.files["/0/image.png"] = fault_server.png(server.pixels["/0/image.png"])
    deposit = zip_deposit(server, zipped(deposit_members(server.pixels)))
    entries = with_deposits(server, deposit)
    fetch.fetch(entries)
    image, labels = fetch.read(entries[0]).sources
    assert image.endswith("/0/image.png")
    assert labels.startswith(deposit.url)


def test_a_zip_in_the_mirror_comes_first(server, tmp_path, monkeypatch):
    """Check that a mirror folder can hold the zip."""
    content = zipped(deposit_members(server.pixels))
    deposit = Deposit("zip", "https://example.org/a/b.zip", 10**6, fault_server.git_blob(content))
    (tmp_path / "mirror/example.org/a").mkdir(parents=True)
    (tmp_path / "mirror/example.org/a/b.zip").write_bytes(content)
    monkeypatch.setenv(fetch.MIRROR_VARIABLE, str(tmp_path / "mirror"))
    monkeypatch.setenv(fetch.OFFLINE_VARIABLE, "1")
    assert fetch.fetch(with_deposits(server, deposit)) == 3


def test_a_zip_with_another_blob_id_is_not_opened(server, monkeypatch):
    """Check that git's id is compared first."""
    deposit = zip_deposit(server, zipped(deposit_members(server.pixels)), blob="0" * 40)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(DataUnavailableError, match=r"its git blob id is .*, expected 0000"):
        fetch.fetch(with_deposits(server, deposit))


def test_other_pixels_in_a_zip_are_reported(server):
    """Check the message when the zip is right but lacks a micrograph."""
    pixels = {**server.pixels, "/2/image.png": 255 - server.pixels["/2/image.png"]}
    deposit = zip_deposit(server, zipped(deposit_members(pixels)))
    with pytest.raises(DataUnavailableError, match="no file with these pixels") as caught:
        fetch.fetch(with_deposits(server, deposit))
    assert f"{deposit.url} for particles m2 (image)" in str(caught.value)
    assert "1 of 3 micrographs could not be fetched" in str(caught.value)


def test_a_single_image_gives_images_alone(server):
    """Check a copy of UHCSDB: it is asked for the image, and can't be blamed for labels."""
    server.files["/0/labels.png"] = fault_server.png(server.pixels["/0/labels.png"])
    server.files["/copy.tif"] = tif(with_data_bar(server.pixels["/0/image.png"]).astype(np.uint8))
    copy = Deposit("image", f"{base(server)}/copy.tif", 10**6)
    (entry,) = with_deposits(server, copy)[:1]
    fetch.fetch([entry])
    assert fetch.read(entry).sources[0] == copy.url
    del server.files["/copy.tif"], server.files["/0/labels.png"]
    fetch.cache_path(entry).unlink()
    with pytest.raises(DataUnavailableError) as caught:
        fetch.fetch([entry])
    assert f"{copy.url} for particles m0 (image): the server answered 404" in str(caught.value)
    assert f"{copy.url} for 2 files" not in str(caught.value)


def test_deposits_are_searched_in_order_of_trust(server):
    """Check the order, and that later ones are not asked once nothing is lacking."""
    good = zip_deposit(server, zipped(deposit_members(server.pixels)))
    page = Deposit("page", f"{base(server)}/page", 10**6)
    image = Deposit("image", f"{base(server)}/image", 10**6)
    entries = with_deposits(server, page, image, good)
    fetch.fetch(entries)
    assert not {"/page", "/image"} & set(server.asked)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["../evil.png", "/etc/evil.png", "C:evil.png", "a\\evil.png"])
def test_names_in_a_zip_are_never_used_as_paths(server, tmp_path, monkeypatch, name):
    """Check that a member is read, and nothing written, where its name leaves the folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as opened:
        info = zipfile.ZipInfo("x")
        info.filename = name
        opened.writestr(info, fault_server.png(server.pixels["/0/image.png"]))
    before = sorted(tmp_path.parent.rglob("*"))
    (find,) = pixel_index.search(path, pixel_index.Index(server.entries), "a.zip", [])
    assert find.entry.id == "m0"
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_bombs_are_refused(tmp_path, monkeypatch):
    """Check a member, a total and a number of members beyond any copy of the data."""
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({f"{i}.png": b"\x89PNG" + bytes(5000) for i in range(3)}))
    for limit, message in (
        ("MAX_IMAGE_BYTES", "larger than any file"),
        ("MAX_TOTAL_BYTES", "larger than any file"),
        ("MAX_MEMBERS", "holds 3 files"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(pixel_index, limit, 2 if limit == "MAX_MEMBERS" else 4000)
            with pytest.raises(pixel_index.BundleError, match=message):
                list(pixel_index.members(path, []))


def test_a_member_that_lies_about_its_length_is_refused(tmp_path):
    """Check that no more is read than a member declares, and that its checksum is compared."""
    content = bytearray(zipped({"a.png": b"\x89PNG" + bytes(5000)}))
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (100).to_bytes(4, "little")
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    problems: list[str] = []
    assert not list(pixel_index.members(path, problems))
    assert "a.png can't be read" in problems[0]


@pytest.mark.parametrize("cut", [10, 200, -30])
def test_a_damaged_zip_is_refused(tmp_path, cut):
    """Check truncation at several places."""
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"a.png": b"\x89PNG" + os.urandom(5000)})[:cut])
    with pytest.raises(pixel_index.BundleError, match="damaged zip"):
        list(pixel_index.members(path, []))


def test_an_encrypted_zip_is_refused(tmp_path):
    """Check a member that wants a password."""
    content = bytearray(zipped({"a.png": b"\x89PNG"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    problems: list[str] = []
    assert not list(pixel_index.members(path, problems))
    assert "password" in problems[0]


def test_images_of_absurd_size_are_not_decoded(tmp_path):
    """Check that a header is believed before memory is taken, in a file and in a zip."""
    large = {
        "a.tif": tif(np.zeros((1, 1 << 23), np.uint8)),
        "a.png": fault_server.png(np.zeros((1, 1 << 23), "u1")),
    }
    for name, content in large.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(images.ImageError, match="larger than any micrograph"):
            list(pixel_index.search(tmp_path / name, pixel_index.Index([]), name, []))
    (tmp_path / "a.zip").write_bytes(zipped(large))
    assert not list(pixel_index.search(tmp_path / "a.zip", pixel_index.Index([]), "a.zip", []))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits"])
def test_compressed_tiffs_are_decoded(server, tmp_path, compression):
    """Check the compressions of which tifffile alone may know nothing."""
    Image.fromarray(server.pixels["/0/image.png"]).save(tmp_path / "a.tif", compression=compression)
    (find,) = pixel_index.search(tmp_path / "a.tif", pixel_index.Index(server.entries), "a", [])
    assert find.entry.id == "m0"


def finds(entries, pixels):
    return [
        (find.entry.id, find.kind, find.filled_rows)
        for find in pixel_index.Index(entries).look_up(pixels, "a")
    ]


def test_recipes_are_tried_in_order(server):
    """Check whole, with a data bar, with row 0 lost, and as a mask of 0 and 255."""
    image, labels = server.pixels["/0/image.png"], server.pixels["/0/labels.png"]
    entry = server.entries[0]
    assert finds([entry], image) == [("m0", "image", ())]
    assert finds([entry], with_data_bar(labels)) == [("m0", "labels", ())]
    assert finds([entry], labels * 255) == [("m0", "labels", ())]
    assert finds([entry], np.dstack([image] * 3)) == [("m0", "image", ())]
    assert finds([entry], image[1:]) == []
    lost = dataclasses.replace(
        entry.files["image"], pixel_sha256=canonical.pixel_sha256(image[1:]), hashed_from_row=1
    )
    headless = dataclasses.replace(entry, files={**entry.files, "image": lost})
    assert finds([headless], image) == [("m0", "image", ())]
    assert finds([headless], np.vstack([image[1:], image[:7]])) == [("m0", "image", (0,))]
    assert finds([headless], image[2:]) == []


def test_a_file_may_serve_two_micrographs(server):
    """Check that duplicates are both found."""
    entries = [server.entries[0], dataclasses.replace(server.entries[0], id="twin")]
    assert [name for name, _, _ in finds(entries, server.pixels["/0/image.png"])] == ["m0", "twin"]


def write_copy(folder, members):
    for name, content in members.items():
        if not name.endswith("/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["folder", "zip", "zip in a folder", "zip in a zip"])
def test_a_users_copy_is_imported(server, tmp_path, form):
    """Check the deposit unpacked, as a zip of any name, and as GitHub would pack it again."""
    members = deposit_members(server.pixels)
    path = tmp_path / "my copy"
    path.mkdir()
    if form == "folder":
        write_copy(path, members)
    else:
        (path / "readme.md").write_text("mine")
        content = zipped(members)
        if form == "zip in a zip":
            content = zipped({"repository/particles.zip": content})
        path = path / "download(1).bin"
        path.write_bytes(content)
        if form == "zip in a folder":
            path = path.parent
    imported = fetch.import_from(path, server.entries)
    assert imported.stored == server.entries
    assert not imported.unread
    assert fetch.verify(server.entries).n_intact == 3
    assert "3 micrographs imported" in str(imported)
    again = fetch.import_from(path, server.entries)
    assert (again.stored, again.present) == ([], server.entries)
    assert not server.asked


def test_an_incomplete_copy_is_imported_as_far_as_it_goes(server, tmp_path):
    """Check the report of what lacks its labels, what is missing, and what can't be read."""
    members = deposit_members(server.pixels)
    write_copy(
        tmp_path / "copy",
        {
            name: content
            for name, content in members.items()
            if "specimen2" not in name and "labels/specimen1" not in name
        },
    )
    (tmp_path / "copy" / "broken.zip").write_bytes(zipped(members)[:3000])
    imported = fetch.import_from(tmp_path / "copy", server.entries)
    assert [entry.id for entry in imported.stored] == ["m0"]
    assert imported.lacking == {"particles m1": "the label map was", "particles m2": "they were"}
    assert len(imported.unread) == 1
    for part in (
        "copy/broken.zip is a damaged zip",
        "Not imported, as the label map was not found: particles m1.",
        "Not imported, as they were not found: particles m2.",
    ):
        assert part in str(imported)


def test_a_damaged_cache_is_replaced_by_a_copy(server, tmp_path):
    """Check that an import repairs."""
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(deposit_members(server.pixels)))
    fetch.import_from(path, server.entries)
    fetch.cache_path(server.entries[0]).write_bytes(b"")
    assert fetch.import_from(path, server.entries).stored == server.entries[:1]


def test_a_copy_with_the_true_row_replaces_a_filled_one(server, tmp_path):
    """Check that a cached micrograph with a filled row is improved, and not made worse again."""
    image = server.pixels["/0/image.png"]
    lost = dataclasses.replace(
        server.entries[0].files["image"],
        pixel_sha256=canonical.pixel_sha256(image[1:]),
        hashed_from_row=1,
    )
    entry = dataclasses.replace(server.entries[0], files={**server.entries[0].files, "image": lost})
    labels = tif(server.pixels["/0/labels.png"])
    write_copy(tmp_path / "headless", {"a.tif": tif(image[1:]), "b.tif": labels})
    write_copy(tmp_path / "whole", {"a.tif": tif(image), "b.tif": labels})
    fetch.import_from(tmp_path / "headless", [entry])
    assert fetch.read(entry).filled_rows == (0,)
    assert fetch.import_from(tmp_path / "whole", [entry]).stored == [entry]
    assert fetch.read(entry).filled_rows == ()
    assert fetch.import_from(tmp_path / "headless", [entry]).stored == []
    np.testing.assert_array_equal(fetch.read(entry).image, image)


def test_an_import_of_nothing_says_so(server, tmp_path):
    """Check a path that is not there, and one with something else."""
    with pytest.raises(UsageError, match="no folder or file"):
        fetch.import_from(tmp_path / "absent", server.entries)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.tif").write_bytes(tif(np.zeros((5, 5), np.uint8)))
    with pytest.raises(DataUnavailableError, match=r"Nothing in .*other has the pixels"):
        fetch.import_from(tmp_path / "other", server.entries)


def test_sources_say_whether_they_answer(server, tmp_path, monkeypatch):
    """Check the survey: one that answers, one that does not, an archive, a page, a mirror."""
    server.files["/cdx?url=x*"] = json.dumps([["timestamp"]]).encode()
    deposits = (
        zip_deposit(server, zipped(deposit_members(server.pixels))),
        Deposit("archive", f"http://localhost:{server.server_port}/cdx?url=x*", 10**6),
        Deposit("page", "http://localhost:9/handle/11256/964", 10**6),
    )
    monkeypatch.setenv(fetch.MIRROR_VARIABLE, str(tmp_path))
    states = survey.survey(with_deposits(server, *deposits))
    mirror, own, bundled, archived, page = states
    assert (mirror.name, mirror.answers, mirror.detail) == ("mirror", False, "has 0 of 6 files")
    assert (own.answers, own.detail) == (False, "the server answered 404 Not Found")
    assert bundled.answers
    assert archived.detail == "answers; lists 0 files"
    assert not page.answers
    assert "can't be reached" in page.detail
    assert "deposit.zip" in survey.to_text(states)
    assert json.loads(survey.to_json(states))["sources"][0]["name"] == "mirror"
    assert server.asked["/deposit.zip"] == 1


def test_real_sources_can_be_surveyed_offline():
    """Check that every source of the registry is listed, and none asked."""
    states = survey.survey()
    assert len(states) == 11
    assert all("forbidden by UHCS_BENCH_OFFLINE" in state.detail for state in states)
    assert states[-2].name == "Internet Archive"


def test_real_deposits_are_registered():
    """Check that each micrograph has its zip, the archive and the repository to fall back on."""
    for task, name in (("particles", "particles.zip"), ("microconstituents", "uhcs.zip")):
        for entry in registry.entries(task):
            kinds = [deposit.kind for deposit in entry.deposits]
            assert kinds in (
                ["zip", "archive", "page"],
                ["zip", "image", "image", "archive", "page"],
            )
            assert (len(kinds) == 5) == (entry.uhcsdb_id is not None)
            assert entry.deposits[0].url.endswith(f"/{name}")
            assert len(entry.deposits[0].git_blob) == 40


def test_git_blob_ids_are_gits(tmp_path):
    """Check against the id that git gives a known file."""
    (tmp_path / "file").write_bytes(b"what is up, doc?")
    sources.check_git_blob(tmp_path / "file", "bd9dbf5aae1a3862dd1526723246b20206e5fc37")
    with pytest.raises(http.Refused, match="expected 0000"):
        sources.check_git_blob(tmp_path / "file", "0" * 40)


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_the_real_deposit_is_recognised_under_any_name(tmp_path, monkeypatch):
    """Check all 48 micrographs, renamed, with data bars, in one zip."""
    members = {}
    for task in protocol.TASKS:
        for number, micrograph in enumerate(uhcs_bench.load(task)):
            bar = np.full((38, micrograph.image.shape[1]), -1)
            labels = np.vstack([micrograph.labels.astype(np.int64), bar])
            members[f"x/{task}/{number}.tif"] = tif(micrograph.image)
            members[f"x/{task}/{number}-mask.tif"] = tif(labels)
    path = tmp_path / "deposit"
    path.write_bytes(zipped(members))
    monkeypatch.setenv(fetch.CACHE_VARIABLE, str(tmp_path / "imported"))
    entries = [entry for task in protocol.TASKS for entry in registry.entries(task)]
    imported = fetch.import_from(path, entries)
    assert len(imported.stored) == 48
    assert fetch.verify(entries).n_intact == 48
    assert sum(bool(fetch.read(entry).filled_rows) for entry in entries) == 0


def searched(tmp_path, server, content):
    """Search a file, and give what was found in it and what could not be read."""
    path = tmp_path / "copy.bin"
    path.write_bytes(content)
    problems = []
    index = pixel_index.Index(server.entries)
    found = [find.entry.id for find in pixel_index.search(path, index, "copy", problems)]
    return found, problems


def packed(server, method=zipfile.ZIP_STORED, **renamed):
    """Pack the two images of m0 and m1, one of them under another name."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as opened:
        for number in range(2):
            info = zipfile.ZipInfo(f"{number}.png")
            info.filename = renamed.get(f"name{number}", info.filename)
            info.compress_type = method
            opened.writestr(info, fault_server.png(server.pixels[f"/{number}/image.png"]))
    return bytearray(stream.getvalue())


def change(content, offset, value):
    """Change a field of the first member in the list of members."""
    start = content.index(b"PK\x01\x02") + offset
    content[start : start + len(value)] = value
    return content


@pytest.mark.parametrize(
    ("alter", "reason"),
    [
        (lambda content: change(content, 16, b"\0\0\0\0"), "Bad CRC-32"),
        (lambda content: change(content, 8, b"\1"), "encrypted|password"),
        (lambda content: change(content, 10, b"\x0c\0"), "stored or deflated"),
        (lambda content: change(content, 10, b"\x0e\0"), "stored or deflated"),
        (lambda content: change(content, 10, b"\x63\0"), "stored or deflated"),
        (lambda content: change(content, 42, b"\5\0\0\0"), "magic number|header"),
        (lambda content: change(content, 10, b"\x08\0"), "decompressing|Bad CRC"),
    ],
)
def test_one_bad_member_does_not_end_the_search(server, tmp_path, alter, reason):
    """Check that the rest of a zip is searched, and that the member is named with the reason."""
    found, problems = searched(tmp_path, server, alter(packed(server)))
    assert found == ["m1"]
    assert re.search(rf"^0\.png can't be read \(.*({reason})", problems[0])


def test_a_member_without_a_name_is_searched(server, tmp_path):
    """Check a name of no letter, of which zipfile makes an IndexError."""
    found, problems = searched(tmp_path, server, packed(server, name0=""))
    assert found == ["m0", "m1"] or (found == ["m1"] and problems)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_unpack_at_once_are_refused(server, tmp_path, method):
    """Check the methods in which a few KB become GB in one step."""
    found, problems = searched(tmp_path, server, packed(server, method))
    assert not found
    assert len(problems) == 2
    assert "pack it again" in problems[0]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_another_archive_is_named(server, tmp_path, mode):
    """Check a tar, plain and compressed: what to do is said."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as opened:
        opened.addfile(tarfile.TarInfo("a.png"))
    with pytest.raises(pixel_index.BundleError, match="no zip; unpack it, and name its folder"):
        searched(tmp_path, server, stream.getvalue())
    with pytest.raises(DataUnavailableError, match="no zip; unpack it"):
        fetch.import_from(tmp_path / "copy.bin", server.entries)


def test_long_lists_of_members_are_not_read(server, tmp_path, monkeypatch):
    """Check that the declared length of the list is compared before zipfile reads it."""
    content = zipped(dict.fromkeys(map(str, range(200)), b""))
    monkeypatch.setattr(pixel_index, "MAX_DIRECTORY_BYTES", 5000)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(pixel_index.BundleError, match="lists more files"):
        searched(tmp_path, server, content)


def test_what_macos_notes_about_files_is_passed_over(server, tmp_path):
    """Check zips and folders with files beside each file, in two layouts."""
    members = deposit_members(server.pixels)
    forks = {f"__MACOSX/._{name}": b"\x89PNGfork" for name in ("a.png", "b.tif")}
    beside = {"particles/images/._specimen0.tif": b"II*\0fork"}
    content = zipped({**forks, **members, **beside})
    _, problems = searched(tmp_path, server, content)
    assert problems == []
    write_copy(tmp_path / "copy", {**members, **beside, "._all.zip": b"PK\x03\x04fork"})
    assert fetch.import_from(tmp_path / "copy", server.entries).unread == []
