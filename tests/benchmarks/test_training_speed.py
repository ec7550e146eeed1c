"""How long an update of the baselines takes, beside what its arithmetic needs.

Run with ``pytest tests/benchmarks/test_training_speed.py --benchmark-enable -s``: each case prints
the ratio of the time to what the counted operations take at the measured speed of a large matrix
product of the same number format, and ``--benchmark-json`` keeps it.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from baselines import training
from baselines.configuration import Stage, configure

MICROGRAPH = (484, 645)
SMALL = (48, 65)
CPU = torch.device("cpu")
CLASSES = ("matrix", "network", "spheroidite", "widmanstatten")


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.parametrize("crop", [224, None], ids=["crop", "whole"])
@pytest.mark.parametrize(
    ("method", "rate"),
    [("pixelnet-ce", 0.0), ("pixelnet-ce", 1e-4), ("unet", 1e-3)],
    ids=["pixelnet-classifier", "pixelnet-everything", "unet"],
)
def test_update(method, rate, crop, precision, benchmark):
    """Time one update of four micrographs on the CPU."""
    shape = SMALL if benchmark.disabled else MICROGRAPH
    crop = min(crop, 32) if crop and benchmark.disabled else crop
    stage = Stage(updates=1, learning_rate=1e-3, features_rate=rate)
    settings = {"crop": crop, "precision": precision, "stages": (stage,), "weights": "none"}
    configuration = configure(method, **settings, **({"pixels": 32} if benchmark.disabled else {}))
    rng = np.random.default_rng(0)
    images = [rng.random(shape, np.float32) for _ in range(configuration.batch)]
    labels = [rng.integers(0, len(CLASSES), shape, np.uint8) for _ in images]
    model, _ = training.build(configuration, len(CLASSES))

    def update():
        return training.train(configuration, model, images, labels, CLASSES, CPU, seed=0)

    (loss,) = benchmark.pedantic(update, rounds=3, warmup_rounds=1)
    assert np.isfinite(loss)
    with FlopCounterMode(display=False) as counter:
        update()
    speed = matrix_product_flops(precision, 64 if benchmark.disabled else 4096)
    benchmark.extra_info |= {
        "tflop": counter.get_total_flops() / 1e12,
        "matrix_product_gflops": speed / 1e9,
        "seconds_needed": counter.get_total_flops() / speed,
    }
    if not benchmark.disabled:
        info = benchmark.extra_info
        info["ratio"] = benchmark.stats.stats.min / info["seconds_needed"]
        print(benchmark.name, info)  # noqa: T201 - what this file is run for


def matrix_product_flops(precision, size):
    """Operations per second of a large matrix product."""
    square = torch.rand(size, size).to(getattr(torch, precision))
    times = []
    for _ in range(3):
        start = time.perf_counter()
        square @ square
        times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times)
