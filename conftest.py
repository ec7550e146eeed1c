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
"""What imports torch, which takes seconds in each worker, and what trains or times."""

# No test fails on a wall clock.
settings.register_profile("all", deadline=None)
settings.register_profile("inner loop", deadline=None, max_examples=20)


def pytest_configure(config: pytest.Config) -> None:
    """Take a fifth of the random examples in the inner loop."""
    settings.load_profile("inner loop" if config.option.markexpr == INNER_LOOP else "all")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what is heavy, unless the command line names it.

    Pytest does not ask for the test paths themselves, so what stands in them is left out too.
    """
    if config.option.markexpr != INNER_LOOP:
        return None
    heavy = {config.rootpath / path for path in HEAVY} & {collection_path, *collection_path.parents}
    arguments = [str(argument) for argument in config.invocation_params.args]
    named = any(path.stem in argument for path in heavy for argument in arguments)
    return True if heavy and not named else None
