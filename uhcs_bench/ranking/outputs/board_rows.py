"""The board as rows of a table and as a data frame, from ``leaderboard.json`` alone."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any, get_args

from uhcs_bench import protocol
from uhcs_bench.errors import UsageError
from uhcs_bench.io.tables import Rows
from uhcs_bench.metrics.table import OVERALL_SCORES
from uhcs_bench.ranking import fit
from uhcs_bench.ranking.outputs import board_json
from uhcs_bench.ranking.pair_tests import range_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

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
        95 % interval, and so for ``AC``, the classes, the distance ``D`` of particle sizes and the
        ``fit`` to what is measured. Of each measure there are the bias and the micrographs within
        10 and 20 %. A rank is a range such as ``"1-2"``; NaN where a method has none.

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
    return Rows(rows(board_json.read(), names, convention)).to_frame()


def rows(board: dict[str, Any], tasks: Collection[str], convention: str = "paper") -> Iterator[Row]:
    """Lay the entries that have scores out, a row for each task, version and split.

    Parameters
    ----------
    board : dict
        What `uhcs_bench.ranking.outputs.board_json.read` gives.
    tasks : collection of str
    convention : {'paper', 'present', 'pooled'}, optional
        Of intersection over union and accuracy.

    Yields
    ------
    dict
        Strings and numbers: the entry and what it was scored on; ranks; of each score the mean,
        its standard error and the ends of its 95 % interval; of each measure the bias and the
        micrographs within 10 and 20 %. Fractions are not in percent. None where undefined.

    Examples
    --------
    >>> first = next(rows(board_json.read(), ["particles"]))
    >>> first["task"], 0 < first["IU"] < 1
    ('particles', True)
    """
    names = board_json.names(board)
    for group in board["groups"]:
        if group["task"] not in tasks:
            continue
        about = {key: group[key] for key in ("task", "dataset_version", "split", "data_id")}
        for found in group["recomputed"]:
            row: Row = {**about, "method": found["entry"], "name": names[found["entry"]]}
            row["n_runs"] = len(found["runs"])
            for metric, ranks in found["rank"].items():
                row[f"rank_{metric}"] = range_text(ranks["best"], ranks["worst"])
            yield row | dict(_scores(found, convention)) | dict(_measures(found))


def listed(board: dict[str, Any], what: str) -> Iterator[Row]:
    """Lay out what a table of `uhcs_bench.ranking.outputs.text_tables` shows, for programs.

    Parameters
    ----------
    board : dict
        What `uhcs_bench.ranking.outputs.text_tables.chosen` gives.
    what : {'ranks', 'sizes', 'fit', 'pairs', 'splits'}

    Yields
    ------
    dict
        For pairs one for each two methods, for splits one for each score of a method on two
        splits, with what was compared before the fields of ``leaderboard.json``; for the other
        tables what `rows` gives, which holds all three.

    Examples
    --------
    >>> first = next(listed(board_json.read(), "splits"))
    >>> first["easier_split"], first["harder_split"], first["metric"]
    ('paper', 'clean', 'IU')
    """
    if what == "pairs":
        for group in board["groups"]:
            about = {key: group[key] for key in ("task", "dataset_version", "split")}
            yield from (about | pair for pair in group["pairs"])
    elif what == "splits":
        for found in board["split_comparisons"]:
            about = {
                "task": found["task"],
                "dataset_version": found["version"],
                "easier_split": found["step"]["easier"],
                "harder_split": found["step"]["harder"],
            }
            yield from (about | change for change in found["changes"])
    else:
        yield from rows(board, protocol.TASKS)


def _scores(found: dict[str, Any], convention: str) -> Iterator[tuple[str, float | None]]:
    means = found["conventions"][convention]
    ranked = [score for score in OVERALL_SCORES if score.name in means]
    for score in ranked:
        yield from _estimate(score.name, means[score.name])
    for name, of_class in means["classes"].items():
        for score_name, estimate in of_class.items():
            yield from _estimate(f"{score_name}_{name}", estimate)
    if "sizes" in found:
        for name in ("D", "W1_px"):
            yield from _estimate(name, found["sizes"][name])
        counts = [run["n_not_rejected"] for run in found["sizes"]["ks"]]
        yield "KS_not_rejected", fmean(counts)
    yield from _estimate("fit", found["fit"]["mean"])


def _measures(found: dict[str, Any]) -> Iterator[tuple[str, float | None]]:
    for name, measure in found["fit"]["measures"].items():
        yield f"{name}_n", measure["n"]
        yield f"{name}_bias", measure["bias"]
        for tolerance, count in zip(fit.TOLERANCES, measure["within"], strict=True):
            yield f"{name}_within_{100 * tolerance:.0f}", count


def _estimate(name: str, found: dict[str, Any]) -> Iterator[tuple[str, float | None]]:
    low, high = found.get("ci95") or (None, None)
    yield from ((name, found.get("mean")), (f"{name}_se", found.get("se")))
    yield from ((f"{name}_low", low), (f"{name}_high", high))
