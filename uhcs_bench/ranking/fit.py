"""Fit to measure: how near the quantities measured on predicted maps come to the annotations'.

Intersection over union counts pixels, and does not show by how much quantities are off that are
measured on a method's maps. Each quantity is measured on the annotation
and on the predicted map in the same way, and compared as a ratio. A value that the annotation does
not have, such as the spacing of a network that is not there, is left out; one that the predicted
map alone lacks is a miss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.metallography import components, particles
from uhcs_bench.stats.undefined import none_if_nan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from uhcs_bench.metallography.labels import LabelMap

MIN_AREA_PX = 5
"""Area from which on a component counts as a particle: smaller ones are specks, of which some
annotations hold more than particles."""

TOLERANCES = (0.10, 0.20)
"""Relative errors within which a micrograph counts as measured."""

RANKED_TOLERANCE = 0.20
"""Relative error within which a measure counts as met in the ranking."""


@dataclass(frozen=True)
class Measure:
    """A quantity that is measured on one map.

    Attributes
    ----------
    name : str
        Key in ``leaderboard.json``.
    heading : str
        Of its column.
    meaning : str
        In a sentence's words.
    """

    name: str
    heading: str
    meaning: str


MEASURES: Mapping[str, tuple[Measure, ...]] = {
    "particles": (
        Measure("fraction_particle", "area fraction", "share of the area that is particle"),
        Measure("n_particles", "count", f"number of whole particles of {MIN_AREA_PX} px or more"),
        Measure("diameter_mean_px", "mean diameter", "their mean equivalent diameter"),
        Measure(
            "diameter_by_area_px",
            "area-weighted diameter",
            "the same, each particle weighted by its area",
        ),
    ),
    "microconstituents": (
        *(
            Measure(f"fraction_{name}", f"{name} fraction", f"share of the area that is {name}")
            for name in protocol.TASKS["microconstituents"].classes
        ),
        Measure(
            "zone_width_mean_px",
            "zone width",
            "mean width of the denuded zone, along lines that run through the zone alone",
        ),
        Measure(
            "authors_zone_width_mean_px",
            "zone width (authors)",
            "the same by the procedure of the paper's authors",
        ),
        Measure(
            "intercept_spacing_px",
            "network spacing",
            "mean distance of network crossings along test lines",
        ),
    ),
}
"""By task, in the order of the columns; names are those of ``uhcs-bench measure`` where it has
them."""


def measure(maps: Sequence[LabelMap], task: str) -> dict[str, list[float | None]]:
    """Measure label maps.

    Parameters
    ----------
    maps : sequence of ndarray of integers, shape (rows, columns)
    task : str
        That the labels belong to.

    Returns
    -------
    dict of str to list of float or None
        By measure, a value of each map; None where undefined. Lengths are in pixels.

    Examples
    --------
    Two squares of 8 and 16 px, a speck of one pixel, and a particle that the edge cuts:

    >>> labels = np.zeros((40, 50), np.uint8)
    >>> labels[2:10, 2:10] = labels[20:36, 20:36] = labels[9, 40] = labels[:4, 30:40] = 1
    >>> found = measure([labels], "particles")
    >>> found["n_particles"], [round(d, 2) for d in found["diameter_mean_px"]]
    ([2.0], [13.54])
    >>> [round(d, 2) for d in found["diameter_by_area_px"]]
    [16.25]
    """
    measured = _of_particles if protocol.task(task).has_particles else _of_network
    rows = [measured(labels) for labels in maps]
    return {
        found.name: [none_if_nan(row[found.name]) for row in rows]
        for found in MEASURES[protocol.task(task).name]
    }


def _of_particles(labels: LabelMap) -> dict[str, float]:
    particle = labels == protocol.PARTICLE_LABEL
    table = particles.measure_particles(particle).table
    # The part of a particle inside the map is no measure of its size.
    counted = (table["area_px"] >= MIN_AREA_PX) & ~table["at_border"]
    areas = table["area_px"][counted]
    diameters = components.equivalent_diameters(areas)
    return {
        "fraction_particle": float(particle.mean()),
        "n_particles": float(len(areas)),
        "diameter_mean_px": _mean(diameters, np.ones(len(areas))),
        "diameter_by_area_px": _mean(diameters, areas),
    }


def _of_network(labels: LabelMap) -> dict[str, float]:
    from uhcs_bench.metallography import denuded_zone, stereology

    classes = protocol.TASKS["microconstituents"].classes
    shares = np.bincount(labels.ravel(), minlength=len(classes)) / labels.size
    zone = denuded_zone.unobstructed_widths(labels)
    authors_zone = denuded_zone.denuded_zone_widths(labels)
    found = {f"fraction_{name}": float(share) for name, share in zip(classes, shares, strict=True)}
    return found | {
        "zone_width_mean_px": _mean(zone.widths_px, zone.weights),
        "authors_zone_width_mean_px": _mean(authors_zone.widths_px, authors_zone.weights),
        "intercept_spacing_px": stereology.mean_intercept_length(labels).spacing.px.value,
    }


def _mean(values: NDArray[np.float64], weights: NDArray[Any]) -> float:
    return float(np.average(values, weights=weights)) if len(values) else math.nan


def relative_errors(
    annotated: Sequence[float | None], predicted: Sequence[float | None]
) -> NDArray[np.float64]:
    """Compare values measured on predicted maps with those of the annotations.

    Parameters
    ----------
    annotated, predicted : sequence of float or None
        A value of each micrograph.

    Returns
    -------
    ndarray of float64, shape (n,)
        Predicted over annotated, less 1. NaN where the annotation has no value, or 0; infinite
        where the predicted map alone has none.

    Examples
    --------
    >>> relative_errors([10, 10, None, 10], [12, 9, 3, None]).round(2)
    array([ 0.2, -0.1,  nan,  inf])
    """
    true, found = np.array(annotated, float), np.array(predicted, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors: NDArray[np.float64] = found / true - 1
    errors[np.isnan(found)] = np.inf
    errors[np.isnan(true) | (true == 0)] = np.nan
    return errors


@dataclass(frozen=True)
class Fit:
    """How near a method comes to one measure.

    Attributes
    ----------
    n : int
        Micrographs whose annotation has the quantity.
    bias : float or None
        Mean relative error, where the predicted map has the quantity.
    n_missed : float
        Micrographs where it does not; with several runs their mean.
    within : dict of float to float
        By tolerance, the micrographs whose relative error is at most that; with several runs their
        mean.
    """

    n: int
    bias: float | None
    n_missed: float
    within: dict[float, float]


def summary(errors: NDArray[np.float64]) -> Fit:
    """Summarise relative errors.

    Parameters
    ----------
    errors : ndarray of float64, shape (n_runs, n_micrographs)
        See `relative_errors`.

    Returns
    -------
    Fit

    Examples
    --------
    >>> summary(np.array([[0.2, -0.1, np.nan, np.inf]]))
    Fit(n=3, bias=0.05, n_missed=1.0, within={0.1: 1.0, 0.2: 2.0})
    """
    known = np.isfinite(errors)
    n_runs = len(errors)
    return Fit(
        n=int((~np.isnan(errors)).any(axis=0).sum()),
        bias=round(float(errors[known].mean()), 12) if known.any() else None,
        n_missed=float(np.isinf(errors).sum() / n_runs),
        within={
            tolerance: float(_within(errors, tolerance).sum() / n_runs) for tolerance in TOLERANCES
        },
    )


def _within(errors: NDArray[np.float64], tolerance: float) -> NDArray[np.bool_]:
    # 12 / 10 - 1 is a little more than 0.2
    return np.asarray(np.abs(errors) <= tolerance + 1e-9)


def share_within(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the share of the measures that are met on each micrograph, for the ranking.

    Parameters
    ----------
    errors : ndarray of float64, shape (n_measures, ..., n_micrographs)

    Returns
    -------
    ndarray of float64, shape (..., n_micrographs)
        Of the measures that the annotation has, those within `RANKED_TOLERANCE`.

    Examples
    --------
    >>> share_within(np.array([[0.2, 0.5], [np.inf, np.nan]]))
    array([0.5, 0. ])
    """
    counted = (~np.isnan(errors)).sum(axis=0)
    met = _within(errors, RANKED_TOLERANCE).sum(axis=0)
    with np.errstate(invalid="ignore"):
        share: NDArray[np.float64] = met / counted
    return share
