"""The command ``uhcs-bench collect``."""

from __future__ import annotations

from pathlib import Path

import click

from uhcs_bench import protocol
from uhcs_bench.cli.common import (
    EXIT_CODES,
    GuardedCommand,
    NewFolder,
)


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExample:\n"
    "  uhcs-bench collect nnunet nnUNet_results/Dataset501_particles_1.0_paper \\\n"
    "    --out preds/particles\n" + EXIT_CODES,
)
@click.argument("form", metavar="FORMAT", type=click.Choice(["nnunet"]))
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=NewFolder(), help="Folder to write; a new one.")
@click.option(
    "--dataset-version",
    "version",
    metavar="VERSION",
    help=f"One of {', '.join(protocol.VERSIONS)}.  [default: what RESULTS says]",
)
@click.option(
    "--split",
    metavar="SPLIT",
    help=f"One of {', '.join(protocol.SPLITS)}.  [default: what RESULTS says]",
)
def collect(form: str, results: Path, out: Path, version: str | None, split: str | None) -> None:  # noqa: ARG001
    """Gather another tool's predictions of all folds for scoring.

    FORMAT is nnunet, RESULTS the folder of a training, with fold_0, fold_1 and
    so on. Each prediction has to lie in the validation folder of its
    micrograph's own fold: another model may have been trained on it. All
    problems are reported at once.
    """
    from uhcs_bench.exporters import nnunet

    collected = nnunet.collect(results, out, version, split)
    click.echo(
        f"{collected.n_maps} label maps of {collected.task} in {out}. "
        f"Score them: uhcs-bench score {out}{collected.score_options}"
    )
