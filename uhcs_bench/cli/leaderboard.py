"""The command ``uhcs-bench leaderboard``."""

from __future__ import annotations

from pathlib import Path

import click

from uhcs_bench.cli.common import (
    EXIT_CODES,
    CommandGroup,
    OutputFolder,
    echo,
)

DEFAULT_FOLDER = Path("leaderboard")


@click.group(cls=CommandGroup, epilog=EXIT_CODES)
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
    type=OutputFolder(may_be_input=True),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="Folder of the entries; README.md and leaderboard.json are written there.",
)
@click.option(
    "--site",
    type=OutputFolder(),
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
    from uhcs_bench.ranking import board as board_module
    from uhcs_bench.ranking import files
    from uhcs_bench.ranking.board import DATA_NAME, PAGE_NAME

    entries = board_module.read_entries(folder)
    board = board_module.build(entries)
    count = "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
    if check:
        files.check(folder, board)
        echo(f"{folder} is what the label maps of {count} give.")
    else:
        files.write(folder, board)
        echo(f"Wrote {PAGE_NAME} and {DATA_NAME} of {count} to {folder}.")
    if site is not None:
        from uhcs_bench.ranking.site import write as write_site

        echo(f"Site: {write_site(site, board)}", err=True)
