"""Registration: planted shifts and drifts are measured, and a map in its place is left."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.auditing.planted import SHAPE, UNHURRIED, audited, kinds, micrograph, picture
from uhcs_bench.auditing.registration import register


@UNHURRIED
@given(rows=st.integers(-4, 4), columns=st.integers(-4, 4), seed=st.integers(0, 50))
def test_a_planted_shift_is_measured(rows, columns, seed):
    """Check shifts of known size, in both axes, and silence without one."""
    image, labels = picture(seed)
    found = register(micrograph("m", (image, np.roll(labels, (-rows, -columns), (0, 1)))))
    assert found.best_shift == (rows, columns)
    assert found.rows[0] == pytest.approx(rows, abs=0.3)
    assert found.columns[0] == pytest.approx(columns, abs=0.3)
    assert found.is_shifted == ((rows, columns) != (0, 0))
    assert not found.is_drifting
    assert found.best_correlation >= found.correlation
    assert found.gray_correlation[1] >= found.gray_correlation[0]
    assert (found.iu_if_moved == 1) == (not found.is_shifted)


def stretched(labels, rows):
    """A label map with rows put in, cut to its old height."""
    return np.insert(labels, rows, labels[list(rows)], axis=0)[: len(labels)]


def test_a_stretched_map_drifts():
    """Check that rows put in are found as drift."""
    image, labels = picture(8, (320, 200))
    found = audited(micrograph("m", (image, stretched(labels, (80, 160, 240)))))
    (registration,) = found["particles"].registrations
    assert registration.is_drifting
    assert registration.drift[0] == pytest.approx(-3.6, abs=0.8)
    assert registration.strips[0] == pytest.approx(0, abs=0.2)
    assert registration.strips[-1] == pytest.approx(-3, abs=0.2)
    assert "drifting labels" in kinds(found)


def test_repeated_rows():
    """Check that rows put in between changing rows are found, and plain repetitions are not."""
    labels = np.random.default_rng(0).integers(0, 2, SHAPE).astype(np.uint8)
    labels[40:50] = 1
    repeated = stretched(labels, (20, 80))
    found = audited(
        *(micrograph(n, (picture(0)[0], x)) for n, x in (("a", labels), ("b", repeated)))
    )
    assert found["particles"].repeated_rows == {"b": (21, 82)}
    assert "drifting labels" in kinds(found)


def test_a_map_in_its_place_is_no_finding():
    """Check silence about a map that lies right."""
    found = audited(micrograph("m", picture(8)))
    assert not {"shifted labels", "drifting labels"} & kinds(found)
    assert found["particles"].repeated_rows == {}


@pytest.mark.parametrize("brightness", [1, -1])
def test_registration_does_not_depend_on_contrast(brightness):
    """Check that dark particles are as good as bright ones."""
    image, labels = picture(9)
    image = image if brightness > 0 else 255 - image
    found = register(micrograph("m", (image, np.roll(labels, -2, 0))))
    assert found.best_shift == (2, 0)


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        (picture(0)[0], np.zeros(SHAPE, np.uint8)),
        (np.full(SHAPE, 9, np.uint8), picture(0)[1]),
        (picture(0)[0][:60], picture(0)[1][:60]),
    ],
    ids=["one class", "constant image", "few rows"],
)
def test_what_can_not_be_registered_is_left_out(image, labels):
    """Check that nothing is claimed where nothing can be measured."""
    assert register(micrograph("m", (image, labels))) is None


def test_an_unrelated_map_is_not_called_shifted():
    """Check that noise, whose best shift is anywhere, does not make a finding."""
    found = [
        register(micrograph("m", (picture(seed)[0], picture(seed + 50)[1]))) for seed in range(20)
    ]
    assert not any(r.is_shifted or r.is_drifting for r in found if r is not None)


def test_shifts_of_microconstituents_have_a_wider_tolerance():
    """Check that a small shift of a hand-drawn map is measured but not reported."""
    image, labels = picture(2)
    for shift, is_reported in ((2, False), (4, True)):
        moved = micrograph("m", (image, np.roll(labels, -shift, 0)), task="microconstituents")
        found = audited(moved, task="microconstituents")
        assert found["uhcs"].registrations[0].best_shift == (shift, 0)
        assert ("shifted labels" in kinds(found)) == is_reported
        assert found["uhcs"].registrations[0].iu_if_moved is None
