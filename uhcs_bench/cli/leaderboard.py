"""The command ``uhcs-bench leaderboard``."""

from __future__ import annotations

from pathlib import Path

import click

from uhcs_bench import protocol
from uhcs_bench.cli.common import (
    EXIT_CODES,
    CommandGroup,
    InputPath,
    OutputFolder,
    echo,
    emit,
    format_option,
    json_text,
    out_option,
)

DEFAULT_FOLDER = Path("leaderboard")


@click.group(
    cls=CommandGroup,
    epilog="\b\nExample:\n  uhcs-bench leaderboard build --site board/\n" + EXIT_CODES,
)
def leaderboard() -> None:
    """Build the leaderboard from its entries, or print a board."""


@leaderboard.command(
    epilog="\b\nExamples:\n  uhcs-bench leaderboard build\n"
    "  uhcs-bench leaderboard build --site board/   # open board/index.html\n"
    "  uhcs-bench leaderboard build --check\n" + EXIT_CODES
)
@click.option(
    "--entries",
    "folder",
    type=OutputFolder(may_be_input=True),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="Folder of the entries; README.md and leaderboard.json are written there.",
)
@click.option(
    "--site",
    type=OutputFolder(),
    help="Folder to write a static web site to, outside the entries' folder.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Write neither README.md nor leaderboard.json; exit with 1 if they are not what the "
    "maps give. Everything is computed anew.",
)
@click.option(
    "--no-cache",
    is_flag=True,
    help="Compute scores anew that an earlier build left in the cache.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Processes to read and score in, at most.  [default: one for each core]",
)
def build(
    folder: Path, site: Path | None, check: bool, no_cache: bool, workers: int | None
) -> None:
    """Score every entry from its label maps, and write the board.

    No score is read from an entry. README.md and leaderboard.json are the same
    bytes for the same maps. An entry with which something is wrong is left out,
    and named at the end; the exit code is then 2.
    """
    from uhcs_bench.data.download.cache import cache_folder
    from uhcs_bench.executors import n_cores
    from uhcs_bench.ranking import board as ranking
    from uhcs_bench.ranking.entries.declaration import EntryError
    from uhcs_bench.ranking.outputs import board_files
    from uhcs_bench.ranking.outputs import site as pages
    from uhcs_bench.ranking.outputs.board_json import DATA_NAME
    from uhcs_bench.ranking.outputs.markdown_page import PAGE_NAME
    from uhcs_bench.ranking.result_cache import Cache

    if site is not None:
        pages.check_folder(site, folder)
    cache = None if check or no_cache else Cache(cache_folder() / "leaderboard")
    workers = workers or n_cores()
    entries, left_out = ranking.read_entries(folder, cache, workers)
    board = ranking.build(entries, left_out, cache, workers)
    count = "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
    if not check:
        board_files.write(folder, board)
        echo(f"Wrote {PAGE_NAME} and {DATA_NAME} of {count} to {folder}.")
    elif not left_out:
        board_files.check(folder, board)
        echo(f"{folder} is what the label maps of {count} give.")
    if site is not None:
        echo(f"Site: {pages.write(site, board)}", err=True)
    if left_out:
        problems = [f"{found.slug}: {text}" for found in left_out for text in found.problems]
        verb = "were" if len(left_out) > 1 else "was"
        what = "nothing was checked" if check else f"{len(left_out)} of them {verb} left out"
        raise EntryError(str(folder), problems, f"holds entries that are not valid ({what})")


@leaderboard.command(
    epilog="\b\nExamples:\n  uhcs-bench leaderboard show\n"
    "  uhcs-bench leaderboard show fit --task particles\n"
    "  uhcs-bench leaderboard show pairs --entry unet\n"
    "  uhcs-bench leaderboard show splits --task particles\n" + EXIT_CODES
)
@click.argument(
    "what", type=click.Choice(["ranks", "sizes", "fit", "pairs", "splits"]), default="ranks"
)
@click.option(
    "--board",
    "path",
    type=InputPath(dir_okay=False),
    help="A leaderboard.json.  [default: the board that comes with the package]",
)
@click.option(
    "--task", type=click.Choice([*protocol.TASKS]), help="Show this task alone.  [default: all]"
)
@click.option(
    "--split", type=click.Choice([*protocol.SPLITS]), help="Show this split alone.  [default: all]"
)
@click.option("--entry", metavar="FOLDER", help="Show what concerns this entry alone.")
@format_option("table", "markdown", "json")
@out_option
def show(
    what: str,
    path: Path | None,
    task: str | None,
    split: str | None,
    entry: str | None,
    form: str,
    out: Path | None,
) -> None:
    """Print a board without computing anything.

    Ranks; agreement of particle sizes; fit to measure, by how much what is
    measured on the maps is off; the tests between pairs of methods; or what other
    splits do to the scores of methods that were run on several.
    """
    from uhcs_bench.ranking.outputs import board_json, board_rows, text_tables

    path = path or board_json.PACKAGED
    board = board_json.read(path)
    with board_json.reporting_damage(path):
        shown = text_tables.chosen(board, task, split, entry)
        if form == "json":
            listed = [*board_rows.listed(shown, what)]
            content = json_text({"schema": board["schema"], "rows": listed})
        else:
            content = text_tables.text(shown, what, "markdown" if form == "markdown" else "table")
            content = content or text_tables.absent(board, what, task, split, entry)
    emit(content, out)
