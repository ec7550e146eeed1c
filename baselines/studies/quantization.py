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
from baselines.studies import finished
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
    UsageError
        The run is of inner folds or of another data set version.
    UhcsBenchError
        No fold is finished.
    """
    found = finished.find([runs], method, task, version, "Nothing was compared", partly=True)
    return [
        _compare_fold(members[0][0].checkpoint, task, fold, version, found.split)
        for fold, members in found.folds.items()
    ]


def _compare_fold(model_file: Path, task: str, fold: int, version: str, split: str) -> Loss:
    maps = []
    micrographs = uhcs_bench.load(task, fold=fold, version=version, split=split).val
    with tempfile.TemporaryDirectory() as folder:
        for is_half in (False, True):
            out = Path(folder) / f"{is_half}.onnx"
            export.export(model_file, out, half=is_half)
            segmenter = onnx_model.load(out)
            maps.append({m.id: segmenter.segment(m.image) for m in micrographs})
    scores = []
    for found in maps:
        report = uhcs_bench.score(found, task=task, fold=fold, version=version, split=split)
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
