"""The command ``uhcs-bench score``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from uhcs_bench.cli.common import (
    EXIT_CODES,
    TASK,
    GuardedCommand,
    InputPath,
    OutputFolder,
    echo,
    emit,
    format_option,
    links_option,
    out_option,
    split_option,
    version_option,
)
from uhcs_bench.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from uhcs_bench.scoring.results import Report, Resampled

resample_option = click.option(
    "--resample",
    type=click.Choice(["micrographs", "samples"]),
    default="micrographs",
    show_default=True,
    help="Unit of 95 % intervals: micrographs, or heat-treated samples, whose micrographs are "
    "alike.",
)

FORMATS = ("table", "json", "csv", "markdown", "latex")


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExamples:\n  uhcs-bench score preds/\n"
    "  uhcs-bench score preds/ --task particles --fold 2\n"
    "  uhcs-bench score preds/ --split grouped --resample samples\n"
    "  uhcs-bench score preds/ --format json --out scores.json\n"
    "  uhcs-bench score preds/ --report report/\n"
    "  uhcs-bench score preds/ --protocol matsam2024\n" + EXIT_CODES,
)
@click.argument("predictions", metavar="PREDS", type=InputPath())
@click.option("--task", type=TASK, help="Task to score.  [default: those that the ids belong to]")
@click.option("--fold", type=int, help="Score this fold alone.  [default: all of the split]")
@version_option
@split_option
@links_option
@resample_option
@click.option(
    "--extended",
    is_flag=True,
    help="Also measure boundaries, denuded zones and single particles, and show kappa, Dice, "
    "area fractions and sizes, which JSON always has; takes about a second for a micrograph.",
)
@click.option(
    "--ks-sensitivity",
    is_flag=True,
    help="Also show how the KS score depends on what counts as a particle; takes about a second "
    "for a micrograph of particles.",
)
@click.option(
    "--protocol",
    "published_protocol",
    metavar="NAME",
    help="Score as a later paper did: matsam2024, matseg2022 or con2net2023. Its micrographs alone "
    "are needed, and --format is table or json.",
)
@click.option(
    "--report",
    "report_folder",
    type=OutputFolder(),
    help="Folder to write a web page to, with tables, maps, errors and sizes.",
)
@format_option(*FORMATS)
@out_option
def score(
    predictions: Path,
    task: str | None,
    fold: int | None,
    version: str,
    split: str,
    resample: Resampled,
    extended: bool,
    ks_sensitivity: bool,
    follow_links: bool,
    published_protocol: str | None,
    report_folder: Path | None,
    form: str,
    out: Path | None,
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

    if published_protocol is not None:
        emit(_by_published(predictions, published_protocol, form, follow_links), out)
        return
    submissions = submission.read_submission(
        predictions, task, fold, version, split, follow_links=follow_links, of_parts=True
    )
    report = scoring.score_submissions(
        submissions, resample, extended=extended, ks_sensitivity=ks_sensitivity
    )
    emit(formatted(report, form), out)
    if report_folder is not None:
        from uhcs_bench.scoring import report as html_report

        title = predictions.absolute().name or str(predictions)
        page = html_report.write(report_folder, report, submissions, title)
        echo(f"Report: {page}", err=True)


def _by_published(predictions: Path, name: str, form: str, follow_links: bool) -> str:
    from uhcs_bench.scoring import published

    _check_alone(form)
    found = published.score_as(predictions, name, follow_links=follow_links)
    return found.to_json() if form == "json" else found.to_text()


_FIXED = ("task", "fold", "version", "split", "resample", "extended", "ks_sensitivity")


def _check_alone(form: str) -> None:
    """Refuse options that a later paper's protocol fixes."""
    context = click.get_current_context()
    names = (*_FIXED, "report_folder")
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in names
        and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
    if given or form not in ("table", "json"):
        given = given or [f"--format {form}"]
        raise UsageError(
            f"{' and '.join(given)} can't be combined with --protocol, which fixes what is scored. "
            "Leave one out; the formats are table and json."
        )


def formatted(report: Report, form: str) -> str:
    """Text of a report in one of `FORMATS`."""
    if form == "json":
        return report.to_json()
    if form == "csv":
        from uhcs_bench.scoring import tidy

        return tidy.to_csv(report).removesuffix("\n")
    from uhcs_bench.scoring import text as tables

    return tables.to_text(report, form)  # type: ignore[arg-type]  # click has checked it
