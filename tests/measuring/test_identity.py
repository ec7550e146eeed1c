"""Identity of files: by content, and by nothing else."""

from __future__ import annotations

import hashlib
import os
import shutil

import pytest

from uhcs_bench.measuring import identity


def test_content_decides(tmp_path):
    """Check that time and name are nothing, and a byte or a text beside the file is all."""
    first, second = tmp_path / "a.tif", tmp_path / "b.tif"
    first.write_bytes(b"pixels")
    shutil.copy(first, second)
    os.utime(second, (1, 1))
    assert identity.of_file(first) == hashlib.sha256(b"pixels").hexdigest()
    assert identity.of_file(first) == identity.of_file(second)
    (tmp_path / "b.txt").write_text("$$SM_MICRON_BAR 100")
    assert identity.of_file(first) != identity.of_file(second)
    second.write_bytes(b"pixelz")
    assert identity.of_file(first) != identity.of_file(second)


def test_what_can_not_be_read_has_none(tmp_path):
    """Check a missing file, a folder and a link that leads nowhere."""
    (tmp_path / "lost").symlink_to(tmp_path / "absent")
    for name in ("absent", "lost", "."):
        assert identity.of_file(tmp_path / name) == ""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_pipes_are_not_waited_for(tmp_path):
    """Check a pipe that nobody writes to."""
    os.mkfifo(tmp_path / "pipe.png")
    assert identity.of_file(tmp_path / "pipe.png") == ""
