"""Measure many label maps or micrographs, wherever the work is done, and write their tables.

Each result is kept in a journal beside the table as soon as it comes. A run that was interrupted,
or given again after bad files were mended or new ones added, only does the rest. The tables are
written from the journal at the end, in the order of the inputs, whatever the order of the work; the
journal is removed when nothing is left to do.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench import executors, protocol
from uhcs_bench._version import __version__
from uhcs_bench.errors import UhcsBenchError, UsageError, listed
from uhcs_bench.io import atomic, installed_code, protection
from uhcs_bench.io import tables as table_files
from uhcs_bench.measuring import identity, jobs, specimens
from uhcs_bench.measuring import row as measurement
from uhcs_bench.measuring.jobs import ENDINGS, Job, Kind, Options, Outcome
from uhcs_bench.measuring.journal import Journal
from uhcs_bench.measuring.outputs import tidy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from uhcs_bench.executors import Pool
    from uhcs_bench.io.tables import Notes, Row
    from uhcs_bench.measuring.inputs import About

JOURNAL_SUFFIX = ".journal"
OVERVIEW = "overview.png"


class InterruptedRunError(UhcsBenchError):
    """A run that its user has stopped; the message says what is kept."""

    exit_code = 130


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes
    ----------
    table : Path or None
        Table of measures, ``.csv``, ``.json``, ``.parquet`` or ``.xlsx``: a row for each file and
        measure. The journal is put beside it; without a table, nothing is kept.
    wide : bool
        Whether that table has a row for each file and a column for each number instead.
    particles : Path or None
        Table with a row for each particle.
    specimens : Path or None
        Table with a row for each specimen and measure.
    folders : mapping of str to Path
        Folders for files that are made of each input, see `uhcs_bench.measuring.jobs.KINDS`.
    """

    table: Path | None = None
    wide: bool = False
    particles: Path | None = None
    specimens: Path | None = None
    folders: Mapping[Kind, Path] = field(default_factory=dict)

    @property
    def tables(self) -> tuple[Path, ...]:
        """All tables that are written."""
        return tuple(filter(None, (self.table, self.particles, self.specimens)))


@dataclass(frozen=True)
class Summary:
    """How a run went.

    Attributes
    ----------
    n_inputs : int
    n_from_journal : int
        Of them, those that an earlier run has measured.
    n_unreadable : int
        Results of an earlier run that were damaged, and were measured again.
    warnings : tuple of (str, str)
        File, and what is odd about it.
    failures : tuple of (str, str)
        File, and why it has no row.
    rows : tuple of dict
        What is printed of each file, see `uhcs_bench.measuring.outputs.tidy.shown`.
    specimens : tuple of SpecimenMeasure
    journal : Path or None
        Where results are kept for the next run, if something is left to do.
    """

    n_inputs: int
    n_from_journal: int
    n_unreadable: int
    warnings: tuple[tuple[str, str], ...]
    failures: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...] = ()
    specimens: tuple[specimens.SpecimenMeasure, ...] = ()
    journal: Path | None = None


def options_with_model(model: str | Path, task: str | None, options: Options) -> Options:
    """Complete the options for micrographs that a model segments.

    Parameters
    ----------
    model : str or Path
        Name or ONNX file, see `uhcs_bench.segmentation.models.load`.
    task : str or None
        Name or alias; None to take what the model says.
    options : Options
        All but the task and the model.

    Raises
    ------
    UsageError
        If the model does not say its task and nobody else does, or its classes are not the task's.
    UhcsBenchError
        If it can't be used.
    """
    from uhcs_bench.segmentation import models

    model = models.without_alias(model)
    sha256 = models.sha256(model)
    loaded = models.load(model, options.model_threads, task)
    if task is None and loaded.task is None:
        raise UsageError(f"{model} does not say what task it is for. Say --task.")
    name = protocol.task(task or str(loaded.task)).name
    is_name = str(model) in (models.OTSU, *models.NAMES)
    path = str(model) if is_name else os.path.abspath(model)  # noqa: PTH100 - for other folders
    return replace(options, task=name, model=path, model_sha256=sha256)


def run(
    inputs: Sequence[Path],
    options: Options,
    outputs: Outputs,
    *,
    about: Mapping[Path, About] | None = None,
    specimen_of: Mapping[Path, str] | None = None,
    pool: Pool | None = None,
    report: Callable[[int, int, int], None] = lambda *_: None,
) -> Summary:
    """Measure files and write their tables.

    Parameters
    ----------
    inputs : sequence of Path
        Files, see `uhcs_bench.measuring.inputs.find`.
    options : Options
    outputs : Outputs
    about : mapping of Path to About, optional
        What is known of single inputs; it goes before `options`.
    specimen_of : mapping of Path to str, optional
        The specimen that each input is a field of.
    pool : Pool, optional
        Where to work; in this process unless told.
    report : callable, optional
        Is given the number of files that are done, that failed and that there are.

    Returns
    -------
    Summary

    Raises
    ------
    UsageError
        If an output can't be written or does not fit the task.
    ClusterError
        If the pool's cluster can't be reached, goes away, or has other code.
    InterruptedRunError
        If the user interrupts; what was done is kept.
    """
    check_outputs(options, outputs)
    with ExitStack() as stack:
        if outputs.table is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="uhcs-bench-"))
            place = Path(folder) / "journal"
        else:
            place = outputs.table.with_name(outputs.table.name + JOURNAL_SUFFIX)
        journal = stack.enter_context(Journal(place))
        return _Run(inputs, options, outputs, about or {}, specimen_of or {}, journal).finish(
            pool, report
        )


def check_outputs(options: Options, outputs: Outputs) -> None:
    """Check that everything can be written, before anything is measured.

    Raises
    ------
    UsageError
        If an output does not fit the task, or two have one name.
    UnwritableError
        If a file can't be written.
    MissingPackageError
        If a library is missing that an output needs.
    """
    for table in outputs.tables:
        table_files.check(table)
    if not protocol.TASKS[options.task].has_particles:
        asked = ["--particles"] if outputs.particles else []
        asked += ["--rois"] if "rois" in outputs.folders else []
        if asked:
            raise UsageError(
                f"There are no single particles in {options.task}; drop {' and '.join(asked)}."
            )
    places = Counter(
        os.path.realpath(path) for path in (*outputs.tables, *outputs.folders.values())
    )
    twice = [place for place, number in places.items() if number > 1]
    if twice:
        raise UsageError(f"{Path(twice[0]).name} can't hold two outputs; give them two names.")
    if "overlays" in outputs.folders and options.model is None:
        raise UsageError(
            "Overlays are outlines on micrographs, and these inputs are label maps. Give "
            "micrographs and a --model, or drop --overlays."
        )
    if "plots" in outputs.folders:
        from uhcs_bench.measuring.outputs import plots

        plots.check()
    if "rois" in outputs.folders:
        from uhcs_bench.measuring.outputs import imagej

        imagej.check()
    for folder in outputs.folders.values():
        atomic.make_folder(folder)


class _Run:
    """One run: its inputs by place, and what is known of each."""

    def __init__(
        self,
        inputs: Sequence[Path],
        options: Options,
        outputs: Outputs,
        about: Mapping[Path, About],
        specimen_of: Mapping[Path, str],
        journal: Journal,
    ) -> None:
        self.inputs = inputs
        self.options = options
        self.outputs = outputs
        self.journal = journal
        self.specimen_of = specimen_of
        # Tables and journal hold Unicode, which a name on a disk need not be.
        self.files = [os.fsencode(path).decode("utf-8", "replace") for path in inputs]
        self.stems = _stems(inputs)
        self.jobs = [
            Job(
                index,
                os.path.abspath(path),  # noqa: PTH100 - links stay links
                self.files[index],
                _own_options(options, about.get(path)),
                tuple(outputs.folders),
                outputs.particles is not None,
            )
            for index, path in enumerate(inputs)
        ]
        self.keys = [_key(job) for job in self.jobs]
        self.warnings: dict[int, tuple[str, ...]] = {}
        self.failures: dict[int, str] = {}

    def finish(self, pool: Pool | None, report: Callable[[int, int, int], None]) -> Summary:
        """Do what is left, write everything, and remove the journal if nothing is left then."""
        for job in self.jobs:
            for path in self._paths(job):
                protection.check(path)
        left = [job for job in self.jobs if not self._is_done(job)]
        self._work(left, pool, report)
        done = [index for index in range(len(self.jobs)) if index not in self.failures]
        shown, groups = [], specimens.Groups(self.options.task)
        for index in done:
            row = self._row(index)
            shown.append({name: row[name] for name in tidy.shown_columns(self.options.task)})
            groups.add(self.specimen_of.get(self.inputs[index]), row)
        found = groups.summarise()
        self._write_tables(done, found)
        if self.failures:
            place = None if self.outputs.table is None else self.journal.path
        else:
            self.journal.remove()
            place = None
        return Summary(
            len(self.files),
            len(self.files) - len(left),
            self.journal.n_unreadable,
            (
                *(
                    (self.files[index], text)
                    for index, texts in sorted(self.warnings.items())
                    for text in texts
                ),
                *groups.doubts(),
            ),
            self._failed(),
            tuple(shown),
            found,
            place,
        )

    def _failed(self) -> tuple[tuple[str, str], ...]:
        return tuple((self.files[index], self.failures[index]) for index in sorted(self.failures))

    def _is_done(self, job: Job) -> bool:
        """Say whether an earlier run has measured this content, and written its files."""
        key = self.keys[job.index]
        if key not in self.journal:
            return False
        if job.with_particles and not self.journal.has_attachment(key):
            return False
        record = json.loads(self.journal.row(key))
        if record["content"] != identity.of_file(Path(job.path)):
            return False
        written = {path: _file_sha256(path) for path in self._paths(job)}
        if any(record["files"].get(str(path)) != sha256 for path, sha256 in written.items()):
            return False
        self.warnings[job.index] = tuple(record["warnings"])
        return True

    def _paths(self, job: Job) -> list[Path]:
        return [
            self.outputs.folders[kind] / f"{self.stems[job.index]}{ending}"
            for kind in job.kinds
            for ending in ENDINGS[kind]
        ]

    def _row(self, index: int) -> Row:
        row: Row = json.loads(self.journal.row(self.keys[index]))["row"]
        return row

    def _work(
        self, left: Sequence[Job], pool: Pool | None, report: Callable[[int, int, int], None]
    ) -> None:
        n_done = len(self.jobs) - len(left)
        if not left:
            return
        outcomes = executors.unordered(jobs.do, left, pool or executors.this_process())
        try:
            with closing(outcomes):
                report(n_done, 0, len(self.jobs))
                for job, outcome in outcomes:
                    self._take(job, outcome)
                    n_done += job.index not in self.failures
                    report(n_done, len(self.failures), len(self.jobs))
        except KeyboardInterrupt as error:
            kept = (
                f" and kept in {self.journal.path}; the same command does the rest"
                if self.outputs.table is not None
                else "; nothing is kept without --out"
            )
            raise InterruptedRunError(
                f"Interrupted. {n_done} of {len(self.jobs)} files are measured{kept}."
            ) from error

    def _take(self, job: Job, outcome: Outcome | Exception) -> None:
        """Keep what came of a job."""
        if isinstance(outcome, Exception):
            self.failures[job.index] = str(outcome) or type(outcome).__name__
            return
        own, its = installed_code.version_and_hash(), getattr(outcome, "code", "unknown")
        if its != own:
            raise executors.ClusterError(
                f"A worker has uhcs-bench {its}, and this is {own}; its results would differ. What "
                "was done is kept. Install the same version everywhere, restart the workers, and "
                "give the same command again."
            )
        if outcome.error:
            self.failures[job.index] = outcome.error
            return
        written = {}
        for kind, contents in outcome.files.items():
            for ending, content in contents.items():
                path = self.outputs.folders[kind] / f"{self.stems[job.index]}{ending}"
                with atomic.replacing(path) as partial:
                    partial.write_bytes(content)
                written[str(path)] = jobs.sha256(content)
        record = {
            "row": outcome.row,
            "content": outcome.content,
            "files": written,
            "warnings": outcome.warnings,
        }
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
        self.journal.add(self.keys[job.index], text, outcome.particles)
        if outcome.warnings:
            self.warnings[job.index] = tuple(outcome.warnings)

    def _write_tables(
        self, done: Sequence[int], found: Sequence[specimens.SpecimenMeasure]
    ) -> None:
        outputs, task = self.outputs, self.options.task
        notes = self._notes()
        segmentation = _segmentation(notes["model"])
        has_specimens = bool(self.specimen_of)

        def rows() -> Iterator[Row]:
            for index in done:
                more: Row = {"segmentation": segmentation}
                if has_specimens:
                    more["specimen"] = self.specimen_of.get(self.inputs[index])
                yield {**self._row(index), **more}

        if outputs.table is not None:
            write = tidy.write_wide if outputs.wide else tidy.write_tidy
            write(outputs.table, task, rows(), notes, has_specimens)
        if outputs.particles is not None:
            table_files.write(
                outputs.particles,
                measurement.PARTICLE_COLUMNS,
                self._particle_rows(done),
                notes,
            )
        if outputs.specimens is not None:
            table_files.write(outputs.specimens, specimens.COLUMNS, specimens.rows(found), notes)
        if "plots" in outputs.folders:
            from uhcs_bench.measuring.outputs import plots

            with atomic.replacing(outputs.folders["plots"] / OVERVIEW) as partial:
                partial.write_bytes(plots.overview(rows(), task))

    def _particle_rows(self, done: Sequence[int]) -> Iterator[Row]:
        for index in done:
            row = self._row(index)
            content = self.journal.attachment(self.keys[index])
            table = np.load(io.BytesIO(content), allow_pickle=False)
            yield from measurement.particle_rows(table, str(row["file"]), str(row["id"]))

    def _notes(self) -> Notes:
        import scipy

        return {
            "schema": measurement.SCHEMA,
            "versions": {
                "uhcs_bench": __version__,
                "code": installed_code.version_and_hash(),
                "numpy": np.__version__,
                "scipy": scipy.__version__,
                "scikit_image": version("scikit-image"),
            },
            "task": self.options.task,
            "pixel_size_um": self.options.pixel_size_um,
            "crop_bottom": self.options.crop_bottom,
            "page": self.options.page,
            "model": _model_notes(self.options),
            "confidence": protocol.CONFIDENCE,
            "failed": [{"file": file, "error": error} for file, error in self._failed()],
        }


def _own_options(options: Options, about: About | None) -> Options:
    if about is None:
        return options
    return replace(
        options,
        pixel_size_um=about.pixel_size_um or options.pixel_size_um,
        crop_bottom=about.crop_bottom or options.crop_bottom,
    )


def _key(job: Job) -> str:
    """Identify what is done with which file; its content is compared apart."""
    options = asdict(job.options)
    del options["model_threads"]
    parts = [measurement.SCHEMA, installed_code.version_and_hash(), job.file, job.path, options]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _file_sha256(path: Path) -> str:
    try:
        return jobs.sha256(path.read_bytes())
    except OSError:
        return ""


def _model_notes(options: Options) -> dict[str, Any] | None:
    if options.model is None:
        return None
    from uhcs_bench.segmentation import models

    return models.load(options.model, options.model_threads, options.task).card.to_dict()


def _segmentation(model: Mapping[str, Any] | None) -> str:
    """Say in a cell who has segmented, under which licence and how well."""
    if model is None:
        return "label map as it was given"
    sha256 = f"sha256 {model['sha256'][:12]}" if model["sha256"] else ""
    parts = (model["name"], sha256, model["licence"], model["training_data"], model["score"])
    return "; ".join(filter(None, parts))


def _stems(inputs: Sequence[Path]) -> list[str]:
    """Name each input's files after it, with more of its path or a number where names clash."""
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
    return list(names)[1:]


def problems(failures: Sequence[tuple[str, str]], n_inputs: int) -> str:
    """Return the message about files that could not be measured."""
    fact = f"{len(failures)} of {n_inputs} files could not be measured"
    return listed(fact, [f"{file}: {reason}" for file, reason in failures])
