"""Files that would inflate are refused within bounded memory and time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzzing import bombs

SCRIPT = Path(bombs.__file__)
READ = {"OME of 1e8 planes", "OME of 1e18 planes", "PNG that inflates"}
"""Bombs whose pixels are sound: these are read, and the bomb is never looked at."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory is Linux's")
@pytest.mark.parametrize("name", bombs.BOMBS)
def test_bombs(tmp_path, name):
    """Check each within ten times its pixels and 100 MB; the time limit detects a hang."""
    result = subprocess.run(
        [sys.executable, SCRIPT, name, tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=SCRIPT.parents[2],
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stderr == ""
    for outcome in json.loads(result.stdout)["outcomes"]:
        if outcome.startswith("read"):
            assert name in READ
        else:
            assert "does not fit into memory" not in outcome, "refused too late"
            assert "can't be decoded (" not in outcome or name.startswith(("PNG", "NPY")), outcome
