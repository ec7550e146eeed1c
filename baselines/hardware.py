"""Choose a device, and describe the machine and the software for a run's record."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from baselines import process_memory
from uhcs_bench.cli.common import echo
from uhcs_bench.errors import UsageError

_PACKAGES = ("uhcs-bench", "torchvision", "numpy", "scipy", "scikit-image")


def choose_device(name: str) -> torch.device:
    """Resolve the name of a device.

    Parameters
    ----------
    name : str
        "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N".

    Returns
    -------
    torch.device

    Raises
    ------
    UsageError
        There is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise UsageError(f"There is no device {name!r}. Choose auto, cpu, cuda or cuda:N.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"--device {name}: PyTorch {torch.__version__} finds {torch.cuda.device_count()} GPUs "
            "here. Take --device cpu (with --crop 224 to keep it practical), or --device auto."
        )
    return device


def choose_precision(name: str, device: torch.device) -> str:
    """Resolve "auto": bfloat16 on a GPU that computes with it, float32 elsewhere.

    What is asked for is taken, with a note on standard error where it is slow.
    """
    if name == "bfloat16" and device.type == "cpu" and lacks_bfloat16():
        # Seconds of an update in bfloat16 and float32, windows of 224 px, torch 2.14, one thread:
        # on an AMD EPYC of the third generation 62 and 5.7 to 7.2 with unet, 47 and 4.6 with
        # pixelnet-ce (first updates, in bfloat16 beside another training); on an Intel Xeon with
        # AVX-512 7.8 and 2.1 with unet, 2.1 and .93 with unet-efficientnet (medians of 3, beside
        # two trainings). Other processors without such instructions were not measured.
        echo(
            "Note: this processor has no instructions for bfloat16. On two others without them, an "
            "update took two to ten times as long as in float32; try --precision float32.",
            err=True,
        )
    if name != "auto":
        return name
    capable = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if capable else "float32"


def describe(device: torch.device) -> dict[str, Any]:
    """Name processor, GPU, threads and memory."""
    description: dict[str, Any] = {
        "device": device.type,
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        description |= {"gpu": properties.name, "gpu_memory_bytes": properties.total_memory}
    return description


def lacks_avx512() -> bool:
    """Tell whether PyTorch runs on an x86 processor that has AVX2, but not AVX-512."""
    return torch.backends.cpu.get_cpu_capability() == "AVX2"


def lacks_bfloat16() -> bool:
    """Tell whether PyTorch runs on an x86 processor that can't compute with bfloat16."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return lacks_avx512()
    # Some releases of PyTorch don't tell.
    has_instructions = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    return not has_instructions()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on."""
    return {
        "python": platform.python_version(),
        # With the build's suffix, which tells a CUDA build from one without.
        "torch": str(torch.__version__),
        **{name: version(name) for name in _PACKAGES},
    }


def peak_memory_bytes(device: torch.device) -> int:
    """Most memory held so far: the GPU's since the last reset, or the process's since its start."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return process_memory.peak_bytes()


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether an error means that the device's or the machine's memory did not suffice."""
    out_of_memory = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, out_of_memory) or "allocate memory" in str(error)


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
