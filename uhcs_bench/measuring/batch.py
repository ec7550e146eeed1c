"""Measure many label maps or micrographs, wherever the work is done, and write one table.

Each result is kept in a journal beside the table as soon as it comes. A run that was interrupted,
or given again after bad files were mended or new ones added, only does the rest. The table is
written from the journal at the end, in the order of the inputs, whatever the order of the work.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench import protocol
from uhcs_bench._version import __version__
from uhcs_bench.data import label_maps
from uhcs_bench.errors import UhcsBenchError, UsageError, listed
from uhcs_bench.io import atomic, images, protection
from uhcs_bench.io import tables as table_files
from uhcs_bench.measuring import columns, executors, pixel_size
from uhcs_bench.measuring import row as measurement
from uhcs_bench.measuring.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from uhcs_bench.io.tables import Notes, Row
    from uhcs_bench.measuring.executors import Pool

_OTHER_IMAGES = (".jpg", ".jpeg", ".bmp")
"""Endings, besides those of label maps, by which micrographs in a folder are known."""

JOURNAL_SUFFIX = ".journal"
OVERVIEW = "overview.png"


class InterruptedRunError(UhcsBenchError):
    """A run that its user has stopped; the message says what is kept."""

    exit_code = 130


@dataclass(frozen=True)
class Options:
    """What is measured, and how.

    Attributes
    ----------
    task : str
        What the labels mean.
    pixel_size_um : float or None
        Edge of a pixel in micrometres, where the user knows better than registry and file.
    model : str or None
        An ONNX file that segments, if the inputs are micrographs; see
        `uhcs_bench.segmentation.onnx_model`.
    model_sha256 : str or None
        Of that file.
    model_threads : int
        That it computes on; 0 takes all cores.
    """

    task: protocol.TaskName
    pixel_size_um: float | None = None
    model: str | None = None
    model_sha256: str | None = None
    model_threads: int = 0


@dataclass(frozen=True)
class Job:
    """A file to measure.

    Attributes
    ----------
    index : int
        Its place among the inputs.
    path : str
        Absolute, so that workers elsewhere find it.
    file : str
        As the user named it.
    options : Options
    with_particles, with_plot : bool
        Whether to send back a table of particles and a plot.
    """

    index: int
    path: str
    file: str
    options: Options
    with_particles: bool = False
    with_plot: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes
    ----------
    row : dict
        See `uhcs_bench.measuring.columns.columns`; empty if there is an error.
    particles : bytes or None
        Their table as an NPY file.
    plot : bytes or None
        As a PNG file.
    warning : str
        What is odd about the file.
    error : str
        Why it could not be measured, a phrase that follows its name.
    """

    row: Row
    particles: bytes | None = None
    plot: bytes | None = None
    warning: str = ""
    error: str = ""


@dataclass(frozen=True)
class Summary:
    """How a run went.

    Attributes
    ----------
    n_inputs : int
    n_from_journal : int
        Of them, those that an earlier run has measured.
    n_without_size : int
        Of the rows, those without a pixel size.
    warnings : tuple of (str, str)
        File, and what is odd about it.
    failures : tuple of (str, str)
        File, and why it has no row.
    """

    n_inputs: int
    n_from_journal: int
    n_without_size: int
    warnings: tuple[tuple[str, str], ...]
    failures: tuple[tuple[str, str], ...]


def find_inputs(
    paths: Sequence[Path], task: protocol.TaskName, *, micrographs: bool = False
) -> tuple[Path, ...]:
    """List the files that inputs stand for.

    Parameters
    ----------
    paths : sequence of Path
        Files, and folders with files directly in them or, as in a submission, in a folder of the
        task's name.
    task : str
    micrographs : bool, optional
        Whether to look for micrographs, which may also be JPEG or BMP.

    Returns
    -------
    tuple of Path
        As they were given, a folder's files by name; a file that is named twice comes once.

    Raises
    ------
    UsageError
        If an input does not exist or a folder holds no such file; all are listed.
    """
    endings = label_maps.MAP_SUFFIXES + (_OTHER_IMAGES if micrographs else ())
    found: dict[str, Path] = {}
    problems = []
    for path in paths:
        if path.is_dir():
            files = [
                file
                for folder in (path, path / task)
                if folder.is_dir()
                for file in sorted(folder.iterdir())
                if file.suffix.lower() in endings
                and not file.name.startswith(".")
                and not file.is_dir()
            ]
            if not files:
                problems.append(f"{path} holds no {', '.join(endings)} file. Give another folder.")
        elif path.exists():
            files = [path]
        else:
            files = []
            problems.append(f"{path} does not exist. Give the path of a file or folder.")
        for file in files:
            found.setdefault(os.path.abspath(file), file)  # noqa: PTH100 - links stay links
    if problems:
        raise UsageError(listed("Nothing was measured", problems))
    return tuple(found.values())


def measure_file(job: Job) -> Outcome:
    """Do a job; whatever is wrong with the file is in the outcome."""
    path, options = Path(job.path), job.options
    try:
        labels = _labels(path, options)
        scale = pixel_size.find(path, (len(labels), labels.shape[1]), options.pixel_size_um)
        found = measurement.measure(labels, options.task, scale, job.file)
        table = plot = None
        if job.with_particles and found.particles is not None:
            stream = io.BytesIO()
            np.save(stream, found.particles.table, allow_pickle=False)
            table = stream.getvalue()
        if job.with_plot:
            from uhcs_bench.measuring import plots as measurement_plots

            plot = measurement_plots.distribution(found)
        return Outcome(found.row, table, plot, scale.warning)
    except UhcsBenchError as error:
        return Outcome({}, error=str(error))
    except MemoryError:
        return Outcome({}, error="does not fit into memory")
    except Exception as error:  # noqa: BLE001 - one bad file never stops the rest
        return Outcome({}, error=f"can't be measured ({type(error).__name__}: {error})")


def _labels(path: Path, options: Options) -> np.ndarray[Any, np.dtype[np.uint8]]:
    if options.model is None:
        return label_maps.read_map(path, protocol.TASKS[options.task].classes)
    model = _segmenter(options.model, options.model_sha256, options.model_threads)
    labels: np.ndarray[Any, np.dtype[np.uint8]] = model.segment(images.read_image(path))
    return labels


@lru_cache(maxsize=1)
def _segmenter(path: str, sha256: str | None, threads: int) -> Any:
    """Load a model once in each process."""
    from uhcs_bench.segmentation import onnx_model

    if sha256 != _sha256(path):
        raise UhcsBenchError(f"was not measured: {path} is not the model that the run began with")
    return onnx_model.load(path, threads)


def _sha256(path: str) -> str:
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def options_with_model(
    model: Path, task: str | None, pixel_size_um: float | None = None, threads: int = 0
) -> Options:
    """Make the options for micrographs that a network segments.

    Parameters
    ----------
    model : Path
        An ONNX file, see `uhcs_bench.segmentation.onnx_model`.
    task : str or None
        Name or alias; None to take what the model says.
    pixel_size_um : float, optional
    threads : int, optional

    Raises
    ------
    UsageError
        If the model does not say its task and nobody else does, or its classes are not the task's.
    UhcsBenchError
        If it can't be used.
    """
    from uhcs_bench.segmentation import onnx_model

    loaded = onnx_model.load(model, threads)
    if task is None and loaded.task is None:
        raise UsageError(f"{model} does not say what task it is for. Say --task.")
    name = protocol.task(task or str(loaded.task)).name
    classes = protocol.TASKS[name].classes
    if loaded.classes != classes:
        raise UsageError(
            f"{model} has the classes {', '.join(loaded.classes)}; those of {name} are "
            f"{', '.join(classes)}. Give a model for {name}, or another --task."
        )
    path = os.path.abspath(model)  # noqa: PTH100 - for workers in other folders
    return Options(name, pixel_size_um, path, _sha256(path), threads)


def run(
    inputs: Sequence[Path],
    options: Options,
    out: Path,
    particles_out: Path | None = None,
    plots: Path | None = None,
    pool: Pool | None = None,
) -> Summary:
    """Measure files and write their table.

    Parameters
    ----------
    inputs : sequence of Path
        Files, see `find_inputs`.
    options : Options
    out : Path
        Table to write, ``.parquet``, ``.csv`` or ``.json``; a row for each file, in their order.
        The journal is put beside it.
    particles_out : Path, optional
        Second table, with a row for each particle.
    plots : Path, optional
        Folder for a plot of each file and one of all.
    pool : Pool, optional
        Where to work; in this process unless told.

    Returns
    -------
    Summary

    Raises
    ------
    UsageError
        If an output can't be written or does not fit the task.
    ClusterError
        If the pool's cluster can't be reached, or goes away.
    InterruptedRunError
        If the user interrupts; what was done is kept.
    """
    tables = [out] if particles_out is None else [out, particles_out]
    for table in tables:
        table_files.check(table)
    _check_outputs(options, tables)
    if plots is not None:
        from uhcs_bench.measuring import plots as measurement_plots

        measurement_plots.check()
        plots.mkdir(parents=True, exist_ok=True)
    # Tables and journal hold Unicode, which a name on a disk need not be.
    files = [os.fsencode(path).decode("utf-8", "replace") for path in inputs]
    plot_paths = None if plots is None else [plots / name for name in _plot_names(inputs)]
    _check_plots(plot_paths)
    with Journal(out.with_name(out.name + JOURNAL_SUFFIX)) as journal:
        keys = [_key(path, options) for path in inputs]
        jobs = []
        for index, (path, key) in enumerate(zip(inputs, keys, strict=True)):
            is_done = key in journal if particles_out is None else journal.has_attachment(key)
            if plot_paths is not None and not plot_paths[index].is_file():
                is_done = False
            if not is_done:
                job = (index, os.path.abspath(path), files[index], options)  # noqa: PTH100
                jobs.append(Job(*job, particles_out is not None, plots is not None))
        warnings, failures = _work(jobs, keys, journal, pool, plot_paths, len(files))
        done = [key for index, key in enumerate(keys) if index not in failures]

        def rows() -> Iterator[Row]:
            for key in done:
                yield json.loads(journal.row(key))

        failed = tuple((files[index], failures[index]) for index in sorted(failures))
        notes = _notes(options, failed)
        table_files.write(out, columns.columns(options.task), rows(), notes)
        if particles_out is not None:
            table_files.write(
                particles_out,
                measurement.PARTICLE_COLUMNS,
                _particle_rows(journal, done),
                notes,
            )
        if plots is not None:
            with atomic.replacing(plots / OVERVIEW) as partial:
                partial.write_bytes(measurement_plots.overview(rows(), options.task))
        n_without_size = sum(row["pixel_size_um"] is None for row in rows())
    return Summary(
        len(files),
        len(files) - len(jobs),
        n_without_size,
        tuple((files[index], warnings[index]) for index in sorted(warnings)),
        failed,
    )


def _check_plots(paths: Sequence[Path] | None) -> None:
    """Check all plots before anything is measured."""
    for path in paths or []:
        protection.check(path)


def _check_outputs(options: Options, tables: Sequence[Path]) -> None:
    if len(tables) > 1 and not protocol.TASKS[options.task].has_particles:
        raise UsageError(f"There are no single particles in {options.task}; drop --particles.")
    if len({table.absolute() for table in tables}) < len(tables):
        raise UsageError(f"{tables[0]} can't hold both tables; give them two names.")


def _work(
    jobs: Sequence[Job],
    keys: Sequence[str],
    journal: Journal,
    pool: Pool | None,
    plot_paths: Sequence[Path] | None,
    n_inputs: int,
) -> tuple[dict[int, str], dict[int, str]]:
    """Do jobs and journal them; give warnings and errors by input."""
    from tqdm import tqdm

    warnings: dict[int, str] = {}
    failures: dict[int, str] = {}
    if not jobs:
        return warnings, failures
    outcomes = executors.unordered(measure_file, jobs, pool or executors.this_process())
    n_done = n_inputs - len(jobs)
    try:
        with (
            closing(outcomes),
            tqdm(total=n_inputs, initial=n_done, unit="file", disable=None) as progress,
        ):
            for job, outcome in outcomes:
                if isinstance(outcome, Exception):
                    failures[job.index] = str(outcome) or type(outcome).__name__
                elif outcome.error:
                    failures[job.index] = outcome.error
                else:
                    if outcome.plot is not None and plot_paths is not None:
                        with atomic.replacing(plot_paths[job.index]) as partial:
                            partial.write_bytes(outcome.plot)
                    row = json.dumps(outcome.row, ensure_ascii=False, allow_nan=False)
                    journal.add(keys[job.index], row, outcome.particles)
                    n_done += 1
                if not isinstance(outcome, Exception) and outcome.warning:
                    warnings[job.index] = outcome.warning
                progress.update()
    except KeyboardInterrupt as error:
        raise InterruptedRunError(
            f"Interrupted. {n_done} of {n_inputs} files are measured and kept in {journal.path}; "
            "the same command does the rest."
        ) from error
    return warnings, failures


def _key(path: Path, options: Options) -> str:
    """Identify a measurement: what it is of, how it is made, and by which version."""
    try:
        status = path.stat()
        identity = [status.st_size, status.st_mtime_ns]
    except OSError:  # which reading it will explain
        identity = []
    parts = [
        measurement.SCHEMA,
        __version__,
        str(path),
        os.path.abspath(path),  # noqa: PTH100 - links stay links
        *identity,
        options.task,
        options.pixel_size_um,
        options.model_sha256,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _plot_names(inputs: Sequence[Path]) -> list[str]:
    """Name each input's plot after it, with more of its path or a number where names clash."""
    names: dict[str, None] = {Path(OVERVIEW).stem: None}
    count = Counter(path.stem for path in inputs)
    for path in inputs:
        stem = path.stem
        name = stem if count[stem] == 1 else f"{path.parent.name}_{path.name}"
        number = 1
        while name in names:
            number += 1
            name = f"{stem}_{number}"
        names[name] = None
    return [f"{name}.png" for name in list(names)[1:]]


def _particle_rows(journal: Journal, keys: Sequence[str]) -> Iterator[Row]:
    for key in keys:
        row = json.loads(journal.row(key))
        table = np.load(io.BytesIO(journal.attachment(key)), allow_pickle=False)
        yield from measurement.particle_rows(table, row["file"], row["id"])


def _notes(options: Options, failed: Sequence[tuple[str, str]]) -> Notes:
    import scipy

    return {
        "schema": measurement.SCHEMA,
        "versions": {
            "uhcs_bench": __version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        "task": options.task,
        "pixel_size_um": options.pixel_size_um,
        "model_sha256": options.model_sha256,
        "confidence": protocol.CONFIDENCE,
        "failed": [{"file": file, "error": error} for file, error in failed],
    }
