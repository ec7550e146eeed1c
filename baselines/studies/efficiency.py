"""Scores against the number of training micrographs, and their spread between seeds.

All runs are compared on the same folds: those that every run has finished.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from tabulate import tabulate

import uhcs_bench
from baselines.unfinished import remedy
from uhcs_bench.data import dataset, label_maps
from uhcs_bench.errors import UhcsBenchError, UsageError, listed
from uhcs_bench.scoring import training_record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from uhcs_bench.scoring.training_record import TrainedModel


@dataclass(frozen=True, eq=False)  # arrays don't compare as a whole
class Point:
    """The runs with one number of training micrographs.

    Attributes
    ----------
    sizes : tuple of int
        Training micrographs of each of the folds; they differ where a fold's all are trained on.
    folds : tuple of int
        Those that all runs have finished.
    IU, AC : ndarray of float, shape (n_runs, n_micrographs)
        Percent, of each validation micrograph of the folds; its IU is the mean over classes that
        are annotated or predicted, as in the paper's convention.
    """

    sizes: tuple[int, ...]
    folds: tuple[int, ...]
    IU: NDArray[np.float64]
    AC: NDArray[np.float64]

    @property
    def mean_size(self) -> float:
        """Training micrographs of a fold, on average."""
        return float(np.mean(self.sizes))

    @property
    def size(self) -> str:
        """Fewest and most training micrographs of a fold."""
        low, high = min(self.sizes), max(self.sizes)
        return str(low) if low == high else f"{low} to {high}"

    @property
    def n_runs(self) -> int:
        """Runs that differ by their seeds."""
        return len(self.IU)

    @property
    def error(self) -> float:
        """Standard error of the mean IU over micrographs; each has the mean of its runs."""
        by_micrograph = self.IU.mean(axis=0)
        n = len(by_micrograph)
        return float(by_micrograph.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan

    @property
    def between_runs(self) -> float:
        """Standard deviation of the runs' mean IU; NaN for a single run."""
        return float(self.IU.mean(axis=1).std(ddof=1)) if self.n_runs > 1 else math.nan


def read(runs: Sequence[Path], method: str, task: str) -> list[Point]:
    """Score runs on the folds that all of them have finished.

    Parameters
    ----------
    runs : sequence of Path
        What ``python -m baselines run`` wrote, a folder for each number of training micrographs
        and seed.
    method, task : str

    Returns
    -------
    list of Point
        By growing number of training micrographs.

    Raises
    ------
    UsageError
        Runs differ in more than seed and number of training micrographs, two are the same, or one
        is of inner folds.
    UhcsBenchError
        A folder has no finished fold, the runs have no fold in common, or a label map is missing.
    """
    found = {run: _models(run, method, task) for run in runs}
    empty = [
        f"{run} has no finished fold of {method} on {task}. {remedy(run, method, task)}, or give "
        "another folder."
        for run, models in found.items()
        if not models
    ]
    if empty:
        raise UhcsBenchError(listed("The runs were not compared", empty))
    problems = _contradictions(found)
    if problems:
        raise UsageError(listed("The runs were not compared", problems))
    folds = sorted(set.intersection(*(set(models) for models in found.values())))
    if not folds:
        raise UhcsBenchError(
            "The runs were not compared: no fold is finished in all of them. Give runs with a fold "
            "in common, or finish one."
        )
    problems = _repeated(found, folds)
    if problems:
        raise UsageError(listed("The runs were not compared", problems))
    scores: dict[tuple[int, ...], list[NDArray[np.float64]]] = defaultdict(list)
    for run, models in found.items():
        sizes = tuple(len(models[fold].training) for fold in folds)
        scores[sizes].append(_scores(run / method / task, task, models, folds))
    points = [
        Point(sizes, tuple(folds), *np.moveaxis(np.array(of_size), -1, 0))
        for sizes, of_size in scores.items()
    ]
    return sorted(points, key=lambda point: point.mean_size)


def _models(run: Path, method: str, task: str) -> dict[int, TrainedModel]:
    """Read which models a run has, by fold."""
    models = training_record.read(run / method)
    return {model.fold: model for model in models if model.task == task}


def _contradictions(found: dict[Path, dict[int, TrainedModel]]) -> list[str]:
    """List why runs can't be points of one curve."""
    problems = [
        f"{run} has label maps of inner folds: run it without --inner."
        for run, models in found.items()
        if any(model.inner for model in models.values())
    ]
    first = next(iter(found))
    wanted = _recipe(next(iter(found[first].values())))
    for run, models in found.items():
        recipe = _recipe(next(iter(models.values())))
        differing = [
            f"{name}: {recipe.get(name)}, there {wanted.get(name)}"
            for name in {**wanted, **recipe}
            if recipe.get(name) != wanted.get(name)
        ]
        if differing:
            problems.append(f"{run} has other settings than {first} ({'; '.join(differing)}).")
    return problems


def _repeated(found: dict[Path, dict[int, TrainedModel]], folds: Sequence[int]) -> list[str]:
    """List runs of one seed on the same training micrographs, by whatever option."""
    problems = []
    known: dict[tuple[object, ...], Path] = {}
    for run, models in found.items():
        of_folds = [models[fold] for fold in folds]
        seed = str(of_folds[0].run["configuration"].get("seed"))
        same = known.setdefault((seed, *(frozenset(m.training) for m in of_folds)), run)
        if same != run:
            problems.append(
                f"{run} has the seed {seed} and {len(of_folds[0].training)} training micrographs, "
                f"as {same} has: leave one of them out."
            )
    return problems


def _recipe(model: TrainedModel) -> dict[str, Any]:
    """Give everything that the runs of a curve share."""
    settings = {**model.run["configuration"], "seed": None}
    return {**settings, "dataset_version": model.version, "split": model.split}


def _scores(
    folder: Path, task: str, models: dict[int, TrainedModel], folds: Sequence[int]
) -> NDArray[np.float64]:
    """Give IU and AC in percent, shape (n_micrographs, 2), in the order of the catalogue."""
    model = models[folds[0]]
    entries = [
        entry
        for entry in dataset.catalogue(task, model.version, split=model.split)
        if entry.fold in folds
    ]
    missing = [e.id for e in entries if not (folder / f"{e.id}.png").is_file()]
    if missing:
        raise UhcsBenchError(
            f"{folder} lacks the label maps of {', '.join(missing)}, although record.json names "
            "their folds. Run these folds again."
        )
    maps = {e.id: label_maps.read_label_map(folder / f"{e.id}.png", e) for e in entries}
    rows: dict[str, tuple[float, float]] = {}
    for fold in folds:
        mine = {e.id: maps[e.id] for e in entries if e.fold == fold}
        report = uhcs_bench.score(
            mine, task=task, fold=fold, version=model.version, split=model.split
        )
        rows |= {found.id: (found.IU, found.AC) for found in report[task].images}
    return 100 * np.array([rows[e.id] for e in entries])


def to_text(points: Sequence[Point], form: str = "github") -> str:
    """Lay the points out, with the folds and micrographs that all of them are of.

    Parameters
    ----------
    points : sequence of Point
    form : str
        A format of tabulate.

    Returns
    -------
    str
    """
    rows = [
        [
            point.size,
            point.n_runs,
            f"{point.IU.mean():.1f} ± {point.error:.1f}",
            "" if math.isnan(point.between_runs) else f"{point.between_runs:.2f}",
            f"{point.AC.mean():.1f}",
        ]
        for point in points
    ]
    headers = ["training micrographs", "runs", "IU", "SD between runs", "AC"]
    table = tabulate(rows, headers=headers, tablefmt=form, disable_numparse=True)
    folds = ", ".join(map(str, points[0].folds))
    n = points[0].IU.shape[1]
    return (
        f"{table}\n\nFolds {folds}, n = {n} validation micrographs. ± is the standard error of the "
        "mean IU over micrographs."
    )


def draw(points: Sequence[Point], title: str) -> Any:
    """Draw the mean IU with its standard error, and each run's, against the training micrographs.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    sizes = [point.mean_size for point in points]
    axes.errorbar(
        sizes, [p.IU.mean() for p in points], [p.error for p in points], marker="o", capsize=3
    )
    for point in points:
        if point.n_runs > 1:
            axes.plot([point.mean_size] * point.n_runs, point.IU.mean(axis=1), "_", color="0.4")
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [point.size for point in points])
    axes.minorticks_off()
    axes.set_xlabel("training micrographs of a fold")
    axes.set_ylabel("IU, %")
    axes.set_title(title)
    return figure
