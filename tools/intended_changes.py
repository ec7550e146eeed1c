"""Changes of results that were made on purpose, as data beside the code.

A file of them is TOML with three kinds of tables, whose paths are globs::

    [[keyed]]  # a list of objects that is compared by keys, in any order
    paths = ["audit/stdout/overlaps"]
    by = ["a", "b"]

    [[moved]]  # a key with another name or place; its values are compared
    before = "calibrate/*/number density"
    after = "calibrate/*/number_density"

    [[changed]]  # values that differ, and keys that are no longer there, with all below a path
    paths = ["measure-*/rows"]
    at_most = 5e-6  # only numbers that differ by this share of the larger; without it, anything
    reason = "Tables have at most six digits."
    changelog = "and at most six digits"  # words of CHANGELOG.md

In ``keyed`` and ``moved`` a star stands for one key, in ``changed`` it matches slashes too.
"""

from __future__ import annotations

import copy
import math
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tools.differences import Difference


@dataclass(frozen=True)
class Keyed:
    """Lists of objects that are compared by the values of keys, the first one outermost."""

    paths: tuple[str, ...]
    by: tuple[str, ...]


@dataclass(frozen=True)
class Moved:
    """Where values stood before, and where they stand now; stars stand for the same keys."""

    before: str
    after: str


@dataclass(frozen=True)
class Changed:
    """Values that may differ.

    Attributes
    ----------
    paths : tuple of str
        Globs of the paths, each with all that is below; a star matches slashes too.
    reason : str
    changelog : str
        Words that stand in CHANGELOG.md; empty for changes that no reader can see.
    at_most : float
        Share of the larger of two numbers by which they may differ; without it anything may differ.
    """

    paths: tuple[str, ...]
    reason: str
    changelog: str = ""
    at_most: float = math.inf

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Regular expression of all paths."""
        return re.compile("|".join(translate(end) for p in self.paths for end in (p, f"{p}/*")))

    def explains(self, difference: Difference) -> bool:
        """Whether a difference is one of these."""
        if self.at_most < math.inf and not difference.share <= self.at_most:
            return False
        return self.pattern.match(difference.path) is not None


@dataclass(frozen=True)
class IntendedChanges:
    """All that was changed on purpose; nothing by default."""

    keyed: tuple[Keyed, ...] = ()
    moved: tuple[Moved, ...] = ()
    changed: tuple[Changed, ...] = ()

    def explain(self, difference: Difference) -> int | None:
        """Give the number of the first change that a difference belongs to."""
        for number, change in enumerate(self.changed):
            if change.explains(difference):
                return number
        return None

    def before(self, tree: dict[str, Any]) -> dict[str, Any]:
        """Give the older results in the places of today."""
        arranged = self.after(tree)
        for move in self.moved:
            _move(arranged, move)
        return arranged

    def after(self, tree: dict[str, Any]) -> dict[str, Any]:
        """Give results in which lists are keyed."""
        arranged = copy.deepcopy(tree)
        for rule in self.keyed:
            for pattern in rule.paths:
                _key(arranged, pattern.split("/"), rule.by)
        return arranged


def load(path: Path) -> IntendedChanges:
    """Read a file of changes.

    Raises
    ------
    ValueError
        If it is no TOML, or has other tables and keys than those above.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        if unknown := content.keys() - {"keyed", "moved", "changed"}:
            raise ValueError(f"there is no kind of change {', '.join(sorted(unknown))}")
        return IntendedChanges(
            tuple(Keyed(**_tuples(table)) for table in content.get("keyed", ())),
            tuple(Moved(**table) for table in content.get("moved", ())),
            tuple(Changed(**_tuples(table)) for table in content.get("changed", ())),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} can't be read as a file of intended changes: {error}. Nothing is compared; "
            "the form is described in tools/intended_changes.py."
        ) from error


def _tuples(table: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}


def _key(tree: Any, parts: Sequence[str], by: Sequence[str]) -> None:
    """Turn the lists at a path into dictionaries, in place; rows of equal keys are numbered."""
    for keys in list(_matches(tree, parts)):
        holder = _holder(tree, keys)
        rows = holder[keys[-1]]
        if not isinstance(rows, list):
            continue
        keyed: dict[str, Any] = {}
        holder[keys[-1]] = keyed
        seen: Counter[tuple[str, ...]] = Counter()
        for row in rows:
            place = tuple(str(row[name]) for name in by)
            seen[place] += 1
            last = place[-1] if seen[place] == 1 else f"{place[-1]} ({seen[place]})"
            _holder(keyed, place, make=True)[last] = row


def _move(tree: Any, move: Moved) -> None:
    source, target = move.before.split("/"), move.after.split("/")
    for keys in list(_matches(tree, source)):
        value = _holder(tree, keys).pop(keys[-1])
        found = iter([key for key, part in zip(keys, source, strict=True) if "*" in part])
        place = [next(found) if "*" in part else part for part in target]
        _holder(tree, place, make=True)[place[-1]] = value


def _matches(tree: Any, parts: Sequence[str]) -> Iterator[list[Any]]:
    """Find the keys that lead to what a path names; a part may be a glob."""
    if not parts:
        yield []
        return
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        if fnmatchcase(str(key), parts[0]):
            yield from ([key, *rest] for rest in _matches(tree[key], parts[1:]))


def _holder(tree: Any, keys: Sequence[Any], *, make: bool = False) -> Any:
    """Give what holds the last key of a path, made where it is not there."""
    for key in keys[:-1]:
        tree = tree.setdefault(key, {}) if make and isinstance(tree, dict) else tree[key]
    return tree
