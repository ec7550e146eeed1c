"""Run the public commands of a checkout, and keep what they give."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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

LIMIT = "--min-diameter=0.4um"
"""What earlier checkouts did with segmented fields; no smaller particle is drawn."""

FORMER = {"--out": ("--output",), "--ks-sensitivity": (), "--wide": (), LIMIT: ()}
"""What an option was called in earlier checkouts; nothing where they did as much without it."""

ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
"""Settings of the environment: the last digit of a dot product depends on the number of threads."""

GROUPS = ("describe", "leaderboard")
"""Commands that have commands of their own."""

STDOUT = "stdout"


@dataclass(frozen=True)
class Item:
    """A command whose results are recorded.

    Attributes
    ----------
    name : str
        Name of the recording's file, without its ending.
    arguments : tuple of str
        What follows ``uhcs-bench``. Paths are relative to a scratch folder that holds ``labels/``
        (the annotations), ``unnamed/`` (those of microconstituents under names that no pixel size
        belongs to), ``thresholded/`` (bright pixels of the micrographs of microconstituents) and
        ``leaderboard/`` (its entries).
    outputs : tuple of str
        Files and folders that the command writes, or `STDOUT`.
    """

    name: str
    arguments: tuple[str, ...]
    outputs: tuple[str, ...] = (STDOUT,)


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
        Item(
            "measure-without-pixel-size",
            ("measure", "unnamed", "--task", TASKS[1], "--wide", OUT, "unnamed.json"),
            ("unnamed.json",),
        ),
        Item("audit", ("audit", *AS_JSON)),
        _combination("combine-json", "sizes.json"),
        _combination("combine-csv", "sizes.csv"),
        _calibration("calibrate"),
        _calibration("calibrate-limited", LIMIT),
        *(Item(f"export-{name}", ("export", name, name), (name,)) for name in FORMATS),
        Item("describe-croissant", ("describe", "croissant")),
        Item("describe-card", ("describe", "card")),
        Item("demo", ("demo", OUT, "demo"), (STDOUT, "demo")),
        Item("score-demo", ("score", "demo", "--dataset-version", "synthetic", *AS_JSON)),
    )


def _scores(entry: str) -> Iterator[Item]:
    arguments = ("score", f"leaderboard/{entry}", *AS_JSON)
    yield Item(f"score-{entry}", arguments)
    yield Item(f"score-{entry}-extended", arguments + EXTENDED)


def _measurement(task: str) -> Item:
    table, particles = f"{task}.json", "single-particles.json"
    arguments = ("measure", f"labels/{task}", "--task", task, "--wide", OUT, table)
    if task == "particles":
        return Item(f"measure-{task}", (*arguments, "--particles", particles), (table, particles))
    return Item(f"measure-{task}", arguments, (table,))


def _calibration(name: str, *options: str) -> Item:
    arguments = ("calibrate", *CALIBRATION, *options, OUT, name)
    return Item(name, arguments, (f"{name}/calibration.json", f"{name}/calibration.csv"))


def _combination(name: str, out: str) -> Item:
    particles = f"{name}-particles.csv"
    maps = ("thresholded", "leaderboard/pixelnet-ce/microconstituents")
    return Item(name, ("combine", *maps, OUT, out, "--particles", particles), (out, particles))


def record(
    folder: Path, pattern: str = "*", checkout: Path = ROOT, entries: Path | None = None
) -> list[str]:
    """Run the commands of a checkout and write what each of them gives.

    Parameters
    ----------
    folder : Path
        Where to write ``<item>.json``; made if it is not there.
    pattern : str, optional
        Glob of the items to record.
    checkout : Path, optional
        Working tree whose program and leaderboard are used.
    entries : Path, optional
        Folder that names the entries of the leaderboard to take. Those of the checkout by default.

    Returns
    -------
    list of str
        What failed, a message for each command.
    """
    board = checkout.resolve() / "leaderboard"
    names = sorted(path.parent.name for path in (entries or board).glob("*/entry.yaml"))
    folder.mkdir(parents=True, exist_ok=True)
    failures = []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        with timed("inputs"):
            _write_inputs(scratch, board, names)
        for item in items(names):
            if fnmatchcase(item.name, pattern):
                with timed(item.name):
                    failures += _record(item, Program(checkout.resolve(), scratch), folder)
    return failures


@dataclass(frozen=True)
class Program:
    """The command line of a checkout, run in a scratch folder."""

    checkout: Path
    scratch: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``uhcs-bench`` with arguments, with one thread and 80 columns."""
        paths = str(self.checkout), os.environ.get("PYTHONPATH")
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONIOENCODING": "utf-8",
            "COLUMNS": "80",
            **ONE_THREAD,
        }
        command = [sys.executable, "-m", "uhcs_bench", *arguments]
        return subprocess.run(
            command,
            cwd=self.scratch,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    def spelt(self, arguments: Sequence[str]) -> list[str]:
        """Give arguments with each option as this checkout spells it."""
        known = set()
        if not FORMER.keys().isdisjoint(arguments):
            command = arguments[: 2 if arguments[0] in GROUPS else 1]
            known = set(re.findall(r"--[a-z-]+", self.run(*command, "--help").stdout))
        spellings = (
            (word,) if word not in FORMER or word.split("=")[0] in known else FORMER[word]
            for word in arguments
        )
        return [*chain.from_iterable(spellings)]


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Say on standard error how long a block takes."""
    start = time.perf_counter()
    yield
    print(f"{name:32}{time.perf_counter() - start:6.1f} s", file=sys.stderr)


def _record(item: Item, program: Program, folder: Path) -> list[str]:
    """Run one command and write its results; give what failed."""
    arguments = program.spelt(item.arguments)
    done = program.run(*arguments)
    if done.returncode:
        what = f"uhcs-bench {' '.join(arguments)} gave exit code {done.returncode}"
        return [f"{item.name} is not recorded: {what}.\n{done.stderr}"]
    results = {
        Path(output).name: parse_text(done.stdout)
        if output == STDOUT
        else read(program.scratch / output)
        for output in item.outputs
    }
    text = json.dumps(results, indent=1, ensure_ascii=False)
    (folder / f"{item.name}.json").write_text(text + "\n", encoding="utf-8")
    return []


def _write_inputs(scratch: Path, board: Path, entries: Iterable[str]) -> None:
    """Write the label maps that commands are given, and copy the entries of a board."""
    import uhcs_bench

    for task in TASKS:
        for number, micrograph in enumerate(uhcs_bench.load(task)):
            name = f"{micrograph.id}.png"
            _write_map(scratch / "labels" / task / name, micrograph.labels)
            if task == "microconstituents":
                _write_map(scratch / "thresholded" / name, _bright(micrograph.image))
                _write_map(scratch / "unnamed" / f"field-{number}.png", micrograph.labels)
    for entry in entries:
        shutil.copytree(board / entry, scratch / "leaderboard" / entry)


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
        The JSON value; the CSV file's rows; the text's lines; what is no text as
        its SHA-256; or the same for each file of the folder.
    """
    if path.is_dir():
        return {
            file.relative_to(path).as_posix(): read(file)
            for file in sorted(path.rglob("*"))
            if file.is_file()
        }
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return hashlib.sha256(content).hexdigest()
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


def parse_csv(text: str) -> list[dict[str, float | str]]:
    r"""Read a table with a header into its rows.

    Examples
    --------
    >>> parse_csv("id,n,IU\na,3,0.5\nb,,1e-3\n")
    [{'id': 'a', 'n': 3.0, 'IU': 0.5}, {'id': 'b', 'n': '', 'IU': 0.001}]
    """
    return [
        {name: _number(cell) for name, cell in row.items()}
        for row in csv.DictReader(io.StringIO(text))
    ]


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell
