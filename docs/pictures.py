"""Pictures of the documentation, made from the synthetic set: no real micrograph is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

import uhcs_bench
from uhcs_bench import protocol
from uhcs_bench.data import dataset

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

GAP = 8
OPACITY = 0.45


def write(folder: Path) -> None:
    """Write a picture of each task: a micrograph beside its annotation."""
    folder.mkdir(exist_ok=True)
    for task in protocol.TASKS.values():
        entry = dataset.catalogue(task.name, protocol.SYNTHETIC_VERSION)[0]
        (micrograph,) = dataset.micrographs([entry])
        gray = np.repeat(micrograph.image[..., None], 3, axis=2)
        between = np.full((gray.shape[0], GAP, 3), 255, np.uint8)
        row = np.hstack([gray, between, overlaid(micrograph, task)])
        Image.fromarray(row).save(folder / f"{task.name}.png")


def overlaid(micrograph: uhcs_bench.Micrograph, task: protocol.Task) -> NDArray[np.uint8]:
    """Micrograph with its classes in their colours."""
    palette = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in task.colors])
    gray = micrograph.image[..., None]
    mixed = (1 - OPACITY) * gray + OPACITY * palette[micrograph.labels]
    return np.rint(mixed).astype(np.uint8)
