"""Run folds: train, segment the validation micrographs, and put everything on record."""

from __future__ import annotations

import csv
import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import torch
from tqdm import tqdm

import uhcs_bench
from baselines import hardware, prediction, records, run_lock
from baselines.configuration import SEMANTICS, Configuration
from baselines.networks.model import build, placed
from baselines.training import checkpoint, loop
from baselines.training.progress import Progress
from baselines.training.update_log import UpdateLog
from uhcs_bench import protocol
from uhcs_bench.data import dataset, label_maps
from uhcs_bench.errors import UhcsBenchError, UsageError, listed, things
from uhcs_bench.executors import end_with_parent
from uhcs_bench.io import atomic, protection
from uhcs_bench.io.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from baselines.records import FoldRun
    from uhcs_bench import Fold, Micrograph


_BEFORE = {"inner": False, "split": protocol.PAPER_SPLIT, "train_size": None}
"""What settings were that are newer than a record."""

_OF_ALL_TASKS = ("dataset_version", "inner", "split", "train_size")
"""Settings that the tasks of a method share, since one record and one submission hold them all."""


@dataclass(frozen=True)
class Plan:
    """What to run and how.

    Attributes
    ----------
    configuration : Configuration
    task : str
    version : str
        Data set version.
    out : Path
        Folder of all runs.
    device : torch.device
    jobs : int
        Folds side by side.
    inner : bool
        Hold out the fold after the one that is named from its training micrographs, and validate on
        that: for choices, which the fold itself must not see.
    split : str
        Whose folds, see `uhcs_bench.load`.
    train_size : int or None
        Train on a fixed subset of so many of a fold's training micrographs, see
        `uhcs_bench.data.dataset.Fold.subset`; None for all.
    """

    configuration: Configuration
    task: str
    version: str
    out: Path
    device: torch.device
    jobs: int = 1
    inner: bool = False
    split: protocol.Split = protocol.PAPER_SPLIT
    train_size: int | None = None

    @property
    def n_folds(self) -> int:
        """Number of folds of the split."""
        return dataset.n_folds(self.task, self.version, self.split)

    def fold_run(self, fold: int | None) -> FoldRun:
        """Place of a fold's files; None stands for all micrographs."""
        return records.FoldRun(self.out, self.configuration.method, self.task, fold)

    def settings(self) -> dict[str, Any]:
        """Everything that decides what a fold gives, as its record has it."""
        return {
            "configuration": self.configuration.to_dict(),
            "semantics": SEMANTICS,
            "dataset_version": self.version,
            "inner": self.inner,
            "split": self.split,
            "train_size": self.train_size,
        }


def run(plan: Plan, folds: Sequence[int | None]) -> list[int | None]:
    """Run those folds of a plan that are not finished.

    Parameters
    ----------
    plan : Plan
    folds : sequence of int or None
        None trains on all micrographs and validates on none.

    Returns
    -------
    list of int or None
        The folds that were run; the others were finished before.

    Raises
    ------
    UsageError
        A finished fold of the task, one that is asked for or another, was run with other settings,
        or one of the other task on another split, version or number of training micrographs; or the
        plan's own settings don't go together.
    FolderInUseError
        Another process runs the method into the same folder.
    UhcsBenchError
        A fold failed. Those that finished before it are kept.
    """
    _check_subset(plan, folds)
    with run_lock.hold(plan.out, plan.configuration.method):
        _check_records(plan, folds)
        pending = [fold for fold in folds if not is_finished(plan, fold)]
        updates = plan.configuration.updates
        with tqdm(
            total=updates * len(pending),
            desc=f"{plan.configuration.method} {plan.task}",
            unit="update",
            disable=None,
        ) as bar:
            if plan.jobs > 1 and len(pending) > 1:
                try:
                    _run_side_by_side(plan, pending, lambda: bar.update(updates))
                finally:
                    # Of two folds that end at once, the later file may lack the other's record.
                    records.write_method_record(plan.out, plan.configuration.method)
            else:
                for fold in pending:
                    _run_logged(plan, fold, lambda _: bar.update())
    return pending


def _check_subset(plan: Plan, folds: Sequence[int | None]) -> None:
    """Make sure that each fold has the subset of training micrographs that is asked for."""
    if plan.inner and plan.train_size is not None:
        raise UsageError("--inner and --train-size can't be combined: leave one of them out.")
    if plan.train_size is not None:
        for fold in folds:
            if fold is not None:
                _load_fold(plan, fold)


def _check_records(plan: Plan, folds: Sequence[int | None]) -> None:
    """Make sure that the folds of a method in one folder come from the same settings.

    Label maps of another split are those of other folds; a score over both would be nobody's. Other
    tasks may differ in how they are trained, but not in what they are trained and validated on.
    """
    settings = plan.settings()
    places = [plan.fold_run(None)] if None in folds else []
    if set(folds) != {None}:
        places += records.fold_runs(plan.out, plan.configuration.method)
    problems = []
    for place in places:
        wanted = settings
        if place.task != plan.task:
            wanted = {name: settings[name] for name in _OF_ALL_TASKS}
        record = place.read()
        differences = _differences(record, wanted) if record is not None else []
        if differences:
            problems.append(
                f"{place} was finished with other settings ({'; '.join(differences)}). Give the "
                f"same settings, choose another --out, or delete {place.folder} to run it again."
            )
    if problems:
        raise UsageError(listed(f"Nothing was run in {plan.out}", problems))


def is_finished(plan: Plan, fold: int | None) -> bool:
    """Tell whether a fold is finished, with whatever settings."""
    return plan.fold_run(fold).read() is not None


def _run_logged(
    plan: Plan, fold: int | None, report: Callable[[float], object] = lambda _: None
) -> None:
    """Run a fold; where there is no terminal for a bar, log a line a minute."""
    if sys.stderr.isatty():
        run_fold(plan, fold, report)
    else:
        run_fold(plan, fold, UpdateLog(str(plan.fold_run(fold)), plan.configuration.updates))


def _differences(record: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """List settings that differ, as "name: recorded, now wanted"."""
    old = {key: record.get(key, _BEFORE.get(key)) for key in settings}
    pairs = [(key, old[key], settings[key]) for key in settings if key != "configuration"]
    if "configuration" in settings:
        was, now = _completed(old["configuration"]), settings["configuration"]
        pairs += [(key, was.get(key), now[key]) for key in now]
    return [f"{key}: {before}, now {after}" for key, before, after in pairs if before != after]


def _completed(configuration: dict[str, Any] | None) -> dict[str, Any]:
    """Add the defaults of settings that are newer than a record."""
    try:
        return Configuration.from_dict(configuration or {}).to_dict()
    except (KeyError, TypeError):
        return configuration or {}


def run_fold(
    plan: Plan, fold: int | None, report: Callable[[float], object] = lambda _: None
) -> None:
    """Train on the training micrographs of a fold, segment its validation micrographs, record it.

    Parameters
    ----------
    plan : Plan
    fold : int or None
    report : callable
        Called with the loss after each update.

    Raises
    ------
    UhcsBenchError
        Training failed; the message names method, task and fold.
    """
    place = plan.fold_run(fold)
    try:
        _run_fold(plan, fold, place, report)
    except UhcsBenchError as error:
        error.args = (f"{place}: {error}",)
        raise
    except (MemoryError, RuntimeError) as error:
        if not hardware.is_out_of_memory(error):
            raise
        raise UhcsBenchError(
            f"{place}: out of memory on {plan.device}. A smaller --crop (224) helps most; then "
            "--jobs 1 and --precision bfloat16."
        ) from error


def _run_fold(
    plan: Plan, fold: int | None, place: FoldRun, report: Callable[[float], object]
) -> None:
    configuration, device = plan.configuration, plan.device
    seed = configuration.seed * protocol.N_FOLDS + (fold or 0)
    clock = _Clock()
    protection.check(place.record, records.FOLD_SCHEMA.encode())
    place.record.unlink(missing_ok=True)
    if records.method_record(plan.out, configuration.method).is_file():
        # Of an earlier run of the fold, whose label maps are about to be replaced.
        records.write_method_record(plan.out, configuration.method)
    atomic.make_folder(place.folder)
    progress = Progress(place.progress, plan.settings())
    before = progress.load()
    if before is None:
        progress.save(None)  # the settings, in case that the run ends before its first state
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    seen, validation = _split(plan, fold)
    for micrograph in validation:
        protection.check(place.label_map(micrograph.id))
    classes = protocol.task(plan.task).classes
    torch.manual_seed(seed)
    model, weights = build(configuration, len(classes))
    placed(model, device)
    clock.lap("build")
    images = [model.preprocessing.apply(micrograph.image) for micrograph in seen]
    clock.lap("prepare")
    losses = loop.train(
        configuration,
        model,
        images,
        [micrograph.labels for micrograph in seen],
        classes,
        device,
        seed,
        report,
        progress,
    )
    clock.lap("train", before["seconds"] if before else 0.0)
    if validation:
        line = f"{place}: segmenting {things(len(validation), 'micrograph')}"
        tqdm.write(line, file=sys.stderr)  # above the bar, if there is one
    for micrograph in validation:
        labels = prediction.segment(
            model, micrograph.image, configuration.precision, tta=configuration.tta
        )
        label_maps.write_label_map(place.label_map(micrograph.id), labels)
    clock.lap("predict")
    trained = checkpoint.Checkpoint(model, configuration, plan.task, fold, classes)
    checkpoint.save(place.checkpoint, trained)
    _write_losses(place, losses)
    records.write_json(
        place.record,
        {
            "schema": records.FOLD_SCHEMA,
            "method": configuration.method,
            "task": plan.task,
            "fold": fold,
            **plan.settings(),
            "training": [micrograph.id for micrograph in seen],
            "validation": [micrograph.id for micrograph in validation],
            "weights": weights,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "seed": seed,
            "updates": len(losses),
            "resumed_after": len(before["losses"]) if before else 0,
            "last_losses_mean": sum(losses[-25:]) / len(losses[-25:]),
            "seconds": clock.seconds,
            "peak_memory_bytes": hardware.peak_memory_bytes(device),
            "jobs": plan.jobs,
            "hardware": hardware.describe(device),
            "versions": hardware.versions(),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )
    progress.clear()
    records.write_method_record(plan.out, configuration.method)


def _split(plan: Plan, fold: int | None) -> tuple[Sequence[Micrograph], Sequence[Micrograph]]:
    """Load the micrographs to train on, and those to validate on."""
    if fold is None:
        return uhcs_bench.load(plan.task, version=plan.version), ()
    loaded = _load_fold(plan, fold)
    if not plan.inner:
        return loaded.train, loaded.val
    held_out = (fold + 1) % plan.n_folds
    return (
        [micrograph for micrograph in loaded.train if micrograph.fold != held_out],
        [micrograph for micrograph in loaded.train if micrograph.fold == held_out],
    )


def _load_fold(plan: Plan, fold: int) -> Fold:
    """Load a fold's micrographs, in training those of the plan's subset."""
    loaded = uhcs_bench.load(plan.task, fold=fold, version=plan.version, split=plan.split)
    return loaded if plan.train_size is None else loaded.subset(plan.train_size)


class _Clock:
    """Seconds that each part of a run takes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = time.perf_counter()

    def lap(self, name: str, before: float = 0.0) -> None:
        """End a part, of which an interrupted run did so many seconds before."""
        now = time.perf_counter()
        self.seconds[name] = round(before + now - self._start, 3)
        self._start = now


def _write_losses(place: FoldRun, losses: Sequence[float]) -> None:
    """Write the loss of each update as a table and as a figure."""
    from matplotlib.figure import Figure

    with (
        replacing(place.folder / "loss.csv") as partial,
        partial.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(("update", "loss"))
        writer.writerows(enumerate(losses, start=1))
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(1, len(losses) + 1), losses, linewidth=1)
    axes.set(xlabel="update", ylabel="training loss", title=str(place), ylim=(0, None))
    with replacing(place.folder / "loss.png") as partial:
        figure.savefig(partial, dpi=120)


def _prepare_process(threads: int) -> None:
    """Take a share of the cores, and end with the parent, which holds the lock of the folder."""
    torch.set_num_threads(threads)
    end_with_parent()


def _run_side_by_side(
    plan: Plan, folds: Sequence[int | None], report: Callable[[], object]
) -> None:
    """Run folds in processes of their own; each takes its share of the cores."""
    threads = max(1, (os.cpu_count() or 1) // plan.jobs)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        plan.jobs, context, initializer=_prepare_process, initargs=(threads,)
    ) as pool:
        # Workers inherit this: the parent alone hears an interrupt, and ends them itself.
        heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
        futures = [pool.submit(_run_logged, plan, fold) for fold in folds]
        signal.signal(signal.SIGINT, heard)
        for future in futures:
            future.add_done_callback(lambda done: None if done.cancelled() else report())
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BrokenProcessPool as error:
            raise UhcsBenchError(
                f"A process died while {plan.jobs} folds ran side by side, most likely for want of "
                "memory. Take fewer --jobs or a smaller --crop. Finished folds are kept."
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
