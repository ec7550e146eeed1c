"""The paper's Tables 1 to 4 beside what was found, as text.

A number stands beside one of its kind: the spread of the overall IU is the standard error over
micrographs x classes, as the paper has it, and that of Otsu's threshold a standard deviation.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tabulate import tabulate

from uhcs_bench import paper, protocol
from uhcs_bench.stats.standard_errors import overall_errors

if TYPE_CHECKING:
    from uhcs_bench.scoring.results import TaskScore

UNKNOWN = "unknown"
MISSING = "missing"

WIDTH = 80
"""Characters of a line."""

STRICT = "pixelnet-focal-paper"
"""PixelNet with the settings of the paper's text, in columns of its own beside the others'."""

Scores = Mapping[tuple[str, str], "TaskScore"]
"""By method and task, of those that have all label maps."""

_ERRORS = (
    "Standard errors over the micrographs; that of the overall IU over micrographs x classes, as "
    "the paper has it, here too."
)

_TABLE_4 = {
    "IU matrix": ("matrix", "IU"),
    "IU particle": ("particle", "IU"),
    "IU mean": ("overall", "IU"),
    "AC": ("overall", "AC"),
}
"""Class and metric of the columns of Table 4."""


@dataclass(frozen=True)
class Cell:
    """A number, percent.

    Attributes
    ----------
    mean, spread : float or None
    is_deviation : bool
        The spread is a standard deviation instead of a standard error.
    """

    mean: float | None
    spread: float | None = None
    is_deviation: bool = False

    def __str__(self) -> str:
        if self.mean is None:
            return "-"
        if self.spread is None:
            return f"{self.mean:.1f}"
        if self.is_deviation:
            return f"{self.mean:.1f} (SD {self.spread:.1f})"
        return f"{self.mean:.1f} ± {self.spread:.1f}"


def class_table(table: paper.ClassTable, found: Scores) -> str:
    """Lay out a table of the paper by class.

    Parameters
    ----------
    table : ClassTable
    found : mapping
        `Scores`.

    Returns
    -------
    str
    """
    names = (*protocol.task(table.task).classes, "overall")
    rows = [(name, metric) for name in names for metric in paper.METRICS]
    published = [table.cells.get(name, {}).get(metric) for name, metric in rows]
    columns = [
        [None if score is None else _cell(score, *row) for row in rows]
        for score in _beside(found, table.method, table.task)
    ]
    return _titled(table.title, rows, published, columns, "class", [table.note, _ERRORS])


def table_4(found: Scores) -> str:
    """Lay out Table 4."""
    rows = [(method, name) for method in paper.TABLE_4 for name in (*_TABLE_4, "KS score")]
    published = [paper.TABLE_4[method].get(name) for method, name in rows]
    columns = [[_table_4_cell(found, method, name) for method, name in rows]]
    if (STRICT, "particles") in found:
        columns.append(
            [
                _table_4_cell(found, STRICT, name) if method in STRICT else Cell(None)
                for method, name in rows
            ]
        )
    note = "The spread of the Otsu rows is a standard deviation (SD) over micrographs, here too."
    return _titled(paper.TABLE_4_TITLE, rows, published, columns, "method", [note, _ERRORS])


def _beside(found: Scores, method: str, task: str) -> list[TaskScore | None]:
    scores = [found.get((method, task))]
    strict = found.get((STRICT, task)) if method in STRICT else None
    return scores if strict is None else [*scores, strict]


def _table_4_cell(found: Scores, method: str, name: str) -> Cell | None:
    score = found.get((method, "particles"))
    if score is None:
        return None
    if name == "KS score":
        return Cell(None if score.psd is None else 100 * score.psd.ks_score)
    place = _TABLE_4[name]
    return _deviation(score, *place) if method == "otsu" else _cell(score, *place)


def _cell(score: TaskScore, name: str, metric: str) -> Cell:
    """Pick a number of Tables 1 to 4: overall precision and recall are the pixel accuracy."""
    if name == "overall" and metric == "IU":
        return overall_iu(score)
    means = score.conventions["paper"]
    mean = means.AC if name == "overall" else getattr(means.classes[name], metric)
    value, error = (None if part is None else 100 * part for part in (mean.mean, mean.se))
    return Cell(value, error)


def overall_iu(score: TaskScore) -> Cell:
    """Give the overall IU with its standard error over micrographs x classes."""
    values = np.array(
        [[c.IU for c in image.classes.values()] for image in score.images], dtype=float
    )
    mean = score.conventions["paper"].IU.mean
    return Cell(
        None if mean is None else 100 * mean, float(100 * overall_errors(values).over_values)
    )


def _deviation(score: TaskScore, name: str, metric: str) -> Cell:
    """Give a number of Table 4 with its standard deviation over micrographs."""
    values = np.array(
        [
            getattr(image, metric) if name == "overall" else getattr(image.classes[name], metric)
            for image in score.images
        ],
        dtype=float,
    )
    known = 100 * values[~np.isnan(values)]
    return Cell(float(known.mean()), float(known.std(ddof=1)), is_deviation=True)


def _titled(
    title: str,
    rows: Sequence[tuple[str, str]],
    published: Sequence[paper.Published | None],
    columns: Sequence[Sequence[Cell | None]],
    what: str,
    notes: Sequence[str],
) -> str:
    """Lay out a table: the paper's numbers, then those found with their differences."""
    headers = [what, "%", "paper", "here", "diff."]
    if len(columns) > 1:
        headers += ["text's settings", "diff."]
        notes = [*notes, _STRICT_NOTE]
    lines = [
        [
            *row,
            _published(number),
            *(text for cell in cells for text in _beside_paper(number, cell)),
        ]
        for row, number, *cells in zip(rows, published, *columns, strict=True)
    ]
    text = tabulate(lines, headers=headers, disable_numparse=True)
    written = [textwrap.fill(note, WIDTH) for note in notes if note]
    return "\n".join([title, "", text, "", *written])


_STRICT_NOTE = f'"text\'s settings" are those of {STRICT}, see below.'


def _beside_paper(number: paper.Published | None, cell: Cell | None) -> tuple[str, str]:
    """Give a number found here, and how far it is from the paper's."""
    if cell is None:
        return MISSING, ""
    if number is None or cell.mean is None:
        return str(cell), ""
    return str(cell), f"{cell.mean - number.mean:+.1f}"


def _published(number: paper.Published | None) -> str:
    return UNKNOWN if number is None else str(Cell(number.mean, number.spread, number.is_deviation))
