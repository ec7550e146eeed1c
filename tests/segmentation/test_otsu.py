"""The Otsu baseline against scikit-image called directly, and on images made by hand."""

import numpy as np
import pytest
from skimage import filters

from uhcs_bench import protocol
from uhcs_bench.data import synthetic
from uhcs_bench.errors import UsageError
from uhcs_bench.segmentation import otsu

LABELS = {name: i for i, name in enumerate(protocol.task("microconstituents").classes)}


@pytest.mark.parametrize("index", [0, 4, 23])
def test_particles_are_above_the_threshold(index):
    """Check that the map is image > threshold_otsu(image)."""
    image, _ = synthetic.generate(synthetic.catalogue("particles")[index])
    expected = image > filters.threshold_otsu(image)
    found = otsu.segment(image, "particles")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("index", [0, 22, 23])
def test_microconstituents_go_from_dark_to_bright(index):
    """Check each class against its two thresholds.

    Those of 22 come within 5e-8 of the variance of others: the order of rounding chooses.
    """
    image, _ = synthetic.generate(synthetic.catalogue("microconstituents")[index])
    low, middle, high = filters.threshold_multiotsu(image, 4)
    found = otsu.segment(image, "uhcs")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found == LABELS["matrix"], image <= low)
    np.testing.assert_array_equal(found == LABELS["spheroidite"], (image > low) & (image <= middle))
    np.testing.assert_array_equal(
        found == LABELS["widmanstatten"], (image > middle) & (image <= high)
    )
    np.testing.assert_array_equal(found == LABELS["network"], image > high)


def test_two_levels_are_told_apart():
    """Check a bright disc on a dark ground, pixel by pixel."""
    row, column = np.indices((40, 50))
    disc = (row - 20) ** 2 + (column - 20) ** 2 < 100
    image = np.where(disc, 180, 60).astype(np.uint8)
    np.testing.assert_array_equal(otsu.segment(image, "particles"), disc)
    np.testing.assert_array_equal(
        otsu.segment(image, "microconstituents"), np.where(disc, LABELS["spheroidite"], 0)
    )


@pytest.mark.parametrize("n_levels", [1, 2, 3, 4])
def test_few_gray_levels_get_the_first_classes(n_levels):
    """Check that an image with at most four gray levels has one class for each."""
    image = np.arange(0, 240, 60, dtype=np.uint8)[:n_levels].repeat(3).reshape(n_levels, 3)
    expected = [LABELS[name] for name in otsu.DARK_TO_BRIGHT[:n_levels]]
    assert otsu.segment(image, "microconstituents")[:, 0].tolist() == expected


@pytest.mark.parametrize("level", [0, 7, 255])
@pytest.mark.parametrize("task", list(protocol.TASKS))
def test_constant_image_is_all_matrix(task, level):
    """Check that an image without contrast is no error."""
    assert not otsu.segment(np.full((8, 9), level, np.uint8), task).any()


def test_order_names_every_microconstituent_once():
    """Check that no class is left out of the order from dark to bright."""
    assert sorted(otsu.DARK_TO_BRIGHT) == sorted(LABELS)


def test_unknown_task_is_refused():
    """Check that the error lists the tasks that exist."""
    with pytest.raises(UsageError, match="particles"):
        otsu.segment(np.zeros((4, 4), np.uint8), "grains")
