"""Measure time and memory of a board of many entries, first computed and then from the cache.

Run as ``python tests/benchmarks/board_growth.py 40 200 500``; entries are the synthetic set's
annotations with noise, on both tasks. Prints a table.
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
from tests.helpers.entries import declared, write_entry
from uhcs_bench import protocol

COMMAND = (sys.executable, "-c", "from uhcs_bench.cli import main; main()", "leaderboard", "build")


def write_entries(folder: Path, n: int, first: int = 0) -> None:
    """Write entries that differ in how many of their label maps' rows are shifted."""
    truth = {
        task: {m.id: m.labels for m in uhcs_bench.load(task, version="synthetic")}
        for task in protocol.TASKS
    }
    active = {"status": "active", "reason": "All maps are there"}
    tasks = dict.fromkeys(protocol.TASKS, active)
    for number in range(first, first + n):
        rng = np.random.default_rng(number)
        entry = folder / f"method-{number:04d}"
        content = declared(name=f"Method {number}", tasks=tasks, notes=[" ".join(["A note"] * 20)])
        write_entry(entry, {}, content)
        for task, maps in truth.items():
            (entry / task).mkdir()
            for name, labels in maps.items():
                shown = np.roll(labels, rng.integers(1, 5), axis=rng.integers(2))
                Image.fromarray(shown).save(entry / task / f"{name}.png", compress_level=1)


def build(folder: Path, cache: Path) -> tuple[float, float, float]:
    """Build a board; give seconds, seconds of the processor, and the largest memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    environment = os.environ | {"UHCS_BENCH_CACHE": str(cache)}
    subprocess.run(
        [*COMMAND, "--entries", str(folder)], check=True, env=environment, stdout=sys.stderr
    )
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime - before.ru_utime, after.ru_maxrss / 1000


def main() -> None:
    """Measure and print."""
    rows = []
    for n in map(int, sys.argv[1:] or ["40"]):
        with tempfile.TemporaryDirectory() as name:
            folder, cache = Path(name) / "entries", Path(name) / "cache"
            folder.mkdir()
            write_entries(folder, n)
            for state in ("nothing kept", "all kept", "one new entry"):
                if state == "one new entry":
                    write_entries(folder, 1, first=n)
                seconds, processor, megabytes = build(folder, cache)
                size = (folder / "leaderboard.json").stat().st_size / 1e6
                rows.append([n, state, f"{seconds:.0f}", f"{processor:.0f}", f"{megabytes:.0f}"])
                rows[-1].append(f"{size:.2f}")
    headers = ["entries", "cache", "s", "s of the processor", "largest memory, MB", "json, MB"]
    print(tabulate(rows, headers, disable_numparse=True))


if __name__ == "__main__":
    main()
