"""Show scores as text: for a terminal, Markdown, LaTeX, or as CSV."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from textwrap import fill
from typing import TYPE_CHECKING

from uhcs_bench import formatting, protocol
from uhcs_bench.formatting import decimal, interval, mean_se, percent, three_digits
from uhcs_bench.metrics.table import (
    CLASS_SCORES,
    MEASURES,
    OVERALL_SCORES,
    RANKED_SCORES,
    named_scores,
)
from uhcs_bench.scoring import coverage
from uhcs_bench.stats import means

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from uhcs_bench.formatting import TextFormat
    from uhcs_bench.metrics.table import Measure
    from uhcs_bench.scoring.comparison import Comparison, Difference, TaskComparison
    from uhcs_bench.scoring.results import MeanScore, Report, Resampled, TaskScore

_WIDTH = 80


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


def to_html(report: Report) -> str:
    """Lay scores out for the output of a notebook's cell, see `to_text`."""
    from uhcs_bench.web import notebook

    tables = []
    words: list[str] = []
    for task in report.tasks:
        caption = _title(task, report).replace("\n", "; ")
        further = further_tables(task, report.resampled) if _is_extended(task) else []
        laid_out = (_class_table(task, "±"), _convention_table(task, "±"), *further)
        tables += [
            notebook.HtmlTable(table.headers, table.rows, caption if number == 0 else "")
            for number, table in enumerate(laid_out)
        ]
        words += sentences(task, report)
        if further:
            words += further_sentences(task)
    return notebook.html("Scores", [], tables=tables, sentences=words)


def _task_text(task: TaskScore, report: Report, form: TextFormat) -> str:
    plus_minus = r"$\pm$" if form == "latex" else "±"
    both = (_class_table(task, plus_minus), _convention_table(task, plus_minus))
    parts = [_title(task, report)]
    parts += [formatting.table(table.headers, table.rows, form) for table in both]
    parts.append("\n".join(_filled(sentence) for sentence in sentences(task, report)))
    if form == "latex":
        tables = (parts[1], parts[2])
        parts = [part if part in tables else _commented(part) for part in parts]
    for table in _asked_for(task, report.resampled):
        parts.append(formatting.table(table.headers, table.rows, form))
    if _is_extended(task):
        notes = "\n".join(_filled(sentence) for sentence in further_sentences(task))
        parts.append(_commented(notes) if form == "latex" else notes)
    return "\n\n".join(parts)


def _filled(sentence: str) -> str:
    return fill(sentence, width=_WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _asked_for(task: TaskScore, resampled: Resampled) -> list[Table]:
    """Tables that stand in the text with the option for them alone."""
    tables = further_tables(task, resampled)
    if _is_extended(task):
        return tables
    return tables[1:]


def sentences(task: TaskScore, report: Report) -> list[str]:
    """State what the tables of a task rest on.

    Parameters
    ----------
    task : TaskScore
    report : Report
        The report that it is of.

    Returns
    -------
    list of str
        On the intervals and their coverage, means over fewer micrographs, the standard error of
        the paper's tables, particle sizes, the training split, and further runs.
    """
    found = [interval_sentence(task), *_fewer_sentences(task)]
    errors = task.IU_errors
    if not math.isnan(errors.over_values):
        found.append(
            f"SE of the overall IU as in the paper, over {errors.n_values} values of a class on a "
            f"micrograph: {percent(errors.over_values)}."
        )
    if task.psd is not None:
        found += size_sentences(task)
    found.append(report.training)
    return [*found, report.one_run] if report.other_runs else found


def interval_sentence(task: TaskScore) -> str:
    """State how a task's intervals were made and what they hold, or why there are none."""
    if task.n_images < means.FEWEST:
        return (
            f"No 95 % intervals: below {means.FEWEST} micrographs none of those tried holds "
            f"{100 * means.COVERAGE:.0f} % (docs/intervals.md)."
        )
    text = (
        "95 %: bootstrap-t by micrograph; by sample: cluster-robust, by heat-treated sample, whose "
        f"micrographs are alike. In simulations both hold {100 * means.COVERAGE:.0f} % or more "
        "(docs/intervals.md)."
    )
    n_samples = len(set(task.samples))
    if n_samples < means.FEWEST_CLUSTERS:
        text += f" None by sample: {n_samples} samples are too few."
    return text


def _fewer_sentences(task: TaskScore) -> Iterator[str]:
    """Name the means in the tables that are over fewer micrographs than there are."""
    for convention, score in task.conventions.items():
        shown = CLASS_SCORES if convention == "paper" else RANKED_SCORES
        fewer: dict[int, list[str]] = defaultdict(list)
        for class_name, means_of_class in score.classes.items():
            by_n: dict[int, list[str]] = defaultdict(list)
            for metric in (column.name for column in shown if column.per_class):
                found = getattr(means_of_class, metric)
                if found.mean is not None and found.n != task.n_images:
                    by_n[found.n].append(metric)
            for n, metrics in by_n.items():
                fewer[n].append(f"{class_name} {' and '.join(metrics)}")
        for n, names in sorted(fewer.items(), reverse=True):
            yield f"n = {n} for {', '.join(names)} ({convention}): the others don't define it."


def size_sentences(task: TaskScore) -> list[str]:
    """State how far particle sizes differ, then what the paper's test says of them."""
    if task.psd is None:
        return []
    distance, moved = (task.measures["sizes"][name] for name in ("ks_distance", "wasserstein_px"))
    far = "undefined, since no micrograph has particles in both maps"
    if distance.mean is not None:
        far = (
            f"distance D {decimal(distance.mean)}, Wasserstein distance {decimal(moved.mean)} px "
            f"(means, n = {distance.n})"
        )
    psd = task.psd
    test = (
        f"KS score {percent(psd.ks_score)} % (95 % {interval(psd.ci95)}): a Kolmogorov-Smirnov "
        f"test at the {100 * psd.alpha:g} % level does not reject that predicted and annotated "
        f"sizes have one distribution on {psd.n_consistent} of {psd.n} micrographs, which is no "
        "evidence that they have."
    )
    return [f"Particle sizes: {far}.", test]


def further_sentences(task: TaskScore) -> list[str]:
    """State what the further measures rest on."""
    found = [f"* simulated coverage below {100 * means.COVERAGE:.0f} %, see docs/intervals.md."]
    areas = [
        area
        for image in task.images
        if (area := image.measures.get("denuded_zone", {}).get("filled_hole_um2")) is not None
    ]
    if areas:
        from uhcs_bench.metallography.denuded_zone import HOLE_PX

        found.append(
            f"Denuded zones: both procedures fill holes of the network below {HOLE_PX} px, which "
            f"is {min(areas):.3g} to {max(areas):.3g} um2 at the micrographs' pixel sizes."
        )
    return found


@dataclass(frozen=True)
class Table:
    """Text in columns, the first of which names the rows."""

    headers: list[str]
    rows: list[list[str]]


def further_tables(task: TaskScore, resampled: Resampled = "micrographs") -> list[Table]:
    """Lay out what was measured beside the paper's scores.

    Parameters
    ----------
    task : TaskScore
    resampled : {'micrographs', 'samples'}, optional
        Unit of the intervals.

    Returns
    -------
    list of Table
        Means of the measures; if asked for, for particles also on how many micrographs the KS test
        does not reject for each way of counting particles.
    """
    tables = [_measures_table(task, resampled)]
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


def _measures_table(task: TaskScore, resampled: Resampled) -> Table:
    rows = []
    for measure, class_name, found in _found_measures(task):
        if measure.long_name:
            factor = 100 if measure.unit == "%" else 1
            ends = [three_digits(factor * x) for x in found.interval(resampled) or ()]
            mark = "" if not ends or coverage.holds(measure.kind) else "*"
            rows.append(
                [
                    f"{measure.long_name} {class_name or ''}".strip(),
                    three_digits(None if found.mean is None else factor * found.mean),
                    (" to ".join(ends) or formatting.MISSING) + mark,
                    measure.unit,
                    str(found.n),
                ]
            )
    unit = "95 %" if resampled == "micrographs" else "95 % by sample"
    return Table(["measure", "mean", unit, "unit", "n"], rows)


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
    headers = [f"KS not rejected of {task.n_images}, from a size of", *(f"{m} px" for m in minima)]
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
        [name, *(mean_se(getattr(scores, s.name), plus_minus) for s in CLASS_SCORES)]
        for name, scores in score.classes.items()
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
            percent(first.mean),
            interval(first.ci95),
            interval(first.ci95_samples),
            *(mean_se(scores[key], plus_minus) for scores in by_convention[1:]),
        ]
        for key, first in by_convention[0].items()
        if key in shown
    ]
    return Table(["convention", paper, "95 %", "95 % by sample", *others], rows)


def comparison_to_text(comparison: Comparison, form: TextFormat = "table") -> str:
    """Lay a comparison out: for each pair the differences in percent points, then in words.

    Of more than two submissions, a matrix of all differences in IU stands first.

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
        if len(comparison.names) > 2:
            parts.append(_matrix_part(task, comparison, form))
        for a, b in combinations(comparison.names, 2):
            pair = compared(d for d in task.differences if (d.a, d.b) == (a, b))
            parts.append(_comparison_part(task, a, b, pair, comparison, form))
    note = _filled(comparison.note)
    return "\n\n".join([*parts, _commented(note) if form == "latex" else note])


_COMPARED = (*(score.name for score in OVERALL_SCORES), "KS")


def _matrix_part(task: TaskComparison, comparison: Comparison, form: TextFormat) -> str:
    version = _version_text(comparison.dataset_version)
    title = (
        f"{task.task}: all pairs, * separable; {version}, n = {task.n_images}\n"
        f"{_data_text(comparison.split, task.data_id)}"
    )
    found = _matrix_table(task, comparison.names)
    table = formatting.table(found.headers, found.rows, form)
    return f"{_commented(title) if form == 'latex' else title}\n\n{table}"


def _comparison_part(
    task: TaskComparison,
    a: str,
    b: str,
    differences: Sequence[Difference],
    comparison: Comparison,
    form: TextFormat,
) -> str:
    title = _pair_title(task, a, b, comparison)
    found = pair_table(differences)
    table = formatting.table(found.headers, found.rows, form)
    words = "\n".join(_filled(d.sentence) for d in differences if d.class_name is None)
    if form == "latex":
        title, words = _commented(title), _commented(words)
    return f"{title}\n\n{table}\n\n{words}"


def comparison_to_html(comparison: Comparison) -> str:
    """Lay a comparison out for the output of a notebook's cell, see `comparison_to_text`."""
    from uhcs_bench.web import notebook

    tables = []
    words = []
    for task in comparison.tasks:
        if len(comparison.names) > 2:
            matrix = _matrix_table(task, comparison.names)
            caption = f"{task.task}: percent points, * separable"
            tables.append(notebook.HtmlTable(matrix.headers, matrix.rows, caption))
        for a, b in combinations(comparison.names, 2):
            pair = compared(d for d in task.differences if (d.a, d.b) == (a, b))
            caption = _pair_title(task, a, b, comparison).replace("\n", "; ")
            table = pair_table(pair)
            tables.append(notebook.HtmlTable(table.headers, table.rows, caption))
            words += [d.sentence for d in pair if d.class_name is None]
    return notebook.html("Comparison", tables=tables, sentences=[*words, comparison.note])


def _pair_title(task: TaskComparison, a: str, b: str, comparison: Comparison) -> str:
    version = _version_text(comparison.dataset_version)
    return (
        f"{task.task}: {a} (A) and {b} (B); {version}, n = {task.n_images}\n"
        f"{_data_text(comparison.split, task.data_id)}"
    )


def compared(differences: Iterable[Difference]) -> list[Difference]:
    """List the differences that tables show: scores over all classes, of classes IU alone, KS."""
    return [difference for difference in differences if difference.metric in _COMPARED]


def _matrix_table(task: TaskComparison, names: Sequence[str]) -> Table:
    """Differences in IU of all pairs, row less column; * where they are separable."""
    found = {(d.a, d.b): d for d in task.differences if (d.metric, d.class_name) == ("IU", None)}

    def cell(a: str, b: str) -> str:
        sign, difference = (1, found.get((a, b))) if (a, b) in found else (-1, found.get((b, a)))
        if difference is None:
            return ""
        mark = "*" if difference.separable else ""
        return percent(sign * difference.mean, signed=True) + mark

    headers = ["IU, row - column", *(str(number) for number in range(1, len(names) + 1))]
    rows = [
        [f"{number} {a}", *(cell(a, b) for b in names)] for number, a in enumerate(names, start=1)
    ]
    return Table(headers, rows)


def pair_table(differences: Sequence[Difference]) -> Table:
    """Lay the differences of a pair out in percent points."""
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
