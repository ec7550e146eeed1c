"""The command ``uhcs-bench describe``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uhcs_bench.cli.common import (
    EXIT_CODES,
    TASK,
    CommandGroup,
    emit,
    out_option,
)

if TYPE_CHECKING:
    from pathlib import Path

task_option = click.option("--task", type=TASK, help="Task to describe.  [default: both]")


@click.group(
    cls=CommandGroup,
    epilog="\b\nExamples:\n  uhcs-bench describe croissant --out croissant.json\n"
    "  uhcs-bench describe card --task particles --out README.md\n" + EXIT_CODES,
)
def describe() -> None:
    """Write standard descriptions of the data sets.

    They are computed from the registry of files, hashes and licences. They
    describe data set version 1.0, the deposit.
    """


@describe.command(
    epilog="\b\nExample:\n  uhcs-bench describe croissant --task particles\n" + EXIT_CODES
)
@task_option
@out_option
def croissant(task: str | None, out: Path | None) -> None:
    """Write Croissant 1.1 metadata, as mlcroissant loads them.

    Limitations and biases are what an audit finds, which needs the data; what
    the cache does not have is fetched.
    """
    from uhcs_bench.exporters import croissant as croissants
    from uhcs_bench.exporters import description

    described = croissants.metadata(task, description.audited(task))
    emit(croissants.to_json(described), out)


@describe.command(epilog="\b\nExample:\n  uhcs-bench describe card --out README.md\n" + EXIT_CODES)
@task_option
@out_option
def card(task: str | None, out: Path | None) -> None:
    """Write a dataset card in Hugging Face's form.

    Its known problems are what an audit finds, which needs the data; what the
    cache does not have is fetched.
    """
    from uhcs_bench.exporters import card as cards

    emit(cards.card(task), out)
