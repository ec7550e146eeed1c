"""What the inner loop, ``pytest -m "not slow"``, leaves out before it is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

INNER_LOOP = "not slow"
"""What `pytest -m` is given while somebody works."""

HEAVY = (
    *("baselines", "tests/baselines", "tests/benchmarks"),
    *("uhcs_bench/data/torch_dataset.py", "tests/data/test_torch_dataset.py"),
)
"""What imports torch, which takes 3.5 s in each worker, and what trains or times."""

# No test fails on a wall clock.
settings.register_profile("all", deadline=None)
settings.register_profile("inner loop", deadline=None, max_examples=20)


def pytest_configure(config: pytest.Config) -> None:
    """Take a fifth of the random examples in the inner loop."""
    settings.load_profile("inner loop" if config.option.markexpr == INNER_LOOP else "all")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what is heavy, unless the command line names it."""
    if config.option.markexpr != INNER_LOOP:
        return None
    if collection_path not in {config.rootpath / path for path in HEAVY}:
        return None
    arguments = map(str, config.invocation_params.args)
    return not any(collection_path.stem in argument for argument in arguments) or None
