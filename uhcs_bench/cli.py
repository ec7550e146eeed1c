"""The command ``uhcs-bench``.

Results go to standard output, progress and errors to standard error. Each command imports what it
needs when it runs: at this size of data, imports cost more than the work.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from uhcs_bench import __version__, protocol
from uhcs_bench.errors import UhcsBenchError, UsageError

if TYPE_CHECKING:
    from uhcs_bench.scoring import Report, Resampled

FORMATS = ("table", "json", "csv", "markdown", "latex")

_EXIT_CODES = """
\b
Exit codes:
  0  done
  1  a file could not be read or written
  2  invalid submission, or wrong usage
  3  data unavailable
"""


class ReportingGroup(click.Group):
    """A command group that turns the package's errors into a message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except UhcsBenchError as error:
            click.echo(f"{ctx.info_name}: {error}", err=True)
            sys.exit(error.exit_code)
        except BrokenPipeError:
            # The reader of a pipe has seen enough; Python would complain again at its exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except OSError as error:
            click.echo(f"{ctx.info_name}: {error}", err=True)
            sys.exit(1)


def version_option(command: Any) -> Any:
    """Add the option that names the data set version."""
    return click.option(
        "--dataset-version",
        "version",
        default=protocol.REAL_VERSION,
        show_default=True,
        metavar="VERSION",
        help="; ".join(f"{name}: {meaning}" for name, meaning in protocol.VERSIONS.items()) + ".",
    )(command)


@click.group(
    cls=ReportingGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog=_EXIT_CODES,
)
@click.version_option(__version__, package_name="uhcs-bench")
def main() -> None:
    """Benchmark for the segmentation of ultrahigh-carbon-steel micrographs."""


@main.command(
    epilog="\b\nExamples:\n  uhcs-bench download all\n  uhcs-bench download all --verify\n"
    "  uhcs-bench download all --from ~/Downloads/particles.zip\n" + _EXIT_CODES
)
@click.argument("task", metavar="[particles|microconstituents|all]", default="all")
@click.option(
    "--verify",
    is_flag=True,
    help="Recheck every pixel of the cache; name what is damaged and fetch it again.",
)
@click.option(
    "--from",
    "copy",
    metavar="FOLDER_OR_ZIP",
    type=click.Path(path_type=Path),
    help="Import a copy that you already have, whatever its files are called, instead of fetching.",
)
def download(task: str, verify: bool, copy: Path | None) -> None:
    """Fetch micrographs and label maps and verify every pixel.

    What the cache already has is not fetched again. UHCS_BENCH_CACHE moves the
    cache, UHCS_BENCH_MIRROR names a folder or base URL that is tried first,
    UHCS_BENCH_OFFLINE=1 forbids the network.
    """
    from uhcs_bench import fetch, registry

    names = list(protocol.TASKS) if task == "all" else [protocol.task(task).name]
    entries = [entry for name in names for entry in registry.entries(name)]
    if verify:
        click.echo(fetch.verify(entries, discard=True))
    if copy is not None:
        click.echo(fetch.import_from(copy, entries))
        return
    fetched = fetch.fetch(entries)
    click.echo(
        f"{len(entries)} micrographs in {fetch.cache_folder()}: {fetched} fetched and verified, "
        f"{len(entries) - fetched} were there."
    )


@main.command(epilog="\b\nExample:\n  uhcs-bench sources --format json\n" + _EXIT_CODES)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def sources(form: str) -> None:
    """Ask every source of the data whether it answers, and show what it would give.

    Sources stand in the order in which "download" tries them.
    """
    from uhcs_bench import sources as survey

    states = survey.survey()
    click.echo(survey.to_json(states) if form == "json" else survey.to_text(states))


@main.command(
    epilog="\b\nExamples:\n  uhcs-bench score preds/\n"
    "  uhcs-bench score preds/ --task particles --fold 2\n"
    "  uhcs-bench score preds/ --format json --output scores.json\n"
    "  uhcs-bench score preds/ --report report/\n" + _EXIT_CODES
)
@click.argument("predictions", metavar="PREDS", type=click.Path(path_type=Path))
@click.option("--task", help="Task to score.  [default: those that the ids belong to]")
@click.option("--fold", type=int, help="Score this fold alone.  [default: all six]")
@version_option
@click.option(
    "--resample",
    type=click.Choice(["micrographs", "folds"]),
    default="micrographs",
    show_default=True,
    help="What the bootstrap of the 95 % intervals draws.",
)
@click.option(
    "--extended",
    is_flag=True,
    help="Also measure boundaries, denuded zones, single particles, and how the KS score depends "
    "on what counts as a particle; takes about a second for a micrograph of particles.",
)
@click.option(
    "--report",
    "report_folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write a web page to, with tables, maps, errors and sizes.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write instead of standard output.",
)
def score(
    predictions: Path,
    task: str | None,
    fold: int | None,
    version: str,
    resample: Resampled,
    extended: bool,
    report_folder: Path | None,
    form: str,
    output: Path | None,
) -> None:
    """Score a folder of predicted label maps against the annotations.

    PREDS holds one map for each micrograph, <id>.png, .tif or .npy, directly or
    under particles/ and microconstituents/. A map has the micrograph's size and
    holds class labels: 0 matrix, 1 particle for particles; 0 matrix, 1 network,
    2 spheroidite, 3 widmanstatten for microconstituents.
    """
    from uhcs_bench import scoring, submission

    submissions = submission.read_submission(predictions, task, fold, version)
    report = scoring.score_submissions(submissions, resample, extended=extended)
    emit(formatted(report, form), output)
    if report_folder is not None:
        from uhcs_bench import html_report

        title = predictions.absolute().name or str(predictions)
        page = html_report.write(report_folder, report, submissions, title)
        click.echo(f"Report: {page}", err=True)


@main.command(
    epilog="\b\nExamples:\n  uhcs-bench compare preds/otsu preds/unet\n"
    "  uhcs-bench compare preds/a preds/b preds/c --task particles --format csv\n" + _EXIT_CODES
)
@click.argument("predictions", metavar="PREDS PREDS...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--task", help="Task to compare on.  [default: those that all of them have]")
@click.option("--fold", type=int, help="Compare on this fold alone.  [default: all six]")
@version_option
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write instead of standard output.",
)
def compare(
    predictions: tuple[Path, ...],
    task: str | None,
    fold: int | None,
    version: str,
    form: str,
    output: Path | None,
) -> None:
    """Compare submissions micrograph by micrograph.

    Each pair gets the mean difference of every score with its 95 % interval, an
    exact paired permutation test corrected by Holm's method for the number of
    pairs, and a sentence that says what is separable.
    """
    from uhcs_bench import comparison, scoring, tables

    names = [path.name or str(path) for path in map(Path.absolute, predictions)]
    if len(set(names)) < len(names):
        names = [str(path) for path in predictions]
    if len(set(names)) < len(names):
        raise UsageError("The same submission is named twice.")
    compared = comparison.compare(
        {
            name: scoring.score(path, task, fold, version)
            for name, path in zip(names, predictions, strict=True)
        }
    )
    if form == "json":
        text = compared.to_json()
    elif form == "csv":
        text = tables.comparison_to_csv(compared).removesuffix("\n")
    else:
        text = tables.comparison_to_text(compared, form)  # type: ignore[arg-type]  # as above
    emit(text, output)


@main.command(
    epilog="\b\nExamples:\n  uhcs-bench audit\n"
    "  uhcs-bench audit --format json --output audit.json\n" + _EXIT_CODES
)
@version_option
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write instead of standard output.",
)
def audit(version: str, form: str, output: Path | None) -> None:
    """Say what is wrong inside the data, recomputed from them.

    Leaks between folds and tasks, label maps off their micrographs, samples in
    several folds, doubtful pixel sizes, particles at the border, specks, absent
    classes, filled rows.
    """
    from uhcs_bench import audit as auditing
    from uhcs_bench import dataset

    found = auditing.audit(dataset.load(task, version=version) for task in protocol.TASKS)
    emit(found.to_json() if form == "json" else found.to_text(), output)


@main.command(
    epilog="\b\nExamples:\n  uhcs-bench demo\n"
    "  uhcs-bench demo --out demo/   # keep the label maps, then:\n"
    "  uhcs-bench score demo/ --dataset-version synthetic --format json\n" + _EXIT_CODES
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to keep the label maps in.",
)
def demo(out: Path | None) -> None:
    """Generate, segment and score a small synthetic set, offline.

    Otsu's threshold finds the particles; multi-level Otsu can't tell the
    microconstituents apart, and its scores show it.
    """
    from uhcs_bench import dataset, otsu, scoring, submission

    maps = {
        micrograph.id: otsu.segment(micrograph.image, task)
        for task in protocol.TASKS
        for micrograph in dataset.load(task, version=protocol.SYNTHETIC_VERSION)
    }
    report = scoring.score(maps, version=protocol.SYNTHETIC_VERSION)
    if out is not None:
        for task in report.tasks:
            for image in task.images:
                submission.write_label_map(out / task.task / f"{image.id}.png", maps[image.id])
    click.echo(formatted(report, "table"))


def formatted(report: Report, form: str) -> str:
    """Text of a report in one of `FORMATS`."""
    if form == "json":
        return report.to_json()
    from uhcs_bench import tables

    if form == "csv":
        return tables.to_csv(report).removesuffix("\n")
    return tables.to_text(report, form)  # type: ignore[arg-type]  # click has checked it


def emit(text: str, output: Path | None) -> None:
    """Write a result to standard output, or to a file, whole or not at all."""
    if output is None:
        click.echo(text)
        return
    partial = output.with_name(f".{output.name}.partial")
    try:
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(output)
    except OSError as error:
        raise click.UsageError(f"can't write {output}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
