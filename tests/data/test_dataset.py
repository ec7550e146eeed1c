"""Data sets, folds and micrographs as their users see them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

import numpy as np
import pytest

import uhcs_bench
from uhcs_bench import protocol
from uhcs_bench.data import dataset, pixels
from uhcs_bench.errors import DataUnavailableError, UsageError


@pytest.fixture(scope="module")
def synthetic():
    """The synthetic particle set."""
    return uhcs_bench.load("particles", version="synthetic")


def test_fold_splits_the_set(synthetic):
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
        (("particles", None, "2.0"), "versions are 1.0 .*audited .*synthetic"),
        (("particles", None, "1.0", "random"), "splits are paper .*clean .*grouped"),
        (("particles", 5, "1.0", "grouped"), "folds are 0 to 4"),
        (("particles", 5, "audited", "grouped"), "folds are 0 to 4"),
    ],
)
def test_wrong_arguments_list_the_right_ones(arguments, message):
    """Check the errors for a task, fold, version or split that does not exist."""
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
    assert len(dataset.catalogue("uhcs", split="clean")) == 22
    assert [e.fold for e in dataset.catalogue("particles", "audited", "grouped")] == [
        *(0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4),
    ]


def test_splits_of_the_synthetic_version_are_all_the_papers(synthetic):
    """Check members and folds, and that name and id hold the split."""
    for split in protocol.SPLITS:
        loaded = uhcs_bench.load("particles", version="synthetic", split=split)
        assert [(m.id, m.fold) for m in loaded] == [(m.id, m.fold) for m in synthetic]
        assert (loaded.split, loaded.n_folds) == (split, 6)
        assert f"split {split}" in repr(loaded)
        assert loaded.data_id.startswith(f"particles-synthetic-{split}-")
        assert loaded[:3].split == loaded.fold(1).train.split == loaded.fold(1).val.split == split


def data_id_by_hand(loaded):
    """Compute the id as the documentation defines it, from the pixels alone."""
    lines = [f"{m.id} {m.fold} {pixels.pixel_sha256(m.labels)}\n" for m in loaded]
    digits = hashlib.sha256("".join(lines).encode()).hexdigest()[:8]
    return f"{loaded.task.name}-{loaded.version}-{loaded.split}-{digits}"


def test_the_data_id_tells_annotations_and_folds_apart(synthetic):
    """Check that a pixel, a fold, an order or a missing micrograph each make another id."""
    assert re.fullmatch("particles-synthetic-paper-[0-9a-f]{8}", synthetic.data_id)
    assert synthetic.data_id == data_id_by_hand(synthetic)
    first, *others = synthetic
    labels = first.labels.copy()
    labels[0, 0] = 1 - labels[0, 0]
    changed = [
        [replace(first, labels=labels), *others],
        [replace(first, entry=replace(first.entry, fold=1)), *others],
        [*others, first],
        others,
    ]
    sets = [dataset.Dataset(synthetic.task, "synthetic", found) for found in changed]
    assert len({found.data_id for found in (synthetic, *sets)}) == 5
    again = dataset.Dataset(synthetic.task, "synthetic", [replace(first, image=labels), *others])
    assert again.data_id == synthetic.data_id


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


DATA_IDS = {
    ("particles", "1.0", "paper"): "c567b47b",
    ("particles", "audited", "paper"): "aca4e078",
    ("particles", "1.0", "clean"): "d70c820c",
    ("particles", "1.0", "grouped"): "ade954ab",
}


@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize("split", protocol.SPLITS)
@pytest.mark.parametrize("version", ["1.0", "audited"])
@pytest.mark.parametrize("task", protocol.TASKS)
def test_the_data_id_is_that_of_the_pixels(task, version, split):
    """Check that hashes on record give the id that the loaded label maps have, which stays."""
    loaded = uhcs_bench.load(task, version=version, split=split)
    assert loaded.data_id == data_id_by_hand(loaded)
    if (task, version, split) in DATA_IDS:
        assert loaded.data_id.endswith(f"-{DATA_IDS[task, version, split]}")


@pytest.mark.usefixtures("real_data")
def test_splits_hold_the_same_micrographs():
    """Check that only fold and order change from split to split, and what is trained on."""
    paper = uhcs_bench.load("particles")
    fold = uhcs_bench.load("particles", 3, split="grouped")
    assert (len(fold.train), len(fold.val)) == (16, 3)
    assert {m.heat_treatment.time_h for m in fold.val} == {8}
    for micrograph in (*fold.train, *fold.val):
        np.testing.assert_array_equal(micrograph.labels, paper[micrograph.id].labels)
    clean = uhcs_bench.load("particles", 0, split="clean")
    assert not {"800C-24H-Q-1", "800C-24H-Q-2", "800C-85H-Q-6"} & {*clean.train.ids, *clean.val.ids}


def test_a_micrograph_is_generated_once():
    """Check that a second loading shares the arrays, which nobody can write to."""
    first, second = (dataset.load("particles", version="synthetic")[3] for _ in range(2))
    assert first.image is second.image
    assert not first.labels.flags.writeable
