"""The files of an entry, and the label maps of each of its runs.

::

    <entry>/entry.yaml
    <entry>/record.json                     how it was run, in the form of its own program
    <entry>/<task>/<id>.png                 label maps of the run whose folder is "."
    <entry>/runs/<name>/record.json
    <entry>/runs/<name>/<task>/<id>.png     label maps of another run, which differs by its seeds
"""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

from uhcs_bench import protocol
from uhcs_bench.io.texts import from_json
from uhcs_bench.ranking.entries.declaration import FILE_NAME, shown, unreadable
from uhcs_bench.scoring import training_record
from uhcs_bench.scoring.provenance import RUNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from uhcs_bench.scoring.training_record import TrainedModel

RECORD_NAME = training_record.FILE_NAME

OWN_FOLDER = "."
"""Folder of the run whose maps stand in the entry's own folder."""

_MAP_LIMIT = 1024 * 1024
_LIMITS = {FILE_NAME: 64 * 1024, RECORD_NAME: 1024 * 1024}
_MAX_FILES = 1500
_TASKS = "|".join(protocol.TASKS)
_RUN = rf"{RUNS}/[a-z0-9][a-z0-9-]{{0,39}}"
_FOLDER = re.compile(rf"(?:{_RUN}/)?(?:{_TASKS})|{RUNS}|{_RUN}")
_MAP = re.compile(rf"(?:(?P<run>{_RUN})/)?(?P<task>{_TASKS})/(?P<id>[^/]+)\.png")
_RECORD = re.compile(rf"(?:{_RUN}/)?{re.escape(RECORD_NAME)}")

Maps = dict[str, dict[str, "Path"]]
"""Files of one run, by task and id."""


def files(folder: Path, problems: list[str]) -> dict[str, Path]:
    """List the files that belong to an entry, by place, and report all others.

    Parameters
    ----------
    folder : Path
    problems : list of str
        What does not belong to an entry, is too large or can't be read is appended.

    Returns
    -------
    dict of str to Path
        Places have slashes.
    """
    found: dict[str, Path] = {}
    for place, path in _walk(folder, problems):
        limit = _limit(place)
        if limit is None:
            expected = f"{FILE_NAME}, {RECORD_NAME}, <task>/<id>.png and runs/<name>/..."
            problems.append(f"{shown(place)}: does not belong to an entry, which has {expected}")
            continue
        size = path.lstat().st_size
        if size > limit:
            problems.append(
                f"{shown(place)}: is {size} bytes long, more than the {limit} that are read"
            )
        else:
            found[place] = path
    return found


def run_folders(predictions: Sequence[Path]) -> dict[str, Path]:
    """Name the folders in an entry that label maps of runs go to.

    Parameters
    ----------
    predictions : sequence of Path
        A folder of each run.

    Returns
    -------
    dict of str to Path
        By folder in the entry. Several runs keep their names where those are distinct and may name
        a run; otherwise they are numbered.

    Examples
    --------
    >>> from pathlib import Path
    >>> list(run_folders([Path("preds/seed-0"), Path("preds/seed-1")]))
    ['runs/seed-0', 'runs/seed-1']
    >>> list(run_folders([Path("0/unet"), Path("1/unet")]))
    ['runs/1', 'runs/2']
    """
    if len(predictions) == 1:
        return {OWN_FOLDER: predictions[0]}
    named = [f"{RUNS}/{path.absolute().name}" for path in predictions]
    if len(set(named)) < len(named) or not all(re.fullmatch(_RUN, name) for name in named):
        named = [f"{RUNS}/{number}" for number in range(1, len(predictions) + 1)]
    return dict(zip(named, predictions, strict=True))


def runs(found: Mapping[str, Path]) -> dict[str, Maps]:
    """Sort the label maps of an entry by run, task and id.

    Parameters
    ----------
    found : mapping of str to Path
        What `files` gives.

    Returns
    -------
    dict of str to dict
        By folder of the run, the entry's own first.

    Examples
    --------
    >>> from pathlib import Path
    >>> runs({"runs/b/particles/x.png": Path("x.png")})["runs/b"]["particles"]
    {'x': PosixPath('x.png')}
    """
    sorted_: dict[str, Maps] = {}
    for place in sorted(found):
        match = _MAP.fullmatch(place)
        if match:
            run = sorted_.setdefault(match["run"] or OWN_FOLDER, {})
            run.setdefault(match["task"], {})[match["id"]] = found[place]
    return sorted_


def read_records(
    found: Mapping[str, Path], problems: list[str]
) -> tuple[dict[str, tuple[TrainedModel, ...]], list[str]]:
    """Read each ``record.json``, and report one that is no JSON object or is damaged.

    Parameters
    ----------
    found : mapping of str to Path
        What `files` gives.
    problems : list of str
        What is wrong is appended.

    Returns
    -------
    models : dict of str to tuple of TrainedModel
        By place of the record, those of the reference methods.
    notes : list of str
        Records of other programs, in which nothing is checked.
    """
    models, notes = {}, []
    for place, path in found.items():
        if not _RECORD.fullmatch(place):
            continue
        try:
            content = from_json(path.read_bytes())
        except OSError as error:
            problems.append(f"{place}: {unreadable(error)}")
        except ValueError:
            problems.append(f"{place}: is not JSON in UTF-8")
        else:
            if not isinstance(content, dict):
                problems.append(f"{place}: is not a JSON object")
                continue
            try:
                recorded = training_record.parse(content)
            except ValueError as error:
                advice = "copy it again from beside the maps, or take it away"
                problems.append(f"{place}: {shown(str(error), 200)}; {advice}")
                continue
            if recorded is None:
                notes.append(_foreign(place, content))
            else:
                models[place] = recorded
    return models, notes


def _foreign(place: str, content: Mapping[str, object]) -> str:
    schema = content.get("schema")
    stated = "states no schema" if schema is None else f"has the schema {shown(str(schema))}"
    known = " or ".join(training_record.SCHEMAS)
    return f"{place}: {stated}, not {known}, so that nothing in it is read or checked"


def _limit(place: str) -> int | None:
    """Bytes of a file that are read; None for one that does not belong to an entry."""
    if _MAP.fullmatch(place):
        return _MAP_LIMIT
    return _LIMITS[RECORD_NAME] if _RECORD.fullmatch(place) else _LIMITS.get(place)


def _walk(folder: Path, problems: list[str]) -> Iterator[tuple[str, Path]]:
    """Give regular files by place; report links and the like, and never follow them."""
    count = 0
    pending = [folder]
    while pending:
        current = pending.pop()
        try:
            paths = sorted(current.iterdir())
        except OSError as error:
            place = current.relative_to(folder).as_posix()
            problems.append(f"{shown(place)}/: {unreadable(error)}")
            continue
        for path in paths:
            if path.name.startswith("._") or path.name == ".DS_Store":  # of macOS
                continue
            count += 1
            if count > _MAX_FILES:
                problems.append(f"the folder holds more than {_MAX_FILES} files; none was read on")
                return
            place = path.relative_to(folder).as_posix()
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                problems.append(f"{shown(place)}: is a link; put the file itself there")
            elif stat.S_ISDIR(mode):
                if _FOLDER.fullmatch(place):
                    pending.append(path)
                else:
                    known = " and ".join(protocol.TASKS)
                    problems.append(
                        f"{shown(place)}/: the folders of an entry are {known}, "
                        "and runs/<name>/ with the same in it"
                    )
            elif stat.S_ISREG(mode):
                yield place, path
            else:
                problems.append(f"{shown(place)}: is not a regular file")
