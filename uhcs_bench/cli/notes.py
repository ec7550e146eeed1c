"""What commands note on standard error of many files: warnings, and where pixel sizes are from."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from uhcs_bench.errors import things

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WARNING = "uhcs-bench: warning: "
"""What each warning begins with."""

_WIDTH = 80
_MOST = 3
"""Files that are named for one reason; sources of pixel sizes, and reasons why there is none."""


def some(names: Sequence[str]) -> str:
    """Name the first few of many.

    Examples
    --------
    >>> some(["a", "b"]), some(["a", "b", "c", "d", "e"])
    ('a, b', 'a, b, c and 2 more')
    """
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def wrapped(text: str, indent: str = "") -> list[str]:
    """Break a note into lines of a terminal; names of files stay whole."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent * 2,
        break_long_words=False,
        break_on_hyphens=False,
    )


def gathered(warnings: Iterable[tuple[str, str]], most: int = 10) -> list[str]:
    """List warnings about files; of those that many files share, one with their number.

    Examples
    --------
    >>> gathered([("a.png", "is odd"), ("b.png", "is odd")])
    ['a.png and 1 more: is odd']
    """
    files: dict[str, list[str]] = {}
    for file, text in warnings:
        files.setdefault(text, []).append(file)
    lines = []
    for text, names in files.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        lines.append(f"{names[0]}{more}: {text}")
    if len(lines) > most:
        lines = [*lines[:most], f"{len(lines) - most} further warnings are not shown"]
    return lines


def pixel_sizes(
    found: Iterable[tuple[str, float | None, str]], fate_of_all: str, fate_of_some: str
) -> list[str]:
    """Say which pixel sizes files have that the user gave none, and which have none and why.

    Parameters
    ----------
    found : iterable of (str, float or None, str)
        Name of each file, its pixel size in micrometres, and where that is from or why there is
        none, as `uhcs_bench.measuring.pixel_size.Scale` has them.
    fate_of_all, fate_of_some : str
        What follows where no file has a size, and where some have none.

    Returns
    -------
    list of str
        Lines.
    """
    from uhcs_bench.measuring import pixel_size

    n_files = 0
    sizes: dict[str, list[float]] = {}
    missing: dict[str, list[str]] = {}
    for name, um, source in found:
        n_files += 1
        if um is None:
            # Files that differ in nothing but their names share a reason.
            reason = source.removeprefix("none: ").replace(f" for {name}", "")
            missing.setdefault(reason, []).append(name)
        elif source != pixel_size.GIVEN:
            sizes.setdefault(source, []).append(um)
    lines: list[str] = []
    for source, ums in [*sizes.items()][:_MOST]:
        low, high = min(ums), max(ums)
        extent = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
        lines += wrapped(f"Pixel size of {things(len(ums), 'file')}: {extent} um ({source}).")
    n_left = sum(map(len, [*sizes.values()][_MOST:]))
    if n_left:
        lines.append(f"Pixel size of {things(n_left, 'further file')}: from other sources.")
    if missing:
        n_missing = sum(map(len, missing.values()))
        fate = fate_of_all if n_missing == n_files else fate_of_some
        lines += wrapped(f"No pixel size for {things(n_missing, 'file')}, {fate}:")
        for reason, names in [*missing.items()][:_MOST]:
            lines += wrapped(f"{some(names)}: {reason}", "  ")
        n_left = sum(map(len, [*missing.values()][_MOST:]))
        if n_left:
            lines.append(f"  {things(n_left, 'further file')}: for other reasons")
        lines.append("--pixel-size gives one.")
    return lines
