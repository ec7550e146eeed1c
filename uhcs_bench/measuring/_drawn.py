"""Measures of synthetic micrographs as they were drawn: the truth of `calibration`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.metallography import arguments, particles, shapes, unfolding
from uhcs_bench.synthetic.network import Hypereutectoid
from uhcs_bench.synthetic.particle_field import Placed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from uhcs_bench.metallography.particles import Particles
    from uhcs_bench.synthetic.micrographs import Synthetic

_DIRECTIONS = 90


def of_particles(made: Synthetic, min_diameter: str | None) -> dict[str, float]:
    """Measure drawn particles whose centres lie in the image, each as a whole.

    Parameters
    ----------
    made : Synthetic
    min_diameter : str or None
        As for `uhcs_bench.measuring.row.measure`.

    Returns
    -------
    dict of str to float
        By names of `uhcs_bench.measuring.columns.MEASURES`; lengths in micrometres.
    """
    um = made.pixel_size_um
    chosen = _chosen(made, arguments.smallest_area_px(min_diameter, um))
    if not len(chosen):
        return {}
    outlines = chosen.outlines()
    drawn = _as_table(chosen, outlines, made)
    table, area = drawn.table, float(made.labels.size)
    sizes = particles.size_distribution(drawn)
    form, unfolded = shapes.mean_shapes(drawn), unfolding.unfold(drawn)
    fraction = float(table["area_um2"].sum()) / um**2 / area
    # So many rows and columns cross a particle as it is high and wide.
    per_length = float(np.ptp(outlines, axis=1).sum()) / (2 * area) / um
    found = {
        "fraction_particle": fraction,
        "number_density": particles.number_density(drawn).um.value,
        "number_per_length": per_length,
        "mean_intercept": fraction / per_length,
        "free_path": (1 - fraction) / per_length,
        "nearest_neighbour_distance": _nearest(made, drawn) * um,
        "diameter_mean": sizes.diameters.mean.um.value,
        "diameter_sd": sizes.diameters.standard_deviation.um.value,
        "diameter_median": sizes.diameters.median.um.value,
        "diameter_area_weighted_mean": sizes.area_weighted.um.value,
        "diameter_volume_weighted_mean": sizes.volume_weighted.um.value,
        "lognormal_median": sizes.lognormal.median.um.value,
        "lognormal_sigma": sizes.lognormal.sigma.value,
        "perimeter_mean": form.perimeter.um.value,
        "feret_mean": form.feret.um.value,
        "circularity_mean": form.circularity.value,
        "aspect_ratio_mean": form.aspect_ratio.value,
        "unfolded_diameter_mean": unfolded.diameter.um.value,
        "unfolded_number_density": unfolded.number_per_volume.um.value,
    }
    for limit, share in form.spheroidised.items():
        found[f"spheroidised_{limit}_by_number"] = share.by_number.value
        found[f"spheroidised_{limit}_by_area"] = share.by_area.value
    return found


def _chosen(made: Synthetic, smallest_px: float) -> Placed:
    """Pick the particles whose centres lie in the image, from an area on."""
    placed = made.placed
    inside = placed.within((made.labels.shape[0], made.labels.shape[1]))
    chosen = inside & (math.pi / 4 * placed.diameter**2 >= smallest_px)
    names = ("row", "column", "major", "minor", "angle", "bumps")
    return Placed(*(getattr(placed, name)[chosen] for name in names))


def _as_table(chosen: Placed, outlines: NDArray[np.float64], made: Synthetic) -> Particles:
    """Lay drawn particles out as if they had been measured."""
    area, um = math.pi / 4 * chosen.diameter**2, made.pixel_size_um
    steps = np.roll(outlines, -1, axis=1) - outlines
    perimeter = np.hypot(steps[..., 0], steps[..., 1]).sum(1)
    table = np.zeros(len(chosen), particles.measure_particles(np.zeros((1, 1))).table.dtype)
    measured = {
        "row": chosen.row,
        "column": chosen.column,
        "area_px": np.rint(area),
        "area_um2": area * um**2,
        "diameter_px": chosen.diameter,
        "aspect_ratio": _aspect_ratio(outlines),
        "perimeter_px": perimeter,
        "circularity": 4 * math.pi * area / perimeter**2,
        "feret_px": _feret(outlines),
        "edge_weight": 1.0,
    }
    for name, values in measured.items():
        table[name] = values
    shape = (made.labels.shape[0], made.labels.shape[1])
    return particles.Particles(table, shape, um)


def _feret(outlines: NDArray[np.float64]) -> NDArray[np.float64]:
    angles = np.arange(_DIRECTIONS) * math.pi / _DIRECTIONS
    widths = [np.ptp(outlines @ [math.sin(a), math.cos(a)], axis=1) for a in angles]
    return np.asarray(np.max(widths, axis=0))


def _aspect_ratio(outlines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Axes of the ellipse of equal second moments, from triangles between centre and outline."""
    y, x = np.moveaxis(outlines - outlines.mean(1, keepdims=True), -1, 0)
    next_y, next_x = np.roll(y, -1, axis=1), np.roll(x, -1, axis=1)
    area = x * next_y - next_x * y
    xx, yy, xy = (
        (area * (2 * a * b + 2 * c * d + a * d + b * c)).sum(1)
        for a, b, c, d in ((x, x, next_x, next_x), (y, y, next_y, next_y), (x, y, next_x, next_y))
    )
    middle, radius = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    major, minor = np.abs(middle + radius), np.abs(middle - radius)
    return np.asarray(np.sqrt(np.maximum(major, minor) / np.minimum(major, minor)))


def _nearest(made: Synthetic, drawn: Particles) -> float:
    """Mean distance, in pixels, to the nearest of all that were drawn, outside the image too."""
    from scipy.spatial import KDTree

    large = made.placed.diameter >= drawn.table["diameter_px"].min()
    everywhere = np.stack([made.placed.row[large], made.placed.column[large]], axis=1)
    inside = np.stack([drawn.table["row"], drawn.table["column"]], axis=1)
    if len(everywhere) < 2:
        return math.nan
    return float(KDTree(everywhere).query(inside, k=2)[0][:, 1].mean())


def of_network(made: Synthetic) -> dict[str, float]:
    """Give what was stated of a network's denuded zone.

    Raises
    ------
    TypeError
        If the micrograph shows a field of particles.
    """
    if not isinstance(made.structure, Hypereutectoid):
        raise TypeError("a field of particles has no denuded zone")
    width = made.structure.denuded_um
    return dict.fromkeys(("zone_width_mean", "zone_width_median", "authors_zone_width_mean"), width)
