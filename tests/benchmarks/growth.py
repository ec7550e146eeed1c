"""Measure and plot what the time of scoring grows with: pixels, particles and micrographs.

Run as ``python tests/benchmarks/growth.py growth.png``; prints the same numbers as a table.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import numpy as np
from tabulate import tabulate

from uhcs_bench.metallography import components
from uhcs_bench.metrics import confusion, particle_sizes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ROUNDS = 5


def particle_map(rows: int, columns: int, pitch: int, radius: int) -> NDArray[np.uint8]:
    """Disks on a square lattice."""
    y, x = np.mgrid[:rows, :columns]
    offset = pitch // 2
    return ((y % pitch - offset) ** 2 + (x % pitch - offset) ** 2 <= radius**2).astype(np.uint8)


def best_time(work: Callable[[], object]) -> float:
    """Seconds of the fastest of some rounds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def score(maps: list[NDArray[np.uint8]]) -> None:
    """Compare each map with itself moved by a row."""
    for labels in maps:
        moved = np.roll(labels, 1, axis=0)
        confusion.confusion_matrix(labels, moved, 2)
        particle_sizes.ks_test(components.particle_areas(labels), components.particle_areas(moved))


def measure() -> dict[str, list[tuple[int, float]]]:
    """Size and seconds, for each thing that can grow."""
    growth: dict[str, list[tuple[int, float]]] = {"pixels": [], "particles": [], "micrographs": []}
    for edge in (250, 500, 1000, 2000, 4000, 10_000):
        labels = particle_map(edge, edge, 25, 6)
        growth["pixels"].append((labels.size, best_time(lambda m=[labels]: score(m))))
    for pitch in (200, 100, 50, 25, 12, 6):
        labels = particle_map(1200, 1200, pitch, max(1, pitch // 5))
        n_particles = len(components.particle_areas(labels))
        growth["particles"].append((n_particles, best_time(lambda m=[labels]: score(m))))
    for n in (1, 3, 6, 12, 24, 48, 96):
        maps = [particle_map(475, 645, 25, 6)] * n
        growth["micrographs"].append((n, best_time(lambda m=maps: score(m))))
    return growth


def main() -> None:
    """Measure, print and plot."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    growth = measure()
    rows = [
        (name, size, f"{1e3 * seconds:.2f}", f"{1e6 * seconds / size:.4f}")
        for name, points in growth.items()
        for size, seconds in points
    ]
    print(tabulate(rows, headers=["growing", "number", "ms", "us each"], disable_numparse=True))
    figure, axes = plt.subplots(1, 3, figsize=(12, 4), constrained_layout=True)
    for axis, (name, points) in zip(axes, growth.items(), strict=True):
        sizes, seconds = np.array(points).T
        axis.loglog(sizes, 1e3 * seconds, "o-", color="#0072b2", label="measured")
        axis.loglog(
            sizes, 1e3 * seconds[-1] * sizes / sizes[-1], "--", color="#666", label="linear"
        )
        axis.set_xlabel(name)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("time, ms")
    axes[0].legend(frameon=False)
    figure.savefig(sys.argv[1], dpi=120)


if __name__ == "__main__":
    main()
