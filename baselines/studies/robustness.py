"""How scores and measures of a model change when micrographs are taken otherwise.

Real micrographs are made noisier, blurred, flatter or are resampled, by the laws of the synthetic
imaging model (`uhcs_bench.synthetic.imaging`), and segmented again. Their annotation stays what it
was; a change of magnification resamples it too.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from tqdm import tqdm

import uhcs_bench
from uhcs_bench import protocol
from uhcs_bench.data import dataset
from uhcs_bench.errors import UsageError
from uhcs_bench.io.atomic import replacing
from uhcs_bench.metallography.components import equivalent_diameters, particle_areas
from uhcs_bench.metrics import confusion
from uhcs_bench.segmentation import models
from uhcs_bench.synthetic import imaging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from uhcs_bench import Micrograph

    Segment = Callable[[Micrograph, NDArray[np.uint8]], NDArray[np.uint8]]
    """Segments a changed image of a micrograph."""

Kind = Literal["unchanged", "noise", "blur", "contrast", "magnification"]

SEVERITIES: dict[Kind, tuple[float, ...]] = {
    "unchanged": (1.0,),
    "noise": (8.0, 4.0, 2.0, 1.0, 0.5),
    "blur": (0.5, 1.0, 1.5, 2.0, 3.0),
    "contrast": (0.8, 0.6, 0.4, 0.2, 0.1),
    "magnification": (0.5, 0.71, 1.41, 2.0),
}
"""Detected electrons per gray level; standard deviation of the beam in pixels; distance of the gray
values from their mean, as a share; size of the image, as a share."""

UNITS: dict[Kind, str] = {
    "unchanged": "",
    "noise": "electrons per gray level",
    "blur": "beam, px",
    "contrast": "share of the contrast",
    "magnification": "share of the magnification",
}

MIN_DIAMETER = 5.0
"""Equivalent diameter in pixels, before resampling, from which on particles are counted."""


@dataclass(frozen=True)
class Condition:
    """A way to take micrographs.

    Attributes
    ----------
    kind : str
        A key of `SEVERITIES`.
    severity : float
        See there.
    """

    kind: Kind
    severity: float

    @property
    def magnification(self) -> float:
        """Size of the changed image as a share of the micrograph's."""
        return self.severity if self.kind == "magnification" else 1.0

    def apply(
        self, image: NDArray[np.uint8], labels: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Change a micrograph and, where it is resampled, its annotation.

        Parameters
        ----------
        image, labels : ndarray of uint8, shape (rows, columns)
        rng : numpy.random.Generator

        Returns
        -------
        image, labels : ndarray of uint8

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> image = np.tile(np.array([0, 100], np.uint8), (4, 2))
        >>> Condition("contrast", 0.5).apply(image, image, rng)[0][0].tolist()
        [25, 75, 25, 75]
        >>> Condition("magnification", 0.5).apply(image, image, rng)[0].shape
        (2, 2)
        """
        from scipy import ndimage
        from skimage import transform

        values = image.astype(float)
        if self.kind == "noise":
            return imaging.detect(rng, values, self.severity, imaging.Imaging().read_noise), labels
        if self.kind == "blur":
            values = ndimage.gaussian_filter(values, self.severity)
        elif self.kind == "contrast":
            values = values.mean() + self.severity * (values - values.mean())
        elif self.kind == "magnification":
            shape = tuple(round(self.severity * side) for side in image.shape)
            values = transform.resize(values, shape, order=1, anti_aliasing=self.severity < 1)
            labels = transform.resize(
                labels, shape, order=0, anti_aliasing=False, preserve_range=True
            ).astype(np.uint8)
        return np.rint(np.clip(values, 0, 255)).astype(np.uint8), labels


def conditions() -> list[Condition]:
    """List all conditions, the unchanged one first."""
    return [Condition(kind, s) for kind, severities in SEVERITIES.items() for s in severities]


# Models


def with_models(paths: Sequence[str | Path], task: str, threads: int = 0) -> Segment:
    """Segment with an ONNX model, or with one of each fold.

    Parameters
    ----------
    paths : sequence of str or Path
        One model for all micrographs, or one for each fold of the paper's split, in order: each
        sees the validation micrographs of its fold alone.
    task : str
    threads : int

    Returns
    -------
    callable

    Raises
    ------
    UsageError
        There is another number of models, or one is for other classes.
    """
    n_folds = dataset.n_folds(task)
    if len(paths) not in (1, n_folds):
        raise UsageError(
            f"{len(paths)} models were given. Give one, or {n_folds}, one for each fold in order."
        )
    segmenters = [models.load(path, threads) for path in paths]
    wanted = protocol.task(task).classes
    for path, segmenter in zip(paths, segmenters, strict=True):
        if segmenter.classes != wanted:
            raise UsageError(
                f"{path} has the classes {', '.join(segmenter.classes)}, but {task} has "
                f"{', '.join(wanted)}. Give a model of this task, or another --task."
            )

    def segment(micrograph: Micrograph, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return segmenters[micrograph.fold if len(segmenters) > 1 else 0].segment(image)

    return segment


def with_runs(runs: Path, method: str, task: str) -> Segment:
    """Segment each fold's validation micrographs with the model of its finished run.

    Raises
    ------
    UhcsBenchError
        A checkpoint can't be used.
    """
    import torch

    from baselines import prediction
    from baselines.records import FoldRun
    from baselines.training import checkpoint

    trained = [
        checkpoint.load(FoldRun(runs, method, task, fold).checkpoint, torch.device("cpu")).model
        for fold in range(dataset.n_folds(task))
    ]

    def segment(micrograph: Micrograph, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return prediction.segment(trained[micrograph.fold], image)

    return segment


def caveat(paths: Sequence[str | Path]) -> str:
    """Say what the numbers of some ONNX models show; no models stand for those of a run."""
    if len(paths) != 1:
        return "Each fold's model on the micrographs that it was not trained on."
    if str(paths[0]) in models.NAMES:
        return (
            "In sample: the model was trained on these very micrographs. Its scores are too high; "
            "their changes are a lower bound of those on other micrographs."
        )
    return f"One model for all micrographs: whether {paths[0]} was trained on them is not known."


# Measures


def measure(labels: NDArray[np.uint8], task: str, magnification: float) -> dict[str, float]:
    """Measure a label map, with lengths in pixels of the unchanged micrograph.

    Returns
    -------
    dict of str to float
        For particles area fraction, count and mean diameter of those from `MIN_DIAMETER` on; for
        microconstituents the area fraction of each class but the matrix.
    """
    names = protocol.task(task).classes
    shares = np.bincount(labels.ravel(), minlength=len(names)) / labels.size
    if task != "particles":
        return {f"{name} fraction": float(shares[i]) for i, name in enumerate(names) if i}
    areas = particle_areas(labels == protocol.PARTICLE_LABEL)
    diameters = equivalent_diameters(areas) / magnification
    large = diameters[diameters >= MIN_DIAMETER]
    return {
        "area fraction": float(shares[protocol.PARTICLE_LABEL]),
        "count": float(large.size),
        "mean diameter": float(large.mean()) if large.size else math.nan,
    }


def evaluate(
    task: str,
    segment: Segment,
    version: str = protocol.REAL_VERSION,
    seed: int = 0,
    chosen: Iterable[Condition] | None = None,
) -> list[dict[str, Any]]:
    """Score and measure under each condition.

    Parameters
    ----------
    task : str
    segment : callable
        See `with_models` and `with_runs`.
    version : str
        Data set version.
    seed : int
        Of the noise.
    chosen : iterable of Condition, optional
        By default all.

    Returns
    -------
    list of dict
        Of each condition its `kind` and `severity`, the number `n` of micrographs, mean and
        standard error of the IU (percent, the paper's convention), the mean change of a
        micrograph's IU against the first condition, and of each measure the mean error against the
        unchanged annotation: of fractions in points, of others in percent.
    """
    micrographs = uhcs_bench.load(task, version=version)
    rows: list[dict[str, Any]] = []
    first: NDArray[np.float64] | None = None
    todo = list(conditions() if chosen is None else chosen)
    with tqdm(total=len(todo) * len(micrographs), unit="micrograph", disable=None) as bar:
        for number, condition in enumerate(todo):
            results = []
            for place, micrograph in enumerate(micrographs):
                rng = np.random.default_rng([seed, number, place])
                results.append(_evaluate_one(micrograph, condition, segment, rng))
                bar.update()
            scores = np.array([score for score, _ in results])
            first = scores if first is None else first
            row = {"kind": condition.kind, "severity": condition.severity, "n": len(scores)}
            row |= _with_error("IU", scores) | {"IU change": float((scores - first).mean())}
            for name in results[0][1]:
                errors = np.array([errors[name] for _, errors in results])
                row |= _with_error(f"{name} error", errors[~np.isnan(errors)])
            rows.append(row)
    return rows


def _with_error(name: str, values: NDArray[np.float64]) -> dict[str, float]:
    spread = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return {name: float(values.mean()) if len(values) else math.nan, f"{name} SE": float(spread)}


def _evaluate_one(
    micrograph: Micrograph, condition: Condition, segment: Segment, rng: np.random.Generator
) -> tuple[float, dict[str, float]]:
    """Give the IU in percent and the errors of the measures."""
    task = micrograph.entry.task
    image, labels = condition.apply(micrograph.image, micrograph.labels, rng)
    predicted = segment(micrograph, image)
    counts = confusion.confusion_matrix(labels, predicted, len(protocol.task(task).classes))
    score = 100 * float(np.nanmean(confusion.intersection_over_union(counts)))
    truth = measure(micrograph.labels, task, 1.0)
    found = measure(predicted, task, condition.magnification)
    return score, {name: _error(name, found[name], truth[name]) for name in truth}


def _error(name: str, found: float, truth: float) -> float:
    if name.endswith("fraction"):
        return 100 * (found - truth)
    return 100 * (found / truth - 1) if truth else math.nan


# Files


def write_table(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the rows as CSV, numbers with two decimals; whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _written(value) for name, value in row.items()})


def _written(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.2f}"


def read_table(path: Path) -> list[dict[str, Any]]:
    """Undo `write_table`, but for the decimals."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [
            {name: text if name == "kind" else float(text or "nan") for name, text in row.items()}
            for row in csv.DictReader(stream)
        ]


def draw(rows: Sequence[dict[str, Any]], title: str) -> Any:
    """Draw IU and the measures' errors against severity, a column for each kind of change.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    kinds: list[Kind] = [kind for kind in SEVERITIES if kind != "unchanged"]
    unchanged = next(row for row in rows if row["kind"] == "unchanged")
    errors = [name for name in unchanged if name.endswith(" error")]
    figure = Figure(figsize=(2.6 * len(kinds), 5.2), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(2, len(kinds), sharey="row", squeeze=False)
    for upper, lower, kind in zip(*axes, kinds, strict=True):
        found = sorted((row for row in rows if row["kind"] == kind), key=lambda r: r["severity"])
        severity = [row["severity"] for row in found]
        upper.errorbar(severity, [r["IU"] for r in found], [r["IU SE"] for r in found], marker="o")
        upper.axhline(unchanged["IU"], color="0.6", linestyle=":")
        for name in errors:
            unit = "points" if "fraction" in name else "%"
            label = f"{name.removesuffix(' error')}, {unit}"
            lower.plot(severity, [row[name] for row in found], marker=".", label=label)
        lower.axhline(0, color="0.6", linestyle=":")
        upper.set_title(kind)
        lower.set_xlabel(UNITS[kind])
        for panel in (upper, lower):
            panel.set_xscale("log")
            panel.set_xticks(severity, [f"{value:g}" for value in severity])
            panel.minorticks_off()
            if kind in ("noise", "contrast"):
                panel.invert_xaxis()
    axes[0][0].set_ylabel("IU, %")
    axes[1][0].set_ylabel("error of the measure")
    axes[1][0].legend(fontsize="x-small")
    return figure
