"""Show scores as text: for a terminal, Markdown, LaTeX, or as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from itertools import combinations
from textwrap import fill
from typing import TYPE_CHECKING, Literal

from uhcs_bench import protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from uhcs_bench.scoring.comparison import Comparison, Difference, TaskComparison
    from uhcs_bench.scoring.results import ConventionScore, MeanScore, Report, TaskScore

TextFormat = Literal["table", "markdown", "latex"]

_TABULATE_FORMATS = {"table": "simple", "markdown": "github", "latex": "latex_raw"}
_MISSING = "-"
_CSV_COLUMNS = (
    "dataset_version",
    "split",
    "data_id",
    "task",
    "convention",
    "micrograph",
    "fold",
    "class",
    "metric",
    "value",
    "se",
    "n",
    "ci95_low",
    "ci95_high",
)


def to_text(report: Report, form: TextFormat = "table") -> str:
    """Lay scores out like the paper's tables: percent, mean and standard error over micrographs.

    Parameters
    ----------
    report : Report
    form : {'table', 'markdown', 'latex'}, optional

    Returns
    -------
    str
        For each task a table by class in the paper's convention, the overall scores in all three
        conventions, and for particles the KS score. At most 80 columns wide as a table.

    Examples
    --------
    >>> import uhcs_bench
    >>> truth = uhcs_bench.load("particles", version="synthetic")
    >>> report = uhcs_bench.score({m.id: m.labels for m in truth}, version="synthetic")
    >>> print(to_text(report).splitlines()[0])
    particles: SYNTHETIC set, not real micrographs; n = 24, folds 0-5
    """
    return "\n\n".join(_task_text(task, report, form) for task in report.tasks)


def to_csv(report: Report) -> str:
    """Lay scores out as one tidy table: a row a number, fractions in [0, 1], empty if undefined.

    Parameters
    ----------
    report : Report

    Returns
    -------
    str
        Rows with a convention are means, rows with a micrograph are that micrograph's scores. An
        empty class means over all classes.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    for task in report.tasks:
        for row in (*_mean_rows(task), *_micrograph_rows(task)):
            writer.writerow((report.dataset_version, report.split, task.data_id, task.task, *row))
    return stream.getvalue()


def _task_text(task: TaskScore, report: Report, form: TextFormat) -> str:
    plus_minus = r"$\pm$" if form == "latex" else "±"
    parts = [_title(task, report), _class_table(task, form, plus_minus)]
    parts.append(_convention_table(task, form, plus_minus))
    if task.psd is not None:
        parts.append(
            f"KS score {task.psd.ks_score:.3f} (95 % {task.psd.ci95[0]:.3f} to "
            f"{task.psd.ci95[1]:.3f}): predicted and annotated particle sizes\n"
            f"are consistent on {task.psd.n_consistent} of {task.psd.n} micrographs "
            f"(Kolmogorov-Smirnov test, alpha {task.psd.alpha:g})."
        )
    if form == "latex":
        tables = (parts[1], parts[2])
        parts = [part if part in tables else _commented(part) for part in parts]
    if "boundary_f1" in next(iter(task.measures["classes"].values())):  # scored as extended
        parts += [_tabulate(table.headers, table.rows, form) for table in further_tables(task)]
    return "\n\n".join(parts)


@dataclass(frozen=True)
class Table:
    """Text in columns, the first of which names the rows."""

    headers: list[str]
    rows: list[list[str]]


def further_tables(task: TaskScore) -> list[Table]:
    """Lay out what was measured beside the paper's scores.

    Parameters
    ----------
    task : TaskScore

    Returns
    -------
    list of Table
        Means of the measures; when extended, for particles also on how many micrographs the sizes
        are consistent for each way of counting particles.
    """
    tables = [_measures_table(task)]
    if "ks_sensitivity" in task.measures:
        tables.append(_sensitivity_table(task))
    return tables


_MEASURES = {
    # place in the measures, or in those of a class: heading, unit factor, unit
    "dice": ("Dice", 100, "%"),
    "boundary_f1": ("boundary F1", 100, "%"),
    "boundary_iou": ("boundary IoU", 100, "%"),
    "area_fraction_error": ("area fraction error", 100, "%"),
    "count_error": ("count error", 1, ""),
    "mean_diameter_error_px": ("mean diameter error", 1, "px"),
    "mean_diameter_error_um": ("mean diameter error", 1, "um"),
    "wasserstein_px": ("distribution distance W1", 1, "px"),
    "wasserstein_um": ("distribution distance W1", 1, "um"),
    "mean_width_error_px": ("denuded zone width error", 1, "px"),
    "mean_width_error_um": ("denuded zone width error", 1, "um"),
    "panoptic_quality": ("panoptic quality", 100, "%"),
    "segmentation_quality": ("segmentation quality", 100, "%"),
    "recognition_quality": ("recognition quality", 100, "%"),
    "mean_f1": ("particle F1, IoU .5-.95", 100, "%"),
}


def _measures_table(task: TaskScore) -> Table:
    found: list[tuple[str, str, MeanScore]] = [("kappa", "", task.measures["kappa"])]
    for class_name, by_name in task.measures["classes"].items():
        found += [(name, f" {class_name}", x) for name, x in by_name.items() if name in _MEASURES]
    for group in ("sizes", "denuded_zone", "instances"):
        by_name = task.measures.get(group, {})
        found += [(name, "", x) for name, x in by_name.items() if name in _MEASURES]
    rows = []
    for name, class_name, estimate in found:
        heading, factor, unit = _MEASURES.get(name, (name, 1, ""))
        cells = [_MISSING] * 2
        if estimate.mean is not None:
            cells[0] = _three_digits(factor * estimate.mean)
        if estimate.ci95 is not None:
            cells[1] = " to ".join(_three_digits(factor * end) for end in estimate.ci95)
        rows.append([f"{heading}{class_name}", *cells, unit, str(estimate.n)])
    return Table(["measure", "mean", "95 %", "unit", "n"], rows)


def _three_digits(value: float) -> str:
    # With "#", zeros at the end stay: 92.0 to 94.6, as precise as they are.
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")


def _sensitivity_table(task: TaskScore) -> Table:
    rows: dict[str, list[str]] = {}
    minima = []
    for cell in task.measures["ks_sensitivity"]:
        touching = "split" if cell["watershed"] else "whole"
        border = "with" if cell["border"] else "without"
        key = f"{cell['connectivity']} neighbours, {touching}, {border} border"
        rows.setdefault(key, []).append(f"{cell['n_consistent']}")
        if cell["minimum_area"] not in minima:
            minima.append(cell["minimum_area"])
    headers = [f"KS-consistent of {task.n_images}, from a size of", *(f"{m} px" for m in minima)]
    return Table(headers, [[key, *cells] for key, cells in rows.items()])


def _title(task: TaskScore, report: Report) -> str:
    numbers = task.folds
    folds = f"fold {numbers[0]}"
    if len(numbers) > 1:
        folds = f"folds {numbers[0]}-{numbers[-1]}"
    version = _version_text(report.dataset_version)
    return (
        f"{task.task}: {version}; n = {task.n_images}, {folds}\n"
        f"{_data_text(report.split, task.data_id)}"
    )


def _data_text(split: str, data_id: str) -> str:
    return f"split {split}, data id {data_id}"


def _version_text(version: str) -> str:
    if version == protocol.SYNTHETIC_VERSION:
        return "SYNTHETIC set, not real micrographs"
    return f"data set {version}"


def _commented(text: str) -> str:
    """Sentences are no LaTeX source; as comments they leave the output usable as it is."""
    return "\n".join(f"% {line}" for line in text.split("\n"))


def _class_table(task: TaskScore, form: TextFormat, plus_minus: str) -> str:
    score = task.conventions["paper"]
    rows = [
        [name, *(_percent(e, plus_minus) for e in (means.IU, means.precision, means.recall))]
        for name, means in score.classes.items()
    ]
    overall = _percent(score.AC, plus_minus)
    rows.append(["overall", _percent(score.IU, plus_minus), overall, overall])
    return _tabulate(["%, mean and SE", "IU", "precision", "recall"], rows, form)


def _convention_table(task: TaskScore, form: TextFormat, plus_minus: str) -> str:
    rows = {
        "AC": [score.AC for score in task.conventions.values()],
        "IU": [score.IU for score in task.conventions.values()],
    }
    for name in task.conventions["paper"].classes:
        rows[f"IU {name}"] = [score.classes[name].IU for score in task.conventions.values()]
    paper, *others = task.conventions
    return _tabulate(
        ["convention", paper, "95 %", *others],
        [
            [
                name,
                _percent(estimates[0], plus_minus),
                _interval(estimates[0]),
                *(_percent(estimate, plus_minus) for estimate in estimates[1:]),
            ]
            for name, estimates in rows.items()
        ],
        form,
    )


def _percent(estimate: MeanScore, plus_minus: str) -> str:
    if estimate.mean is None:
        return _MISSING
    mean = f"{100 * estimate.mean:.1f}"
    if estimate.se is None:
        return mean
    return f"{mean} {plus_minus} {100 * estimate.se:.1f}"


def _interval(estimate: MeanScore) -> str:
    if estimate.ci95 is None:
        return _MISSING
    low, high = estimate.ci95
    return f"{100 * low:.1f} to {100 * high:.1f}"


def _tabulate(headers: Sequence[str], rows: Sequence[Sequence[str]], form: TextFormat) -> str:
    from tabulate import tabulate

    if form == "latex":
        headers = [header.replace("%", r"\%") for header in headers]
        rows = [[cell.replace("%", r"\%") for cell in row] for row in rows]
    alignment = ["left"] + ["right"] * (len(headers) - 1)
    return tabulate(
        rows,
        headers=headers,
        tablefmt=_TABULATE_FORMATS[form],
        colalign=alignment,
        disable_numparse=True,
    )


def comparison_to_text(comparison: Comparison, form: TextFormat = "table") -> str:
    """Lay a comparison out: for each pair the differences in percent points, then in words.

    Parameters
    ----------
    comparison : Comparison
    form : {'table', 'markdown', 'latex'}, optional

    Returns
    -------
    str
        At most 80 columns wide as a table.
    """
    parts = []
    for task in comparison.tasks:
        for a, b in combinations(comparison.names, 2):
            pair = [d for d in task.differences if (d.a, d.b) == (a, b) and d.metric in _COMPARED]
            parts.append(_comparison_part(task, a, b, pair, comparison, form))
    return "\n\n".join(parts)


_COMPARED = ("AC", "IU", "KS")
_COMPARISON_CSV_COLUMNS = (
    "dataset_version",
    "split",
    "data_id",
    "task",
    "a",
    "b",
    "metric",
    "class",
    "micrograph",
    "difference",
    "ci95_low",
    "ci95_high",
    "p_value",
    "p_holm",
    "n",
)


def _comparison_part(
    task: TaskComparison,
    a: str,
    b: str,
    differences: Sequence[Difference],
    comparison: Comparison,
    form: TextFormat,
) -> str:
    version = _version_text(comparison.dataset_version)
    title = (
        f"{task.task}: {a} (A) and {b} (B); {version}, n = {task.n_images}\n"
        f"{_data_text(comparison.split, task.data_id)}"
    )
    rows = [
        [
            f"{d.metric} {d.class_name or ''}".strip(),
            f"{100 * d.mean_a:.1f}",
            f"{100 * d.mean_b:.1f}",
            f"{100 * d.mean:+.1f}",
            "-" if d.ci95 is None else f"{100 * d.ci95[0]:+.1f} to {100 * d.ci95[1]:+.1f}",
            f"{d.p_holm:.2g}",
            f"{d.n_better}:{d.n_worse}",
        ]
        for d in differences
    ]
    table = _tabulate(["%, mean", "A", "B", "A - B", "95 %", "p (Holm)", "A:B"], rows, form)
    words = "\n".join(
        fill(d.sentence, width=80, subsequent_indent="  ")
        for d in differences
        if d.class_name is None
    )
    if form == "latex":
        title, words = _commented(title), _commented(words)
    return f"{title}\n\n{table}\n\n{words}"


def comparison_to_csv(comparison: Comparison) -> str:
    """Lay a comparison out as one tidy table, a row for each pair, metric, class and micrograph.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
        Fractions in [0, 1]; rows without a micrograph hold means.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COMPARISON_CSV_COLUMNS)
    for task in comparison.tasks:
        data = (comparison.dataset_version, comparison.split, task.data_id, task.task)
        for d in task.differences:
            key = (*data, d.a, d.b, d.metric, d.class_name)
            ends = d.ci95 or (None, None)
            writer.writerow((*key, None, d.mean, *ends, d.p_value, d.p_holm, d.n))
            for micrograph, difference in d.micrographs.items():
                writer.writerow((*key, micrograph, difference, *(None,) * 5))
    return stream.getvalue()


Cell = str | float | int | None


def _mean_rows(task: TaskScore) -> Iterator[tuple[Cell, ...]]:
    for convention, score in task.conventions.items():
        for class_name, metric, found in _estimates(score):
            ends = found.ci95 or (None, None)
            yield convention, None, None, class_name, metric, found.mean, found.se, found.n, *ends
    if task.psd is not None:
        numbers = (task.psd.ks_score, None, task.psd.n, *task.psd.ci95)
        yield "paper", None, None, None, "ks_score", *numbers


def _estimates(score: ConventionScore) -> Iterator[tuple[str | None, str, MeanScore]]:
    yield None, "AC", score.AC
    yield None, "IU", score.IU
    for class_name, means in score.classes.items():
        yield class_name, "IU", means.IU
        yield class_name, "precision", means.precision
        yield class_name, "recall", means.recall


def _micrograph_rows(task: TaskScore) -> Iterator[tuple[Cell, ...]]:
    for image in task.images:
        numbers: list[tuple[str | None, str, float | None]] = [
            (None, "AC", image.AC),
            (None, "IU", image.IU),
        ]
        for name, scores in image.classes.items():
            numbers += [
                (name, "IU", scores.IU),
                (name, "precision", scores.precision),
                (name, "recall", scores.recall),
            ]
        if image.psd is not None:
            numbers += [
                (None, "ks_statistic", image.psd.ks_statistic),
                (None, "p_value", image.psd.p_value),
                (None, "n_true", image.psd.n_true),
                (None, "n_pred", image.psd.n_pred),
            ]
        for class_name, metric, value in numbers:
            yield None, image.id, image.fold, class_name, metric, value, *(None,) * 4
