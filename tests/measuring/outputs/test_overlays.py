"""Overlays: outlines where labels change, the micrograph elsewhere, and a scale bar that fits."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from uhcs_bench import protocol
from uhcs_bench.measuring import row
from uhcs_bench.measuring.outputs import overlays
from uhcs_bench.measuring.pixel_size import Scale
from uhcs_bench.web import pictures

RED = pictures.rgba(protocol.TASKS["particles"].colors[1])[:3]
CUT = pictures.rgba(overlays.CUT_COLOR)[:3]
SHAPE = (1250, 1300)
"""Large enough not to be enlarged."""


def drawn(labels, task="particles", um=0.1, image=None):
    if image is None:
        image = np.random.default_rng(0).integers(0, 200, labels.shape).astype(np.uint8)
    found = row.measure(labels, task, Scale(um, "given"), "a.png")
    content = overlays.draw(image, labels, found)
    return np.asarray(Image.open(io.BytesIO(content)))


def where(picture, color):
    return (picture == color).all(axis=2)


@pytest.mark.slow
def test_outlines_of_whole_and_cut_particles():
    """Check that both sides of a particle's edge are coloured, by whether the border cuts it."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[100:120, 200:240] = labels[:30, 500:540] = 1
    picture = drawn(labels)[: SHAPE[0]]
    red = where(picture, RED)
    assert red[99:101, 199:241].all()
    assert not red[103:117, 203:237].any()
    rows, columns = np.nonzero(red)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (99, 120, 199, 240)
    rows, columns = np.nonzero(where(picture, CUT))
    assert (rows.max(), columns.min(), columns.max()) == (30, 499, 540)


@pytest.mark.slow
def test_the_micrograph_is_unchanged_elsewhere():
    """Check gray levels away from outlines, stretched to the whole range."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[100:120, 200:240] = 1
    image = np.random.default_rng(1).integers(100, 200, SHAPE).astype(np.uint16) * 10
    image[0, :2] = 1000, 1990
    picture = drawn(labels, image=image)[: SHAPE[0]]
    away = picture[300:]
    expected = np.rint((image[300:] - 1000.0) / 990 * 255)
    assert np.abs(away - expected[..., np.newaxis]).max() <= 1


@pytest.mark.slow
def test_borders_of_microconstituents_have_one_colour():
    """Check that it is that of the later class on both sides, and that the matrix has none."""
    labels = np.full(SHAPE, 2, np.uint8)
    labels[:, :400] = 1
    labels[:, 800:] = 0
    picture = drawn(labels, "microconstituents", 0.2)
    matrix, network, spheroidite, _ = (
        pictures.rgba(color)[:3] for color in protocol.TASKS["microconstituents"].colors
    )
    lines = picture[: SHAPE[0]]
    (columns,) = np.nonzero(where(lines, spheroidite).all(axis=0))
    assert columns.tolist() == [399, 400, 799, 800]
    assert not where(picture, matrix).any()
    assert not where(lines, network).any()


@pytest.mark.slow
@pytest.mark.parametrize("um", [0.01, 0.0388, 0.1, 0.37])
def test_scale_bar_has_its_length(um):
    """Check the black bar's pixels against the length that a picture of that width gets."""
    picture = drawn(np.zeros(SHAPE, np.uint8), um=um)
    strip = where(picture[SHAPE[0] :], (0, 0, 0))
    longest = max(len(run) for line in strip for run in "".join(" #"[int(p)] for p in line).split())
    bar = pictures.scale_bar(um, SHAPE[1])
    assert longest == pytest.approx(bar.share * SHAPE[1], abs=1)
    length_um = float(bar.label.split()[0])
    assert longest * um == pytest.approx(length_um, rel=0.01)


def test_small_pictures_are_enlarged_and_unknown_sizes_said():
    """Check a whole factor, and that no bar is drawn without a pixel size."""
    picture = drawn(np.zeros((100, 130), np.uint8), um=None)
    assert picture.shape[1] == 1300
    assert picture.shape[0] > 1000
    strip = where(picture[1000:], (0, 0, 0))
    assert strip.any()
    assert max(int(line.sum()) for line in strip) < 200
