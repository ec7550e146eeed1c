"""Options and texts that the commands of the baselines share."""

from __future__ import annotations

from typing import Any

import click

from uhcs_bench import protocol
from uhcs_bench.cli.common import TASK, InputPath, version_option

EXIT_CODES = """
\b
Exit codes:
  0    done
  1    a fold failed, or a file could not be read or written
  2    wrong usage
  3    data or weights unavailable
  130  interrupted; finished folds are kept
"""

RUN_EXIT_CODES = EXIT_CODES.replace(
    "  130 ", "  4    another process runs the method into OUT\n  130 "
)
"""Exit codes of the commands that run folds."""

PRECISIONS = ("auto", "float32", "bfloat16")


FOLDER = InputPath(file_okay=False)
"""Type of an option or argument that names a folder to read."""

method_argument = click.argument("method", metavar="METHOD")

runs_argument = click.argument(
    "runs",
    metavar="RUN...",
    nargs=-1,
    required=True,
    type=FOLDER,
)

device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."
)

precision_option = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="auto",
    show_default=True,
    help="auto: bfloat16 on a GPU that has it, else float32.",
)


def task_option(command: Any) -> Any:
    """Add the option that names the task."""
    return click.option(
        "--task", type=TASK, required=True, help=f"{' or '.join(protocol.TASKS)} (or an alias)."
    )(command)


def training_options(command: Any) -> Any:
    """Add the options that say how folds are trained."""
    for option in (
        version_option,
        click.option("--jobs", type=click.IntRange(1), default=1, show_default=True,
                     help="Folds side by side; each needs its own memory."),
        click.option("--seed", type=click.IntRange(0), default=0, show_default=True,
                     help=f"Number of the run; a fold's own seed is {protocol.N_FOLDS} times "
                          "this, plus the number of the fold."),
        click.option("--weights", type=click.Choice(["default", "none"]), default="default",
                     show_default=True,
                     help="Start VGG-16 or EfficientNet from ImageNet or from scratch."),
        precision_option,
        click.option("--crop", type=int, metavar="PIXELS",
                     help="Train on windows of this size; 224 is practical on a CPU.  "
                     "[default: the method's, for most whole micrographs]"),
        click.option("--updates", type=click.IntRange(1), metavar="N",
                     help="Length of the training, of methods that train in one stage.  "
                     "[default: the method's]"),
        click.option("--fc7/--no-fc7", default=None,
                     help="Add fc7 to PixelNet's hypercolumn; needs VGG-16's fully connected "
                     "layers.  [default: the method's]"),
        click.option("--tta/--no-tta", default=None,
                     help="Average over the eight rotations and reflections of a micrograph.  "
                     "[default: the method's]"),
        device_option,
    ):  # fmt: skip
        command = option(command)
    return command
