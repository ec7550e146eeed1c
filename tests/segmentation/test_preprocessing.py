"""What a network sees of a micrograph."""

from __future__ import annotations

import numpy as np
import pytest
import skimage

import uhcs_bench
from uhcs_bench.io.images import ImageError
from uhcs_bench.segmentation import equalization
from uhcs_bench.segmentation.equalization import Equalization, Equalized
from uhcs_bench.segmentation.preprocessing import (
    Prepared,
    Preprocessing,
    gray,
)

RAMP = np.add.outer(np.arange(7), 9 * np.arange(11)).astype(np.uint8) + 20


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_scales(dtype):
    """Check each scale, that of the type against scikit-image."""
    image = RAMP.astype(dtype)
    expected = skimage.util.img_as_float32(image)
    np.testing.assert_allclose(Preprocessing(scale="dtype").apply(image)[0], expected, rtol=1e-6)
    np.testing.assert_array_equal(Preprocessing(scale="none").apply(image)[0], image)
    stretched = Preprocessing(scale="range").apply(image)[0]
    expected = skimage.exposure.rescale_intensity(image.astype(float), out_range=(0, 1))
    np.testing.assert_allclose(stretched, expected, atol=1e-6)


def test_channels_are_normalised_one_by_one():
    """Check mean and deviation of three channels, and the mirrored border."""
    steps = Preprocessing(
        scale="none", channels=3, mean=(1.0, 2.0, 3.0), sd=(1.0, 2.0, 4.0), multiple=4
    )
    planes = steps.apply(RAMP)
    assert planes.shape == (3, 8, 12)
    assert planes.dtype == np.float32
    for plane, mean, sd in zip(planes, steps.mean, steps.sd, strict=True):
        np.testing.assert_allclose(plane[:7, :11], (RAMP.astype(float) - mean) / sd)
        np.testing.assert_array_equal(plane[7], plane[6])
        np.testing.assert_array_equal(plane[:, 11], plane[:, 10])


def test_planes():
    """Check that each channel shows what it is said to, a constant image included."""
    image = uhcs_bench.load("particles", version="synthetic")[0].image[:96, :120]
    steps = Preprocessing(
        equalize=Equalization(),
        channels=3,
        planes=("standardised", "equalized", "standardised"),
        mean=(0.0, 0.5, 1.0),
        sd=(1.0, 0.5, 2.0),
    )
    planes = steps.apply(image)
    standard = (image - image.mean()) / image.std()
    np.testing.assert_allclose(planes[0], standard, atol=1e-5)
    equalized = Equalized(image).window(slice(0, 96), slice(0, 120))
    np.testing.assert_allclose(planes[1], (equalized - 0.5) / 0.5, atol=1e-6)
    np.testing.assert_allclose(planes[2], (standard - 1) / 2, atol=1e-5)
    assert not steps.apply(np.full((4, 4), 7, np.uint16))[0].any()


def test_an_image_smaller_than_its_padding_is_mirrored_repeatedly():
    """Check by hand."""
    padded = Preprocessing(scale="none", multiple=8).apply(np.array([[1, 2, 3]], np.uint8))
    assert padded.tolist() == [[[1, 2, 3, 3, 2, 1, 1, 2]] * 8]


ALL_STEPS = {
    "planes": Preprocessing(
        equalize=Equalization(),
        channels=3,
        planes=("standardised", "equalized", "standardised"),
        mean=(0.0, 0.5, 1.0),
        sd=(1.0, 0.5, 2.0),
        multiple=16,
    ),
    "equalised alone": Preprocessing(equalize=Equalization(kernel_size=11), multiple=32),
    "range": Preprocessing(multiple=8),
    "type": Preprocessing(scale="dtype", channels=3, mean=(0.4,) * 3, sd=(0.2,) * 3),
    "none": Preprocessing(scale="none"),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("name", ALL_STEPS)
def test_windows_are_parts_of_the_whole(name, dtype, monkeypatch):
    """Check windows in the middle and over the mirrored border, bands of few rows included."""
    image = np.random.default_rng(3).gamma(2, 30, (90, 130)).astype(dtype)
    steps = ALL_STEPS[name]
    whole = steps.apply(image)
    monkeypatch.setattr(equalization, "BAND_PIXELS", 1000)
    prepared = Prepared(image, steps)
    assert prepared.shape == whole.shape[1:]
    height, width = prepared.shape
    for rows, columns in (
        (slice(0, 16), slice(0, width)),
        (slice(20, 21), slice(33, 70)),
        (slice(80, height), slice(120, width)),
    ):
        # Sums over bands differ from the sum over the image in the last digit.
        expected = whole[:, rows, columns]
        np.testing.assert_allclose(prepared.window(rows, columns), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "steps",
    [
        Preprocessing(),
        Preprocessing(scale="dtype", channels=3, mean=(0.4, 0.5, 0.6), sd=(0.1,) * 3, multiple=32),
        Preprocessing(equalize=Equalization(clip_limit=0.02, kernel_size=8), multiple=16),
        Preprocessing(
            equalize=Equalization(),
            channels=3,
            planes=("standardised", "equalized", "standardised"),
            mean=(0.0,) * 3,
            sd=(1.0,) * 3,
        ),
    ],
)
def test_steps_survive_json(steps):
    """Check that what is written is read back."""
    assert Preprocessing.from_dict(steps.to_dict()) == steps


@pytest.mark.parametrize("kernel_size", [8, 2048])
@pytest.mark.parametrize("value", [-1e10, 4294967295])
def test_steps_within_the_bounds_give_finite_values(kernel_size, value):
    """Check the ends of what is accepted, on the widest gray values."""
    image = np.array([[0, 2**32 - 1]], np.uint32)
    steps = {"scale": "none", "mean": [value], "sd": [1e-6], "multiple": 512}
    assert np.isfinite(Preprocessing.from_dict(steps).apply(image)).all()
    equalize = {"kernel_size": kernel_size, "nbins": 1024, "clip_limit": 1}
    found = Preprocessing.from_dict({"equalize": equalize}).apply(image)
    assert (found.min(), found.max()) == (0, 1)


def test_what_is_left_out_has_its_default():
    """Check an empty object, and three channels without mean and deviation."""
    assert Preprocessing.from_dict({}) == Preprocessing()
    three = Preprocessing.from_dict({"channels": 3, "equalize": {}})
    assert (three.mean, three.sd, three.equalize) == ((0.0,) * 3, (1.0,) * 3, Equalization())


@pytest.mark.parametrize(
    ("steps", "problems"),
    [
        ({"clahe": True}, ["there is no clahe (there are scale, equalize"]),
        ({"scale": "minmax"}, ["scale is 'minmax', not one of range, dtype, none"]),
        ({"scale": ["range"]}, ["scale is ['range']"]),
        ({"channels": 2, "multiple": 0}, ["channels is 2", "multiple is 0"]),
        ({"channels": True, "multiple": 2.5}, ["channels is True", "multiple is 2.5"]),
        (
            {"mean": 0.5, "sd": [0]},
            ["mean is 0.5, not a list", "sd is [0], not a list of positive"],
        ),
        ({"mean": [float("nan")]}, ["mean is [nan]"]),
        ({"mean": ["a"]}, ["mean is ['a']"]),
        ({"channels": 3, "sd": [1.0]}, ["sd has 1 values, channels is 3"]),
        ({"planes": ["sharpened"]}, ["planes is ['sharpened'], not a list of standardised and"]),
        ({"planes": "equalized"}, ["planes is 'equalized', not a list"]),
        (
            {"planes": ["equalized", "standardised"]},
            ["planes has 2 values, channels is 1", "a plane is equalized, but equalize"],
        ),
        ({"equalize": True}, ["equalize is True, not null or an object"]),
        ({"equalize": {}, "scale": "dtype"}, ['equalize needs the scale "range"']),
        ({"multiple": 513}, ["multiple is 513, not an integer from 1 to 512"]),
        ({"multiple": 10**200}, ["multiple is 1000"]),
        ({"mean": [-1e11]}, ["mean is [-100000000000.0], not a list of numbers from -1e+10"]),
        ({"sd": [1e-320]}, ["sd is [1e-320], not a list of positive numbers from 1e-06"]),
        ({"sd": [1e-7]}, ["sd is [1e-07]"]),
        ({"sd": [10**200]}, ["sd is [1000"]),
        ({"sd": [-1.0]}, ["sd is [-1.0]"]),
        (
            {"equalize": {"kernel_size": 7, "nbins": 1025}},
            ["kernel_size is 7, not null or an integer from 8 to 2048", "nbins is 1025"],
        ),
        ({"equalize": {"kernel_size": 2049}}, ["kernel_size is 2049"]),
        ({"equalize": {"kernel_size": 10**200, "nbins": 65536}}, ["kernel_size is", "nbins is"]),
        (
            {"equalize": {"clip_limit": 2, "kernel_size": 0, "nbins": 1, "tile": 8}},
            ["clip_limit is 2", "kernel_size is 0", "nbins is 1", "no equalize.tile"],
        ),
    ],
)
def test_steps_that_make_no_sense(steps, problems):
    """Check that everything wrong is named at once."""
    with pytest.raises(ValueError, match=r"is|has|needs") as caught:
        Preprocessing.from_dict(steps)
    assert str(caught.value).count(";") == len(problems) - 1
    for problem in problems:
        assert problem in str(caught.value)


def test_gray_images():
    """Check that equal channels count as gray, whatever lies in a fourth."""
    alpha = np.full_like(RAMP, 255)
    np.testing.assert_array_equal(gray(RAMP), RAMP)
    np.testing.assert_array_equal(gray(np.stack([RAMP] * 3, axis=-1)), RAMP)
    np.testing.assert_array_equal(gray(np.stack([RAMP, RAMP, RAMP, alpha], axis=-1)), RAMP)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.stack([RAMP, RAMP, RAMP + 1], axis=-1), "is a colour image"),
        (np.zeros((2, 3, 4, 5)), r"shape \(2, 3, 4, 5\)"),
        (np.zeros((4, 4, 2)), r"shape \(4, 4, 2\)"),
        (np.zeros(5), r"shape \(5,\)"),
        (np.zeros((0, 4)), "no pixel"),
        (np.zeros((4, 4), complex), "type complex128"),
        (np.full((4, 4), "a"), "not gray values"),
        (np.full((4, 4), np.inf), "not finite"),
        (np.ma.masked_less(np.eye(4), 1), "masked array"),
    ],
)
def test_what_is_no_gray_image(image, message):
    """Check each message."""
    with pytest.raises(ImageError, match=message):
        gray(image)
