"""From one label map to one row of a table: every measure with its unit and its interval.

The measures themselves are in `uhcs_bench.metallography`; their names, units and meanings are in
`uhcs_bench.measuring.columns`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.errors import UsageError
from uhcs_bench.io.tables import Cell, Column, Row
from uhcs_bench.measuring import columns as measures
from uhcs_bench.metallography import (
    arguments,
    components,
    neighbours,
    particles,
    shapes,
    stereology,
    unfolding,
)
from uhcs_bench.metallography.estimates import Estimate, Quantity
from uhcs_bench.metallography.labels import check_label_map

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from uhcs_bench.measuring.columns import Value
    from uhcs_bench.measuring.pixel_size import Scale
    from uhcs_bench.metallography.denuded_zone import DenudedZone, UnobstructedWidths
    from uhcs_bench.metallography.estimates import Distribution
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
        See `uhcs_bench.measuring.columns.columns`; None where a value is undefined.
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


def measure(
    label_map: LabelMap,
    task: str,
    scale: Scale,
    file: str = "",
    min_diameter: str | None = None,
) -> Measurement:
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
    min_diameter : str, optional
        Equivalent circular diameter of the smallest particle that counts, such as ``"0.2um"`` or
        ``"5px"``; all particles unless given. Smaller ones are matrix to every measure.

    Returns
    -------
    Measurement

    Raises
    ------
    UsageError
        If there is no such task, the map has not two dimensions, holds no pixels, a label is
        outside the classes, or the smallest diameter is none, or is in micrometres without a pixel
        size.

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
    values = _head(labels, name, scale, file)
    found = Measurement(name, {}, scale)
    if protocol.TASKS[name].has_particles:
        found = _measure_particles(labels, found, values, min_diameter)
    elif min_diameter is not None:
        raise UsageError(
            f"A smallest diameter is for particles, which maps of {name} have not. Leave "
            "--min-diameter out."
        )
    if protocol.TASKS[name].has_denuded_zone:
        found = _measure_network(labels, found, values)
    values["warning"] = "; ".join(filter(None, [_blank(labels, name), str(values["warning"])]))
    found.row.update(measures.row(name, values))
    return found


def _blank(labels: LabelMap, task: protocol.TaskName) -> str:
    """Say that a map has one class alone; empty for others."""
    label = labels.flat[0]
    if (labels != label).any():
        return ""
    name = protocol.TASKS[task].classes[int(label)]
    return f"every pixel is {name}, so that there is nothing to measure but the fractions"


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
        row.update(zip(names, map(measures.defined, values), strict=True))
        yield row


def _head(labels: LabelMap, task: protocol.TaskName, scale: Scale, file: str) -> dict[str, Value]:
    id_ = file.replace("\\", "/").rpartition("/")[2]
    return {
        "file": file,
        "id": id_.rpartition(".")[0] or id_,
        "task": task,
        "rows_px": labels.shape[0],
        "columns_px": labels.shape[1],
        "pixel_size_um": scale.um,
        "pixel_size_source": scale.source,
    }


def _fractions(labels: LabelMap, task: protocol.TaskName, reasons: list[str]) -> dict[str, Value]:
    found = stereology.phase_fractions(labels, task)
    reasons += dict.fromkeys(phase.reason for phase in found if phase.reason)
    return {f"fraction_{phase.phase}": phase.fraction for phase in found}


def _measure_particles(
    labels: LabelMap, found: Measurement, values: dict[str, Value], min_diameter: str | None
) -> Measurement:
    reasons: list[str] = []
    um = found.scale.um
    smallest = arguments.smallest_area_px(min_diameter, um)
    labels, n_left_out, area_left_out = components.drop_small(labels, smallest)
    all_ = particles.measure_particles(labels, um)
    sizes = particles.size_distribution(all_)
    diameter = 2 * math.sqrt(smallest / math.pi)
    values |= {
        "min_diameter": Quantity.from_px(Estimate(diameter, math.nan, math.nan), um),
        "left_out_n": n_left_out,
        "left_out_fraction": area_left_out / labels.size,
        **_fractions(labels, found.task, reasons),
        "n_particles": len(all_),
        "n_at_border": int(np.count_nonzero(all_.table["at_border"])),
        "number_density": particles.number_density(all_),
        **_crossed_particles(labels, um),
        **_neighbours(all_),
        "diameter_n": sizes.diameters.n,
        **_distribution("diameter", sizes.diameters),
        "diameter_area_weighted_mean": sizes.area_weighted,
        "diameter_volume_weighted_mean": sizes.volume_weighted,
        "lognormal_median": sizes.lognormal.median,
        "lognormal_sigma": sizes.lognormal.sigma,
        "lognormal_ks_distance": sizes.lognormal.ks_distance,
        **_shapes(all_),
        **_unfolded(all_),
        "warning": "",
    }
    if sizes.diameters.reason:
        reasons.append(f"sizes: {sizes.diameters.reason}")
    values["reason"] = "; ".join(reasons)
    return Measurement(found.task, found.row, found.scale, all_, sizes.lognormal)


def _crossed_particles(labels: LabelMap, um: float | None) -> dict[str, Value]:
    found = stereology.mean_intercept_length(labels, um, "particle")
    return {
        "number_per_length": found.per_length,
        "mean_intercept": found.thickness,
        "free_path": found.free_path,
    }


def _neighbours(all_: Particles) -> dict[str, Value]:
    found = neighbours.nearest_neighbours(all_)
    return {"nearest_neighbour_n": found.n, "nearest_neighbour_distance": found.distance}


def _shapes(all_: Particles) -> dict[str, Value]:
    found = shapes.mean_shapes(all_)
    values: dict[str, Value] = {
        "perimeter_mean": found.perimeter,
        "feret_mean": found.feret,
        "circularity_mean": found.circularity,
        "aspect_ratio_mean": found.aspect_ratio,
    }
    for limit, share in found.spheroidised.items():
        values[f"spheroidised_{limit}_by_number"] = share.by_number
        values[f"spheroidised_{limit}_by_area"] = share.by_area
    return values


def _unfolded(all_: Particles) -> dict[str, Value]:
    found = unfolding.unfold(all_)
    return {
        "unfolded_diameter_mean": found.diameter,
        "unfolded_number_density": found.number_per_volume,
    }


def _measure_network(labels: LabelMap, found: Measurement, values: dict[str, Value]) -> Measurement:
    # Maps of particles need not import these.
    from uhcs_bench.metallography import denuded_zone

    reasons: list[str] = []
    um = found.scale.um
    zone = denuded_zone.unobstructed_widths(labels, um)
    authors_zone = denuded_zone.denuded_zone_widths(labels)
    intercept = stereology.mean_intercept_length(labels, um)
    values |= {
        **_fractions(labels, found.task, reasons),
        "zone_width_n": len(zone),
        **_distribution("zone_width", denuded_zone.width_distribution(zone, um)),
        "zone_n_edges": zone.n_edges,
        "zone_n_near_widmanstatten": zone.n_near_widmanstatten,
        "zone_n_obstructed": zone.n_obstructed,
        "zone_n_near_border": zone.n_near_border,
        "zone_contact_fraction": zone.contact_fraction,
        "authors_zone_width_n": len(authors_zone),
        **_distribution("authors_zone_width", denuded_zone.width_distribution(authors_zone, um)),
        **_intercepts(intercept, um),
        **_network(labels, intercept, um),
    }
    for what, reason in (
        ("denuded zone", zone.reason),
        ("denuded zone (authors)", authors_zone.reason),
        ("intercepts", intercept.reason),
    ):
        if reason:
            reasons.append(f"{what}: {reason}")
    values["reason"] = "; ".join(reasons)
    return Measurement(found.task, found.row, found.scale, None, None, zone, authors_zone)


def _intercepts(found: MeanIntercept, um: float | None) -> dict[str, Value]:
    directions = {"horizontal": found.horizontal_px, "vertical": found.vertical_px}
    return {
        "intercept_n": found.n_crossings,
        "intercept_spacing": found.spacing,
        "intercept_free_path": found.free_path,
        "intercept_thickness": found.thickness,
        **{
            f"intercept_spacing_{name}": Quantity.from_px(Estimate(px, math.nan, math.nan), um)
            for name, px in directions.items()
        },
    }


def _network(labels: LabelMap, intercept: MeanIntercept, um: float | None) -> dict[str, Value]:
    from uhcs_bench.metallography import network

    found = network.connectivity(labels, um)
    warning = ""
    if found.is_broken:
        warning = (
            f"grain size: the network is broken into {found.n_parts} parts, so that the grain size "
            "number is a lower bound"
        )
    return {
        "grain_size_number": network.grain_size_number(intercept.spacing),
        "network_n_parts": found.n_parts,
        "network_largest_part": found.largest_part,
        "network_closed_cells": found.closed_cells,
        "warning": warning,
    }


def _distribution(name: str, found: Distribution) -> dict[str, Value]:
    percentiles = {f"{name}_p{level}": x for level, x in found.percentiles.items() if level != 50}
    return {
        f"{name}_mean": found.mean,
        f"{name}_sd": found.standard_deviation,
        f"{name}_median": found.median,
        **percentiles,
    }
