"""The command ``uhcs-bench validate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from uhcs_bench.cli.common import (
    EXIT_CODES,
    GuardedCommand,
    InputPath,
    emit,
    format_option,
    json_text,
    out_option,
)
from uhcs_bench.errors import things

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "uhcs-bench/validation/3"


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExamples:\n  uhcs-bench validate leaderboard/otsu\n"
    "  uhcs-bench validate leaderboard/*/ --format json\n" + EXIT_CODES,
)
@click.argument("entries", metavar="ENTRY...", nargs=-1, required=True, type=InputPath())
@format_option("table", "json")
@out_option
def validate(entries: tuple[Path, ...], form: str, out: Path | None) -> None:
    """Check entries of the leaderboard, offline.

    ENTRY is a folder of entry.yaml and label maps, <task>/<id>.png, or of
    several runs, runs/<name>/<task>/<id>.png. All problems of all entries are
    reported at once; any of them exits with 2.
    """
    from uhcs_bench.ranking.entries import declaration, entry

    results: list[dict[str, Any]] = []
    for folder in entries:
        try:
            found = entry.read_entry(folder)
        except declaration.EntryError as error:
            results.append(
                {
                    "entry": error.where,
                    "valid": False,
                    "problems": [*error.problems],
                    "notes": [],
                }
            )
            continue
        tasks = {
            name: {
                "status": maps.status,
                "n_maps": maps.n_maps,
                "n_images": len(maps.expected),
                "runs": [
                    {"folder": run.folder, "seeds": list(run.seeds), "map_pixel_sha256": run.hashes}
                    for run in maps.runs
                ],
            }
            for name, maps in found.tasks.items()
        }
        results.append(
            {
                "entry": declaration.shown(str(folder), entry.PATH_LIMIT),
                "valid": True,
                "problems": [],
                "notes": [*found.notes],
                "sha256": found.fingerprint.sha256,
                "tasks": tasks,
            }
        )
    if form == "json":
        emit(json_text({"schema": SCHEMA, "entries": results}), out)
    else:
        emit("\n".join(map(_validation_text, results)), out)
    if not all(result["valid"] for result in results):
        raise click.exceptions.Exit(declaration.EntryError.exit_code)


def _validation_text(result: dict[str, Any]) -> str:
    problems = result["problems"]
    if problems:
        count = things(len(problems), "problem")
        return "\n".join([f"{result['entry']}: {count}.", *(f"  - {text}" for text in problems)])
    lines = [f"{result['entry']}: valid.", f"  sha256 {result['sha256']}"]
    lines += [
        f"  {name}: {found['status']}, {found['n_maps']} of {found['n_images']} label maps"
        + (f", {len(found['runs'])} runs" if len(found["runs"]) > 1 else "")
        for name, found in result["tasks"].items()
    ]
    lines += [f"  note: {text}" for text in result["notes"]]
    return "\n".join(lines)
