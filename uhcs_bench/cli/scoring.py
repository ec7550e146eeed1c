"""Commands that score submissions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from uhcs_bench import protocol
from uhcs_bench.cli.common import EXIT_CODES, emit, output_option, split_option, version_option
from uhcs_bench.errors import UsageError

if TYPE_CHECKING:
    from uhcs_bench.scoring.score import Report, Resampled

FORMATS = ("table", "json", "csv", "markdown", "latex")


@click.command(
    epilog="\b\nExamples:\n  uhcs-bench score preds/\n"
    "  uhcs-bench score preds/ --task particles --fold 2\n"
    "  uhcs-bench score preds/ --split grouped\n"
    "  uhcs-bench score preds/ --format json --output scores.json\n"
    "  uhcs-bench score preds/ --report report/\n" + EXIT_CODES
)
@click.argument("predictions", metavar="PREDS", type=click.Path(path_type=Path))
@click.option("--task", help="Task to score.  [default: those that the ids belong to]")
@click.option("--fold", type=int, help="Score this fold alone.  [default: all of the split]")
@version_option
@split_option
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
@output_option
def score(
    predictions: Path,
    task: str | None,
    fold: int | None,
    version: str,
    split: str,
    resample: Resampled,
    extended: bool,
    report_folder: Path | None,
    form: str,
    output: Path | None,
) -> None:
    """Score predicted label maps against the annotations.

    PREDS is a folder with one map for each micrograph, <id>.png, .tif or .npy,
    directly or under particles/ and microconstituents/. A map has the
    micrograph's size and holds class labels: 0 matrix, 1 particle for
    particles; 0 matrix, 1 network, 2 spheroidite, 3 widmanstatten for
    microconstituents.
    """
    from uhcs_bench.scoring import score as scoring
    from uhcs_bench.scoring import submission

    submissions = submission.read_submission(predictions, task, fold, version, split)
    report = scoring.score_submissions(submissions, resample, extended=extended)
    emit(formatted(report, form), output)
    if report_folder is not None:
        from uhcs_bench.scoring import report as html_report

        title = predictions.absolute().name or str(predictions)
        page = html_report.write(report_folder, report, submissions, title)
        click.echo(f"Report: {page}", err=True)


@click.command(
    epilog="\b\nExamples:\n  uhcs-bench compare preds/otsu preds/unet\n"
    "  uhcs-bench compare preds/a preds/b preds/c --task particles --format csv\n" + EXIT_CODES
)
@click.argument("predictions", metavar="PREDS PREDS...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--task", help="Task to compare on.  [default: those that all of them have]")
@click.option("--fold", type=int, help="Compare on this fold alone.  [default: all of the split]")
@version_option
@split_option
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@output_option
def compare(
    predictions: tuple[Path, ...],
    task: str | None,
    fold: int | None,
    version: str,
    split: str,
    form: str,
    output: Path | None,
) -> None:
    """Compare submissions micrograph by micrograph.

    Each pair gets the mean difference of every score with its 95 % interval, an
    exact paired permutation test corrected by Holm's method for the number of
    pairs, and a sentence that says what is separable.
    """
    from uhcs_bench.scoring import comparison
    from uhcs_bench.scoring import score as scoring
    from uhcs_bench.scoring import text as tables

    names = [path.name or str(path) for path in map(Path.absolute, predictions)]
    if len(set(names)) < len(names):
        names = [str(path) for path in predictions]
    if len(set(names)) < len(names):
        raise UsageError("The same submission is named twice.")
    compared = comparison.compare(
        {
            name: scoring.score(path, task, fold, version, split)
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


@click.command(
    epilog="\b\nExamples:\n  uhcs-bench demo\n"
    "  uhcs-bench demo --out demo/   # keep the label maps, then:\n"
    "  uhcs-bench score demo/ --dataset-version synthetic --format json\n" + EXIT_CODES
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
    from uhcs_bench.data import dataset
    from uhcs_bench.scoring import score as scoring
    from uhcs_bench.scoring import submission
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
                submission.write_label_map(out / task.task / f"{image.id}.png", maps[image.id])
    click.echo(formatted(report, "table"))


def formatted(report: Report, form: str) -> str:
    """Text of a report in one of `FORMATS`."""
    if form == "json":
        return report.to_json()
    from uhcs_bench.scoring import text as tables

    if form == "csv":
        return tables.to_csv(report).removesuffix("\n")
    return tables.to_text(report, form)  # type: ignore[arg-type]  # click has checked it
