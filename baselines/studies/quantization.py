"""What it costs to store a model's weights as float16."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tabulate import tabulate

import uhcs_bench
from baselines import export
from baselines.records import FoldRun
from uhcs_bench.data import dataset
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.segmentation import onnx_model

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Loss:
    """The IU of a fold's validation micrographs with both models, percent.

    Attributes
    ----------
    fold, n : int
        The fold, and its number of micrographs.
    single, half : float
        Weights in float32, and in float16.
    changed : float
        Share of the pixels with another label, percent.
    """

    fold: int
    n: int
    single: float
    half: float
    changed: float


def compare(runs: Path, method: str, task: str, version: str) -> list[Loss]:
    """Export the finished folds of a run twice, and score both.

    Parameters
    ----------
    runs : Path
        What the command "run" wrote.
    method, task, version : str

    Returns
    -------
    list of Loss
        One for each finished fold.

    Raises
    ------
    UhcsBenchError
        No fold is finished.
    """
    found = []
    for fold in range(dataset.n_folds(task, version)):
        place = FoldRun(runs, method, task, fold)
        if place.read() is not None and place.checkpoint.is_file():
            found.append(_compare_fold(place.checkpoint, task, fold, version))
    if not found:
        raise UhcsBenchError(
            f"No fold of {method} on {task} is finished in {runs}. Run it with "
            f"`python -m baselines run {method} --task {task} --out {runs}`."
        )
    return found


def _compare_fold(model_file: Path, task: str, fold: int, version: str) -> Loss:
    maps = []
    micrographs = uhcs_bench.load(task, fold=fold, version=version).val
    with tempfile.TemporaryDirectory() as folder:
        for is_half in (False, True):
            out = Path(folder) / f"{is_half}.onnx"
            export.export(model_file, out, half=is_half)
            segmenter = onnx_model.load(out)
            maps.append({m.id: segmenter.segment(m.image) for m in micrographs})
    scores = []
    for found in maps:
        report = uhcs_bench.score(found, task=task, fold=fold, version=version)
        scores.append(report[task].conventions["paper"].IU.mean)
    differing = [np.mean(maps[0][m.id] != maps[1][m.id]) for m in micrographs]
    single, half = (float("nan") if score is None else 100 * score for score in scores)
    return Loss(fold, len(micrographs), single, half, 100 * float(np.mean(differing)))


def to_text(rows: Sequence[Loss]) -> str:
    """Lay the folds out, with their mean."""
    cells = [
        [str(row.fold), row.n, row.single, row.half, row.half - row.single, row.changed]
        for row in rows
    ]
    numbers = np.array([row[2:] for row in cells], dtype=float)
    cells.append(["mean", sum(row.n for row in rows), *numbers.mean(axis=0)])
    headers = ["fold", "n", "IU float32", "IU float16", "difference", "pixels changed, %"]
    return tabulate(cells, headers=headers, floatfmt=".3f")
