"""The command ``uhcs-bench calibrate``."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import click

from uhcs_bench.cli.common import (
    EXIT_CODES,
    GuardedCommand,
    OutputFolder,
    echo,
    format_option,
)

if TYPE_CHECKING:
    from pathlib import Path

    from uhcs_bench.measuring.calibration import Calibration


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExamples:\n  uhcs-bench calibrate --out calibration/\n"
    "  uhcs-bench calibrate --out calibration/ --replicates 32 --format csv\n"
    "  uhcs-bench calibrate --out c/ --resolution 5 --noise 6 --min-diameter 5px\n" + EXIT_CODES,
)
@click.option(
    "--out",
    required=True,
    type=OutputFolder(),
    help="Folder to write calibration.json, calibration.csv and calibration.png to.",
)
@click.option(
    "--resolution",
    "resolutions",
    multiple=True,
    type=float,
    metavar="PX",
    help="Pixels per mean particle diameter and per zone width; may be repeated.  [default: 3, 4, "
    "6, 8, 12, 16, 24]",
)
@click.option(
    "--noise",
    multiple=True,
    type=float,
    metavar="LEVELS",
    help="Standard deviation of the noise in ferrite in gray levels; may be repeated.  "
    "[default: 4, 10, 20]",
)
@click.option(
    "--replicates",
    type=int,
    default=8,
    show_default=True,
    help="Fields per resolution; half the error takes four times as many.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Another one, other fields.")
@click.option(
    "--min-diameter",
    metavar="LENGTH",
    help="Smallest diameter that counts, such as 5px, or 0.4um where 1 um is the mean diameter, as "
    "for measure.  [default: all particles]",
)
@format_option("table", "json", "csv")
def calibrate(
    out: Path,
    resolutions: tuple[float, ...],
    noise: tuple[float, ...],
    replicates: int,
    seed: int,
    min_diameter: str | None,
    form: str,
) -> None:
    """Say how far the measures are off where the truth is known.

    Synthetic micrographs are measured as measure does: on their exact label
    maps, and after segmentation by Otsu's threshold, as resolution and noise
    change. Takes a few minutes.
    """
    from tqdm import tqdm

    from uhcs_bench.io import atomic
    from uhcs_bench.measuring import calibration
    from uhcs_bench.measuring.outputs import plots

    asked = (resolutions or calibration.RESOLUTIONS_PX, noise or calibration.NOISE, replicates)
    # What can't be is said now, not after minutes.
    calibration.check(*asked, min_diameter, seed)
    plots.check()
    atomic.make_folder(out)
    found = calibration.calibrate(
        *asked,
        seed,
        functools.partial(tqdm, unit="field", disable=None, leave=False),
        min_diameter,
    )
    _write(found, out)
    texts = {"json": found.to_json, "csv": found.to_csv, "table": found.to_text}
    echo(texts[form]().removesuffix("\n"))


def _write(found: Calibration, out: Path) -> None:
    """Write all three files, each atomically."""
    from uhcs_bench.io.atomic import replacing
    from uhcs_bench.measuring import calibration

    figure = calibration.plot(found)
    for name, content in (("json", found.to_json() + "\n"), ("csv", found.to_csv())):
        with replacing(out / f"calibration.{name}") as partial:
            partial.write_text(content, encoding="utf-8")
    with replacing(out / "calibration.png") as partial:
        figure.savefig(partial, format="png", metadata={"Software": None})
