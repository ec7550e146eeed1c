"""The command ``uhcs-bench demo``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uhcs_bench import protocol
from uhcs_bench.cli.common import (
    EXIT_CODES,
    GuardedCommand,
    OutputFolder,
    echo,
)
from uhcs_bench.cli.score import formatted

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExamples:\n  uhcs-bench demo\n"
    "  uhcs-bench demo --out demo/   # keep the label maps, then:\n"
    "  uhcs-bench score demo/ --dataset-version synthetic --format json\n" + EXIT_CODES,
)
@click.option(
    "--out",
    type=OutputFolder(),
    help="Folder to keep the label maps in.",
)
def demo(out: Path | None) -> None:
    """Generate, segment and score a small synthetic set, offline.

    Otsu's threshold finds the particles; multi-level Otsu does not separate the
    microconstituents, as its scores show.
    """
    from uhcs_bench.data import dataset, label_maps
    from uhcs_bench.scoring import score as scoring
    from uhcs_bench.segmentation import otsu

    maps = {
        micrograph.id: otsu.segment(micrograph.image, task)
        for task in protocol.TASKS
        for micrograph in dataset.load(task, version=protocol.SYNTHETIC_VERSION)
    }
    report = scoring.score(maps, version=protocol.SYNTHETIC_VERSION)
    if out is not None:
        for task in report.tasks:
            for image in task.images:
                label_maps.write_label_map(out / task.task / f"{image.id}.png", maps[image.id])
    echo(formatted(report, "table"))
