"""Tests of files that appear in one step."""

import os
import threading
from pathlib import Path

import pytest

from uhcs_bench.errors import UsageError
from uhcs_bench.io.atomic import UnwritableError, check, new_folder, replacing
from uhcs_bench.io.protection import protecting


def test_failure_leaves_the_old_file(tmp_path):
    """Check that what was there stays, and nothing else is left."""
    path = tmp_path / "a.txt"
    with replacing(path) as partial:
        partial.write_text("old")

    def write():
        with replacing(path) as partial:
            partial.write_text("ne")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_links_are_replaced_and_not_followed(tmp_path):
    """Check a link in the place of the file: what it leads to stays as it is."""
    (tmp_path / "other").write_text("other")
    path = tmp_path / "a.txt"
    path.symlink_to("other")
    with protecting([], force=True), replacing(path) as partial:
        partial.write_text("new")
    assert not path.is_symlink()
    assert path.read_text() == "new"
    assert (tmp_path / "other").read_text() == "other"


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077, 0o002])
def test_modes_follow_the_umask(tmp_path, mask):
    """Check a file and a folder."""
    before = os.umask(mask)
    try:
        with replacing(tmp_path / "a.txt") as partial:
            partial.write_text("new")
        with new_folder(tmp_path / "maps"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o666 & ~mask
    assert (tmp_path / "maps").stat().st_mode & 0o777 == 0o777 & ~mask


def test_pipes_and_devices_stay_what_they_are(tmp_path):
    """Check that a pipe is written into."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    with replacing(pipe) as given:
        given.write_text("new")
    reader.join(timeout=30)
    assert read == ["new"]
    assert pipe.is_fifo()


def test_content_is_on_disk_before_the_name_changes(tmp_path, monkeypatch):
    """Check the order: synchronise, then rename."""
    path = tmp_path / "a.txt"
    seen = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(path.exists()))
    with replacing(path) as partial:
        partial.write_text("new")
    assert seen == [False]
    assert path.exists()


def test_workspace_holds_the_unfinished_file(tmp_path):
    """Check a temporary file in another folder."""
    workspace = tmp_path / "work"
    workspace.mkdir()
    with replacing(tmp_path / "a.txt", workspace) as partial:
        partial.write_text("new")
        assert partial.parent == workspace
    assert (tmp_path / "a.txt").read_text() == "new"
    assert not [*workspace.iterdir()]


def test_error_names_the_file_and_not_the_temporary_one(tmp_path):
    """Check the file name of an error."""
    path = tmp_path / "absent" / "a.txt"
    with pytest.raises(FileNotFoundError) as caught, replacing(path):
        pass
    assert caught.value.filename == str(path)


@pytest.mark.parametrize(("name", "reason"), [("folder", "folder"), ("absent/a", "no folder")])
def test_unwritable_file_is_reported_before_the_work(tmp_path, name, reason):
    """Check the reasons, and that a file that can be written passes."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnwritableError, match=reason):
        check(tmp_path / name)
    check(tmp_path / "a")


@pytest.mark.parametrize("exists", [False, True])
def test_folder_gets_its_name_when_complete(tmp_path, exists):
    """Check a new folder and an empty one."""
    target = tmp_path / "a" / "maps"
    if exists:
        target.mkdir(parents=True)
    with new_folder(target) as partial:
        (partial / "a.txt").write_text("new")
        assert not [*target.glob("*")]
    assert (target / "a.txt").read_text() == "new"
    assert [p.name for p in target.parent.iterdir()] == ["maps"]


def test_failed_folder_leaves_nothing(tmp_path):
    """Check that an error removes what was written."""

    def write():
        with new_folder(tmp_path / "maps") as partial:
            (partial / "a.txt").write_text("new")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write()
    assert not [*tmp_path.iterdir()]


def test_folder_in_use_is_refused(tmp_path, monkeypatch):
    """Check a folder with files, a file and the current folder."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for path in (tmp_path / "full", tmp_path / "full" / "a", Path.cwd()):
        with pytest.raises(UsageError, match="Nothing was written"), new_folder(path):
            pass
