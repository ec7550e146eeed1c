"""How often the intervals that `measure` gives for one field hold the mean of many fields.

Many fields of each synthetic structure are drawn and measured. A value's truth is its mean over all
fields; that of a percentile is the percentile of all fields' lengths together, since lengths on a
pixel grid jump from one value to the next. About two minutes for 200 fields of each structure:

    python -m tests.benchmarks.field_coverage 200
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from tabulate import tabulate

from uhcs_bench.measuring import row as measurement
from uhcs_bench.measuring.pixel_size import Scale
from uhcs_bench.metallography import denuded_zone, particles
from uhcs_bench.synthetic.network import Hypereutectoid, grow_hypereutectoid
from uhcs_bench.synthetic.particle_field import (
    ParticleField,
    Sizes,
    particle_coverage,
    scatter_particles,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

SEED = 0
SHAPE = (484, 645)
PARTICLE_PX_UM, OVERVIEW_PX_UM = 0.04, 0.2

STRUCTURES: dict[str, ParticleField | Hypereutectoid] = {
    "particles, median .28 um": ParticleField(),
    "particles, median .6 um": ParticleField(Sizes(0.6, 0.5, 0.2, 2.5), area_share=0.2),
    "particles, median .2 um": ParticleField(Sizes(0.2, 0.5, 0.08, 1.0), area_share=0.12),
    "network, grains of 45 um": Hypereutectoid(),
    "network, grains of 30 um": Hypereutectoid(grain_um=30, network_um=1.5, denuded_log_sd=0.2),
    "network, grains of 20 um": Hypereutectoid(
        grain_um=20, network_um=1.2, denuded_um=1.0, denuded_log_sd=0.2
    ),
}


def fields(name: str, n: int, shape: tuple[int, int] = SHAPE) -> Iterator[NDArray[np.uint8]]:
    """Draw label maps of one structure."""
    structure = STRUCTURES[name]
    for seed in np.random.SeedSequence([SEED, *name.encode()]).spawn(n):
        rng = np.random.default_rng(seed)
        if isinstance(structure, ParticleField):
            placed = scatter_particles(rng, structure, shape, PARTICLE_PX_UM)
            yield (particle_coverage(placed, shape) >= 0.5).astype(np.uint8)
        else:
            yield grow_hypereutectoid(rng, structure, shape, OVERVIEW_PX_UM).labels


def coverage(name: str, n: int, shape: tuple[int, int] = SHAPE) -> dict[str, tuple[float, float]]:
    """Share of a structure's fields whose interval holds the truth, and that interval's width.

    Returns
    -------
    dict of str to (float, float)
        By column: the share, and the mean width of the intervals relative to the truth.
    """
    is_particles = isinstance(STRUCTURES[name], ParticleField)
    task = "particles" if is_particles else "microconstituents"
    rows, lengths = [], []
    for labels in fields(name, n, shape):
        rows.append(measurement.measure(labels, task, Scale(None, "synthetic")).row)
        lengths.append(_lengths(labels, is_particles))
    truths = _percentiles(lengths)
    names = [key.removesuffix("_low") for key in rows[0] if key.endswith("_low")]
    return {
        key: _covered(rows, key, truths.get(key))
        for key in names
        if "_um" not in key and any(row[f"{key}_low"] is not None for row in rows)
    }


def _lengths(labels: NDArray[np.uint8], is_particles: bool) -> dict[str, Any]:
    """Lengths and weights of a field, by the start of their columns."""
    if is_particles:
        table = particles.measure_particles(labels).table
        return {"diameter": (table["diameter_px"], table["edge_weight"])}
    zone = denuded_zone.unobstructed_widths(labels)
    authors = denuded_zone.denuded_zone_widths(labels)
    return {
        "zone_width": (zone.widths_px, zone.weights),
        "authors_zone_width": (authors.widths_px, np.ones(len(authors))),
    }


def _percentiles(lengths: list[dict[str, Any]]) -> dict[str, float]:
    found = {}
    for start in lengths[0]:
        values, weights = (np.concatenate([x[start][part] for x in lengths]) for part in (0, 1))
        order = np.argsort(values)
        up_to = weights[order].cumsum() / weights.sum()
        for percent in (5, 25, 50, 75, 95):
            statistic = "median" if percent == 50 else f"p{percent}"
            place = min(int(np.searchsorted(up_to, percent / 100)), len(order) - 1)
            found[f"{start}_{statistic}_px"] = float(values[order[place]])
    return found


def _covered(rows: list[Mapping[str, Any]], key: str, truth: float | None) -> tuple[float, float]:
    columns = np.array([[row[key + end] for end in ("", "_low", "_high")] for row in rows], float)
    values, low, high = columns[~np.isnan(columns).any(1)].T
    true = float(values.mean()) if truth is None else truth
    rounding = 1e-9 * abs(true)
    held = (low <= true + rounding) & (true - rounding <= high)
    return float(held.mean()), float((high - low).mean()) / true if true else math.nan


def main() -> None:
    """Print the table."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for kind in ("particles", "network"):
        names = [name for name in STRUCTURES if name.startswith(kind)]
        by_structure = {name: coverage(name, n) for name in names}
        rows = [
            [key, *(f"{100 * by_structure[name][key][0]:.1f}" for name in names)]
            + [f"{100 * by_structure[name][key][1]:.0f}" for name in names]
            for key in by_structure[names[0]]
        ]
        titles = [name.split(", ")[1] for name in names]
        heads = [f"{kind}: coverage, %", *titles, *(f"width, % ({t})" for t in titles)]
        print(tabulate(rows, heads, tablefmt="github", disable_numparse=True), end="\n\n")
    print(
        f"{n} fields of each structure; standard error of a coverage of 95 %: "
        f"{100 * math.sqrt(0.95 * 0.05 / n):.1f} points."
    )


if __name__ == "__main__":
    main()
