"""Rooms and modules stay small enough to read: how many modules in a folder, how many lines."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ("uhcs_bench", "baselines", "tools", "tests")
MOST_MODULES = 20
MOST_LINES = 600


def modules():
    return [path for part in PARTS for path in (ROOT / part).rglob("*.py")]


def test_no_folder_has_too_many_modules():
    """Check every folder; ``__init__.py`` is no module of its own."""
    counts = Counter(path.parent for path in modules() if path.name != "__init__.py")
    assert counts[ROOT / "uhcs_bench" / "scoring"] > 10  # it sees the modules
    assert {str(folder): n for folder, n in counts.items() if n > MOST_MODULES} == {}


def test_no_module_is_too_long():
    """Check every module, tests as well."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {str(path): n for path, n in lines.items() if n > MOST_LINES} == {}
