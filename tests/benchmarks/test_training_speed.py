"""How long an update of the baselines takes, beside what its arithmetic needs.

Run with ``pytest tests/benchmarks/test_training_speed.py --benchmark-enable -s``: each case prints
the ratio of the time to what the counted operations take at the measured speed of a large matrix
product of the same number format, and ``--benchmark-json`` keeps it.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baselines.configuration import Stage, configure
from baselines.networks.model import build, placed
from baselines.training import loop
from tests.benchmarks import arithmetic

MICROGRAPH = (484, 645)
SMALL = (48, 65)
CPU = torch.device("cpu")
CLASSES = ("matrix", "network", "spheroidite", "widmanstatten")


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.parametrize("crop", [224, None], ids=["crop", "whole"])
@pytest.mark.parametrize(
    ("method", "rate"),
    [("pixelnet-ce", 0.0), ("pixelnet-ce", 1e-4), ("unet", 1e-3), ("unet-efficientnet", 3e-4)],
    ids=["pixelnet-classifier", "pixelnet-everything", "unet", "unet-efficientnet"],
)
def test_update(method, rate, crop, precision, benchmark):
    """Time one update of four micrographs on the CPU."""
    shape = SMALL if benchmark.disabled else MICROGRAPH
    crop = min(crop, 32) if crop and benchmark.disabled else crop
    stage = Stage(updates=1, learning_rate=1e-3, features_rate=rate)
    settings = {"crop": crop, "precision": precision, "stages": (stage,), "weights": "none"}
    configuration = configure(method, **settings, **({"pixels": 32} if benchmark.disabled else {}))
    rng = np.random.default_rng(0)
    model, _ = build(configuration, len(CLASSES))
    placed(model, CPU)
    planes = (model.preprocessing.channels, *shape)
    images = [rng.random(planes, np.float32) for _ in range(configuration.batch)]
    labels = [rng.integers(0, len(CLASSES), shape, np.uint8) for _ in images]

    def update():
        return loop.train(configuration, model, images, labels, CLASSES, CPU, seed=0)

    (loss,) = benchmark.pedantic(update, rounds=3, warmup_rounds=1)
    assert np.isfinite(loss)
    arithmetic.compare(benchmark, update, precision)
