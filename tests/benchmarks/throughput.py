"""Measure and plot micrographs per second, and what a montage costs.

Run as ``python tests/benchmarks/throughput.py throughput.png``; prints the same numbers as tables.
Times on a machine that does other things too are upper bounds: trust the ratios, whose sides are
timed in turns, and of them those of the fastest rounds.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tabulate import tabulate

import uhcs_bench
from uhcs_bench import executors, protocol
from uhcs_bench.data import label_maps
from uhcs_bench.measuring import row
from uhcs_bench.measuring.pixel_size import Scale
from uhcs_bench.metallography import denuded_zone, particles
from uhcs_bench.metallography.labels import NETWORK

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Map = NDArray[np.uint8]

sys.path.insert(0, str(Path(__file__).parent))

ROUNDS = 7
EDGES = (500, 1000, 2000, 4000, 10_000)
PASSES = 4
"""How often the micrographs are handed out to workers."""


def sizes(labels: Map) -> object:
    """Measure particles."""
    return particles.measure_particles(labels)


def widths(labels: Map) -> object:
    """Measure denuded-zone widths as the authors do."""
    return denuded_zone.denuded_zone_widths(labels)


def row_of_particles(labels: Map) -> object:
    """Measure everything, intervals included."""
    return row.measure(labels, "particles", Scale(0.1, ""))


def row_of_network(labels: Map) -> object:
    """Measure everything, intervals included."""
    return row.measure(labels, "microconstituents", Scale(0.1, ""))


WORK = {
    "sizes": sizes,
    "widths": widths,
    "row of particles": row_of_particles,
    "row of microconstituents": row_of_network,
}


TASK_OF: dict[str, protocol.TaskName] = {
    "sizes": "particles",
    "widths": "microconstituents",
    "row of particles": "particles",
    "row of microconstituents": "microconstituents",
}


def real_maps() -> dict[str, list[Map]]:
    """Annotations, for each kind of work; those without a network are left out."""
    uhcs = [m.labels for m in uhcs_bench.load("microconstituents")]
    return {
        "sizes": [m.labels for m in uhcs_bench.load("particles")],
        "widths": [labels for labels in uhcs if (labels == NETWORK).any()],
    }


def in_turns(*works: Callable[[], object]) -> list[list[float]]:
    """Seconds of each round of each work, one after the other, so that they share disturbances."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, seconds in zip(works, times, strict=True):
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
    return times


def beside_the_libraries() -> list[tuple[str, ...]]:
    """Compare with scikit-image and scipy doing the same work, whose results are checked."""
    import test_measurement_speed as usual

    found = []
    for name, reference in (
        ("sizes", usual.sizes_with_scikit_image),
        ("widths", usual.widths_with_scikit_image),
    ):
        maps, ours = real_maps()[name], WORK[name]
        for labels in maps:
            if name == "sizes":
                expected = reference(labels)["area"]
                np.testing.assert_array_equal(ours(labels).table["area_px"], expected)
            else:
                np.testing.assert_array_equal(ours(labels).widths_px, reference(labels))
        own, other = in_turns(
            lambda ours=ours, maps=maps: [ours(m) for m in maps],
            lambda reference=reference, maps=maps: [reference(m) for m in maps],
        )
        ratios = [b / a for a, b in zip(own, other, strict=True)]
        found.append(
            (
                name,
                f"{len(maps) / min(own):.1f}",
                f"{len(maps) / min(other):.2f}",
                f"{min(other) / min(own):.1f}",
                f"{np.median(ratios):.1f}",
            )
        )
    return found


def from_file(task: tuple[str, str]) -> None:
    """Read a label map and do one kind of work on it."""
    name, path = task
    classes = protocol.TASKS[TASK_OF[name]].classes
    WORK[name](label_maps.read_map(Path(path), classes))


def on_cores() -> list[tuple[str, ...]]:
    """Compare one worker process with two, from files, once both have begun."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, task in TASK_OF.items():
            tasks = []
            for micrograph in uhcs_bench.load(task):
                path = Path(folder) / f"{micrograph.id}.png"
                label_maps.write_label_map(path, micrograph.labels)
                tasks.append((name, str(path)))
            tasks *= PASSES if name.startswith("row") else 4 * PASSES
            rates: dict[int, list[float]] = {1: [], 2: []}
            for _ in range(2):
                for n in rates:
                    rates[n].append(rate(tasks, n))
            ratios = [two / one for one, two in zip(*rates.values(), strict=True)]
            found.append(
                (
                    name,
                    f"{max(rates[1]):.1f}",
                    f"{max(rates[2]):.1f}",
                    f"{max(rates[2]) / max(rates[1]):.2f}",
                    f"{np.median(ratios):.2f}",
                )
            )
    return found


def rate(tasks: list[tuple[str, str]], n_workers: int) -> float:
    """Files per second, from when every worker has surely done one."""
    n_first = 8 * n_workers
    start = last = 0.0
    done = executors.unordered(from_file, tasks, executors.processes(n_workers))
    for number, _ in enumerate(done, start=1):
        last = time.perf_counter()
        if number == n_first:
            start = last
    return (len(tasks) - n_first) / (last - start)


def growth() -> list[tuple[str, int, float, float]]:
    """Seconds and peak memory in MiB of each work on montages, each in a process of its own."""
    found = []
    for name in WORK:
        for edge in EDGES:
            command = [sys.executable, __file__, "--one", name, str(edge)]
            result = subprocess.run(command, capture_output=True, check=True, text=True)
            seconds, mebibytes = map(float, result.stdout.split())
            found.append((name, edge, seconds, mebibytes))
    return found


def one(name: str, edge: int) -> None:
    """Print seconds and peak memory beyond that of the map, for one work on one montage."""
    kind = "sizes" if name in ("sizes", "row of particles") else "widths"
    tile = real_maps()[kind][2]
    WORK[name](tile)
    times = -(-edge // min(tile.shape))
    montage = np.ascontiguousarray(np.tile(tile, (times, times))[:edge, :edge])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(3 if edge < 4000 else 1):
        start = time.perf_counter()
        WORK[name](montage)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(min(seconds), (peak - before) / 1024)


def main() -> None:
    """Measure, print and plot."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    print("micrographs per second, one core, in this process")
    headers = ["", "uhcs-bench", "libraries", "ratio", "median of ratios"]
    print(tabulate(beside_the_libraries(), headers=headers, disable_numparse=True))
    print("\nfiles per second, decoding included; a row holds every measure with its interval")
    headers = ["", "1 worker", "2 workers", "ratio", "median of ratios"]
    print(tabulate(on_cores(), headers=headers, disable_numparse=True))
    points = growth()
    rows = [
        (
            name,
            edge,
            f"{s:.2f}",
            f"{1e9 * s / edge**2:.0f}",
            f"{m:.0f}",
            f"{m * 2**20 / edge**2:.1f}",
        )
        for name, edge, s, m in points
    ]
    print("\nmontages of edge x edge pixels")
    headers = ["", "edge, px", "s", "ns per px", "peak, MiB", "bytes per px"]
    print(tabulate(rows, headers=headers, disable_numparse=True))
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), constrained_layout=True)
    for name in WORK:
        own = np.array([(edge**2, s, m) for n, edge, s, m in points if n == name])
        for axis, values in zip(axes, own.T[1:], strict=True):
            axis.loglog(own[:, 0], values, "o-", label=name)
    for axis, label in zip(axes, ("time, s", "peak memory beyond the map, MiB"), strict=True):
        axis.set_xlabel("pixels")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False)
    figure.savefig(sys.argv[1], dpi=120)


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        one(sys.argv[2], int(sys.argv[3]))
    else:
        main()
