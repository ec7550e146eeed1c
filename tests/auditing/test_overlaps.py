"""Overlaps: duplicates, crops and neighbouring fields are found, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.auditing.planted import LEAKS, SHAPE, UNHURRIED, audited, kinds, micrograph, picture
from uhcs_bench import protocol
from uhcs_bench.auditing import audit, overlaps
from uhcs_bench.data.dataset import Dataset


def test_a_duplicate_across_folds_is_a_leak():
    """Check that equal pixels are found, and the effective n."""
    found = audited(
        micrograph("a", picture(0), 0),
        micrograph("b", picture(1), 0),
        micrograph("c", picture(0), 1),
    )
    (overlap,) = found.overlaps
    assert (overlap.a, overlap.b, overlap.offset, overlap.shape) == ("a", "c", (0, 0), SHAPE)
    assert (overlap.share, overlap.equal_pixels, overlap.equal_labels) == (1, 1, 1)
    assert overlap.is_leak
    assert (found["particles"].n, found["particles"].n_distinct) == (3, 2)
    (finding,) = [finding for finding in found.findings if finding.kind == "duplicate"]
    assert finding.ids == ("a", "c")
    assert "effective n of particles is 2, not 3" in finding.sentence


def test_a_duplicate_within_a_fold_is_no_leak():
    """Check that the fold decides, and that three copies leave one micrograph."""
    found = audited(*(micrograph(name, picture(0), 4) for name in "abc"))
    assert len(found.overlaps) == 3
    assert not any(overlap.is_leak for overlap in found.overlaps)
    assert found["particles"].n_distinct == 1


def test_different_micrographs_do_not_overlap():
    """Check silence, on micrographs of the same kind."""
    found = audited(*(micrograph(str(seed), picture(seed), seed % 6) for seed in range(10)))
    assert not found.overlaps
    assert not LEAKS & kinds(found)
    assert found["particles"].n_distinct == 10


@UNHURRIED
@given(
    row=st.integers(0, 60),
    column=st.integers(0, 80),
    rows=st.integers(60, 110),
    columns=st.integers(80, 150),
    is_filled=st.booleans(),
)
def test_a_crop_is_found_in_its_place(row, column, rows, columns, is_filled):
    """Check that a part of a micrograph is found, a filled first row notwithstanding."""
    image, labels = picture(3)
    crop, crop_labels = (
        x[row : row + rows, column : column + columns].copy() for x in (image, labels)
    )
    filled = ()
    if is_filled:
        crop[0] = crop[1]
        filled = (0,)
    (overlap,) = overlaps.find_overlaps(
        [
            micrograph("whole", (image, labels), 0),
            micrograph("crop", (crop, crop_labels), 1, filled_rows=filled),
        ]
    )
    assert overlap.offset == (row, column)
    assert overlap.shape == crop.shape
    assert (overlap.share, overlap.equal_pixels, overlap.equal_labels) == (1, 1, 1)
    assert overlap.is_same_spot


@pytest.mark.parametrize("rows", [120, 210, 430])
def test_neighbouring_fields_of_view_are_found(rows):
    """Check a small overlap, taken a second time: other noise, other brightness."""
    start = rows - rows // 10 - 1
    wide, labels = picture(5, (start + rows, 207))
    noise = np.random.default_rng(0).normal(0, 8, (rows, 200))
    again = (0.7 * wide[start:, 7:] + 20 + noise).clip(0, 255).astype(np.uint8)
    top = micrograph("top", (wide[:rows, :200], labels[:rows, :200]), 0)
    (overlap,) = overlaps.find_overlaps([top, micrograph("end", (again, labels[start:, 7:]), 2)])
    assert (overlap.offset, overlap.shape) == ((start, 7), (rows - start, 193))
    assert overlap.share == pytest.approx((rows - start) * 193 / (rows * 200))
    assert overlap.is_leak
    assert not overlap.is_same_spot
    assert overlap.equal_pixels < 0.2


def test_a_few_large_particles_alike_are_no_overlap():
    """Check that corners which chance makes alike, as small ones can be, are not reported."""
    image, labels = picture(0)
    other, other_labels = picture(1)
    corner = (slice(0, 24), slice(0, 40))
    opposite = (slice(-24, None), slice(-40, None))
    other[opposite] = image[corner] // 2 + other[opposite] // 2
    pair = [micrograph("a", (image, labels), 0), micrograph("b", (other, other_labels), 1)]
    assert overlaps.find_overlaps(pair) == ()


def test_the_tasks_may_share_a_micrograph():
    """Check that it is found across tasks, whatever the folds, and is no duplicate of a task."""
    image, labels = picture(6)
    particles = Dataset(
        protocol.task("particles"), "1.0", [micrograph("p", (image[:110], labels[:110]), 3)]
    )
    other = micrograph("u", (image, labels), 3, task="microconstituents")
    found = audit.audit([particles, Dataset(protocol.task("uhcs"), "1.0", [other])])
    (overlap,) = found.overlaps
    assert overlap.is_across_tasks
    assert not overlap.is_leak
    assert overlap.equal_labels is None
    assert LEAKS & kinds(found) == {"shared micrograph"}
    assert found["particles"].n_distinct == found["uhcs"].n_distinct == 1


def test_one_constant_or_no_micrograph_has_no_overlap():
    """Check inputs that have no correlation."""
    flat = np.full(SHAPE, 7, np.uint8), np.zeros(SHAPE, np.uint8)
    assert overlaps.find_overlaps([]) == ()
    assert overlaps.find_overlaps([micrograph("a", flat)]) == ()
    assert overlaps.find_overlaps([micrograph("a", flat), micrograph("b", flat)]) == ()
