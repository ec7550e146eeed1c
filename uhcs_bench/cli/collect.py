"""The command ``uhcs-bench collect``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uhcs_bench import protocol
from uhcs_bench.cli import notes
from uhcs_bench.cli.common import (
    EXIT_CODES,
    GuardedCommand,
    InputPath,
    Name,
    NewFolder,
    echo,
)
from uhcs_bench.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExamples:\n"
    "  uhcs-bench collect nnunet nnUNet_results/Dataset501_particles_1.0_paper \\\n"
    "    --out preds/particles\n"
    "  uhcs-bench collect mmsegmentation results/ --data mmseg/ --out preds/mmseg\n"
    "  uhcs-bench collect coco results/ --data coco/ --out preds/coco\n" + EXIT_CODES,
)
@click.argument("form", metavar="FORMAT", type=click.Choice(["nnunet", "mmsegmentation", "coco"]))
@click.argument("results", type=InputPath())
@click.option("--out", required=True, type=NewFolder(), help="Folder to write; a new one.")
@click.option(
    "--data",
    type=InputPath(),
    help="The export that was trained on.  [required for mmsegmentation and coco]",
)
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="coco: leave out particles of a lower score.",
)
@click.option(
    "--dataset-version",
    "version",
    type=Name(*protocol.VERSIONS),
    metavar="VERSION",
    help=f"nnunet: one of {', '.join(protocol.VERSIONS)}.  [default: that of RESULTS]",
)
@click.option(
    "--split",
    type=Name(*protocol.SPLITS),
    metavar="SPLIT",
    help=f"nnunet: one of {', '.join(protocol.SPLITS)}.  [default: that of RESULTS]",
)
def collect(
    form: str,
    results: Path,
    out: Path,
    data: Path | None,
    min_score: float,
    version: str | None,
    split: str | None,
) -> None:
    """Gather another tool's predictions of all folds for scoring.

    RESULTS is for nnunet the folder of a training, with fold_0, fold_1 and so
    on; for mmsegmentation a folder with a folder fold_<n> of label maps for
    each fold; for coco a folder with a file fold_<n>.json of results for each
    fold. Each prediction must be in the place of its micrograph's own fold:
    another model may have been trained on it. All problems are reported at
    once.
    """
    if form == "nnunet":
        from uhcs_bench.exporters import nnunet

        collected = nnunet.collect(results, out, version, split)
    elif data is None:
        raise UsageError(f"Name the export that was trained on: --data FOLDER for {form}.")
    elif form == "coco":
        from uhcs_bench.exporters import coco

        collected = coco.collect(results, out, data, min_score)
    else:
        from uhcs_bench.exporters import mmsegmentation

        collected = mmsegmentation.collect(results, out, data)
    if collected.empty:
        names = ", ".join(collected.empty)
        echo(f"{notes.WARNING}nothing is predicted on {names}.", err=True)
    echo(
        f"{collected.n_maps} label maps of {collected.task} in {out}. "
        f"Score them: uhcs-bench score {out}{collected.score_options}"
    )
