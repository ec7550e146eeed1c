"""Fixtures of all tests: isolation from the user's cache and network, and the real data."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING

import pytest

import uhcs_bench
from tests.helpers import release
from uhcs_bench import protocol
from uhcs_bench.data import registry
from uhcs_bench.data.download import fetch
from uhcs_bench.errors import DataUnavailableError
from uhcs_bench.io import protection

if TYPE_CHECKING:
    from pathlib import Path

    from uhcs_bench.auditing.audit import Audit

SLOW_FIXTURES = {
    *("deposit", "audited", "real_audit"),
    *("benchmark", "chromium", "distributions", "installation", "site"),
}
"""Tests that use one of them are marked `slow`: they audit, time, build, install or start a
browser."""

LONGEST = ("installed_wheel", "documentation", "five_paths", "test_board", "shipping")
"""Modules whose tests take longest. What waits in them for another worker starts first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use a slow fixture, and put the longest first.

    Workers then end together: none is left alone with a test of a minute.
    """
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)

    def rank(item: pytest.Item) -> int:
        is_slow = item.get_closest_marker("slow") is not None
        return 2 - is_slow - (is_slow and any(name in item.path.stem for name in LONGEST))

    items.sort(key=rank)


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
def real_audit(real_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Audit of both tasks as the paper used them, computed once for all workers."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(fetch.CACHE_VARIABLE, str(real_cache))
            patch.setenv(fetch.OFFLINE_VARIABLE, "1")
            found = uhcs_bench.audit()
        (folder / "audit.pickle").write_bytes(pickle.dumps(found))

    folder = release.once(tmp_path_factory, "real-audit", make)
    found: Audit = pickle.loads((folder / "audit.pickle").read_bytes())
    return found


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
