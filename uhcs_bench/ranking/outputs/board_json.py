"""The file ``leaderboard.json``: the board for programs, a line for each row and pair."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uhcs_bench import paper, protocol
from uhcs_bench._version import __version__
from uhcs_bench.errors import UhcsBenchError, in_words
from uhcs_bench.io.texts import read_json
from uhcs_bench.metrics.table import RANKED_SCORES
from uhcs_bench.ranking import fit
from uhcs_bench.stats import proportions
from uhcs_bench.stats.runs import mean_of_runs
from uhcs_bench.stats.undefined import none_if_nan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from uhcs_bench.ranking.board import Board, Group, Row
    from uhcs_bench.ranking.entries.entry import LeaderboardEntry
    from uhcs_bench.ranking.pair_tests import Pair
    from uhcs_bench.ranking.split_changes import Comparison, SplitChange
    from uhcs_bench.scoring.results import ConventionScore, MeanScore

SCHEMA = "uhcs-bench/leaderboard/4"

DATA_NAME = "leaderboard.json"

PACKAGED = Path(__file__).parents[1] / DATA_NAME
"""The project's own board, as it comes with the package."""

_DIGITS = 6
"""Decimals that are kept, so that another machine's last digits change nothing; of p-values
significant digits."""

_SHORT_DIGITS = 4
"""Decimals of a micrograph's scores, and significant digits of what is measured on it: there are
hundreds of them for each method."""

_LONG_LISTS = ("entries", "groups", "recomputed", "pairs", "split_comparisons", "changes")
"""Keys whose items stand on a line each."""


class UnreadableBoardError(UhcsBenchError):
    """A file that is not a leaderboard."""


_ADVICE = (
    f"Name a {DATA_NAME}, which uhcs-bench leaderboard build writes beside its entries, or "
    "leave --board out for the board of the package"
)


def read(path: Path = PACKAGED) -> dict[str, Any]:
    """Read a ``leaderboard.json``.

    Parameters
    ----------
    path : Path, optional
        By default the project's own board, as it comes with the package.

    Returns
    -------
    dict
        See `to_dict`.

    Raises
    ------
    UnreadableBoardError
        If it isn't there, or is not of this version.
    """
    try:
        found = read_json(path)
    except OSError as error:
        raise UnreadableBoardError(f"Can't read {path}: {error.strerror}. {_ADVICE}.") from error
    except ValueError as error:
        raise UnreadableBoardError(f"{path} is not JSON. {_ADVICE}.") from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise UnreadableBoardError(f"{path} is no board of the form {SCHEMA}. {_ADVICE}.")
    return found


@contextmanager
def reporting_damage(path: Path) -> Iterator[None]:
    """Turn what the use of a damaged board raises into one error.

    Parameters
    ----------
    path : Path
        Where the board was read.

    Raises
    ------
    UnreadableBoardError
        If something is missing in it, or of another type.
    """
    try:
        yield
    except UhcsBenchError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableBoardError(f"{path} is damaged ({in_words(error)}). {_ADVICE}.") from error


def names(board: dict[str, Any]) -> dict[str, str]:
    """Give the names of a board's methods, by slug.

    Parameters
    ----------
    board : dict
        What `read` gives.
    """
    return {found["entry"]: found["declaration"]["name"] for found in board["entries"]}


def to_dict(board: Board) -> dict[str, Any]:
    """Lay a board out as plain dictionaries, lists and numbers; computed ones are rounded.

    Parameters
    ----------
    board : Board

    Returns
    -------
    dict
    """
    return {
        "schema": SCHEMA,
        "scorer_version": __version__,
        "conventions": protocol.CONVENTIONS,
        "tolerances": list(fit.TOLERANCES),
        "entries": [_entry_content(found) for found in board.entries],
        "left_out": [
            {"entry": found.slug, "problems": list(found.problems)} for found in board.left_out
        ],
        "groups": [_rounded(_group_content(group)) for group in board.groups],
        "split_comparisons": [
            _rounded(_comparison_content(found)) for found in board.split_comparisons
        ],
    }


def to_json(board: Board) -> str:
    """Write what `to_dict` gives: compact, with the items of long lists on lines of their own."""
    return "".join(_lines(to_dict(board), "")) + "\n"


def _lines(content: Any, key: str) -> Iterator[str]:
    if isinstance(content, dict) and any(name in content for name in _LONG_LISTS):
        yield "{"
        for place, (name, value) in enumerate(content.items()):
            yield f"{',' if place else ''}\n{json.dumps(name)}: "
            yield from _lines(value, name)
        yield "\n}"
    elif key in _LONG_LISTS and content:
        yield "["
        for place, value in enumerate(content):
            yield f"{',' if place else ''}\n"
            yield from _lines(value, "")
        yield "\n]"
    else:
        yield json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def _entry_content(found: LeaderboardEntry) -> dict[str, Any]:
    return {
        "entry": found.slug,
        "declaration": found.declaration,
        "sha256": found.fingerprint.sha256,
        "task_sha256": found.fingerprint.tasks,
    }


def _group_content(group: Group) -> dict[str, Any]:
    truth = group.truth
    return {
        "task": group.task.name,
        "dataset_version": group.version,
        "split": group.split,
        "data_id": truth.data_id if truth else None,
        "n_images": group.n_images,
        "n_folds": group.n_folds,
        "micrographs": {
            "id": [micrograph.id for micrograph in group.expected],
            "fold": [micrograph.fold for micrograph in group.expected],
            "annotated": _significant(truth.measured) if truth else None,
        },
        "agreement_of_annotations": group.annotator_agreement,
        "recomputed": [_row_content(row, group) for row in group.scored],
        "unfinished": [
            {
                "entry": row.entry.slug,
                "n_maps": row.maps.n_maps,
                "folds": row.maps.folds,
                "reason": row.maps.reason,
            }
            for row in group.unfinished
        ],
        "reported": [
            {"source": paper.SOURCE, "source_url": paper.SOURCE_URL, "unit": "percent"}
            | asdict(row)
            for row in group.reported
        ],
        "pairs": [_pair_content(pair) for pair in group.pairs],
    }


def _pair_content(pair: Pair) -> dict[str, Any]:
    return _tested_content(pair) | {"separable_by": list(pair.separable_by)}


def _comparison_content(found: Comparison) -> dict[str, Any]:
    return asdict(found) | {"changes": [_tested_content(change) for change in found.changes]}


def _tested_content(found: Pair | SplitChange) -> dict[str, Any]:
    return asdict(found) | {
        "p_micrographs": _digits(found.p_micrographs, _SHORT_DIGITS),
        "p_folds": _digits(found.p_folds, _SHORT_DIGITS),
    }


def _row_content(row: Row, group: Group) -> dict[str, Any]:
    n_images = group.n_images
    content: dict[str, Any] = {
        "entry": row.entry.slug,
        "status": row.maps.status,
        "reason": row.maps.reason,
        "runs": [run.folder for run in row.runs],
        "rank": {name: asdict(ranks) for name, ranks in row.ranks.items()},
        "conventions": {
            name: _convention_content(means, n_images, with_intervals=name == "paper")
            for name, means in row.result.conventions.items()
        },
        "fit": {
            "mean": _mean_content(row.mean("fit"), n_images),
            "measures": {
                name: {
                    "n": found.n,
                    "bias": found.bias,
                    "missed": found.n_missed,
                    "within": list(found.within.values()),
                }
                for name, found in row.fits.items()
            },
        },
        "seeds": {
            metric.name: asdict(spread)
            for metric in group.metrics
            if (spread := row.seeds(metric.name)) is not None
        },
        "micrographs": _micrograph_content(row, group),
    }
    if group.task.has_particles:
        content["sizes"] = {
            "D": _mean_content(row.mean("D"), n_images),
            "W1_px": _mean_content(row.size_distance_px(), n_images),
            "ks": [
                {
                    "n_not_rejected": count,
                    "n": n_images,
                    "ci95": proportions.proportion_interval(count, n_images),
                }
                for count in row.not_rejected()
            ],
        }
    return content


def _convention_content(
    means: ConventionScore, n_images: int, *, with_intervals: bool
) -> dict[str, Any]:
    """Scores of a convention; those of classes have their intervals in the paper's alone."""
    by_class = [score.name for score in RANKED_SCORES if score.per_class]
    kept = ("mean", "se", "n", "ci95") if with_intervals else ("mean", "n")

    def of_class(found: MeanScore) -> dict[str, Any]:
        content = _mean_content(found, n_images)
        return {name: value for name, value in content.items() if name in kept}

    content: dict[str, Any] = {
        score.name: _mean_content(getattr(means, score.name), n_images) for score in RANKED_SCORES
    }
    content["classes"] = {
        name: {score: of_class(getattr(found, score)) for score in by_class}
        for name, found in means.classes.items()
    }
    return content


def _mean_content(found: MeanScore, n_images: int) -> dict[str, Any]:
    """Without what is undefined, and without the number of micrographs where that is all."""
    content = {name: value for name, value in asdict(found).items() if value is not None}
    if found.n == n_images:
        del content["n"]
    return content


def _micrograph_content(row: Row, group: Group) -> dict[str, Any]:
    """Scores of the micrographs, in the group's order: means over the runs."""
    images = row.result.images
    content: dict[str, Any] = {
        metric.name: _listed(mean_of_runs(row.values[metric.name]))
        for metric in group.metrics
        if metric.pick is not None
    }
    content["class_IU"] = {
        name: [_short(image.classes[name].IU) for image in images] for name in group.task.classes
    }
    if group.task.has_particles:
        content["W1_px"] = _listed(row.size_distances_px())
    content["measured"] = [_significant(run.measured) for run in row.runs]
    return content


def _listed(values: NDArray[np.float64]) -> list[float | None]:
    return [_short(none_if_nan(value)) for value in values]


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, _SHORT_DIGITS)


def _significant(
    measured: dict[str, list[float | None]],
) -> dict[str, Sequence[float | None]]:
    return {
        name: [_digits(value, _SHORT_DIGITS) for value in values]
        for name, values in measured.items()
    }


def _digits(value: float | None, digits: int = _DIGITS) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")


def _rounded(content: Any, key: str = "") -> Any:
    if isinstance(content, float):
        # p-values and measures have been rounded to significant digits
        return content if key.startswith("p_") or key == "measured" else round(content, _DIGITS)
    if isinstance(content, dict):
        inherited = "measured" if key in ("measured", "annotated") else ""
        return {name: _rounded(value, inherited or name) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_rounded(value, key) for value in content]
    return content
