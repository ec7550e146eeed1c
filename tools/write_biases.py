r"""Write the biases of `uhcs_bench.measuring.biases` from the table that ``calibrate`` writes.

uhcs-bench calibrate --out calibration
python -m tools.write_biases calibration/calibration.csv \
        > uhcs_bench/measuring/biases.json
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

from tools import usage
from uhcs_bench.measuring import calibration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RESOLUTIONS = ("4", "8", "16")
"""Pixels per mean diameter, and per zone width, whose biases are stated."""

NOISE = "4"
"""Noise after whose segmentation the network's biases are stated: its truth is the exact map."""


def biases(table: Path) -> dict[str, Any]:
    """Choose what is stated of each measure.

    Parameters
    ----------
    table : Path
        ``calibration.csv`` of a run with the defaults of ``uhcs-bench calibrate``.

    Returns
    -------
    dict
        See ``uhcs_bench/measuring/biases.json``.
    """
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found: dict[str, Any] = {}
    for name in calibration.MEASURES:
        is_of_network = name in calibration.NETWORK_MEASURES
        noise = NOISE if is_of_network else ""
        said = {
            f"{float(row['resolution_px']):g}": round(float(row["bias"]), 4)
            for row in rows
            if row["measure"] == name and (row["noise"] and f"{float(row['noise']):g}") == noise
        }
        is_of_particles = name in calibration.PARTICLE_MEASURES
        found[name] = {
            "of": "after Otsu's threshold" if is_of_network else "on exact label maps",
            "task": "particles" if is_of_particles else "microconstituents",
            "bias": {px: said[px] for px in RESOLUTIONS},
        }
    return {"schema": "uhcs-bench/biases/2", "measures": found}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program."""
    parser = usage.parser("write_biases", __doc__)
    parser.add_argument("table", type=usage.existing, help="calibration.csv of a run of calibrate")
    print(json.dumps(biases(parser.parse_args(arguments).table), indent=1))


if __name__ == "__main__":
    main()
