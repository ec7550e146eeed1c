"""Commands that write the data for other tools, and read their predictions."""

from __future__ import annotations

from pathlib import Path

import click

from uhcs_bench import protocol
from uhcs_bench.cli.common import EXIT_CODES, split_option, version_option

_FORMATS = """\
\b
Formats:
  nnunet          nnU-Net v2, with the folds where it looks for them
  mmsegmentation  MMSegmentation 1.x, with a configuration for each fold
  coco            COCO instances: single particles
  huggingface     a folder for datasets.load_dataset
  png             pairs of PNG files, and a table of the folds

"""


@click.command(
    epilog=_FORMATS + "\b\nExamples:\n  uhcs-bench export nnunet data/nnunet\n"
    "  uhcs-bench export coco data/coco --dataset-version audited\n"
    "  uhcs-bench export png data/uhcs --task microconstituents --split clean\n" + EXIT_CODES
)
@click.argument("form", metavar="FORMAT")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--task", help="Task to export.  [default: all that the format can express]")
@version_option
@split_option
def export(form: str, out: Path, task: str | None, version: str, split: str) -> None:
    """Write the data in the form that another tool reads.

    OUT must not exist, or be empty; it is written whole or not at all. Its
    README.md says what comes next, and under which licences the files are;
    uhcs-bench.json says the data set version and split for programs.
    """
    from uhcs_bench.exporters import common as exports

    exported = exports.export(form, out, task, version, split)
    click.echo(
        f"{exported.n_micrographs} micrographs for {exported.usage.title} in {out}. "
        f"What comes next: {out / exports.README_NAME}"
    )


@click.command(
    epilog="\b\nExample:\n"
    "  uhcs-bench collect nnunet nnUNet_results/Dataset501_particles_1.0_paper \\\n"
    "    --out preds/particles\n" + EXIT_CODES
)
@click.argument("form", metavar="FORMAT", type=click.Choice(["nnunet"]))
@click.argument("results", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder to write; a new one."
)
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
