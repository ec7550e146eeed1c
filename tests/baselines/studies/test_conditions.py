"""Micrographs that are noisy, blurred, flat or resampled."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

import uhcs_bench
from baselines.studies import conditions
from baselines.studies.conditions import Condition
from uhcs_bench.errors import UsageError


@pytest.fixture
def micrograph():
    """Give a small part of a synthetic micrograph."""
    found = uhcs_bench.load("particles", version="synthetic")[0]
    return found.image[:120, :160], found.labels[:120, :160]


def changed(condition, micrograph):
    """Give image and labels under a condition."""
    return condition.apply(*micrograph, np.random.default_rng(0))


def test_unchanged_is_unchanged(micrograph):
    """Check that the first condition gives what it gets."""
    image, labels = changed(Condition("unchanged", 1.0), micrograph)
    np.testing.assert_array_equal(image, micrograph[0])
    np.testing.assert_array_equal(labels, micrograph[1])


@pytest.mark.parametrize("electrons", [8.0, 1.0])
def test_noise_has_the_variance_of_shot_noise(electrons):
    """Check the variance against the law, away from the ends of the gray scale."""
    flat = np.full((300, 300), 120, np.uint8)
    image, _ = changed(Condition("noise", electrons), (flat, flat))
    assert image.mean() == pytest.approx(120, abs=0.2)
    assert image.std() == pytest.approx(math.sqrt(120 / electrons + 4), rel=0.02)


def test_blur_and_contrast(micrograph):
    """Check both against SciPy and NumPy."""
    image, labels = changed(Condition("blur", 1.5), micrograph)
    expected = ndimage.gaussian_filter(micrograph[0].astype(float), 1.5)
    assert np.abs(image - expected).max() <= 0.5
    assert labels is micrograph[1]
    flat, _ = changed(Condition("contrast", 0.2), micrograph)
    assert flat.mean() == pytest.approx(micrograph[0].mean(), abs=0.5)
    assert flat.std() == pytest.approx(0.2 * micrograph[0].std(), rel=0.02)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_magnification_keeps_area_fractions(micrograph, factor):
    """Check shapes, and that annotation and image are resampled at the same places."""
    image, labels = changed(Condition("magnification", factor), micrograph)
    assert image.shape == labels.shape == (120 * factor, 160 * factor)
    assert set(np.unique(labels)) == {0, 1}
    assert labels.mean() == pytest.approx(micrograph[1].mean(), abs=0.01)
    before = [micrograph[0][micrograph[1] == k].mean() for k in (0, 1)]
    after = [image[labels == k].mean() for k in (0, 1)]
    assert after == pytest.approx(before, rel=0.05)


@pytest.mark.parametrize("text", ["blur", "blur=", "blur=x", "blur=0.001", "blur=inf", "blur=1e308",
                                  "magnification=50", "magnification=0.01", "fog=1", "=",
                                  "unchanged=1"])  # fmt: skip
def test_wrong_conditions_are_named(text):
    """Check that each is named, all at once."""
    with pytest.raises(UsageError, match=rf"(?s)2 problems.*--condition {text}: .*noise=-1"):
        conditions.parse_conditions([text, "blur=1", "noise=-1"])
