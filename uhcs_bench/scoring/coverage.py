"""How often the printed intervals hold the mean, by kind of score, as simulated.

The numbers are in ``coverage.json``, which ``python -m tests.benchmarks.coverage_by_kind`` writes
from the scores of the leaderboard's entries.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from uhcs_bench.io.texts import packaged
from uhcs_bench.stats.means import COVERAGE


@dataclass(frozen=True)
class KindCoverage:
    """Simulated coverage of the interval by micrograph of one kind of score.

    Attributes
    ----------
    kind : str
        A score of `uhcs_bench.metrics.table.SCORES`, with ``" of a class"`` where it is one, or the
        `kind` of a measure.
    n : list of int
        Micrographs in a sample.
    populations : int
        Methods, tasks and classes whose scores were drawn from.
    lowest, median : float
        Coverage over those populations and n, in each of the ways of drawing.
    """

    kind: str
    n: list[int]
    populations: int
    lowest: float
    median: float


@cache
def table() -> dict[str, KindCoverage]:
    """Read the simulated coverage of each kind.

    Examples
    --------
    >>> table()["IU"].lowest >= 0.93
    True
    """
    text = packaged("scoring/coverage.json")
    return {row["kind"]: KindCoverage(**row) for row in json.loads(text)["kinds"]}


def holds(kind: str) -> bool:
    """Tell whether intervals of a kind held in 93 % or more; one that was not simulated did not.

    Examples
    --------
    >>> holds("AC"), holds("a new measure")
    (True, False)
    """
    found = table().get(kind)
    return found is not None and found.lowest >= COVERAGE
