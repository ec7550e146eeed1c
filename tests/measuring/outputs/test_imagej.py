"""Files for ImageJ: outlines against shoelace areas, and the results' definitions."""

from __future__ import annotations

import csv
import io
import zipfile

import numpy as np
import pytest
from scipy import ndimage
from skimage.draw import polygon2mask

from uhcs_bench.errors import MissingPackageError
from uhcs_bench.measuring import row
from uhcs_bench.measuring.outputs import imagej
from uhcs_bench.measuring.pixel_size import Scale

SHAPES = {
    "one pixel": ["#"],
    "L": ["#..", "#..", "###"],
    "diagonal": ["#..", ".#.", "..#"],
    "antidiagonal": ["..#", ".#.", "#.."],
    "cross of corners": ["#.#", ".#.", "#.#"],
    "bay": ["####", "#..#", "#.##"],
    "spiral": ["#####", "....#", "###.#", "#...#", "#####"],
}


def mask_of(lines):
    return np.pad(np.array([[c == "#" for c in line] for line in lines]), 1)


def area(corners):
    x, y = corners.T.astype(float)
    return abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2


def random_mask(seed, share):
    return np.random.default_rng(seed).random((40, 50)) < share


@pytest.mark.parametrize("shape", SHAPES)
def test_outlines_enclose_their_pixels(shape):
    """Check the area by the shoelace formula: that of the pixels, and of holes that are filled."""
    mask = mask_of(SHAPES[shape])
    (outline,) = imagej.outlines(mask)
    # A hole is what no 4-connected path of background leaves, as for an 8-connected particle.
    assert area(outline) == ndimage.binary_fill_holes(mask).sum()


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_random_masks(seed, share):
    """Check order and content of all outlines: each, filled, is its particle without holes."""
    mask = random_mask(seed, share)
    labels = row.measure(mask.astype(np.uint8), "particles", Scale(None, ""), "a")
    table = labels.particles.table
    found = list(imagej.outlines(mask))
    assert len(found) == len(table)
    numbered, _ = ndimage.label(mask, np.ones((3, 3)))
    for outline, particle in zip(found, table, strict=True):
        corners = outline[:, ::-1].astype(float) - 0.5  # pixel centres are whole numbers there
        filled = polygon2mask(mask.shape, corners)
        own = np.unique(numbered[filled & mask])
        sizes = {int(number): int((numbered == number).sum()) for number in own}
        assert int(particle["area_px"]) in sizes.values()
        assert area(outline) == filled.sum()


def test_regions_are_read_by_roifile():
    """Check names, order and corners of the zip, and that the same mask gives the same bytes."""
    roifile = pytest.importorskip("roifile")
    mask = random_mask(0, 0.2)
    content = imagej.rois(mask)
    assert content == imagej.rois(mask)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        regions = [roifile.ImagejRoi.frombytes(archive.read(name)) for name in names]
    outlines = list(imagej.outlines(mask))
    assert names == [f"{number:05d}.roi" for number in range(1, len(outlines) + 1)]
    for region, outline in zip(regions, outlines, strict=True):
        np.testing.assert_array_equal(region.coordinates(), outline)
        assert region.roitype == roifile.ROI_TYPE.POLYGON


def test_results_have_imagejs_definitions():
    """Check area, corner-based centroid, and an ellipse of the particle's own area."""
    labels = np.zeros((40, 40), np.uint8)
    labels[10:14, 20:28] = 1
    found = row.measure(labels, "particles", Scale(0.5, ""), "a")
    (line,) = csv.DictReader(io.StringIO(imagej.results(found).decode()))
    assert (line[" "], float(line["Area"])) == ("1", 32 * 0.25)
    assert (float(line["X"]), float(line["Y"])) == (24 * 0.5, 12 * 0.5)
    major, minor = float(line["Major"]), float(line["Minor"])
    assert np.pi / 4 * major * minor == pytest.approx(8, rel=1e-5)
    assert major / minor == pytest.approx(2, rel=1e-5)
    assert float(line["Round"]) == pytest.approx(0.5)


def test_missing_library(monkeypatch):
    """Check that the message names the extra."""
    monkeypatch.setitem(__import__("sys").modules, "roifile", None)
    with pytest.raises(MissingPackageError, match=r"uhcs-bench\[measure\]"):
        imagej.check()
