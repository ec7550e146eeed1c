"""The command ``uhcs-bench measure``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from uhcs_bench.cli.common import GuardedCommand, OutputFile, OutputFolder
from uhcs_bench.errors import UhcsBenchError, UsageError

if TYPE_CHECKING:
    from uhcs_bench.measuring.batch import Summary
    from uhcs_bench.measuring.executors import Pool


class UnmeasuredError(UhcsBenchError):
    """Some of the files could not be measured; the message lists them."""


@click.command(
    cls=GuardedCommand,
    epilog="""\b
Examples:
  uhcs-bench measure preds/ --task particles --out sizes.csv
  uhcs-bench measure preds/ --task uhcs --out zones.json --plots plots/
  uhcs-bench measure a.png b.tif --task particles --pixel-size 0.0388 \\
      --out sizes.parquet --particles particles.parquet
  uhcs-bench measure images/ --model unet.onnx --workers 4 --out sizes.csv

\b
Exit codes:
  0    done
  1    a file could not be measured, read or written; all others were
  2    wrong usage
  130  interrupted; the same command does the rest
""",
)
@click.argument("inputs", metavar="INPUT...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--task", help="What the labels mean.  [required without a --model that says it]")
@click.option(
    "--out",
    required=True,
    type=OutputFile(),
    help="Table to write, .parquet, .csv or .json, a row for each INPUT.",
)
@click.option(
    "--particles",
    "particles_out",
    type=OutputFile(),
    help="Second table to write, a row for each particle.",
)
@click.option(
    "--plots",
    type=OutputFolder(),
    help="Folder to write plots to: a distribution for each INPUT, and an overview.",
)
@click.option(
    "--pixel-size",
    "pixel_size_um",
    type=float,
    metavar="UM",
    help="Edge of a pixel in micrometres.  [default: what the registry says for the benchmark's "
    "micrographs, or the file's own header]",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="Network that segments INPUTs first, which are micrographs: an ONNX file, or particles or "
    "microconstituents for the one that comes with the package.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes to work in.  [default: 1]")
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Scheduler of a Dask cluster to work on, such as tcp://10.0.0.1:8786. Its workers must "
    "find INPUTs and model under the same paths.",
)
def measure(
    inputs: tuple[Path, ...],
    task: str | None,
    out: Path,
    particles_out: Path | None,
    plots: Path | None,
    pixel_size_um: float | None,
    model: Path | None,
    workers: int | None,
    scheduler: str | None,
) -> None:
    """Measure sizes, widths and fractions on label maps.

    INPUT is a label map (PNG, TIFF or NPY), or a folder of them. The table holds
    phase fractions; for particles their number, density and size distribution;
    for microconstituents the denuded zone's width (the authors' procedure, and
    along unobstructed lines) and the mean intercept lengths of the network. A
    column's name ends in its unit. Without a pixel size lengths are in px alone.

    Results are kept in <out>.journal as they come: the same command, given again,
    does only what is new or failed. Delete that file to measure everything again.
    """
    from uhcs_bench import protocol
    from uhcs_bench.measuring import batch, pixel_size

    if not inputs:
        raise UsageError("There is nothing to measure. Name files or folders.")
    if workers is not None and scheduler is not None:
        raise UsageError("Give --workers for this machine, or --scheduler for a cluster, not both.")
    if pixel_size_um is not None:
        pixel_size.check(pixel_size_um)
    pool = _pool(workers, scheduler)
    if model is not None:
        from uhcs_bench.segmentation import models

        threads = 0 if pool is None else 1
        model = models.find(model)
        if not model.is_file():
            raise UsageError(
                f"The model {model} does not exist. Give an ONNX file, or "
                f"{' or '.join(models.NAMES)}."
            )
        options = batch.options_with_model(model, task, pixel_size_um, threads)
    elif task is None:
        raise UsageError(f"Say what the labels mean: --task {' or --task '.join(protocol.TASKS)}.")
    else:
        options = batch.Options(protocol.task(task).name, pixel_size_um)
    files = batch.find_inputs(inputs, options.task, micrographs=model is not None)
    summary = batch.run(files, options, out, particles_out, plots, pool)
    for file, warning in summary.warnings:
        click.echo(f"uhcs-bench: warning: {file}: {warning}", err=True)
    click.echo(_said(summary, out), err=True)
    if summary.failures:
        lines = "".join(f"\n  - {file}: {reason}" for file, reason in summary.failures)
        count = f"{len(summary.failures)} of {summary.n_inputs} files"
        hint = "\nMicrographs need a --model that segments them." if model is None else ""
        hint = hint if len(summary.failures) == summary.n_inputs else ""
        raise UnmeasuredError(f"{count} could not be measured:{lines}{hint}")


def _pool(workers: int | None, scheduler: str | None) -> Pool | None:
    from uhcs_bench.measuring import executors

    if scheduler is not None:
        return executors.cluster(scheduler)
    if workers is not None and workers > 1:
        return executors.processes(workers)
    return None


def _said(summary: Summary, out: Path) -> str:
    n_rows = summary.n_inputs - len(summary.failures)
    text = f"{n_rows} of {summary.n_inputs} files measured: {out}"
    if summary.n_from_journal:
        text += f"\n{summary.n_from_journal} of them were in {out}.journal already."
    if summary.n_without_size:
        text += (
            f"\n{summary.n_without_size} without a pixel size, so that their lengths are in px "
            "alone. The column\npixel_size_source says why; --pixel-size gives one."
        )
    return text
