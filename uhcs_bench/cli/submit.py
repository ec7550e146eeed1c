"""The command ``uhcs-bench submit``."""

from __future__ import annotations

from pathlib import Path

import click

from uhcs_bench.cli.common import (
    EXIT_CODES,
    GuardedCommand,
    NewFolder,
    echo,
    split_option,
    version_option,
)
from uhcs_bench.cli.leaderboard import DEFAULT_FOLDER


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExamples:\n  uhcs-bench submit preds/mine --name 'My network'\n"
    "  uhcs-bench submit preds/mine --name 'My network' --out leaderboard/\n" + EXIT_CODES,
)
@click.argument("predictions", metavar="PREDS", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name on the board.")
@click.option(
    "--out",
    type=NewFolder(),
    default=DEFAULT_FOLDER,
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
    from uhcs_bench.ranking import create, declaration

    folder, to_fill = create.create(predictions, name, out, version, split)
    lines = [f"Made {folder}. Left to fill in, in {folder / declaration.FILE_NAME}:"]
    lines += [f"  {place}" for place in to_fill]
    lines += [f"Then: uhcs-bench validate {folder}"]
    echo("\n".join(lines))
