"""The lock on a method in a folder of runs."""

from __future__ import annotations

import subprocess
import sys

import filelock
import pytest

from baselines import run_lock
from uhcs_bench.errors import UhcsBenchError

HOLD = """
import sys, time
from pathlib import Path
from baselines import run_lock
with run_lock.hold(Path(sys.argv[1]), "unet"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_killed_process_leaves_no_lock(tmp_path):
    """Check that the lock of another process is seen, and that it ends with that process."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout.readline() == "held\n"
            with (
                pytest.raises(run_lock.FolderInUseError) as caught,
                run_lock.hold(tmp_path, "unet"),
            ):
                pytest.fail("two processes hold the lock")
            with run_lock.hold(tmp_path, "pixelnet-ce"), run_lock.hold(tmp_path / "other", "unet"):
                pass
        finally:
            other.kill()
    assert caught.value.exit_code == 4
    assert str(caught.value) == (
        f"Nothing was run, since another process is running unet into {tmp_path}: wait until it "
        "has ended, or choose another --out (--jobs runs folds side by side)."
    )
    with run_lock.hold(tmp_path, "unet"):
        pass


@pytest.mark.parametrize("error", [NotImplementedError("flock"), OSError(37, "No locks available")])
def test_a_file_system_without_locks(tmp_path, monkeypatch, error):
    """Check that the message says what to do."""

    def refuse(*_arguments, **_settings):
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(UhcsBenchError, match="on a local disk"), run_lock.hold(tmp_path, "unet"):
        pytest.fail("it is not locked")


def test_a_folder_that_is_a_file(tmp_path):
    """Check that what stands in the way is named."""
    (tmp_path / "folds").write_text("")
    with (
        pytest.raises(UhcsBenchError, match="can't be used for runs"),
        run_lock.hold(tmp_path, "unet"),
    ):
        pytest.fail("there is no folder")
