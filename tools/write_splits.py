"""Write ``splits.json`` from the micrographs themselves.

Run as ``python -m tools.write_splits > splits.json`` and move the file into place.
What shows the same steel is measured by `uhcs_bench.auditing.audit` and
`uhcs_bench.auditing.magnifications`; the rules are those of `uhcs_bench.data.splits`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from uhcs_bench import protocol
from uhcs_bench.auditing import magnifications
from uhcs_bench.auditing.overlaps import find_overlaps
from uhcs_bench.data import dataset, registry, splits

SCHEMA = "uhcs-bench/splits/1"


def generate() -> dict[str, Any]:
    """Build the splits from the deposit's micrographs, fetching what the cache does not have.

    Returns
    -------
    dict
        The content of ``splits.json``: for each task and split the ids of each fold.
    """
    rules = {"clean": splits.clean, "grouped": splits.grouped}
    folds: dict[str, dict[str, list[list[str]]]] = {}
    for task in protocol.TASKS:
        entries = registry.entries(task)
        micrographs = dataset.micrographs(entries)
        overlaps = [
            *find_overlaps(micrographs),
            *magnifications.search(micrographs).overlaps,
        ]
        folds[task] = {name: rule(entries, overlaps) for name, rule in rules.items()}
    return {"schema": SCHEMA, "splits": folds}


def as_json(content: dict[str, Any]) -> str:
    """Text of ``splits.json``."""
    return json.dumps(content, indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(as_json(generate()))
