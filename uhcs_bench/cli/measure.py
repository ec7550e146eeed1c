"""The command ``uhcs-bench measure``."""

from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING, Any

import click

from uhcs_bench.cli import notes
from uhcs_bench.cli.common import TASK, GuardedCommand, InputPath, OutputFile, OutputFolder, echo
from uhcs_bench.errors import UhcsBenchError, UsageError, things

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from uhcs_bench.executors import Pool
    from uhcs_bench.measuring.batch import Outputs, Summary
    from uhcs_bench.measuring.inputs import About, Found
    from uhcs_bench.measuring.jobs import Options

NO_MODEL = "none"
"""Value of --model that says that inputs are label maps."""


class UnmeasuredError(UhcsBenchError):
    """Some of the files could not be measured; the message lists them."""


def _print_columns(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    """Print the glossary instead of measuring."""
    if asked and not ctx.resilient_parsing:
        from uhcs_bench.measuring.outputs import tidy

        echo(tidy.glossary_text())
        ctx.exit()


@click.command(
    cls=GuardedCommand,
    epilog="""\b
Examples:
  uhcs-bench measure my-micrographs/ --task particles
  uhcs-bench measure my-micrographs/ --task particles --pixel-size 0.0388 \\
      --specimen '^(.+)-\\d+$' --overlays overlays/ --out sizes.csv
  uhcs-bench measure my-micrographs/ --task uhcs --pixel-size files.csv \\
      --specimen specimen --out zones.xlsx
  uhcs-bench measure maps/ --task particles --out sizes.parquet --workers 4
  uhcs-bench measure --columns

\b
Exit codes:
  0    done
  1    a file could not be measured, read or written; all others were
  2    wrong usage
  130  interrupted; the same command does the rest
""",
)
@click.argument("inputs", metavar="INPUT...", nargs=-1, type=InputPath())
@click.option(
    "--task",
    type=TASK,
    help="particles or microconstituents.  [required without a --model for it]",
)
@click.option(
    "--model",
    metavar="NAME",
    help="What segments micrographs: otsu, particles or microconstituents (networks that come with "
    "the package), or an ONNX file; none for INPUTs that are label maps.  [default: the network of "
    "the task where INPUTs are micrographs]",
)
@click.option(
    "--pixel-size",
    metavar="UM|CSV",
    help="Edge of a pixel in micrometres, or with its unit as in 40nm, or a CSV file with the "
    "column file and any of pixel_size_um, specimen and crop_bottom.  [default: what the "
    "registry says for the benchmark's micrographs, or the file's own header]",
)
@click.option(
    "--crop-bottom",
    metavar="ROWS|auto|none",
    default="auto",
    show_default=True,
    help="Rows to cut off at the bottom; auto cuts off the data bar of micrographs.",
)
@click.option(
    "--page",
    type=click.IntRange(1),
    help="Which image is meant where INPUTs hold several.  [default: the only one]",
)
@click.option(
    "--min-diameter",
    metavar="LENGTH",
    help="Equivalent circular diameter of the smallest particle that counts, with its unit: 0.2um "
    "or 5px.  [default: all particles count]",
)
@click.option(
    "--specimen",
    metavar="BY",
    help="Group fields into specimens: by a column of the CSV file, heat_treatment (the "
    "benchmark's micrographs), or a regular expression for file names, whose first group is the "
    "specimen.  [default: the column specimen, if there is one]",
)
@click.option("--recursive", is_flag=True, help="Look into the folders inside of folders, too.")
@click.option(
    "--out",
    type=OutputFile(),
    help="Table to write, .csv, .json, .parquet or .xlsx: a row for each map and measure.",
)
@click.option("--wide", is_flag=True, help="Write a row for each map, a column for each number.")
@click.option(
    "--particles",
    "particles_out",
    type=OutputFile(),
    help="Table to write with a row for each particle.",
)
@click.option(
    "--specimens",
    "specimens_out",
    type=OutputFile(),
    help="Table to write with a row for each specimen and measure.",
)
@click.option(
    "--overlays",
    type=OutputFolder(),
    help="Folder to write pictures to: outlines on each micrograph, with a scale bar.",
)
@click.option(
    "--maps",
    type=OutputFolder(),
    help="Folder to write label maps to, as PNG.",
)
@click.option(
    "--plots",
    type=OutputFolder(),
    help="Folder to write plots to: a distribution for each INPUT, and an overview.",
)
@click.option(
    "--rois",
    type=OutputFolder(),
    help="Folder to write files for ImageJ to: a zip of particle outlines and a table of results "
    "for each INPUT.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes to work in.  [default: 1]")
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Scheduler of a Dask cluster to work on, such as tcp://10.0.0.1:8786. Its workers must "
    "find INPUTs and an ONNX file under the same paths, and have the same uhcs-bench.",
)
@click.option(
    "-q",
    "--quiet",
    is_flag=True,
    help="No progress and no notes on standard error, but errors and warnings.",
)
@click.option(
    "--columns",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_columns,
    help="Explain all measures, and exit.",
)
def measure(
    inputs: tuple[Path, ...],
    task: str | None,
    model: str | None,
    pixel_size: str | None,
    crop_bottom: str,
    page: int | None,
    min_diameter: str | None,
    specimen: str | None,
    *,
    recursive: bool,
    wide: bool,
    workers: int | None,
    scheduler: str | None,
    quiet: bool,
    **places: Path | None,
) -> None:
    """Measure sizes, widths and fractions on micrographs or maps.

    INPUT is a raw micrograph or a label map (PNG, TIFF or NPY; micrographs also JPEG
    or BMP), or a folder of them. Micrographs are segmented first. The measures are
    phase fractions; for particles their number, density and size distribution; for
    microconstituents the denuded zone's width and the intercepts of the network.
    Printed are the main ones, and with --specimen their means over fields; --out has
    all. Without a pixel size lengths are in px.

    Results are kept in <out>.journal until all files are measured: the same command,
    given again, does only what is new, changed or failed.
    """
    from uhcs_bench.cli.progress import Progress
    from uhcs_bench.measuring import batch

    if not inputs:
        raise UsageError("There is nothing to measure. Name files or folders.")
    if workers is not None and scheduler is not None:
        raise UsageError("Give --workers for this machine, or --scheduler for a cluster, not both.")
    pool = _pool(workers, scheduler)
    outputs = _outputs(places, wide=wide)
    size, table = _size_or_table(pixel_size, outputs)
    options, found = _inputs_and_options(
        inputs, task, model, (size, crop_bottom, min_diameter, page), pool, recursive, outputs
    )
    about, specimen_of, without_specimen = _about(table, specimen, found)
    batch.check_outputs(options, outputs)
    if not quiet:
        _announce(options, found)
    with Progress(quiet=quiet) as report:
        summary = batch.run(
            found.files,
            options,
            outputs,
            about=about,
            specimen_of=specimen_of,
            pool=pool,
            report=report,
        )
    _conclude(summary, options, outputs, without_specimen, quiet)


def _outputs(places: Mapping[str, Path | None], *, wide: bool) -> Outputs:
    from uhcs_bench.measuring import batch, jobs

    if wide and places["out"] is None:
        raise UsageError("--wide is about the table that --out names. Name one.")
    folders: dict[Any, Path] = {
        kind: folder for kind in jobs.KINDS if (folder := places[kind]) is not None
    }
    return batch.Outputs(
        places["out"], wide, places["particles_out"], places["specimens_out"], folders
    )


def _size_or_table(text: str | None, outputs: Outputs) -> tuple[float | None, Path | None]:
    """Tell a number from the name of a table."""
    from uhcs_bench.io import paths
    from uhcs_bench.measuring import pixel_size

    if text is None:
        return None, None
    try:
        um = pixel_size.read_um(text)
    except ValueError:
        table = paths.given(text)
    else:
        return pixel_size.check(um), None
    if not os.path.lexists(table):
        raise UsageError(
            f"--pixel-size {text}: that is no length, and there is no file of that name. Give the "
            "edge of a pixel in micrometres, as in 0.04, or with its unit, as in 40nm, 0.04um or "
            "0.04µm, or a CSV file with the columns file and pixel_size_um."
        )
    places = {os.path.realpath(path) for path in outputs.tables}
    if os.path.realpath(table) in places:
        raise UsageError(f"{table} is read, and can't be written; give the output another name.")
    return None, table


def _inputs_and_options(
    inputs: tuple[Path, ...],
    task: str | None,
    model: str | None,
    how: tuple[float | None, str, str | None, int | None],
    pool: Pool | None,
    recursive: bool,
    outputs: Outputs,
) -> tuple[Options, Found]:
    """Find the files, and what segments them, if they are micrographs."""
    from uhcs_bench import protocol
    from uhcs_bench.measuring import batch, data_bar, jobs
    from uhcs_bench.measuring import inputs as found_inputs
    from uhcs_bench.metallography import arguments

    if task is None and model in (None, NO_MODEL):
        raise UsageError(
            f"Say what is to be measured: --task {' or --task '.join(protocol.TASKS)}."
        )
    name = None if task is None else protocol.task(task).name
    size, crop_bottom, min_diameter, page = how
    arguments.check_min_diameter(min_diameter)
    data_bar.parse(crop_bottom)
    blank = jobs.Options(
        name or "particles",
        size,
        model_threads=0 if pool is None else 1,
        crop_bottom=crop_bottom,
        min_diameter=min_diameter,
        page=page,
    )
    options = blank
    if model not in (None, NO_MODEL):
        options = batch.options_with_model(str(model), name, blank)
    places = [*outputs.folders.values(), *outputs.tables]
    found = found_inputs.find(
        inputs,
        options.task,
        micrographs=model != NO_MODEL,
        recursive=recursive,
        outputs=places,
    )
    if model is None:
        n_classes = len(protocol.TASKS[options.task].classes)
        if found_inputs.are_micrographs(found.files, n_classes):
            return _default_model(options), found
    if options.model is None:
        found = found_inputs.find(inputs, options.task, recursive=recursive, outputs=places)
    return options, found


def _default_model(options: Options) -> Options:
    from uhcs_bench.errors import MissingPackageError
    from uhcs_bench.measuring import batch

    try:
        return batch.options_with_model(options.task, options.task, options)
    except MissingPackageError as error:
        raise UsageError(
            f"The inputs are micrographs, and the network for {options.task} needs a package that "
            "is not installed. Nothing was measured. Install it with pip install "
            "'uhcs-bench[measure]', or give --model otsu, which needs none and does worse."
        ) from error


def _about(
    table: Path | None, specimen: str | None, found: Found
) -> tuple[dict[Path, About], dict[Path, str], str]:
    """Read the table about files, find their specimens, and say which files have none and why."""
    from uhcs_bench.measuring import inputs, specimens

    about: dict[Path, About] = {}
    if table is not None:
        about, doubts = inputs.read_table(table, found.files, specimen)
        for doubt in doubts:
            echo(f"{notes.WARNING}{doubt}", err=True)
    if specimen is None:
        if not any(one.columns.get(inputs.SPECIMEN_COLUMN) for one in about.values()):
            return about, {}, ""
        specimen = inputs.SPECIMEN_COLUMN
    specimen_of = specimens.assign(specimen, found.files, about)
    without = [file.stem for file in found.files if file not in specimen_of]
    if not without:
        return about, specimen_of, ""
    verb = "belongs" if len(without) == 1 else "belong"
    said = (
        f"{things(len(without), 'file')} {verb} to no specimen and to no mean: "
        f"{notes.some(without)}; {specimens.why_none(specimen, about)}."
    )
    return about, specimen_of, said


def _announce(options: Options, found: Found) -> None:
    """Say what segments, and what is passed over."""
    from uhcs_bench.measuring import inputs

    if options.model is not None:
        from uhcs_bench.segmentation import models

        card = models.load(options.model, options.model_threads, options.task).card
        echo(textwrap.fill(card.sentence(), 80, break_long_words=False), err=True)
        if card.name in models.NAMES:
            echo("--model names another one, --model otsu the simplest.", err=True)
    for line in inputs.account(found.passed_over):
        echo(line, err=True)


def _pool(workers: int | None, scheduler: str | None) -> Pool | None:
    from uhcs_bench import executors

    if scheduler is not None:
        return executors.cluster(scheduler)
    if workers is not None and workers > 1:
        return executors.processes(workers)
    return None


def _conclude(
    summary: Summary, options: Options, outputs: Outputs, without_specimen: str, quiet: bool
) -> None:
    """Print the main results, warnings, and what could not be measured."""
    from uhcs_bench.measuring import batch, specimens
    from uhcs_bench.measuring.outputs import tidy

    if summary.rows:
        text = (
            specimens.text(summary.specimens, options.task)
            if summary.specimens
            else tidy.table_of_maps(options.task, summary.rows)
        )
        echo(text)
    for line in notes.gathered(summary.warnings):
        echo(f"{notes.WARNING}{line}", err=True)
    if not quiet:
        echo(_said(summary, outputs, without_specimen), err=True)
    if summary.failures:
        hint = ""
        are_micrographs = all("may be a micrograph" in text for _, text in summary.failures)
        if options.model is None and are_micrographs:
            hint = "\nMicrographs need a --model that segments them."
        raise UnmeasuredError(batch.problems(summary.failures, summary.n_inputs) + hint)


def _said(summary: Summary, outputs: Outputs, without_specimen: str) -> str:
    n_rows = summary.n_inputs - len(summary.failures)
    places = ", ".join(map(str, (*outputs.tables, *outputs.folders.values())))
    lines = [f"{n_rows} of {summary.n_inputs} files measured" + (f": {places}" if places else "")]
    if summary.n_from_journal:
        lines.append(f"{summary.n_from_journal} of them by an earlier run that was not finished.")
    if summary.n_unreadable:
        lines.append(
            f"{summary.n_unreadable} results of that run were damaged and were measured again."
        )
    if summary.journal is not None:
        lines.append(f"They are kept in {summary.journal} until the rest can be measured.")
    lines += notes.pixel_sizes(
        (
            (str(row["id"]), None if um is None else float(um), str(row["pixel_size_source"]))
            for row in summary.rows
            for um in (row["pixel_size_um"],)
        ),
        "so that lengths are in pixels",
        _fate_of_some(summary, outputs),
    )
    if without_specimen:
        lines += notes.wrapped(without_specimen)
    if summary.rows and outputs.table is None:
        # The intervals of specimens are over fields, and stand in what is printed.
        of = " of single fields" if summary.specimens else ""
        lines.append(f"95 % intervals{of} and further measures: --out FILE.")
    return "\n".join(lines)


def _fate_of_some(summary: Summary, outputs: Outputs) -> str:
    """Say where the lengths are of files without a pixel size, if others have one."""
    where = "the table" if outputs.table is not None else "the table of --out"
    if summary.specimens:
        return f"so that no mean length above includes theirs, and lengths in {where} are in pixels"
    return f'so that lengths are "-" above, and in pixels in {where}'
