"""A table of choices that were made inside the training folds, from the records of inner runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

import uhcs_bench
from baselines.configuration import Configuration
from baselines.records import FoldRun
from baselines.unfinished import remedy
from uhcs_bench import protocol
from uhcs_bench.data import dataset
from uhcs_bench.errors import UhcsBenchError, UsageError, in_words, listed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Trial:
    """An inner run of one fold, scored on the fold that was held out inside the training folds.

    Attributes
    ----------
    name : str
        Of the run's folder.
    fold, inner_fold : int
        The fold that nothing was learnt from, and the one that was scored on.
    settings : dict
        Of the configuration.
    IU, AC : float
        Percent, the paper's convention, over the micrographs of `inner_fold`.
    n : int
        Micrographs.
    seconds : float
        Of training.
    """

    name: str
    fold: int
    inner_fold: int
    settings: dict[str, Any]
    IU: float
    AC: float
    n: int
    seconds: float


def read(runs: Sequence[Path], method: str, task: str) -> list[Trial]:
    """Score the inner runs of some folders.

    Parameters
    ----------
    runs : sequence of Path
        What ``python -m baselines run --inner`` wrote, one folder for each choice.
    method, task : str

    Returns
    -------
    list of Trial
        In the order of `runs`, then of the folds.

    Raises
    ------
    UsageError
        A folder has a run that is no inner one: its score would have seen the fold.
    UhcsBenchError
        A folder has no finished run, or a record that states what there is not.
    """
    trials: list[Trial] = []
    problems, empty = [], []
    for folder in runs:
        found = [FoldRun(folder, method, task, fold) for fold in range(protocol.N_FOLDS)]
        records = [(place, place.read()) for place in found]
        finished = [(place, record) for place, record in records if record is not None]
        if not finished:
            empty.append(
                f"{folder} has no finished fold of {method} on {task}. "
                f"{remedy(folder, method, task, inner=True)}, or give another folder."
            )
        for place, record in finished:
            if record.get("inner"):
                trials.append(_trial(place, record))
            else:
                problems.append(f"{place}, in {folder}, is no inner run: run it with --inner.")
    if problems:
        raise UsageError(listed("The choices were not compared", problems))
    if empty:
        raise UhcsBenchError(listed("The choices were not compared", empty))
    return trials


def _trial(place: FoldRun, record: dict[str, Any]) -> Trial:
    try:
        version = protocol.check_version(record["dataset_version"])
        split = protocol.check_split(record.get("split", protocol.PAPER_SPLIT))
    except UsageError as error:
        raise UhcsBenchError(
            f"{place.record} states data that this release does not have ({in_words(error)}). Run "
            "the fold again."
        ) from error
    fold = place.fold or 0
    inner = (fold + 1) % dataset.n_folds(place.task, version, split)
    maps = place.label_map("any").parent
    found = uhcs_bench.score(maps, task=place.task, fold=inner, version=version, split=split)
    score = found[place.task]
    means = score.conventions["paper"]
    return Trial(
        name=place.out.name,
        fold=fold,
        inner_fold=inner,
        settings=_settings(place, record),
        IU=100 * (means.IU.mean or 0.0),
        AC=100 * (means.AC.mean or 0.0),
        n=score.n_images,
        seconds=record.get("seconds", {}).get("train", math.nan),
    )


def _settings(place: FoldRun, record: dict[str, Any]) -> dict[str, Any]:
    try:
        return Configuration.from_dict(record["configuration"]).to_dict()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UhcsBenchError(
            f"{place.record} states no configuration that can be read ({in_words(error)}). Run "
            "the fold again."
        ) from error


def to_text(trials: Sequence[Trial], form: str = "github") -> str:
    """Lay the trials out; of the settings those that are not the same in all.

    Parameters
    ----------
    trials : sequence of Trial
    form : str
        A format of tabulate.

    Returns
    -------
    str
    """
    names = [
        name
        for name in trials[0].settings
        if len({str(trial.settings[name]) for trial in trials}) > 1
    ]
    rows = [
        [
            trial.name,
            *(_written(trial.settings[name]) for name in names),
            f"{trial.fold}, {trial.inner_fold}",
            trial.n,
            f"{trial.IU:.1f}",
            f"{trial.AC:.1f}",
            f"{trial.seconds / 60:.0f}",
        ]
        for trial in trials
    ]
    headers = ["run", *names, "folds left out, scored on", "n", "IU", "AC", "minutes"]
    return tabulate(rows, headers=headers, tablefmt=form, disable_numparse=True)


def _written(value: Any) -> str:
    if isinstance(value, list):  # the stages
        return ", then ".join(
            f"{stage['updates']} updates at {stage['learning_rate']:g}" for stage in value
        )
    return str(value)
