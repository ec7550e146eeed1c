"""Redraw the paper's Figures 2 to 5 from label maps.

Which micrographs the paper shows is not on record. `SHOWN` has those that fit what its text says
of each panel. A map that is not there is shown as missing; nothing is put in its place.

The figures show real micrographs, which have a licence of their own (CC BY-SA 3.0 US): beside each
figure lies a text with what was drawn from which maps, whom to cite, and the numbers in it.
"""

from __future__ import annotations

import hashlib
import json
import math
import textwrap
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

import uhcs_bench
from baselines import panels, records, reproduce
from uhcs_bench import protocol
from uhcs_bench.data import dataset, label_maps
from uhcs_bench.errors import UhcsBenchError, UsageError
from uhcs_bench.io.atomic import replacing
from uhcs_bench.io.images import ImageError
from uhcs_bench.metallography import components, denuded_zone
from uhcs_bench.metallography import spheroidite as combined
from uhcs_bench.metrics import confusion as metrics
from uhcs_bench.metrics import particle_sizes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure
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


@dataclass(frozen=True)
class Drawn:
    """A figure and what stands beside it.

    Attributes
    ----------
    name : str
        Of its files, without suffix.
    figure : matplotlib.figure.Figure
    caption : str
    warnings : tuple of str
        What is missing in it, and what to do.
    """

    name: str
    figure: Figure
    caption: str
    warnings: tuple[str, ...] = ()


def write(plan: Plan) -> tuple[list[Path], list[str]]:
    """Draw all figures and write them, each with its caption.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    paths : list of Path
        The figures' files; ``<name>.txt`` beside each is its caption.
    warnings : list of str
        What is missing, and what to do.

    Raises
    ------
    UsageError
        There is no such method, folder of maps, version, micrograph or checkpoint.
    UhcsBenchError
        Label maps are there, but can't be used; all of them are listed.
    DataUnavailableError
        The micrographs can't be had.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise UhcsBenchError(
            "Figures need matplotlib: pip install 'uhcs-bench[baselines]'."
        ) from error
    board = Board(plan)
    paths, warnings = [], []
    with matplotlib.rc_context():
        matplotlib.rcParams["font.size"] = panels.FONT_PT
        for draw in (figure_2, figure_3, figure_4, figure_5):
            drawn = draw(board)
            if isinstance(drawn, str):
                warnings.append(drawn)
                continue
            warnings += drawn.warnings
            if plan.version == protocol.SYNTHETIC_VERSION:
                drawn.figure.text(0.005, 0.995, "SYNTHETIC set", va="top", fontsize=panels.SMALL_PT)
            paths += _save(plan, drawn)
    return paths, list(dict.fromkeys(warnings))  # Figures 2 and 5 lack the same maps


def _save(plan: Plan, drawn: Drawn) -> list[Path]:
    """Write a figure in all formats, each file whole or not at all, and last its caption."""
    import matplotlib

    plan.out.mkdir(parents=True, exist_ok=True)
    undated: dict[str, dict[str, Any]] = {
        "png": {},
        "pdf": {"CreationDate": None},
        "svg": {"Date": None},
    }
    paths = []
    for form in plan.formats:
        path = plan.out / f"{drawn.name}.{form}"
        with replacing(path) as partial, matplotlib.rc_context():
            matplotlib.rcParams["svg.hashsalt"] = "uhcs-bench"  # the same figure, the same file
            drawn.figure.savefig(partial, format=form, dpi=panels.DPI, metadata=undated[form])
        paths.append(path)
    with replacing(plan.out / f"{drawn.name}.txt") as partial:
        partial.write_text(drawn.caption + "\n", encoding="utf-8")
    return paths


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
                    f"`python -m baselines run {method} --task {task}` makes them."
                )
        return warnings

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


def figure_2(board: Board) -> Drawn:
    """Draw micrographs, annotations and the maps of all methods (microconstituents).

    Parameters
    ----------
    board : Board

    Returns
    -------
    Drawn
    """
    task = protocol.TASKS["microconstituents"]
    micrographs = board.micrographs[task.name]
    methods = reproduce.METHODS
    labels = ["micrograph", "annotation", *(_row_label(board, m, task.name) for m in methods)]
    sheet = panels.Sheet(
        [
            panels.image_row(micrographs, label, 0.2 if n > 1 else 0)
            for n, label in enumerate(labels)
        ],
        len(micrographs),
        bottom=0.3,
    )
    facts = []
    for column, micrograph in zip(sheet.columns, micrographs, strict=True):
        image, annotation, *predictions = column
        panels.show_micrograph(image, micrograph, title=True)
        panels.show_map(annotation, micrograph.labels, task)
        for axes, method in zip(predictions, methods, strict=True):
            predicted = board.map(method, micrograph.entry)
            if predicted is None:
                panels.show_missing(axes, micrograph)
                continue
            panels.show_map(axes, predicted, task)
            score = _score(micrograph, predicted)
            axes.set_xlabel(score, fontsize=panels.SMALL_PT, labelpad=2)
            facts.append(f"{micrograph.id}, {method}: {score}")
    panels.class_legend(sheet.figure, task)
    caption = _caption(
        board,
        "Figure 2. Segmentation of microconstituents",
        f"Columns: {_ids(micrographs)}. Rows: micrograph, annotation, then what each method "
        "predicts; no trained model has seen the micrograph's fold. Below each map stand "
        "IU, the mean over the classes that are annotated or predicted, and the share of correct "
        "pixels AC, in percent.",
        [board.path(m, e.entry) for m in methods for e in micrographs],
        facts,
        micrographs,
    )
    return Drawn("figure-2", sheet.figure, caption, tuple(board.missing(task.name, methods)))


def figure_3(board: Board) -> Drawn:
    """Draw predicted particles over micrographs, and their sizes beside the annotated ones.

    Parameters
    ----------
    board : Board

    Returns
    -------
    Drawn
    """
    task, method = protocol.TASKS["particles"], board.plan.method
    micrographs = board.micrographs[task.name]
    sheet = panels.Sheet(
        [
            panels.image_row(micrographs, _row_label(board, method, task.name)),
            panels.Row(1.35, "share of particles", below=0.45),
            panels.Row(1.35, "cumulative share", below=0.75),
        ],
        len(micrographs),
        bottom=0.3,
    )
    facts = []
    for (image, histogram, cumulative), micrograph in zip(sheet.columns, micrographs, strict=True):
        predicted = board.map(method, micrograph.entry)
        panels.show_micrograph(image, micrograph, title=True)
        samples = {"annotated": _areas(micrograph.labels)}
        if predicted is None:
            panels.write_missing(image)
        else:
            panels.overlay(image, predicted == protocol.PARTICLE_LABEL, panels.PREDICTED_COLOR, 0.6)
            samples["predicted"] = _areas(predicted)
        panels.draw_sizes(histogram, samples, micrograph.pixel_size_um)
        panels.draw_cumulative(cumulative, samples, micrograph.pixel_size_um)
        verdict = _verdict(samples)
        panels.write_below(cumulative, verdict)
        counts = ", ".join(f"{len(areas)} {name}" for name, areas in samples.items())
        facts.append(f"{micrograph.id}: {counts}; " + " ".join(verdict.split("\n")))
    sheet.share_y(1)
    sheet.share_y(2)
    panels.line_legend(
        sheet.figure, [("annotated", panels.ANNOTATED_COLOR), ("predicted", panels.PREDICTED_COLOR)]
    )
    caption = _caption(
        board,
        "Figure 3. Segmentation of single particles",
        f"Columns: {_ids(micrographs)}. Rows: particles that {method} predicts, drawn over the "
        "micrograph; sizes of predicted and annotated particles, in classes that double the area; "
        "their cumulative distributions, with the largest difference (KS) and the verdict of the "
        f"two-sample Kolmogorov-Smirnov test at the level {protocol.KS_ALPHA:g}. Sizes are "
        "diameters of circles of equal area of 8-connected components; none is left out.",
        [board.path(method, m.entry) for m in micrographs],
        facts,
        micrographs,
    )
    return Drawn("figure-3", sheet.figure, caption, tuple(board.missing(task.name, [method])))


def figure_4(board: Board) -> Drawn | str:
    """Draw the combined analysis: particles inside predicted spheroidite, and their sizes.

    Parameters
    ----------
    board : Board

    Returns
    -------
    Drawn or str
        Without a particle model a warning instead.
    """
    if board.plan.particle_model is None:
        return (
            "Figure 4 was left out: it needs a particle model. Give one with --particle-model, "
            "such as runs/folds/pixelnet-focal/particles/0/checkpoint.pt, which `python -m "
            "baselines run pixelnet-focal --task particles --folds 0 --out runs/` trains."
        )
    task, method = protocol.TASKS["microconstituents"], board.plan.method
    micrographs = board.micrographs[task.name]
    particle_maps, model = particle_predictions(board)
    sheet = panels.Sheet(
        [
            panels.image_row(micrographs, "micrograph"),
            panels.image_row(micrographs, _row_label(board, method, task.name)),
            panels.Row(1.35, "share of particles", below=0.48),
            panels.Row(1.35, "diameter / its mean", below=0.4),
        ],
        len(micrographs),
        bottom=0.45,
    )
    facts = []
    for column, micrograph in zip(sheet.columns, micrographs, strict=True):
        image, overlay, histogram, distances = column
        panels.show_micrograph(image, micrograph, title=True)
        predicted = board.map(method, micrograph.entry)
        if predicted is None:
            for axes in (overlay, histogram, distances):
                panels.show_missing(axes, micrograph)
            continue
        found = combined.combine(particle_maps[micrograph.id], predicted, micrograph.pixel_size_um)
        panels.show_map(overlay, predicted, task)
        panels.overlay(overlay, found.particle_map != 0, panels.PREDICTED_COLOR, 1)
        areas = found.particles.table["area_px"]
        panels.draw_sizes(histogram, {"predicted": areas}, micrograph.pixel_size_um)
        specks = panels.percent(found.n_specks, len(areas))
        text = f"{len(areas)} particles\n{specks} of at most {combined.SPECK_PX} px"
        panels.write_inside(histogram, text)
        trend = panels.draw_by_distance(distances, found)
        facts.append(
            f"{micrograph.id}: {len(areas)} particles left, {found.n_cut} of them cut by the "
            f"spheroidite's boundary, {found.n_dropped} dropped; {found.n_specks} of at most "
            f"{combined.SPECK_PX} px; {trend}"
        )
    sheet.share_y(2, headroom=1.3)
    sheet.share_y(3, headroom=1.2)
    panels.write_note(sheet.figure, "Resolution is too low for exact size distributions.")
    panels.class_legend(sheet.figure, task, [("particle", panels.PREDICTED_COLOR)])
    caption = _caption(
        board,
        "Figure 4. Particles inside predicted spheroidite",
        f"Columns: {_ids(micrographs)}. Rows: micrograph; microconstituents as {method} predicts "
        f"them, with the particles that a particle model finds ({model}), of which those outside "
        "predicted spheroidite are dropped; sizes of the particles that are left, in classes that "
        "double the area; mean diameter, over the micrograph's mean, of particles at "
        "different distances from the network, with 95 % intervals, and Spearman's rank "
        f"correlation rho of diameter and distance. {combined.WARNING}",
        [board.path(method, m.entry) for m in micrographs],
        facts,
        micrographs,
    )
    warnings = board.missing(task.name, [method])
    return Drawn("figure-4", sheet.figure, caption, tuple(warnings))


def figure_5(board: Board) -> Drawn:
    """Draw denuded-zone interfaces over micrographs, and the zones' widths.

    Parameters
    ----------
    board : Board

    Returns
    -------
    Drawn
    """
    task, method = protocol.TASKS["microconstituents"], board.plan.method
    micrographs = board.micrographs[task.name]
    sheet = panels.Sheet(
        [
            panels.image_row(micrographs, "annotation"),
            panels.image_row(micrographs, _row_label(board, method, task.name)),
            panels.Row(1.35, "share of interface", below=0.75),
        ],
        len(micrographs),
        bottom=0.3,
    )
    facts = []
    for column, micrograph in zip(sheet.columns, micrographs, strict=True):
        annotated, predicted, histogram = column
        panels.show_micrograph(annotated, micrograph, title=True)
        zones = {"annotated": denuded_zone.denuded_zone_widths(micrograph.labels)}
        panels.draw_interfaces(annotated, zones["annotated"])
        labels = board.map(method, micrograph.entry)
        panels.show_micrograph(predicted, micrograph)
        if labels is None:
            panels.write_missing(predicted)
        else:
            zones["predicted"] = denuded_zone.denuded_zone_widths(labels)
            panels.draw_interfaces(predicted, zones["predicted"])
        fact = panels.draw_widths(histogram, zones, micrograph.pixel_size_um)
        facts.append(f"{micrograph.id}: {fact}")
    sheet.share_y(2, headroom=1.15)
    _, network, spheroidite, _ = task.colors
    panels.line_legend(
        sheet.figure,
        [
            ("interface of the network", network),
            ("interface of the denuded zone", spheroidite),
            ("widths, annotated", panels.ANNOTATED_COLOR),
            ("widths, predicted", panels.PREDICTED_COLOR),
        ],
    )
    caption = _caption(
        board,
        "Figure 5. Widths of the denuded zone",
        f"Columns: {_ids(micrographs)}. Rows: interfaces of the network (blue) and of the denuded "
        f"zone (yellow) in the annotation; the same as {method} predicts; widths of the zone, "
        "that is, distances to the network at every pixel of the zone's interface, as the authors' "
        "code takes them. Dashed lines and numbers are means with 95 % intervals.",
        [board.path(method, m.entry) for m in micrographs],
        facts,
        micrographs,
    )
    return Drawn("figure-5", sheet.figure, caption, tuple(board.missing(task.name, [method])))


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
        raise UhcsBenchError(f"There is no checkpoint {source}.")
    with source.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    folder = plan.out / _MAP_FOLDER / digest[:16]
    micrographs = board.micrographs["microconstituents"]
    maps: dict[str, NDArray[np.uint8]] = {}
    for micrograph in micrographs:
        kept = folder / f"{micrograph.id}.png"
        if (folder / "model.json").is_file() and kept.is_file():
            try:
                labels = label_maps.read_map(kept, protocol.TASKS["particles"].classes)
            except ImageError:
                continue  # it is predicted anew
            if labels.shape == micrograph.image.shape:
                maps[micrograph.id] = labels
    todo = [micrograph for micrograph in micrographs if micrograph.id not in maps]
    if todo:
        from baselines import checkpoint, hardware, prediction

        device = hardware.choose_device("auto")
        loaded = checkpoint.load(source, device)
        if loaded.task != "particles":
            raise UsageError(
                f"{source} is a model for {loaded.task}; --particle-model needs one for particles."
            )
        for micrograph in tqdm(todo, desc="particles", unit="micrograph", disable=None):
            maps[micrograph.id] = prediction.segment(loaded.model, micrograph.image)
            kept = folder / f"{micrograph.id}.png"
            kept.unlink(missing_ok=True)  # a damaged one
            label_maps.write_label_map(kept, maps[micrograph.id])
        about = {"method": loaded.configuration.method, "fold": loaded.fold, "sha256": digest}
        records.write_json(folder / "model.json", about)
    about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    text = f"{about['method']}, trained without fold {about['fold']}"
    seen = seen_in_training(board.entries["microconstituents"], int(about["fold"]), plan.version)
    if seen:
        text += f"; it has seen {' and '.join(seen)} in training"
    return maps, text


def seen_in_training(shown: Iterable[Entry], fold: int, version: str) -> list[str]:
    """Find micrographs that the particle set has too, in another fold (UHCSDB's key tells)."""
    trained_on = {
        entry.uhcsdb_id
        for entry in dataset.catalogue("particles", version)
        if entry.fold != fold and entry.uhcsdb_id is not None
    }
    return [entry.id for entry in shown if entry.uhcsdb_id in trained_on]


def _row_label(board: Board, method: str, task: protocol.TaskName) -> str:
    n, n_all = board.count(method, task)
    return method if n in (0, n_all) else f"{method}\n({n} of {n_all} maps)"


def _areas(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    return components.particle_areas(labels == protocol.PARTICLE_LABEL)


def _verdict(samples: dict[str, NDArray[np.int64]]) -> str:
    if len(samples) < 2:
        return "not predicted:\nno verdict"
    annotated, predicted = samples["annotated"], samples["predicted"]
    statistic, p_value = particle_sizes.ks_test(annotated, predicted)
    consistent = particle_sizes.not_rejected(annotated, predicted, p_value)
    words = "equality not rejected" if consistent else "equality rejected"
    if math.isnan(statistic):
        return f"a map without particles:\n{words}"
    p = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"
    return f"D {statistic:.2f}, {p}:\n{words}"


def _score(micrograph: Micrograph, predicted: NDArray[np.uint8]) -> str:
    n_classes = len(protocol.TASKS[micrograph.task].classes)
    confusion = metrics.confusion_matrix(micrograph.labels, predicted, n_classes)
    mean_iu = float(np.nanmean(metrics.intersection_over_union(confusion)))
    return f"IU {100 * mean_iu:.1f}, AC {100 * float(metrics.accuracy(confusion)):.1f}"


def _ids(micrographs: Iterable[Micrograph]) -> str:
    return ", ".join(micrograph.id for micrograph in micrographs)


def _caption(
    board: Board,
    title: str,
    text: str,
    paths: Iterable[Path],
    facts: Sequence[str],
    micrographs: Sequence[Micrograph],
) -> str:
    """Say what was drawn from what, and under which licence."""
    plan = board.plan
    if plan.version == protocol.SYNTHETIC_VERSION:
        title += " (SYNTHETIC set, not real micrographs)"
    unknown = [m.id for m in micrographs if m.pixel_size_um is None]
    if unknown:
        text += f" Pixel size unknown: {', '.join(unknown)}; lengths there are in pixels."
    paths = list(paths)
    lines = [
        textwrap.fill(f"{title}. {text}", 80),
        "",
        *facts,
        "",
        "Maps:",
        *(f"  {path}{'' if path.is_file() else ' (missing)'}" for path in paths),
        "",
        f"Data set version {plan.version}, uhcs-bench {uhcs_bench.__version__}. Drawn by",
        f"  {plan.command}",
        "",
        "Micrographs:",
        *_licences(micrographs),
    ]
    return "\n".join(lines)


def _licences(micrographs: Iterable[Micrograph]) -> list[str]:
    licences = dict.fromkeys(m.entry.licence for m in micrographs)
    citations = dict.fromkeys(text for m in micrographs for text in m.entry.citation)
    return [f"  {text}" for text in (*licences, *citations)]
