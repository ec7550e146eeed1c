"""Dice, Cohen's kappa and area fractions, against hand-computed cases and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import uhcs_bench
from uhcs_bench.metrics import confusion as metrics
from uhcs_bench.metrics.confusion import (
    annotated_fractions,
    cohen_kappa,
    dice,
    fraction_errors,
    predicted_fractions,
)
from uhcs_bench.segmentation import otsu

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
def test_a_stack_of_matrices_gives_what_each_gives(measure):
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
