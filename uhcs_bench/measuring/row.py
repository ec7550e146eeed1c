"""From one label map to one row of a table: every measure with its unit and its interval.

The measures themselves are in `uhcs_bench.metallography`. Here they get names, units and an order.
The unit ends a column's name
(``_px``, ``_um``, ``_per_um2``); a column without one is a number, a share or a word. Where a value
has a 95 % interval, the columns ``..._low`` and ``..._high`` follow it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.errors import UsageError
from uhcs_bench.io.tables import Cell, Column, Row
from uhcs_bench.metallography import estimates, particles, stereology
from uhcs_bench.metallography.labels import check_label_map

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from uhcs_bench.measuring.pixel_size import Scale
    from uhcs_bench.metallography.denuded_zone import DenudedZone, UnobstructedWidths
    from uhcs_bench.metallography.estimates import Distribution, Estimate, Length
    from uhcs_bench.metallography.labels import LabelMap
    from uhcs_bench.metallography.particles import Lognormal, Particles
    from uhcs_bench.metallography.stereology import MeanIntercept

SCHEMA = "uhcs-bench/measurements/1"


@dataclass(frozen=True, eq=False)  # arrays don't compare as a whole
class Measurement:
    """What was measured on one label map.

    Attributes
    ----------
    task : str
    row : dict of str to (str, float, int, bool or None)
        See `columns`; None where a value is undefined.
    scale : Scale
        The pixel size, and where it comes from.
    particles : Particles or None
        For the task of particles.
    lognormal : Lognormal or None
        The fit to their diameters.
    zone : UnobstructedWidths or None
        For the task of microconstituents.
    authors_zone : DenudedZone or None
        The same, as the paper measures it.
    """

    task: protocol.TaskName
    row: Row
    scale: Scale
    particles: Particles | None = None
    lognormal: Lognormal | None = None
    zone: UnobstructedWidths | None = None
    authors_zone: DenudedZone | None = None


_Cells = list[tuple[Column, Cell]]


def measure(label_map: LabelMap, task: str, scale: Scale, file: str = "") -> Measurement:
    """Measure a label map.

    Parameters
    ----------
    label_map : ndarray of integers, shape (rows, columns)
        Class labels.
    task : str
        Name or alias of the task that the labels belong to.
    scale : Scale
        See `uhcs_bench.measuring.pixel_size.find`. Without a size, values in micrometres are None.
    file : str, optional
        Name of the map's file, for the row.

    Returns
    -------
    Measurement

    Raises
    ------
    UsageError
        If there is no such task, the map has not two dimensions, holds no pixels, or a label is
        outside the classes.

    Examples
    --------
    Two particles of 4 x 4 px, one of them cut by the image's edge:

    >>> from uhcs_bench.measuring.pixel_size import Scale
    >>> labels = np.zeros((40, 40), np.uint8)
    >>> labels[10:14, 20:24] = labels[30:34, :4] = 1
    >>> row = measure(labels, "particles", Scale(0.5, "given by the user"), "a.png").row
    >>> row["n_particles"], row["n_at_border"], row["fraction_particle"]
    (2, 1, 0.02)
    >>> round(row["diameter_median_px"], 3), round(row["diameter_median_um"], 3)
    (4.514, 2.257)
    """
    name = protocol.task(task).name
    labels = check_label_map(label_map, len(protocol.TASKS[name].classes))
    if not labels.size:
        raise UsageError("The map holds no pixels. Give a map of one pixel or more.")
    reasons: list[str] = []
    cells = _head(labels, name, scale, file)
    cells += _fraction_cells(labels, name, reasons)
    found = Measurement(name, {}, scale)
    if protocol.TASKS[name].has_particles:
        found = _measure_particles(labels, found, cells, reasons)
    if protocol.TASKS[name].has_denuded_zone:
        found = _measure_network(labels, found, cells, reasons)
    cells.append((_word("reason", "why values are undefined"), "; ".join(reasons)))
    found.row.update((column.name, value) for column, value in cells)
    _catalogues.setdefault(name, tuple(column for column, _ in cells))
    return found


_catalogues: dict[protocol.TaskName, tuple[Column, ...]] = {}


@cache
def columns(task: str) -> tuple[Column, ...]:
    """List the columns of a task's rows, in their order.

    Parameters
    ----------
    task : str
        Name or alias of a task.

    Returns
    -------
    tuple of Column

    Examples
    --------
    >>> [c.unit for c in columns("particles") if c.name.startswith("number_density_per_um2")]
    ['1/um^2', '1/um^2', '1/um^2']
    """
    from uhcs_bench.measuring.pixel_size import Scale

    name = protocol.task(task).name
    if name not in _catalogues:
        measure(np.zeros((1, 1), np.uint8), name, Scale(None, ""))
    return _catalogues[name]


_PARTICLE_UNITS = {"row": "px", "column": "px", "area_px": "px^2", "area_um2": "um^2"}

PARTICLE_COLUMNS: tuple[Column, ...] = (
    Column("file", "", str, "the label map or micrograph, as it was given"),
    Column("id", "", str, "its name without folder and ending"),
    Column("particle", "", int, "number within the file, from 1 on, in the order of first pixels"),
    *(
        Column(
            name,
            _PARTICLE_UNITS.get(name) or {"px": "px", "um": "um"}.get(name.rpartition("_")[2], ""),
            {"area_px": int, "at_border": bool}.get(name, float),
            meaning,
        )
        for name, meaning in particles.COLUMNS.items()
    ),
)
"""Columns of a table with one row per particle, see `particle_rows`."""


def particle_rows(table: NDArray[np.void], file: str, id_: str) -> Iterator[Row]:
    """Go through a table of particles, a row for each.

    Parameters
    ----------
    table : structured ndarray
        See `uhcs_bench.metallography.particles.Particles`.
    file, id_ : str
        What the rows say of their origin.

    Yields
    ------
    dict
        See `PARTICLE_COLUMNS`.

    Examples
    --------
    >>> mask = np.zeros((9, 9))
    >>> mask[3:5, 3:5] = 1
    >>> row = next(particle_rows(particles.measure_particles(mask).table, "a.png", "a"))
    >>> row["particle"], row["area_px"], row["area_um2"], row["at_border"]
    (1, 4, None, False)
    """
    names = table.dtype.names or ()
    lists = [cast("list[Cell]", table[name].tolist()) for name in names]
    for number, values in enumerate(zip(*lists, strict=True), start=1):
        row: Row = {"file": file, "id": id_, "particle": number}
        row.update(zip(names, map(_defined, values), strict=True))
        yield row


def _head(labels: LabelMap, task: protocol.TaskName, scale: Scale, file: str) -> _Cells:
    id_ = file.replace("\\", "/").rpartition("/")[2]
    id_ = id_.rpartition(".")[0] or id_
    return [
        (_word("file", "the label map or micrograph, as it was given"), file),
        (_word("id", "its name without folder and ending"), id_),
        (_word("task", "what its labels mean"), task),
        (Column("rows_px", "px", int, "height of the map"), labels.shape[0]),
        (Column("columns_px", "px", int, "width of the map"), labels.shape[1]),
        (Column("pixel_size_um", "um", float, "edge of a pixel"), scale.um),
        (_word("pixel_size_source", "where the pixel size is from, or why none"), scale.source),
    ]


def _fraction_cells(labels: LabelMap, task: protocol.TaskName, reasons: list[str]) -> _Cells:
    cells: _Cells = []
    for phase in stereology.phase_fractions(labels, protocol.TASKS[task].classes):
        meaning = f"share of the area that is {phase.phase}"
        cells += _estimate(f"fraction_{phase.phase}", "", phase.fraction, meaning)
        if phase.reason and phase.reason not in reasons:
            reasons.append(phase.reason)
    return cells


def _measure_particles(
    labels: LabelMap, found: Measurement, cells: _Cells, reasons: list[str]
) -> Measurement:
    all_ = particles.measure_particles(labels == protocol.PARTICLE_LABEL, found.scale.um)
    sizes = particles.size_distribution(all_)
    fit = sizes.lognormal
    n_at_border = int(np.count_nonzero(all_.table["at_border"]))
    cells += [
        (_count("n_particles", "particles, 8-connected, those at the border included"), len(all_)),
        (_count("n_at_border", "particles that touch the map's edge"), n_at_border),
    ]
    for unit, density in zip(("px", "um"), particles.number_density(all_), strict=True):
        meaning = "particles per area, corrected for the map's edge"
        cells += _estimate(f"number_density_per_{unit}2", f"1/{unit}^2", density, meaning)
    cells.append((_count("diameter_n", "whole particles, whose sizes count"), sizes.diameters.n))
    cells += _distribution("diameter", sizes.diameters, "of the circles of equal area")
    cells += _lengths("lognormal_median", fit.median, "median of the lognormal fitted to diameters")
    cells += _estimate("lognormal_sigma", "", fit.sigma, "its deviation of natural logarithms")
    meaning = "Kolmogorov-Smirnov distance of the diameters from it, 0 to 1"
    cells.append((_number("lognormal_ks_distance", meaning), _defined(fit.ks_distance)))
    if sizes.diameters.reason:
        reasons.append(f"sizes: {sizes.diameters.reason}")
    return Measurement(found.task, found.row, found.scale, all_, fit)


def _measure_network(
    labels: LabelMap, found: Measurement, cells: _Cells, reasons: list[str]
) -> Measurement:
    from uhcs_bench.metallography import denuded_zone  # maps of particles need not import it

    um = found.scale.um
    zone = denuded_zone.unobstructed_widths(labels)
    authors_zone = denuded_zone.denuded_zone_widths(labels)
    cells.append((_count("zone_width_n", "lines through the denuded zone"), len(zone)))
    cells += _distribution(
        "zone_width", denuded_zone.width_distribution(zone, um), "of the denuded zone along lines"
    )
    cells += [
        (_count("zone_n_edges", "pixel edges between spheroidite and matrix"), zone.n_edges),
        (
            _count("zone_n_near_widmanstatten", "of them, those nearer to a lath"),
            zone.n_near_widmanstatten,
        ),
        (_count("zone_n_obstructed", "of them, those without a clear line"), zone.n_obstructed),
        (_count("zone_n_near_border", "of them, those near the map's edge"), zone.n_near_border),
        (
            _number("zone_contact_fraction", "share of network outline that spheroidite touches"),
            _defined(zone.contact_fraction),
        ),
        (_count("authors_zone_width_n", "samples of the authors' procedure"), len(authors_zone)),
    ]
    cells += _distribution(
        "authors_zone_width",
        denuded_zone.width_distribution(authors_zone, um),
        "of the denuded zone by the authors' procedure",
    )
    intercept = stereology.mean_intercept_length(labels, um)
    cells += _intercept_cells(intercept, um)
    for what, reason in (
        ("denuded zone", zone.reason),
        ("denuded zone (authors)", authors_zone.reason),
        ("intercepts", intercept.reason),
    ):
        if reason:
            reasons.append(f"{what}: {reason}")
    return Measurement(found.task, found.row, found.scale, None, None, zone, authors_zone)


def _intercept_cells(found: MeanIntercept, um: float | None) -> _Cells:
    cells: _Cells = [
        (_number("intercept_n", "crossings of test lines and network"), found.n_crossings)
    ]
    for name, length, meaning in (
        ("spacing", found.spacing, "mean distance of network crossings along test lines"),
        ("free_path", found.free_path, "mean test line between two network crossings"),
        ("thickness", found.thickness, "mean test line inside the network"),
    ):
        cells += _lengths(f"intercept_{name}", length, meaning)
    for name, px in (("horizontal", found.horizontal_px), ("vertical", found.vertical_px)):
        for unit, factor in (("px", 1.0), ("um", math.nan if um is None else um)):
            meaning = f"spacing along {name} lines alone"
            column = Column(f"intercept_spacing_{name}_{unit}", unit, float, meaning)
            cells.append((column, _defined(px * factor)))
    return cells


def _distribution(name: str, found: Distribution, meaning: str) -> _Cells:
    named = {"mean": found.mean, "sd": found.standard_deviation, "median": found.median}
    named |= {f"p{level}": found.percentiles[level] for level in estimates.PERCENTILES}
    del named["p50"]  # the median
    words = {"mean": "mean", "sd": "standard deviation", "median": "median"}
    cells: _Cells = []
    for statistic, length in named.items():
        what = words.get(statistic, f"percentile {statistic[1:]}")
        cells += _lengths(f"{name}_{statistic}", length, f"{what} {meaning}")
    return cells


def _lengths(name: str, length: Length, meaning: str) -> _Cells:
    return [
        *_estimate(f"{name}_px", "px", length.px, meaning),
        *_estimate(f"{name}_um", "um", length.um, meaning),
    ]


def _estimate(name: str, unit: str, found: Estimate, meaning: str) -> _Cells:
    ends = {"": found.value, "_low": found.low, "_high": found.high}
    said = {"": meaning, "_low": "its 95 % interval, lower end", "_high": "upper end"}
    return [
        (Column(name + end, unit, float, said[end]), _defined(value)) for end, value in ends.items()
    ]


def _word(name: str, meaning: str) -> Column:
    return Column(name, "", str, meaning)


def _count(name: str, meaning: str) -> Column:
    return Column(name, "", int, meaning)


def _number(name: str, meaning: str) -> Column:
    return Column(name, "", float, meaning)


def _defined(value: Cell) -> Cell:
    """Give back a value, None for NaN and infinity, which JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
