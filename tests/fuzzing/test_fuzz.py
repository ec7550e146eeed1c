"""Damaged and hostile submissions are read or refused with a message; none crashes or hangs.

``UHCS_BENCH_FUZZ_CASES=20000 pytest tests/fuzzing/test_fuzz.py`` runs the long form.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ZIPS = os.environ.get("UHCS_BENCH_FUZZ_ZIPS", "300")
FUZZ = Path(__file__).with_name("fuzz.py")


@pytest.mark.slow
def test_damaged_zips_are_searched_or_refused():
    """Check zips of each kind, with their memory and time; see `tests.fuzzing.fuzz_zips`."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.fuzzing.fuzz_zips", ZIPS, "7"],
        capture_output=True,
        text=True,
        cwd=FUZZ.parents[2],
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.strip().splitlines()[-1].startswith(f"{ZIPS} zips of seed 7 in ")


@pytest.mark.slow
def test_damaged_submissions_are_read_or_refused():
    """Check damaged files of each kind; the time limit detects a hang."""
    cases = int(os.environ.get("UHCS_BENCH_FUZZ_CASES", "1000"))
    result = subprocess.run(
        [sys.executable, FUZZ, str(cases), "7"],
        capture_output=True,
        text=True,
        timeout=120 + cases / 10,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    content = json.loads(result.stdout)
    assert sum(content["outcomes"].values()) == cases
    assert content["outcomes"].keys() == {
        f"{kind} {outcome}" for kind in (".npy", ".png", ".tif") for outcome in ("read", "refused")
    }
    assert content["memory_grown_mb"] < 200


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is Linux's")
def test_damaged_pictures_are_read_or_refused():
    """Check micrographs and label maps in every format within bounds on memory and time."""
    cases = int(os.environ.get("UHCS_BENCH_FUZZ_CASES", "1000"))
    result = subprocess.run(
        [sys.executable, FUZZ, str(cases), "7", "pictures"],
        capture_output=True,
        text=True,
        timeout=120 + cases / 10,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stderr == ""
    records = json.loads(result.stdout)
    assert sum(record["tries"] for record in records.values()) == cases
    for record in records.values():
        assert record["read"] > 0
        assert record["refused"] > 0
