"""Pixel and particle measures, against hand-computed cases, scikit-learn, scipy and properties."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import uhcs_bench
from uhcs_bench.metallography.components import particle_areas
from uhcs_bench.metrics import confusion as metrics
from uhcs_bench.metrics.confusion import (
    annotated_fractions,
    cohen_kappa,
    dice,
    fraction_errors,
    predicted_fractions,
)
from uhcs_bench.segmentation import otsu

EIGHT_NEIGHBOURS = np.ones((3, 3))
label_maps = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3)
)
masks = hnp.arrays(np.bool_, st.tuples(st.integers(0, 14), st.integers(0, 14)))
samples = st.lists(st.integers(1, 30), min_size=1, max_size=60)


@st.composite
def map_pairs(draw):
    annotated = draw(label_maps)
    predicted = draw(hnp.arrays(np.uint8, annotated.shape, elements=st.integers(0, 3)))
    return annotated, predicted


def test_confusion_matrix_by_hand():
    """Check rows, columns and counts on six pixels."""
    annotated = np.array([[0, 0, 0], [1, 1, 2]])
    predicted = np.array([[0, 1, 0], [1, 1, 0]])
    expected = [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    np.testing.assert_array_equal(metrics.confusion_matrix(annotated, predicted, 3), expected)


@given(map_pairs())
def test_confusion_matrix_is_scikit_learns(pair):
    """Check random label maps against scikit-learn."""
    annotated, predicted = pair
    expected = sklearn.metrics.confusion_matrix(
        annotated.ravel(), predicted.ravel(), labels=[0, 1, 2, 3]
    )
    np.testing.assert_array_equal(metrics.confusion_matrix(annotated, predicted, 4), expected)


def test_confusion_matrix_across_chunks():
    """Check that a map larger than a chunk, and no multiple of it, is counted whole."""
    rng = np.random.default_rng(0)
    annotated = rng.integers(0, 4, (517, 389))
    predicted = rng.integers(0, 4, (517, 389))
    counted = metrics.confusion_matrix(annotated, predicted, 4)
    expected = sklearn.metrics.confusion_matrix(annotated.ravel(), predicted.ravel())
    np.testing.assert_array_equal(counted, expected)


@pytest.mark.parametrize("wrong", [np.array([0, 4]), np.array([-1, 0])])
def test_confusion_matrix_refuses_labels_outside_the_classes(wrong):
    """Check that a label outside the classes raises instead of counting as another class."""
    with pytest.raises(ValueError, match="between 0 and 3"):
        metrics.confusion_matrix(np.array([0, 1]), wrong, 4)


def test_confusion_matrix_refuses_other_shapes():
    """Check that maps of different shapes raise instead of broadcasting."""
    with pytest.raises(ValueError, match="shape"):
        metrics.confusion_matrix(np.zeros((2, 3), int), np.zeros((1, 3), int), 2)


def test_ratios_by_hand():
    """Check every ratio, with a class that is absent and one that is not predicted."""
    confusion = np.array([[6, 2, 0, 0], [1, 3, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
    assert metrics.accuracy(confusion) == 9 / 13
    np.testing.assert_array_equal(metrics.precision(confusion), [6 / 8, 3 / 5, np.nan, np.nan])
    np.testing.assert_array_equal(metrics.recall(confusion), [6 / 8, 3 / 4, np.nan, 0])
    np.testing.assert_array_equal(
        metrics.intersection_over_union(confusion), [6 / 10, 3 / 6, np.nan, 0]
    )


@pytest.mark.slow
@given(map_pairs())
def test_ratios_are_scikit_learns(pair):
    """Check random label maps against scikit-learn, undefined values included."""
    annotated, predicted = (labels.ravel() for labels in pair)
    confusion = metrics.confusion_matrix(annotated, predicted, 4)
    options = {"labels": [0, 1, 2, 3], "average": None, "zero_division": np.nan}
    np.testing.assert_allclose(
        metrics.precision(confusion),
        sklearn.metrics.precision_score(annotated, predicted, **options),
    )
    np.testing.assert_allclose(
        metrics.recall(confusion), sklearn.metrics.recall_score(annotated, predicted, **options)
    )
    # scikit-learn has no NaN for an absent class's Jaccard score: compare the present ones.
    present = np.union1d(annotated, predicted)
    np.testing.assert_allclose(
        metrics.intersection_over_union(confusion)[present],
        sklearn.metrics.jaccard_score(annotated, predicted, labels=present, average=None),
    )
    assert metrics.accuracy(confusion) == pytest.approx(
        sklearn.metrics.accuracy_score(annotated, predicted)
    )


@given(map_pairs(), st.permutations(range(4)))
def test_renaming_classes_only_permutes_the_scores(pair, order):
    """Check that no class is treated differently from another."""
    renamed = np.array(order)
    before = metrics.intersection_over_union(metrics.confusion_matrix(*pair, 4))
    after = metrics.intersection_over_union(
        metrics.confusion_matrix(renamed[pair[0]], renamed[pair[1]], 4)
    )
    np.testing.assert_array_equal(after[renamed], before)


def test_stack_of_matrices_gives_what_each_gives():
    """Check that leading axes are kept."""
    stack = np.random.default_rng(0).integers(0, 9, (5, 3, 3))
    for measure in (metrics.precision, metrics.recall, metrics.intersection_over_union):
        np.testing.assert_array_equal(measure(stack), [measure(confusion) for confusion in stack])


@pytest.mark.slow
def test_large_maps_are_counted_exactly_in_bounded_memory():
    """Check counts beyond 2^24 on a 10,000 x 10,000 map, and that 1.5 times the maps is enough."""
    tile = np.zeros((50, 50), np.uint8)
    tile[10:20, 10:30] = tile[21:23, 30:40] = 1
    annotated = np.tile(tile, (200, 200))
    predicted = np.zeros_like(annotated)
    tracemalloc.start()
    try:
        confusion = metrics.confusion_matrix(annotated, predicted, 2)
        areas = particle_areas(annotated)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    n_particle = 40_000 * 220
    np.testing.assert_array_equal(confusion, [[10**8 - n_particle, 0], [n_particle, 0]])
    assert np.unique(areas, return_counts=True)[1].tolist() == [40_000, 40_000]
    assert peak < 0.5 * (annotated.nbytes + predicted.nbytes)


MEASURES = (
    dice,
    cohen_kappa,
    annotated_fractions,
    predicted_fractions,
    fraction_errors,
)
CLASSWISE = tuple(measure for measure in MEASURES if measure is not cohen_kappa)

label_lists = st.integers(1, 60).flatmap(
    lambda n: st.tuples(*[hnp.arrays(np.uint8, n, elements=st.integers(0, 3))] * 2)
)
confusions = hnp.arrays(np.int64, (4, 4), elements=st.integers(0, 50))


def confusion_of(pair):
    return metrics.confusion_matrix(*pair, 4)


def test_dice_by_hand():
    """Check a class that is absent, one that is only annotated and two that are in both maps."""
    confusion = np.array([[6, 2, 0, 0], [1, 3, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
    np.testing.assert_allclose(dice(confusion), [12 / 16, 6 / 9, np.nan, 0])


@pytest.mark.slow
@given(label_lists)
def test_dice_is_scikit_learns_f1(pair):
    """Check random labels against scikit-learn, undefined values included."""
    options = {"labels": [0, 1, 2, 3], "average": None, "zero_division": np.nan}
    np.testing.assert_allclose(
        dice(confusion_of(pair)), sklearn.metrics.f1_score(*pair, **options), rtol=1e-12
    )


def test_cohen_kappa_by_hand():
    """Check the textbook case of two raters who accept 50 proposals or not."""
    assert cohen_kappa(np.array([[20, 5], [10, 15]])) == pytest.approx(0.4)


@given(label_lists)
def test_cohen_kappa_is_scikit_learns(pair):
    """Check random labels against scikit-learn."""
    if len(np.unique(pair)) == 1:
        assert np.isnan(cohen_kappa(confusion_of(pair)))
        return
    expected = sklearn.metrics.cohen_kappa_score(*pair)
    assert cohen_kappa(confusion_of(pair)) == pytest.approx(expected, abs=1e-12)


@given(confusions.filter(lambda confusion: np.count_nonzero(confusion.sum(1)) > 1))
def test_cohen_kappa_of_special_predictions(confusion):
    """Check that the annotation itself has 1 and that a single class for all pixels has 0."""
    n_annotated = confusion.sum(1)
    single_class = np.zeros_like(confusion)
    single_class[:, 2] = n_annotated
    assert cohen_kappa(np.diag(n_annotated)) == 1
    assert cohen_kappa(single_class) == pytest.approx(0, abs=1e-12)


@given(label_lists)
def test_fractions_are_shares_of_the_labels(pair):
    """Check fractions and their errors against counting the labels."""
    annotated, predicted = (np.bincount(labels, minlength=4) / labels.size for labels in pair)
    confusion = confusion_of(pair)
    np.testing.assert_allclose(annotated_fractions(confusion), annotated)
    np.testing.assert_allclose(predicted_fractions(confusion), predicted)
    np.testing.assert_allclose(fraction_errors(confusion), predicted - annotated, atol=1e-15)


@pytest.mark.slow
@given(confusions)
def test_exchanging_the_maps(confusion):
    """Check that Dice and kappa are symmetric and that errors of fractions change their sign."""
    for measure in (dice, cohen_kappa):
        np.testing.assert_allclose(measure(confusion), measure(confusion.T), atol=1e-12)
    np.testing.assert_array_equal(fraction_errors(confusion), -fraction_errors(confusion.T))


@given(confusions, st.permutations(range(4)))
def test_renaming_classes_only_permutes(confusion, order):
    """Check that no class is treated differently from another."""
    renamed = confusion[np.ix_(order, order)]
    for measure in CLASSWISE:
        np.testing.assert_array_equal(measure(renamed), measure(confusion)[order])
    np.testing.assert_allclose(cohen_kappa(renamed), cohen_kappa(confusion), atol=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("measure", MEASURES)
def test_nothing_is_undefined(measure):
    """Check that a map without pixels gives NaN, without a warning."""
    assert np.isnan(measure(np.zeros((3, 3), np.int64))).all()


@pytest.mark.parametrize("measure", MEASURES)
def test_agreement_of_a_stack_is_that_of_each(measure):
    """Check that leading axes are kept."""
    stack = np.random.default_rng(0).integers(0, 9, (2, 5, 3, 3))
    expected = [[measure(confusion) for confusion in row] for row in stack]
    np.testing.assert_array_equal(measure(stack), expected)


def test_counts_of_a_large_map_are_exact():
    """Check that 10^10 pixels with one error are not called perfect."""
    confusion = np.array([[10**10, 1], [0, 10**10]])
    assert (dice(confusion) < 1).all()
    assert cohen_kappa(confusion) < 1
    assert fraction_errors(confusion)[1] == 1 / (2 * 10**10 + 1)


@pytest.mark.usefixtures("real_data")
def test_otsu_on_the_real_particles():
    """Check that Otsu's threshold agrees beyond chance and that Dice and IU go together."""
    for micrograph in uhcs_bench.load("particles")[::6]:
        predicted = otsu.segment(micrograph.image, "particles")
        confusion = metrics.confusion_matrix(micrograph.labels, predicted, 2)
        assert 0.3 < cohen_kappa(confusion) < metrics.accuracy(confusion)
        iou = metrics.intersection_over_union(confusion)
        np.testing.assert_allclose(dice(confusion), 2 * iou / (1 + iou))
        assert fraction_errors(confusion)[1] == pytest.approx(
            predicted.mean() - micrograph.labels.mean()
        )


def test_unsigned_counts_do_not_wrap_around():
    """Check differences of counts of unsigned types against those of int64."""
    counts = np.array([[6, 1], [2, 1]])
    expected = metrics.fraction_errors(counts)
    assert expected.tolist() == pytest.approx([0.1, -0.1])
    for dtype in (np.uint8, np.uint32, np.uint64, float):
        np.testing.assert_array_equal(metrics.fraction_errors(counts.astype(dtype)), expected)
