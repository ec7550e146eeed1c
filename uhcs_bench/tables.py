"""Show scores as text: for a terminal, Markdown, LaTeX, or as CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Literal

from uhcs_bench import protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from uhcs_bench.scoring import ConventionScore, Estimate, Report, TaskScore

TextFormat = Literal["table", "markdown", "latex"]

_TABULATE_FORMATS = {"table": "simple", "markdown": "github", "latex": "latex_raw"}
_MISSING = "-"
_CSV_COLUMNS = (
    "dataset_version",
    "task",
    "convention",
    "micrograph",
    "fold",
    "class",
    "metric",
    "value",
    "se",
    "n",
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
    return "\n\n".join(_task_text(task, report.dataset_version, form) for task in report.tasks)


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
            writer.writerow((report.dataset_version, task.task, *row))
    return stream.getvalue()


def _task_text(task: TaskScore, version: str, form: TextFormat) -> str:
    plus_minus = r"$\pm$" if form == "latex" else "±"
    parts = [_title(task, version), _class_table(task, form, plus_minus)]
    parts.append(_convention_table(task, form, plus_minus))
    if task.psd is not None:
        parts.append(
            f"KS score {task.psd.ks_score:.3f}: predicted and annotated particle sizes are "
            f"consistent on\n{task.psd.n_consistent} of {task.psd.n} micrographs "
            f"(two-sample Kolmogorov-Smirnov test, alpha {task.psd.alpha:g})."
        )
    if form == "latex":
        # The sentences are no LaTeX source; % keeps the output usable as it is.
        tables = (parts[1], parts[2])
        parts = [
            p if p in tables else "\n".join(f"% {line}" for line in p.split("\n")) for p in parts
        ]
    return "\n\n".join(parts)


def _title(task: TaskScore, version: str) -> str:
    name = f"data set {version}"
    if version == protocol.SYNTHETIC_VERSION:
        name = "SYNTHETIC set, not real micrographs"
    numbers = task.folds
    folds = f"fold {numbers[0]}"
    if len(numbers) > 1:
        folds = f"folds {numbers[0]}-{numbers[-1]}"
    return f"{task.task}: {name}; n = {task.n_images}, {folds}"


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
    scores = task.conventions.values()
    rows = [
        ["AC", *(_percent(score.AC, plus_minus) for score in scores)],
        ["IU", *(_percent(score.IU, plus_minus) for score in scores)],
    ]
    rows += [
        [f"IU {name}", *(_percent(score.classes[name].IU, plus_minus) for score in scores)]
        for name in task.conventions["paper"].classes
    ]
    return _tabulate(["convention", *task.conventions], rows, form)


def _percent(estimate: Estimate, plus_minus: str) -> str:
    if estimate.mean is None:
        return _MISSING
    mean = f"{100 * estimate.mean:.1f}"
    if estimate.se is None:
        return mean
    return f"{mean} {plus_minus} {100 * estimate.se:.1f}"


def _tabulate(headers: Sequence[str], rows: Sequence[Sequence[str]], form: TextFormat) -> str:
    from tabulate import tabulate

    if form == "latex":
        headers = [header.replace("%", r"\%") for header in headers]
    alignment = ["left"] + ["right"] * (len(headers) - 1)
    return tabulate(
        rows,
        headers=headers,
        tablefmt=_TABULATE_FORMATS[form],
        colalign=alignment,
        disable_numparse=True,
    )


Cell = str | float | int | None


def _mean_rows(task: TaskScore) -> Iterator[tuple[Cell, ...]]:
    for convention, score in task.conventions.items():
        for class_name, metric, estimate in _estimates(score):
            yield (
                convention,
                None,
                None,
                class_name,
                metric,
                estimate.mean,
                estimate.se,
                estimate.n,
            )
    if task.psd is not None:
        yield ("paper", None, None, None, "ks_score", task.psd.ks_score, None, task.psd.n)


def _estimates(score: ConventionScore) -> Iterator[tuple[str | None, str, Estimate]]:
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
            yield None, image.id, image.fold, class_name, metric, value, None, None
