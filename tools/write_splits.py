"""Write ``splits.json`` from the micrographs themselves.

Run as ``python -m tools.write_splits > splits.json`` and move the file into place.
What shows the same steel is measured by `uhcs_bench.auditing.audit` and
`uhcs_bench.auditing.magnifications`; the rules are those of `uhcs_bench.data.splits`, that of the
order in which training micrographs join a subset among them.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from tools import usage
from uhcs_bench import protocol
from uhcs_bench.auditing import magnifications
from uhcs_bench.auditing.overlaps import find_overlaps
from uhcs_bench.data import dataset, registry, splits

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA = "uhcs-bench/splits/2"


def generate() -> dict[str, Any]:
    """Build the splits from the deposit's micrographs, fetching what the cache does not have.

    Returns
    -------
    dict
        The content of ``splits.json``: for each task and split the ids of each fold, and of each
        fold the ids of the training micrographs in the order in which they join a subset.
    """
    rules = {"clean": splits.clean, "grouped": splits.grouped}
    folds: dict[str, dict[str, list[list[str]]]] = {}
    orders: dict[str, dict[str, list[list[str]]]] = {}
    for task in protocol.TASKS:
        entries = registry.entries(task)
        micrographs = dataset.micrographs(entries)
        overlaps = [
            *find_overlaps(micrographs),
            *magnifications.search(micrographs).overlaps,
        ]
        folds[task] = {name: rule(entries, overlaps) for name, rule in rules.items()}
        paper = [[e.id for e in entries if e.fold == fold] for fold in range(dataset.n_folds(task))]
        every = {protocol.PAPER_SPLIT: paper, **folds[task]}
        orders[task] = {name: training_orders(found) for name, found in every.items()}
    return {"schema": SCHEMA, "splits": folds, "training_orders": orders}


def training_orders(folds: Sequence[Sequence[str]]) -> list[list[str]]:
    """Order the training micrographs of each fold of a split.

    Parameters
    ----------
    folds : sequence of sequence of str
        Ids that each fold validates on.

    Returns
    -------
    list of list of str

    Examples
    --------
    >>> training_orders([["a"], ["b"], ["c"]])
    [['b', 'c'], ['c', 'a'], ['a', 'b']]
    """
    return [
        splits.training_order(
            (name for number, ids in enumerate(folds) if number != fold for name in ids), fold
        )
        for fold in range(len(folds))
    ]


def as_json(content: dict[str, Any]) -> str:
    """Text of ``splits.json``."""
    return json.dumps(content, indent=1) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program."""
    usage.parser("write_splits", __doc__).parse_args(arguments)
    sys.stdout.write(as_json(generate()))


if __name__ == "__main__":
    main()
