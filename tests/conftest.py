"""Fixtures of all tests: isolation from the user's cache and network, and the real data."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import release
from uhcs_bench import protocol
from uhcs_bench.data import registry
from uhcs_bench.data.download import fetch
from uhcs_bench.errors import DataUnavailableError
from uhcs_bench.io import protection

if TYPE_CHECKING:
    from pathlib import Path

# No test fails on a wall clock.
settings.register_profile("without a clock", deadline=None)
settings.load_profile("without a clock")

SLOW_FIXTURES = {
    *("deposit", "audited"),
    *("benchmark", "chromium", "distributions", "installation", "site"),
}
"""Tests that use one of them are marked `slow`: they audit, time, build, install or start a
browser."""

INNER_LOOP = "not slow"
"""What `pytest -m` is given while somebody works."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use a slow fixture."""
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the baselines out of the inner loop: they import torch and train.

    A file or folder of them that the command line names is collected.
    """
    root = config.rootpath
    heavy = collection_path in (root / "baselines", root / "tests" / "baselines")
    named = any(
        "baselines" in argument
        for argument in config.invocation_params.args
        if isinstance(argument, str)
    )
    return True if heavy and not named and config.option.markexpr == INNER_LOOP else None


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder for what the program remembers of the files that it wrote."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: Path) -> None:
    """Give each test an empty cache, no network, and a memory that is not the user's."""
    monkeypatch.setattr(protection, "_state", lambda: state)
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    monkeypatch.setenv(fetch.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv(fetch.OFFLINE_VARIABLE, "1")
    monkeypatch.delenv(fetch.MIRROR_VARIABLE, raising=False)


@pytest.fixture(scope="session")
def real_cache() -> Path:
    """Cache with the real data, fetched once with the user's own settings.

    If they are not available, the tests that need them are skipped with the reason; in continuous
    integration that is a failure.
    """
    try:
        fetch.fetch(entry for task in protocol.TASKS for entry in registry.entries(task))
    except DataUnavailableError as error:
        if os.environ.get("CI"):
            pytest.fail(f"the real data are required in CI. {error}")
        pytest.skip(f"the real data are not available: {str(error).splitlines()[0]}")
    return fetch.cache_folder().resolve()


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> release.Distributions:
    """Build sdist and wheel once; skip if the build tools are not installed."""
    for module in ("build", "hatchling"):
        release.require(module)
    return release.Distributions(release.once(tmp_path_factory, "release", release.build))


@pytest.fixture
def real_data(real_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the cache to the one with the real data; the network stays off."""
    monkeypatch.setenv(fetch.CACHE_VARIABLE, str(real_cache))
