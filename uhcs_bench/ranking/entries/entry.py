"""Read and check entries of the leaderboard.

An entry is a folder of ``entry.yaml``, which declares how a method was run, and the label maps that
it predicted, see `uhcs_bench.ranking.entries.entry_files`. It is untrusted: image sizes are checked
before decoding, no link is followed out of the folder, and scores are computed from the maps. Maps
are read one by one to be checked, and again when they are scored, so that a board of many entries
holds those of one at a time.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from uhcs_bench import protocol
from uhcs_bench.data import dataset, label_maps, pixels
from uhcs_bench.errors import UsageError
from uhcs_bench.io import images, paths
from uhcs_bench.io.hashes import file_sha256
from uhcs_bench.ranking.entries import entry_files
from uhcs_bench.ranking.entries.declaration import (
    FILE_NAME,
    EntryError,
    Status,
    read_declaration,
    shown,
    unreadable,
)
from uhcs_bench.scoring import training_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from uhcs_bench.data import registry
    from uhcs_bench.ranking.result_cache import Cache

PATH_LIMIT = 4096
"""Characters of a folder's path that are shown: all, since its end names the entry."""

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Fingerprint:
    r"""Hashes that identify a submission by the pixels of its maps.

    Attributes
    ----------
    sha256 : str
        SHA-256 over a line ``"<task> <hash>\n"`` for each task in `tasks`, in order.
    tasks : dict of str to str
        By task, SHA-256 over a line ``"<id> <hash>\n"`` for each of its maps, sorted by id. Of
        several runs, over a line ``"<folder> <hash>\n"`` for each of them.
    """

    sha256: str
    tasks: dict[str, str]


@dataclass(frozen=True)
class RunMaps:
    """The label maps that one run of a method predicted for one task.

    Attributes
    ----------
    folder : str
        Its place in the entry, ``"."`` or ``"runs/<name>"``.
    seeds : tuple of int
    files : mapping of str to Path
        By id, in the order of the folds.
    hashes : mapping of str to str
        By id, `uhcs_bench.data.pixels.pixel_sha256` of the map as uint8.
    """

    folder: str
    seeds: tuple[int, ...]
    files: Mapping[str, Path]
    hashes: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """Hash of the maps, see `Fingerprint`."""
        return _sha256_of_lines({name: self.hashes[name] for name in sorted(self.hashes)})


@dataclass(frozen=True)
class TaskMaps:
    """The label maps of one task.

    Attributes
    ----------
    task : Task
    status : {'active', 'incomplete', 'retired'}
        Lifecycle; an incomplete task has no scores, a retired one no rank.
    reason : str
        Why it has that status.
    expected : tuple of registry.Entry
        The micrographs that a complete submission has maps of.
    runs : tuple of RunMaps
        Those with maps of the task.
    """

    task: protocol.Task
    status: Status
    reason: str
    expected: tuple[registry.Entry, ...]
    runs: tuple[RunMaps, ...]

    @property
    def complete(self) -> bool:
        """Whether every micrograph has a map, in every run."""
        return bool(self.runs) and all(len(run.files) == len(self.expected) for run in self.runs)

    @property
    def n_maps(self) -> int:
        """Micrographs that have a map in every run."""
        return min((len(run.files) for run in self.runs), default=0)

    @property
    def folds(self) -> list[int]:
        """Folds that have their maps, in every run."""
        return sorted(
            {entry.fold for entry in self.expected}
            - {e.fold for e in self.expected for run in self.runs if e.id not in run.files}
            if self.runs
            else ()
        )

    def load(self, run: RunMaps) -> dict[str, NDArray[np.uint8]]:
        """Read the maps of a run.

        Parameters
        ----------
        run : RunMaps
            One of `runs`.

        Returns
        -------
        dict of str to ndarray of uint8
            By id, in the order of the folds.

        Raises
        ------
        EntryError
            If a map is not the one any more that was checked.
        """
        maps: dict[str, NDArray[np.uint8]] = {}
        for entry in self.expected:
            path = run.files.get(entry.id)
            if path is None:
                continue
            try:
                maps[entry.id] = _read_map(path, entry)
            except (OSError, images.ImageError) as error:
                raise _changed(path, str(error)) from error
            if pixels.pixel_sha256(maps[entry.id]) != run.hashes[entry.id]:
                raise _changed(path, "has other pixels now")
        return maps


def _changed(path: Path, what: str) -> EntryError:
    problem = f"{path.name}: {what}, after it was checked; nothing was written, try again"
    return EntryError(shown(str(path.parent), PATH_LIMIT), [problem], "changed while it was read")


@dataclass(frozen=True)
class LeaderboardEntry:
    """A checked entry of the leaderboard.

    Attributes
    ----------
    slug : str
        Name of its folder, which names it in addresses.
    declaration : mapping
        Content of ``entry.yaml``; see ``entry.schema.json``.
    version : str
        Data set version.
    split : str
    tasks : dict of str to TaskMaps
    fingerprint : Fingerprint
    notes : tuple of str
        What is not checked.
    """

    slug: str
    declaration: Mapping[str, Any]
    version: protocol.Version
    split: protocol.Split
    tasks: dict[str, TaskMaps]
    fingerprint: Fingerprint
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name on the board."""
        return str(self.declaration["name"])

    @property
    def plain_name(self) -> str:
        """Name as readers tell it apart: without case and width of letters."""
        return unicodedata.normalize("NFKC", self.name).casefold()


def read_entry(folder: Path, cache: Cache | None = None) -> LeaderboardEntry:
    """Read and check an entry; nothing is fetched.

    Parameters
    ----------
    folder : Path
    cache : Cache, optional
        Where the check of label maps whose files did not change is looked up.

    Returns
    -------
    LeaderboardEntry

    Raises
    ------
    EntryError
        If anything is wrong; it lists all problems of all files.
    UhcsBenchError
        If a package that is needed is missing.

    Examples
    --------
    >>> from pathlib import Path
    >>> read_entry(Path("nowhere"))
    Traceback (most recent call last):
    ...
    uhcs_bench.ranking.entries.declaration.EntryError: nowhere is not a valid entry: 1 problem.
      - the folder does not exist
    """
    where = shown(str(folder), PATH_LIMIT)
    if folder.is_symlink() or not folder.is_dir():
        found = "does not exist"
        if folder.is_symlink():
            found = "is a link; put the folder itself there"
        elif folder.exists():
            found = "is a file; an entry is a folder"
        raise EntryError(where, [f"the folder {found}"])
    problems: list[str] = []
    slug = paths.real(folder).name
    if not _SLUG.fullmatch(slug):
        problems.append(
            f"the folder's name {shown(slug)} is not usable in an address; "
            "use a-z, 0-9 and hyphens, at most 50"
        )
    files = entry_files.files(folder, problems)
    declaration = None
    if FILE_NAME in files:
        declaration = read_declaration(files[FILE_NAME], problems)
    elif not any(problem.startswith(f"{FILE_NAME}:") for problem in problems):
        problems.append(f"there is no {FILE_NAME}; uhcs-bench submit writes one")
    models, notes = entry_files.read_records(files, problems)
    # Maps can be checked against the right micrographs even where entry.yaml is wrong elsewhere.
    stated = declaration if isinstance(declaration, dict) else {}
    runs = entry_files.runs(files)
    problems += _run_problems(stated, runs)
    scope = _scope(stated, runs, problems)
    if (stated.get("dataset_version"), stated.get("split")) == scope:
        problems += [
            problem
            for place, found in models.items()
            for problem in training_record.contradictions(found, *scope, (), place)
        ]
    problems += training_record.other_settings(dict(sorted(models.items())))
    tasks = _read_tasks(scope, stated, runs, problems, cache)
    problems += _selection_problems(stated, tasks)
    problems += _identity_problems(tasks)
    seeds = _seeds(stated)
    if len(runs) > 1 and (without := [run for run in runs if not seeds.get(run)]):
        notes.append(
            f"{FILE_NAME}: runs: no seed is stated of {', '.join(map(shown, without))}; runs of a "
            "method differ by their seeds, so state them where there are any"
        )
    if problems or declaration is None:
        raise EntryError(where, problems)
    return LeaderboardEntry(
        slug=slug,
        declaration=declaration,
        version=scope[0],
        split=scope[1],
        tasks=tasks,
        fingerprint=fingerprint({name: maps.runs for name, maps in tasks.items()}),
        notes=tuple(notes),
    )


def fingerprint(runs: Mapping[str, Sequence[RunMaps]]) -> Fingerprint:
    """Name label maps by their pixels, as a tree of hashes.

    Parameters
    ----------
    runs : mapping of str to sequence of RunMaps
        By task. Tasks without maps don't count.

    Returns
    -------
    Fingerprint

    Examples
    --------
    >>> import numpy as np
    >>> hashes = {"a": pixels.pixel_sha256(np.zeros((2, 3), np.uint8))}
    >>> fingerprint({"particles": [RunMaps(".", (0,), {}, hashes)]}).sha256[:12]
    '4484613dede1'
    """
    branches = {}
    for task, found in sorted(runs.items()):
        if len(found) == 1:
            branches[task] = found[0].sha256
        elif found:
            branches[task] = _sha256_of_lines({run.folder: run.sha256 for run in found})
    return Fingerprint(_sha256_of_lines(branches), branches)


def identical_runs(hashes: Mapping[str, str]) -> list[list[str]]:
    """Group the runs of a task that have the same label maps.

    Parameters
    ----------
    hashes : mapping of str to str
        Of the maps, by run.

    Returns
    -------
    list of list of str
        Runs of one hash, two or more each.

    Examples
    --------
    >>> identical_runs({"runs/1": "a", "runs/2": "b", "runs/3": "a"})
    [['runs/1', 'runs/3']]
    """
    by_hash: dict[str, list[str]] = {}
    for run, sha256 in hashes.items():
        by_hash.setdefault(sha256, []).append(run)
    return [runs for runs in by_hash.values() if len(runs) > 1]


def _identity_problems(tasks: Mapping[str, TaskMaps]) -> Iterator[str]:
    """Name runs of one method whose label maps do not differ."""
    for task, maps in tasks.items():
        for runs in identical_runs({run.folder: run.sha256 for run in maps.runs if run.hashes}):
            yield (
                f"{' and '.join(runs)}: have the same label maps of {task}, so that they are one "
                "run; put maps of another seed there, or take all but one out"
            )


def _sha256_of_lines(hashes: Mapping[str, str]) -> str:
    lines = "".join(f"{name} {value}\n" for name, value in hashes.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def _run_problems(stated: dict[str, Any], runs: Mapping[str, entry_files.Maps]) -> Iterator[str]:
    """Compare the runs that are declared with those that have maps."""
    declared = stated.get("runs")
    if not isinstance(declared, list) or not runs:
        return
    folders = [run["folder"] for run in declared if isinstance(run, dict) and "folder" in run]
    for folder in folders:
        if isinstance(folder, str) and folder not in runs:
            yield f"{FILE_NAME}: runs: {shown(folder)} has no label maps"
    for folder in runs:
        if folder not in folders:
            yield f"{FILE_NAME}: runs: there are label maps in {folder}, which is not declared"


def _selection_problems(stated: dict[str, Any], tasks: Mapping[str, TaskMaps]) -> Iterator[str]:
    """Find choices on tasks that an entry is not for, or on folds that a split does not have."""
    choices = stated.get("selection")
    for choice in choices if isinstance(choices, list) else []:
        if not isinstance(choice, dict) or choice.get("task") not in protocol.TASKS:
            continue
        maps = tasks.get(choice["task"])
        if maps is None:
            yield f"{FILE_NAME}: selection: names {choice['task']}, which the entry is not for"
            continue
        folds = choice.get("folds")
        known = {entry.fold for entry in maps.expected}
        absent = [fold for fold in folds if fold not in known] if isinstance(folds, list) else []
        if absent:
            yield f"{FILE_NAME}: selection: there is no fold {', '.join(map(str, absent))}"


# Label maps


def _scope(
    stated: dict[str, Any], runs: Mapping[str, entry_files.Maps], problems: list[str]
) -> tuple[protocol.Version, protocol.Split]:
    """Give the data set version and split that an entry is for, or what its maps suggest."""
    version, split = _likely_version(runs), protocol.PAPER_SPLIT
    stated_version, stated_split = stated.get("dataset_version"), stated.get("split")
    try:
        if isinstance(stated_version, str):
            version = protocol.check_version(stated_version)
    except UsageError as error:
        problems.append(f"{FILE_NAME}: dataset_version: {error}")
    try:
        if isinstance(stated_split, str):
            split = protocol.check_split(stated_split)
    except UsageError as error:
        problems.append(f"{FILE_NAME}: split: {error}")
    return version, split


def _likely_version(runs: Mapping[str, entry_files.Maps]) -> protocol.Version:
    """Find the version that has the names of maps whose entry.yaml can't be read."""
    found = {(task, name) for run in runs.values() for task, maps in run.items() for name in maps}
    for version in protocol.VERSIONS:
        for task in protocol.TASKS:
            if found & {(task, entry.id) for entry in dataset.catalogue(task, version)}:
                return version
    return protocol.REAL_VERSION


def _read_tasks(
    scope: tuple[protocol.Version, protocol.Split],
    stated: dict[str, Any],
    runs: Mapping[str, entry_files.Maps],
    problems: list[str],
    cache: Cache | None,
) -> dict[str, TaskMaps]:
    stated_tasks = stated.get("tasks")
    lifecycles = stated_tasks if isinstance(stated_tasks, dict) else {}
    seeds = _seeds(stated)
    tasks: dict[str, TaskMaps] = {}
    for name in protocol.TASKS:
        expected = dataset.catalogue(name, *scope)
        found = {folder: maps[name] for folder, maps in runs.items() if name in maps}
        checked = tuple(
            _check_run(folder, seeds.get(folder, ()), paths, expected, problems, cache)
            for folder, paths in found.items()
        )
        lifecycle = lifecycles.get(name)
        if found and stated and lifecycle is None:
            problems.append(f"{FILE_NAME}: tasks: there are maps of {name}, but no status of it")
        if isinstance(lifecycle, dict):
            status = lifecycle.get("status")
            problems += _status_problems(name, status, expected, found)
            reason = str(lifecycle.get("reason"))
            tasks[name] = TaskMaps(
                protocol.TASKS[name], cast("Status", status), reason, expected, checked
            )
    return tasks


def _seeds(stated: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Give the seeds of each run, by its folder, as far as they are stated in their form."""
    runs = stated.get("runs")
    found = {}
    for run in runs if isinstance(runs, list) else []:
        if isinstance(run, dict) and isinstance(run.get("seeds"), list):
            found[str(run.get("folder"))] = tuple(run["seeds"])
    return found


def _check_run(
    folder: str,
    seeds: tuple[int, ...],
    paths: Mapping[str, Path],
    expected: Sequence[registry.Entry],
    problems: list[str],
    cache: Cache | None,
) -> RunMaps:
    """Read the maps of a run and task one by one, and keep their hashes alone."""
    known = {entry.id: entry for entry in expected}
    prefix = "" if folder == entry_files.OWN_FOLDER else f"{folder}/"
    task = expected[0].task
    problems += [
        f"{shown(f'{prefix}{task}/{name}.png')}: there is no micrograph of this name in {task}"
        for name in paths
        if name not in known
    ]
    files = {name: paths[name] for name in known if name in paths}
    hashes: dict[str, str] = {}
    content: dict[str, str] = {}
    for name, path in files.items():
        try:
            content[name] = file_sha256(path)
        except OSError as error:
            problems.append(f"{prefix}{task}/{name}.png: {unreadable(error)}")
    key = [task, *(f"{name} {known[name].shape} {digest}" for name, digest in content.items())]
    found = cache.get("maps", key) if cache is not None else None
    if isinstance(found, dict) and list(found) == list(content):
        return RunMaps(folder, seeds, files, found)
    for name in content:
        try:
            hashes[name] = pixels.pixel_sha256(_read_map(files[name], known[name]))
        except OSError as error:
            problems.append(f"{prefix}{task}/{name}.png: {unreadable(error)}")
        except images.ImageError as error:
            problems.append(f"{prefix}{task}/{name}.png: {error}")
    if cache is not None and list(hashes) == list(content):
        cache.put("maps", key, hashes)
    return RunMaps(folder, seeds, files, hashes)


def _read_map(path: Path, entry: registry.Entry) -> NDArray[np.uint8]:
    with path.open("rb") as stream:
        if stream.read(len(_PNG_MAGIC)) != _PNG_MAGIC:
            raise images.ImageError("is not a PNG file")
    return label_maps.read_label_map(path, entry)


def _status_problems(
    task: str,
    status: object,
    expected: Sequence[registry.Entry],
    runs: Mapping[str, Mapping[str, Path]],
) -> Iterator[str]:
    """Compare a declared status with the maps that are there."""
    absent_by_run = {
        folder: [entry for entry in expected if entry.id not in found]
        for folder, found in (runs or {entry_files.OWN_FOLDER: {}}).items()
    }
    for folder, absent in absent_by_run.items():
        where = task if folder == entry_files.OWN_FOLDER else f"{folder}/{task}"
        if status in ("active", "retired") and absent:
            folds = sorted({entry.fold for entry in absent})
            yield (
                f"{where}: is declared {status}, but {len(absent)} of {len(expected)} label maps "
                f"are missing (folds {', '.join(map(str, folds))}). Add them, or declare it "
                "incomplete"
            )
        if status == "incomplete":
            found = {entry.fold for entry in expected if entry.id in runs.get(folder, {})}
            partial = sorted(found & {entry.fold for entry in absent})
            if partial:
                yield (
                    f"{where}: of fold {', '.join(map(str, partial))} only some label maps are "
                    "there; a fold has all of its maps or none"
                )
    if status == "incomplete" and not any(absent_by_run.values()):
        yield (
            f"{task}: is declared incomplete, but all {len(expected)} label maps are there. "
            "Declare it active"
        )
