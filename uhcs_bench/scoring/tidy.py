"""Scores and comparisons as tidy tables: a row a number, for CSV files and data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uhcs_bench.metrics.table import named_scores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from uhcs_bench.io.tables import Cell
    from uhcs_bench.scoring.comparison import Comparison
    from uhcs_bench.scoring.results import Report, TaskScore

CSV_COLUMNS = (
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
    "ci95_samples_low",
    "ci95_samples_high",
)

COMPARISON_CSV_COLUMNS = (
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
    "resampled",
    "ci95_low",
    "ci95_high",
    "p_value",
    "p_holm",
    "n",
)


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
    from uhcs_bench.io.tables import csv_text

    return csv_text(CSV_COLUMNS, csv_rows(report))


def csv_rows(report: Report) -> Iterator[tuple[Cell, ...]]:
    """List the rows of `to_csv`, in the order of `CSV_COLUMNS`."""
    for task in report.tasks:
        data = (report.dataset_version, report.split, task.data_id, task.task)
        for row in (*_mean_rows(task), *_micrograph_rows(task)):
            yield (*data, *row)


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
    from uhcs_bench.io.tables import csv_text

    return csv_text(COMPARISON_CSV_COLUMNS, comparison_csv_rows(comparison))


def comparison_csv_rows(comparison: Comparison) -> Iterator[tuple[Cell, ...]]:
    """List the rows of `comparison_to_csv`, in the order of `COMPARISON_CSV_COLUMNS`."""
    for task in comparison.tasks:
        data = (comparison.dataset_version, comparison.split, task.data_id, task.task)
        for d in task.differences:
            key = (*data, d.a, d.b, d.metric, d.class_name)
            ends = d.ci95 or (None, None)
            yield *key, None, d.mean, comparison.resampled, *ends, d.p_value, d.p_holm, d.n
            for micrograph, difference in d.micrographs.items():
                yield *key, micrograph, difference, *(None,) * 6


def _mean_rows(task: TaskScore) -> Iterator[tuple[Cell, ...]]:
    for convention, score in task.conventions.items():
        for metric, class_name, found in named_scores(score):
            ends = (*(found.ci95 or (None, None)), *(found.ci95_samples or (None, None)))
            yield convention, None, None, class_name, metric, found.mean, found.se, found.n, *ends
    if task.psd is not None:
        numbers = (task.psd.ks_score, None, task.psd.n, *task.psd.ci95, None, None)
        yield "paper", None, None, None, "ks_score", *numbers


def _micrograph_rows(task: TaskScore) -> Iterator[tuple[Cell, ...]]:
    for image in task.images:
        numbers: list[tuple[str | None, str, float | None]] = [
            (class_name, metric, value) for metric, class_name, value in named_scores(image)
        ]
        if image.psd is not None:
            numbers += [
                (None, "ks_statistic", image.psd.ks_statistic),
                (None, "p_value", image.psd.p_value),
                (None, "n_true", image.psd.n_true),
                (None, "n_pred", image.psd.n_pred),
            ]
        for class_name, metric, value in numbers:
            yield None, image.id, image.fold, class_name, metric, value, *(None,) * 6
