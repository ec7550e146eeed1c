"""Tables of a board as text, from ``leaderboard.json`` alone."""

from __future__ import annotations

import textwrap
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from uhcs_bench import formatting
from uhcs_bench.errors import UsageError
from uhcs_bench.formatting import percent
from uhcs_bench.ranking import fit
from uhcs_bench.ranking.board import METRICS
from uhcs_bench.ranking.outputs import board_json, sentences
from uhcs_bench.ranking.outputs.markdown_page import escaped
from uhcs_bench.ranking.pair_tests import Pair, range_text
from uhcs_bench.ranking.split_changes import Comparison, SplitChange, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Form = Literal["table", "markdown"]

_Tested = TypeVar("_Tested")

_WIDTH = 80
_NAME_WIDTH, _NARROW = 40, 22
"""Columns of a method's name; narrow ones leave room for four scores and their ranks."""

_REASONS = {
    "ranks": ("ranks", "a method has them with all label maps of a split"),
    "sizes": ("particle sizes", "a method has them with all label maps of particles"),
    "fit": ("fits", "a method has them with all label maps of a split"),
    "pairs": ("pairs", "a pair is of two methods that are ranked on one split"),
    "splits": ("comparisons of splits", "a method has them that was run on two splits"),
}
"""Of each table, what it holds and when there is one."""


def chosen(
    board: dict[str, Any],
    task: str | None = None,
    split: str | None = None,
    entry: str | None = None,
) -> dict[str, Any]:
    """Select the groups of one task and split, and the rows and pairs of one entry.

    Parameters
    ----------
    board : dict
        What `uhcs_bench.ranking.outputs.board_json.read` gives.
    task, split, entry : str, optional
        By default all.

    Returns
    -------
    dict

    Raises
    ------
    UsageError
        If the board has no such entry.
    """
    slugs = [found["entry"] for found in board["entries"]]
    if entry is not None and entry not in slugs:
        raise UsageError(f"There is no entry {entry!r} on the board. It has {', '.join(slugs)}.")
    groups = []
    for group in board["groups"]:
        if task not in (None, group["task"]) or split not in (None, group["split"]):
            continue
        concerned = [row for row in group["recomputed"] if entry in (None, row["entry"])]
        pairs = [p for p in group["pairs"] if entry in (None, p["better"], p["worse"])]
        groups.append(group | {"recomputed": concerned, "pairs": pairs})
    comparisons = []
    for found in board["split_comparisons"]:
        changes = [c for c in found["changes"] if entry in (None, c["easier"], c["harder"])]
        splits = (found["step"]["easier"], found["step"]["harder"])
        if task in (None, found["task"]) and split in (None, *splits) and changes:
            comparisons.append(found | {"changes": changes})
    return board | {"groups": groups, "split_comparisons": comparisons}


def text(board: dict[str, Any], what: str, form: Form = "table") -> str:
    """Write tables of a board.

    Parameters
    ----------
    board : dict
        What `chosen` gives.
    what : {'ranks', 'sizes', 'fit', 'pairs', 'splits'}
    form : {'table', 'markdown'}, optional

    Returns
    -------
    str
        A table, or for pairs a list, for each task, version and split; for splits a table for each
        two of them that methods were run on. Empty where there is none, see `absent`.

    Examples
    --------
    >>> from uhcs_bench.ranking.outputs import board_json
    >>> print(text(chosen(board_json.read(), "particles", "paper"), "fit").splitlines()[0])
    particles, data set 1.0, split paper, n = 24
    """
    if what == "splits":
        parts = [_split_table(found, form) for found in board["split_comparisons"]]
        return "\n\n".join(parts)
    parts, marked = [], False
    for group in board["groups"]:
        names = _marked_names(board, group["task"], form)
        table = _TABLES[what](group, names, form)
        if table:
            where = f"data set {group['dataset_version']}, split {group['split']}"
            parts += [f"{group['task']}, {where}, n = {group['n_images']}", table]
            choices = _choices(board, group, names)
            if choices:
                parts.append(_listed(choices, form))
                marked = True
    return "\n\n".join([*parts, *_legend(what, board, form, marked=marked)] if parts else [])


def _marked_names(board: dict[str, Any], task: str, form: Form) -> dict[str, str]:
    """Give the names of a board's methods, with marks of those that looked at validation folds."""
    return {
        found["entry"]: (
            escaped(found["declaration"]["name"])
            if form == "markdown"
            else found["declaration"]["name"]
        )
        + sentences.selection_mark(found["declaration"], task)
        for found in board["entries"]
    }


def _choices(board: dict[str, Any], group: dict[str, Any], names: dict[str, str]) -> list[str]:
    """State what of a group's methods has looked at validation folds."""
    declared = {found["entry"]: found["declaration"] for found in board["entries"]}
    return [
        f"{names[row['entry']]}: {sentence}."
        for row in group["recomputed"]
        for sentence in sentences.selection_sentences(declared[row["entry"]], group["task"])
    ]


def _legend(what: str, board: dict[str, Any], form: Form, *, marked: bool) -> list[str]:
    """Explain what stands in the tables, in paragraphs."""
    said = [sentences.SELECTED_MEANING] if marked else []
    said.append(sentences.RUNS_MEANING)
    paragraphs = []
    if what == "ranks":
        known = {
            name for group in board["groups"] for row in group["recomputed"] for name in row["rank"]
        }
        meanings = [
            f"{metric.name}{', %' * (metric.unit == '%')}: {sentences.metric_meaning(metric)}"
            for metric in METRICS
            if metric.name in known
        ]
        paragraphs += [_listed(meanings, form), _paragraph(sentences.RANK_RULE, form)]
    elif what == "sizes":
        paragraphs.append(_paragraph(f"{_SIZES} {sentences.KS_LIMITS}", form))
    elif what == "fit":
        paragraphs.append(_paragraph(sentences.FIT_RULE, form))
    return [*paragraphs, _paragraph(" ".join(said), form)]


_SIZES = (
    "D: largest distance of the two cumulative distributions of equivalent diameters. W1: their "
    "Wasserstein distance."
)


def _paragraph(said: str, form: Form) -> str:
    return said if form == "markdown" else _wrapped(said)


def _listed(items: Sequence[str], form: Form) -> str:
    """Write a list, in Markdown or in lines of a terminal."""
    return "\n".join(
        f"- {item}" if form == "markdown" else _wrapped(f"- {item}", subsequent_indent="  ")
        for item in items
    )


def absent(
    board: dict[str, Any],
    what: str,
    task: str | None = None,
    split: str | None = None,
    entry: str | None = None,
) -> str:
    """Say why there is no table, and which there are.

    Parameters
    ----------
    board : dict
        What `uhcs_bench.ranking.outputs.board_json.read` gives.
    what, task, split, entry : str
        As of `text` and `chosen`, which gave no table.

    Returns
    -------
    str
        Sentences, in lines of a terminal.

    Examples
    --------
    >>> from uhcs_bench.ranking.outputs import board_json
    >>> print(absent(board_json.read(), "sizes", "microconstituents").splitlines()[0])
    The board has no particle sizes for the task microconstituents: a method has
    """
    contents, reason = _REASONS[what]
    asked = [
        f"the {kind} {value}"
        for kind, value in (("task", task), ("split", split), ("entry", entry))
        if value is not None
    ]
    place = f" for {', '.join(asked)}" if asked else ""
    said = f"The board has no {contents}{place}: {reason}."
    for kept in dict.fromkeys((entry, None)):
        places = _places(chosen(board, entry=kept), what)
        if places:
            whose = "" if kept is None else f" of {kept}"
            said += f" It has those{whose} for {'; '.join(places)}."
            break
    return _wrapped(said)


def _places(board: dict[str, Any], what: str) -> list[str]:
    """List the tasks and splits that have a table."""
    if what == "splits":
        return [
            f"{found['task']}, splits {found['step']['easier']} and {found['step']['harder']}"
            for found in board["split_comparisons"]
        ]
    names = board_json.names(board)
    return [
        f"{group['task']}, split {group['split']}"
        for group in board["groups"]
        if _TABLES[what](group, names, "table")
    ]


def _split_table(content: dict[str, Any], form: Form) -> str:
    found = _comparison(content)
    heading = f"{found.task}, data set {found.version}. {found.step.question}"
    meaning = sentences.comparison_sentence(found)
    headers = sentences.comparison_headers(found)
    rows = [sentences.change_cells(change) for change in found.changes]
    if form == "markdown":
        table = formatting.table(headers, [[escaped(row[0]), *row[1:]] for row in rows], form)
        return f"{heading}\n\n{meaning}\n\n{table}"
    # A table for each method: with the name in each line they don't fit into a terminal.
    tables = [
        f"{name}\n\n{formatting.table(headers[1:], [row[1:] for row in of_method], form)}"
        for name, of_method in groupby(rows, key=itemgetter(0))
    ]
    return "\n\n".join([heading, _wrapped(meaning), *tables])


def _comparison(content: dict[str, Any]) -> Comparison:
    changes = [_with_interval(SplitChange, change) for change in content["changes"]]
    return Comparison(**content | {"step": Step(**content["step"]), "changes": changes})


def _ranks(group: dict[str, Any], names: dict[str, str], form: Form) -> str:
    metrics = [m for m in METRICS if any(m.name in row["rank"] for row in group["recomputed"])]
    rows = []
    for row in group["recomputed"]:
        cells = [_name(names[row["entry"]], form, _NARROW)]
        for metric in metrics:
            ranks = row["rank"].get(metric.name)
            cells += [sentences.amount(metric, _mean(row, metric.name)), _range(ranks)]
        rows.append(cells)
    headers = [text for m in metrics for text in (m.name, "rank")]
    return formatting.table(["method", *headers], rows, form) if rows else ""


def _name(name: str, form: Form, width: int = _NAME_WIDTH) -> str:
    """Break a long name into lines; in Markdown the reader's window does."""
    return name if form == "markdown" else textwrap.fill(name, width, break_on_hyphens=False)


def _mean(row: dict[str, Any], metric: str) -> float | None:
    places: dict[str, Callable[[], Any]] = {
        "D": lambda: row["sizes"]["D"],
        "fit": lambda: row["fit"]["mean"],
    }
    found = places.get(metric, lambda: row["conventions"]["paper"][metric])()
    mean: float | None = found["mean"]
    return mean


def _range(ranks: dict[str, Any] | None) -> str:
    if ranks is None:
        return formatting.MISSING
    return range_text(ranks["best"], ranks["worst"])


def _sizes(group: dict[str, Any], names: dict[str, str], form: Form) -> str:
    rows = []
    for row in group["recomputed"]:
        if "sizes" not in row:
            continue
        counts = [run["n_not_rejected"] for run in row["sizes"]["ks"]]
        rows.append(
            [
                _name(names[row["entry"]], form),
                formatting.decimal(row["sizes"]["D"]["mean"], 3),
                formatting.decimal(row["sizes"]["W1_px"]["mean"]),
                sentences.counts_of(counts, group["n_images"]),
            ]
        )
    headers = ["method", "D", "W1, px", "not rejected"]
    return formatting.table(headers, rows, form) if rows else ""


_FIT_COLUMN = f"bias, within {' and '.join(f'{100 * t:.0f} %' for t in fit.TOLERANCES)}"


def _fit(group: dict[str, Any], names: dict[str, str], form: Form) -> str:
    measures = fit.MEASURES[group["task"]]
    rows = [
        [
            _name(names[row["entry"]], form),
            percent(row["fit"]["mean"]["mean"]),
            _range(row["rank"].get("fit")),
            *(_fit_cell(row["fit"]["measures"][measure.name]) for measure in measures),
        ]
        for row in group["recomputed"]
    ]
    headers = ["method", "fit", "rank", *(measure.heading for measure in measures)]
    if not rows:
        return ""
    if form == "markdown":
        return formatting.table(headers, rows, form)
    # A table for each measure: side by side they don't fit into a terminal.
    tables = [formatting.table(headers[:3], [row[:3] for row in rows], form)]
    for column, measure in enumerate(measures, start=3):
        cells = [[row[0], row[column]] for row in rows]
        tables.append(formatting.table([measure.heading, _FIT_COLUMN], cells, form))
    return "\n\n".join(tables)


def _fit_cell(found: dict[str, Any]) -> str:
    within = dict(zip(fit.TOLERANCES, found["within"], strict=True))
    return sentences.fit_cell(fit.Fit(found["n"], found["bias"], found["missed"], within))


def _pairs(group: dict[str, Any], names: dict[str, str], form: Form) -> str:
    return _listed([sentences.pair_sentence(_pair(pair), names) for pair in group["pairs"]], form)


def _wrapped(said: str, *, subsequent_indent: str = "") -> str:
    """Break a sentence into lines of a terminal."""
    return textwrap.fill(
        said,
        _WIDTH - 1,
        subsequent_indent=subsequent_indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _pair(content: dict[str, Any]) -> Pair:
    fields = {name: value for name, value in content.items() if name != "separable_by"}
    return _with_interval(Pair, fields)


def _with_interval(kind: Callable[..., _Tested], fields: dict[str, Any]) -> _Tested:
    ends: Sequence[float] | None = fields["ci95"]
    return kind(**fields | {"ci95": None if ends is None else (ends[0], ends[1])})


_TABLES: dict[str, Callable[[dict[str, Any], dict[str, str], Form], str]] = {
    "ranks": _ranks,
    "sizes": _sizes,
    "fit": _fit,
    "pairs": _pairs,
}
