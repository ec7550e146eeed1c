"""From source pixels to canonical arrays."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from uhcs_bench.data import pixels as canonical
from uhcs_bench.data.registry import File, Source


def source(rows=(0, 3), missing_rows=0):
    return Source("https://example.org/file", "0" * 64, 1, rows, missing_rows)


def gray(rows=4, columns=2):
    return np.arange(rows * columns, dtype=np.uint8).reshape(rows, columns)


def test_pixel_hash_by_hand():
    """Check what exactly is hashed."""
    expected = hashlib.sha256(b"uint8 2x3\n" + bytes(range(6))).hexdigest()
    assert canonical.pixel_sha256(gray(2, 3)) == expected


def test_pixel_hash_sees_pixels_shape_and_dtype_but_not_layout():
    """Check what changes the hash and what does not."""
    pixels = gray()
    original = canonical.pixel_sha256(pixels)
    changed = pixels.copy()
    changed[1, 1] += 1
    assert canonical.pixel_sha256(changed) != original
    assert canonical.pixel_sha256(pixels.reshape(2, 4)) != original
    assert canonical.pixel_sha256(pixels.view(np.int8)) != original
    assert canonical.pixel_sha256(np.asfortranarray(pixels)) == original


def test_rows_are_cropped():
    """Check that rows outside the source's range are left out."""
    np.testing.assert_array_equal(canonical.canonical_array(gray(), source((1, 3))), gray()[1:3])


def test_lost_rows_repeat_the_first_row_that_is_there():
    """Check that a lost row 0 is filled with row 1."""
    array = canonical.canonical_array(gray(), source((0, 3), missing_rows=1))
    np.testing.assert_array_equal(array, gray()[[0, 0, 1, 2]])


def test_three_equal_channels_are_one():
    """Check that a gray image stored in colour is gray."""
    array = canonical.canonical_array(np.dstack([gray()] * 3), source())
    np.testing.assert_array_equal(array, gray()[:3])


def test_wide_integers_are_narrowed():
    """Check that int64 labels become uint8, whatever stands in rows that are cropped."""
    labels = gray().astype(np.int64)
    labels[3] = -1
    array = canonical.canonical_array(labels, source())
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, gray()[:3])


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.dstack([gray(), gray(), gray() + 1]), "colour"),
        (gray(2), "at least 3 rows"),
        (gray().astype(np.int64) - 1, "0 to 255"),
        (gray() + 0.5, "0 to 255"),
    ],
)
def test_other_pixels_are_refused(pixels, message):
    """Check that pixels that can't be the benchmark's raise."""
    with pytest.raises(canonical.CanonicalError, match=message):
        canonical.canonical_array(pixels, source())


def test_check_pixels_starts_at_the_hashed_row():
    """Check that rows above the hashed ones may differ, and no others."""
    file = File(canonical.pixel_sha256(gray()[1:]), 1, (), "")
    other_first_row = gray()
    other_first_row[0] = 99
    canonical.check_pixels(other_first_row, file)
    other_last_row = gray()
    other_last_row[-1] = 99
    with pytest.raises(canonical.CanonicalError, match="other pixels"):
        canonical.check_pixels(other_last_row, file)
