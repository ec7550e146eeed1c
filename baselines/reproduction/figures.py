"""Redraw the paper's Figures 2 to 5 from label maps.

Which micrographs the paper shows is not on record. `figure_board.SHOWN` has those that fit what its
text states of each panel. A map that is not there is shown as missing; nothing is put in its place.

The figures show real micrographs, which have a licence of their own (CC BY-SA 3.0 US): beside each
figure is a text with what was drawn from which maps, whom to cite, and the numbers in it.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import uhcs_bench
from baselines.reproduction import panels, reproduce
from baselines.reproduction.figure_board import Board, Plan, particle_predictions
from uhcs_bench import protocol
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io import atomic
from uhcs_bench.io.atomic import replacing
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
    """Write a figure in all formats, each file atomically, and last its caption."""
    import matplotlib

    atomic.make_folder(plan.out)
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


def figure_2(board: Board) -> Drawn:
    """Draw micrographs, annotations and the maps of all methods (microconstituents)."""
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
    return _drawn(
        board,
        2,
        "Segmentation of microconstituents",
        "Rows: micrograph, annotation, then what each method "
        "predicts; no trained model has seen the micrograph's fold. Below each map stand "
        "IU, the mean over the classes that are annotated or predicted, and the share of correct "
        "pixels AC, in percent.",
        sheet.figure,
        facts,
        methods,
        task.name,
    )


def figure_3(board: Board) -> Drawn:
    """Draw predicted particles over micrographs, and their sizes beside the annotated ones."""
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
    return _drawn(
        board,
        3,
        "Segmentation of single particles",
        f"Rows: particles that {method} predicts, drawn over the "
        "micrograph; sizes of predicted and annotated particles, in classes that double the area; "
        "their cumulative distributions, with the largest difference (KS) and the verdict of the "
        f"two-sample Kolmogorov-Smirnov test at the level {protocol.KS_ALPHA:g}. Sizes are "
        "diameters of circles of equal area of 8-connected components; none is left out.",
        sheet.figure,
        facts,
        [method],
        task.name,
    )


def figure_4(board: Board) -> Drawn | str:
    """Draw the combined analysis: particles inside predicted spheroidite, and their sizes.

    Without a particle model it is a warning instead.
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
    return _drawn(
        board,
        4,
        "Particles inside predicted spheroidite",
        f"Rows: micrograph; microconstituents as {method} predicts "
        f"them, with the particles that a particle model finds ({model}), of which those outside "
        "predicted spheroidite are dropped; sizes of the particles that are left, in classes that "
        "double the area; mean diameter, over the micrograph's mean, of particles at "
        "different distances from the network, with 95 % intervals, and Spearman's rank "
        f"correlation rho of diameter and distance. {combined.WARNING}",
        sheet.figure,
        facts,
        [method],
        task.name,
    )


def figure_5(board: Board) -> Drawn:
    """Draw denuded-zone interfaces over micrographs, and the zones' widths."""
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
    return _drawn(
        board,
        5,
        "Widths of the denuded zone",
        f"Rows: interfaces of the network (blue) and of the denuded "
        f"zone (yellow) in the annotation; the same as {method} predicts; widths of the zone, "
        "that is, distances to the network at every pixel of the zone's interface, as the authors' "
        "code takes them. Dashed lines and numbers are means with 95 % intervals.",
        sheet.figure,
        facts,
        [method],
        task.name,
    )


def _row_label(board: Board, method: str, task: protocol.TaskName) -> str:
    n, n_all = board.count(method, task)
    return method if n in (0, n_all) else f"{method}\n({n} of {n_all} maps)"


def _areas(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    return components.particle_areas(labels == protocol.PARTICLE_LABEL)


def _verdict(samples: dict[str, NDArray[np.int64]]) -> str:
    if len(samples) < 2:
        return "not predicted:\nno verdict"
    statistic, p_value, consistent = particle_sizes.compared_sizes(
        samples["annotated"], samples["predicted"]
    )
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


def _drawn(
    board: Board,
    number: int,
    title: str,
    rows: str,
    figure: Figure,
    facts: Sequence[str],
    methods: Sequence[str],
    task: protocol.TaskName,
) -> Drawn:
    """Give a figure of a task's micrographs, with its caption and what its methods lack."""
    micrographs = board.micrographs[task]
    caption = _caption(
        board,
        f"Figure {number}. {title}",
        f"Columns: {', '.join(m.id for m in micrographs)}. {rows}",
        [board.path(method, m.entry) for method in methods for m in micrographs],
        facts,
        micrographs,
    )
    return Drawn(f"figure-{number}", figure, caption, tuple(board.missing(task, methods)))


def _caption(
    board: Board,
    title: str,
    text: str,
    paths: Iterable[Path],
    facts: Sequence[str],
    micrographs: Sequence[Micrograph],
) -> str:
    """Describe a figure: its rows, the maps that it shows, its numbers and licences."""
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
