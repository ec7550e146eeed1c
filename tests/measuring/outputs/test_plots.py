"""Plots: what is drawn, in which unit, and that nothing to draw is no error."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from uhcs_bench.errors import MissingPackageError
from uhcs_bench.measuring import row
from uhcs_bench.measuring.outputs import plots
from uhcs_bench.measuring.pixel_size import Scale
from uhcs_bench.metallography.labels import MATRIX, NETWORK, SPHEROIDITE

SIZED, UNSIZED = Scale(0.1, "given by the user"), Scale(None, "none")


def network_map():
    labels = np.full((60, 80), SPHEROIDITE)
    labels[:, 20:30], labels[:, 10:20] = MATRIX, NETWORK
    return labels


def particle_map():
    return (np.random.default_rng(0).random((60, 80)) < 0.1).astype(int)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved, with their texts."""
    figures = []
    original = plots._png

    def kept(figure):
        figures.append(figure)
        return original(figure)

    monkeypatch.setattr(plots, "_png", kept)
    return figures


def texts(figure):
    import matplotlib.text

    return " | ".join(t.get_text() for t in figure.findobj(matplotlib.text.Text))


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "unit"), [(SIZED, "µm"), (UNSIZED, "px")])
@pytest.mark.parametrize(
    ("labels", "task", "name"),
    [
        (particle_map(), "particles", "equivalent circular diameter"),
        (network_map(), "microconstituents", "denuded-zone width"),
    ],
)
def test_distribution_names_its_unit(drawn, labels, task, name, scale, unit):
    """Check axis, legend and title for maps with and without a pixel size."""
    found = row.measure(labels, task, scale, "a.png")
    png = plots.distribution(found)
    assert Image.open(io.BytesIO(png)).format == "PNG"
    said = texts(drawn[0])
    assert f"{name} ({unit})" in said
    assert "a, pixel " in said
    name = "diameter_median" if task == "particles" else "zone_width_mean"
    value = found.row[f"{name}_{'px' if unit == 'px' else 'um'}"]
    assert f"{name.rpartition('_')[2]} {value:.3g} {unit}" in said


def test_histogram_holds_every_whole_particle(drawn):
    """Check that the bins' areas add up to one."""
    found = row.measure(particle_map(), "particles", SIZED, "a.png")
    plots.distribution(found)
    density, edges, _ = drawn[0].axes[0].patches[0].get_data()
    assert (density * np.diff(np.log(edges))).sum() == pytest.approx(1)


@pytest.mark.parametrize("labels", [np.zeros((9, 9), int), np.ones((1, 1), int)])
@pytest.mark.parametrize("task", ["particles", "microconstituents"])
def test_nothing_to_draw_is_said(drawn, labels, task):
    """Check that the reason stands where the plot would."""
    found = row.measure(labels, task, SIZED, "a.png")
    plots.distribution(found)
    assert str(found.row["reason"]).partition("; ")[0] in texts(drawn[0])


def test_one_size_needs_no_fit(drawn):
    """Check a map whose particles are all alike."""
    labels = np.zeros((30, 30), int)
    labels[5, 5] = labels[20, 20] = 1
    plots.distribution(row.measure(labels, "particles", SIZED, "a.png"))
    assert "2 whole particles" in texts(drawn[0])
    assert "lognormal" not in texts(drawn[0])


def rows(*scales):
    return [
        row.measure(particle_map(), "particles", scale, f"m{i}.png").row
        for i, scale in enumerate(scales)
    ]


def test_overview_compares_in_micrometres_alone(drawn):
    """Check that a map without a pixel size is named but not placed among others."""
    plots.overview(rows(SIZED, UNSIZED), "particles")
    assert "m1 (no pixel size)" in texts(drawn[0])
    assert "(µm), 95 % interval" in texts(drawn[0])
    points = drawn[0].axes[0].lines[0].get_xdata()
    assert np.isfinite(points).tolist() == [True, False]


@pytest.mark.parametrize("n", [0, 1, plots.MOST_NAMES + 1])
def test_overview_of_few_and_of_many(drawn, n):
    """Check that no maps, and more than can be named, can be drawn; in px without sizes."""
    png = plots.overview(rows(UNSIZED) * n, "particles")
    assert Image.open(io.BytesIO(png)).height < 2500
    assert "(px), 95 % interval" in texts(drawn[0])
    assert ("m0" in texts(drawn[0])) == (n == 1)


@pytest.mark.filterwarnings("error")
def test_names_are_taken_literally(drawn):
    """Check names that Matplotlib would read as formulas, and one that would take all the room."""
    names = ["a$_^$b.png", f"{'long' * 60}.png"]
    found = [row.measure(particle_map(), "particles", UNSIZED, name) for name in names]
    for one in found:
        plots.distribution(one)
    plots.overview([one.row for one in found], "particles")
    assert "a$_^$b, pixel" in texts(drawn[0])
    assert "a$_^$b" in texts(drawn[2]).split(" | ")
    assert "longlong" in texts(drawn[2])


def test_missing_library(monkeypatch):
    """Check that the message names the extra."""
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match=r"uhcs-bench\[measure\]"):
        plots.check()


@pytest.mark.slow
@pytest.mark.parametrize("um", [0.0004, 0.1, 30.0])
@pytest.mark.parametrize("largest", [1, 2, 3, 8, 20])
def test_labels_of_sizes_do_not_overlap(drawn, largest, um):
    """Check axes of a fraction of a decade up to several, in small and large numbers."""
    labels = np.zeros((60, 80), int)
    labels[2, 2::4] = 1
    labels[20 : 20 + largest, 20 : 20 + largest] = 1
    plots.distribution(row.measure(labels, "particles", Scale(um, "given"), "a.png"))
    (figure,) = drawn
    figure.canvas.draw()
    axes = figure.axes[0]
    left, right = axes.bbox.x0, axes.bbox.x1
    ticks = [*axes.xaxis.get_ticklabels(which="major"), *axes.xaxis.get_ticklabels(which="minor")]
    boxes = [tick.get_window_extent() for tick in ticks if tick.get_text()]
    boxes = sorted((b.x0, b.x1) for b in boxes if left <= (b.x0 + b.x1) / 2 <= right)
    assert boxes
    assert all(end <= start for (_, end), (start, _) in pairwise(boxes))
