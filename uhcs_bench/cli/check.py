"""The command ``uhcs-bench check``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from uhcs_bench.cli.common import (
    EXIT_CODES,
    GuardedCommand,
    InputPath,
    emit,
    format_option,
    links_option,
    out_option,
)

if TYPE_CHECKING:
    from pathlib import Path

NOT_CONFIRMED = 4
"""Exit code if a claim fits no reading."""

_CODES = EXIT_CODES.replace("  130  ", f"  {NOT_CONFIRMED}    a claim fits nothing\n  130  ")


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExamples:\n  uhcs-bench check preds/ --claim IU=0.724\n"
    "  uhcs-bench check preds/ --claim 'IU particle=54.8' --claim AC=91.1\n" + _CODES,
)
@click.argument("predictions", metavar="MAPS", type=InputPath())
@click.option(
    "--claim",
    "claims",
    multiple=True,
    required=True,
    metavar="METRIC=VALUE",
    help="Score to check, such as IU=0.724 or 'IU particle=54.8'; values above 1 are percent. "
    "May be repeated.",
)
@click.option("--task", help="Task of the claims.  [default: those that the ids belong to]")
@links_option
@format_option("table", "json")
@out_option
def check(
    predictions: Path,
    claims: tuple[str, ...],
    task: str | None,
    follow_links: bool,
    form: str,
    out: Path | None,
) -> None:
    """Find out what a claimed score is a score of.

    MAPS are scored under every data set version, split and convention, and under
    the protocols of later papers. What rounds to the claimed value is listed;
    where nothing does, the three nearest are.
    """
    from uhcs_bench.scoring import claims as checking

    found = checking.check(predictions, *claims, task=task, follow_links=follow_links)
    emit(found.to_json() if form == "json" else found.to_text(), out)
    if not found.confirmed:
        sys.exit(NOT_CONFIRMED)
