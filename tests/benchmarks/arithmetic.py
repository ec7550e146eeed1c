"""Compare a benchmark with what its counted arithmetic takes at the speed of this machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.flop_counter import FlopCounterMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

SIZE = 4096
"""Rows and columns of a matrix product that is large enough to reach the machine's speed."""


def compare(benchmark: BenchmarkFixture, function: Callable[[], Any], precision: str) -> None:
    """Note the operations of a call, and the ratio of its time to what they would take.

    Parameters
    ----------
    benchmark : BenchmarkFixture
        Has timed the function.
    function : callable
        Called once more, to count its convolutions and matrix products.
    precision : {"float32", "bfloat16"}
        Number format of the matrix product that gives the speed of the machine.
    """
    with FlopCounterMode(display=False) as counter:
        function()
    operations = counter.get_total_flops()
    speed = matrix_product_speed(precision, 64 if benchmark.disabled else SIZE)
    benchmark.extra_info |= {
        "tflop": operations / 1e12,
        "matrix_product_gflops": speed / 1e9,
        "seconds_needed": operations / speed,
    }
    if not benchmark.disabled:
        benchmark.extra_info["ratio"] = benchmark.stats.stats.min * speed / operations
        print(benchmark.name, benchmark.extra_info)  # noqa: T201 - what benchmarks are run for


def matrix_product_speed(precision: str, size: int) -> float:
    """Operations per second of a square matrix product."""
    square = torch.rand(size, size).to(getattr(torch, precision))
    times = []
    for _ in range(3):
        start = time.perf_counter()
        square @ square
        times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times)
