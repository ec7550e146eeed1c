"""Read and check entries of the leaderboard.

An entry is a folder of ``entry.yaml``, which declares how a method was run, and the label maps that
it predicted, ``<task>/<id>.png``. It is untrusted: image sizes are checked before decoding, no link
is followed out of the folder, and scores are computed from the maps.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from uhcs_bench import protocol
from uhcs_bench.data import dataset, label_maps, pixels
from uhcs_bench.errors import UsageError
from uhcs_bench.io import images
from uhcs_bench.ranking.declaration import (
    FILE_NAME,
    EntryError,
    Status,
    read_declaration,
    shown,
)
from uhcs_bench.scoring import training_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from uhcs_bench.data import registry

RECORD_NAME = training_record.FILE_NAME
PATH_LIMIT = 4096
"""Characters of a folder's path that are shown: all, since its end names the entry."""


_LIMITS = {FILE_NAME: 64 * 1024, RECORD_NAME: 1024 * 1024}
_MAP_LIMIT = 1024 * 1024
_MAX_FILES = 200
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
        By task, SHA-256 over a line ``"<id> <hash>\n"`` for each of its maps, sorted by id.
    maps : dict of str to dict of str to str
        By task and id, `uhcs_bench.data.pixels.pixel_sha256` of the map as uint8.
    """

    sha256: str
    tasks: dict[str, str]
    maps: dict[str, dict[str, str]]


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
    maps : mapping of str to ndarray of uint8
        By id, those that are there.
    """

    task: protocol.Task
    status: Status
    reason: str
    expected: tuple[registry.Entry, ...]
    maps: Mapping[str, NDArray[np.uint8]]

    @property
    def complete(self) -> bool:
        """Whether every micrograph has a map."""
        return len(self.maps) == len(self.expected)

    @property
    def folds(self) -> list[int]:
        """Folds that have their maps."""
        return sorted({entry.fold for entry in self.expected if entry.id in self.maps})


@dataclass(frozen=True)
class LeaderboardEntry:
    """A checked entry of the leaderboard.

    Attributes
    ----------
    slug : str
        Name of its folder, which names it in addresses.
    declaration : mapping
        Content of ``entry.yaml``; see ``ranking/entry.schema.json``.
    version : str
        Data set version.
    split : str
    tasks : dict of str to TaskMaps
    fingerprint : Fingerprint
    """

    slug: str
    declaration: Mapping[str, Any]
    version: protocol.Version
    split: protocol.Split
    tasks: dict[str, TaskMaps]
    fingerprint: Fingerprint

    @property
    def name(self) -> str:
        """Name on the board."""
        return str(self.declaration["name"])


def read_entry(folder: Path) -> LeaderboardEntry:
    """Read and check an entry; nothing is fetched.

    Parameters
    ----------
    folder : Path

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
    uhcs_bench.ranking.declaration.EntryError: nowhere is not a valid entry: 1 problem.
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
    slug = folder.resolve().name
    if not _SLUG.fullmatch(slug):
        problems.append(
            f"the folder's name {shown(slug)} is not usable in an address; "
            "use a-z, 0-9 and hyphens, at most 50"
        )
    files = _files(folder, problems)
    declaration = None
    if FILE_NAME in files:
        declaration = read_declaration(files[FILE_NAME], problems)
    elif not any(problem.startswith(f"{FILE_NAME}:") for problem in problems):
        problems.append(f"there is no {FILE_NAME}; uhcs-bench submit writes one")
    if RECORD_NAME in files:
        _check_record(files[RECORD_NAME], problems)
    # Maps can be checked against the right micrographs even where entry.yaml is wrong elsewhere.
    stated = declaration if isinstance(declaration, dict) else {}
    scope = _scope(stated, files, problems)
    tasks = _read_tasks(scope, stated, files, problems)
    if problems or declaration is None:
        raise EntryError(where, problems)
    return LeaderboardEntry(
        slug=slug,
        declaration=declaration,
        version=scope[0],
        split=scope[1],
        tasks=tasks,
        fingerprint=fingerprint({name: maps.maps for name, maps in tasks.items()}),
    )


def fingerprint(maps: Mapping[str, Mapping[str, NDArray[np.uint8]]]) -> Fingerprint:
    """Name label maps by their pixels, as a tree of hashes.

    Parameters
    ----------
    maps : mapping of str to mapping of str to ndarray of uint8
        Label maps by task and id. Tasks without maps don't count.

    Returns
    -------
    Fingerprint

    Examples
    --------
    >>> import numpy as np
    >>> fingerprint({"particles": {"a": np.zeros((2, 3), np.uint8)}}).sha256[:12]
    '4484613dede1'
    """
    leaves = {
        task: {name: pixels.pixel_sha256(found[name]) for name in sorted(found)}
        for task, found in sorted(maps.items())
        if found
    }
    branches = {task: _sha256_of_lines(found) for task, found in leaves.items()}
    return Fingerprint(_sha256_of_lines(branches), branches, leaves)


def _sha256_of_lines(hashes: Mapping[str, str]) -> str:
    lines = "".join(f"{name} {value}\n" for name, value in hashes.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def _files(folder: Path, problems: list[str]) -> dict[str, Path]:
    """List the files that belong to an entry, by place, and report all others."""
    files: dict[str, Path] = {}
    for place, path in _walk(folder, problems):
        name, _, map_name = place.partition("/")
        if place in _LIMITS:
            limit = _LIMITS[place]
        elif name in protocol.TASKS and map_name.endswith(".png") and "/" not in map_name:
            limit = _MAP_LIMIT
        else:
            expected = f"{FILE_NAME}, {RECORD_NAME} and <task>/<id>.png"
            problems.append(f"{shown(place)}: does not belong to an entry, which has {expected}")
            continue
        size = path.lstat().st_size
        if size > limit:
            problems.append(
                f"{shown(place)}: is {size} bytes long, more than the {limit} that are read"
            )
        else:
            files[place] = path
    return files


def _walk(folder: Path, problems: list[str]) -> Iterator[tuple[str, Path]]:
    """Give regular files by place; report links and the like, and never follow them."""
    count = 0
    pending = [folder]
    while pending:
        for path in sorted(pending.pop().iterdir()):
            count += 1
            if count > _MAX_FILES:
                problems.append(f"the folder holds more than {_MAX_FILES} files; none was read on")
                return
            place = path.relative_to(folder).as_posix()
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                problems.append(f"{shown(place)}: is a link; put the file itself there")
            elif stat.S_ISDIR(mode):
                if place in protocol.TASKS:
                    pending.append(path)
                else:
                    known = " and ".join(protocol.TASKS)
                    problems.append(f"{shown(place)}/: the folders of an entry are {known}")
            elif stat.S_ISREG(mode):
                yield place, path
            else:
                problems.append(f"{shown(place)}: is not a regular file")


# entry.yaml


def _check_record(path: Path, problems: list[str]) -> None:
    try:
        content = json.loads(path.read_bytes().decode("utf-8"))
    except (ValueError, RecursionError):
        problems.append(f"{RECORD_NAME}: is not JSON in UTF-8")
        return
    if not isinstance(content, dict):
        problems.append(f"{RECORD_NAME}: is not a JSON object")


# Label maps


def _scope(
    stated: dict[str, Any], files: Mapping[str, Path], problems: list[str]
) -> tuple[protocol.Version, protocol.Split]:
    """Give the data set version and split that an entry is for, or what its maps suggest."""
    version, split = _likely_version(files), protocol.PAPER_SPLIT
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


def _likely_version(files: Mapping[str, Path]) -> protocol.Version:
    """Find the version that knows the names of maps whose entry.yaml can't be read."""
    for version in protocol.VERSIONS:
        for task in protocol.TASKS:
            known = {f"{task}/{entry.id}.png" for entry in dataset.catalogue(task, version)}
            if known & files.keys():
                return version
    return protocol.REAL_VERSION


def _read_tasks(
    scope: tuple[protocol.Version, protocol.Split],
    stated: dict[str, Any],
    files: Mapping[str, Path],
    problems: list[str],
) -> dict[str, TaskMaps]:
    stated_tasks = stated.get("tasks")
    lifecycles = stated_tasks if isinstance(stated_tasks, dict) else {}
    tasks: dict[str, TaskMaps] = {}
    for name in protocol.TASKS:
        paths = {
            place.partition("/")[2].removesuffix(".png"): path
            for place, path in files.items()
            if place.startswith(f"{name}/")
        }
        expected = dataset.catalogue(name, *scope)
        maps = _read_maps(name, paths, expected, problems)
        lifecycle = lifecycles.get(name)
        if paths and stated and lifecycle is None:
            problems.append(f"{FILE_NAME}: tasks: there are maps of {name}, but no status of it")
        if isinstance(lifecycle, dict):
            status = lifecycle.get("status")
            problems += _status_problems(name, status, expected, set(paths))
            reason = str(lifecycle.get("reason"))
            tasks[name] = TaskMaps(
                protocol.TASKS[name], cast("Status", status), reason, expected, maps
            )
    return tasks


def _read_maps(
    task: str,
    paths: Mapping[str, Path],
    expected: Sequence[registry.Entry],
    problems: list[str],
) -> dict[str, NDArray[np.uint8]]:
    """Read the maps of a task, in the order of the folds."""
    known = {entry.id for entry in expected}
    problems += [
        f"{shown(f'{task}/{name}.png')}: there is no micrograph of this name in {task}"
        for name in paths
        if name not in known
    ]
    maps = {}
    for entry in expected:
        if entry.id not in paths:
            continue
        try:
            with paths[entry.id].open("rb") as stream:
                if stream.read(len(_PNG_MAGIC)) != _PNG_MAGIC:
                    raise images.ImageError("is not a PNG file")
            maps[entry.id] = label_maps.read_label_map(paths[entry.id], entry)
        except images.ImageError as error:
            problems.append(f"{task}/{entry.id}.png: {error}")
    return maps


def _status_problems(
    task: str, status: object, expected: Sequence[registry.Entry], found: set[str]
) -> Iterator[str]:
    """Compare a declared status with the maps that are there."""
    absent = [entry for entry in expected if entry.id not in found]
    if status in ("active", "retired") and absent:
        folds = sorted({entry.fold for entry in absent})
        yield (
            f"{task}: is declared {status}, but {len(absent)} of {len(expected)} label maps are "
            f"missing (folds {', '.join(map(str, folds))}). Add them, or declare it incomplete"
        )
    if status == "incomplete" and not absent:
        yield (
            f"{task}: is declared incomplete, but all {len(expected)} label maps are there. "
            "Declare it active"
        )
    if status == "incomplete":
        partial = sorted({e.fold for e in absent} & {e.fold for e in expected if e.id in found})
        if partial:
            yield (
                f"{task}: of fold {', '.join(map(str, partial))} only some label maps are there; "
                "a fold is there whole or not at all"
            )
