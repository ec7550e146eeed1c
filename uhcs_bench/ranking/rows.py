"""The board as rows of a table, from ``leaderboard.json`` alone."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any

from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io.texts import from_json
from uhcs_bench.metrics.table import OVERALL_SCORES
from uhcs_bench.ranking import content, fit
from uhcs_bench.ranking.files import PACKAGED
from uhcs_bench.ranking.page import DATA_NAME

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from uhcs_bench.io.tables import Row


class UnreadableBoardError(UhcsBenchError):
    """A file that is not a leaderboard."""


def read(path: Path = PACKAGED) -> dict[str, Any]:
    """Read a ``leaderboard.json``.

    Parameters
    ----------
    path : Path, optional
        By default the project's own board, as it comes with the package.

    Returns
    -------
    dict
        See `uhcs_bench.ranking.content.to_dict`.

    Raises
    ------
    UnreadableBoardError
        If it isn't there, or is not of this version.
    """
    advice = "uhcs-bench leaderboard build writes one beside its entries"
    try:
        found = from_json(path.read_bytes())
    except OSError as error:
        raise UnreadableBoardError(
            f"Can't read {path}: {error.strerror}. Name another {DATA_NAME}; {advice}."
        ) from error
    except ValueError as error:
        raise UnreadableBoardError(f"{path} is not JSON. {advice}.") from error
    if not isinstance(found, dict) or found.get("schema") != content.SCHEMA:
        raise UnreadableBoardError(f"{path} is no board of the form {content.SCHEMA}; {advice}.")
    return found


def rows(board: dict[str, Any], tasks: Collection[str], convention: str = "paper") -> Iterator[Row]:
    """Lay the entries that have scores out, a row for each task, version and split.

    Parameters
    ----------
    board : dict
        What `read` gives.
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
    >>> first = next(rows(read(), ["particles"]))
    >>> first["task"], 0 < first["IU"] < 1
    ('particles', True)
    """
    names = {found["entry"]: found["declaration"]["name"] for found in board["entries"]}
    for group in board["groups"]:
        if group["task"] not in tasks:
            continue
        about = {key: group[key] for key in ("task", "dataset_version", "split", "data_id")}
        for found in group["recomputed"]:
            row: Row = {**about, "method": found["entry"], "name": names[found["entry"]]}
            row["n_runs"] = len(found["runs"])
            for metric, ranks in found["rank"].items():
                best, worst = ranks["best"], ranks["worst"]
                row[f"rank_{metric}"] = str(best) if best == worst else f"{best}-{worst}"
            yield row | dict(_scores(found, convention)) | dict(_measures(found))


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
