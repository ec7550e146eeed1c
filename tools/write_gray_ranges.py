"""Write the ranges of gray statistics of the data sets that the shipped models were trained on.

    python -m tools.write_gray_ranges > uhcs_bench/segmentation/gray_ranges.json

A range is that of the set's 24 micrographs, widened on both sides by half of its width. Of 24
pictures that are each left out once, the rest's widened range then holds all but one or two, which
``python -m tools.write_gray_ranges --check`` counts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

import uhcs_bench
from tools import usage
from uhcs_bench import protocol
from uhcs_bench.segmentation import cards

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDENED_BY = 0.5


def ranges(statistics: list[dict[str, float]]) -> dict[str, list[float]]:
    """Give the widened range of each statistic."""
    found = {}
    for name in statistics[0]:
        values = [one[name] for one in statistics]
        low, high = min(values), max(values)
        margin = WIDENED_BY * (high - low)
        least = -np.inf if name == "skewness" else 0.0  # shares and squares
        found[name] = [float(f"{max(least, low - margin):.4g}"), float(f"{high + margin:.4g}")]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the ranges, or how many pictures that were left out are outside of the others'."""
    parser = usage.parser("write_gray_ranges", __doc__)
    parser.add_argument("--check", action="store_true", help="count what is outside instead")
    is_check = parser.parse_args(arguments).check
    found = {}
    for task in protocol.TASKS:
        dataset = uhcs_bench.load(task)
        statistics = [cards.gray_statistics(micrograph.image) for micrograph in dataset]
        found[dataset.data_id] = ranges(statistics)
        if is_check:
            outside = [
                any(not low <= one[name] <= high for name, (low, high) in others.items())
                for number, one in enumerate(statistics)
                for others in [ranges(statistics[:number] + statistics[number + 1 :])]
            ]
            print(f"{dataset.data_id}: {np.sum(outside)} of {len(outside)} outside")
    if not is_check:
        print(json.dumps({"schema": "uhcs-bench/gray-ranges/1", "ranges": found}, indent=1))


if __name__ == "__main__":
    main()
