"""How fast the models that come with the package segment a micrograph.

Run with ``pytest tests/benchmarks/test_shipped_speed.py --benchmark-enable -s``: micrographs per
second are printed for one and two threads, and kept by ``--benchmark-json``. A single view is
segmented, preprocessing included. Processor time is printed beside it: on a machine that does other
work as well, the rate is that of the share that is left, the processor time is not.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from uhcs_bench.segmentation import models

pytest.importorskip("onnxruntime")

MICROGRAPH = (484, 645)
SMALL = (48, 65)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", models.NAMES)
def test_shipped_model(name, threads, benchmark):
    """Time a whole segmentation."""
    shape = SMALL if benchmark.disabled else MICROGRAPH
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    model = models.load(name, threads)
    assert benchmark(model.segment, image).shape == shape
    if not benchmark.disabled:
        start = time.process_time()
        model.segment(image)
        seconds = time.process_time() - start
        rate = 1 / benchmark.stats.stats.median
        benchmark.extra_info |= {
            "threads": threads,
            "micrographs_per_second": rate,
            "processor_seconds": seconds,
        }
        line = f"{name}, {threads} threads: {rate:.2f} micrographs/s, {seconds:.2f} s of processor"
        print(line)  # noqa: T201 - what this file is run for
