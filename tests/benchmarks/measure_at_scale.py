"""What `uhcs-bench measure` costs from raw micrographs on: speed, workers, and a large montage.

    python -m tests.benchmarks.measure_at_scale
    python -m tests.benchmarks.measure_at_scale --montage 2000 4000

Times on a machine that does other things too are upper bounds. CPU seconds of the processes stand
beside them, and what counts are ratios of runs that were made in turns.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from tabulate import tabulate

import uhcs_bench

COPIES = 2
"""How often each of the 24 micrographs is measured."""

ROUNDS = 3
MONTAGE_SIDES = (2000, 4000, 10_000)
TASKS = ("particles", "microconstituents")


def measured(*arguments: str) -> tuple[float, float, float]:
    """Run the command; give seconds, CPU seconds, and peak memory in MiB of its largest process."""
    command = [sys.executable, "-m", "uhcs_bench", "measure", *arguments, "--quiet"]
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, cpu, after.ru_maxrss / 1024


def write_micrographs(folder: Path, task: str) -> int:
    """Write each micrograph several times, as PNG; return their number."""
    folder.mkdir()
    dataset = uhcs_bench.load(task)
    for copy in range(COPIES):
        for micrograph in dataset:
            Image.fromarray(micrograph.image).save(folder / f"{copy}_{micrograph.id}.png")
    return COPIES * len(dataset)


def by_workers(folder: Path, task: str) -> list[tuple[str, ...]]:
    """Compare one process with two, in turns, without the second that starting takes."""
    n = write_micrographs(folder / task, task)
    one_file = next((folder / task).iterdir())
    lines = []
    for model in (task, "otsu"):
        options = ("--task", task, "--model", model, "--pixel-size", "0.1")
        rates: dict[str, list[float]] = {"1": [], "2": []}
        seconds_cpu = []
        for _ in range(ROUNDS):
            for workers, found in rates.items():
                start, *_ = measured(str(one_file), *options, "--workers", workers)
                whole, cpu, _ = measured(str(folder / task), *options, "--workers", workers)
                found.append((n - 1) / (whole - start))
                seconds_cpu.append(cpu / n)
        ratios = [two / one for one, two in zip(rates["1"], rates["2"], strict=True)]
        lines.append(
            (
                task,
                model,
                f"{max(rates['1']):.2f}",
                f"{max(rates['2']):.2f}",
                f"{max(rates['2']) / max(rates['1']):.2f}",
                f"{np.median(ratios):.2f}",
                f"{min(seconds_cpu):.2f}",
            )
        )
    return lines


def montage(folder: Path, side: int) -> list[tuple[str, ...]]:
    """Measure a square micrograph that is tiled from a real one."""
    tile = uhcs_bench.load("particles")["800C-85H-Q-2"].image
    times = -(-side // min(tile.shape))
    image = np.tile(tile, (times, times))[:side, :side]
    path = folder / f"{side}.png"
    Image.fromarray(image).save(path, compress_level=1)
    lines = []
    for model in ("otsu", "particles"):
        options = ("--task", "particles", "--model", model, "--pixel-size", "0.1")
        seconds, cpu, peak = measured(str(path), *options, "--min-diameter", "4px")
        lines.append((f"{side}²", model, f"{seconds:.0f}", f"{cpu:.0f}", f"{peak:.0f}"))
    return lines


def main() -> None:
    """Print the tables."""
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {COPIES * 24} micrographs each\n"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "--montage" not in sys.argv:
            lines = [line for task in TASKS for line in by_workers(folder, task)]
            heads = ["task", "model", "1 worker, per s", "2 workers, per s", "ratio"]
            heads += ["median ratio", "CPU s per file"]
            print(tabulate(lines, heads, tablefmt="github", disable_numparse=True), end="\n\n")
        heads = ["montage", "model", "s", "CPU s", "peak so far, MiB"]
        sides = [int(word) for word in sys.argv[1:] if word.isdecimal()] or MONTAGE_SIDES
        lines = [line for side in sides for line in montage(folder, side)]
        print(tabulate(lines, heads, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
