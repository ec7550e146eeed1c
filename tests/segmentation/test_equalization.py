"""Local equalisation in windows, beside scikit-image's of the whole image."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
import skimage

import uhcs_bench
from uhcs_bench.segmentation import equalization
from uhcs_bench.segmentation.equalization import Equalization, Equalized, Stretched


def whole(image, parameters=None):
    found = Equalized(image, parameters)
    return found.window(slice(0, image.shape[0]), slice(0, image.shape[1]))


def with_scikit_image(image, parameters=None):
    stretched = Stretched(image).of(image)
    steps = asdict(parameters or Equalization())
    return skimage.exposure.equalize_adapthist(stretched, **steps).astype(np.float32)


def noise(shape, dtype=np.uint16):
    return np.random.default_rng(0).gamma(2, 40, shape).astype(dtype)


CASES = {
    "defaults": ((97, 133), Equalization()),
    "one pixel high": ((1, 90), Equalization()),
    "smaller than a tile": ((50, 60), Equalization(kernel_size=200)),
    "tiny": ((5, 3), Equalization()),
    "odd tiles": ((100, 33), Equalization(kernel_size=7, clip_limit=0.5)),
    "few bins": ((200, 90), Equalization(nbins=2, clip_limit=0.002)),
    "many bins": ((64, 64), Equalization(nbins=1000, clip_limit=1.0)),
    "not clipped": ((64, 64), Equalization(clip_limit=0.0)),
    "clipped to the least": ((160, 160), Equalization(clip_limit=0.0001)),
}


@pytest.mark.parametrize("name", CASES)
def test_values_are_scikit_images(name):
    """Check every value, bit for bit."""
    shape, parameters = CASES[name]
    image = noise(shape)
    np.testing.assert_array_equal(whole(image, parameters), with_scikit_image(image, parameters))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_values_of_a_micrograph_are_scikit_images(dtype):
    """Check a generated micrograph in several depths, bit for bit."""
    image = uhcs_bench.load("particles", version="synthetic")[0].image.astype(dtype)
    np.testing.assert_array_equal(whole(image), with_scikit_image(image))


@pytest.mark.parametrize("name", CASES)
def test_windows_are_parts_of_the_whole(name, monkeypatch):
    """Check windows bit for bit, where the image is gone through in bands of few rows."""
    shape, parameters = CASES[name]
    image = noise(shape)
    expected = whole(image, parameters)
    monkeypatch.setattr(equalization, "BAND_PIXELS", 100)
    found = Equalized(image, parameters)
    for rows in (slice(0, shape[0]), slice(shape[0] // 3, shape[0] // 3 + 1)):
        for columns in (slice(0, shape[1] // 2 + 1), slice(shape[1] // 2, shape[1])):
            np.testing.assert_array_equal(found.window(rows, columns), expected[rows, columns])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_the_range_of_gray_levels_is_ignored(dtype):
    """Check that 8- and 16-bit copies of a micrograph give the same gray values."""
    image = uhcs_bench.load("particles", version="synthetic")[0].image
    expected = whole(image)
    assert expected.dtype == np.float32
    assert (expected.min(), expected.max()) == (0, 1)
    copy = image.astype(dtype) * (257 if dtype == np.uint16 else 1)
    np.testing.assert_allclose(whole(copy), expected, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (40, 7)])
def test_constant_images_are_black(shape):
    """Check that nothing divides by zero."""
    assert not whole(np.full(shape, 9, np.uint8)).any()
