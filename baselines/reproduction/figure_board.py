"""Micrographs and label maps that the paper's figures show, read once."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from baselines import unfinished
from baselines.reproduction import reproduce
from uhcs_bench import protocol
from uhcs_bench.data import dataset, label_maps
from uhcs_bench.errors import UhcsBenchError, UsageError
from uhcs_bench.io.hashes import file_sha256
from uhcs_bench.io.images import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from uhcs_bench.data.micrograph import Micrograph
    from uhcs_bench.data.registry import Entry

SHOWN: dict[protocol.TaskName, tuple[str, ...]] = {
    # Laths at the lower right edge in the second, polishing damage at the lower left in the third
    # (section "Semantic microconstituent segmentation"); large particles with bare metal around
    # them in the first. The last is ours: nothing is said of the paper's.
    "microconstituents": ("uhcs1289", "uhcs1648", "uhcs1061", "uhcs1150"),
    # The draft shows fold 0. Its order fits the text: fine particles in the first and last,
    # particles large in the frame between them.
    "particles": ("970C-5M-Q-2", "800C-24H-Q-7", "800C-24H-Q-3", "970C-5M-Q-1"),
}
"""Micrographs that the figures show, unless told; of another data set version, those of fold 0."""

METHOD = "pixelnet-focal"
"""The model of Figures 3 to 5: the paper "presents results only from" this one."""

FORMATS = ("png", "pdf", "svg")

_MAP_FOLDER = "particle-maps"


@dataclass(frozen=True)
class Plan:
    """What to draw from what.

    Attributes
    ----------
    maps : Path
        Folder with label maps, ``<maps>/<method>/<task>/<id>.png``.
    out : Path
        Folder of the figures.
    version : str
        Data set version.
    method : str
        Whose maps Figures 3 to 5 show; Figure 2 shows all methods.
    particle_model : Path or None
        Checkpoint of a particle model, for Figure 4.
    shown : dict of str to tuple of str
        Micrographs by task; a task that is left out shows `SHOWN`.
    formats : tuple of str
        One or more of `FORMATS`.
    """

    maps: Path
    out: Path
    version: str = protocol.REAL_VERSION
    method: str = METHOD
    particle_model: Path | None = None
    shown: dict[protocol.TaskName, tuple[str, ...]] = field(default_factory=dict)
    formats: tuple[str, ...] = ("png",)

    @property
    def command(self) -> str:
        """The command that draws this."""
        parts = ["python -m baselines figures", f"--maps {self.maps}", f"--out {self.out}"]
        if self.version != protocol.REAL_VERSION:
            parts.append(f"--dataset-version {self.version}")
        if self.method != METHOD:
            parts.append(f"--method {self.method}")
        if self.particle_model is not None:
            parts.append(f"--particle-model {self.particle_model}")
        parts += [f"--{task} {','.join(ids)}" for task, ids in self.shown.items()]
        return " ".join([*parts, *(f"--format {form}" for form in self.formats if form != "png")])


class Board:
    """Micrographs and label maps that the figures show, read once.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        if plan.method not in reproduce.METHODS:
            known = ", ".join(reproduce.METHODS)
            raise UsageError(f"There is no method {plan.method!r}. The methods are {known}.")
        if not plan.maps.is_dir():
            raise UsageError(f"There is no folder {plan.maps}. --maps names that of the maps.")
        self.plan = plan
        self.entries = {task: _entries_shown(plan, task) for task in protocol.TASKS}
        self._maps = self._read_maps()

    @cached_property
    def micrographs(self) -> dict[protocol.TaskName, tuple[Micrograph, ...]]:
        """The micrographs shown."""
        return {task: dataset.micrographs(shown) for task, shown in self.entries.items()}

    def path(self, method: str, entry: Entry) -> Path:
        """File of a method's label map."""
        return self.plan.maps / method / entry.task / f"{entry.id}.png"

    def map(self, method: str, entry: Entry) -> NDArray[np.uint8] | None:
        """Label map of a method; None where there is none."""
        return self._maps.get((method, entry.id))

    def count(self, method: str, task: protocol.TaskName) -> tuple[int, int]:
        """Count the micrographs of a task that a method has a map of, and all."""
        catalogue = dataset.catalogue(task, self.plan.version)
        return sum(self.path(method, entry).is_file() for entry in catalogue), len(catalogue)

    def missing(self, task: protocol.TaskName, methods: Iterable[str]) -> list[str]:
        """Warn of methods that lack a map of a micrograph that is shown."""
        warnings = []
        for method in methods:
            absent = [e.id for e in self.entries[task] if self.map(method, e) is None]
            if absent:
                warnings.append(
                    f"{method} has no map of {', '.join(absent)} under "
                    f"{self.plan.maps / method / task}: shown as missing. "
                    f"{self._remedy(method, task)}."
                )
        return warnings

    def _remedy(self, method: str, task: protocol.TaskName) -> str:
        out = self.plan.maps
        if method != "otsu":
            return unfinished.remedy(out, method, task)
        words = ["otsu", "--task", task, "--out", str(out / method)]
        return f"Run it with `python -m baselines {shlex.join(words)}`"

    def _read_maps(self) -> dict[tuple[str, str], NDArray[np.uint8]]:
        maps, problems = {}, []
        for method in reproduce.METHODS:
            for entry in (entry for shown in self.entries.values() for entry in shown):
                path = self.path(method, entry)
                if not path.is_file():
                    continue
                try:
                    maps[method, entry.id] = label_maps.read_label_map(path, entry)
                except ImageError as error:
                    problems.append(f"{path} {error}.")
        if problems:
            raise UhcsBenchError("\n  - ".join(["Label maps can't be drawn:", *problems]))
        return maps


def _entries_shown(plan: Plan, task: protocol.TaskName) -> tuple[Entry, ...]:
    catalogue = {entry.id: entry for entry in dataset.catalogue(task, plan.version)}
    ids = plan.shown.get(task, SHOWN[task])
    unknown = [name for name in ids if name not in catalogue]
    if unknown and task in plan.shown:
        raise UsageError(
            f"--{task}: there is no {', '.join(unknown)} in version {plan.version}. "
            f"The micrographs are {', '.join(catalogue)}."
        )
    if unknown:
        return tuple(entry for entry in catalogue.values() if entry.fold == 0)
    return tuple(catalogue[name] for name in ids)


def particle_predictions(board: Board) -> tuple[dict[str, NDArray[np.uint8]], str]:
    """Segment the micrographs of microconstituents with the particle model.

    The maps are kept under the figures' folder, by the checkpoint's hash, and used again.

    Parameters
    ----------
    board : Board
        With a particle model.

    Returns
    -------
    maps : dict of str to ndarray of uint8, shape (rows, columns)
        By micrograph.
    model : str
        The model in words, and which of the micrographs it has seen in training.

    Raises
    ------
    UhcsBenchError
        The file is not there or no checkpoint.
    UsageError
        It is a model for something else.
    """
    from tqdm import tqdm

    plan, source = board.plan, board.plan.particle_model
    if source is None or not source.is_file():
        raise UhcsBenchError(
            f"There is no checkpoint {source}. Give that of a model for particles, which `python "
            "-m baselines run METHOD --task particles` writes, by --particle-model."
        )
    from baselines import hardware, prediction
    from baselines.training import checkpoint

    loaded = checkpoint.load(source, hardware.choose_device("auto"))
    if loaded.task != "particles":
        raise UsageError(
            f"{source} is a model for {loaded.task}; --particle-model needs one for particles."
        )
    folder = plan.out / _MAP_FOLDER / file_sha256(source)[:16]
    micrographs = board.micrographs["microconstituents"]
    maps: dict[str, NDArray[np.uint8]] = {}
    for micrograph in micrographs:
        kept = folder / f"{micrograph.id}.png"
        if kept.is_file():
            try:
                labels = label_maps.read_map(kept, protocol.TASKS["particles"].classes)
            except ImageError:
                continue  # it is predicted anew
            if labels.shape == micrograph.image.shape:
                maps[micrograph.id] = labels
    todo = [micrograph for micrograph in micrographs if micrograph.id not in maps]
    silent = None if todo else True  # None: without a terminal
    for micrograph in tqdm(todo, desc="particles", unit="micrograph", disable=silent):
        maps[micrograph.id] = prediction.segment(loaded.model, micrograph.image)
        kept = folder / f"{micrograph.id}.png"
        kept.unlink(missing_ok=True)  # a damaged one
        label_maps.write_label_map(kept, maps[micrograph.id])
    held_out = "on all micrographs" if loaded.fold is None else f"without fold {loaded.fold}"
    text = f"{loaded.configuration.method}, trained {held_out}"
    seen = seen_in_training(board.entries["microconstituents"], loaded.fold, plan.version)
    if seen:
        text += f"; it has seen {' and '.join(seen)} in training"
    return maps, text


def seen_in_training(shown: Iterable[Entry], fold: int | None, version: str) -> list[str]:
    """Find micrographs that the particle set has too, in another fold (UHCSDB's key tells).

    Without a fold, the model was trained on all.
    """
    trained_on = {
        entry.uhcsdb_id
        for entry in dataset.catalogue("particles", version)
        if entry.fold != fold and entry.uhcsdb_id is not None
    }
    return [entry.id for entry in shown if entry.uhcsdb_id in trained_on]
