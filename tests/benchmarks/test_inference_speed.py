"""How dense PixelNet inference compares with the naive way and with the machine's own speed.

Run with ``pytest tests/benchmarks/test_inference_speed.py --benchmark-enable -s``: the ratios are
printed, and kept by ``--benchmark-json``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from baselines.networks.pixelnet import PixelNet, logit_bands
from baselines.training.preparation import autocast
from tests.benchmarks import arithmetic

MICROGRAPH = (484, 645)
SMALL = (48, 65)


@pytest.fixture(scope="module")
def model():
    """Give the model at its real width; random weights cost as much as trained ones."""
    torch.manual_seed(0)
    return PixelNet(4).eval()


@pytest.fixture
def shape(benchmark):
    """Give the size of a micrograph, or a small one when only the tests are run."""
    return SMALL if benchmark.disabled else MICROGRAPH


@torch.inference_mode()
def naive(model, image):
    """Upsample every map to full size, concatenate, classify: the hypercolumn as it is defined."""
    height, width = image.shape[-2:]
    padded = F.pad(image.unsqueeze(0), (0, -width % 16, 0, -height % 16), mode="replicate")
    maps = model.features(padded)
    upsampled = [
        F.interpolate(norm(x).contiguous(), scale_factor=2.0**level, mode="bilinear")
        for level, (norm, x) in enumerate(zip(model.norms, maps, strict=True))
    ]
    column = torch.cat(upsampled, dim=1).flatten(2)[0].T
    x = model.first_norm(F.relu(model.first(column)))
    return model.last(model.second_norm(F.relu(model.second(x))))


def dense(model, image, precision="float32"):
    with autocast(precision, torch.device("cpu")):
        return torch.cat(list(logit_bands(model, image)), dim=1)


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_dense_inference(model, shape, precision, benchmark):
    """Time it beside what its counted operations take at the speed of a large matrix product."""
    image = torch.rand(1, *shape)
    assert benchmark(dense, model, image, precision).shape == (4, *shape)
    arithmetic.compare(benchmark, lambda: dense(model, image, precision), precision)


def test_naive_inference(model, shape, benchmark):
    """Time the hypercolumn in full, to compare with."""
    logits = benchmark.pedantic(naive, (model, torch.rand(1, *shape)), rounds=2)
    assert logits.shape[1] == 4


@pytest.mark.parametrize("way", ["dense", "naive"])
def test_peak_memory(way, benchmark):
    """Measure the memory of one micrograph beyond that of the model, in a process of its own."""
    shape = SMALL if benchmark.disabled else MICROGRAPH
    command = [sys.executable, __file__, way, *map(str, shape)]
    result = benchmark.pedantic(
        subprocess.run, (command,), {"capture_output": True, "check": True}, rounds=1
    )
    benchmark.extra_info["peak_mib"] = float(result.stdout)
    if not benchmark.disabled:
        print(way, "MiB:", float(result.stdout))  # noqa: T201 - what this file is run for


def _peak_mib(way: str, height: int, width: int) -> float:
    torch.manual_seed(0)
    model = PixelNet(4).eval()
    functions = {"dense": dense, "naive": naive}
    functions[way](model, torch.rand(1, *SMALL))
    before = _high_water_mark()
    functions[way](model, torch.rand(1, height, width))
    return (_high_water_mark() - before) / 1024


def _high_water_mark() -> int:
    """Most memory this process has held, KiB. `getrusage` would start from that of its parent."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    print(_peak_mib(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))  # noqa: T201 - its result
