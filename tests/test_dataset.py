"""Data sets, folds and micrographs as their users see them."""

from __future__ import annotations

import numpy as np
import pytest

import uhcs_bench
from uhcs_bench import dataset, protocol
from uhcs_bench.errors import DataUnavailableError, UsageError


@pytest.fixture(scope="module")
def synthetic():
    """The synthetic particle set."""
    return uhcs_bench.load("particles", version="synthetic")


def test_a_fold_splits_the_set(synthetic):
    """Check that the six validation sets are disjoint and complete, in order."""
    validated = []
    for number in range(protocol.N_FOLDS):
        fold = synthetic.fold(number)
        assert (fold.number, len(fold.train), len(fold.val)) == (number, 20, 4)
        assert {m.fold for m in fold.val} == {number}
        assert not set(fold.train.ids) & set(fold.val.ids)
        assert set(fold.train.ids) | set(fold.val.ids) == set(synthetic.ids)
        validated += fold.val.ids
    assert validated == list(synthetic.ids)


def test_load_with_a_fold_is_that_fold(synthetic):
    """Check the short form."""
    fold = uhcs_bench.load("spheroidite", fold=2, version="synthetic")
    assert fold.val.ids == synthetic.fold(2).val.ids
    assert fold.train.ids == synthetic.fold(2).train.ids


def test_a_dataset_is_a_sequence(synthetic):
    """Check positions, ids, slices, order and membership."""
    assert [m.id for m in synthetic] == list(synthetic.ids)
    assert synthetic[-1].id == synthetic.ids[-1]
    assert synthetic[synthetic.ids[3]] is synthetic[3]
    assert synthetic[2:5].ids == synthetic.ids[2:5]
    assert synthetic[0] in synthetic
    assert synthetic.classes == ("matrix", "particle")
    with pytest.raises(KeyError):
        synthetic["uhcs0006"]


@pytest.mark.parametrize("name", ["image", "labels"])
def test_micrographs_are_immutable(synthetic, name):
    """Check that neither pixels nor attributes can be changed."""
    micrograph = synthetic[0]
    with pytest.raises(ValueError, match="read-only"):
        getattr(micrograph, name)[0, 0] = 1
    with pytest.raises(AttributeError):
        setattr(micrograph, name, np.zeros((2, 2)))


def test_synthetic_micrographs_say_so(synthetic):
    """Check that they can't be taken for real ones."""
    for micrograph in synthetic:
        assert micrograph.version == "synthetic"
        assert "synthetic" in micrograph.id
        assert "synthetic" in repr(micrograph)
        assert micrograph.sources == ()
    assert "synthetic" in repr(synthetic)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("steel",), "tasks are particles .alias spheroidite. and microconstituents .alias uhcs."),
        (("particles", 6), "folds are 0 to 5"),
        (("particles", -1), "folds are 0 to 5"),
        (("particles", True), "folds are 0 to 5"),
        (("particles", "2"), "folds are 0 to 5"),
        (("particles", None, "2.0"), "versions are 1.0 .*synthetic"),
    ],
)
def test_wrong_arguments_list_the_right_ones(arguments, message):
    """Check the errors for a task, fold or version that does not exist."""
    with pytest.raises(UsageError, match=message):
        uhcs_bench.load(*arguments)


def test_a_wrong_fold_is_seen_before_anything_is_fetched():
    """Check that a usage error is not hidden behind missing data."""
    with pytest.raises(UsageError):
        uhcs_bench.load("particles", fold=9)
    with pytest.raises(DataUnavailableError):
        uhcs_bench.load("particles", fold=5)


def test_the_catalogue_needs_no_data():
    """Check that ids and folds are known offline with an empty cache."""
    assert len(dataset.catalogue("uhcs")) == 24


@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize(("task", "rows"), [("particles", 475), ("microconstituents", 484)])
def test_real_micrographs(task, rows):
    """Check shapes, types, labels and circumstances of all real micrographs."""
    micrographs = uhcs_bench.load(task)
    assert len(micrographs) == 24
    for micrograph in micrographs:
        for array in (micrograph.image, micrograph.labels):
            assert (array.shape, array.dtype) == ((rows, 645), np.uint8)
        assert micrograph.labels.max() < len(micrographs.classes)
        assert micrograph.image.std() > 5
        assert len(micrograph.sources) == 2
        assert micrograph.heat_treatment == micrograph.entry.heat_treatment
        assert micrograph.pixel_size_um == micrograph.pixel_size.um


@pytest.mark.usefixtures("real_data")
def test_class_shares_are_the_known_ones():
    """Check the annotations' class shares against figures measured apart from this package."""
    uhcs = np.concatenate([m.labels.ravel() for m in uhcs_bench.load("uhcs")])
    shares = np.bincount(uhcs) / uhcs.size
    np.testing.assert_allclose(shares, [0.161, 0.130, 0.682, 0.027], atol=5e-4)
    particles = [m.labels.mean() for m in uhcs_bench.load("particles")]
    assert np.mean(particles) == pytest.approx(0.152, abs=5e-4)


@pytest.mark.usefixtures("real_data")
def test_both_sets_share_a_micrograph():
    """Check the picture that is known to stand in both tasks."""
    particle = uhcs_bench.load("particles")["970C-5M-Q-2"].image
    np.testing.assert_array_equal(particle, uhcs_bench.load("uhcs")["uhcs0596"].image[:475])
