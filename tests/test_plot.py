"""Plots: what is drawn, against the arrays that it is drawn from."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import uhcs_bench
from uhcs_bench import plot, protocol
from uhcs_bench.errors import MissingPackageError


@pytest.fixture(autouse=True)
def without_a_window():
    """Draw into memory, and close what was drawn."""
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.fixture(params=list(protocol.TASKS))
def micrograph(request):
    return uhcs_bench.load(request.param, version="synthetic")[0]


def picture(axes):
    """Pixels of a panel."""
    return np.asarray(axes.images[0].get_array())


def test_panels_show_image_annotation_prediction_and_errors(micrograph):
    """Check pixels of each panel; errors are transparent where the maps agree."""
    predicted = np.roll(micrograph.labels, 5, axis=1)
    figure = micrograph.show(predicted)
    gray, annotation, prediction, errors = map(picture, figure.axes)
    np.testing.assert_array_equal(gray[..., 0], micrograph.image)
    colors = protocol.TASKS[micrograph.task].colors
    for label, color in enumerate(colors):
        rgba = (*bytes.fromhex(color[1:]), 255)
        assert (annotation[micrograph.labels == label] == rgba).all()
        assert (prediction[predicted == label] == rgba).all()
        wrong = (predicted == label) & (micrograph.labels != label)
        assert wrong.any()
        assert (errors[wrong] == rgba).all()
    correct = (predicted == micrograph.labels) & (predicted == 0)
    assert (errors[correct][:, 3] == 0).all()


def test_scale_bar_has_the_length_it_states(micrograph):
    """Check the bar's length in pixels against its label and the pixel size."""
    axes = micrograph.show().axes[0]
    (line,) = axes.lines
    length = np.ptp(line.get_xdata()) * micrograph.pixel_size_um
    (text,) = (t.get_text() for t in axes.texts)
    assert float(text.removesuffix(" µm")) == pytest.approx(length)


@pytest.mark.usefixtures("real_data")
def test_without_a_pixel_size_there_is_no_scale_bar():
    """Check a micrograph whose pixel size no source states."""
    unknown = uhcs_bench.load("particles")["800C-24H-Q-4"]
    assert unknown.pixel_size_um is None
    assert not unknown.show().axes[0].lines


def test_sizes_are_the_cumulative_distribution():
    """Check the curve of three particles of 1, 1 and 4 pixels, in micrometres."""
    labels = np.zeros((9, 9), np.uint8)
    labels[0, 0] = labels[8, 8] = labels[4:6, 4:6] = 1
    (line,) = plot.sizes({"map": labels}, pixel_size_um=0.5).axes[0].lines
    diameters = 0.5 * 2 * np.sqrt(np.array([1, 1, 4]) / np.pi)
    np.testing.assert_allclose(line.get_xdata(), diameters)
    np.testing.assert_allclose(line.get_ydata(), [1 / 3, 2 / 3, 1])


def test_widths_are_weighted():
    """Check the median of the curve against the weighted widths."""
    labels = uhcs_bench.load("microconstituents", version="synthetic")[0].labels
    zone = uhcs_bench.metallography.unobstructed_widths(labels)
    (line,) = plot.widths({"map": labels}).axes[0].lines
    at = np.searchsorted(line.get_ydata(), 0.5)
    below = zone.weights[zone.widths_px <= line.get_xdata()[at]].sum() / zone.weights.sum()
    assert below >= 0.5
    assert line.get_ydata()[-1] == pytest.approx(1)


def test_missing_matplotlib_names_the_extra(micrograph, monkeypatch):
    """Check the message where matplotlib is not installed."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'uhcs-bench\[notebook\]'"):
        micrograph.show()
