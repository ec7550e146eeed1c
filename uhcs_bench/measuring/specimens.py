"""Specimens: several fields of one piece of steel, and what they say about it together.

A field is one micrograph. The mean over fields, its standard deviation, 95 % confidence interval
and relative accuracy are those of ASTM E562 (section "Calculation of the volume fraction
percentage") and E1382, E1245 and E2567, which use the same formulas for other measures: each field
counts once, and Student's t of n - 1 degrees of freedom gives the interval. What the interval holds
depends on how the fields were chosen, which nothing here can know.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.data import registry
from uhcs_bench.errors import UsageError
from uhcs_bench.io.tables import Column, Row
from uhcs_bench.measuring.outputs import tidy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from uhcs_bench.measuring.inputs import About
    from uhcs_bench.measuring.outputs.tidy import Measure

HEAT_TREATMENT = "heat_treatment"
"""Groups the benchmark's micrographs by what the registry says of their samples."""

WANTED_ACCURACY = 10.0
"""Relative accuracy in % up to which `SpecimenMeasure.n_more` counts fields, as E562 suggests."""

SAME_SIZE_WITHIN = 1.05
"""Ratio of pixel sizes up to which fields count as of one magnification."""

_CUT = "the smallest particles are seen in some alone, and --min-diameter sets a common cut"

MOST_FIELDS = 100_000
"""Numbers of fields above it are not given, since no one takes them."""


@dataclass(frozen=True)
class SpecimenMeasure:
    """A measure of a specimen.

    Attributes
    ----------
    specimen : str
    measure : Measure
    n_fields : int
        Fields on which it is defined.
    mean : float
        Over those fields.
    s : float or None
        Standard deviation of the fields, with n - 1; None for one field, as all that follows.
    low, high : float or None
        95 % confidence interval of the mean, by Student's t, cut at values that are not possible: a
        share ends at 0 and 1, a length at 0.
    relative_accuracy : float or None
        Half of the interval before it is cut over the mean, in %; None for a mean of 0.
    n_more : int or None
        Fields that are still to be measured for a relative accuracy of `WANTED_ACCURACY`, if their
        scatter stays the same; None if that can't be said.
    """

    specimen: str
    measure: Measure
    n_fields: int
    mean: float
    s: float | None
    low: float | None
    high: float | None
    relative_accuracy: float | None
    n_more: int | None


def summarise(specimen: str, measure: Measure, values: Sequence[float]) -> SpecimenMeasure:
    """Summarise a measure over the fields of a specimen.

    Parameters
    ----------
    specimen : str
    measure : Measure
    values : sequence of float
        One for each field, one or more.

    Returns
    -------
    SpecimenMeasure

    Examples
    --------
    >>> measure = tidy.shown("particles", in_um=True)[0]
    >>> found = summarise("A", measure, [0.11, 0.13, 0.12, 0.14])
    >>> round(found.mean, 4), round(found.s, 4), round(found.low, 4), round(found.high, 4)
    (0.125, 0.0129, 0.1045, 0.1455)
    >>> round(found.relative_accuracy, 1), found.n_more
    (16.4, 3)
    """
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return SpecimenMeasure(specimen, measure, n, mean, None, None, None, None, None)
    s = float(np.std(values, ddof=1))
    half = _half_width(s, n)
    accuracy = 100 * half / abs(mean) if mean else None
    n_more = None if accuracy is None else _fields_for(s, abs(mean), n)
    smallest, largest = measure.bounds
    low, high = max(mean - half, smallest), min(mean + half, largest)
    return SpecimenMeasure(specimen, measure, n, mean, s, low, high, accuracy, n_more)


def _half_width(s: float, n: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, (1 + protocol.CONFIDENCE) / 2)) * s / math.sqrt(n)


def _fields_for(s: float, mean: float, n: int) -> int | None:
    """Count the fields beyond `n` that bring the wanted accuracy; bisection, since t falls."""
    wanted = WANTED_ACCURACY / 100 * mean
    if _half_width(s, n) <= wanted:
        return 0
    if _half_width(s, MOST_FIELDS) > wanted:
        return None
    few, enough = n, MOST_FIELDS
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if _half_width(s, middle) <= wanted else (middle, enough)
    return enough - n


_SETTINGS = ("min_diameter",)
"""Columns that say how was measured, of which a mean says nothing."""


class Groups:
    """Values of all measures by specimen, gathered from rows one by one.

    Parameters
    ----------
    task : str

    Examples
    --------
    >>> groups = Groups("particles")
    >>> groups.summarise()
    ()
    """

    def __init__(self, task: protocol.TaskName) -> None:
        self._measures = [m for m in tidy.of_task(task) if m.name not in _SETTINGS]
        self._values: dict[str, list[list[float]]] = {}
        self._sizes: dict[str, list[float]] = {}

    def add(self, specimen: str | None, row: Row) -> None:
        """Take in a field; without a specimen it counts nowhere."""
        if specimen is None:
            return
        values = self._values.setdefault(specimen, [[] for _ in self._measures])
        um = row["pixel_size_um"]
        self._sizes.setdefault(specimen, []).extend([] if um is None else [float(um)])
        for measure, found in zip(self._measures, values, strict=True):
            value = row[measure.column]
            if value is not None:
                found.append(float(value))

    def doubts(self) -> list[tuple[str, str]]:
        """Name the specimens whose fields differ in magnification, with what that does."""
        return [
            (
                f"specimen {specimen}",
                f"its fields have pixels of {min(sizes):.4g} to {max(sizes):.4g} um; {_CUT}",
            )
            for specimen, sizes in self._sizes.items()
            if sizes and max(sizes) > SAME_SIZE_WITHIN * min(sizes)
        ]

    def summarise(self) -> tuple[SpecimenMeasure, ...]:
        """Summarise all measures that are defined on a field, by specimen in their first order."""
        return tuple(
            summarise(specimen, measure, found)
            for specimen, values in self._values.items()
            for measure, found in zip(self._measures, values, strict=True)
            if found
        )


def assign(by: str, files: Sequence[Path], about: Mapping[Path, About]) -> dict[Path, str]:
    r"""Find the specimen of each file.

    Parameters
    ----------
    by : str
        ``heat_treatment``, the name of a column of the table of files, or a regular expression that
        is searched in a file's name without its ending; the specimen is what its first group
        matches, or else all of it.
    files : sequence of Path
    about : mapping of Path to About
        The table of files, where there is one.

    Returns
    -------
    dict of Path to str
        Without the files whose specimen is not known.

    Raises
    ------
    UsageError
        If no file gets a specimen, or the expression is none.

    Examples
    --------
    >>> from pathlib import Path
    >>> list(assign(r"^(.+)-\d+$", [Path("A-1.png"), Path("A-2.png")], {}).values())
    ['A', 'A']
    >>> list(assign("heat_treatment", [Path("800C-3H-Q-1.png")], {}).values())
    ['800 °C, 3 h, WQ']
    """
    columns = _columns(about)
    if by == HEAT_TREATMENT:
        treatments = _heat_treatments()
        found = {file: treatments.get(file.stem, "") for file in files}
        advice = "The registry knows the benchmark's micrographs alone"
    elif by.lower() in columns:
        found = {file: one.columns.get(by.lower(), "") for file, one in about.items()}
        advice = f"The column {by} of the table is empty"
    else:
        found = _matches(by, files)
        advice = "It is no column of a table, and as a regular expression it matches no file's name"
    named = {file: name for file, name in found.items() if name}
    if not named:
        raise UsageError(
            f"--specimen {by}: no file has a specimen. {advice}. Give a regular expression such as "
            r"'^(.+)-\d+$', or a column of the CSV file that --pixel-size names."
        )
    return named


def why_none(by: str, about: Mapping[Path, About]) -> str:
    """Say why `assign` gives some files no specimen.

    Examples
    --------
    >>> why_none(HEAT_TREATMENT, {}), why_none("^A", {})
    ('the registry has no heat treatment for them', "nothing in their names matches '^A'")
    """
    if by == HEAT_TREATMENT:
        return "the registry has no heat treatment for them"
    if by.lower() in _columns(about):
        return f"the table has nothing for them in its column {by}"
    return f"nothing in their names matches {by!r}"


def _columns(about: Mapping[Path, About]) -> set[str]:
    return {name for one in about.values() for name in one.columns}


def _matches(expression: str, files: Sequence[Path]) -> dict[Path, str]:
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise UsageError(
            f"--specimen {expression}: that is neither a column of a table nor a regular "
            f"expression ({error})."
        ) from error
    matches = {file: pattern.search(file.stem) for file in files}
    return {
        file: (match.group(1) if pattern.groups else match.group()) or ""
        for file, match in matches.items()
        if match is not None
    }


def _heat_treatments() -> dict[str, str]:
    """Describe the heat treatment of each of the benchmark's micrographs, as far as recorded."""
    found = {}
    for task in protocol.TASKS:
        for entry in registry.entries(task):
            treatment = entry.heat_treatment
            temperature, time = treatment.temperature_c, treatment.time_h
            parts = (
                "" if temperature is None else f"{temperature:g} °C",
                "" if time is None else f"{time:.2g} h",
                treatment.cooling or "",
            )
            found[entry.id] = ", ".join(filter(None, parts))
    return found


def _number(name: str, unit: str, meaning: str) -> Column:
    return Column(name, unit, float, meaning)


COLUMNS: tuple[Column, ...] = (
    Column("specimen", "", str, "name of the specimen"),
    Column("measure", "", str, "name of the measure, see uhcs-bench measure --columns"),
    Column("symbol", "", str, "its symbol"),
    Column("unit", "", str, "of mean, s, low and high; empty for numbers and shares"),
    _number("mean", "", "mean over the fields"),
    _number("s", "", "standard deviation of the fields"),
    _number(
        "low",
        "",
        "lower end of the mean's 95 % confidence interval, by Student's t; cut at "
        "values that are not possible",
    ),
    _number("high", "", "upper end"),
    _number("relative_accuracy_percent", "%", "half of that interval, not cut, over the mean"),
    Column("n_fields", "", int, "fields on which the measure is defined"),
    Column("n_more", "", int, "further fields for a relative accuracy of 10 %"),
    Column("standard", "", str, "standard that defines such a measure; no claim of conformity"),
)
"""Columns of a table with a row for each specimen and measure."""


def rows(found: Sequence[SpecimenMeasure]) -> Iterator[Row]:
    """Give the rows of a table, see `COLUMNS`."""
    for one in found:
        yield {
            "specimen": one.specimen,
            "measure": one.measure.name,
            "symbol": one.measure.symbol,
            "unit": one.measure.unit,
            "mean": one.mean,
            "s": one.s,
            "low": one.low,
            "high": one.high,
            "relative_accuracy_percent": one.relative_accuracy,
            "n_fields": one.n_fields,
            "n_more": one.n_more,
            "standard": one.measure.standard,
        }


def text(found: Sequence[SpecimenMeasure], task: protocol.TaskName) -> str:
    """Lay the main measures of specimens out for a terminal, a table for each.

    Parameters
    ----------
    found : sequence of SpecimenMeasure
    task : str

    Returns
    -------
    str
    """
    from tabulate import tabulate

    parts = []
    legend: dict[str, Measure] = {}
    for specimen in dict.fromkeys(one.specimen for one in found):
        own = {one.measure.column: one for one in found if one.specimen == specimen}
        in_um = any("um" in column for column in own)
        shown = [own[m.column] for m in tidy.shown(task, in_um=in_um) if m.column in own]
        legend |= {one.measure.name: one.measure for one in shown}
        headers = ["", "unit", "mean", "s", "95 %", "± %", "fields", "more"]
        lines = [_line(one) for one in shown]
        alignment = ("left", "left", *["right"] * 6)
        table = tabulate(lines, headers, colalign=alignment, disable_numparse=True)
        parts.append(f"Specimen {specimen}\n{table}")
    explained = (
        "± %: relative accuracy, half of the 95 % interval over the mean. The interval is\n"
        "Student's t over fields, as in ASTM E562, cut at 0, shares also at 1. more:\n"
        f"further fields for {WANTED_ACCURACY:.0f} %.\n"
        "Standards are named for their definitions; conformity is not claimed."
    )
    return "\n\n".join([*parts, tidy.legend([*legend.values()]), explained])


def _line(one: SpecimenMeasure) -> list[str]:
    write = tidy.text
    is_known = one.low is not None and one.high is not None
    return [
        tidy.head(one.measure),
        tidy.shown_unit(one.measure.unit),
        write(one.mean),
        write(one.s),
        f"{write(one.low)} to {write(one.high)}" if is_known else "-",
        "-" if one.relative_accuracy is None else f"{one.relative_accuracy:.0f}",
        str(one.n_fields),
        "-" if one.n_more is None else str(one.n_more),
    ]
