"""The board that comes with the package, as a data frame."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any, get_args

from uhcs_bench import protocol
from uhcs_bench.errors import UsageError
from uhcs_bench.io.tables import Rows
from uhcs_bench.metrics.table import OVERALL_SCORES, RANKED_SCORES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from uhcs_bench.io.tables import Row


def leaderboard(
    task: str | None = None, convention: protocol.ConventionName = "paper"
) -> pd.DataFrame:
    """Give the leaderboard of this release of the package, without scoring anything.

    Parameters
    ----------
    task : str, optional
        Name or alias of a task; both without it.
    convention : {'paper', 'present', 'pooled'}, optional
        Convention of the means. Ranks are those of the board, from paired tests in the paper's.

    Returns
    -------
    pandas.DataFrame
        A row for each entry, task, data set version and split, in the board's order. Scores are
        fractions: ``IU``, its standard error ``IU_se``, the ends ``IU_low`` and ``IU_high`` of its
        95 % interval, and so for ``AC``, the classes and ``KS``. A rank is a range such as
        ``"1-2"``; NaN where a method has none.

    Raises
    ------
    UsageError
        If there is no such task or convention.
    MissingPackageError
        If pandas is not installed.

    Examples
    --------
    >>> board = leaderboard("particles")
    >>> board.set_index("method").loc["otsu", "IU"].round(3)
    np.float64(0.716)
    """
    if convention not in get_args(protocol.ConventionName):
        known = ", ".join(protocol.CONVENTIONS)
        raise UsageError(f"There is no convention {convention!r}. Choose one of {known}.")
    names = list(protocol.TASKS) if task is None else [protocol.task(task).name]
    content = json.loads(_packaged())
    return Rows(_rows(content, names, convention)).to_frame()


def _packaged() -> str:
    return (resources.files("uhcs_bench") / "ranking" / "leaderboard.json").read_text("utf-8")


def _rows(content: dict[str, Any], tasks: list[Any], convention: str) -> Iterator[Row]:
    for group in content["groups"]:
        if group["task"] not in tasks:
            continue
        about = {key: group[key] for key in ("task", "dataset_version", "split", "data_id")}
        for found in group["recomputed"]:
            name = content["entries"][found["entry"]]["declaration"]["name"]
            row: Row = {**about, "method": found["entry"], "name": name}
            for metric, (best, worst) in found["rank"].items():
                row[f"rank_{metric}"] = str(best) if best == worst else f"{best}-{worst}"
            yield row | dict(_scores(found, convention))


def _scores(found: dict[str, Any], convention: str) -> Iterator[tuple[str, float | None]]:
    means = found["conventions"][convention]
    for score in OVERALL_SCORES:
        yield from _estimate(score.name, means[score.name])
    for score in RANKED_SCORES:
        for name, of_class in means["classes"].items() if score.per_class else ():
            yield from _estimate(f"{score.name}_{name}", of_class[score.name])
    if found["psd"] is not None:
        low, high = found["psd"]["ci95"]
        yield from (("KS", found["psd"]["ks_score"]), ("KS_low", low), ("KS_high", high))


def _estimate(name: str, found: dict[str, Any]) -> Iterator[tuple[str, float | None]]:
    low, high = found["ci95"] or (None, None)
    yield from ((name, found["mean"]), (f"{name}_se", found["se"]))
    yield from ((f"{name}_low", low), (f"{name}_high", high))
