"""Write a comparison of two submissions as one self-contained web page.

The page is ``templates/comparison.html.jinja``. For each micrograph it shows both maps, and the
pixels on which they differ in the colour of the one that is right. Style and script are those of
the page of a score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench._version import __version__
from uhcs_bench.data import dataset
from uhcs_bench.data.facts import facts
from uhcs_bench.formatting import percent
from uhcs_bench.scoring import report, text
from uhcs_bench.web.pictures import (
    RIGHT_COLORS,
    LegendItem,
    ScaleBar,
    colored,
    disagreement,
    gray,
    label_image,
    legend,
    scale_bar,
)
from uhcs_bench.web.templates import described, inline, render, write_page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from uhcs_bench import protocol
    from uhcs_bench.data.micrograph import Micrograph
    from uhcs_bench.scoring.comparison import Comparison, TaskComparison
    from uhcs_bench.scoring.results import MicrographScore, Report
    from uhcs_bench.scoring.submission import Submission


@dataclass(frozen=True)
class MicrographPair:
    """What the page shows of one micrograph; images are data URIs."""

    id: str
    anchor: str
    fold: int
    IU_a: float
    IU_b: float
    difference: float
    facts: list[str]
    n_rows: int
    n_columns: int
    image: str
    annotation: str
    a: str
    b: str
    disagreement: str
    shares: list[LegendItem]
    scale_bar: ScaleBar | None


@dataclass(frozen=True)
class TaskSection:
    """What the page shows of one task."""

    task: protocol.Task
    data_id: str
    legend: list[LegendItem]
    table: text.Table
    sentences: list[str]
    micrographs: list[MicrographPair]
    licences: dict[str, list[str]]
    citations: list[str]


@dataclass(frozen=True)
class Scored:
    """A submission with its scores.

    Attributes
    ----------
    report : Report
    submissions : sequence of Submission
        The label maps that were scored, by task.
    """

    report: Report
    submissions: Sequence[Submission]

    def of(self, task: str) -> tuple[list[MicrographScore], Submission]:
        """Scores and maps of one task."""
        (submission,) = (s for s in self.submissions if s.task.name == task)
        return self.report[task].images, submission


def write(folder: Path, comparison: Comparison, a: Scored, b: Scored) -> Path:
    """Write the page of a comparison.

    Parameters
    ----------
    folder : Path
        Made where needed.
    comparison : Comparison
        Of the reports of `a` and `b`, in this order.
    a, b : Scored

    Returns
    -------
    Path
        ``index.html`` in `folder`. It is written atomically; the same input gives the same bytes.

    Raises
    ------
    ValueError
        If the comparison is not of two submissions.
    DataUnavailableError
        If the micrographs could not be had from any source.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import uhcs_bench
    >>> from uhcs_bench.scoring.score import score_submissions
    >>> from uhcs_bench.scoring.submission import read_submission
    >>> fold = uhcs_bench.load("particles", fold=2, version="synthetic")
    >>> def scored(maps):
    ...     read = read_submission(maps, fold=2, version="synthetic")
    ...     return Scored(score_submissions(read), read)
    >>> a = scored({m.id: m.labels for m in fold.val})
    >>> b = scored({m.id: 0 * m.labels for m in fold.val})
    >>> found = uhcs_bench.compare(a.report, b.report, names=["truth", "nothing"])
    >>> with TemporaryDirectory() as folder:
    ...     write(Path(folder), found, a, b).name
    'index.html'
    """
    return write_page(folder, to_html(comparison, a, b))


def to_html(comparison: Comparison, a: Scored, b: Scored) -> str:
    """Lay a comparison out as a web page, see `write`."""
    if len(comparison.names) != 2:
        raise ValueError(f"the page shows two submissions, not {len(comparison.names)}")
    return render(
        "scoring/templates/comparison.html.jinja",
        title=" and ".join(comparison.names),
        names=comparison.names,
        comparison=comparison,
        scorer_version=__version__,
        tasks=[_task_section(task, a, b) for task in comparison.tasks],
        **described(comparison.dataset_version, comparison.split),
        **inline(),
    )


def _task_section(compared: TaskComparison, a: Scored, b: Scored) -> TaskSection:
    (scores_a, maps_a), (scores_b, maps_b) = a.of(compared.task), b.of(compared.task)
    truth = {m.id: m for m in dataset.micrographs(maps_a.entries)}
    pairs = [
        _pair(truth[of_a.id], (of_a, of_b), (maps_a, maps_b))
        for of_a, of_b in zip(scores_a, scores_b, strict=True)
    ]
    shown = text.compared(compared.differences)
    return TaskSection(
        task=maps_a.task,
        data_id=compared.data_id,
        legend=legend(maps_a.task),
        table=text.pair_table(shown),
        sentences=[d.sentence for d in shown if d.class_name is None],
        micrographs=sorted(pairs, key=lambda pair: pair.difference),
        licences=report.licences(maps_a.entries),
        citations=report.citations(maps_a.entries),
    )


def _pair(
    micrograph: Micrograph,
    scores: tuple[MicrographScore, MicrographScore],
    submissions: tuple[Submission, Submission],
) -> MicrographPair:
    task = submissions[0].task
    map_a, map_b = (submission.maps[micrograph.id] for submission in submissions)
    indices, colors = disagreement(micrograph.labels, map_a, map_b)
    counts = np.bincount(indices.ravel(), minlength=len(colors))
    # With two classes, maps that differ can't both be wrong.
    meanings = ["A alone is right", "B alone is right", "both are wrong, differently"]
    del meanings[len(task.classes) :]
    n_rows, n_columns = micrograph.labels.shape
    return MicrographPair(
        id=micrograph.id,
        anchor=report.anchor(micrograph.entry),
        fold=scores[0].fold,
        IU_a=scores[0].IU,
        IU_b=scores[1].IU,
        difference=scores[0].IU - scores[1].IU,
        facts=facts(micrograph),
        n_rows=n_rows,
        n_columns=n_columns,
        image=gray(micrograph.image),
        annotation=label_image(micrograph.labels, task.colors),
        a=label_image(map_a, task.colors),
        b=label_image(map_b, task.colors),
        disagreement=colored(indices, colors),
        shares=[
            LegendItem(color, f"{meaning}: {percent(float(count / indices.size))} % of the pixels")
            for color, meaning, count in zip(RIGHT_COLORS, meanings, counts, strict=False)
        ],
        scale_bar=scale_bar(micrograph.pixel_size_um, n_columns),
    )
