"""Corrections of label maps: what is planted is undone, and the real ones leave nothing to undo."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

import uhcs_bench
from tests.auditing.planted import picture
from tools import write_corrections
from uhcs_bench import protocol
from uhcs_bench.auditing import audit, circumstances, registration
from uhcs_bench.data import corrections, pixels, registry
from uhcs_bench.data.download import fetch
from uhcs_bench.data.micrograph import Micrograph
from uhcs_bench.errors import DataUnavailableError
from uhcs_bench.segmentation import otsu

SHAPE = (320, 200)
CORRECTED = (
    *("800C-24H-Q-2", "800C-24H-Q-3", "800C-24H-Q-4", "800C-24H-Q-5", "800C-24H-Q-6"),
    *("800C-3H-Q-1", "800C-3H-Q-2", "800C-3H-Q-3", "800C-85H-Q-3"),
    *(f"970C-5M-Q-{k}" for k in range(1, 6)),
)
"""Those that the audit of version 1.0 calls shifted or drifting, see test_audit.py."""


def micrograph(image, labels):
    """A micrograph from its gray levels and label map."""
    entry = replace(registry.entries("particles")[0], id="m", shape=image.shape, files={})
    return Micrograph(entry, image, labels)


# Moving


@given(st.integers(-6, 6), st.integers(2, 12))
def test_one_shift_is_that_of_scipy(shift, n_rows):
    """Check a shift of the whole map, and that the rows from outside are named."""
    labels = np.random.default_rng(0).integers(0, 2, (n_rows, 5)).astype(np.uint8)
    moved, filled = corrections.move(labels, [(0, shift)])
    expected = ndimage.shift(labels, (shift, 0), order=0, mode="nearest")
    np.testing.assert_array_equal(moved, expected)
    outside = [row for row in range(n_rows) if not 0 <= row - shift < n_rows]
    assert list(filled) == outside


@given(st.lists(st.integers(-3, 3), min_size=12, max_size=12))
def test_rows_that_are_not_filled_come_from_rows_of_their_own(shifts):
    """Check any shifts by row: each row's source, and that no annotated row counts twice."""
    labels = np.arange(12, dtype=np.uint8)[:, None]
    moved, filled = corrections.move(labels, list(enumerate(shifts)))
    sources = moved[:, 0].tolist()
    assert sources == [min(max(row - shift, 0), 11) for row, shift in enumerate(shifts)]
    own = [source for row, source in enumerate(sources) if row not in filled]
    assert own == sorted(set(own))


# Measuring


@pytest.mark.parametrize("shift", [-3, -1, 1, 2])
def test_a_planted_shift_is_undone(shift):
    """Check that the map comes back, but for the rows that were lost."""
    image, labels = picture(3, SHAPE)
    misplaced, lost = corrections.move(labels, [(0, -shift)])
    shifts = write_corrections.shifts(micrograph(image, misplaced))
    assert shifts == [(0, shift)]
    moved, filled = corrections.move(misplaced, shifts)
    assert len(filled) == len(lost) == abs(shift)
    inner = [row for row in range(SHAPE[0]) if row not in filled]
    np.testing.assert_array_equal(moved[inner], labels[inner])


@pytest.mark.parametrize("shift", [0, 2])
def test_rows_that_were_put_in_are_taken_out(shift):
    """Check that a map with two repeated rows comes back exactly, in its place or out of it."""
    image, labels = picture(8, (320, 640))
    busy = np.count_nonzero(labels[1:] != labels[:-1], axis=1)
    put_in = [
        start + int(np.minimum(busy[start:], busy[start - 1 : -1])[:60].argmax())
        for start in (80, 200)
    ]
    stretched = np.insert(labels, put_in, labels[list(put_in)], axis=0)
    stretched = np.roll(stretched, -shift, axis=0)[: SHAPE[0]]
    assert len(circumstances.repeated_rows(stretched)) == 2
    shifts = write_corrections.shifts(micrograph(image, stretched))
    assert [s for _, s in shifts] == [shift, shift - 1, shift - 2]
    moved, filled = corrections.move(stretched, shifts)
    inner = [row for row in range(SHAPE[0]) if row not in filled]
    np.testing.assert_array_equal(moved[inner], labels[inner])
    assert len(filled) == 2


def test_a_drift_is_undone_to_half_a_row():
    """Check a map with rows left out at even distances, which repeats nothing."""
    image, labels = picture(5, SHAPE)
    squeezed = np.delete(np.pad(labels, ((0, 2), (0, 0)), mode="edge"), (80, 240), axis=0)
    shifts = write_corrections.shifts(micrograph(image, squeezed))
    assert [s for _, s in shifts] == [0, 1, 2]
    moved, filled = corrections.move(squeezed, shifts)
    assert len(filled) == 2
    assert (moved == labels).mean() > (squeezed == labels).mean()
    found = registration.register(micrograph(image, moved))
    assert not found.is_shifted
    assert not found.is_drifting


def test_what_lies_right_is_left_alone():
    """Check silence: a map in its place, one of one class, and one of something else."""
    image, labels = picture(1, SHAPE)
    for other in (labels, 0 * labels, picture(51, SHAPE)[1]):
        assert write_corrections.shifts(micrograph(image, other)) == []


def test_a_shift_by_columns_is_refused():
    """Check that what can't be corrected by rows isn't passed over."""
    image, labels = picture(2, SHAPE)
    with pytest.raises(ValueError, match="off by columns"):
        write_corrections.shifts(micrograph(image, np.roll(labels, -2, axis=1)))


# Applying


def test_a_damaged_label_map_is_not_corrected():
    """Check that the result must be the one whose hash is on record."""
    _, labels = picture(0, SHAPE)
    moved, _ = corrections.move(labels, [(0, 1)])
    correction = registry.Correction(((0, 1),), pixels.pixel_sha256(moved))
    entry = replace(registry.entries("particles", "audited")[0], shape=SHAPE, correction=correction)
    found, filled = corrections.corrected(labels, entry)
    np.testing.assert_array_equal(found, moved)
    assert filled == (0,)
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0] = 1
    labels[5, 5] = 1 - labels[5, 5]
    with pytest.raises(DataUnavailableError, match="uhcs-bench download particles --verify"):
        corrections.corrected(labels, entry)
    with pytest.raises(ValueError, match="has no correction"):
        corrections.corrected(labels, replace(entry, correction=None))


def test_only_misplaced_particle_maps_are_corrected():
    """Check which, and that images, sources and cache are those of version 1.0."""
    for task in protocol.TASKS:
        for entry, deposited in zip(
            registry.entries(task, "audited"), registry.entries(task), strict=True
        ):
            assert (entry.version, deposited.version) == ("audited", "1.0")
            assert (entry.correction is not None) == (entry.id in CORRECTED)
            assert (entry.labels_sha256 != deposited.labels_sha256) == (entry.id in CORRECTED)
            assert entry.files == deposited.files
            assert fetch.cache_path(entry) == fetch.cache_path(deposited)


# Real data


@pytest.fixture(scope="module")
def audited(real_cache):
    """The particle micrographs in both versions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UHCS_BENCH_CACHE", str(real_cache))
        return uhcs_bench.load("particles"), uhcs_bench.load("particles", version="audited")


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_corrections_are_what_their_generator_writes():
    """Check that the committed file follows from the micrographs, to the byte."""
    committed = (resources.files("uhcs_bench") / "data" / "corrections.json").read_text("utf-8")
    assert committed == write_corrections.as_json(write_corrections.generate())


def test_the_audited_maps_lie_right(audited):
    """Check that the audit finds nothing more to move, and that each move was for the better."""
    for before, after in zip(*audited, strict=True):
        was, is_now = registration.register(before), registration.register(after)
        assert (is_now.is_shifted, is_now.is_drifting) == (False, False)
        assert is_now.best_shift == (0, 0)
        if after.id in CORRECTED:
            assert is_now.correlation > was.correlation + 0.008
            assert 1 <= len(after.filled_label_rows) <= 3
        else:
            np.testing.assert_array_equal(before.labels, after.labels)
            assert after.filled_label_rows == ()
        np.testing.assert_array_equal(before.image, after.image)


def test_rows_of_the_audited_maps_are_annotated_ones(audited):
    """Check that correcting draws nothing: each row is one of the deposit's, near by."""
    for before, after in zip(*audited, strict=True):
        for row, labels in enumerate(after.labels):
            near = before.labels[max(0, row - 4) : row + 3]
            assert (near == labels).all(1).any()


def test_thresholds_score_higher_on_each_corrected_map(audited):
    """Check by a method that knows nothing of the annotations: Otsu's threshold."""
    iu = {}
    for micrographs in audited:
        for m in micrographs:
            particles = otsu.segment(m.image, "particles") == 1
            annotated = m.labels == 1
            iu[m.version, m.id] = (particles & annotated).sum() / (particles | annotated).sum()
    gains = {id_: iu["audited", id_] - iu["1.0", id_] for id_ in audited[0].ids}
    assert {id_ for id_, gain in gains.items() if gain > 0.005} == set(CORRECTED)
    assert {gain for id_, gain in gains.items() if id_ not in CORRECTED} == {0}
    assert gains["800C-3H-Q-3"] == pytest.approx(0.109, abs=0.002)
    assert np.mean([*gains.values()]) == pytest.approx(0.022, abs=0.001)


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_an_audit_says_which_rows_were_filled(audited):
    """Check that the audited version confesses its made-up rows, and nothing misplaced."""
    found = audit.audit([audited[1]])
    assert set(found["particles"].filled_label_rows) == set(CORRECTED)
    kinds = {finding.kind for finding in found.findings}
    assert not {"shifted labels", "drifting labels"} & kinds
    text = found.to_text().replace("\n  ", " ")
    assert "label maps were moved into place" in text
    left = {r.id: abs(r.rows[0]) for r in found["particles"].registrations if r.id in CORRECTED}
    assert max(left.values()) < 0.5
    most = max(left, key=left.get)
    assert f"up to {left[most]:.2f} row is left ({most})" in text
