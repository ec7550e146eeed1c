"""Whether networks label a large micrograph in tiles as they do in one piece.

    python -m tests.benchmarks.tiled_and_whole

Nine micrographs of a task are put together. In one piece, they take some GiB of memory.
"""

from __future__ import annotations

import numpy as np

import uhcs_bench
from uhcs_bench.segmentation import models, onnx_model

SHAPE = (470, 640)
"""Of the part of each micrograph that is used."""


def mosaic(task: str) -> np.ndarray:
    """Put nine micrographs together, and a strip of them below, so that tiles don't fit."""
    images = [micrograph.image[: SHAPE[0], : SHAPE[1]] for micrograph in uhcs_bench.load(task)]
    whole = np.vstack([np.hstack(images[n : n + 3]) for n in (0, 3, 6)])
    return np.vstack([whole, whole[:300]])


def n_different(task: str) -> tuple[int, int]:
    """Return how many pixels get another label in tiles, and how many there are."""
    image, model = mosaic(task), models.load(task, 1)
    in_tiles = model.segment(image)
    tiled_from = onnx_model.WHOLE_PIXELS
    try:
        onnx_model.WHOLE_PIXELS = image.size
        in_one_piece = model.segment(image)
    finally:
        onnx_model.WHOLE_PIXELS = tiled_from
    return int((in_tiles != in_one_piece).sum()), image.size


if __name__ == "__main__":
    for name in models.NAMES:
        differing, n = n_different(name)
        print(f"{name}: {differing} of {n} pixels differ")
