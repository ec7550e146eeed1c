"""How scores and measures of a model change when micrographs are taken otherwise.

Real micrographs are changed as `baselines.studies.conditions` has it, and segmented again. Their
annotation stays what it was; a change of magnification resamples it too.
"""

from __future__ import annotations

import csv
import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from tabulate import tabulate
from tqdm import tqdm

import uhcs_bench
from baselines.studies.conditions import SEVERITIES, UNITS, Condition
from uhcs_bench import protocol
from uhcs_bench.data import dataset
from uhcs_bench.errors import UhcsBenchError, UsageError
from uhcs_bench.io import atomic
from uhcs_bench.io.atomic import replacing
from uhcs_bench.metallography import denuded_zone
from uhcs_bench.metallography.components import equivalent_diameters, particle_areas
from uhcs_bench.metrics import confusion
from uhcs_bench.segmentation import models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from baselines.studies.conditions import Kind
    from uhcs_bench import Micrograph

    Segment = Callable[[Micrograph, NDArray[np.uint8]], NDArray[np.uint8]]
    """Segments a changed image of a micrograph."""

_LESS_IS_WORSE = ("noise", "contrast")

MIN_DIAMETER = 5.0
"""Equivalent diameter in pixels, before resampling, from which on particles are counted."""


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


def with_checkpoints(paths: Sequence[Path]) -> Segment:
    """Segment each fold's validation micrographs with its own model.

    Parameters
    ----------
    paths : sequence of Path
        Checkpoints in the order of the folds.

    Raises
    ------
    UhcsBenchError
        A checkpoint can't be used.
    """
    import torch

    from baselines import prediction
    from baselines.training import checkpoint

    trained = [checkpoint.load(path, torch.device("cpu")).model for path in paths]

    def segment(micrograph: Micrograph, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return prediction.segment(trained[micrograph.fold], image)

    return segment


def identity(files: Sequence[str | Path]) -> str:
    """Return the SHA-256 of model files, one after the other, by which results are known.

    Parameters
    ----------
    files : sequence of str or Path
        ONNX files, names of models that come with the package, or checkpoints.

    Raises
    ------
    UhcsBenchError
        A file can't be read.
    """
    digest = hashlib.sha256()
    for file in files:
        try:
            digest.update(models.find(file).read_bytes())
        except OSError as error:
            raise UhcsBenchError(
                f"The model {file} can't be read: {error.strerror}. Give the path of an ONNX file."
            ) from error
    return digest.hexdigest()


def caveat(paths: Sequence[str | Path], version: str = protocol.REAL_VERSION) -> str:
    """Say what the numbers of some ONNX models show; no models stand for those of a run."""
    if version == protocol.SYNTHETIC_VERSION:
        return "Synthetic micrographs: the numbers are those of no real steel."
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
        microconstituents the area fraction of each class but the matrix, and the mean width of the
        denuded zone, NaN where there is none.
    """
    names = protocol.task(task).classes
    shares = np.bincount(labels.ravel(), minlength=len(names)) / labels.size
    if task != "particles":
        fractions = {f"{name} fraction": float(shares[i]) for i, name in enumerate(names) if i}
        return fractions | {"zone width": _zone_width(labels, magnification)}
    areas = particle_areas(labels == protocol.PARTICLE_LABEL)
    diameters = equivalent_diameters(areas) / magnification
    large = diameters[diameters >= MIN_DIAMETER]
    return {
        "area fraction": float(shares[protocol.PARTICLE_LABEL]),
        "count": float(large.size),
        "mean diameter": float(large.mean()) if large.size else math.nan,
    }


def _zone_width(labels: NDArray[np.uint8], magnification: float) -> float:
    """Give the mean width along lines through the zone, in pixels of the unchanged micrograph."""
    # A pixel size at which holes as large as those of the unchanged micrograph are filled.
    pixel_um = math.sqrt(denuded_zone.HOLE_UM2 / denuded_zone.HOLE_PX) / magnification
    zone = denuded_zone.unobstructed_widths(labels, pixel_um)
    if not len(zone):
        return math.nan
    return float(np.average(zone.widths_px, weights=zone.weights)) / magnification


def evaluate(
    task: str,
    segment: Segment,
    chosen: Sequence[Condition],
    version: str = protocol.REAL_VERSION,
    split: str = protocol.PAPER_SPLIT,
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """Score and measure under each condition.

    Parameters
    ----------
    task : str
    segment : callable
        See `with_models` and `with_checkpoints`.
    chosen : sequence of Condition
    version : str
        Data set version.
    split : str
        Whose folds, if each has a model of its own.
    seed : int
        Of the noise, which a condition has whatever others are chosen.

    Yields
    ------
    dict
        Of each condition, once it is done, its `kind` and `severity`, the number `n` of
        micrographs, mean and standard error of the IU (percent, classes averaged in each
        micrograph), and of each measure the mean error against the unchanged annotation: of
        fractions in points, of others in percent, with the number of micrographs that have the
        measure in the annotation and in the predicted map.
    """
    micrographs = uhcs_bench.load(task, version=version, split=split)
    total = len(chosen) * len(micrographs)
    with tqdm(total=total, desc=task, unit="micrograph", disable=None) as bar:
        for condition in chosen:
            results = []
            for place, micrograph in enumerate(micrographs):
                entropy = (*condition.kind.encode(), round(1000 * condition.severity), place, seed)
                rng = np.random.default_rng(entropy)
                results.append(_evaluate_one(micrograph, condition, segment, rng))
                bar.update()
            yield _summary(condition, results)


def _summary(
    condition: Condition, results: Sequence[tuple[float, dict[str, float]]]
) -> dict[str, Any]:
    """Average the micrographs' scores and errors."""
    row: dict[str, Any] = {
        "kind": condition.kind,
        "severity": condition.severity,
        "n": len(results),
        **_with_error("IU", np.array([score for score, _ in results])),
    }
    for name in results[0][1]:
        errors = np.array([errors[name] for _, errors in results])
        known = errors[~np.isnan(errors)]
        row |= _with_error(f"{name} error", known) | {f"{name} n": len(known)}
    return row


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

_IDENTITY = ("models", "data set")
"""Columns that tell whose results a table holds."""


def extend_table(
    path: Path,
    models_id: str,
    version: str,
    chosen: Sequence[Condition],
    compute: Callable[[Sequence[Condition]], Iterable[dict[str, Any]]],
) -> list[dict[str, Any]]:
    """Add the conditions that a table lacks, each as soon as it is done.

    Parameters
    ----------
    path : Path
        CSV file, which may be there already; numbers have two decimals.
    models_id : str
        See `identity`.
    version : str
        Data set version.
    chosen : sequence of Condition
    compute : callable
        Gives the rows of some conditions.

    Returns
    -------
    list of dict
        All rows of the table.

    Raises
    ------
    UsageError
        The table holds results of other models or of another data set version.
    """
    owner = dict(zip(_IDENTITY, (models_id, version), strict=True))
    rows = read_table(path) if path.is_file() else []
    if any(row.get(name) != value for row in rows for name, value in owner.items()):
        raise UsageError(
            f"{path} holds results of other models or of another data set version. Nothing was "
            "segmented. Choose another --out, or delete the file."
        )
    done = {(row["kind"], row["severity"]) for row in rows}
    missing = [c for c in chosen if (c.kind, c.severity) not in done]
    for row in compute(missing):
        rows.append(row | owner)
        _write_table(rows, path)
    return rows


def _write_table(rows: Sequence[dict[str, Any]], path: Path) -> None:
    atomic.make_folder(path.parent)
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
    """Read a table that `extend_table` wrote.

    Raises
    ------
    UhcsBenchError
        It is no such table.
    """
    texts = ("kind", *_IDENTITY)
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            rows = [
                {
                    name: text if name in texts else float(text or "nan")
                    for name, text in row.items()
                }
                for row in reader
            ]
        needed = {*texts, "severity", "n", "IU", "IU SE"}
        errors = {name for name in reader.fieldnames or () if name.endswith(" error")}
        needed |= errors | {f"{name} SE" for name in errors}
        needed |= {f"{name.removesuffix('error')}n" for name in errors}
        if not needed <= {*(reader.fieldnames or ())}:
            raise ValueError("columns are missing")
        if not all(row["kind"] in UNITS for row in rows):
            raise ValueError("a kind is unknown")
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise UhcsBenchError(
            f"{path} is no table of the command robustness, and was left as it is. Choose another "
            "--out, or delete the file."
        ) from error
    return rows


def to_text(rows: Sequence[dict[str, Any]], form: str = "github") -> str:
    """Lay a table out: IU with its standard error, and the errors of the measures.

    Parameters
    ----------
    rows : sequence of dict
    form : str
        A format of tabulate.

    Returns
    -------
    str
        A measure that some micrographs lack has the number of the others beside it.
    """
    errors = [name for name in rows[0] if name.endswith(" error")]
    units = [
        name.removesuffix(" error").removesuffix(" fraction")
        + (", pt" if name.endswith("fraction error") else ", %")
        for name in errors
    ]
    cells = [
        [
            row["kind"],
            f"{row['severity']:g}" if UNITS[row["kind"]] else "",
            f"{row['IU']:.1f} ± {row['IU SE']:.1f}",
            *(_error_cell(row, name) for name in errors),
        ]
        for row in sorted(rows, key=_order)
    ]
    return tabulate(
        cells, headers=["change", "severity", "IU", *units], tablefmt=form, disable_numparse=True
    )


def _order(row: dict[str, Any]) -> tuple[int, float]:
    """Sort by kind, and from mild to severe where less is worse."""
    kinds = list(UNITS)
    falls = row["kind"] in _LESS_IS_WORSE
    return kinds.index(row["kind"]), -row["severity"] if falls else row["severity"]


def _error_cell(row: dict[str, Any], name: str) -> str:
    if math.isnan(row[name]):
        return ""
    count = int(row[name.removesuffix("error") + "n"])
    return f"{row[name]:+.1f}" + (f" (n = {count})" if count < row["n"] else "")


def draw(rows: Sequence[dict[str, Any]], title: str) -> Any:
    """Draw IU and the measures' errors against severity, a column for each kind of change.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    found_kinds = {row["kind"] for row in rows}
    kinds: list[Kind] = [k for k in SEVERITIES if k != "unchanged" and k in found_kinds]
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
            if kind in _LESS_IS_WORSE:
                panel.invert_xaxis()
    axes[0][0].set_ylabel("IU, %")
    axes[1][0].set_ylabel("error of the measure")
    axes[1][0].legend(fontsize="x-small")
    return figure
