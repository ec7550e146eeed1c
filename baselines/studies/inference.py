"""Memory and processor time that a method takes to segment a micrograph, in a process of its own.

Neither depends on the values of the weights, so that networks are built without pretrained ones.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from baselines import process_memory
from uhcs_bench import protocol
from uhcs_bench.errors import UhcsBenchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Segment = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

MICROGRAPH = (484, 645)
"""Rows and columns of most micrographs of both data sets."""

OTSU = "otsu"


@dataclass(frozen=True)
class Cost:
    """What one micrograph costs.

    Attributes
    ----------
    gigabytes : float
        Largest resident memory of the process in 1e9 bytes, Python and libraries included.
    seconds : float
        Processor time of the segmentation alone, of all threads.
    """

    gigabytes: float
    seconds: float


def measure(method: str, task: str, *, threads: int = 1) -> Cost:
    """Segment a noisy micrograph in a fresh process, as the method's own runs do.

    Parameters
    ----------
    method : str
        A method of `baselines.configuration.METHODS`, or "otsu". Number format float32, test-time
        averaging as the method has it.
    task : str
    threads : int
        Of PyTorch.

    Returns
    -------
    Cost

    Raises
    ------
    UhcsBenchError
        The process failed; its last line is in the message.
    """
    command = [sys.executable, "-m", __name__, method, task, str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this Python
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise UhcsBenchError(f"{method} on {task} was not measured: {reason}")
    return Cost(**json.loads(done.stdout))


def measure_here(method: str, task: str, threads: int) -> Cost:
    """Do what `measure` does in this process, whose earlier memory counts as well."""
    segment = _otsu(task) if method == OTSU else _network(method, task, threads)
    image = np.random.default_rng(0).integers(0, 256, MICROGRAPH, np.uint8)
    start = time.process_time()
    segment(image)
    seconds = time.process_time() - start
    return Cost(process_memory.peak_bytes() / 1e9, seconds)


def _otsu(task: str) -> Segment:
    from uhcs_bench.segmentation import otsu

    return lambda image: otsu.segment(image, task)


def _network(method: str, task: str, threads: int) -> Segment:
    import torch

    from baselines import prediction
    from baselines.configuration import configure
    from baselines.networks.model import build, placed

    torch.set_num_threads(threads)
    configuration = configure(method, task, weights="none")
    network, _ = build(configuration, len(protocol.task(task).classes))
    placed(network, torch.device("cpu")).eval()
    return lambda image: prediction.segment(network, image, tta=configuration.tta)


if __name__ == "__main__":
    found = measure_here(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    sys.stdout.write(json.dumps(asdict(found)))
