"""Small synthetic data sets for the tests of exports."""

from __future__ import annotations

from functools import cache

from uhcs_bench import protocol
from uhcs_bench.data import dataset


@cache
def small_set(task):
    """One micrograph of each fold; nothing in it can be changed."""
    entries = dataset.catalogue(task, protocol.SYNTHETIC_VERSION)[::4]
    micrographs = dataset.micrographs(entries)
    return dataset.Dataset(protocol.task(task), protocol.SYNTHETIC_VERSION, micrographs)


def load_small(task, **_options):
    """Stand in for `uhcs_bench.data.dataset.load`."""
    return small_set(task)


def check_problems(error, *beginnings):
    """Check how each problem begins that an error lists."""
    assert len(error.problems) == len(beginnings), error
    for problem, beginning in zip(error.problems, beginnings, strict=True):
        assert problem.startswith(beginning)


def small_sets():
    """Data sets of both tasks."""
    return [small_set(task) for task in protocol.TASKS]
