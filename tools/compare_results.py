"""Record what the public commands give, and compare two recordings value for value.

A change that moves code and no number is shown to be one: record before it, record after it,
compare. Only the command line and ``uhcs_bench.load`` are used, so that modules may move::

    python -m tools.compare_results record before/
    python -m tools.compare_results record after/
    python -m tools.compare_results compare before/ after/ --ignore "*/schema"

A recording needs the real data and the leaderboard's label maps, and takes minutes. Exit codes of
``record``: 0 done, 1 a command failed. Of ``compare``: 0 no value differs, 1 some do. Both: 2
wrong usage.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]

TASKS = ("particles", "microconstituents")
FORMATS = ("nnunet", "mmsegmentation", "coco", "huggingface", "png")

# Spellings of options that several commands share.
OUT = "--out"
AS_JSON = ("--format", "json")
EXTENDED = ("--extended", "--ks-sensitivity")

CALIBRATION = ("--resolution=4", "--resolution=8", "--noise=10", "--replicates=2")
"""A setting that takes seconds."""

ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
"""Settings of the environment: the last digit of a dot product depends on the number of threads."""

STDOUT = "stdout"
SHOWN = 60
"""Characters of a value that a difference shows."""


@dataclass(frozen=True)
class Item:
    """A command whose results are recorded.

    Attributes
    ----------
    name : str
        Name of the recording's file, without its ending.
    arguments : tuple of str
        What follows ``uhcs-bench``. Paths are relative to a scratch folder that holds ``labels/``
        (the annotations), ``thresholded/`` (bright pixels of the micrographs of
        microconstituents) and ``leaderboard/`` (its entries).
    outputs : tuple of str
        Files and folders that the command writes, or `STDOUT`.
    """

    name: str
    arguments: tuple[str, ...]
    outputs: tuple[str, ...] = (STDOUT,)


@dataclass(frozen=True)
class Difference:
    """A value that two recordings do not share.

    Attributes
    ----------
    path : str
        The item, then the keys that lead to the value, separated by slashes.
    before, after : object
        The values, `MISSING` where there is none.
    """

    path: str
    before: object
    after: object

    def __str__(self) -> str:
        return f"{self.path}: {_shown(self.before)} -> {_shown(self.after)}"


class _Missing:
    def __repr__(self) -> str:
        return "(missing)"


MISSING = _Missing()


def items(entries: Iterable[str]) -> tuple[Item, ...]:
    """List what is recorded.

    Parameters
    ----------
    entries : iterable of str
        Names of the leaderboard's entries.

    Examples
    --------
    >>> [item.name for item in items(["otsu"])][:3]
    ['score-otsu', 'score-otsu-extended', 'leaderboard']
    """
    return (
        *chain.from_iterable(_scores(entry) for entry in entries),
        Item(
            "leaderboard",
            ("leaderboard", "build", "--entries", "leaderboard"),
            ("leaderboard/leaderboard.json",),
        ),
        *(_measurement(task) for task in TASKS),
        Item("audit", ("audit", *AS_JSON)),
        _combination("combine-json", "sizes.json"),
        _combination("combine-csv", "sizes.csv"),
        Item(
            "calibrate",
            ("calibrate", *CALIBRATION, OUT, "calibration"),
            ("calibration/calibration.json", "calibration/calibration.csv"),
        ),
        *(Item(f"export-{name}", ("export", name, name), (name,)) for name in FORMATS),
        Item("describe-croissant", ("describe", "croissant")),
        Item("describe-card", ("describe", "card")),
        Item("demo", ("demo",)),
    )


def _scores(entry: str) -> Iterator[Item]:
    arguments = ("score", f"leaderboard/{entry}", *AS_JSON)
    yield Item(f"score-{entry}", arguments)
    yield Item(f"score-{entry}-extended", arguments + EXTENDED)


def _measurement(task: str) -> Item:
    table, particles = f"{task}.json", "single-particles.json"
    arguments = ("measure", f"labels/{task}", "--task", task, OUT, table)
    if task == "particles":
        return Item(f"measure-{task}", (*arguments, "--particles", particles), (table, particles))
    return Item(f"measure-{task}", arguments, (table,))


def _combination(name: str, out: str) -> Item:
    particles = f"{name}-particles.csv"
    maps = ("thresholded", "leaderboard/pixelnet-ce/microconstituents")
    return Item(name, ("combine", *maps, OUT, out, "--particles", particles), (out, particles))


def record(folder: Path, pattern: str = "*") -> list[str]:
    """Run the commands and write what each of them gives.

    Parameters
    ----------
    folder : Path
        Where to write ``<item>.json``; made if it is not there.
    pattern : str, optional
        Glob of the items to record.

    Returns
    -------
    list of str
        What failed, a message for each command.
    """
    entries = sorted(path.parent.name for path in ROOT.glob("leaderboard/*/entry.yaml"))
    folder.mkdir(parents=True, exist_ok=True)
    failures = []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        with timed("inputs"):
            _write_inputs(scratch)
        for item in items(entries):
            if fnmatchcase(item.name, pattern):
                with timed(item.name):
                    failures += _record(item, scratch, folder)
    return failures


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Say on standard error how long a block takes."""
    start = time.perf_counter()
    yield
    print(f"{name:32}{time.perf_counter() - start:6.1f} s", file=sys.stderr)


def _record(item: Item, scratch: Path, folder: Path) -> list[str]:
    """Run one command and write its results; give what failed."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "PYTHONIOENCODING": "utf-8",
        "COLUMNS": "80",
        **ONE_THREAD,
    }
    command = [sys.executable, "-m", "uhcs_bench", *item.arguments]
    done = subprocess.run(
        command, cwd=scratch, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        what = f"uhcs-bench {' '.join(item.arguments)} gave exit code {done.returncode}"
        return [f"{item.name} is not recorded: {what}.\n{done.stderr}"]
    results = {
        output: parse_text(done.stdout) if output == STDOUT else read(scratch / output)
        for output in item.outputs
    }
    text = json.dumps(results, indent=1, ensure_ascii=False)
    (folder / f"{item.name}.json").write_text(text + "\n", encoding="utf-8")
    return []


def _write_inputs(scratch: Path) -> None:
    """Write the label maps that commands are given, and copy the entries without the board."""
    import uhcs_bench

    for task in TASKS:
        for micrograph in uhcs_bench.load(task):
            name = f"{micrograph.id}.png"
            _write_map(scratch / "labels" / task / name, micrograph.labels)
            if task == "microconstituents":
                _write_map(scratch / "thresholded" / name, _bright(micrograph.image))
    built = shutil.ignore_patterns("README.md", "leaderboard.json")
    shutil.copytree(ROOT / "leaderboard", scratch / "leaderboard", ignore=built)


def _bright(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mark the pixels above Otsu's threshold."""
    from skimage.filters import threshold_otsu

    bright: NDArray[np.uint8] = (image > threshold_otsu(image)).astype("uint8")
    return bright


def _write_map(path: Path, labels: NDArray[np.uint8]) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)


def read(path: Path) -> Any:
    """Read what a command wrote.

    Parameters
    ----------
    path : Path
        A JSON file, a CSV file, a text file or a folder.

    Returns
    -------
    object
        The JSON value; the CSV file's columns, each a list; the text's lines; or the folder's
        files with their SHA-256.
    """
    if path.is_dir():
        return {
            file.relative_to(path).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(path.rglob("*"))
            if file.is_file()
        }
    text = path.read_text(encoding="utf-8")
    return parse_csv(text) if path.suffix == ".csv" else parse_text(text)


def parse_text(text: str) -> Any:
    """Read JSON, or give the lines of what is no JSON.

    Examples
    --------
    >>> parse_text('{"n": 2}'), parse_text("IU  70.6")
    ({'n': 2}, ['IU  70.6'])
    """
    try:
        return json.loads(text)
    except ValueError:
        return text.splitlines()


def parse_csv(text: str) -> dict[str, list[float | str]]:
    r"""Read a table with a header into its columns.

    Examples
    --------
    >>> parse_csv("id,n,IU\na,3,0.5\nb,,1e-3\n")
    {'id': ['a', 'b'], 'n': [3.0, ''], 'IU': [0.5, 0.001]}
    """
    header, *rows = csv.reader(io.StringIO(text))
    columns = zip(*rows, strict=True) if rows else ([] for _ in header)
    return {
        name: [_number(cell) for cell in column]
        for name, column in zip(header, columns, strict=True)
    }


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def differences(
    before: object, after: object, tolerance: float = 0.0, path: str = ""
) -> Iterator[Difference]:
    """Find the values that differ between two trees of dictionaries and lists.

    Parameters
    ----------
    before, after : object
        What JSON can hold.
    tolerance : float, optional
        Share of the larger number by which two numbers may differ.
    path : str, optional
        Keys that lead here.

    Yields
    ------
    Difference
        A key that only one side has is one difference, whatever it holds.

    Examples
    --------
    >>> [str(d) for d in differences({"IU": [0.5, 0.6]}, {"IU": [0.5, 0.7], "n": 2})]
    ['IU/1: 0.6 -> 0.7', 'n: (missing) -> 2']
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before | after:
            pair = before.get(key, MISSING), after.get(key, MISSING)
            yield from differences(*pair, tolerance, f"{path}/{key}" if path else str(key))
    elif isinstance(before, list) and isinstance(after, list):
        numbered = dict(enumerate(before)), dict(enumerate(after))
        yield from differences(*numbered, tolerance, path)
    elif not _same(before, after, tolerance):
        yield Difference(path, before, after)


def _same(before: object, after: object, tolerance: float) -> bool:
    """Whether two leaves are the same; undefined numbers are, a truth value is no number."""
    if not (_is_number(before) and _is_number(after)):
        return type(before) is type(after) and before == after
    first, second = float(before), float(after)  # type: ignore[arg-type]
    if math.isnan(first) or math.isnan(second):
        return math.isnan(first) and math.isnan(second)
    return math.isclose(first, second, rel_tol=tolerance, abs_tol=0)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def renamed(tree: object, names: Mapping[str, str]) -> object:
    """Give a tree in which keys have new names.

    Examples
    --------
    >>> renamed({"a": [{"old": 1}]}, {"old": "new"})
    {'a': [{'new': 1}]}
    """
    if isinstance(tree, dict):
        return {names.get(key, key): renamed(value, names) for key, value in tree.items()}
    if isinstance(tree, list):
        return [renamed(value, names) for value in tree]
    return tree


def load_recording(folder: Path, pattern: str = "*") -> dict[str, Any]:
    """Read the items of a recording whose names match a glob.

    Raises
    ------
    ValueError
        If there is none.
    """
    paths = sorted(path for path in folder.glob("*.json") if fnmatchcase(path.stem, pattern))
    if not paths:
        raise ValueError(f"{folder} holds no recorded item that matches {pattern}.")
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def ignoring(path: str, patterns: Iterable[str]) -> str | None:
    """Give the first pattern that matches a path or a part of the tree that holds it.

    Examples
    --------
    >>> ignoring("audit/stdout/schema", ["*/stdout", "*/schema"])
    '*/stdout'
    """
    for pattern in patterns:
        if fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern}/*"):
            return pattern
    return None


def compare(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    tolerance: float = 0.0,
    ignore: Sequence[str] = (),
    limit: int = 50,
) -> int:
    """Print what differs between two recordings, and count it.

    Parameters
    ----------
    before, after : mapping
        Item names with their results.
    tolerance : float, optional
        Share of the larger number by which two numbers may differ.
    ignore : sequence of str, optional
        Globs of the paths that may differ; a star matches slashes too.
    limit : int, optional
        How many differences to print.

    Returns
    -------
    int
        Differences that are not ignored.
    """
    ignored: Counter[str] = Counter(dict.fromkeys(ignore, 0))
    count = 0
    for difference in differences(dict(before), dict(after), tolerance):
        if pattern := ignoring(difference.path, ignore):
            ignored[pattern] += 1
            continue
        count += 1
        if count <= limit:
            print(difference)
    if count > limit:
        print(f"... and {count - limit} more")
    for pattern, times in ignored.items():
        print(f"ignored as {pattern}: {times}")
    print(f"{len({*before, *after})} items compared, {count} values differ.")
    return count


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _rename(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise argparse.ArgumentTypeError(f"{text} is not of the form OLD=NEW")
    return old, new


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.compare_results", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--only", default="*", metavar="GLOB", help="items to take, such as 'score-*'"
    )
    recording = commands.add_parser("record", parents=[shared], help="record the results")
    recording.add_argument("folder", type=Path, metavar="DIR", help="new or empty folder")
    comparing = commands.add_parser("compare", parents=[shared], help="compare two recordings")
    comparing.add_argument("before", type=Path, metavar="A")
    comparing.add_argument("after", type=Path, metavar="B")
    comparing.add_argument(
        "--tolerance",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of the larger number by which two may differ (default: 0, exactly the same)",
    )
    comparing.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="GLOB",
        help="paths that may differ, such as '*/schema'; may be repeated",
    )
    comparing.add_argument(
        "--rename",
        action="append",
        default=[],
        type=_rename,
        metavar="OLD=NEW",
        help="key that B names differently, its values are compared; may be repeated",
    )
    comparing.add_argument(
        "--limit", type=int, default=50, help="differences to print (default: %(default)s)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and give its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "record":
        if options.folder.exists() and any(options.folder.iterdir()):
            parser.error(f"{options.folder} is not empty. Nothing is recorded; name another one.")
        failures = record(options.folder, options.only)
        print(*failures, sep="\n", end="\n" if failures else "", file=sys.stderr)
        print(f"{len(list(options.folder.glob('*.json')))} items recorded in {options.folder}.")
        return int(bool(failures))
    try:
        before, after = (
            load_recording(folder, options.only) for folder in (options.before, options.after)
        )
    except ValueError as error:
        parser.error(str(error))
    count = compare(
        {name: renamed(results, dict(options.rename)) for name, results in before.items()},
        after,
        tolerance=options.tolerance,
        ignore=options.ignore,
        limit=options.limit,
    )
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
