"""What `uhcs-bench measure` costs from raw micrographs on: speed, workers, and a large montage.

    python -m tests.benchmarks.measure_at_scale
    python -m tests.benchmarks.measure_at_scale --montage
    python -m tests.benchmarks.measure_at_scale --montage --model otsu 5 20 100

The last ones take montages of so many million pixels, and say by how much the peak of memory grows
with a pixel. Times on a machine that does other things too are upper bounds. CPU seconds of the
processes stand beside them, and what counts are ratios of runs that were made in turns.
"""

from __future__ import annotations

import argparse
import os
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
MONTAGES_MPX = [5.0, 20.0]
MODELS = ["otsu", "particles"]
TASKS = ("particles", "microconstituents")


def measured(*arguments: str) -> tuple[float, float, float]:
    """Run the command; give seconds, CPU seconds, and peak memory in MiB of its largest process."""
    command = [sys.executable, "-m", "uhcs_bench", "measure", *arguments, "--quiet"]
    start = time.perf_counter()
    # Resources of this child alone; those of all children so far hold the largest one's memory.
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


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


def write_montage(path: Path, mpx: float) -> tuple[int, int]:
    """Write a micrograph of so many million pixels, 4 to 5, that is tiled from a real one."""
    rows = round((0.8e6 * mpx) ** 0.5)
    columns = round(1e6 * mpx / rows)
    tile = uhcs_bench.load("particles")["800C-85H-Q-2"].image
    times = (-(-rows // tile.shape[0]), -(-columns // tile.shape[1]))
    Image.fromarray(np.tile(tile, times)[:rows, :columns]).save(path, compress_level=1)
    return rows, columns


def montages(folder: Path, model: str, sizes: list[float]) -> list[tuple[str, ...]]:
    """Measure montages of several sizes; bytes a pixel are those beyond the smallest one's."""
    options = ("--task", "particles", "--model", model, "--pixel-size", "0.1")
    lines: list[tuple[str, ...]] = []
    first: tuple[float, float] | None = None
    for mpx in sizes:
        path = folder / f"{mpx:g}.png"
        rows, columns = write_montage(path, mpx)
        seconds, cpu, peak = measured(str(path), *options, "--min-diameter", "4px")
        n_bytes, n_pixels = peak * 2**20, float(rows * columns)
        first = first or (n_bytes, n_pixels)
        more = n_pixels - first[1]
        growth = f"{(n_bytes - first[0]) / more:.1f}" if more else "-"
        size = f"{rows} x {columns}"
        lines.append(
            (Path(model).name, size, f"{seconds:.0f}", f"{cpu:.0f}", f"{peak:.0f}", growth)
        )
    return lines


def print_workers(folder: Path) -> None:
    """Print how many micrographs a second are measured."""
    lines = [line for task in TASKS for line in by_workers(folder, task)]
    heads = ["task", "model", "1 worker, per s", "2 workers, per s", "ratio"]
    heads += ["median ratio", "CPU s per file"]
    print(tabulate(lines, heads, tablefmt="github", disable_numparse=True))


def print_montages(folder: Path, models: list[str], sizes: list[float]) -> None:
    """Print time and memory of montages."""
    lines = [line for model in models for line in montages(folder, model, sizes)]
    heads = ["model", "pixels", "s", "CPU s", "peak, MiB", "more bytes a pixel"]
    print(tabulate(lines, heads, tablefmt="github", disable_numparse=True))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--montage", action="store_true", help="large micrographs")
    parser.add_argument("--model", action="append", help="otsu, particles or an ONNX file")
    parser.add_argument("sizes", nargs="*", type=float, help="of montages, in million pixels")
    asked = parser.parse_args()
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {COPIES * 24} micrographs each\n"
    )
    with tempfile.TemporaryDirectory() as name:
        if asked.montage:
            print_montages(Path(name), asked.model or MODELS, asked.sizes or MONTAGES_MPX)
        else:
            print_workers(Path(name))


if __name__ == "__main__":
    main()
