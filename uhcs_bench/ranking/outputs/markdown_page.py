"""The board as a page of Markdown."""

from __future__ import annotations

import html
import re
from itertools import groupby
from typing import TYPE_CHECKING

from uhcs_bench import formatting, paper, protocol
from uhcs_bench.errors import things
from uhcs_bench.formatting import percent
from uhcs_bench.metrics.table import RANKED_SCORES
from uhcs_bench.ranking.board import METRICS
from uhcs_bench.ranking.entries import entry_files
from uhcs_bench.ranking.outputs import sentences
from uhcs_bench.ranking.outputs.board_json import DATA_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from uhcs_bench.ranking.board import Board, Group, Row
    from uhcs_bench.ranking.entries.entry import LeaderboardEntry
    from uhcs_bench.ranking.split_changes import Comparison
    from uhcs_bench.scoring.results import MeanScore

PAGE_NAME = "README.md"
RULES_NAME = "RULES.md"

MARKER = "<!-- Written by `uhcs-bench leaderboard build`; edit the entries, not this page. -->"
"""First line of the page, by which the command recognises a page that it wrote."""


def to_markdown(board: Board, *, folder: str = "leaderboard", is_shipped: bool = False) -> str:
    """Lay the board out as a page that GitHub shows beside the entries.

    Parameters
    ----------
    board : Board
    folder : str, optional
        Name of the entries' folder, for the commands on the page.
    is_shipped : bool, optional
        Whether it is the project's own board, whose rules, tests and baselines stand beside it.

    Returns
    -------
    str
    """
    parts = [MARKER, "# Leaderboard", *_head(board, folder, is_shipped=is_shipped)]
    for task, groups in groupby(board.groups, key=lambda group: group.task.name):
        parts.append(f"## {task.capitalize()}")
        for group in groups:
            parts += _group_parts(group)
        for comparison in board.split_comparisons:
            if comparison.task == task:
                parts += _comparison_parts(comparison)
    if board.left_out:
        parts += ["## Left out", _left_out(board)]
    parts += ["## Entries", *(part for found in board.entries for part in _entry_parts(found))]
    return "\n\n".join(parts) + "\n"


def _head(board: Board, folder: str, *, is_shipped: bool) -> list[str]:
    stated = (
        "The label maps that methods predicted for validation micrographs. `entry.yaml` states how "
        "a method was run, and that each map comes from a model that had not seen the "
        "micrograph's fold. No score is stored in an entry: all numbers here are recomputed from "
        f"the maps. [{DATA_NAME}]({DATA_NAME}) holds them for programs, with the scores of each "
        "micrograph."
    )
    name = escaped(folder)
    commands = [
        f"    uhcs-bench score {name}/{_scored_folder(board.entries)}",
        f"    uhcs-bench leaderboard build --entries {name} --site board/",
    ]
    if is_shipped:
        stated += (
            f" The tests fail when one of them differs. [{RULES_NAME}]({RULES_NAME}) has the rules "
            "and says how to submit. The last command prints the paper's Tables 1 to 4 beside "
            "what these maps give."
        )
        commands.append(f"    python -m baselines reproduce --no-run --out {name}")
    ranked = "\n".join(
        f"- **{metric.name}**: {sentences.metric_meaning(metric)}"
        for metric in METRICS
        if any(metric in group.metrics for group in board.groups)
    )
    units = (
        f"Percent. In brackets the 95 % interval, by micrograph. {sentences.COVERAGE_NOTE} "
        f"{sentences.SELECTED_MEANING} {sentences.RUNS_MEANING} Differences have no interval "
        "where one micrograph carries most of the scatter. Methods are ranked by:"
    )
    return [stated, "\n".join(commands), units, ranked, sentences.RANK_RULE]


def _scored_folder(entries: Sequence[LeaderboardEntry]) -> str:
    """Give a folder of label maps that can be scored, with the options of what they are for."""
    complete = [entry for entry in entries if all(maps.complete for maps in entry.tasks.values())]
    for entry in (*complete, *entries):
        runs = [run.folder for maps in entry.tasks.values() for run in maps.runs]
        if runs:
            parts = [entry.slug] if runs[0] == entry_files.OWN_FOLDER else [entry.slug, runs[0]]
            return "/".join(parts) + protocol.score_options(entry.version, entry.split)
    return "<entry>"


def _group_parts(group: Group) -> list[str]:
    parts = [
        f"### Data set {group.version}, split {group.split}",
        f"**n = {group.n_images}** micrographs in {group.n_folds} folds.",
    ]
    if group.version == protocol.SYNTHETIC_VERSION:
        parts.append("**SYNTHETIC set, not real micrographs.**")
    if group.ranked:
        parts += _ranked_parts(group)
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


def _ranked_parts(group: Group) -> list[str]:
    parts = [_rank_table(group)]
    first = group.ranked[0]
    meaning = sentences.rank_meaning(first.ranks[METRICS[0].name], len(group.ranked))
    parts.append(f"By {METRICS[0].name}, {escaped(first.entry.name)} has {meaning}.")
    chosen = [
        f"- {sentences.SELECTED} {escaped(row.entry.name)}: {escaped(sentence)}."
        for row in group.ranked
        for sentence in sentences.selection_sentences(row.entry.declaration, group.task.name)
    ]
    if chosen:
        parts.append("\n".join(chosen))
    if group.annotator_agreement is not None:
        parts.append(f"**The annotator's own agreement.** {sentences.agreement_sentence(group)}")
    if group.task.has_particles:
        parts += [_size_table(group), sentences.KS_LIMITS]
    parts += ["**Fit to measure.** " + sentences.FIT_RULE, _fit_table(group)]
    if any(len(row.runs) > 1 for row in group.ranked):
        parts.append(_seed_table(group))
    parts += [_convention_table(group.ranked)]
    parts += [
        _class_table(score.name, group.task, group.ranked)
        for score in RANKED_SCORES
        if score.per_class
    ]
    if group.pairs:
        parts.append(_pair_list(group))
    return parts


def _comparison_parts(found: Comparison) -> list[str]:
    rows = []
    for change in found.changes:
        name, *cells = sentences.change_cells(change)
        rows.append([escaped(name), *cells])
    return [
        f"### {found.step.question}",
        f"Data set {found.version}, {escaped(sentences.comparison_sentence(found))}",
        _table(sentences.comparison_headers(found), rows),
    ]


def _rank_table(group: Group) -> str:
    rows = []
    for row in group.ranked:
        cells = [_linked_name(row, group)]
        for metric in group.metrics:
            cells += [sentences.with_interval(metric, row.mean(metric.name))]
            cells += [str(row.ranks[metric.name])]
        rows.append(cells)
    headers = [text for m in group.metrics for text in (m.name, f"rank by {m.name}")]
    return _table(["method", *headers], rows)


def _size_table(group: Group) -> str:
    (distance,) = (metric for metric in group.metrics if metric.name == "D")
    return _table(
        ["particle sizes", "D", "W1, px", "KS test does not reject"],
        [
            [
                escaped(row.entry.name),
                sentences.with_interval(distance, row.mean("D")),
                _in_pixels(row.size_distance_px()),
                sentences.not_rejected(row, group.n_images),
            ]
            for row in group.ranked
        ],
    )


def _in_pixels(estimate: MeanScore) -> str:
    text = formatting.decimal(estimate.mean)
    if estimate.ci95 is None:
        return text
    low, high = map(formatting.decimal, estimate.ci95)
    return f"{text} [{low}, {high}]{sentences.interval_mark('sizes.wasserstein_px')}"


def _fit_table(group: Group) -> str:
    return _table(
        ["fit to measure", *(measure.heading for measure in group.measures)],
        [
            [
                escaped(row.entry.name),
                *(sentences.fit_cell(row.fits[measure.name]) for measure in group.measures),
            ]
            for row in group.ranked
        ],
    )


def _seed_table(group: Group) -> str:
    return _table(
        ["between seeds", "runs", *(metric.name for metric in group.metrics)],
        [
            [
                escaped(row.entry.name),
                str(len(row.runs)),
                *(sentences.seed_cell(metric, row) for metric in group.metrics),
            ]
            for row in group.ranked
            if len(row.runs) > 1
        ],
    )


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
                    sentences.with_interval(METRICS[0], getattr(means, score))
                    for means in row.result.conventions["paper"].classes.values()
                ),
            ]
            for row in rows
        ],
    )


def _pair_list(group: Group) -> str:
    names = {row.entry.slug: escaped(row.entry.name) for row in group.ranked}
    lines = [f"- {sentences.pair_sentence(pair, names)}" for pair in group.pairs]
    heading = f"<details><summary>{sentences.pairs_heading(group)}</summary>"
    return "\n\n".join([heading, "\n".join(lines), "</details>"])


def _reported_table(group: Group) -> str:
    classes = group.task.classes
    scores = ["IU", "AC", *(["KS test does not reject"] if group.task.has_particles else [])]
    rows = []
    for row in group.reported:
        cells = [_published(row.IU), _published(row.AC)]
        if group.task.has_particles:
            cells.append(sentences.reported_count(row.ks_score, group.n_images))
        cells += [_published(row.classes.get(name)) for name in classes]
        rows.append([f"*{paper.METHOD_NAMES[row.method]}* ({row.table})", *cells])
    return _table(["reported", *scores, *(f"IU {name}" for name in classes)], rows)


def _published(number: paper.Published | None) -> str:
    return formatting.MISSING if number is None else f"*{sentences.reported_number(number)}*"


def _status_line(row: Row, group: Group) -> str:
    found = row.maps
    line = f"- {_entry_link(row.entry)}: {found.n_maps} of {group.n_images} label maps"
    if found.folds and not found.complete:
        line += f" (folds {', '.join(map(str, found.folds))})"
    if row.score is not None:
        line += f", IU {percent(row.score.conventions['paper'].IU.mean)}"
    return f"{line}. {escaped(found.reason)}"


def _left_out(board: Board) -> str:
    lines = [
        f"- {escaped(found.slug)}: {things(len(found.problems), 'problem')}"
        for found in board.left_out
    ]
    return "\n".join(["Something is wrong with these; `uhcs-bench validate` lists it.", "", *lines])


def _entry_parts(found: LeaderboardEntry) -> list[str]:
    declared = found.declaration
    recomputed = any(maps.complete for maps in found.tasks.values())
    facts = {
        "checked": ", ".join(sentences.badges(found, recomputed=recomputed)) or "nothing",
        "authors": ", ".join(_author(author) for author in declared["authors"]),
        "date, licence of the maps": f"{declared['date']}, {escaped(declared['licence'])}",
        "trained on": escaped(declared["training_data"]),
        "external data": "; ".join(map(_external, declared["external_data"])) or "none",
        "settings": escaped(sentences.settings_text(declared)) or "none",
        "choices that looked at validation folds": escaped(
            "; ".join(sentences.selection_sentences(found.declaration))
        )
        or "none",
        "runs": escaped(sentences.runs_text(declared)),
        "compute": escaped(sentences.compute_text(declared)),
        "links": ", ".join(_links(declared)) or "none",
        "run by us": _retrained(declared),
        "submission": f"`{found.fingerprint.sha256}`",
    }
    lines = [f"- {name}: {text}" for name, text in facts.items()]
    lines += [f"- note: {escaped(note)}" for note in declared["notes"]]
    heading = f"### {escaped(found.name)}"
    if found.split != protocol.PAPER_SPLIT:
        heading += f", split {found.split}"
    return [
        heading,
        f"[{found.slug}/]({found.slug}/). {escaped(declared['summary'].rstrip('.'))}.",
        "\n".join(lines),
    ]


def _retrained(declared: Any) -> str:
    retrained = declared["retrained"]
    return f"{retrained['date']}, {escaped(retrained['command'])}" if retrained else "no"


def _author(author: dict[str, str]) -> str:
    name = escaped(author["name"])
    orcid = author.get("orcid")
    return name if orcid is None else f"[{name}](https://orcid.org/{orcid})"


def _external(item: dict[str, str | None]) -> str:
    name, link = escaped(str(item["name"])), item.get("link")
    return f"{name if link is None else f'[{name}]({link})'} ({escaped(str(item['use']))})"


def _links(declared: Any) -> list[str]:
    links = declared["links"]
    found = [f"[{name}]({links[name]})" for name in ("code", "paper") if links[name] is not None]
    if links["weights"] is not None:
        found.append(
            f"[weights]({links['weights']['link']}) ({escaped(sentences.weights_text(declared))})"
        )
    return found


def _linked_name(row: Row, group: Group) -> str:
    mark = sentences.selection_mark(row.entry.declaration, group.task.name)
    return f"{_entry_link(row.entry)}{mark}"


def _entry_link(found: LeaderboardEntry) -> str:
    return f"[{escaped(found.name)}]({found.slug}/)"


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
        Nothing in it is markup, HTML, a formula, a link or the end of a table's cell.

    Examples
    --------
    >>> print(escaped("<b>*a* | b</b> $x$"))
    &lt;b&gt;\*a\* \| b&lt;/b&gt; &#36;x&#36;
    """
    text = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", " ".join(text.split()))
    text = html.escape(text, quote=False)
    # GitHub sets what is between dollars as a formula, even after a backslash.
    text = text.replace("$", "&#36;")
    # GitHub turns bare addresses into links.
    text = text.replace("://", ":&#47;&#47;")
    return re.sub(r"(?i)\bwww\.", lambda match: match[0][:-1] + "&#46;", text)
