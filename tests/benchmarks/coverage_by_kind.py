"""How often the printed interval holds the mean, for each kind of score and measure.

Populations are the values of single micrographs that the entries under ``leaderboard/`` get. Kinds
whose interval holds in less than 93 % in any of them are marked where they are printed. Needs the
real annotations; about ten minutes:

    python -m tests.benchmarks.coverage_by_kind uhcs_bench/scoring/coverage.json
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

import uhcs_bench
from tests.benchmarks import coverage
from uhcs_bench.metrics.table import MEASURES, named_scores
from uhcs_bench.stats import means

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.benchmarks.coverage import Values
    from uhcs_bench.scoring.results import MicrographScore, TaskScore

ENTRIES = coverage.BOARD.parent
SIZES = (24, 19)
"""Micrographs of the paper's split, and of `clean` and `grouped` particles."""

REPLICATES = 2000
_FEWEST_VALUES = 12


def populations() -> dict[str, dict[str, Values]]:
    """Values of single micrographs, by kind and by task, entry and class."""
    found: dict[str, dict[str, Values]] = defaultdict(dict)
    for entry in sorted(path for path in ENTRIES.iterdir() if path.is_dir()):
        for task in uhcs_bench.score(entry, extended=True).tasks:
            for (kind, class_name), values in _columns(task).items():
                defined = values[~np.isnan(values)]
                if len(defined) >= _FEWEST_VALUES and np.ptp(defined) > 0:
                    found[kind][f"{task.task} {entry.name} {class_name}".strip()] = defined
    return dict(found)


def _columns(task: TaskScore) -> dict[tuple[str, str], Values]:
    rows = [dict(_values(image)) for image in task.images]
    return {
        key: np.array([np.nan if row[key] is None else row[key] for row in rows], float)
        for key in rows[0]
    }


def _values(image: MicrographScore) -> Iterator[tuple[tuple[str, str], float | None]]:
    for metric, class_name, value in named_scores(image):
        yield (f"{metric} of a class" if class_name else metric, class_name or ""), value
    for measure in (measure for measure in MEASURES if measure.long_name):
        if measure.per_class:
            for class_name, branch in image.measures["classes"].items():
                if measure.name in branch:
                    yield (measure.kind, class_name), branch[measure.name]
            continue
        branch: Mapping[str, Any] = image.measures
        for key in measure.group:
            branch = branch.get(key, {})
        if measure.name in branch:
            yield (measure.kind, ""), branch[measure.name]


def simulate(found: Mapping[str, Mapping[str, Values]], replicates: int) -> list[dict[str, Any]]:
    """Simulate each kind, a row each."""
    rows = []
    for kind, by_name in tqdm(found.items(), unit="kind"):
        simulated = coverage.of_means(
            by_name, SIZES, replicates, {"t": means.t_interval, "chosen": _chosen}
        )
        shares = [row for row in simulated if row["method"] == "chosen"]
        rows.append(
            {
                "kind": kind,
                "n": sorted(SIZES),
                "populations": len(by_name),
                "lowest": round(min(row["lowest"] for row in shares), 4),
                "median": round(float(np.median([row["median"] for row in shares])), 4),
            }
        )
    return rows


def _chosen(sample: Values) -> Values:
    return means.bootstrap_t_interval(sample, n_resamples=2 * coverage.RESAMPLES)


def main() -> None:
    """Write the file that is named on the command line."""
    content = {
        "written_by": "python -m tests.benchmarks.coverage_by_kind",
        "interval": f"bootstrap-t at {100 * means.NOMINAL:g} %, by micrograph",
        "replicates": REPLICATES,
        "kinds": simulate(populations(), REPLICATES),
    }
    Path(sys.argv[1]).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
