"""What a folder of label maps says of the models that made them: its ``record.json``.

The reference methods write one beside their label maps, for each fold what its model was trained on
and how. From it follows for which split the maps count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uhcs_bench import protocol
from uhcs_bench.errors import UhcsBenchError, in_words
from uhcs_bench.io import paths
from uhcs_bench.io.texts import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

FILE_NAME = "record.json"

RUN_SCHEMA = "uhcs-bench/method-record/1"
"""One model for each fold."""

ENSEMBLE_SCHEMA = "uhcs-bench/ensemble-record/1"
"""Several models for each fold, averaged, or one that segmented its micrographs again."""


SCHEMAS = (RUN_SCHEMA, ENSEMBLE_SCHEMA)


@dataclass(frozen=True)
class TrainedModel:
    """The model of a fold.

    Attributes
    ----------
    task : str
    fold : int
    version : str
        Data set version.
    split : str
        Whose folds.
    train_size : int or None
        Number of training micrographs if a fixed subset was taken.
    inner : bool
        Whether the label maps are those of a fold inside the training micrographs, which serves
        choices.
    training, validation : tuple of str
        Ids of the micrographs.
    tta : bool
        Whether the label maps average eight views of a micrograph.
    run : dict
        All that is on record.
    """

    task: protocol.TaskName
    fold: int
    version: str
    split: str
    train_size: int | None
    inner: bool
    training: tuple[str, ...]
    validation: tuple[str, ...]
    tta: bool
    run: dict[str, Any]


def read(predictions: Path) -> tuple[TrainedModel, ...]:
    """Read which models made the label maps of a folder.

    Parameters
    ----------
    predictions : Path
        A folder as `uhcs_bench.score` takes it, or one task's folder in it.

    Returns
    -------
    tuple of TrainedModel
        Empty if there is no record, or one of another program.

    Raises
    ------
    UhcsBenchError
        The record is one of the reference methods, but damaged.
    """
    path = find(predictions)
    if path is None:
        return ()
    try:
        content = read_json(path)
    except ValueError as error:
        raise UhcsBenchError(
            f"{path} is not JSON, so that it is unknown what the models were trained on. Run the "
            "method again, or delete the file and state the split yourself."
        ) from error
    try:
        return parse(content) or ()
    except ValueError as error:
        raise UhcsBenchError(
            f"{path} {error}, so that it is unknown what the models were trained on. Run the "
            "method again, or delete the file and state the split yourself."
        ) from error


def parse(content: object) -> tuple[TrainedModel, ...] | None:
    """Read the content of a record.

    Parameters
    ----------
    content : object
        Of JSON.

    Returns
    -------
    tuple of TrainedModel or None
        None for a record of another program.

    Raises
    ------
    ValueError
        The record is one of the reference methods, but damaged; the message is a phrase.

    Examples
    --------
    >>> parse({"schema": "mine"}) is None
    True
    """
    if not isinstance(content, dict) or content.get("schema") not in SCHEMAS:
        return None
    try:
        return tuple(_models(content))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"is damaged ({in_words(error)})") from error


def subsets(models: Sequence[TrainedModel]) -> tuple[int, ...]:
    """Give the sizes of the fixed subsets that models were trained on.

    Parameters
    ----------
    models : sequence of TrainedModel
        What `read` gives.

    Returns
    -------
    tuple of int
        Training micrographs of a fold, the fewest first; empty for models that saw all of them.

    Examples
    --------
    >>> subsets(())
    ()
    """
    return tuple(sorted({model.train_size for model in models if model.train_size is not None}))


def find(predictions: Path) -> Path | None:
    """Find the record beside label maps; None if there is none."""
    folders = [predictions]
    if paths.real(predictions).name in protocol.TASKS:
        folders.append(paths.real(predictions).parent)
    return next((f / FILE_NAME for f in folders if (f / FILE_NAME).is_file()), None)


def _check_forms(run: dict[str, Any], where: str) -> None:
    """Make sure that what is on record of a fold has the forms that are relied on.

    Raises
    ------
    ValueError
        A value has another form.
    """
    for form, (fits, keys) in _FORMS.items():
        for key in keys:
            if key in run and not fits(run[key]):
                raise ValueError(f"{where}: {key} is not {form}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _TOO_MANY


def is_name(value: object) -> bool:
    """Tell whether a value may be the name of a split or version: one that is safe to print.

    Examples
    --------
    >>> is_name("clean"), is_name("a b"), is_name(1.0)
    (True, False, False)
    """
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


_TOO_MANY = 10**12
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,50}")
_FORMS: dict[str, tuple[Callable[[object], bool], tuple[str, ...]]] = {
    "a name of letters and digits": (is_name, ("dataset_version", "split")),
    "a list of texts": (_are_texts, ("training", "validation")),
    "a count": (_is_count, ("seed", "parameters")),
    "a count or null": (lambda v: v is None or _is_count(v), ("train_size",)),
    "true or false": (lambda v: isinstance(v, bool), ("inner",)),
    "a text or null": (lambda v: v is None or isinstance(v, str), ("weights",)),
    "an object": (lambda v: isinstance(v, dict), ("configuration", "seconds", "hardware")),
}


def _models(content: dict[str, Any]) -> Iterator[TrainedModel]:
    for name, part in content["tasks"].items():
        task = protocol.task(name).name
        how = part if content["schema"] == ENSEMBLE_SCHEMA else {}
        for fold, members in (how["folds"] if how else part).items():
            for run in members if isinstance(members, list) else [members]:
                _check_forms(run, f"{task}, fold {int(fold)}")
                yield TrainedModel(
                    task=task,
                    fold=int(fold),
                    version=run["dataset_version"],
                    split=run.get("split", protocol.PAPER_SPLIT),
                    train_size=run.get("train_size"),
                    inner=run.get("inner", False),
                    training=tuple(run["training"]),
                    validation=tuple(run["validation"]),
                    tta=bool(how.get("tta", run["configuration"].get("tta", False))),
                    run=run,
                )


def contradictions(
    models: Sequence[TrainedModel],
    version: str,
    split: str,
    options: Collection[str] = ("--split", "--dataset-version"),
    place: str = FILE_NAME,
) -> list[str]:
    """List why label maps can't stand for a data set version and split.

    Parameters
    ----------
    models : sequence of TrainedModel
        Those that made the label maps.
    version, split : str
        What the maps are meant for.
    options : collection of str, optional
        Which of the two the caller's command has, so that sentences may advise them.
    place : str, optional
        Where the record stands, as sentences call it.

    Returns
    -------
    list of str
        Sentences; empty if nothing contradicts.

    Examples
    --------
    >>> contradictions((), "1.0", "grouped")
    []
    """
    problems = []
    for task in protocol.TASKS:
        mine = [model for model in models if model.task == task]
        others = {model.split for model in mine} - {split}
        if others:
            advice = _advice({model.split for model in models}, "--split", split, options)
            problems.append(
                f"{place}: the models of {task} were trained on the folds of the split "
                f"{' and '.join(sorted(others))}, not on those of {split}. {advice}"
            )
        others = {model.version for model in mine} - {version}
        if others:
            found = {model.version for model in models}
            advice = _advice(found, "--dataset-version", version, options)
            problems.append(
                f"{place}: the models of {task} were trained on the data set version "
                f"{' and '.join(sorted(others))}, not {version}. {advice}"
            )
        if any(model.inner for model in mine):
            problems.append(
                f"{place}: the label maps of {task} are those of inner folds, which serve "
                "choices. Run the method without --inner."
            )
    return problems


_MAY_DIFFER = ("seed", "precision")
"""Settings in which runs of one configuration may differ: machines are fast in other formats."""

_MOST_NAMES = 5


def other_settings(records: Mapping[str, Sequence[TrainedModel]]) -> list[str]:
    """List where folds or runs of a task were not run with the settings of the first one.

    Seeds and number formats may differ, and a setting that one of two records does not state is not
    compared: those of earlier releases lack what could not be set then.

    Parameters
    ----------
    records : mapping of str to sequence of TrainedModel
        By the place of the record, as sentences call it.

    Returns
    -------
    list of str
        Sentences; empty if all settings are the same.

    Examples
    --------
    >>> other_settings({"record.json": ()})
    []
    """
    folds: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for place, models in records.items():
        for model in models:
            key = (model.task, place, model.fold)
            folds.setdefault(key, []).append(_shared_settings(model))
    problems = []
    first: dict[str, tuple[str, list[dict[str, Any]]]] = {}
    for (task, place, fold), found in folds.items():
        where, wanted = first.setdefault(task, (f"fold {fold} of {place}", found))
        names = {
            name
            for one, other in zip(found, wanted, strict=False)
            for name in one.keys() & other.keys()
            if _contradict(one[name], other[name])
        }
        if not names and len(found) == len(wanted):
            continue
        # The names are those of somebody else's file.
        shown = [name if is_name(name) else ascii(name)[:50] for name in sorted(names)]
        more = f" and {len(shown) - _MOST_NAMES} more" if len(shown) > _MOST_NAMES else ""
        differing = (
            ", ".join(shown[:_MOST_NAMES]) + more or f"models: {len(found)}, there {len(wanted)}"
        )
        problems.append(
            f"{place}: fold {fold} of {task} was run with other settings than {where} "
            f"({differing}). All folds and runs of an entry have the same; run it again, or make "
            "an entry of each configuration."
        )
    return problems


def _contradict(one: object, other: object) -> bool:
    """Tell whether two settings differ in what both of them state."""
    if isinstance(one, dict) and isinstance(other, dict):
        return any(_contradict(one[name], other[name]) for name in one.keys() & other.keys())
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return any(map(_contradict, one, other))
    return one != other


def _shared_settings(model: TrainedModel) -> dict[str, Any]:
    """Give the settings that folds and runs of one configuration have in common."""
    settings = {**model.run["configuration"], "tta": model.tta, "train_size": model.train_size}
    return {name: value for name, value in settings.items() if name not in _MAY_DIFFER}


def _advice(found: set[str], option: str, wanted: str, options: Collection[str]) -> str:
    """Say what to do about models that were trained on something else than is wanted."""
    if len(found) > 1:
        return "Run each into a folder of its own."
    if option in options:
        return f"Say {option} {next(iter(found))}."
    return f"Give the maps of models that were trained on {wanted}."
