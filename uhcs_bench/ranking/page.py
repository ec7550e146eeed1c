"""The board as a page of Markdown."""

from __future__ import annotations

import html
import json
import re
from itertools import groupby
from typing import TYPE_CHECKING, Any

from uhcs_bench import formatting, paper, protocol
from uhcs_bench.formatting import decimal, percent
from uhcs_bench.metrics.table import RANKED_SCORES
from uhcs_bench.ranking.board import DATA_NAME, RULES_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from uhcs_bench.ranking.board import Board, Group, Row
    from uhcs_bench.ranking.entry import LeaderboardEntry
    from uhcs_bench.scoring.results import MeanScore


def to_markdown(board: Board) -> str:
    """Lay the board out as a page that GitHub shows beside the entries.

    Parameters
    ----------
    board : Board

    Returns
    -------
    str
    """
    parts = [_HEAD]
    for task, groups in groupby(board.groups, key=lambda group: group.task.name):
        parts.append(f"## {task.capitalize()}")
        for group in groups:
            parts += _group_parts(group)
    parts += ["## Entries", *(part for found in board.entries for part in _entry_parts(found))]
    return "\n\n".join(parts) + "\n"


_HEAD = f"""\
<!-- Written by `uhcs-bench leaderboard build`; edit the entries, not this page. -->

# Leaderboard

The label maps that methods predicted for validation micrographs, `<method>/<task>/<id>.png`, each
by a model that had not seen the micrograph's fold; `entry.yaml` says how a method was run, and for
trained baselines `record.json` how each fold was. No score is stored in an entry: all numbers here
are recomputed from the maps, and the tests fail when one of them differs.

    uhcs-bench score leaderboard/otsu
    uhcs-bench leaderboard build --site board/     # this page, and a site with every micrograph
    python -m baselines reproduce --no-run --out leaderboard/

The last command prints the paper's Tables 1 to 4 beside what these maps give.
[{RULES_NAME}]({RULES_NAME}) says how to submit and what the rules are; [{DATA_NAME}]({DATA_NAME})
holds everything for programs, with the score of each micrograph.

Percent. IU is intersection over union, AC the share of correct pixels; the KS score counts the
micrographs whose predicted particle sizes have the annotated distribution. In brackets, the 95 %
interval: bootstrapped over micrographs, for the KS score Wilson's. **A rank is a range**, from
exact paired permutation tests on the micrographs' scores in the paper's convention, corrected by
Holm's method for the number of pairs: rank 1-2: no method is
significantly better, and one is not significantly different."""


def _group_parts(group: Group) -> list[str]:
    parts = [
        f"### Data set {group.version}, split {group.split}",
        f"**n = {group.n_images}** micrographs in {group.n_folds} folds.",
    ]
    if group.version == protocol.SYNTHETIC_VERSION:
        parts.append("**SYNTHETIC set, not real micrographs.**")
    if group.ranked:
        parts += [_rank_table(group), _convention_table(group.ranked)]
        parts += [
            _class_table(score.name, group.task, group.ranked)
            for score in RANKED_SCORES
            if score.per_class
        ]
    if group.reported:
        source = (
            "*Reported* by the paper and not recomputed, since its label maps are not public "
            f"([DeCost et al. 2019]({paper.SOURCE_URL}), numbers of the [authors' draft]"
            f"({paper.DRAFT_URL})); ± is the standard error, SD a standard deviation:"
        )
        parts += [source, _reported_table(group)]
    for heading, rows in (("Unfinished", group.unfinished), ("Retired", group.retired)):
        if rows:
            parts.append(f"{heading}, and therefore without a rank:")
            parts.append("\n".join(_status_line(row, group) for row in rows))
    return parts


def _rank_table(group: Group) -> str:
    metrics = group.ranked_by
    rows = []
    for row in group.ranked:
        means = row.result.conventions["paper"]
        cells = {s.name: _with_interval(getattr(means, s.name)) for s in RANKED_SCORES}
        if row.result.psd is not None:
            psd = row.result.psd
            low, high = psd.ci95
            cells["KS"] = f"{psd.n_consistent} of {psd.n} [{low:.3f}, {high:.3f}]"
        columns = [text for metric in metrics for text in (cells[metric], str(row.ranks[metric]))]
        rows.append([_entry_link(row.entry), *columns])
    headers = [text for metric in metrics for text in (metric, f"rank by {metric}")]
    return _table(["method", *headers], rows)


def _convention_table(rows: Sequence[Row]) -> str:
    columns = [(score.name, name) for score in RANKED_SCORES for name in protocol.CONVENTIONS]
    return _table(
        ["the three conventions", *(f"{score}, {name}" for score, name in columns)],
        [
            [
                escaped(row.entry.name),
                *(
                    percent(getattr(row.result.conventions[name], score).mean)
                    for score, name in columns
                ),
            ]
            for row in rows
        ],
    )


def _class_table(score: str, task: protocol.Task, rows: Sequence[Row]) -> str:
    return _table(
        [f"{score} by class, paper's convention", *task.classes],
        [
            [
                escaped(row.entry.name),
                *(
                    _with_interval(getattr(means, score))
                    for means in row.result.conventions["paper"].classes.values()
                ),
            ]
            for row in rows
        ],
    )


def _reported_table(group: Group) -> str:
    classes = group.task.classes
    scores = ["IU", "AC", *(["KS score"] if group.task.has_particles else [])]
    rows = []
    for row in group.reported:
        numbers = [row.IU, row.AC, *([row.ks_score] if group.task.has_particles else [])]
        numbers += [row.classes.get(name) for name in classes]
        cells = [_published(number) for number in numbers]
        rows.append([f"*{paper.METHOD_NAMES[row.method]}* ({row.table})", *cells])
    return _table(["reported", *scores, *(f"IU {name}" for name in classes)], rows)


def _published(number: paper.Published | None) -> str:
    return formatting.MISSING if number is None else f"*{reported_number(number)}*"


def _status_line(row: Row, group: Group) -> str:
    found = row.maps
    line = f"- {_entry_link(row.entry)}: {len(found.maps)} of {group.n_images} label maps"
    if found.folds and not found.complete:
        line += f" (folds {', '.join(map(str, found.folds))})"
    if row.score is not None:
        line += f", IU {percent(row.score.conventions['paper'].IU.mean)}"
    return f"{line}. {escaped(found.reason)}"


def _entry_parts(found: LeaderboardEntry) -> list[str]:
    declared = found.declaration
    facts = {
        "authors": ", ".join(_author(author) for author in declared["authors"]),
        "date, licence of the maps": f"{declared['date']}, {escaped(declared['licence'])}",
        "trained on": escaped(declared["training_data"]),
        "external data": "; ".join(map(_external, declared["external_data"])) or "none",
        "settings": escaped(settings_text(declared)) or "none",
        "run": escaped(run_text(declared)),
        "links": ", ".join(_links(declared)) or "none",
        "submission": f"`{found.fingerprint.sha256}`",
    }
    lines = [f"- {name}: {text}" for name, text in facts.items()]
    lines += [f"- note: {escaped(note)}" for note in declared["notes"]]
    heading = f"### {escaped(found.name)}"
    return [
        heading,
        f"[{found.slug}/]({found.slug}/). {escaped(declared['summary'].rstrip('.'))}.",
        "\n".join(lines),
    ]


def settings_text(declared: Any) -> str:
    """Write hyperparameters as one line."""

    def written(value: object) -> str:
        if isinstance(value, list):
            return ", ".join(map(written, value))
        return value if isinstance(value, str) else json.dumps(value)

    pairs = declared["hyperparameters"].items()
    return "; ".join(f"{name} {written(value)}" for name, value in pairs)


def run_text(declared: Any) -> str:
    """Write seeds, hardware, training time and size of the model as one line."""
    parts = [declared["hardware"]]
    if declared["seeds"]:
        parts.append(f"seeds {', '.join(map(str, declared['seeds']))}")
    hours = declared["training_hours"]
    parts.append("training time unknown" if hours is None else f"{hours:g} h of training")
    count = declared["parameters"]
    parts.append("parameters unknown" if count is None else f"{count:,} parameters")
    return "; ".join(parts)


def _author(author: dict[str, str]) -> str:
    name = escaped(author["name"])
    orcid = author.get("orcid")
    return name if orcid is None else f"[{name}](https://orcid.org/{orcid})"


def _external(item: dict[str, str | None]) -> str:
    name, link = escaped(str(item["name"])), item.get("link")
    return f"{name if link is None else f'[{name}]({link})'} ({escaped(str(item['use']))})"


def _links(declared: Any) -> list[str]:
    return [f"[{name}]({link})" for name, link in declared["links"].items() if link is not None]


def _entry_link(found: LeaderboardEntry) -> str:
    return f"[{escaped(found.name)}]({found.slug}/)"


def reported_number(number: paper.Published) -> str:
    """Write a number of the paper with its spread."""
    mean = decimal(number.mean, 1)
    if number.spread is None:
        return mean
    if number.is_deviation:
        return f"{mean} (SD {decimal(number.spread, 1)})"
    return f"{mean} ± {decimal(number.spread, 1)}"


def _with_interval(estimate: MeanScore) -> str:
    if estimate.ci95 is None:
        return percent(estimate.mean)
    low, high = map(percent, estimate.ci95)
    return f"{percent(estimate.mean)} [{low}, {high}]"


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return formatting.table(headers, rows, "markdown", align="left")


def escaped(text: str) -> str:
    r"""Escape untrusted text for Markdown.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Nothing in it is markup, HTML, a link or the end of a table's cell.

    Examples
    --------
    >>> print(escaped("<b>*a* | b</b>"))
    &lt;b&gt;\*a\* \| b&lt;/b&gt;
    """
    text = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", " ".join(text.split()))
    text = html.escape(text, quote=False)
    # GitHub turns bare addresses into links.
    text = text.replace("://", ":&#47;&#47;")
    return re.sub(r"(?i)\bwww\.", lambda match: match[0][:-1] + "&#46;", text)
