"""Tables with a row for each map and measure, and what is printed of them.

`uhcs_bench.measuring.row` gives a column for each number. Here the columns of one measure (value,
ends of its interval, number behind it) become one row, with the symbol of the field. A standard
stands beside a measure that it defines. That is no claim of conformity: the standards also say how
samples are prepared and fields are chosen, which nothing here can know.
"""

from __future__ import annotations

import math
import os
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from uhcs_bench import protocol
from uhcs_bench.io import tables
from uhcs_bench.io.tables import Cell, Column, Row
from uhcs_bench.measuring import biases, columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from uhcs_bench.io.tables import Notes


SHOWN: dict[protocol.TaskName, dict[str, str]] = {
    "particles": {
        "fraction_particle": "V_V",
        "n_particles": "N",
        "number_density": "N_A",
        "diameter_mean": "d mean",
        "diameter_median": "d median",
    },
    "microconstituents": {
        "fraction_network": "network",
        "fraction_spheroidite": "spher.",
        "fraction_widmanstatten": "Widm.",
        "zone_width_mean": "zone",
        "intercept_spacing": "spacing",
        "intercept_free_path": "path",
    },
}
"""What is printed of a map, by name, and the head of its column."""


@dataclass(frozen=True)
class Measure:
    """A measure of a map, in one unit.

    Attributes
    ----------
    name : str
        Without its unit.
    unit : str
    symbol, standard, text : str
        See `uhcs_bench.measuring.columns.Measure`.
    column : str
        Of its value, in `uhcs_bench.measuring.columns.columns`.
    bounds : tuple of float
        Smallest and largest value that is possible.
    low, high, n : str
        Columns of its interval's ends, and of the number of things or lines behind it; empty where
        there is none.
    """

    name: str
    unit: str
    symbol: str
    standard: str
    text: str
    column: str
    bounds: tuple[float, float]
    low: str = ""
    high: str = ""
    n: str = ""


@cache
def of_task(task: str) -> tuple[Measure, ...]:
    """List the measures of a task's maps, by the task's name or alias.

    They are in the order of the columns; a length comes in pixels and in micrometres.

    Examples
    --------
    >>> found = {measure.column: measure for measure in of_task("particles")}
    >>> found["diameter_median_um"].unit, found["diameter_median_um"].n
    ('um', 'diameter_n')
    """
    described = columns.MEASURES[protocol.task(task).name]
    names = {column.name for measure in described for column in measure.columns}
    found = []
    for measure in described:
        if measure.dimension == "word" or measure.name in _OF_THE_MAP:
            continue
        for column in measure.columns[:: 3 if measure.interval else 1]:
            ends = [f"{column.name}{end}" for end in ("_low", "_high")]
            low, high = ends if measure.interval else ("", "")
            found.append(
                Measure(
                    measure.name,
                    column.unit,
                    measure.symbol,
                    measure.standard,
                    measure.text,
                    column.name,
                    measure.bounds,
                    low,
                    high,
                    _number_behind(measure.name, names),
                )
            )
    return tuple(found)


_OF_THE_MAP = ("rows_px", "columns_px", "pixel_size_um")
"""Numbers that are no measures of a microstructure."""

_NUMBERS = {"lognormal": "diameter_n", "number_density": "n_particles"}


def _number_behind(name: str, names: set[str]) -> str:
    """Find the column with the number of particles or lines that a measure is made of."""
    for start, number in _NUMBERS.items():
        if name.startswith(start) and number in names:
            return number
    words = name.split("_")
    starts = ["_".join(words[:end]) for end in range(len(words), 0, -1)]
    return next((f"{s}_n" for s in starts if f"{s}_n" in names and f"{s}_n" != name), "")


def shown(task: protocol.TaskName, *, in_um: bool) -> tuple[Measure, ...]:
    """List the measures that are printed, with lengths in one unit.

    Parameters
    ----------
    task : str
    in_um : bool
        Whether in micrometres.

    Returns
    -------
    tuple of Measure
    """
    other = "px" if in_um else "um"
    by_name = {m.name: m for m in of_task(task) if other not in m.unit}
    return tuple(by_name[name] for name in SHOWN[task])


def shown_columns(task: protocol.TaskName) -> tuple[str, ...]:
    """List the columns of a row that printing needs."""
    names = ["file", "id", "pixel_size_um", "pixel_size_source"]
    for in_um in (False, True):
        for measure in shown(task, in_um=in_um):
            names += filter(None, (measure.column, measure.low, measure.high))
    return tuple(dict.fromkeys(names))


def _word(name: str, meaning: str) -> Column:
    return Column(name, "", str, meaning)


_SPECIMEN = _word("specimen", "the specimen that the map is a field of")
_SEGMENTATION = _word("segmentation", "model, hash, licence, training data and score")

TIDY_COLUMNS: tuple[Column, ...] = (
    _word("file", "the label map or micrograph, as it was given"),
    _word("id", "its name without folder and ending"),
    _word("measure", "name of the measure, see uhcs-bench measure --columns"),
    _word("symbol", "its symbol"),
    Column("value", "", float, "its value; empty where it is undefined"),
    _word("unit", "of value, low and high; empty for numbers and shares"),
    Column("low", "", float, "lower end of the value's 95 % interval within this map"),
    Column("high", "", float, "upper end"),
    Column("n", "", int, "particles, lines or samples that the value is made of"),
    Column("pixel_size_um", "um", float, "edge of a pixel"),
    _word("pixel_size_source", "where the pixel size is from, or why none"),
    _word("note", "why the value is undefined, or what to beware of in the map's values"),
    _SEGMENTATION,
)
"""Columns of a table with a row for each map and measure."""


def write_tidy(
    path: Path, task: str, rows: Iterable[Row], notes: Notes, has_specimens: bool
) -> None:
    """Write a table with a row for each map and measure.

    Parameters
    ----------
    path : Path
        See `uhcs_bench.io.tables.write`.
    task : str
    rows : iterable of dict
        A row for each map, see `uhcs_bench.measuring.columns.columns`, and its ``segmentation`` and
        ``specimen``. Micrometres are left out where the pixel size is unknown.
    notes : dict
    has_specimens : bool
    """
    shown_ = list(TIDY_COLUMNS)
    if has_specimens:
        shown_.insert(2, _SPECIMEN)
    tables.write(path, shown_, _tidy(task, rows), notes)


def _tidy(task: str, rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        for measure in of_task(task):
            if "um" in measure.unit and row["pixel_size_um"] is None:
                continue
            value = row[measure.column]
            yield {
                "file": row["file"],
                "id": row["id"],
                "specimen": row.get("specimen"),
                "measure": measure.name,
                "symbol": measure.symbol,
                "value": None if value is None else float(value),
                "unit": measure.unit,
                "low": row[measure.low] if measure.low else None,
                "high": row[measure.high] if measure.high else None,
                "n": row[measure.n] if measure.n else None,
                "pixel_size_um": row["pixel_size_um"],
                "pixel_size_source": row["pixel_size_source"],
                "note": row["reason"] if value is None else row["warning"],
                "segmentation": row["segmentation"],
            }


def write_wide(
    path: Path, task: str, rows: Iterable[Row], notes: Notes, has_specimens: bool
) -> None:
    """Write a table with a row for each map and a column for each number.

    Parameters
    ----------
    path, task, rows, notes, has_specimens
        As of `write_tidy`.
    """
    all_ = [*columns.columns(task), _SEGMENTATION]
    if has_specimens:
        all_.insert(2, _SPECIMEN)
    tables.write(path, all_, rows, notes)


def glossary_text() -> str:
    """Lay the glossary of both tasks out for a terminal, at most 80 columns wide."""
    parts = []
    for task in protocol.TASKS:
        lines = [f"Measures of {task}"]
        for measure in columns.MEASURES[task]:
            if measure.dimension == "word":
                continue
            step = 3 if measure.interval else 1
            units = ", ".join(column.unit for column in measure.columns[::step] if column.unit)
            symbol, unit = measure.symbol, f"[{units}]" if units else ""
            lines.append("  " + "  ".join(filter(None, (measure.name, symbol, unit))))
            said = measure.text + (f" ({measure.standard})" if measure.standard else "")
            lines += _wrapped(said, "      ", "      ")
            if measure.dimension not in ("count", "px", "um"):
                lines += _wrapped(biases.text(measure.name, task), "      ", "      ")
        parts.append("\n".join(lines))
    parts.append(
        "Biases are those of uhcs-bench calibrate on synthetic micrographs, all particles\n"
        "counted; a segmentation adds its own.\n"
        "A standard is named where it defines such a measure; conformity is not claimed.\n"
        "A column of --wide is named by measure and unit, its interval by _low and _high."
    )
    return "\n\n".join(parts)


def _wrapped(said: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(said, 80, initial_indent=first, subsequent_indent=rest)


def text(value: Cell) -> str:
    """Write a number of a measure with three significant digits; '-' where it is undefined.

    Examples
    --------
    >>> text(0.13947), text(3.0), text(2733), text(1234.5), text(None)
    ('0.139', '3.00', '2733', '1234', '-')
    """
    if value is None:
        return "-"
    if isinstance(value, int) or value == 0 or abs(float(value)) >= LARGE:
        return f"{float(value):.0f}"
    return f"{float(value):#.3g}".rstrip(".")


LARGE = 999.5
"""From here on numbers are written without decimals."""

_MOST_DECIMALS = 9
"""Of a column; numbers that need more are written with exponents."""


def column_text(values: Sequence[Cell]) -> list[str]:
    """Write the numbers of a column with one number of decimals, so that their points align.

    The largest has three significant digits, and the smallest at least two.

    Examples
    --------
    >>> column_text([0.04, 0.0372, 0.00712, None])
    ['0.0400', '0.0372', '0.0071', '-']
    >>> column_text([15.0, 7.05]), column_text([121, 1228])
    (['15.0', '7.0'], ['121', '1228'])
    """
    sizes = [abs(float(v)) for v in values if v and not isinstance(v, int)]
    if not sizes:
        return [text(value) for value in values]
    decimals = max(2 - _exponent(max(sizes)), 1 - _exponent(min(sizes)), 0)
    if decimals > _MOST_DECIMALS:
        return [text(value) for value in values]
    return ["-" if value is None else f"{float(value):.{decimals}f}" for value in values]


def _exponent(size: float) -> int:
    return math.floor(math.log10(float(f"{size:.2e}")))


def table_of_maps(task: protocol.TaskName, rows: Sequence[Row]) -> str:
    """Lay out the main measures of maps for a terminal.

    Parameters
    ----------
    task : str
    rows : sequence of dict
        With at least `shown_columns`.

    Returns
    -------
    str
        A line for each map, and below what the symbols stand for.
    """
    from tabulate import tabulate

    in_um = any(row["pixel_size_um"] is not None for row in rows)
    found = shown(task, in_um=in_um)
    units = [shown_unit(measure.unit) for measure in found]
    headers = ["", *(f"{head(m)}\n{unit}" for m, unit in zip(found, units, strict=True))]
    names = short_names(
        told_apart([str(row["id"]) for row in rows], [str(row["file"]) for row in rows])
    )
    columns_ = [column_text([row[measure.column] for row in rows]) for measure in found]
    lines = [*zip(names, *columns_, strict=True)]
    alignment = ("left", *["right"] * len(found))
    table = tabulate(lines, headers, colalign=alignment, disable_numparse=True)
    return f"{table}\n\n{legend(found)}"


def head(measure: Measure) -> str:
    """Return the short name that stands at a column or line of a measure."""
    heads = {name: said for task in SHOWN.values() for name, said in task.items()}
    return heads.get(measure.name, measure.symbol or measure.name)


def shown_unit(unit: str) -> str:
    """Write a unit as print has it.

    Examples
    --------
    >>> shown_unit("1/um^2"), shown_unit("px")
    ('1/µm²', 'px')
    """
    return unit.replace("um", "µm").replace("^2", "²")


def legend(found: Sequence[Measure]) -> str:
    """Say what short names stand for, and which standard has such a measure."""
    width = max(len(head(measure)) for measure in found)
    lines = []
    for measure in found:
        said = measure.text + (f" ({measure.standard})" if measure.standard else "")
        lines += _wrapped(said, f"{head(measure):{width}}  ", " " * (width + 2))
    return "\n".join(lines)


def told_apart(names: Sequence[str], files: Sequence[str]) -> list[str]:
    """Give files of one name as much of their path as tells them apart.

    Examples
    --------
    >>> told_apart(["x", "x", "y"], ["steels/a/x.png", "steels/b/x.png", "steels/b/y.png"])
    ['a/x.png', 'b/x.png', 'y']
    """
    # Relative and absolute paths have nothing in common as they are.
    places = [Path(file).absolute() for file in files]
    folders: dict[str, list[Path]] = {}
    for name, place in zip(names, places, strict=True):
        folders.setdefault(name, []).append(place.parent)
    shared = {name: os.path.commonpath(of) for name, of in folders.items() if len(of) > 1}
    return [
        str(place.relative_to(shared[name])) if name in shared else name
        for name, place in zip(names, places, strict=True)
    ]


def short_names(names: Sequence[str], longest: int = 22) -> list[str]:
    """Shorten names for a column of a terminal, so that different ones stay different.

    Long names lose their end, or else a part in the middle; where some would be the same in either
    way, they are broken into lines.

    Examples
    --------
    >>> short_names(["steel", "a-long-name-of-a-series-01", "a-long-name-of-a-series-02"])
    ['steel', 'a-long-nam...series-01', 'a-long-nam...series-02']
    """
    printable = ["".join(c if c.isprintable() else "?" for c in name) for name in names]
    for n_kept_at_end in (0, (longest - 3) // 2):
        start = longest - 3 - n_kept_at_end
        shortened = [
            name
            if len(name) <= longest
            else f"{name[:start]}...{name[len(name) - n_kept_at_end :]}"
            for name in printable
        ]
        if len(set(shortened)) == len(set(printable)):
            return shortened
    return [
        "\n".join(name[start : start + longest] for start in range(0, len(name), longest))
        for name in printable
    ]
