"""Describe what a pull request changes on the leaderboard, as a comment in Markdown.

Entries are only read: validated, scored and ranked as ``uhcs-bench leaderboard build`` does::

    python -m tools.entry_comment PROPOSED --base leaderboard --out comment.md

Exit codes: 0 all entries that are new or changed are valid, 2 some are not.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tools import usage
from uhcs_bench.io import paths
from uhcs_bench.io.atomic import replacing
from uhcs_bench.ranking import board as ranking
from uhcs_bench.ranking.outputs import board_json, sentences, text_tables
from uhcs_bench.ranking.outputs.markdown_page import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from uhcs_bench.ranking.board import Board, LeftOut

_MOST_PROBLEMS = 50


def comment(proposed: Path, base: Path) -> tuple[str, bool]:
    """Compare proposed entries with those of the base branch.

    Parameters
    ----------
    proposed, base : Path
        Folders of entries.

    Returns
    -------
    text : str
        What is new or changed, with its scores and rank ranges, and the tables that it stands in.
    is_valid : bool
        Whether nothing is wrong with any of it.

    Raises
    ------
    DataUnavailableError
        If the annotations could not be had from any source.
    """
    entries, left_out = ranking.read_entries(proposed)
    known, _ = ranking.read_entries(base)
    before = {found.slug: (found.declaration, found.fingerprint) for found in known}
    changed = [e.slug for e in entries if before.get(e.slug) != (e.declaration, e.fingerprint)]
    gone = sorted({*before} - {e.slug for e in entries} - {found.slug for found in left_out})
    parts = ["## Leaderboard"]
    parts += [_problems(found) for found in left_out]
    if gone:
        parts.append(f"Taken away: {', '.join(gone)}.")
    if changed:
        parts += _ranked(ranking.build(entries, left_out), changed)
    elif not left_out:
        parts.append("No entry is new, and none was changed.")
    return "\n\n".join(parts) + "\n", not left_out


def _problems(found: LeftOut) -> str:
    lines = [f"- {escaped(problem)}" for problem in found.problems[:_MOST_PROBLEMS]]
    if len(found.problems) > _MOST_PROBLEMS:
        lines.append(f"- and {len(found.problems) - _MOST_PROBLEMS} more")
    advice = "`uhcs-bench validate` lists the same."
    return "\n".join([f"**{escaped(found.slug)} is not valid.** {advice}", "", *lines])


def _ranked(board: Board, changed: Sequence[str]) -> Iterator[str]:
    """Give scores and ranks of entries, and the tables that they stand in."""
    plain = board_json.to_dict(board)
    for group, of_group in zip(board.groups, plain["groups"], strict=True):
        concerned = [
            row
            for row in (*group.ranked, *group.retired, *group.unfinished)
            if row.entry.slug in changed
        ]
        if not concerned:
            continue
        yield f"### {group.task.name}, data set {group.version}, split {group.split}"
        for row in concerned:
            lines = [f"**{escaped(row.entry.name)}**, {row.maps.status}"]
            lines += [
                f"- {metric.name} {sentences.with_interval(metric, row.mean(metric.name))}: "
                + sentences.rank_meaning(row.ranks[metric.name], len(group.ranked))
                for metric in group.metrics
                if row.ranks
            ]
            yield "\n".join(lines)
        for what in ("ranks", "fit"):
            table = text_tables.text(plain | {"groups": [of_group]}, what, "markdown")
            yield table.partition("\n\n")[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program."""
    parser = usage.parser("entry_comment", __doc__)
    parser.add_argument("proposed", type=paths.given, help="folder of the proposed entries")
    parser.add_argument(
        "--base", type=paths.given, required=True, help="folder of those of the base"
    )
    parser.add_argument("--out", type=paths.given, required=True, help="Markdown file to write")
    options = parser.parse_args(arguments)
    text, is_valid = comment(options.proposed, options.base)
    with replacing(options.out) as partial:
        partial.write_text(text, encoding="utf-8")
    return 0 if is_valid else 2


if __name__ == "__main__":
    sys.exit(main())
