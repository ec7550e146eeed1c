"""Measures of a micrograph beside the paper's scores, by their place in the JSON output."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from uhcs_bench.metrics import particle_sizes
from uhcs_bench.metrics.table import MEASURES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uhcs_bench.metrics.pair import MapPair
    from uhcs_bench.metrics.table import Measure
    from uhcs_bench.protocol import Task

Key = tuple[str, ...]
Value = TypeVar("Value")


def measure(pair: MapPair, task: Task, *, extended: bool = False) -> dict[Key, float]:
    """Measure the agreement of two maps.

    Parameters
    ----------
    pair : MapPair
    task : Task
    extended : bool, optional
        Whether measures that take long are included.

    Returns
    -------
    dict of tuple of str to float
        Every measure of `uhcs_bench.metrics.table.MEASURES` that applies to the task, by its place
        in the JSON output; NaN where undefined.

    Examples
    --------
    >>> from uhcs_bench import protocol
    >>> from uhcs_bench.metrics.pair import MapPair
    >>> annotated = np.repeat(np.array([0, 0, 1], np.uint8), [6, 1, 3])
    >>> predicted = np.repeat(np.array([0, 1, 0, 1], np.uint8), [6, 1, 1, 2])
    >>> pair = MapPair(annotated.reshape(2, 5), predicted.reshape(2, 5), 2)
    >>> round(measure(pair, protocol.task("particles"))["classes", "particle", "dice"], 3)
    0.667
    """
    found: dict[Key, float] = {}
    for metric in MEASURES:
        if metric.applies_to(task) and (extended or not metric.extended):
            values = np.atleast_1d(metric.function(pair))
            found |= dict(zip(_keys(metric, task), values.tolist(), strict=True))
    return {key: float(value) for key, value in found.items()}


def _keys(metric: Measure, task: Task) -> list[Key]:
    if metric.per_class:
        return [("classes", class_name, metric.name) for class_name in task.classes]
    return [(*metric.group, metric.name)]


def is_signed(key: Key) -> bool:
    """Whether a measure is an error for which 0 is best."""
    group, name = key[:-1], key[-1]
    return any(
        metric.better == "zero"
        and metric.name == name
        and (metric.group == group or (metric.per_class and group[:1] == ("classes",)))
        for metric in MEASURES
    )


def sensitivity_rows(tables: list[tuple[particle_sizes.SizeTest, ...]]) -> list[dict[str, Any]]:
    """Count consistent micrographs for every way of counting particles.

    Parameters
    ----------
    tables : list of tuples of SizeTest
        One of each micrograph, see `uhcs_bench.metrics.particle_sizes.ks_sensitivity`.

    Returns
    -------
    list of dict
        Rows of the JSON output; the paper's way of counting is the first.
    """
    return [
        {
            **asdict(score.counting),
            "ks_score": score.ks_score,
            "n_consistent": score.n_consistent,
            "n": score.n,
        }
        for score in particle_sizes.ks_score_by_counting(tables)
    ]


def nested(flat: Mapping[Key, Value]) -> dict[str, Any]:
    """Turn names of several parts into dictionaries within dictionaries.

    Examples
    --------
    >>> nested({("kappa",): 0.5, ("sizes", "count_error"): 3})
    {'kappa': 0.5, 'sizes': {'count_error': 3}}
    """
    tree: dict[str, Any] = {}
    for (*path, name), value in flat.items():
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[name] = value
    return tree
