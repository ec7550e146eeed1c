"""What importing the package, and running a command, does not load."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"scipy", "skimage", "requests", "torch", "matplotlib", "pooch", "tifffile", "PIL", "numpy"}


def loaded_after(code):
    """Top-level modules that a fresh interpreter has after some code."""
    program = f"{code}\nimport json, sys; print(json.dumps([*sys.modules]), file=sys.__stdout__)"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in json.loads(result.stdout.splitlines()[-1])}


@pytest.mark.parametrize("code", ["import uhcs_bench", "import uhcs_bench.cli"])
def test_import_loads_nothing_heavy(code):
    """Check that the package itself is light."""
    assert not HEAVY & loaded_after(code)


def test_scoring_loads_numpy_alone():
    """Check that scoring cached data needs neither scipy nor the network's libraries."""
    assert HEAVY & loaded_after("import uhcs_bench; uhcs_bench.score; uhcs_bench.load") == {"numpy"}


def test_public_names_exist():
    """Check that everything in __all__ and dir() can be had, and nothing else."""
    import uhcs_bench

    for name in uhcs_bench.__all__:
        assert getattr(uhcs_bench, name) is not None
    assert dir(uhcs_bench) == sorted(uhcs_bench.__all__)
    with pytest.raises(AttributeError, match="attribute nothing"):
        _ = uhcs_bench.nothing
