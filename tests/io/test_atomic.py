"""Tests of files that appear whole or not at all."""

import os
import threading

import pytest

from uhcs_bench.io.atomic import replacing


def test_failure_leaves_the_old_file(tmp_path):
    """Check that what was there stays, and nothing else is left."""
    path = tmp_path / "a.txt"
    path.write_text("old")

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
    with replacing(path) as partial:
        partial.write_text("new")
    assert not path.is_symlink()
    assert path.read_text() == "new"
    assert (tmp_path / "other").read_text() == "other"


def test_others_may_read(tmp_path):
    """Check that the file has not the narrow mode of a temporary one."""
    path = tmp_path / "a.txt"
    with replacing(path) as partial:
        partial.write_text("new")
    assert path.stat().st_mode & 0o777 == 0o644


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
