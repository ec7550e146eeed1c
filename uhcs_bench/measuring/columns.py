"""What `measure` measures: each measure once, with symbol, unit, meaning and standard.

Rows, tables, glossary and documentation read these lists. A measure has one or several columns: a
length one in pixels and one in micrometres, a measure with an interval three for each unit. The
unit ends a column's name (``_px``, ``_um``, ``_per_um2``), after it come ``_low`` and ``_high``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from uhcs_bench import protocol
from uhcs_bench.io.tables import Cell, Column
from uhcs_bench.metallography.estimates import PERCENTILES, Estimate, Quantity
from uhcs_bench.metallography.shapes import LARGEST_ASPECT_RATIOS
from uhcs_bench.metallography.unfolding import ASSUMPTION

if TYPE_CHECKING:
    from collections.abc import Iterator

Dimension = Literal[
    "word", "count", "number", "share", "px", "um", "length", "per length", "per area", "per volume"
]

Interval = Literal["", "holds", "lower bound"]
"""Of a measure: none; one that holds the mean of many fields of view in 93 % or more of simulated
fields; or one that holds it less often in some structure, a lower bound of the uncertainty."""

INTERVAL_TEXT: dict[Interval, str] = {
    "": "",
    "holds": "95 % interval for the mean of many fields of view",
    "lower bound": "lower bound of the 95 % interval for the mean of many fields of view: it holds "
    "in fewer than 93 % of the fields of some simulated structure",
}

_SUFFIXES: dict[Dimension, tuple[tuple[str, str], ...]] = {
    "px": (("", "px"),),
    "um": (("", "um"),),
    "length": (("_px", "px"), ("_um", "um")),
    "per length": (("_per_px", "1/px"), ("_per_um", "1/um")),
    "per area": (("_per_px2", "1/px^2"), ("_per_um2", "1/um^2")),
    "per volume": (("_per_px3", "1/px^3"), ("_per_um3", "1/um^3")),
}
_ENDS = ("", "_low", "_high")
_KINDS: dict[Dimension, type] = {"word": str, "count": int, "px": int}

_BOUNDS = {
    "grain_size_number": (-math.inf, math.inf),
    "lognormal_ks_distance": (0.0, 1.0),
    "aspect_ratio_mean": (1.0, math.inf),
}
"""Of numbers that are neither shares nor all numbers from 0 on."""

Value = Quantity | Estimate | Cell
"""What a measure can be: a length with an interval in both units, a number with one, or a cell."""


@dataclass(frozen=True)
class Measure:
    """A measure of a label map.

    Attributes
    ----------
    name : str
        Of its columns, without unit.
    dimension : str
        A length, and what is per length, area or volume, stands in pixels and in micrometres.
    text : str
        What it is, a phrase.
    symbol : str
        In the field's own notation, plain text; empty where there is none.
    standard : str
        Document that defines the measure or the way of counting. No conformity is claimed.
    interval : {"", "holds", "lower bound"}
        See `Interval`.
    """

    name: str
    dimension: Dimension
    text: str
    symbol: str = ""
    standard: str = ""
    interval: Interval = ""

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value that is possible.

        Examples
        --------
        >>> Measure("fraction", "share", "share of the area").bounds
        (0.0, 1.0)
        """
        if self.dimension == "share":
            return 0.0, 1.0
        return _BOUNDS.get(self.name, (0.0, math.inf))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Columns of the measure, in their order."""
        kind = _KINDS.get(self.dimension, float)
        ends = _ENDS if self.interval else _ENDS[:1]
        return tuple(
            Column(self.name + suffix + end, unit, kind, self._text_of(end))
            for suffix, unit in _SUFFIXES.get(self.dimension, (("", ""),))
            for end in ends
        )

    def cells(self, value: Value) -> Iterator[tuple[str, Cell]]:
        """Go through a value's cells by column name; None where it is undefined.

        Examples
        --------
        >>> spacing = Measure("spacing", "length", "distance", interval="holds")
        >>> dict(spacing.cells(Quantity.from_px(Estimate(4.0, 3.0, 5.0), None)))["spacing_px_high"]
        5.0
        """
        parts = (value.px, value.um) if isinstance(value, Quantity) else (value,)
        values: list[Cell] = []
        for part in parts:
            if isinstance(part, Estimate):
                all_ends = (part.value, part.low, part.high)
                values += all_ends if self.interval else all_ends[:1]
            else:
                values.append(part)
        for column, cell in zip(self.columns, values, strict=True):
            yield column.name, defined(cell)

    def _text_of(self, end: str) -> str:
        if not end:
            return f"{self.text} ({self.standard})" if self.standard else self.text
        return f"{INTERVAL_TEXT[self.interval]}, {'lower' if end == '_low' else 'upper'} end"


def defined(value: Cell) -> Cell:
    """Give back a value, None for NaN and infinity, which JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


_HEAD = (
    Measure("file", "word", "the label map or micrograph, as it was given"),
    Measure("id", "word", "its name without folder and ending"),
    Measure("task", "word", "what its labels mean"),
    Measure("rows_px", "px", "height of the map"),
    Measure("columns_px", "px", "width of the map"),
    Measure("pixel_size_um", "um", "edge of a pixel"),
    Measure("pixel_size_source", "word", "where the pixel size is from, or why there is none"),
)

_FOOT = (
    Measure("warning", "word", "what to beware of in the values"),
    Measure("reason", "word", "why values are undefined"),
)


def _fractions(task: protocol.TaskName) -> tuple[Measure, ...]:
    return tuple(
        Measure(
            f"fraction_{phase}",
            "share",
            f"share of the area that is {phase}, which estimates the share of the volume",
            "A_A = V_V",
            "ASTM E562, ASTM E1245",
            "holds",
        )
        for phase in protocol.TASKS[task].classes
    )


def _distribution(
    name: str, what: str, symbol: str, standard: str, interval: Interval
) -> tuple[Measure, ...]:
    """Describe mean, deviation and percentiles of lengths."""
    statistics = {"mean": f"mean {what}", "sd": f"standard deviation of the {what}"}
    statistics["median"] = f"median {what}"
    statistics |= {
        f"p{level}": f"percentile {level} of the {what}" for level in PERCENTILES if level != 50
    }
    symbols = {"mean": symbol, "sd": "s", "median": f"{symbol[:1]}_50"}
    return tuple(
        Measure(
            f"{name}_{statistic}",
            "length",
            text,
            symbols.get(statistic, f"{symbol[:1]}_{statistic[1:]}"),
            standard,
            interval,
        )
        for statistic, text in statistics.items()
    )


_PARTICLES = (
    Measure("min_diameter", "length", "smallest diameter that counts; 0 for all particles"),
    Measure("left_out_n", "count", "smaller particles, which no measure counts"),
    Measure("left_out_fraction", "share", "share of the map's area that they take"),
    *_fractions("particles"),
    Measure("n_particles", "count", "particles, 8-connected, those at the border included", "N"),
    Measure("n_at_border", "count", "particles that touch the map's edge"),
    Measure(
        "number_density",
        "per area",
        "particles per area, corrected for the map's edge",
        "N_A",
        "ASTM E1245, ISO 13322-1",
        "holds",
    ),
    Measure(
        "number_per_length",
        "per length",
        "particles crossed per length of test line",
        "N_L",
        "ASTM E1245",
        "holds",
    ),
    Measure(
        "mean_intercept",
        "length",
        "mean length of test line inside a particle",
        "L_3",
        "ASTM E1245",
        "holds",
    ),
    Measure(
        "free_path",
        "length",
        "mean free path: mean length of test line from the edge of a particle to that of the next",
        "lambda",
        "ASTM E1245",
        "holds",
    ),
    Measure(
        "nearest_neighbour_n", "count", "particles nearer to another one than to the map's edge"
    ),
    Measure(
        "nearest_neighbour_distance",
        "length",
        "mean distance from a centroid to the nearest other one, corrected for the map's edge",
        "r",
        "",
        "holds",
    ),
    Measure("diameter_n", "count", "whole particles, those whose sizes count"),
    *_distribution(
        "diameter", "diameter of the circles of equal area", "x_1,0", "ISO 13322-1", "holds"
    ),
    Measure(
        "diameter_area_weighted_mean",
        "length",
        "mean diameter weighted by its square, so that particles count as they take area",
        "x_1,2",
        "ISO 9276-2",
        "holds",
    ),
    Measure(
        "diameter_volume_weighted_mean",
        "length",
        "mean diameter weighted by its cube, so that particles count as they take volume",
        "x_1,3",
        "ISO 9276-2",
        "lower bound",
    ),
    Measure(
        "lognormal_median",
        "length",
        "median of the lognormal distribution fitted to the diameters",
        "x_50",
        "ISO 9276-5",
        "holds",
    ),
    Measure(
        "lognormal_sigma",
        "number",
        "standard deviation of the diameters' natural logarithms",
        "s",
        "ISO 9276-5",
        "holds",
    ),
    Measure(
        "lognormal_ks_distance",
        "number",
        "Kolmogorov-Smirnov distance of the diameters from that distribution, 0 to 1",
        "D",
    ),
    Measure(
        "perimeter_mean",
        "length",
        "mean length of the outline, by Crofton's formula in 4 directions",
        "P",
        "ISO 9276-6",
        "holds",
    ),
    Measure(
        "feret_mean",
        "length",
        "mean of the largest caliper (Feret) diameter, over 16 directions",
        "x_Fmax",
        "ISO 13322-1",
        "holds",
    ),
    Measure(
        "circularity_mean",
        "number",
        "mean of 4 pi area over perimeter squared, 1 for a circle",
        "C",
        "ISO 9276-6",
        "holds",
    ),
    Measure(
        "aspect_ratio_mean",
        "number",
        "mean aspect ratio of the ellipse of equal second moments",
        "",
        "ISO 9276-6",
        "holds",
    ),
    *(
        Measure(
            f"spheroidised_{limit}_by_{what}",
            "share",
            f"share of the whole particles, by {what}, of an aspect ratio up to {limit}",
            "",
            "counted as in ASTM E2567; ASTM A892",
            "lower bound",
        )
        for limit in LARGEST_ASPECT_RATIOS
        for what in ("number", "area")
    ),
    Measure(
        "unfolded_diameter_mean",
        "length",
        "mean diameter of the spheres whose sections the particles would be (Saltykov). "
        f"{ASSUMPTION}",
        "D",
        "",
        "lower bound",
    ),
    Measure(
        "unfolded_number_density",
        "per volume",
        "number of these spheres per volume (Saltykov), under the same assumption",
        "N_V",
        "",
        "holds",
    ),
)

_MICROCONSTITUENTS = (
    *_fractions("microconstituents"),
    Measure("zone_width_n", "count", "lines through the denuded zone"),
    *_distribution("zone_width", "width of the denuded zone along lines", "w", "", "holds"),
    Measure("zone_n_edges", "count", "pixel edges between spheroidite and matrix"),
    Measure("zone_n_near_widmanstatten", "count", "of those edges, the ones nearer to a lath"),
    Measure("zone_n_obstructed", "count", "of those edges, the ones without a clear line"),
    Measure("zone_n_near_border", "count", "of those edges, the ones near the map's edge"),
    Measure("zone_contact_fraction", "share", "share of network outline that spheroidite touches"),
    Measure("authors_zone_width_n", "count", "samples of the authors' procedure"),
    *_distribution(
        "authors_zone_width",
        "width of the denuded zone by the authors' procedure",
        "w",
        "DeCost et al. 2019",
        "lower bound",
    ),
    Measure("intercept_n", "number", "crossings of test lines and network", "N", "ASTM E112"),
    *(
        Measure(f"intercept_{name}", "length", text, symbol, standard, "holds")
        for name, text, symbol, standard in (
            ("spacing", "mean distance of network crossings along test lines", "l", "ASTM E112"),
            ("free_path", "mean test line between two network crossings", "lambda", "ASTM E1245"),
            ("thickness", "mean test line inside the network", "L_3", "ASTM E1245"),
        )
    ),
    *(
        Measure(
            f"intercept_spacing_{name}",
            "length",
            f"spacing along {name} lines alone; that the two differ shows anisotropy",
            "l",
            "ASTM E112",
        )
        for name in ("horizontal", "vertical")
    ),
    Measure(
        "grain_size_number",
        "number",
        "grain size number of the spacing; a lower bound where the network is broken, since "
        "boundaries without network are not seen",
        "G",
        "ASTM E112",
        "holds",
    ),
    Measure("network_n_parts", "count", "parts of the network, 8-connected, specks left out"),
    Measure("network_largest_part", "share", "share of the network in its largest part"),
    Measure(
        "network_closed_cells",
        "share",
        "share of the area outside the network that lies in cells which the network closes within "
        "the map; a lower bound, since cells at the map's edge count as open",
    ),
)

MEASURES: dict[protocol.TaskName, tuple[Measure, ...]] = {
    "particles": (*_HEAD, *_PARTICLES, *_FOOT),
    "microconstituents": (*_HEAD, *_MICROCONSTITUENTS, *_FOOT),
}
"""Measures of each task, in the order of a row's columns."""


def columns(task: str) -> tuple[Column, ...]:
    """List the columns of a task's rows in their order, by the task's name or alias.

    Examples
    --------
    >>> [c.unit for c in columns("particles") if c.name.startswith("number_density_per_um2")]
    ['1/um^2', '1/um^2', '1/um^2']
    """
    measures = MEASURES[protocol.task(task).name]
    return tuple(column for measure in measures for column in measure.columns)


def row(task: protocol.TaskName, values: dict[str, Value]) -> dict[str, Cell]:
    """Lay values out as a row.

    Parameters
    ----------
    task : str
    values : dict of str to value
        By the names of the task's `MEASURES`, all of them.

    Returns
    -------
    dict of str to (str, float, int, bool or None)
        By the names of `columns`.
    """
    found: dict[str, Cell] = {}
    for measure in MEASURES[task]:
        found.update(measure.cells(values[measure.name]))
    return found
