"""The command ``uhcs-bench export``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uhcs_bench.cli.common import (
    EXIT_CODES,
    TASK,
    GuardedCommand,
    Name,
    NewFolder,
    echo,
    split_option,
    version_option,
)
from uhcs_bench.exporters.formats import FORMATS

if TYPE_CHECKING:
    from pathlib import Path


_WIDTH = max(map(len, FORMATS)) + 2
_LISTED = "\b\nFormats:\n" + "".join(
    f"  {name:{_WIDTH}}{summary}\n" for name, summary in FORMATS.items()
)


@click.command(
    cls=GuardedCommand,
    epilog=_LISTED + "\n\b\nExamples:\n  uhcs-bench export nnunet data/nnunet\n"
    "  uhcs-bench export coco data/coco --dataset-version audited\n"
    "  uhcs-bench export png data/uhcs --task microconstituents --split clean\n" + EXIT_CODES,
)
@click.argument("form", metavar="FORMAT", type=Name(*FORMATS))
@click.argument("out", type=NewFolder())
@click.option(
    "--task", type=TASK, help="Task to export.  [default: all that the format can express]"
)
@version_option
@split_option
def export(form: str, out: Path, task: str | None, version: str, split: str) -> None:
    """Write the data in the form that another tool reads.

    OUT must not exist, or be empty; it is written in one step. Its
    README.md lists the next steps and the licences of the files;
    uhcs-bench.json holds the data set version and split for programs.
    """
    from uhcs_bench.exporters.export import README_NAME, export

    exported = export(form, out, task, version, split)
    echo(
        f"{exported.n_micrographs} micrographs for {exported.usage.title} in {out}. "
        f"What comes next: {out / README_NAME}"
    )
