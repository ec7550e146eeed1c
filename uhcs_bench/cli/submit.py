"""The command ``uhcs-bench submit``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from uhcs_bench import protocol
from uhcs_bench.cli.common import (
    EXIT_CODES,
    GuardedCommand,
    InputPath,
    Name,
    NewFolder,
    echo,
    links_option,
)
from uhcs_bench.cli.leaderboard import DEFAULT_FOLDER

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExamples:\n  uhcs-bench submit preds/mine --name 'My network'\n"
    "  uhcs-bench submit preds/mine --name 'My network' --out leaderboard/\n"
    "  uhcs-bench submit preds/seed0 preds/seed1 --name 'My network'\n" + EXIT_CODES,
)
@click.argument(
    "predictions",
    metavar="PREDS...",
    nargs=-1,
    required=True,
    type=InputPath(),
)
@click.option("--name", required=True, help="Name on the board.")
@click.option(
    "--out",
    type=NewFolder(),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="Folder of the entries.",
)
@click.option(
    "--dataset-version",
    "version",
    type=Name(*protocol.VERSIONS),
    metavar="VERSION",
    help="Data set version that the maps are for.  [default: that of the record beside them, or "
    f"else {protocol.REAL_VERSION}]",
)
@click.option(
    "--split",
    type=Name(*protocol.SPLITS),
    metavar="SPLIT",
    help="Split that the maps are for.  [default: that of the record beside them, or else "
    f"{protocol.PAPER_SPLIT}]",
)
@links_option
def submit(
    predictions: tuple[Path, ...],
    name: str,
    out: Path,
    version: str | None,
    split: str | None,
    follow_links: bool,
) -> None:
    """Make an entry of predicted label maps.

    Several PREDS are runs of one method that differ by their seeds. The maps
    are checked and copied as PNG, and an entry.yaml is written beside them, with
    comments; what only you know is left to be filled in.
    """
    from uhcs_bench.ranking.entries import create, declaration

    folder, to_fill = create.create(
        predictions, name, out, version, split, follow_links=follow_links
    )
    lines = [f"Made {folder}. Left to fill in, in {folder / declaration.FILE_NAME}:"]
    lines += [f"  {place}" for place in to_fill]
    quoted = shlex.quote(str(folder))
    slug = folder.name
    lines += ["Then:", f"  uhcs-bench validate {quoted}"]
    if folder.parent.name != DEFAULT_FOLDER.name:  # only entries there are looked at
        lines.append(f"  mv {quoted} {DEFAULT_FOLDER}/")
        quoted = shlex.quote(f"{DEFAULT_FOLDER}/{slug}")
    lines += [
        f"  git switch --create {slug}",
        f"  git add {quoted}",
        f"  git commit --message {shlex.quote(f'Enter {slug}')}",
        f"  git push --set-upstream origin {slug}",
        "and open a pull request: it is validated, scored and ranked there.",
    ]
    echo("\n".join(lines))
