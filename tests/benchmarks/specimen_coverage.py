"""How often the intervals of `measure --specimen` hold a specimen's true mean.

A pool of synthetic fields stands for a specimen of known mean. Specimens of a few fields are drawn
from it at random, many times; the share of t intervals that hold the pool's mean is their coverage.
With ``python -m tests.benchmarks.specimen_coverage FIELDS`` for 400 fields of each structure, about
5 minutes on a free core:

    python -m tests.benchmarks.specimen_coverage 400

Beginnings of structures' names behind the number choose some of them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
from tabulate import tabulate

from tests.benchmarks import field_coverage
from uhcs_bench.measuring import row, specimens
from uhcs_bench.measuring.outputs import tidy
from uhcs_bench.measuring.pixel_size import Scale

if TYPE_CHECKING:
    from uhcs_bench import protocol
    from uhcs_bench.measuring.outputs.tidy import Measure

SHAPE = (300, 400)
SIZES = (2, 3, 5, 10, 20)
DRAWS = 2000
POOL_RATIO = 8
"""A pool holds so many times the fields of a specimen, or drawing without replacement shows."""

STRUCTURES: dict[str, protocol.TaskName] = {
    "particles, median .28 um": "particles",
    "particles, median .6 um": "particles",
    "network, grains of 30 um": "microconstituents",
}
LEFT_OUT = ("n_particles", "fraction_widmanstatten")
"""Measures that repeat another one, or are 0 on the synthetic fields."""


def pool(name: str, n: int, shape: tuple[int, int] = SHAPE) -> dict[Measure, list[float]]:
    """Measure fields of a structure; give the values of the measures that are printed."""
    task = STRUCTURES[name]
    measures = [m for m in tidy.shown(task, in_um=False) if m.name not in LEFT_OUT]
    values: dict[Measure, list[float]] = {measure: [] for measure in measures}
    for labels in field_coverage.fields(name, n, shape):
        found = row.measure(labels, task, Scale(None, "synthetic")).row
        for measure in measures:
            value = found[measure.column]
            if value is not None:
                values[measure].append(float(value))
    return values


def coverage(measure: Measure, values: list[float], n: int, draws: int = DRAWS) -> float:
    """Return the share of specimens of `n` fields whose interval holds the mean of all fields."""
    rng = np.random.default_rng(0)
    truth = float(np.mean(values))
    held = 0
    for _ in range(draws):
        drawn = rng.choice(values, n, replace=False).tolist()
        found = specimens.summarise("", measure, drawn)
        held += (
            found.low is not None and found.high is not None and (found.low <= truth <= found.high)
        )
    return held / draws


def main() -> None:
    """Print the table."""
    n_fields = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    sizes = [n for n in SIZES if POOL_RATIO * n <= n_fields]
    names = [name for name in STRUCTURES if name.startswith(tuple(sys.argv[2:]) or "")]
    lines = []
    for name in names:
        for measure, values in pool(name, n_fields).items():
            scatter = np.std(values, ddof=1) / np.mean(values)
            shares = [f"{100 * coverage(measure, values, n):.1f}" for n in sizes]
            lines.append([name, measure.name, f"{100 * scatter:.0f}", *shares])
    heads = ["structure", "measure", "s, %", *(f"{n} fields" for n in sizes)]
    print(tabulate(lines, heads, tablefmt="github", disable_numparse=True))
    print(f"\n{n_fields} fields of each structure, {DRAWS} specimens of each size.")


if __name__ == "__main__":
    main()
