"""The command ``uhcs-bench compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from uhcs_bench.cli.common import (
    EXIT_CODES,
    TASK,
    GuardedCommand,
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
    "  uhcs-bench compare preds/a preds/b preds/c --task particles --format csv\n" + EXIT_CODES,
)
@click.argument("predictions", metavar="PREDS PREDS...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--task", type=TASK, help="Task to compare on.  [default: those that all of them have]"
)
@click.option("--fold", type=int, help="Compare on this fold alone.  [default: all of the split]")
@version_option
@split_option
@links_option
@resample_option
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
    form: str,
    out: Path | None,
) -> None:
    """Compare submissions micrograph by micrograph.

    Each pair gets the mean difference of every score with its 95 % interval, a
    paired test corrected by Holm's method for the number of pairs, and a
    sentence that says what is separable.
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
            name: scoring.score(path, task, fold, version, split, follow_links=follow_links)
            for name, path in zip(names, predictions, strict=True)
        },
        resample,
    )
    if form == "json":
        text = compared.to_json()
    elif form == "csv":
        text = tables.comparison_to_csv(compared).removesuffix("\n")
    else:
        text = tables.comparison_to_text(compared, form)  # type: ignore[arg-type]  # as above
    emit(text, out)
