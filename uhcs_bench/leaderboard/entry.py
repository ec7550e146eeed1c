"""Entries of the leaderboard: read one, and find everything that is wrong with it.

An entry is a folder of ``entry.yaml``, which says how a method was run, and the label maps that it
predicted, ``<task>/<id>.png``. Whoever sent it is not trusted: nothing is decoded before its size
is known, nothing outside the folder is read, and no score in it is believed.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import stat
import tempfile
import unicodedata
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from uhcs_bench import protocol
from uhcs_bench.data import dataset, pixels
from uhcs_bench.errors import MissingPackageError, UhcsBenchError, UsageError
from uhcs_bench.io import images
from uhcs_bench.leaderboard import strict_yaml
from uhcs_bench.scoring import submission

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from jsonschema.exceptions import ValidationError
    from numpy.typing import NDArray

    from uhcs_bench.data import registry

SCHEMA = "uhcs-bench/entry/1"
FILE_NAME = "entry.yaml"
RECORD_NAME = "record.json"
PATH_LIMIT = 4096
"""Characters of a folder's path that are shown: all, since its end names the entry."""
TO_FILL = "TO BE FILLED IN"
"""What `uhcs_bench.submit` writes where only the authors know; no entry with it is valid."""

Status = Literal["active", "incomplete", "retired"]

_LIMITS = {FILE_NAME: 64 * 1024, RECORD_NAME: 1024 * 1024}
_MAP_LIMIT = 1024 * 1024
_MAX_FILES = 200
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_SCORE_NAMES = {"iu", "iou", "miou", "ac", "accuracy", "precision", "recall", "ks", "dice", "f1"}


class EntryError(UhcsBenchError, ValueError):
    """An entry that can't stand on the board.

    Parameters
    ----------
    where : str
        The entry's folder.
    problems : sequence of str
        Everything that was found.
    summary : str, optional
        What is the matter with the folder.

    Attributes
    ----------
    problems : tuple of str
    """

    exit_code = 2

    def __init__(
        self, where: str, problems: Sequence[str], summary: str = "is not a valid entry"
    ) -> None:
        self.where = where
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"{where} {summary}: {count}.{lines}")


@dataclass(frozen=True)
class Fingerprint:
    r"""What names a submission: its maps, whatever files they came in.

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
class Entry:
    """A checked entry of the leaderboard.

    Attributes
    ----------
    slug : str
        Name of its folder, which names it in addresses.
    declaration : mapping
        What ``entry.yaml`` says; see ``data/entry.schema.json``.
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


def read_entry(folder: Path) -> Entry:
    """Read and check an entry; nothing is fetched.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Entry

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
    uhcs_bench.leaderboard.entry.EntryError: nowhere is not a valid entry: 1 problem.
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
        declaration = _declaration(files[FILE_NAME], problems)
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
    return Entry(
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


def create(
    predictions: Path,
    name: str,
    out: Path,
    version: str = protocol.REAL_VERSION,
    split: str = protocol.PAPER_SPLIT,
) -> tuple[Path, list[str]]:
    """Make an entry of predicted label maps, with an ``entry.yaml`` to be filled in.

    Parameters
    ----------
    predictions : Path
        A folder as `uhcs_bench.score` takes it.
    name : str
        Name on the board, from which the folder is named.
    out : Path
        Folder of the entries; made where needed.
    version, split : str, optional
        What the maps are for.

    Returns
    -------
    folder : Path
        The new entry. It appears whole or not at all.
    to_fill : list of str
        The keys of ``entry.yaml`` that only its authors can fill in.

    Raises
    ------
    SubmissionError
        If anything is wrong with the maps.
    UsageError
        If there is such a folder already, `name` can't stand on the board or name a folder, or
        there is no such version or split.
    MissingPackageError
        If PyYAML is not installed.
    """
    import jinja2

    wrong = [problem.removeprefix(": ") for problem in _text_problems(name)]
    longest = _schema()["properties"]["name"]["maxLength"]
    if len(name) > longest:
        wrong.append(f"is longer than {longest} characters")
    if wrong:
        raise UsageError(f"The name {shown(name)} {' and '.join(wrong)}.")
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-")
    if not slug:
        raise UsageError(f"No folder can be named after {shown(name)}; use some of a-z and 0-9.")
    folder = out / slug
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} is there already; choose another --name, or move it away.")
    submissions = submission.read_submission(predictions, version=version, split=split)
    environment = jinja2.Environment(  # noqa: S701  # YAML, not HTML
        undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    # A JSON string is a YAML one, whatever is in it.
    environment.filters["quoted"] = partial(json.dumps, ensure_ascii=False)
    text = environment.from_string(_data_text("entry.yaml.jinja")).render(
        schema=SCHEMA,
        to_fill=TO_FILL,
        name=name,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        version=version,
        split=split,
        tasks={found.task.name: len(found.maps) for found in submissions},
    )
    to_fill = [
        place for place, value in _texts(strict_yaml.load(text.encode())) if value == TO_FILL
    ]
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{slug}-", dir=out) as workspace:
        unfinished = Path(workspace) / slug
        unfinished.mkdir()
        (unfinished / FILE_NAME).write_text(text, encoding="utf-8")
        for found in submissions:
            for map_name, labels in found.maps.items():
                path = unfinished / found.task.name / f"{map_name}.png"
                submission.write_label_map(path, labels)
        unfinished.replace(folder)
    return folder, to_fill


def shown(text: str, limit: int = 80) -> str:
    """Quote a text of a stranger so that it can't act on a terminal or hide anything."""
    short = text if len(text) <= limit else text[: limit - 3] + "..."
    return short if short.isprintable() and short.isascii() else ascii(short)


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


def _declaration(path: Path, problems: list[str]) -> Any:
    try:
        content = strict_yaml.load(path.read_bytes())
    except strict_yaml.PlainYamlError as error:
        problems += [f"{FILE_NAME}: {problem}" for problem in error.problems]
        return None
    found = [*_schema_problems(content), *_text_problems(content)]
    if isinstance(content, dict):
        found += _meaning_problems(content)
    problems += [f"{FILE_NAME}: {problem}" for problem in found]
    return content


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(_data_text("entry.schema.json"))
    return schema


def _data_text(name: str) -> str:
    return (resources.files("uhcs_bench") / "leaderboard" / name).read_text(encoding="utf-8")


def _schema_problems(content: object) -> Iterator[str]:
    try:
        import jsonschema
    except ImportError as error:
        raise MissingPackageError("Checking entries of the leaderboard", "leaderboard") from error
    validator = jsonschema.Draft7Validator(_schema())
    violations = sorted(validator.iter_errors(content), key=lambda v: [*map(str, v.path)])
    for violation in violations:
        place = _place(list(violation.absolute_path))
        prefix = f"{place}: " if place else ""
        for text in _described(violation):
            yield f"{prefix}{text}"


def _described(error: ValidationError) -> list[str]:
    """Say what a violation of the schema means, without repeating a long value."""
    rule, value = str(error.validator), cast("Any", error.instance)
    schema = cast("dict[str, Any]", error.schema)
    hint = f" ({schema['description']})" if "description" in schema else ""
    if rule == "additionalProperties":
        known = ", ".join(schema["properties"])
        advice = "" if error.absolute_path else ". Scores are computed, and never written down"
        unknown = [key for key in value if key not in schema["properties"]]
        return [f"there is no key {shown(key)}; the keys are {known}{advice}" for key in unknown]
    if rule == "required":
        missing = [key for key in schema["required"] if key not in value]
        return [f"{key} is missing" for key in missing if error.message.startswith(repr(key))]
    if rule in ("enum", "const"):
        allowed = schema.get("enum") or [schema["const"]]
        return [f"is not {' or '.join(map(str, allowed))}"]
    if rule == "pattern":
        return [f"{shown(value)} has the wrong form{hint}"]
    if rule == "type":
        expected = schema["type"]
        names = expected if isinstance(expected, str) else " or ".join(expected)
        return [f"is {_type_name(value)}, expected {names}{hint}"]
    if rule.startswith(("max", "min")):
        return [f"goes beyond the limit ({rule} {error.validator_value})"]
    if rule == "anyOf":
        return ["is neither a text, a number, true, false, null nor a short list of them"]
    return [shown(error.message)]


def _type_name(value: object) -> str:
    names = {dict: "a mapping", list: "a list", str: "a text", type(None): "empty", bool: "a bool"}
    return names.get(type(value), "a number")


def _place(path: Sequence[object]) -> str:
    return ".".join(shown(str(part)) for part in path)


def _texts(content: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, str]]:
    if isinstance(content, str):
        yield _place(path), content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield _place((*path, key)), key
            yield from _texts(value, (*path, key))
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from _texts(value, (*path, index))


def _text_problems(content: object) -> Iterator[str]:
    for place, text in _texts(content):
        if TO_FILL in text:
            yield f"{place}: is still to be filled in"
        hidden = sorted({c for c in text if unicodedata.category(c)[0] == "C"})
        if hidden:
            names = ", ".join(f"U+{ord(c):04X}" for c in hidden)
            yield f"{place}: holds control or invisible characters ({names})"
        elif unicodedata.normalize("NFC", text) != text:
            yield f"{place}: is not in Unicode's normal form C"
        elif re.search(r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u20ff]{3}", text):
            yield f"{place}: stacks combining characters"
        elif text != text.strip():
            yield f"{place}: begins or ends with a space"


def _meaning_problems(content: dict[str, Any]) -> Iterator[str]:
    """Find what a schema can't say."""
    date = content.get("date")
    if isinstance(date, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", date):
        try:
            datetime.date.fromisoformat(date)
        except ValueError:
            yield f"date: there is no day {date}"
    authors = content.get("authors")
    for index, author in enumerate(authors if isinstance(authors, list) else []):
        orcid = author.get("orcid") if isinstance(author, dict) else None
        if isinstance(orcid, str) and not _is_orcid(orcid):
            yield f"authors.{index}.orcid: {shown(orcid)} has a wrong check digit"
    settings = content.get("hyperparameters")
    for key in settings if isinstance(settings, dict) else {}:
        if set(re.split(r"[^a-z0-9]+", key.lower())) & _SCORE_NAMES:
            yield f"hyperparameters.{shown(key)}: looks like a score; scores are computed"


def _is_orcid(text: str) -> bool:
    """Check the last character by ISO 7064, MOD 11-2; other forms are the schema's business."""
    digits = text.replace("-", "")
    if not re.fullmatch(r"[0-9]{15}[0-9X]", digits):
        return True
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == digits[-1]


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
            maps[entry.id] = submission.read_label_map(paths[entry.id], entry)
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
