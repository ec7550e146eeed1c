"""Commands of the leaderboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from uhcs_bench.cli.common import EXIT_CODES, emit, output_option, split_option, version_option

_DEFAULT_FOLDER = Path("leaderboard")


@click.command(
    epilog="\b\nExamples:\n  uhcs-bench validate leaderboard/otsu\n"
    "  uhcs-bench validate leaderboard/*/ --format json\n" + EXIT_CODES
)
@click.argument(
    "entries", metavar="ENTRY...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@output_option
def validate(entries: tuple[Path, ...], form: str, output: Path | None) -> None:
    """Check entries of the leaderboard, offline.

    ENTRY is a folder of entry.yaml and label maps, <task>/<id>.png. All
    problems of all entries are reported at once; any of them exits with 2.
    """
    from uhcs_bench.leaderboard import entry

    results: list[dict[str, Any]] = []
    for folder in entries:
        try:
            found = entry.read_entry(folder)
        except entry.EntryError as error:
            results.append({"entry": error.where, "valid": False, "problems": [*error.problems]})
            continue
        tasks = {
            name: {"status": maps.status, "n_maps": len(maps.maps), "n_images": len(maps.expected)}
            for name, maps in found.tasks.items()
        }
        results.append(
            {
                "entry": entry.shown(str(folder), entry.PATH_LIMIT),
                "valid": True,
                "problems": [],
                "sha256": found.fingerprint.sha256,
                "tasks": tasks,
            }
        )
    if form == "json":
        emit(json.dumps(results, indent=1), output)
    else:
        emit("\n".join(map(_validation_text, results)), output)
    if not all(result["valid"] for result in results):
        raise click.exceptions.Exit(entry.EntryError.exit_code)


def _validation_text(result: dict[str, Any]) -> str:
    problems = result["problems"]
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        return "\n".join([f"{result['entry']}: {count}.", *(f"  - {text}" for text in problems)])
    lines = [f"{result['entry']}: valid.", f"  sha256 {result['sha256']}"]
    lines += [
        f"  {name}: {found['status']}, {found['n_maps']} of {found['n_images']} label maps"
        for name, found in result["tasks"].items()
    ]
    return "\n".join(lines)


@click.command(
    epilog="\b\nExamples:\n  uhcs-bench submit preds/mine --name 'My network'\n"
    "  uhcs-bench submit preds/mine --name 'My network' --out leaderboard/\n" + EXIT_CODES
)
@click.argument("predictions", metavar="PREDS", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name on the board.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=_DEFAULT_FOLDER,
    show_default=True,
    help="Folder of the entries.",
)
@version_option
@split_option
def submit(predictions: Path, name: str, out: Path, version: str, split: str) -> None:
    """Make an entry of predicted label maps.

    The maps are checked and copied as PNG, and an entry.yaml is written beside
    them, with comments; what only you know is left to be filled in.
    """
    from uhcs_bench.leaderboard import entry

    folder, to_fill = entry.create(predictions, name, out, version, split)
    lines = [f"Made {folder}. Left to fill in, in {folder / entry.FILE_NAME}:"]
    lines += [f"  {place}" for place in to_fill]
    lines += [f"Then: uhcs-bench validate {folder}"]
    click.echo("\n".join(lines))


@click.group(epilog=EXIT_CODES)
def leaderboard() -> None:
    """Build the leaderboard from its entries."""


@leaderboard.command(
    epilog="\b\nExamples:\n  uhcs-bench leaderboard build\n"
    "  uhcs-bench leaderboard build --site board/   # open board/index.html\n"
    "  uhcs-bench leaderboard build --check\n" + EXIT_CODES
)
@click.option(
    "--entries",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=_DEFAULT_FOLDER,
    show_default=True,
    help="Folder of the entries; README.md and leaderboard.json are written there.",
)
@click.option(
    "--site",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write a static web site to.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Write neither README.md nor leaderboard.json; exit with 1 if they are not what the "
    "maps give.",
)
def build(folder: Path, site: Path | None, check: bool) -> None:
    """Score every entry from its label maps, and write the board.

    No score is read from an entry. README.md and leaderboard.json are the same
    bytes for the same maps.
    """
    from uhcs_bench.leaderboard import board as board_module

    entries = board_module.read_entries(folder)
    board = board_module.build(entries)
    count = "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
    if check:
        board_module.check(folder, board)
        click.echo(f"{folder} is what the label maps of {count} give.")
    else:
        board_module.write(folder, board)
        click.echo(
            f"Wrote {board_module.PAGE_NAME} and {board_module.DATA_NAME} of {count} to {folder}."
        )
    if site is not None:
        from uhcs_bench.leaderboard.site import write as write_site

        click.echo(f"Site: {write_site(site, board)}", err=True)
