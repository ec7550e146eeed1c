"""Run folds: train, segment the validation micrographs, and put everything on record."""

from __future__ import annotations

import csv
import multiprocessing
import os
import signal
import time
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import torch
from tqdm import tqdm

import uhcs_bench
from baselines import checkpoint, hardware, prediction, records, training
from baselines.configuration import SEMANTICS
from uhcs_bench import protocol
from uhcs_bench.data import label_maps
from uhcs_bench.errors import UhcsBenchError, UsageError
from uhcs_bench.segmentation.preprocessing import equalize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from baselines.configuration import Configuration
    from baselines.records import FoldRun


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
    """

    configuration: Configuration
    task: str
    version: str
    out: Path
    device: torch.device
    jobs: int = 1

    def fold_run(self, fold: int) -> FoldRun:
        """Place of a fold's files."""
        return records.FoldRun(self.out, self.configuration.method, self.task, fold)

    def settings(self) -> dict[str, Any]:
        """Everything that decides what a fold gives, as its record has it."""
        return {
            "configuration": self.configuration.to_dict(),
            "semantics": SEMANTICS,
            "dataset_version": self.version,
        }


def run(plan: Plan, folds: Sequence[int]) -> list[int]:
    """Run those folds of a plan that are not finished.

    Parameters
    ----------
    plan : Plan
    folds : sequence of int

    Returns
    -------
    list of int
        The folds that were run; the others were finished before.

    Raises
    ------
    UsageError
        A finished fold was run with other settings.
    UhcsBenchError
        A fold failed. Those that finished before it are kept.
    """
    pending = [fold for fold in folds if not is_finished(plan, fold)]
    updates = sum(stage.updates for stage in plan.configuration.stages)
    with tqdm(
        total=updates * len(pending),
        desc=f"{plan.configuration.method} {plan.task}",
        unit="update",
        disable=None,
    ) as bar:
        if plan.jobs > 1 and len(pending) > 1:
            _run_side_by_side(plan, pending, lambda: bar.update(updates))
        else:
            for fold in pending:
                run_fold(plan, fold, lambda _: bar.update())
    return pending


def is_finished(plan: Plan, fold: int) -> bool:
    """Tell whether a fold is finished.

    Raises
    ------
    UsageError
        It is, but with other settings.
    """
    run = plan.fold_run(fold)
    record = run.read()
    if record is None:
        return False
    differences = _differences(record, plan.settings())
    if differences:
        raise UsageError(
            f"{run} was finished with other settings ({'; '.join(differences)}). Give the same "
            f"settings, choose another --out, or delete {run.folder} to run it again."
        )
    return True


def _differences(record: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """List settings that differ, as "name: recorded, now wanted"."""
    old = {**settings, **{key: record.get(key) for key in settings}}
    pairs = [(key, old[key], settings[key]) for key in settings if key != "configuration"]
    was, now = old["configuration"] or {}, settings["configuration"]
    pairs += [(key, was.get(key), now[key]) for key in now]
    return [f"{key}: {before}, now {after}" for key, before, after in pairs if before != after]


def run_fold(plan: Plan, fold: int, report: Callable[[float], object] = lambda _: None) -> None:
    """Train on the training micrographs of a fold, segment its validation micrographs, record it.

    Parameters
    ----------
    plan : Plan
    fold : int
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


def _run_fold(plan: Plan, fold: int, place: FoldRun, report: Callable[[float], object]) -> None:
    configuration, device = plan.configuration, plan.device
    seed = configuration.seed * protocol.N_FOLDS + fold
    clock = _Clock()
    place.record.unlink(missing_ok=True)
    place.folder.mkdir(parents=True, exist_ok=True)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    split = uhcs_bench.load(plan.task, fold=fold, version=plan.version)
    classes = protocol.task(plan.task).classes
    images = [equalize(micrograph.image) for micrograph in split.train]
    clock.lap("prepare")
    torch.manual_seed(seed)
    model, weights = training.build(configuration, len(classes))
    model.to(device)
    clock.lap("build")
    losses = training.train(
        configuration,
        model,
        images,
        [micrograph.labels for micrograph in split.train],
        classes,
        device,
        seed,
        report,
    )
    clock.lap("train")
    for micrograph in split.val:
        labels = prediction.segment(model, micrograph.image, configuration.precision)
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
            "training": [micrograph.id for micrograph in split.train],
            "validation": [micrograph.id for micrograph in split.val],
            "weights": weights,
            "seed": seed,
            "updates": len(losses),
            "last_losses_mean": sum(losses[-25:]) / len(losses[-25:]),
            "seconds": clock.seconds,
            "peak_memory_bytes": hardware.peak_memory_bytes(device),
            "jobs": plan.jobs,
            "hardware": hardware.describe(device),
            "versions": hardware.versions(),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )
    records.write_method_record(plan.out, configuration.method)


class _Clock:
    """Seconds that each part of a run takes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = round(now - self._start, 3)
        self._start = now


def _write_losses(place: FoldRun, losses: Sequence[float]) -> None:
    """Write the loss of each update as a table and as a figure."""
    from matplotlib.figure import Figure

    with (place.folder / "loss.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("update", "loss"))
        writer.writerows(enumerate(losses, start=1))
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(1, len(losses) + 1), losses, linewidth=1)
    axes.set(xlabel="update", ylabel="training loss", title=str(place), ylim=(0, None))
    figure.savefig(place.folder / "loss.png", dpi=120)


def _run_side_by_side(plan: Plan, folds: Sequence[int], report: Callable[[], object]) -> None:
    """Run folds in processes of their own; each takes its share of the cores."""
    threads = max(1, (os.cpu_count() or 1) // plan.jobs)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        plan.jobs, context, initializer=torch.set_num_threads, initargs=(threads,)
    ) as pool:
        # Workers inherit this: the parent alone hears an interrupt, and ends them itself.
        heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
        futures = [pool.submit(run_fold, plan, fold) for fold in folds]
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
