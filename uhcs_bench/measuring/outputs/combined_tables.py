"""Tables of the combined analysis, which is given by the names of its micrographs."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from uhcs_bench._version import __version__
from uhcs_bench.io.tables import csv_text
from uhcs_bench.metallography import particles
from uhcs_bench.metallography.estimates import Distribution, Estimate, cells
from uhcs_bench.metallography.spheroidite import SPECK_PX, WARNING, CombinedAnalysis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


SCHEMA = "uhcs-bench/combined/1"


def to_json(results: Mapping[str, CombinedAnalysis]) -> str:
    """Lay results out for programs.

    Returns
    -------
    str
        null where a quantity is undefined.
    """
    content = {
        "schema": SCHEMA,
        "version": __version__,
        "warning": WARNING,
        "speck_px": SPECK_PX,
        "micrographs": {name: result.to_dict() for name, result in results.items()},
    }
    return json.dumps(content, indent=1, allow_nan=False)


_CSV_COLUMNS = (
    "micrograph",
    "quantity",
    "unit",
    "near_px",
    "far_px",
    "value",
    "ci95_low",
    "ci95_high",
    "n",
    "note",
)


def to_csv(results: Mapping[str, CombinedAnalysis]) -> str:
    """Lay results out as one tidy table, a row a number.

    Returns
    -------
    str
        Rows with ``near_px`` and ``far_px`` are of the particles at that distance from the network.
        Empty where undefined; the note says why. The row ``resolution`` holds the paper's warning.
    """
    rows = ((name, *row) for name, result in results.items() for row in _csv_rows(result))
    return csv_text(_CSV_COLUMNS, rows)


def _csv_rows(result: CombinedAnalysis) -> Iterator[tuple[Any, ...]]:
    everywhere = (None, None)
    yield ("resolution", None, *everywhere, None, None, None, None, result.warning)
    unknown = "" if result.pixel_size_um is not None else "unknown; nothing is given in um"
    yield ("pixel_size", "um", *everywhere, result.pixel_size_um, None, None, None, unknown)
    n = len(result.particles)
    for quantity, value in (
        ("n_particles", n),
        ("n_dropped", result.n_dropped),
        ("n_cut", result.n_cut),
        ("n_left_out", result.n_left_out),
        ("n_pixels_left_out", result.n_pixels_left_out),
        ("n_specks", result.n_specks),
        ("area_fraction", result.area_fraction),
    ):
        yield (quantity, "1", *everywhere, value, None, None, n, result.reason)
    yield from _length_rows(everywhere, result.sizes.diameters, result)
    fit, count = result.sizes.lognormal, result.sizes.diameters.n
    reason = result.reason or result.sizes.diameters.reason
    for quantity, unit, estimate in (
        ("diameter_lognormal_median", "px", fit.median.px),
        ("diameter_lognormal_median", "um", fit.median.um),
        ("diameter_lognormal_sigma", "1", fit.sigma),
        ("diameter_lognormal_ks", "1", Estimate(fit.ks_distance, math.nan, math.nan)),
    ):
        yield (quantity, unit, *everywhere, *cells(estimate), count, reason)
    for bin_ in result.by_distance:
        yield from _length_rows((bin_.near_px, bin_.far_px), bin_.diameters, result)
    trend = result.trend
    yield ("spearman_rho", "1", *everywhere, *cells(trend.rho), trend.n, trend.reason)


def _length_rows(
    bounds: tuple[float | None, float | None], found: Distribution, result: CombinedAnalysis
) -> Iterator[tuple[Any, ...]]:
    lengths = {
        "diameter_mean": found.mean,
        "diameter_sd": found.standard_deviation,
        **{f"diameter_p{level:02d}": length for level, length in found.percentiles.items()},
    }
    for quantity, length in lengths.items():
        yield (quantity, "px", *bounds, *cells(length.px), found.n, found.reason)
        if result.pixel_size_um is not None:
            yield (quantity, "um", *bounds, *cells(length.um), found.n, found.reason)


def particles_to_csv(results: Mapping[str, CombinedAnalysis]) -> str:
    """List the particles one by one, with their distance from the network.

    Returns
    -------
    str
        Columns ``micrograph``, `uhcs_bench.metallography.particles.COLUMNS`, ``distance_px`` and
        ``distance_um``; empty where undefined.
    """
    names = ("micrograph", *particles.COLUMNS, "distance_px", "distance_um")
    return csv_text(names, _particle_rows(results))


def _particle_rows(results: Mapping[str, CombinedAnalysis]) -> Iterator[tuple[Any, ...]]:
    for name, result in results.items():
        table = result.particles.table
        for particle, distance in zip(table, result.distances_px.tolist(), strict=True):
            yield (name, *particle.item(), distance, result.in_um(distance))
