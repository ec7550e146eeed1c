"""What ``pytest -m "not slow"`` leaves out before it is imported."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

import conftest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("path", "arguments", "left_out"),
    [
        ("baselines/runs.py", (), True),
        ("tests/baselines", (), True),
        ("uhcs_bench/data/torch_dataset.py", (), True),
        ("uhcs_bench/data/dataset.py", (), False),
        ("tests/data/test_dataset.py", (), False),
        ("tests/baselines", ("tests/baselines/test_runs.py",), False),
        ("tests/benchmarks", ("tests/baselines",), True),
        ("tests/data/test_torch_dataset.py", ("tests/data/test_torch_dataset.py",), False),
    ],
)
def test_heavy_modules_are_left_out_unless_they_are_named(path, arguments, left_out):
    """Check modules in and beside what is heavy, without and with a name on the command line."""
    config = SimpleNamespace(
        option=SimpleNamespace(markexpr=conftest.INNER_LOOP),
        rootpath=ROOT,
        invocation_params=SimpleNamespace(args=("-m", "not slow", *arguments)),
    )
    assert bool(conftest.pytest_ignore_collect(ROOT / path, config)) == left_out
    config.option.markexpr = ""
    assert conftest.pytest_ignore_collect(ROOT / path, config) is None


def test_what_is_heavy_is_there():
    """Check that no path of the list has moved away."""
    assert [path for path in conftest.HEAVY if not (ROOT / path).exists()] == []
