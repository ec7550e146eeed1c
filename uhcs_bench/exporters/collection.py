"""Gather another tool's predictions of all folds as a submission.

What the formats share: a prediction is taken only from the place of its micrograph's own fold,
since another fold's model may have been trained on that micrograph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uhcs_bench import protocol
from uhcs_bench.data import dataset, label_maps
from uhcs_bench.errors import SubmissionError, UsageError, in_words
from uhcs_bench.io import images
from uhcs_bench.io.atomic import new_folder
from uhcs_bench.io.texts import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from uhcs_bench.data.registry import Entry

    Maps = dict[str, NDArray[np.uint8]]

MANIFEST_NAME = "uhcs-bench.json"
"""File of an export that states its data for programs."""


@dataclass(frozen=True)
class Collection:
    """Predictions that have been gathered as a submission.

    Attributes
    ----------
    folder : Path
    task : str
    n_maps : int
    score_options : str
        Options with which ``uhcs-bench score`` scores them.
    empty : tuple of str
        Micrographs on which nothing is predicted, in a format without a mark for a missing
        prediction.
    """

    folder: Path
    task: protocol.TaskName
    n_maps: int
    score_options: str
    empty: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """Data that the predictions of a tool are of, read from what the export wrote.

    Attributes
    ----------
    where : str
        The results, as their user named them.
    task, version, split : str
    """

    where: str
    task: protocol.TaskName
    version: protocol.Version
    split: protocol.Split

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Micrographs of the split, in the order of its folds."""
        return dataset.catalogue(self.task, self.version, self.split)


def write(
    source: Source, out: Path, maps: Maps, problems: Sequence[str], empty: Sequence[str] = ()
) -> Collection:
    """Write gathered label maps into a new folder.

    Raises
    ------
    SubmissionError
        If there are problems; nothing is written then.
    UsageError
        If `out` is not empty.
    """
    if problems:
        raise SubmissionError(source.where, problems, "collected")
    with new_folder(out) as folder:
        for name, labels in maps.items():
            label_maps.write_label_map(folder / f"{name}.png", labels)
    options = protocol.score_options(source.version, source.split)
    return Collection(out, source.task, len(maps), options, tuple(empty))


def data_problem(told: Mapping[str, str], source: Source, place: str) -> list[str]:
    """Compare the data that a tool was trained on with those of this release."""
    if "data_id" not in told:
        return []
    now = dataset.load(source.task, version=source.version, split=source.split).data_id
    if told["data_id"] == now:
        return []
    problem = (
        f"{place} trained on the data {told['data_id']}, but those of this release of uhcs-bench "
        f"are {now}: export them and train again"
    )
    return [problem]


def read_manifest(
    data: Path, form: str, where: str, names: set[str]
) -> tuple[Source, dict[str, str]]:
    """Read what an export states of its data.

    Parameters
    ----------
    data : Path
        Folder that ``uhcs-bench export`` wrote.
    form : str
        Format that it must be of.
    where : str
        The results, as their user named them.
    names : set of str
        Ids of predicted micrographs, which identify the task; empty for an export of one task.

    Raises
    ------
    SubmissionError
        If the folder is no such export, or one of data that this release does not have.
    """
    try:
        content: dict[str, Any] = read_json(data / MANIFEST_NAME)
        sets = content["sets"] if content["format"] == form else []
        found = [
            told
            for told in sets
            if len(sets) == 1 or names & {m["id"] for m in told["micrographs"]}
        ]
        told = {key: str(found[0][key]) for key in ("task", "dataset_version", "split", "data_id")}
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        problem = (
            f"{data / MANIFEST_NAME} is no manifest of an export to {form} with these micrographs; "
            f"name the folder that uhcs-bench export {form} wrote, by --data"
        )
        raise SubmissionError(where, [problem], "collected") from None
    check_told(told, data / MANIFEST_NAME, where)
    task = protocol.task(told["task"]).name
    version = protocol.check_version(told["dataset_version"])
    return Source(where, task, version, protocol.check_split(told["split"])), told


def check_told(told: Mapping[str, str], path: Path, where: str) -> None:
    """Check that a file states data that there are: a task, a version and a split.

    Parameters
    ----------
    told : mapping
        What the file states; keys that it lacks are not looked at.
    path : Path
        The file.
    where : str
        The results, as their user named them.

    Raises
    ------
    SubmissionError
        If there is no such task, version or split; all that are wrong are listed.
    """
    checks: dict[str, Callable[[str], object]] = {
        "task": protocol.task,
        "dataset_version": protocol.check_version,
        "split": protocol.check_split,
    }
    problems = []
    for key, check in checks.items():
        try:
            if key in told:
                check(told[key])
        except UsageError as error:
            problems.append(
                f"{path} states data that this release of uhcs-bench does not have "
                f"({in_words(error)}); export the data with this release and train again"
            )
    if problems:
        raise SubmissionError(where, problems, "collected")


def read_folds(
    root: Path, source: Source, folder: str, problems: list[str], advice: str, own_folds: str
) -> Maps:
    """Read the label maps of all folds, ``<root>/<folder>/<id>.png``.

    Parameters
    ----------
    root : Path
    source : Source
    folder : str
        Folder of a fold's predictions, with ``{fold}`` in place of its number.
    problems : list of str
        Problems are added to it.
    advice : str
        What to do about a fold without predictions, with ``{fold}`` in place of its number.
    own_folds : str
        What to do about predictions of other folds' micrographs.
    """
    by_id = {entry.id: entry for entry in source.entries}
    maps: Maps = {}
    for fold in range(1 + max(entry.fold for entry in source.entries)):
        place = folder.format(fold=fold)
        if not (root / place).is_dir():
            problems.append(f"{place} is not there: {advice.format(fold=fold)}")
            continue
        paths = {path.stem: path for path in sorted((root / place).glob("[!.]*.png"))}
        for name, path in paths.items():
            if name not in by_id:
                problems.append(
                    f"{place}/{path.name}: there is no such micrograph in this split; leave it out"
                )
            elif by_id[name].fold == fold:
                try:
                    maps[name] = label_maps.read_label_map(path, by_id[name])
                except images.ImageError as error:
                    problems.append(f"{place}/{path.name}: {error}")
        problems += other_folds(place, paths, by_id, fold, own_folds)
        absent = [e.id for e in source.entries if e.fold == fold and e.id not in paths]
        if absent:
            problems.append(
                f"{place} has no prediction of {', '.join(absent)}; predict them by the model of "
                f"fold {fold}"
            )
    return maps


def other_folds(
    place: str, names: Mapping[str, object], by_id: Mapping[str, Entry], fold: int, advice: str
) -> list[str]:
    """Report predictions that the model of another fold has made."""
    others = [name for name in names if name in by_id and by_id[name].fold != fold]
    if not others:
        return []
    listing = ", ".join(f"{name} (fold {by_id[name].fold})" for name in others)
    return [f"{place} predicts micrographs of other folds: {listing}. {advice}"]
