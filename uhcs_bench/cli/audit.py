"""The command ``uhcs-bench audit``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uhcs_bench import protocol
from uhcs_bench.cli.common import EXIT_CODES, emit, format_option, out_option, version_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    epilog="\b\nExamples:\n  uhcs-bench audit\n"
    "  uhcs-bench audit --format json --out audit.json\n" + EXIT_CODES
)
@version_option
@format_option("table", "json")
@out_option
def audit(version: str, form: str, out: Path | None) -> None:
    """Say what is wrong inside the data, recomputed from them.

    Leaks between folds and tasks, label maps off their micrographs, samples in
    several folds, doubtful pixel sizes, particles at the border, specks, absent
    classes, filled rows.
    """
    from uhcs_bench.auditing import audit as auditing
    from uhcs_bench.data import dataset

    found = auditing.audit(dataset.load(task, version=version) for task in protocol.TASKS)
    emit(found.to_json() if form == "json" else found.to_text(), out)
