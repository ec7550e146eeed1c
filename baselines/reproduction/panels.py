"""The panels of the figures: micrographs, maps, overlays and distributions, placed in inches."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.metallography import denuded_zone
from uhcs_bench.metallography.components import equivalent_diameters
from uhcs_bench.metallography.labels import NETWORK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from uhcs_bench.data.micrograph import Micrograph
    from uhcs_bench.metallography.denuded_zone import DenudedZone
    from uhcs_bench.metallography.spheroidite import CombinedAnalysis

DPI = 300
PANEL_INCHES = 645 / DPI
"""So that a pixel of a real micrograph is a dot of the figure."""

ANNOTATED_COLOR, PREDICTED_COLOR = "#000000", protocol.TASKS["particles"].colors[1]
_GAP_COLOR = protocol.TASKS["microconstituents"].colors[1]
_ANNOTATED_FILL = "#b0b0b0"

FONT_PT, SMALL_PT = 9, 7.5

MISSING = "missing"
"""What stands in place of a map that is not there."""

EMPTY = "empty"
"""Mark of a plot that has nothing to draw, and says why."""

_TOP_INCHES, _LEFT_INCHES, _RIGHT_INCHES, _GAP_INCHES = 0.3, 0.82, 0.12, 0.09


@dataclass(frozen=True)
class Row:
    """A row of panels.

    Attributes
    ----------
    height, below : float
        Of a panel, and of the space below it for text, in inches.
    label : str
        Left of the row.
    """

    height: float
    label: str
    below: float = 0.0


def image_row(micrographs: Sequence[Micrograph], label: str, below: float = 0.0) -> Row:
    """Make a row of panels as high as the largest micrograph needs."""
    rows, columns = np.max([m.image.shape for m in micrographs], axis=0)
    return Row(PANEL_INCHES * float(rows) / float(columns), label, below)


class Sheet:
    """A figure of panels in rows and columns, placed in inches."""

    def __init__(self, rows: Sequence[Row], n_columns: int, bottom: float) -> None:
        from matplotlib.figure import Figure

        width = (
            _LEFT_INCHES + n_columns * PANEL_INCHES + (n_columns - 1) * _GAP_INCHES + _RIGHT_INCHES
        )
        height = _TOP_INCHES + sum(row.height + row.below + _GAP_INCHES for row in rows) + bottom
        self.figure = Figure(figsize=(width, height))
        self.columns: list[list[Axes]] = []
        letters = iter("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" * 9)
        grid: list[list[Axes]] = []
        y = height - _TOP_INCHES
        for row in rows:
            y -= row.height
            grid.append([])
            for column in range(n_columns):
                x = _LEFT_INCHES + column * (PANEL_INCHES + _GAP_INCHES)
                axes = self.figure.add_axes(
                    (x / width, y / height, PANEL_INCHES / width, row.height / height)
                )
                axes.tick_params(labelsize=SMALL_PT)
                grid[-1].append(axes)
                _write_letter(axes, next(letters))
            grid[-1][0].set_ylabel(row.label)
            grid[-1][0].yaxis.set_label_coords(-0.42 / PANEL_INCHES, 0.5)
            y -= row.below + _GAP_INCHES
        self.columns = [list(column) for column in zip(*grid, strict=True)]

    def share_y(self, row: int, headroom: float = 1.0) -> None:
        """Give a row of plots one scale, with numbers on the left alone."""
        from matplotlib.ticker import MaxNLocator

        plots = [c[row] for c in self.columns if c[row].get_gid() not in (MISSING, EMPTY)]
        limits = [axes.get_ylim() for axes in plots]
        for axes in plots:
            bottom, top = min(low for low, _ in limits), max(high for _, high in limits)
            axes.set_ylim(bottom, bottom + headroom * (top - bottom))
            axes.yaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 5, 10)))
            axes.tick_params(labelleft=axes is self.columns[0][row])


def _write_letter(axes: Axes, letter: str) -> None:
    axes.annotate(
        letter,
        (0, 1),
        xytext=(4, -4),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        fontweight="bold",
        zorder=9,
        bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"},
    )


def show_micrograph(axes: Axes, micrograph: Micrograph, title: bool = False) -> None:
    """Show a micrograph in its own gray levels, with a scale bar."""
    axes.imshow(micrograph.image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    _without_ticks(axes)
    _draw_scale_bar(axes, micrograph)
    if title:
        axes.set_title(micrograph.id, fontsize=FONT_PT, pad=4)


def show_map(axes: Axes, labels: NDArray[np.uint8], task: protocol.Task) -> None:
    """Show a label map in the protocol's colours."""
    from matplotlib.colors import ListedColormap

    axes.imshow(
        labels,
        cmap=ListedColormap(task.colors),
        vmin=-0.5,
        vmax=len(task.colors) - 0.5,
        interpolation="nearest",
    )
    _without_ticks(axes)


def _without_ticks(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])


def show_missing(axes: Axes, micrograph: Micrograph) -> None:
    """Fill a panel's place so that nobody takes it for a map."""
    rows, columns = micrograph.image.shape
    _without_ticks(axes)
    axes.set(xlim=(0, columns), ylim=(rows, 0), facecolor="#f2f2f2", gid=MISSING)
    for spine in axes.spines.values():
        spine.set(linestyle=(0, (4, 4)), color="#808080")
    axes.text(0.5, 0.5, MISSING, transform=axes.transAxes, ha="center", va="center")


def write_missing(axes: Axes) -> None:
    """Say on a micrograph that what should be drawn over it is not there."""
    edge = {"facecolor": "white", "edgecolor": "#808080", "linestyle": (0, (4, 4))}
    axes.text(0.5, 0.5, MISSING, transform=axes.transAxes, ha="center", va="center", bbox=edge)


def overlay(axes: Axes, mask: NDArray[np.bool_], color: str, alpha: float) -> None:
    """Colour the pixels of a mask."""
    from matplotlib.colors import to_rgba

    layer = np.zeros((*mask.shape, 4))
    layer[mask] = to_rgba(color, alpha)
    axes.imshow(layer, interpolation="nearest")


def scale_bar(pixel_size_um: float | None, n_columns: int) -> tuple[float, str]:
    """Choose a scale bar: a round length, at most a quarter of the image's width.

    Parameters
    ----------
    pixel_size_um : float or None
        Edge of a pixel in micrometres.
    n_columns : int
        Width of the image.

    Returns
    -------
    length_px : float
    label : str

    Examples
    --------
    >>> scale_bar(0.19417, 645)[1], scale_bar(None, 645)
    ('20 µm', (100.0, '100 px'))
    """
    scale, unit = (1.0, "px") if pixel_size_um is None else (pixel_size_um, "µm")
    limit = n_columns * scale / 4
    power = 10.0 ** math.floor(math.log10(limit))
    length = max(digit * power for digit in (1, 2, 5) if digit * power <= limit)
    return length / scale, f"{length:g} {unit}"


def _draw_scale_bar(axes: Axes, micrograph: Micrograph) -> None:
    """Draw the bar and its length on a dark box, readable on any micrograph."""
    from matplotlib.patches import Rectangle

    rows, columns = micrograph.image.shape
    length, label = scale_bar(micrograph.pixel_size_um, columns)
    pad, text, thickness = 0.02 * columns, 0.055 * columns, 0.012 * columns
    box = max(length, 0.16 * columns) + 2 * pad
    left, top = columns - box, rows - (text + thickness + 1.5 * pad)
    axes.add_patch(Rectangle((left, top), box, rows - top, color="black", alpha=0.65, lw=0))
    middle = left + box / 2
    bar = Rectangle((middle - length / 2, rows - pad - thickness), length, thickness, color="white",
                    lw=0, gid="scale bar")  # fmt: skip
    axes.add_patch(bar)
    axes.text(middle, top + 0.35 * pad, label, color="white", ha="center", va="top",
              fontsize=SMALL_PT)  # fmt: skip


def _diameters(areas: NDArray[Any], pixel_size_um: float | None) -> NDArray[np.float64]:
    return equivalent_diameters(areas) * (1 if pixel_size_um is None else pixel_size_um)


def _diameter_axis(axes: Axes, pixel_size_um: float | None) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"diameter, {'px' if pixel_size_um is None else 'µm'}", labelpad=1)


def draw_sizes(
    axes: Axes, samples: dict[str, NDArray[np.int64]], pixel_size_um: float | None
) -> None:
    """Draw size distributions in classes of area 1, 2 to 3, 4 to 7, 8 to 15 px, and so on.

    Narrower classes would show which areas have whole numbers of pixels.
    """
    largest = max((int(areas.max(initial=1)) for areas in samples.values()), default=1)
    limits = 2 ** np.arange(largest.bit_length() + 1) - 0.5
    edges = _diameters(limits, pixel_size_um)
    for name, areas in samples.items():
        if not len(areas):
            continue
        shares = np.histogram(areas, limits)[0] / len(areas)
        if name == "annotated":
            axes.stairs(shares, edges, fill=True, color=_ANNOTATED_FILL, label=name)
            axes.stairs(shares, edges, color=ANNOTATED_COLOR, linewidth=0.8)
        else:
            axes.stairs(shares, edges, color=PREDICTED_COLOR, linewidth=1.5, label=name)
    _diameter_axis(axes, pixel_size_um)
    axes.set_ylim(0, None)


def draw_cumulative(
    axes: Axes, samples: dict[str, NDArray[np.int64]], pixel_size_um: float | None
) -> None:
    """Draw cumulative distributions of sizes, and the largest difference of two."""
    curves = {}
    for name, areas in samples.items():
        color = ANNOTATED_COLOR if name == "annotated" else PREDICTED_COLOR
        if len(areas):
            curves[name] = _diameters(np.sort(areas), pixel_size_um)
            axes.ecdf(curves[name], color=color, linewidth=1.3, label=name)
    if len(curves) == 2:
        annotated, predicted = curves.values()
        at = np.unique(np.concatenate([annotated, predicted]))
        shares = [np.searchsorted(c, at, side="right") / len(c) for c in (annotated, predicted)]
        widest = int(np.abs(shares[0] - shares[1]).argmax())
        axes.vlines(at[widest], *(share[widest] for share in shares), color=_GAP_COLOR, linewidth=2)
    _diameter_axis(axes, pixel_size_um)
    axes.set_ylim(0, 1.02)


def draw_by_distance(axes: Axes, found: CombinedAnalysis) -> str:
    """Draw mean diameters by distance; say what the trend is."""
    scale, unit = (1.0, "px") if found.pixel_size_um is None else (found.pixel_size_um, "µm")
    if not found.by_distance:
        _leave_empty(axes, found.trend.reason)
        return found.trend.reason
    axes.set_xlabel(f"distance from network, {unit}", labelpad=1)
    axes.axhline(1, color="#808080", linewidth=0.8, zorder=0)
    overall = found.sizes.diameters.mean.px.value
    reach = 0.15
    for bin_ in found.by_distance:
        mean = bin_.diameters.mean.px * (1 / overall)
        near, far = bin_.near_px * scale, bin_.far_px * scale
        axes.hlines(mean.value, near, far, color=PREDICTED_COLOR, linewidth=1.8)
        axes.vlines((near + far) / 2, mean.low, mean.high, color=PREDICTED_COLOR, linewidth=1.2)
        reach = np.nanmax([reach, *np.abs(np.subtract([mean.value, mean.low, mean.high], 1))])
    axes.set_ylim(1 - 1.2 * reach, 1 + 1.2 * reach)
    axes.set_xlim(0, None)
    _part_ticks(axes)
    rho = found.trend.rho
    text = f"rho {rho.value:+.2f}" if not math.isnan(rho.value) else found.trend.reason
    if not math.isnan(rho.low):
        text += f" ({rho.low:+.2f} to {rho.high:+.2f})"
    text = text.replace("-", "\N{MINUS SIGN}")
    write_inside(axes, text)
    return text


def _leave_empty(axes: Axes, reason: str) -> None:
    _without_ticks(axes)
    axes.set_gid(EMPTY)
    _write_reason(axes, reason)


def _part_ticks(axes: Axes) -> None:
    """Write numbers on the axis, but not at its end, where the next plot's first one stands."""
    from matplotlib.ticker import MaxNLocator

    _, end = axes.get_xlim()
    ticks = MaxNLocator(5, steps=(1, 2, 5, 10)).tick_values(0, end)
    axes.set_xticks([tick for tick in ticks if 0 <= tick < 0.93 * end])
    axes.set_xlim(0, end)


def write_note(figure: Figure, text: str) -> None:
    """Write above the legend what holds for the whole figure."""
    height = figure.get_figheight()
    figure.text(0.5, 0.33 / height, text, ha="center", fontsize=SMALL_PT, style="italic")


def write_inside(axes: Axes, text: str) -> None:
    """Write in a plot's upper right corner."""
    axes.text(0.97, 0.95, text, transform=axes.transAxes, ha="right", va="top", fontsize=SMALL_PT)


def write_below(axes: Axes, text: str) -> None:
    """Write below the axis's label, where no curve can be in the way."""
    axes.annotate(
        text,
        (0.5, 0),
        xytext=(0, -32),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=SMALL_PT,
    )


def percent(part: int, whole: int) -> str:
    """Give a share in percent; "none" of nothing."""
    return f"{100 * part / whole:.0f} %" if whole else "none"


def draw_interfaces(axes: Axes, zone: DenudedZone) -> None:
    """Draw the outline of the network and the interface where widths are taken, 3 px wide."""
    from scipy import ndimage

    _, network, spheroidite, _ = protocol.TASKS["microconstituents"].colors
    if not len(zone):
        _write_reason(axes, zone.reason)
        return
    mask = zone.cleaned == NETWORK
    outline = mask & ~ndimage.binary_erosion(mask, border_value=1)
    wide = np.ones((3, 3), bool)
    # Blue on dark gray needs an edge.
    overlay(axes, ndimage.binary_dilation(outline, wide, iterations=2), "white", 1)
    overlay(axes, ndimage.binary_dilation(outline, wide), network, 1)
    overlay(axes, ndimage.binary_dilation(zone.interface), spheroidite, 1)


def _write_reason(axes: Axes, reason: str) -> None:
    axes.text(
        0.5,
        0.5,
        textwrap.fill(reason, 26),
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=SMALL_PT,
        bbox={"facecolor": "white", "edgecolor": "none"},
    )


def draw_widths(axes: Axes, zones: dict[str, DenudedZone], pixel_size_um: float | None) -> str:
    """Draw the widths' distributions; say what their means are."""
    scale, unit = (1.0, "px") if pixel_size_um is None else (pixel_size_um, "µm")
    samples = {name: zone.widths_px * scale for name, zone in zones.items() if len(zone)}
    # The few samples deep inside grains, see `uhcs_bench.metallography.denuded_zone`, would take
    # most of it.
    end = max((min(3 * float(np.median(w)), float(w.max())) for w in samples.values()), default=0.0)
    end = end or scale  # only widths of 0
    edges = np.linspace(0, end, 31)
    texts, beyond = [], []
    for name, zone in zones.items():
        if name not in samples:
            texts.append(f"{name}: {zone.reason}")
            continue
        widths = samples[name]
        shares = np.histogram(widths, edges)[0] / len(widths)
        found = denuded_zone.width_distribution(zone, pixel_size_um).mean
        mean = found.px if pixel_size_um is None else found.um
        color = ANNOTATED_COLOR if name == "annotated" else PREDICTED_COLOR
        if name == "annotated":
            axes.stairs(shares, edges, fill=True, color=_ANNOTATED_FILL)
        axes.stairs(shares, edges, color=color, linewidth=0.8 if name == "annotated" else 1.5)
        axes.axvline(mean.value, color=color, linewidth=1, linestyle=(0, (4, 3)))
        text = f"{name} {mean.value:.3g}"
        if not math.isnan(mean.low):
            text += f" ({mean.low:.3g} to {mean.high:.3g})"
        texts.append(f"{text} {unit}")
        beyond.append(f"{percent(int((widths > end).sum()), len(widths))} of {name}")
    texts += [f"{name}: {MISSING}" for name in ("annotated", "predicted") if name not in zones]
    write_below(axes, "\n".join(textwrap.fill(text, 40) for text in texts))
    if not samples:
        _leave_empty(axes, "no widths")
        return "; ".join(texts)
    axes.set_xlabel(f"width, {unit}", labelpad=1)
    axes.set_xlim(0, end)
    axes.set_ylim(0, None)
    _part_ticks(axes)
    return f"{'; '.join(texts)}; beyond the plot's end {' and '.join(beyond) or 'none'}"


def class_legend(figure: Figure, task: protocol.Task, more: Sequence[tuple[str, str]] = ()) -> None:
    """Name the colours of a task's classes, and more, below everything."""
    from matplotlib.patches import Patch

    named = [*zip(task.classes, task.colors, strict=True), *more]
    handles = [Patch(color=color, label=name) for name, color in named]
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False)


def line_legend(figure: Figure, lines: Sequence[tuple[str, str]]) -> None:
    """Name the colours of lines below everything."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=color, linewidth=2, label=name) for name, color in lines]
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False)
