"""The command ``uhcs-bench audit``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uhcs_bench import protocol
from uhcs_bench.cli.common import (
    EXIT_CODES,
    GuardedCommand,
    OutputFolder,
    echo,
    emit,
    format_option,
    out_option,
    version_option,
)

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExamples:\n  uhcs-bench audit\n"
    "  uhcs-bench audit --format json --out audit.json\n"
    "  uhcs-bench audit --agreement\n"
    "  uhcs-bench audit --report audit/\n" + EXIT_CODES,
)
@version_option
@click.option(
    "--agreement",
    is_flag=True,
    help="Print how far the annotations of fields that were annotated twice agree, instead of the "
    "findings.",
)
@click.option(
    "--report",
    "report_folder",
    metavar="FOLDER",
    type=OutputFolder(),
    help="Also write a web page with pictures of what is shown twice.",
)
@format_option("table", "json")
@out_option
def audit(
    version: str, agreement: bool, report_folder: Path | None, form: str, out: Path | None
) -> None:
    """Say what is wrong inside the data, recomputed from them.

    Leaks between folds and tasks, fields seen at two magnifications, label maps
    off their micrographs, samples in several folds, doubtful pixel sizes,
    particles at the border, specks, absent classes, filled rows.
    """
    from uhcs_bench.auditing import audit as auditing
    from uhcs_bench.auditing import repeat_annotation
    from uhcs_bench.data import dataset

    datasets = [dataset.load(task, version=version) for task in protocol.TASKS]
    found = auditing.audit(datasets)
    repeated = repeat_annotation.agreement(datasets, found.overlaps)
    shown = repeated if agreement else found
    emit(shown.to_json() if form == "json" else shown.to_text(), out)
    if report_folder is not None:
        from uhcs_bench.auditing import report

        page = report.write(report_folder, datasets, found, repeated)
        echo(f"Report: {page}", err=True)
