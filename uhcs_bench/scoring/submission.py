"""Read predicted label maps, and find everything that is wrong with them."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uhcs_bench import protocol
from uhcs_bench.data import dataset
from uhcs_bench.data.label_maps import MAP_SUFFIXES, OTHER_SUFFIXES, read_label_map
from uhcs_bench.errors import SubmissionError, UsageError
from uhcs_bench.io import images, paths, protection
from uhcs_bench.scoring import provenance

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from uhcs_bench.data.registry import Entry


_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".xz", ".7z")

_LAYOUT = (
    "A submission has one label map for each micrograph, <id>.png, .tif or .npy, "
    "directly in the folder or under particles/ and microconstituents/."
)

_MOST_PLACES = 5
"""Maps with the same problem that are all named; of more, the first ones and their number."""


@dataclass(frozen=True)
class Submission:
    """Label maps for all micrographs that are to be scored, checked.

    Attributes
    ----------
    task : Task
    version : str
        Data set version that the maps are for.
    entries : tuple of Entry
        The micrographs, in the order of the split's folds.
    maps : mapping of str to ndarray of uint8
        A map for each of `entries`, by id, of the micrograph's shape.
    split : str
        Which micrographs, in which folds.
    training_split : str or None
        `split`, if a file beside the maps states that their models were trained on its folds.
    training_subsets : tuple of int
        If the record beside the maps states that their models were trained on fixed subsets, how
        many training micrographs of a fold those have.
    other_runs : tuple of str
        If the maps are in the folder of an entry, those of its further runs, ``runs/<name>``.
    """

    task: protocol.Task
    version: protocol.Version
    entries: tuple[Entry, ...]
    maps: Mapping[str, NDArray[np.uint8]]
    split: protocol.Split = protocol.PAPER_SPLIT
    training_split: str | None = None
    training_subsets: tuple[int, ...] = ()
    other_runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Candidate:
    """A map that was handed in: its place, the id that it claims, the task folder around it."""

    place: str
    id: str
    task_folder: protocol.TaskName | None
    content: Path | ArrayLike


class _Problems:
    """Problems as they are found; files with the same problem share a sentence."""

    def __init__(self) -> None:
        self._places: dict[str, list[str]] = defaultdict(list)

    def add(self, place: str, text: str) -> None:
        self._places[text].append(place)

    def __bool__(self) -> bool:
        return bool(self._places)

    def listing(self) -> list[str]:
        return [
            f"{_some(places)}: {text}" if any(places) else text
            for text, places in self._places.items()
        ]


def _some(places: Sequence[str]) -> str:
    """Name places, so few that the problem after them is seen.

    Examples
    --------
    >>> _some(["a", "b"]), _some(["a", "b", "c", "d", "e", "f"])
    ('a, b', 'a, b, c and 3 others')
    """
    if len(places) <= _MOST_PLACES:
        return ", ".join(places)
    return f"{', '.join(places[:3])} and {len(places) - 3} others"


def read_submission(
    predictions: str | os.PathLike[str] | Mapping[str, ArrayLike],
    task: str | None = None,
    fold: int | None = None,
    version: str = protocol.REAL_VERSION,
    split: str = protocol.PAPER_SPLIT,
    *,
    only: Collection[str] | None = None,
    any_training: bool = False,
    follow_links: bool = False,
    of_parts: bool = False,
) -> tuple[Submission, ...]:
    """Read and check predicted label maps; nothing is fetched.

    Parameters
    ----------
    predictions : path or mapping of str to array_like
        A folder with one map for each micrograph, ``<id>.png``, ``.tif`` or ``.npy``, directly or
        under ``particles/`` and ``microconstituents/``; or the maps themselves by id.
    task : str, optional
        Task to read. By default every task that the ids belong to.
    fold : int, optional
        Read only the micrographs of this fold. By default all of the split are required.
    version : str, optional
        Data set version that the maps are for.
    split : str, optional
        Which micrographs, in which folds. Maps of micrographs that it leaves out are left unread.
    only : collection of str, optional
        Read only the micrographs of these ids. By default all are required.
    any_training : bool, optional
        Whether maps are read of models that were trained on another split, as a file beside the
        maps states.
    follow_links : bool, optional
        Whether a link in the folder may lead to a file outside of it, as DVC, git-annex and the
        Hugging Face cache lay files. Only regular files are read. By default it is refused.
    of_parts : bool, optional
        Whether the caller lets its user choose a task and a fold, so that messages may advise it.

    Returns
    -------
    tuple of Submission
        One for each task.

    Raises
    ------
    SubmissionError
        If anything is wrong; it lists all problems of all files.
    UsageError
        If there is no such task, fold, version or split.
    """
    data = protocol.check_version(version), protocol.check_split(split)
    if fold is not None:
        protocol.check_fold(fold)
    content = _expanded(predictions)
    training_split: str | None = None
    training_subsets: tuple[int, ...] = ()
    other_runs: tuple[str, ...] = ()
    if isinstance(content, Path):
        runs = _runs_below(content)
        if runs and not _has_maps(content):
            raise SubmissionError(str(content), [_in_runs(content, runs)])
        if (content / provenance.ENTRY_NAME).is_file():
            other_runs = runs
    if isinstance(content, Path) and not any_training:
        of_task = None if task is None else protocol.task(task).name
        training_split = provenance.check(content, data[1], of_task, of_parts=of_parts)
        training_subsets = provenance.training_subsets(content, of_task)
    problems = _Problems()
    candidates = _candidates(content, problems, follow_links)
    resolver = _IdResolver(version)
    names = [protocol.task(task).name] if task else resolver.tasks_of(candidates)
    if fold is not None:
        for name in names:
            dataset.check_fold(fold, name, *data)
    maps_by_id = _sort_by_id(candidates, names, resolver, problems)
    submissions = [
        _read_task(_Wanted(name, *data, fold, only, of_parts), maps_by_id, problems)
        for name in names
        if candidates
    ]
    if problems:
        where = str(content) if isinstance(content, Path) else "The submission"
        raise SubmissionError(where, problems.listing())
    return tuple(
        replace(
            found,
            training_split=training_split,
            training_subsets=training_subsets,
            other_runs=other_runs,
        )
        for found in submissions
    )


@dataclass(frozen=True)
class _Wanted:
    """Micrographs that a map is needed for: a part of a task's split."""

    task: protocol.TaskName
    version: protocol.Version
    split: protocol.Split
    fold: int | None
    only: Collection[str] | None
    of_parts: bool
    """Whether a fold can be chosen."""

    @property
    def catalogue(self) -> tuple[Entry, ...]:
        """All micrographs of the split."""
        return dataset.catalogue(self.task, self.version, self.split)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The micrographs wanted, in the order of the folds."""
        return tuple(
            entry
            for entry in self.catalogue
            if (self.fold is None or entry.fold == self.fold)
            and (self.only is None or entry.id in self.only)
        )


def _expanded(predictions: Any) -> Any:
    """Turn the name of a folder into its path, with the home folder for ``~``."""
    if isinstance(predictions, str | os.PathLike):
        return paths.given(predictions)
    return predictions


def _has_maps(folder: Path) -> bool:
    """Tell whether files of label maps are where `_LAYOUT` has them."""
    return any(
        path.suffix.lower() in MAP_SUFFIXES and not path.name.startswith(".")
        for place in (folder, *(folder / task for task in protocol.TASKS))
        if place.is_dir()
        for path in place.iterdir()
    )


def _runs_below(folder: Path) -> tuple[str, ...]:
    """List the folders of label maps under ``runs/``, by their place."""
    runs = folder / provenance.RUNS
    if not runs.is_dir():
        return ()
    found = (path for path in sorted(runs.iterdir()) if path.is_dir() and _has_maps(path))
    return tuple(path.relative_to(folder).as_posix() for path in found)


def _in_runs(folder: Path, runs: Sequence[str]) -> str:
    """Say that label maps are in folders of runs alone, and which folders to give."""
    places = _some([str(folder / run) for run in runs])
    if len(runs) == 1:
        return f"there is no label map in it, but it has a run: give {places}"
    return f"there is no label map in it, but it has {len(runs)} runs: give one of {places}"


def _read_task(
    wanted: _Wanted, maps_by_id: Mapping[str, Sequence[_Candidate]], problems: _Problems
) -> Submission:
    maps = {}
    for entry in wanted.entries:
        found = maps_by_id.get(entry.id, ())
        if len(found) > 1:
            places = " and ".join(candidate.place for candidate in found)
            problems.add("", f"{places} are both maps of {entry.id}; keep one of them")
        for candidate in found:
            try:
                maps[entry.id] = read_label_map(candidate.content, entry)
            except images.ImageError as error:
                problems.add(candidate.place, str(error))
    if any(entry.id not in maps_by_id for entry in wanted.entries):
        problems.add("", _missing(wanted, maps_by_id))
    task = protocol.TASKS[wanted.task]
    return Submission(task, wanted.version, wanted.entries, maps, wanted.split)


def _candidates(
    predictions: Path | Mapping[str, ArrayLike], problems: _Problems, follow_links: bool
) -> list[_Candidate]:
    if isinstance(predictions, Mapping):
        candidates = _candidates_in_mapping(predictions, problems)
    elif not isinstance(predictions, Path):
        raise UsageError(
            f"A submission can't be of type {type(predictions).__name__}. Give the path of a "
            "folder of label maps, or a mapping of micrograph ids to maps, {id: map}."
        )
    else:
        candidates = _candidates_in_folder(predictions, problems, follow_links)
    if not candidates and not problems:
        layout = _LAYOUT
        if isinstance(predictions, Mapping):
            layout = "Give one for each micrograph by its id, {id: map}."
        problems.add("", f"there is no label map in it. {layout}")
    return candidates


def _candidates_in_mapping(
    predictions: Mapping[Any, ArrayLike], problems: _Problems
) -> list[_Candidate]:
    candidates = []
    for key, content in predictions.items():
        if isinstance(key, str):
            map_ = _expanded(content)
            place = f"{key} ({map_})" if isinstance(map_, Path) else key
            candidates.append(_Candidate(place, key, None, map_))
        else:
            problems.add(repr(key), "is not a micrograph's id; ids are strings")
    return candidates


def _candidates_in_folder(root: Path, problems: _Problems, follow_links: bool) -> list[_Candidate]:
    if not root.is_dir():
        found = "does not exist"
        if root.exists():
            found = "is a file"
        if root.suffix.lower() in _ARCHIVES and root.exists():
            found = "is an archive: unpack it, and name the folder"
        problems.add("", f"the folder {found}. {_LAYOUT}")
        return []
    candidates = []
    real_root = paths.real(root)
    for task_folder in (None, *protocol.TASKS):
        folder = root if task_folder is None else root / task_folder
        if not folder.is_dir():
            continue
        for path in sorted(folder.iterdir()):
            suffix = path.suffix.lower()
            if path.name.startswith(".") or suffix not in MAP_SUFFIXES + OTHER_SUFFIXES:
                continue
            place = path.relative_to(root).as_posix()
            refusal = _refused_link(path, real_root, follow_links)
            if refusal:
                problems.add(place, refusal)
            elif suffix in OTHER_SUFFIXES:
                lossy = " (JPEG changes labels)" if suffix in (".jpg", ".jpeg") else ""
                problems.add(
                    place, f"{suffix} is not read{lossy}; write label maps as PNG, TIFF or NPY"
                )
            else:
                candidates.append(_Candidate(place, path.stem, task_folder, path))
    return candidates


def _refused_link(path: Path, real_root: Path, follow_links: bool) -> str:
    """Say why a link is not followed; empty for a file in its place and a link that is followed."""
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):  # a loop of links is either, by the version of Python
        return "is a link that leads nowhere; fetch the file that it stands for, or take it out"
    if target.is_relative_to(real_root):
        return ""
    if not target.is_file():
        return "is a link to something that is no file; put the file itself there"
    if not follow_links:
        return (
            "is a link that leads out of the folder; put the file itself there, or say "
            "--follow-links (follow_links=True in Python) if you trust who made it"
        )
    protection.add_inputs([target])
    return ""


def entries_by_id(version: str) -> dict[str, Entry]:
    """List the micrographs of both tasks by id."""
    return {
        entry.id: entry for task in protocol.TASKS for entry in dataset.catalogue(task, version)
    }


class _IdResolver:
    """Which micrograph a file is meant for."""

    def __init__(self, version: str) -> None:
        self.task_of_id = {name: entry.task for name, entry in entries_by_id(version).items()}
        self._plain = {_plain(known): known for known in self.task_of_id}

    def tasks_of(self, candidates: Iterable[_Candidate]) -> list[protocol.TaskName]:
        """Tasks that candidates belong to."""
        found = {self.task_of(candidate) for candidate in candidates}
        return [name for name in protocol.TASKS if name in found]

    def task_of(self, candidate: _Candidate) -> protocol.TaskName | None:
        """Task that a candidate belongs to, as far as its folder or id tells."""
        meant = self.meant(candidate.id)
        return candidate.task_folder or (self.task_of_id[meant] if meant else None)

    def meant(self, name: str) -> str | None:
        """Id that equals a name, or that its writer probably meant; None if nothing is near."""
        if name in self.task_of_id:
            return name
        plain = _plain(name)
        inside = [short for short in self._plain if short in plain]
        if inside:
            return self._plain[max(inside, key=len)]
        # The fold file says micrograph6 where the files say uhcs0006.
        number = re.fullmatch(r"(?:micrograph|uhcs)0*(\d+)", plain)
        if number and f"uhcs{int(number[1]):04d}" in self.task_of_id:
            return f"uhcs{int(number[1]):04d}"
        import difflib

        near = difflib.get_close_matches(plain, self._plain, n=1, cutoff=0.85)
        return self._plain[near[0]] if near else None

    def advice(self, name: str) -> str:
        """Say what to do with a map whose name is no id."""
        meant = self.meant(name)
        if meant is not None:
            return f"there is no micrograph {name}; did you mean {meant}? Rename it"
        for version, task in product(protocol.VERSIONS, protocol.TASKS):
            if name in (entry.id for entry in dataset.catalogue(task, version)):
                return (
                    "is a micrograph of another data set version: say --dataset-version "
                    f"{version} (version={version!r} in Python)"
                )
        return "there is no micrograph of this name; leave it out, or name it after its own"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _sort_by_id(
    candidates: Iterable[_Candidate],
    names: Sequence[protocol.TaskName],
    resolver: _IdResolver,
    problems: _Problems,
) -> dict[str, list[_Candidate]]:
    """Sort candidates by the id that they are for, reporting those that are for none."""
    known: dict[str, list[_Candidate]] = defaultdict(list)
    unknown = []
    for candidate in candidates:
        task_of_id = resolver.task_of_id.get(candidate.id)
        if task_of_id is None:
            unknown.append(candidate)
        elif candidate.task_folder not in (None, task_of_id):
            problems.add(candidate.place, f"{candidate.id} belongs to {task_of_id}; move it there")
        else:
            known[candidate.id].append(candidate)
    for candidate in unknown:
        meant = resolver.meant(candidate.id)
        if resolver.task_of(candidate) not in (None, *names):
            continue
        problems.add(candidate.place, resolver.advice(candidate.id))
        if meant is not None:
            # It stands for the micrograph, which is then not reported as missing as well.
            known.setdefault(meant, [])
    return known


def _missing(wanted: _Wanted, known: Mapping[str, object]) -> str:
    entries = wanted.entries
    absent = [entry for entry in entries if entry.id not in known]
    names = ", ".join(entry.id for entry in absent)
    text = (
        f"{wanted.task}: no label map for {len(absent)} of {len(entries)} micrographs ({names}). "
        "Every micrograph needs one"
    )
    catalogue = wanted.catalogue
    folds = sorted({entry.fold for entry in catalogue if entry.id in known})
    whole = all(entry.id in known for entry in catalogue if entry.fold in folds)
    if len(folds) == 1 and whole:
        if not wanted.of_parts:
            return (
                f"{text}; those of fold {folds[0]} are all there, those of the others are missing"
            )
        return (
            f"{text}; those of fold {folds[0]} are all there: "
            f"to score it alone, say --fold {folds[0]} (fold={folds[0]} in Python)"
        )
    complete = [
        split
        for split in protocol.SPLITS
        if all(entry.id in known for entry in dataset.catalogue(wanted.task, wanted.version, split))
    ]
    if complete:
        return (
            f"{text}; those of the splits {' and '.join(complete)} are all there: if you trained "
            f"on one of them, say --split {' or --split '.join(complete)} "
            f"(split={' or split='.join(map(repr, complete))} in Python)"
        )
    return text
