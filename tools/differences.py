"""Differences between two trees of dictionaries, lists and values, such as JSON holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN = 60
"""Characters of a value that a difference shows."""


@dataclass(frozen=True)
class Difference:
    """A value that two trees do not share.

    Attributes
    ----------
    path : str
        The keys that lead to the value, separated by slashes.
    before, after : object
        The values, `MISSING` where there is none.
    is_key : bool
        Whether the last part of the path is the key of a dictionary, not the number of an element.
    """

    path: str
    before: object
    after: object
    is_key: bool = True

    def __str__(self) -> str:
        return f"{self.path}: {_shown(self.before)} -> {_shown(self.after)}"

    @property
    def is_new_key(self) -> bool:
        """Whether the second tree has a key that the first one lacks, below the top."""
        return self.is_key and self.before is MISSING and "/" in self.path

    @property
    def share(self) -> float:
        """Distance of two numbers as a share of the larger one; infinite for all else."""
        if not (_is_number(self.before) and _is_number(self.after)):
            return math.inf
        first, second = float(self.before), float(self.after)  # type: ignore[arg-type]
        share = abs(first - second) / max(abs(first), abs(second))
        return math.inf if math.isnan(share) else share


class _Missing:
    def __repr__(self) -> str:
        return "(missing)"


MISSING = _Missing()


def differences(
    before: object, after: object, path: str = "", *, is_key: bool = True
) -> Iterator[Difference]:
    """Find the values that differ between two trees.

    Parameters
    ----------
    before, after : object
        What JSON can hold.
    path : str, optional
        Keys that lead here.
    is_key : bool, optional
        Whether the last of them is the key of a dictionary.

    Yields
    ------
    Difference
        A key that only one side has is one difference, whatever it holds.

    Examples
    --------
    >>> [str(d) for d in differences({"IU": [0.5, 0.6]}, {"IU": [0.5, 0.7], "n": 2})]
    ['IU/1: 0.6 -> 0.7', 'n: (missing) -> 2']
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before | after:
            pair = before.get(key, MISSING), after.get(key, MISSING)
            yield from differences(*pair, f"{path}/{key}" if path else str(key))
    elif isinstance(before, list) and isinstance(after, list):
        for number in range(max(len(before), len(after))):
            pair = _element(before, number), _element(after, number)
            yield from differences(*pair, f"{path}/{number}", is_key=False)
    elif not _same(before, after):
        yield Difference(path, before, after, is_key)


def count_values(tree: object) -> int:
    """Count the values of a tree that are no dictionaries or lists.

    Examples
    --------
    >>> count_values({"IU": [0.5, 0.6], "n": 2})
    3
    """
    if isinstance(tree, dict):
        return sum(map(count_values, tree.values()))
    if isinstance(tree, list):
        return sum(map(count_values, tree))
    return 1


def _element(values: list[object], number: int) -> object:
    return values[number] if number < len(values) else MISSING


def _same(before: object, after: object) -> bool:
    """Whether two leaves are the same; undefined numbers are, a truth value is no number."""
    if not (_is_number(before) and _is_number(after)):
        return type(before) is type(after) and before == after
    first, second = float(before), float(after)  # type: ignore[arg-type]
    return first == second or (math.isnan(first) and math.isnan(second))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
