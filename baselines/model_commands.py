"""The commands that examine models, from robustness to the cost of inference."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING

import click
from tabulate import tabulate

from baselines.options import EXIT_CODES, FOLDER, method_argument, runs_argument, task_option
from uhcs_bench import protocol
from uhcs_bench.cli.common import GuardedCommand, OutputFile, OutputFolder, echo, version_option
from uhcs_bench.errors import UsageError, things
from uhcs_bench.io.atomic import replacing
from uhcs_bench.scoring import provenance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExamples:\n"
    "  python -m baselines robustness --task particles --out robustness/\n"
    "  python -m baselines robustness --task particles --out robustness/ \\\n"
    "      --runs runs/ --method unet-efficientnet\n" + EXIT_CODES,
)
@task_option
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="MODEL",
    help="ONNX file; given once for each fold, each sees its validation micrographs "
    "alone.  [default: the model of the task that comes with the package]",
)
@click.option(
    "--runs",
    type=FOLDER,
    help='Take the folds\' models from what the command "run" wrote.',
)
@click.option(
    "--method", default="unet-efficientnet", show_default=True, help="Whose models of --runs."
)
@click.option(
    "--condition",
    "texts",
    multiple=True,
    metavar="KIND=SEVERITY",
    help="noise (electrons per gray level), blur (px), contrast or magnification (shares), as in "
    "blur=2; may be given several times.  [default: 19 conditions]",
)
@version_option
@click.option("--out", required=True, type=OutputFolder())
def robustness(
    task: str, models: tuple[str, ...], runs: Path | None, method: str, texts: tuple[str, ...],
    version: str, out: Path,
) -> None:  # fmt: skip
    """Score noisy, blurred, flat and resampled micrographs.

    IU and the errors of measures against the annotation are printed: of
    particles area fraction, count and mean diameter, of microconstituents the
    area fractions and the mean width of the denuded zone. They go to
    OUT/<task>.csv as well, condition by condition, so that an interrupted call
    goes on from there; their curves go to OUT/<task>.png.

    One model for all micrographs, such as those that come with the package, has
    been trained on them, so that its curves are a lower bound of the changes.
    """
    from baselines.studies import finished
    from baselines.studies import robustness as study
    from baselines.studies.conditions import parse_conditions

    name = protocol.task(task).name
    if runs is not None and models:
        raise UsageError("--runs and --model can't be combined: leave one of them out.")
    chosen = parse_conditions(texts)
    split = protocol.PAPER_SPLIT
    files: Sequence[str | Path] = [*models] or [name]
    if runs is not None:
        found = finished.find([runs], method, name, version, "Nothing was segmented")
        split, files = found.split, found.checkpoints
        segment = study.with_checkpoints(found.checkpoints)
    else:
        segment = study.with_models(files, name)
    identity = study.identity(files)
    table = out / f"{name}.csv"
    rows = study.extend_table(
        table, identity, version, chosen,
        lambda missing: study.evaluate(name, segment, missing, version, split),
    )  # fmt: skip
    with replacing(out / f"{name}.png") as partial:
        study.draw(rows, name).savefig(partial, dpi=120)
    echo(study.to_text(rows))
    note = study.caveat([] if runs else files, version)
    echo(f"{things(len(rows), 'condition')} in {table}. {note}", err=True)


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExample:\n"
    "  python -m baselines quantization unet-efficientnet --task particles \\\n"
    "      --runs runs/\n" + EXIT_CODES,
)
@method_argument
@task_option
@click.option(
    "--runs",
    required=True,
    type=FOLDER,
    help='What the command "run" wrote.',
)
@version_option
def quantization(method: str, task: str, runs: Path, version: str) -> None:
    """Tell what weights in float16 cost.

    Each finished fold of METHOD is exported twice, with weights in float32 and
    in float16, and segments its validation micrographs, which the model has not
    seen, with a single view.
    """
    from baselines.studies import quantization as halves

    rows = halves.compare(runs, method, protocol.task(task).name, version)
    echo(halves.to_text(rows))


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExamples:\n"
    "  python -m baselines sizes --maps leaderboard/\n"
    "  python -m baselines sizes --runs runs/ --method unet-efficientnet\n" + EXIT_CODES,
)
@click.option(
    "--maps",
    type=FOLDER,
    help="Folder with <method>/particles/<id>.png; all methods of the paper's split are taken.",
)
@click.option(
    "--runs",
    type=FOLDER,
    help='What the command "run" wrote; thresholds are tried on its probabilities.',
)
@click.option(
    "--method", default="unet-efficientnet", show_default=True, help="Whose models of --runs."
)
@click.option(
    "--tta/--no-tta",
    default=False,
    show_default=True,
    help="Average the probabilities of --runs over eight views.",
)
@version_option
def sizes(maps: Path | None, runs: Path | None, method: str, tta: bool, version: str) -> None:
    """Try rules that make particle sizes right.

    Specks are dropped, maps opened, touching particles cut apart, and, with
    --runs, other thresholds taken. A rule's parameter is chosen for each fold on
    the other folds' validation micrographs. KS counts the micrographs whose
    sizes the test does not reject, D is its mean statistic, IU that of
    particles; then follow the mean relative errors of the number of particles
    from 5 px on and of their mean diameter, in brackets without their signs.
    """
    from baselines.studies import finished
    from baselines.studies import sizes as rules

    if (maps is None) == (runs is None):
        raise UsageError("Give either --maps or --runs.")
    folders = sorted(path for path in maps.glob("*/particles") if path.is_dir()) if maps else []
    if maps is not None and not folders:
        raise UsageError(
            f"{maps} has no label maps: there is no folder <method>/particles in it. Give the "
            "folder that holds those of the methods, such as leaderboard/ in the repository."
        )
    rows = []
    if maps is not None:
        predictions = {
            folder.parent.name: rules.from_maps(folder, version)
            for folder in folders
            if _is_of_paper_split(folder)
        }
        rows = rules.annotation_without_specks(version)
        for name, predict in predictions.items():
            rows += rules.study(name, predict, version)
    elif runs is not None:
        found = finished.find([runs], method, "particles", version, "No rule was tried")
        predict = rules.from_checkpoints(found.checkpoints, tta=tta)
        rows = rules.study(method, predict, version, found.split)
    echo(rules.to_text(rows))


def _is_of_paper_split(folder: Path) -> bool:
    """Tell whether maps are of the paper's folds, and say so where they are not."""
    found = provenance.training_split(folder)
    if found is None or found[0] == protocol.PAPER_SPLIT:
        return True
    echo(f"{folder.parent.name} is left out: it is of the split {found[0]}.", err=True)
    return False


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExample:\n"
    "  python -m baselines run unet --task particles --folds 0 --inner \\\n"
    "      --crop 320 --out inner/crop-320\n"
    "  python -m baselines ablation unet --task particles inner/*\n" + EXIT_CODES,
)
@method_argument
@runs_argument
@task_option
def ablation(method: str, runs: tuple[Path, ...], task: str) -> None:
    """Compare settings on folds inside the training folds.

    Each RUN is a folder that "run --inner" wrote. The table has the settings
    that differ, and IU and AC on the fold that was held out inside.
    """
    from baselines.studies import ablation as choices

    echo(choices.to_text(choices.read(runs, method, protocol.task(task).name)))


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExample:\n"
    "  python -m baselines run unet --task particles --train-size 4 --out label/4\n"
    "  python -m baselines run unet --task particles --train-size 8 --out label/8\n"
    "  python -m baselines efficiency unet --task particles label/* \\\n"
    "      --picture curve.png\n" + EXIT_CODES,
)
@method_argument
@runs_argument
@task_option
@click.option("--picture", type=OutputFile(), metavar="FILE.png", help="Draw the curve.")
def efficiency(method: str, runs: tuple[Path, ...], task: str, picture: Path | None) -> None:
    """Score runs against their number of training micrographs.

    Each RUN is a folder that "run" wrote, with --train-size or without. Runs of
    one size that differ by --seed are averaged, and their spread is printed.
    All are compared on the folds that every run has finished, so that folds may
    still be missing.
    """
    from baselines.studies import efficiency as curves

    name = protocol.task(task).name
    points = curves.read(runs, method, name)
    if picture is not None:
        with replacing(picture) as partial:
            curves.draw(points, f"{method}, {name}").savefig(partial, dpi=120, format="png")
    echo(curves.to_text(points))


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExample:\n  python -m baselines inference otsu unet unet-efficientnet\n"
    + EXIT_CODES,
)
@click.argument("methods", metavar="METHOD...", nargs=-1, required=True)
def inference(methods: tuple[str, ...]) -> None:
    """Measure memory and processor time of segmentation.

    A fresh process segments a micrograph of 484 x 645 px with each METHOD
    ("otsu" or one that "run" takes), on one thread, in float32, averaged over
    views if the method is. The memory is the largest that the process holds,
    Python and libraries included; the weights are random. Of the two tasks the
    larger value is printed.
    """
    from baselines.configuration import configure
    from baselines.studies import inference as costs

    for method in methods:
        if method != costs.OTSU:
            configure(method)  # an unknown one is told before the first is measured
    rows = []
    for method in methods:
        found = [costs.measure(method, task) for task in protocol.TASKS]
        memory, seconds = (max(values) for values in zip(*map(astuple, found), strict=True))
        rows.append([method, f"{memory:.2f}", f"{seconds:.2g}"])
    headers = ["method", "GB", "processor seconds"]
    echo(tabulate(rows, headers=headers, disable_numparse=True))
