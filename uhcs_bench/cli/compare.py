"""The command ``uhcs-bench compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

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
from uhcs_bench.cli.score import FORMATS, resample_option
from uhcs_bench.errors import UsageError

if TYPE_CHECKING:
    from uhcs_bench.scoring.results import Resampled


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExamples:\n  uhcs-bench compare preds/otsu preds/unet\n"
    "  uhcs-bench compare preds/a preds/b preds/c --task particles --format csv\n"
    "  uhcs-bench compare preds/mine unet --report compared/\n" + EXIT_CODES,
)
@click.argument("predictions", metavar="PREDS PREDS...", nargs=-1, type=InputPath())
@click.option(
    "--task", type=TASK, help="Task to compare on.  [default: those that all of them have]"
)
@click.option("--fold", type=int, help="Compare on this fold alone.  [default: all of the split]")
@version_option
@split_option
@links_option
@resample_option
@click.option(
    "--report",
    "report_folder",
    type=OutputFolder(),
    help="Folder to write a web page to, with both maps of each micrograph and their difference; "
    "for two submissions.",
)
@format_option(*FORMATS)
@out_option
def compare(
    predictions: tuple[Path, ...],
    task: str | None,
    fold: int | None,
    version: str,
    split: str,
    follow_links: bool,
    resample: Resampled,
    report_folder: Path | None,
    form: str,
    out: Path | None,
) -> None:
    """Compare submissions micrograph by micrograph.

    PREDS is a folder of label maps, or in a clone the name of an entry of the
    board, such as unet. Of an entry with several runs, that whose maps are in the
    folder itself is taken, which is noted below the tables; another one by its
    folder, such as leaderboard/unet-efficientnet/runs/seed-1.

    Each pair gets the mean difference of every score with its 95 % interval, a
    paired test corrected by Holm's method for the number of pairs, and a
    sentence that says what is separable.
    """
    from uhcs_bench.scoring import comparison, submission
    from uhcs_bench.scoring import score as scoring
    from uhcs_bench.scoring import text as tables

    if report_folder is not None and len(predictions) != 2:
        raise UsageError(
            f"The page of --report shows two submissions, not {len(predictions)}. Name two, or "
            "leave --report out."
        )
    names = _names(predictions)
    predictions = tuple(map(_entry, predictions))
    scored = []
    for path in predictions:
        read = submission.read_submission(
            path, task, fold, version, split, follow_links=follow_links, of_parts=True
        )
        scored.append((scoring.score_submissions(read), read))
    reports = {name: report for name, (report, _) in zip(names, scored, strict=True)}
    compared = comparison.compare(reports, resample)
    if form == "json":
        text = compared.to_json()
    elif form == "csv":
        from uhcs_bench.scoring import tidy

        text = tidy.comparison_to_csv(compared).removesuffix("\n")
    else:
        text = tables.comparison_to_text(compared, form)  # type: ignore[arg-type]  # as above
    emit(text, out)
    if report_folder is not None:
        from uhcs_bench.scoring import comparison_page

        both = [comparison_page.Scored(*found) for found in scored]
        echo(f"Report: {comparison_page.write(report_folder, compared, *both)}", err=True)


def _entry(predictions: Path) -> Path:
    """Take the name of an entry of the board for its folder, where no folder of this name is."""
    if predictions.exists():
        return predictions

    from uhcs_bench.ranking.outputs import board_files, board_json

    if str(predictions) not in [entry["entry"] for entry in board_json.read()["entries"]]:
        return predictions
    folder = board_files.SHIPPED / predictions
    if folder.is_dir():
        return folder
    raise UsageError(
        f"{predictions} is an entry of the board, whose label maps are not in the installed "
        f"package. Clone the repository, and name its folder leaderboard/{predictions}. The "
        "entry's scores: uhcs_bench.leaderboard()."
    )


def _names(predictions: tuple[Path, ...]) -> list[str]:
    names = [path.name or str(path) for path in map(Path.absolute, predictions)]
    if len(set(names)) < len(names):
        names = [str(path) for path in predictions]
    if len(set(names)) < len(names):
        raise UsageError("The same submission is named twice.")
    return names
