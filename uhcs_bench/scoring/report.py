"""Write a scored submission as one self-contained web page.

The page is ``templates/page.html.jinja`` filled with what this module computes: label maps and
error maps as images, confusion matrices, size distributions. Style and script are inline, and the
content security policy blocks everything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.data import dataset
from uhcs_bench.data.facts import facts
from uhcs_bench.metrics.table import CLASS_SCORES, RANKED_SCORES
from uhcs_bench.scoring import conventions, coverage, results
from uhcs_bench.scoring import text as tables
from uhcs_bench.stats.means import COVERAGE
from uhcs_bench.web.pictures import (
    LegendItem,
    ScaleBar,
    colored,
    error_legend,
    errors,
    gray,
    label_image,
    legend,
    luminance,
    scale_bar,
)
from uhcs_bench.web.size_plot import Diameters, SizePlot, size_plot, verdict
from uhcs_bench.web.templates import described, inline, render, write_page

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from uhcs_bench.data.micrograph import Micrograph
    from uhcs_bench.data.registry import Entry, FileKind
    from uhcs_bench.scoring.results import (
        ConventionScore,
        MicrographScore,
        Report,
        TaskScore,
    )
    from uhcs_bench.scoring.submission import Submission

_N_SHADES = 20
_DARKEST_SHADE = (8, 69, 122)


@dataclass(frozen=True)
class ConfusionCell:
    """Pixels of one annotated and one predicted class; the share is of the annotated pixels."""

    count: int
    share: float | None
    shade: int


@dataclass(frozen=True)
class FoldRow:
    """Scores of one fold in the paper's convention; on how many micrographs KS does not reject."""

    number: int
    n_images: int
    score: ConventionScore
    n_consistent: int | None


@dataclass(frozen=True)
class ClassRow:
    """Scores of one class on one micrograph, and its share of the area in both maps."""

    name: str
    color: str
    score: results.ClassScore
    annotated_share: float
    predicted_share: float


@dataclass(frozen=True)
class MicrographSection:
    """What the page shows of one micrograph; images are data URIs."""

    score: MicrographScore
    anchor: str
    rank: int
    facts: list[str]
    n_rows: int
    n_columns: int
    image: str
    annotation: str
    prediction: str
    errors: str
    scale_bar: ScaleBar | None
    classes: list[ClassRow]
    verdict: str | None
    plot: SizePlot | None


@dataclass(frozen=True)
class TaskSection:
    """What the page shows of one task."""

    task: protocol.Task
    score: TaskScore
    folds: str
    legend: list[LegendItem]
    error_legend: list[LegendItem]
    confusion: list[list[ConfusionCell]]
    fold_rows: list[FoldRow]
    sentences: list[str]
    further_tables: list[tables.Table]
    further_sentences: list[str]
    micrographs: list[MicrographSection]
    licences: dict[str, list[str]]
    citations: list[str]


def write(folder: Path, report: Report, submissions: Sequence[Submission], title: str) -> Path:
    """Write the page of a scored submission.

    Parameters
    ----------
    folder : Path
        Made where needed.
    report : Report
        The scores of `submissions`.
    submissions : sequence of Submission
        The label maps that were scored.
    title : str
        What was scored, for example the name of the folder of predictions.

    Returns
    -------
    Path
        ``index.html`` in `folder`. It is written atomically; the same input gives the same bytes.

    Raises
    ------
    ValueError
        If `report` is not that of `submissions`.
    DataUnavailableError
        If the micrographs could not be had from any source.

    Examples
    --------
    >>> import uhcs_bench
    >>> from uhcs_bench.scoring import score
    >>> from uhcs_bench.scoring.submission import read_submission
    >>> fold = uhcs_bench.load("particles", fold=2, version="synthetic")
    >>> maps = {m.id: m.labels for m in fold.val}
    >>> submissions = read_submission(maps, fold=2, version="synthetic")
    >>> report = score.score_submissions(submissions)
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write(Path(folder), report, submissions, "the annotations themselves").name
    'index.html'
    """
    return write_page(folder, to_html(report, submissions, title))


def to_html(report: Report, submissions: Sequence[Submission], title: str) -> str:
    """Lay the scores and maps of a submission out as a web page; see `write`.

    Returns
    -------
    str
        The text of ``index.html``.
    """
    data = (report.dataset_version, report.split)
    scored = [(*data, task.task, [image.id for image in task.images]) for task in report.tasks]
    submitted = [
        (s.version, s.split, s.task.name, [entry.id for entry in s.entries]) for s in submissions
    ]
    if scored != submitted:
        raise ValueError(f"the report is on {scored}, the submissions are {submitted}")
    return render(
        "scoring/templates/page.html.jinja",
        title=title,
        report=report,
        conventions=protocol.CONVENTIONS,
        class_scores=CLASS_SCORES,
        ranked_scores=RANKED_SCORES,
        holds=coverage.holds,
        least_coverage=COVERAGE,
        tasks=[
            _task_section(score, submission, report)
            for score, submission in zip(report.tasks, submissions, strict=True)
        ],
        **described(report.dataset_version, report.split),
        **inline(_shades_css()),
    )


def _shades_css() -> str:
    """Colour the cells of confusion matrices by share of row.

    Classes and not style attributes, since the content security policy forbids those.
    """
    rules = []
    for shade in range(_N_SHADES + 1):
        rgb = [round(255 + (dark - 255) * shade / _N_SHADES) for dark in _DARKEST_SHADE]
        background = "#{:02x}{:02x}{:02x}".format(*rgb)
        # Of black and white, one always has a contrast of at least 4.5 against any colour.
        text = "#fff" if luminance(rgb) < 0.179 else "#000"
        rules.append(f".shade-{shade} {{ background: {background}; color: {text}; }}\n")
    return "".join(rules)


def _task_section(score: TaskScore, submission: Submission, report: Report) -> TaskSection:
    task = submission.task
    truth = {m.id: m for m in dataset.micrographs(submission.entries)}
    worst_first = sorted(score.images, key=lambda image: image.IU)
    diameters = {
        image.id: Diameters(truth[image.id].labels, submission.maps[image.id])
        for image in score.images
        if task.has_particles
    }
    largest_px = max((d.largest_px for d in diameters.values()), default=1.0)
    return TaskSection(
        task=task,
        score=score,
        folds=_folds(score.folds),
        legend=legend(task),
        error_legend=error_legend(task),
        confusion=_confusion(np.sum([image.confusion for image in score.images], axis=0)),
        fold_rows=[_fold_row(score, number, task.classes) for number in score.folds],
        sentences=tables.sentences(score, report),
        further_tables=tables.further_tables(score, report.resampled),
        further_sentences=tables.further_sentences(score),
        micrographs=[
            _micrograph_section(
                image,
                rank,
                truth[image.id],
                submission.maps[image.id],
                task,
                size_plot(diameters[image.id], image.psd, truth[image.id].pixel_size_um, largest_px)
                if image.psd
                else None,
            )
            for rank, image in enumerate(worst_first, start=1)
        ],
        licences=licences(submission.entries),
        citations=citations(submission.entries),
    )


def licences(entries: Sequence[Entry]) -> dict[str, list[str]]:
    """Licences of annotations and of micrographs, which can differ; what is generated has one."""
    kinds: dict[str, FileKind] = {"annotations": "labels", "micrographs": "image"}
    return {
        what: _unique(e.files[kind].licence if e.files else e.licence for e in entries)
        for what, kind in kinds.items()
    }


def citations(entries: Sequence[Entry]) -> list[str]:
    """List what to cite, each text once."""
    return _unique(text for entry in entries for text in entry.citation)


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _folds(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"fold {numbers[0]}"
    return f"folds {numbers[0]} to {numbers[-1]}"


def _confusion(counts: NDArray[np.int64]) -> list[list[ConfusionCell]]:
    table = []
    for row in counts.tolist():
        whole = sum(row)
        shares = [count / whole if whole else None for count in row]
        table.append(
            [
                ConfusionCell(count, share, round((share or 0.0) * _N_SHADES))
                for count, share in zip(row, shares, strict=True)
            ]
        )
    return table


def _fold_row(score: TaskScore, number: int, classes: tuple[str, ...]) -> FoldRow:
    images = [image for image in score.images if image.fold == number]
    confusions = np.array([image.confusion for image in images])
    tests = [image.psd for image in images if image.psd]
    return FoldRow(
        number=number,
        n_images=len(images),
        score=conventions.conventions(confusions, classes)["paper"],
        n_consistent=sum(test.consistent for test in tests) if tests else None,
    )


def _micrograph_section(
    score: MicrographScore,
    rank: int,
    micrograph: Micrograph,
    predicted: NDArray[np.uint8],
    task: protocol.Task,
    plot: SizePlot | None,
) -> MicrographSection:
    confusion = np.array(score.confusion)
    annotated_shares = confusion.sum(1) / confusion.sum()
    predicted_shares = confusion.sum(0) / confusion.sum()
    n_rows, n_columns = micrograph.labels.shape
    return MicrographSection(
        score=score,
        anchor=anchor(micrograph.entry),
        rank=rank,
        facts=facts(micrograph),
        n_rows=n_rows,
        n_columns=n_columns,
        image=gray(micrograph.image),
        annotation=label_image(micrograph.labels, task.colors),
        prediction=label_image(predicted, task.colors),
        errors=colored(*errors(micrograph.labels, predicted, task)),
        scale_bar=scale_bar(micrograph.pixel_size_um, n_columns),
        classes=[
            ClassRow(
                name,
                task.colors[label],
                score.classes[name],
                float(annotated_shares[label]),
                float(predicted_shares[label]),
            )
            for label, name in enumerate(task.classes)
        ],
        verdict=verdict(score.psd) if score.psd else None,
        plot=plot,
    )


def anchor(entry: Entry) -> str:
    """Name a section so that a link to it needs no escapes."""
    return f"{entry.task}-{re.sub('[^A-Za-z0-9-]+', '-', entry.id)}"
