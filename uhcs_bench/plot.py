"""Plots of micrographs, label maps and size distributions, drawn by matplotlib.

>>> import uhcs_bench
>>> micrograph = uhcs_bench.load("particles", version="synthetic")[0]
>>> figure = uhcs_bench.plot.micrograph(micrograph)

Each function returns a `matplotlib.figure.Figure`. Jupyter shows it, ``figure.savefig("a.png")``
saves it, ``matplotlib.pyplot.show()`` opens a window. matplotlib is imported when a plot is drawn.

Imports: `web` and what stands below it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.errors import MissingPackageError, UsageError
from uhcs_bench.metallography import arguments, components, denuded_zone
from uhcs_bench.web import pictures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from uhcs_bench.data.micrograph import Micrograph
    from uhcs_bench.web.pictures import LegendItem

__all__ = ["micrograph", "sizes", "widths"]

_PANEL_WIDTH = 4.0
_LINE_COLORS = ("#333333", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00")


def micrograph(shown: Micrograph, prediction: ArrayLike | None = None) -> Figure:
    """Draw a micrograph beside its annotation, and a prediction with its errors.

    Parameters
    ----------
    shown : Micrograph
    prediction : array_like of integers, shape (rows, columns), optional
        Predicted label map.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels, with `prediction` four. The scale bar needs a known pixel size. An error map
        shows wrong pixels in the colour of the predicted class; of particles also the hits.

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    UsageError
        If `prediction` is no label map of this micrograph.

    Examples
    --------
    >>> import uhcs_bench
    >>> shown = uhcs_bench.load("particles", version="synthetic")[0]
    >>> figure = micrograph(shown, shown.labels)
    >>> [axes.get_title() for axes in figure.axes[1:]]
    ['annotation', 'prediction', 'errors']
    """
    if getattr(shown, "task", None) not in protocol.TASKS:
        raise UsageError(
            f"The micrograph to draw can't be of type {type(shown).__name__}. Give one of "
            'uhcs_bench.load("particles"), such as its first, [0].'
        )
    task = protocol.TASKS[shown.task]
    drawn: list[tuple[str, NDArray[Any]]] = [
        (shown.id, np.repeat(shown.image[..., np.newaxis], 3, axis=2)),
        ("annotation", _colored(shown.labels, _palette(task))),
    ]
    legend = pictures.legend(task)
    if prediction is not None:
        predicted = _prediction(prediction, shown, task)
        indices, colors = pictures.errors(shown.labels, predicted, task)
        drawn += [
            ("prediction", _colored(predicted, _palette(task))),
            ("errors", _colored(indices, colors)),
        ]
        legend += [
            pictures.LegendItem(item.color, f"errors: {item.meaning}")
            for item in pictures.error_legend(task)
        ]
    rows, columns = shown.labels.shape
    height = _PANEL_WIDTH * rows / columns + 0.7
    figure, panels = _subplots(len(drawn), (_PANEL_WIDTH * len(drawn), height))
    for axes, (title, picture) in zip(panels, drawn, strict=True):
        axes.imshow(picture, interpolation="nearest")
        axes.set_title(title, fontsize=10, parse_math=False)
        axes.set_axis_off()
    _draw_scale_bar(panels[0], shown.pixel_size_um, columns, rows)
    _draw_legend(figure, legend)
    return figure


def sizes(maps: Mapping[str, ArrayLike], pixel_size_um: float | None = None) -> Figure:
    """Draw the cumulative distributions of particle diameters of several label maps.

    Parameters
    ----------
    maps : mapping of str to array_like of integers, shape (rows, columns)
        Label maps of particles (0 matrix, 1 particle) by the name for the legend.
    pixel_size_um : float, optional
        Edge of a pixel in micrometres. Without it the axis is in pixels.

    Returns
    -------
    matplotlib.figure.Figure
        Equivalent circular diameters of all 8-connected components, those at the border included,
        as in the paper's KS score.

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    UsageError
        If there are no maps, or one is no label map.

    Examples
    --------
    >>> figure = sizes({"two": np.eye(4, dtype=np.uint8), "none": np.zeros((4, 4), np.uint8)})
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['two (n = 1)', 'none (n = 0)']
    """
    samples = {}
    for name, labels in _maps(maps).items():
        areas = components.particle_areas(labels)
        samples[name] = (components.equivalent_diameters(areas), None)
    return _draw_distributions(samples, pixel_size_um, "equivalent circular diameter", "particles")


def widths(maps: Mapping[str, ArrayLike], pixel_size_um: float | None = None) -> Figure:
    """Draw the cumulative distributions of denuded-zone widths of several label maps.

    Parameters
    ----------
    maps : mapping of str to array_like of integers, shape (rows, columns)
        Label maps of microconstituents by the name for the legend.
    pixel_size_um : float, optional
        Edge of a pixel in micrometres. Without it the axis is in pixels.

    Returns
    -------
    matplotlib.figure.Figure
        Widths along unobstructed lines, weighted; see
        `uhcs_bench.metallography.unobstructed_widths`.

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    UsageError
        If there are no maps, or one is no label map.

    Examples
    --------
    >>> import uhcs_bench
    >>> shown = uhcs_bench.load("microconstituents", version="synthetic")[0]
    >>> widths({"annotation": shown.labels}, shown.pixel_size_um).axes[0].get_xlabel()
    'denuded-zone width (µm)'
    """
    samples = {}
    for name, labels in _maps(maps).items():
        zone = denuded_zone.unobstructed_widths(labels)
        samples[name] = (zone.widths_px, zone.weights)
    return _draw_distributions(samples, pixel_size_um, "denuded-zone width", "interface")


def _maps(maps: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.uint8]]:
    if not hasattr(maps, "items") or not maps:
        raise UsageError(
            f"The maps to draw can't be of type {type(maps).__name__}, or none at all. Give label "
            "maps by name, {name: array}."
        )
    return {str(name): arguments.as_map(labels, f"map {name!r}") for name, labels in maps.items()}


def _prediction(prediction: ArrayLike, shown: Micrograph, task: protocol.Task) -> NDArray[np.uint8]:
    predicted = arguments.as_labels(prediction, len(task.classes), "prediction")
    if predicted.shape != shown.labels.shape:
        raise UsageError(
            f"The prediction has the shape {predicted.shape}, the micrograph {shown.id} "
            f"{shown.labels.shape}. Give a label map of the micrograph's shape."
        )
    return predicted.astype(np.uint8)


def _palette(task: protocol.Task) -> list[tuple[int, int, int, int]]:
    return [pictures.rgba(color) for color in task.colors]


def _colored(
    indices: NDArray[np.uint8], colors: Sequence[tuple[int, int, int, int]]
) -> NDArray[np.uint8]:
    return np.array(colors, np.uint8)[indices]


def _subplots(number: int, size: tuple[float, float]) -> tuple[Figure, list[Any]]:
    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError as error:
        raise MissingPackageError("The drawing of plots", "notebook") from error
    figure, panels = plt.subplots(1, number, figsize=size, layout="constrained", squeeze=False)
    if "inline" in plt.get_backend():
        plt.close(figure)  # Jupyter shows the figure that a cell returns, and open figures again.
    return figure, list(panels[0])


def _draw_scale_bar(axes: Any, pixel_um: float | None, columns: int, rows: int) -> None:
    bar = pictures.scale_bar(pixel_um, columns)
    if bar is None:
        return
    right, y = 0.96 * columns, 0.95 * rows
    left = right - bar.share * columns
    style = {"color": "white", "solid_capstyle": "butt"}
    axes.plot([left, right], [y, y], lw=3, **style)
    box = {"facecolor": "black", "alpha": 0.6, "edgecolor": "none", "pad": 1.5}
    axes.text((left + right) / 2, y - 0.03 * rows, bar.label, color="white", ha="center",
              va="bottom", fontsize=9, bbox=box)  # fmt: skip


def _draw_legend(figure: Figure, items: Iterable[LegendItem]) -> None:
    from matplotlib.patches import Patch

    patches = [Patch(facecolor=i.color, edgecolor="#777777", label=i.meaning) for i in items]
    figure.legend(
        handles=patches, loc="outside lower center", ncols=len(patches), frameon=False, fontsize=9
    )


def _draw_distributions(
    samples: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64] | None]],
    pixel_size_um: float | None,
    quantity: str,
    counted: str,
) -> Figure:
    figure, (axes,) = _subplots(1, (6.0, 3.8))
    scale, unit = (1.0, "px") if pixel_size_um is None else (pixel_size_um, "µm")
    for number, (name, (values, weights)) in enumerate(samples.items()):
        order = np.argsort(values)
        steps = np.ones(len(values)) if weights is None else weights[order]
        shares = np.cumsum(steps) / steps.sum() if len(values) else steps
        color = _LINE_COLORS[number % len(_LINE_COLORS)]
        axes.step(scale * values[order], shares, where="post", color=color,
                  label=f"{name} (n = {len(values)})")  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(f"{quantity} ({unit})")
    axes.set_ylabel(f"share of {counted} up to it")
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure
