"""Label maps of particles for the tests of measuring: a fifth of the pixels, drawn at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.data import label_maps

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def particle_map(seed: int, shape: tuple[int, int] = (60, 80)) -> NDArray[np.uint8]:
    """Draw a label map."""
    return (np.random.default_rng(seed).random(shape) < 0.2).astype(np.uint8)


def write_maps(folder: Path, n: int) -> Path:
    """Write `n` of them as ``map0.png``, ``map1.png``, ... into a folder."""
    for seed in range(n):
        label_maps.write_label_map(folder / f"map{seed}.png", particle_map(seed))
    return folder
