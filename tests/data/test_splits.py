"""The splits: no leak in clean, no sample in two folds of grouped."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from itertools import combinations, pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csgraph

from tests.helpers import registry_entries
from tools import write_splits
from uhcs_bench import protocol
from uhcs_bench.data import dataset, registry, splits
from uhcs_bench.errors import UsageError

NOT_RECORDED = registry.HeatTreatment(None, None, None, None)
ORIGINAL = {task: [e.id for e in registry.entries(task)] for task in protocol.TASKS}


@dataclass
class Pair:
    """What the rules read of an overlap."""

    a: str
    b: str


def entry(name, fold=0, treatment=NOT_RECORDED):
    """A micrograph of which only fold and heat treatment matter."""
    return registry_entries.entry(name, fold=fold, heat_treatment=treatment)


def treated(sample=None, temperature=None, hours=None):
    """A heat treatment."""
    return registry.HeatTreatment(sample, temperature, hours, "Q")


# What is on record of a micrograph: its sample, which implies how it was treated; that alone; or
# nothing.
treatments = st.one_of(
    st.just(NOT_RECORDED),
    st.builds(lambda t: treated(None, 800 + t, 1), st.integers(0, 5)),
    st.builds(
        lambda t, k: treated(f"{t} {k}", 800 + t, 1), st.integers(0, 5), st.sampled_from("ABC")
    ),
)


@st.composite
def sets(draw):
    """Micrographs in folds, and overlaps among them and with others."""
    found = draw(st.lists(treatments, min_size=1, max_size=24))
    entries = [entry(str(i), i * 6 // len(found), t) for i, t in enumerate(found)]
    ids = st.integers(0, len(found) + 1).map(str)
    pairs = draw(st.lists(st.builds(Pair, ids, ids), max_size=6))
    return entries, [pair for pair in pairs if pair.a != pair.b]


def must_share_a_fold(a, b):
    """Whether two micrographs are, or may be, of one sample."""
    first, second = a.heat_treatment, b.heat_treatment
    if None not in (first.sample, second.sample):
        return first.sample == second.sample
    treatment = (first.temperature_c, first.time_h)
    return None not in treatment and treatment == (second.temperature_c, second.time_h)


@given(sets())
def test_clean_has_no_leak_and_drops_no_more_than_it_must(found):
    """Check folds, order, that no pair is left, and that each dropped one is in a pair."""
    entries, overlaps = found
    folds = splits.clean(entries, overlaps)
    fold_of = {id_: number for number, ids in enumerate(folds) for id_ in ids}
    assert [e.id for e in entries if e.id in fold_of] == [id_ for ids in folds for id_ in ids]
    assert all(e.fold == fold_of[e.id] for e in entries if e.id in fold_of)
    pairs = [{p.a, p.b} for p in overlaps]
    for a, b in combinations(fold_of, 2):
        assert {a, b} not in pairs or fold_of[a] == fold_of[b]
    for position, dropped in enumerate(entries):
        if dropped.id not in fold_of:
            assert any(
                {dropped.id, e.id} in pairs and e.fold != dropped.fold and e.id in fold_of
                for e in entries[:position]
            )


@given(sets())
def test_grouped_keeps_together_what_is_of_one_sample(found):
    """Check members, folds, and balance against connected components by SciPy."""
    entries, overlaps = found
    folds = splits.grouped(entries, overlaps)
    kept = {id_ for ids in splits.clean(entries, overlaps) for id_ in ids}
    assert sorted(id_ for ids in folds for id_ in ids) == sorted(kept)
    members = [e for e in entries if e.id in kept]
    pairs = [{p.a, p.b} for p in overlaps]
    joined = [[must_share_a_fold(a, b) or {a.id, b.id} in pairs for b in members] for a in members]
    n_groups, labels = csgraph.connected_components(np.array(joined), directed=False)
    group_of = {e.id: label for e, label in zip(members, labels, strict=True)}
    assert len(folds) == min(n_groups, 6)
    groups = [{group_of[id_] for id_ in ids} for ids in folds]
    assert sum(map(len, groups)) == n_groups
    sizes = [len(ids) for ids in folds]
    assert min(sizes) > 0
    assert max(sizes) - min(sizes) <= np.bincount(labels).max()
    positions = {e.id: i for i, e in enumerate(entries)}
    assert all(ids == sorted(ids, key=positions.get) for ids in folds)


def test_an_overlap_is_dropped_only_for_one_that_is_kept():
    """Check a chain: what overlaps a dropped micrograph alone stays."""
    entries = [entry("a", 0), entry("b", 1), entry("c", 2)]
    overlaps = [Pair("a", "b"), Pair("c", "b")]
    assert splits.clean(entries, overlaps) == [["a"], [], ["c"]]


def test_an_overlap_within_a_fold_stays_together():
    """Check that what leaks nothing is kept, and not torn apart by dealing anew."""
    entries = [entry("a", 0), entry("b", 0), entry("c", 1), entry("d", 1)]
    overlaps = [Pair("b", "a")]
    assert splits.clean(entries, overlaps) == [["a", "b"], ["c", "d"]]
    assert splits.grouped(entries, overlaps) == [["a", "b"], ["c"], ["d"]]


def test_a_sample_that_is_not_on_record_joins_those_that_it_may_be_of():
    """Check by hand: one temperature and time, of which two samples are known."""
    entries = [
        entry("first", treatment=treated("A", 800, 3)),
        entry("second", treatment=treated("B", 800, 3)),
        entry("other", treatment=treated("C", 900, 3)),
        entry("nothing"),
        entry("no more"),
    ]
    alone = [["first"], ["second"], ["other"], ["nothing"], ["no more"]]
    assert splits.grouped(entries, ()) == alone
    entries.append(entry("either", treatment=treated(None, 800, 3)))
    together = [["first", "second", "either"], ["other"], ["nothing"], ["no more"]]
    assert splits.grouped(entries, ()) == together


# The splits of the data


def test_clean_is_the_papers_less_what_is_known_to_leak():
    """Check which micrographs are dropped, and that the others keep fold and order."""
    dropped = {
        "particles": {
            *("800C-24H-Q-1", "800C-24H-Q-2"),  # the same pixels, a strip
            *("800C-3H-Q-1", "800C-85H-Q-1", "800C-85H-Q-6"),  # at another magnification
        },
        "microconstituents": {"uhcs0579", "uhcs0599"},
    }
    for task in protocol.TASKS:
        paper = registry.entries(task)
        expected = [entry for entry in paper if entry.id not in dropped[task]]
        assert list(registry.entries(task, split="clean")) == expected


@pytest.mark.parametrize("version", [protocol.REAL_VERSION, protocol.AUDITED_VERSION])
@pytest.mark.parametrize("task", protocol.TASKS)
def test_grouped_validates_on_samples_that_were_not_trained_on(task, version):
    """Check each fold's training micrographs against those it validates on."""
    entries = registry.entries(task, version, "grouped")
    clean = registry.entries(task, version, "clean")
    assert {e.id for e in entries} == {e.id for e in clean}
    assert [e.fold for e in entries] == sorted(e.fold for e in entries)
    n_folds = dataset.n_folds(task, version, "grouped")
    assert {e.fold for e in entries} == set(range(n_folds))
    assert n_folds == {"particles": 5, "microconstituents": 6}[task]
    for fold in range(n_folds):
        val = [e for e in entries if e.fold == fold]
        train = [e for e in entries if e.fold != fold]
        assert len(val) >= 3
        assert not any(must_share_a_fold(a, b) for a in val for b in train)
        known = [{e.heat_treatment.sample for e in part} - {None} for part in (val, train)]
        assert not known[0] & known[1]


def test_the_papers_folds_do_share_samples():
    """Check that the test above can fail."""
    for task in protocol.TASKS:
        entries = registry.entries(task)
        val = [e for e in entries if e.fold == 0]
        train = [e for e in entries if e.fold != 0]
        assert any(must_share_a_fold(a, b) for a in val for b in train)


def leaks(audited, task, version, split):
    """Pairs that show one field, of which a split trains on one and validates on the other."""
    folds = {entry.id: entry.fold for entry in registry.entries(task, version, split)}
    return [
        overlap
        for overlap in audited.overlaps
        if {overlap.a, overlap.b} <= folds.keys() and folds[overlap.a] != folds[overlap.b]
    ]


@pytest.mark.slow
@pytest.mark.parametrize("version", [protocol.REAL_VERSION, protocol.AUDITED_VERSION])
@pytest.mark.parametrize("task", protocol.TASKS)
def test_no_field_is_in_two_folds(task, version, real_audit):
    """Check what the audit of all micrographs finds, at one magnification and across.

    The paper's folds have leaks of both kinds, so the audit that is used does look for both.
    """
    assert leaks(real_audit, task, version, "clean") == []
    assert leaks(real_audit, task, version, "grouped") == []
    of_paper = leaks(real_audit, task, version, protocol.PAPER_SPLIT)
    assert {overlap.is_across_magnifications for overlap in of_paper} == {True, False}


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_splits_are_what_their_generator_writes():
    """Check that the committed file follows from the micrographs, to the byte."""
    committed = (resources.files("uhcs_bench") / "data" / "splits.json").read_text("utf-8")
    assert committed == write_splits.as_json(write_splits.generate())


# Subsets of training micrographs


@pytest.mark.parametrize("split", protocol.SPLITS)
@pytest.mark.parametrize("task", protocol.TASKS)
def test_training_orders_are_fixed_and_leave_the_fold_alone(task, split):
    """Check the shipped ids against the rule, written out here, and against the folds."""
    entries = registry.entries(task, split=split)
    for fold in range(dataset.n_folds(task, split=split)):
        order = registry.training_order(task, split, fold)
        others = {e.id for e in entries if e.fold != fold}
        hashes = {sha256(f"{fold} {name}".encode()).hexdigest(): name for name in others}
        assert order == tuple(hashes[key] for key in sorted(hashes))[:16]


def test_an_order_survives_what_a_split_leaves_out():
    """Check that the order of clean is the paper's less what clean leaves out."""
    for task, fold in product(protocol.TASKS, range(6)):
        clean = registry.training_order(task, "clean", fold)
        paper = registry.training_order(task, "paper", fold)
        kept = {e.id for e in registry.entries(task, split="clean")}
        shorter = [name for name in paper if name in kept]
        assert list(clean[: len(shorter)]) == shorter


@given(st.sets(st.text(max_size=8), max_size=30), st.integers(0, 5))
def test_subsets_are_nested_whatever_the_order_of_the_ids(ids, fold):
    """Check that the order depends on the ids alone."""
    order = splits.training_order(sorted(ids), fold)
    assert order == splits.training_order(sorted(ids, reverse=True), fold)
    assert len(order) == min(len(ids), 16)
    assert set(order) <= ids


def test_subset_of_a_fold():
    """Check members, order and validation micrographs of a subset, and that subsets are nested."""
    fold = dataset.load("particles", fold=4, version="synthetic")
    found = [set(fold.subset(size).train.ids) for size in splits.TRAIN_SIZES]
    assert [len(ids) for ids in found] == [1, 2, 4, 8, 16]
    assert all(small < large for small, large in pairwise(found))
    small = fold.subset(4)
    assert small.val is fold.val
    assert [m.id for m in fold.train if m.id in found[2]] == list(small.train.ids)
    assert small.subset(2).train.ids == fold.subset(2).train.ids


@pytest.mark.parametrize("size", [0, 3, 32])
def test_there_are_no_subsets_of_other_sizes(size):
    """Check that the message lists the sizes."""
    fold = dataset.load("particles", fold=0, version="synthetic")
    with pytest.raises(UsageError, match=r"has 20, and the subsets have 1, 2, 4, 8, 16"):
        fold.subset(size)
    with pytest.raises(UsageError, match=r"no subset of 8 .* has 4, and the subsets have 1, 2, 4"):
        fold.subset(4).subset(8)


@pytest.mark.usefixtures("real_data")
def test_a_small_fold_has_smaller_subsets():
    """Check a fold of grouped with 14 training micrographs."""
    fold = dataset.load("particles", fold=0, split="grouped")
    assert len(fold.subset(8).train) == 8
    with pytest.raises(UsageError, match=r"split grouped, has 14, and the subsets have 1, 2, 4, 8"):
        fold.subset(16)
