"""Plots of measurements: the distribution of sizes or widths in a map, and all maps in one."""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.errors import MissingPackageError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from uhcs_bench.io.tables import Row
    from uhcs_bench.measuring.row import Measurement

MOST_NAMES = 60
"""Maps up to which an overview names each."""

MOST_LETTERS = 40
"""Length up to which a map's name is written in full."""

_N_BINS = 24
_DPI = 120
_GRAY = "#555555"


def check() -> None:
    """See that plots can be drawn.

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingPackageError("The drawing of plots", "measure") from error


def distribution(found: Measurement) -> bytes:
    """Plot the distribution of particle diameters or denuded-zone widths of a map.

    Parameters
    ----------
    found : Measurement

    Returns
    -------
    bytes
        A PNG file. Lengths are in micrometres if the pixel size is known, else in pixels.
    """
    figure = _figure(6.4, 4.0)
    axes = figure.subplots()
    unit = "px" if found.scale.um is None else "um"
    if protocol.TASKS[found.task].has_particles:
        _draw_sizes(axes, found, unit)
    else:
        _draw_widths(axes, found, unit)
    pixel = "pixel size unknown" if found.scale.um is None else f"pixel {found.scale.um:g} µm"
    title = f"{_short(str(found.row['id']))}, {pixel}"
    style = {"loc": "outside upper left", "frameon": False, "fontsize": 8, "alignment": "left"}
    handles, labels = axes.get_legend_handles_labels()
    legend = figure.legend(handles, labels, title=title, title_fontsize=10, **style)
    legend.get_title().set_parse_math(False)  # a file's name may hold "$"
    return _png(figure)


def overview(rows: Iterable[Row], task: str) -> bytes:
    """Plot the median size or mean width of all maps, with 95 % intervals.

    Parameters
    ----------
    rows : iterable of dict
        See `uhcs_bench.measuring.columns.columns`.
    task : str

    Returns
    -------
    bytes
        A PNG file. In micrometres, without the maps whose pixel size is unknown; in pixels only if
        no map has one, since maps of different magnification can't be compared in pixels.
    """
    has_particles = protocol.task(task).has_particles
    series = (
        {"diameter_median": "median diameter"}
        if has_particles
        else {
            "zone_width_mean": "along unobstructed lines",
            "authors_zone_width_mean": "authors' procedure",
        }
    )
    names: list[str] = []
    numbers: list[list[float]] = []
    is_scaled: list[bool] = []
    columns = [f"{name}_{unit}{end}" for unit in _UNITS for name in series for end in _ENDS]
    for row in rows:
        names.append(_short(str(row["id"])))
        numbers.append([_number(row[column]) for column in columns])
        is_scaled.append(row["pixel_size_um"] is not None)
    table = np.array(numbers).reshape(len(numbers), len(_UNITS), len(series), len(_ENDS))
    unit = "um" if any(is_scaled) else "px"
    if unit == "um":
        names = [
            name if scaled else f"{name} (no pixel size)"
            for name, scaled in zip(names, is_scaled, strict=True)
        ]
    values = table[:, list(_UNITS).index(unit)]
    title = "median particle diameter" if has_particles else "mean denuded-zone width"
    figure = _figure(6.4, 1.6 + 0.2 * min(len(names), MOST_NAMES))
    axes = figure.subplots()
    colors = [_color(task), _GRAY]
    for number, (label, color) in enumerate(zip(series.values(), colors, strict=False)):
        value, low, high = values[:, number].T
        y = np.arange(len(names)) + 0.25 * number
        bars = np.abs(np.stack([value - low, high - value]))
        axes.errorbar(
            value, y, xerr=np.nan_to_num(bars), fmt="o", ms=4, lw=1, color=color, label=label
        )
    axes.set_xlabel(f"{title} ({_UNITS[unit]}), 95 % interval")
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.set_xlim(left=0)
    if len(names) <= MOST_NAMES:
        axes.set_yticks(range(len(names)), names, fontsize=8, parse_math=False)
    else:
        axes.set_ylabel("number of the file")
    axes.grid(axis="x", alpha=0.3)
    if len(series) > 1:
        figure.legend(loc="outside upper right", ncols=2, frameon=False, fontsize=8)
    return _png(figure)


_UNITS = {"px": "px", "um": "µm"}
_ENDS = ("", "_low", "_high")


def _short(name: str) -> str:
    """Cut a name that would leave the plot no room."""
    name = printable(name)
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan


def _color(task: str) -> str:
    """Give the colour of what is measured: particles, or the matrix that the zone is made of."""
    found = protocol.task(task)
    return found.colors[protocol.PARTICLE_LABEL if found.has_particles else 0]


def _draw_sizes(axes: Any, found: Measurement, unit: str) -> None:
    if found.particles is None or found.lognormal is None:
        return
    table = found.particles.table
    table = table[table["edge_weight"] > 0]
    if not len(table):
        _draw_nothing(axes, found)
        return
    scale = found.scale.um if unit == "um" and found.scale.um is not None else 1.0
    edges = _size_edges(table["area_px"]) * scale
    diameters, weights = table["diameter_px"] * scale, table["edge_weight"]
    counts, _ = np.histogram(diameters, edges, weights=weights)
    density = counts / weights.sum() / np.diff(np.log(edges))
    axes.stairs(
        density,
        edges,
        fill=True,
        color=_color(found.task),
        alpha=0.55,
        label=f"{len(table)} whole particles",
    )
    fit = found.lognormal
    median = fit.median.px if unit == "px" else fit.median.um
    if fit.sigma.value > 0:
        x = np.geomspace(edges[0], edges[-1], 400)
        z = np.log(x / median.value) / fit.sigma.value
        axes.plot(
            x,
            np.exp(-(z**2) / 2) / (fit.sigma.value * math.sqrt(2 * math.pi)),
            color="black",
            lw=1.2,
            label=f"lognormal, median {_said(found.row, 'lognormal_median', unit)}, "
            f"sigma {fit.sigma.value:.2f}, KS distance {fit.ks_distance:.2f}",
        )
    middle = found.row[f"diameter_median_{unit}"]
    axes.axvline(
        middle,
        color=_GRAY,
        ls="--",
        lw=1,
        label=f"median {_said(found.row, 'diameter_median', unit)}",
    )
    _mark_logarithms(axes)
    axes.set_xlabel(f"equivalent circular diameter ({_UNITS[unit]})")
    axes.set_ylabel("share of particles per ln(diameter)")


def _mark_logarithms(axes: Any) -> None:
    """Label 1, 2 and 5 of each decade alone, or labels of narrow axes overlap."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _size_edges(areas: NDArray[np.int64]) -> NDArray[np.float64]:
    """Bins of diameter, about even on a logarithmic axis, between the areas that pixels allow."""
    last = float(areas.max()) + 1
    edges = np.unique(np.round(np.geomspace(1, last, _N_BINS + 1))) - 0.5
    if len(edges) == 1:
        edges = np.array([edges[0], edges[0] + 1])
    widened: NDArray[np.float64] = 2 * np.sqrt(edges / math.pi)
    return widened


def _draw_widths(axes: Any, found: Measurement, unit: str) -> None:
    scale = found.scale.um if unit == "um" and found.scale.um is not None else 1.0
    drawn = [
        (zone.widths_px * scale, zone.weights, name, prefix)
        for zone, name, prefix in (
            (found.zone, "unobstructed lines", "zone_width_mean"),
            (found.authors_zone, "authors' procedure", "authors_zone_width_mean"),
        )
        if zone is not None and len(zone)
    ]
    if not drawn:
        _draw_nothing(axes, found)
        return
    # Without the last percent, which would leave the rest no room.
    longest = max(float(np.quantile(widths, 0.99)) for widths, *_ in drawn) or 1.0
    # Half a pixel beside whole numbers, which widths along rows and columns are.
    step = scale * max(1, round(longest / scale / 30))
    edges = np.arange(-scale / 2, longest + step, step)
    for (widths, weights, name, prefix), color in zip(
        drawn, (_color(found.task), _GRAY), strict=False
    ):
        counts, _ = np.histogram(widths, edges, weights=weights)
        label = f"{name}: mean {_said(found.row, prefix, unit)}, n = {len(widths)}"
        is_first = color != _GRAY
        axes.stairs(
            counts / weights.sum() / step,
            edges,
            fill=is_first,
            color=color,
            alpha=0.6 if is_first else 1.0,
            lw=1.2,
            label=label,
        )
        axes.axvline(found.row[f"{prefix}_{unit}"], color=color, ls="--", lw=1)
    axes.set_xlim(0, edges[-1])
    axes.set_xlabel(f"denuded-zone width ({_UNITS[unit]})")
    axes.set_ylabel(f"share per {_UNITS[unit]}")


def _draw_nothing(axes: Any, found: Measurement) -> None:
    axes.set_axis_off()
    reason = str(found.row["reason"]).replace("; ", "\n") or "nothing to measure"
    axes.text(0.5, 0.5, reason, ha="center", va="center", color=_GRAY, transform=axes.transAxes)


def _said(row: Row, name: str, unit: str) -> str:
    """Word a length with its interval."""
    value, low, high = (_number(row[f"{name}_{unit}{end}"]) for end in _ENDS)
    text = f"{value:.3g} {_UNITS[unit]}"
    return text if math.isnan(low) else f"{text} ({low:.3g} to {high:.3g})"


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # A name may have letters that the font lacks; the plot shows boxes for them.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(stream, format="png", dpi=_DPI)
    return stream.getvalue()
