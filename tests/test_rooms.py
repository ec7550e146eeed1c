"""What the first docstring of each room says, against its modules and the contract of imports."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
LAYERS = [
    {name.strip().removeprefix("uhcs_bench.") for name in layer.split("|")} - {"_version"}
    for layer in next(c for c in CONTRACTS["contracts"] if c["type"] == "layers")["layers"]
]
"""Rooms from the top to the bottom."""


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


ROOMS = [
    room
    for layer in LAYERS
    for room in sorted(layer)
    if (path := ROOT / "uhcs_bench" / room / "__init__.py").is_file()
    and "Imports:" in docstring(path)
]
LISTING = (
    "baselines/studies",
    "uhcs_bench/data/download",
    "uhcs_bench/metrics",
    "uhcs_bench/ranking/outputs",
)
"""Folders whose docstring names each module."""


def below(rooms: set[str]) -> set[str]:
    """All that stands in a lower layer than one of the rooms."""
    found: set[str] = set()
    for number, layer in enumerate(LAYERS):
        if layer & rooms:
            found.update(*LAYERS[number + 1 :])
    return found


def test_rooms_are_found():
    """Check that the other tests look at something."""
    assert {"metallography", "metrics", "synthetic", "stats", "io", "scoring"} <= set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_are_those_of_the_contract(room):
    """Check that a room lists all that it may import, and nothing else."""
    text = docstring(ROOT / "uhcs_bench" / room / "__init__.py").partition("Imports:")[2]
    listed = set(re.findall(r"`(\w+)`", text))
    if "what stands below" in text:
        listed |= below(listed)
    assert listed == below({room})


@pytest.mark.parametrize("folder", LISTING)
def test_modules_are_named(folder):
    """Check that the docstring of a folder names each of its modules."""
    modules = {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__"}
    assert modules <= set(re.findall(r"`(\w+)`", docstring(ROOT / folder / "__init__.py")))


def test_first_lines_differ():
    """Check that no two modules say the same of themselves, however they end their words."""
    heads: dict[str, list[str]] = {}
    for room in ("uhcs_bench", "baselines", "tools"):
        for path in (ROOT / room).rglob("*.py"):
            words = re.findall(r"\w+", docstring(path).partition("\n")[0].lower())
            stems = " ".join(word.removesuffix("s") for word in words)
            heads.setdefault(stems, []).append(str(path.relative_to(ROOT)))
    assert not [paths for head, paths in heads.items() if head and len(paths) > 1]
