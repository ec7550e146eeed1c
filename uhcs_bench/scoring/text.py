"""Show scores as text: for a terminal, Markdown, LaTeX, or as CSV."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from textwrap import fill
from typing import TYPE_CHECKING

from uhcs_bench import formatting, protocol
from uhcs_bench.formatting import interval, mean_se, percent, three_digits
from uhcs_bench.io.tables import csv_text
from uhcs_bench.metrics.table import CLASS_SCORES, MEASURES, OVERALL_SCORES, RANKED_SCORES
from uhcs_bench.scoring.results import named_scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from uhcs_bench.formatting import TextFormat
    from uhcs_bench.io.tables import Cell
    from uhcs_bench.metrics.table import Measure
    from uhcs_bench.scoring.comparison import Comparison, Difference, TaskComparison
    from uhcs_bench.scoring.results import MeanScore, Report, SizeDistributionScore, TaskScore

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
    return csv_text(CSV_COLUMNS, csv_rows(report))


def csv_rows(report: Report) -> Iterator[tuple[Cell, ...]]:
    """List the rows of `to_csv`, in the order of `CSV_COLUMNS`."""
    for task in report.tasks:
        data = (report.dataset_version, report.split, task.data_id, task.task)
        for row in (*_mean_rows(task), *_micrograph_rows(task)):
            yield (*data, *row)


def to_html(report: Report) -> str:
    """Lay scores out for the output of a notebook's cell, see `to_text`."""
    from uhcs_bench.web import notebook

    tables = []
    sentences = []
    for task in report.tasks:
        caption = _title(task, report).replace("\n", "; ")
        further = further_tables(task) if _is_extended(task) else []
        laid_out = (_class_table(task, "±"), _convention_table(task, "±"), *further)
        tables += [
            notebook.HtmlTable(table.headers, table.rows, caption if number == 0 else "")
            for number, table in enumerate(laid_out)
        ]
        if task.psd is not None:
            sentences.append(_ks_sentence(task.psd).replace("\n", " "))
    return notebook.html(
        "Scores", [f"intervals resample {report.resampled}"], tables=tables, sentences=sentences
    )


def _task_text(task: TaskScore, report: Report, form: TextFormat) -> str:
    plus_minus = r"$\pm$" if form == "latex" else "±"
    both = (_class_table(task, plus_minus), _convention_table(task, plus_minus))
    parts = [_title(task, report)]
    parts += [formatting.table(table.headers, table.rows, form) for table in both]
    if task.psd is not None:
        parts.append(_ks_sentence(task.psd))
    if form == "latex":
        tables = (parts[1], parts[2])
        parts = [part if part in tables else _commented(part) for part in parts]
    if _is_extended(task):
        parts += [
            formatting.table(table.headers, table.rows, form) for table in further_tables(task)
        ]
    elif "ks_sensitivity" in task.measures:
        table = _sensitivity_table(task)
        parts.append(formatting.table(table.headers, table.rows, form))
    return "\n\n".join(parts)


def _ks_sentence(psd: SizeDistributionScore) -> str:
    return (
        f"KS score {psd.ks_score:.3f} (95 % {psd.ci95[0]:.3f} to {psd.ci95[1]:.3f}): predicted and "
        f"annotated particle sizes\nare consistent on {psd.n_consistent} of {psd.n} micrographs "
        f"(Kolmogorov-Smirnov test, alpha {psd.alpha:g})."
    )


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


def _is_extended(task: TaskScore) -> bool:
    """Whether the measures that take long were measured."""
    return any(measure.extended for measure, _, _ in _found_measures(task))


def _found_measures(task: TaskScore) -> Iterator[tuple[Measure, str | None, MeanScore]]:
    """List means with their measure and class, class by class."""
    for measure in MEASURES:
        branch = task.measures
        for key in measure.group:
            branch = branch.get(key, {})
        if not measure.per_class and measure.name in branch:
            yield measure, None, branch[measure.name]
        if measure is _FIRST_OF_CLASSES:
            for class_name, found in task.measures["classes"].items():
                for of_class in (m for m in MEASURES if m.per_class and m.name in found):
                    yield of_class, class_name, found[of_class.name]


_FIRST_OF_CLASSES = next(measure for measure in MEASURES if measure.per_class)


def _measures_table(task: TaskScore) -> Table:
    rows = []
    for measure, class_name, found in _found_measures(task):
        if measure.long_name:
            factor = 100 if measure.unit == "%" else 1
            ends = () if found.ci95 is None else [three_digits(factor * x) for x in found.ci95]
            rows.append(
                [
                    f"{measure.long_name} {class_name or ''}".strip(),
                    three_digits(None if found.mean is None else factor * found.mean),
                    " to ".join(ends) or formatting.MISSING,
                    measure.unit,
                    str(found.n),
                ]
            )
    return Table(["measure", "mean", "95 %", "unit", "n"], rows)


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


def _class_table(task: TaskScore, plus_minus: str) -> Table:
    score = task.conventions["paper"]
    rows = [
        [name, *(mean_se(getattr(means, s.name), plus_minus) for s in CLASS_SCORES)]
        for name, means in score.classes.items()
    ]
    overall = [
        formatting.MISSING if s.overall is None else mean_se(getattr(score, s.overall), plus_minus)
        for s in CLASS_SCORES
    ]
    rows.append(["overall", *overall])
    return Table(["%, mean and SE", *(s.name for s in CLASS_SCORES)], rows)


def _convention_table(task: TaskScore, plus_minus: str) -> Table:
    paper, *others = task.conventions
    by_convention = [
        {(metric, name): value for metric, name, value in named_scores(score)}
        for score in task.conventions.values()
    ]
    shown: set[tuple[str, str | None]] = {(score.name, None) for score in OVERALL_SCORES}
    shown |= {
        (score.name, name) for score in RANKED_SCORES for name in task.conventions[paper].classes
    }
    rows = [
        [
            " ".join(filter(None, key)),
            mean_se(first, plus_minus),
            interval(first.ci95),
            *(mean_se(scores[key], plus_minus) for scores in by_convention[1:]),
        ]
        for key, first in by_convention[0].items()
        if key in shown
    ]
    return Table(["convention", paper, "95 %", *others], rows)


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


_COMPARED = (*(score.name for score in OVERALL_SCORES), "KS")
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
    title = _pair_title(task, a, b, comparison)
    found = _pair_table(differences)
    table = formatting.table(found.headers, found.rows, form)
    words = "\n".join(
        fill(d.sentence, width=80, subsequent_indent="  ")
        for d in differences
        if d.class_name is None
    )
    if form == "latex":
        title, words = _commented(title), _commented(words)
    return f"{title}\n\n{table}\n\n{words}"


def comparison_to_html(comparison: Comparison) -> str:
    """Lay a comparison out for the output of a notebook's cell, see `comparison_to_text`."""
    from uhcs_bench.web import notebook

    tables = []
    sentences = []
    for task in comparison.tasks:
        for a, b in combinations(comparison.names, 2):
            pair = [d for d in task.differences if (d.a, d.b) == (a, b) and d.metric in _COMPARED]
            caption = _pair_title(task, a, b, comparison).replace("\n", "; ")
            table = _pair_table(pair)
            tables.append(notebook.HtmlTable(table.headers, table.rows, caption))
            sentences += [d.sentence for d in pair if d.class_name is None]
    return notebook.html("Comparison", tables=tables, sentences=sentences)


def _pair_title(task: TaskComparison, a: str, b: str, comparison: Comparison) -> str:
    version = _version_text(comparison.dataset_version)
    return (
        f"{task.task}: {a} (A) and {b} (B); {version}, n = {task.n_images}\n"
        f"{_data_text(comparison.split, task.data_id)}"
    )


def _pair_table(differences: Sequence[Difference]) -> Table:
    rows = [
        [
            f"{d.metric} {d.class_name or ''}".strip(),
            percent(d.mean_a),
            percent(d.mean_b),
            percent(d.mean, signed=True),
            interval(d.ci95, signed=True),
            formatting.p_value(d.p_holm),
            f"{d.n_better}:{d.n_worse}",
        ]
        for d in differences
    ]
    return Table(["%, mean", "A", "B", "A - B", "95 %", "p (Holm)", "A:B"], rows)


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
    return csv_text(COMPARISON_CSV_COLUMNS, comparison_csv_rows(comparison))


def comparison_csv_rows(comparison: Comparison) -> Iterator[tuple[Cell, ...]]:
    """List the rows of `comparison_to_csv`, in the order of `COMPARISON_CSV_COLUMNS`."""
    for task in comparison.tasks:
        data = (comparison.dataset_version, comparison.split, task.data_id, task.task)
        for d in task.differences:
            key = (*data, d.a, d.b, d.metric, d.class_name)
            ends = d.ci95 or (None, None)
            yield *key, None, d.mean, *ends, d.p_value, d.p_holm, d.n
            for micrograph, difference in d.micrographs.items():
                yield *key, micrograph, difference, *(None,) * 5


def _mean_rows(task: TaskScore) -> Iterator[tuple[Cell, ...]]:
    for convention, score in task.conventions.items():
        for metric, class_name, found in named_scores(score):
            ends = found.ci95 or (None, None)
            yield convention, None, None, class_name, metric, found.mean, found.se, found.n, *ends
    if task.psd is not None:
        numbers = (task.psd.ks_score, None, task.psd.n, *task.psd.ci95)
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
            yield None, image.id, image.fold, class_name, metric, value, *(None,) * 4
