"""Otsu's threshold as a baseline: label maps without training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uhcs_bench
from uhcs_bench.data import label_maps
from uhcs_bench.segmentation import otsu

if TYPE_CHECKING:
    from pathlib import Path


def write_label_maps(out: Path, task: str, version: str) -> int:
    """Segment the micrographs of a task and write the maps in the layout of a submission.

    Parameters
    ----------
    out : Path
        The maps go to ``<out>/<task>/<id>.png``.
    task : str
        Name of a task.
    version : str
        Data set version.

    Returns
    -------
    int
        Number of maps.
    """
    micrographs = uhcs_bench.load(task, version=version)
    for micrograph in micrographs:
        labels = otsu.segment(micrograph.image, task)
        label_maps.write_label_map(out / task / f"{micrograph.id}.png", labels)
    return len(micrographs)
