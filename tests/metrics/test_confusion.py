"""Pixel and particle measures, against hand-computed cases, scikit-learn, scipy and properties."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage, stats

import uhcs_bench
from uhcs_bench.metallography import components as runs
from uhcs_bench.metallography.components import particle_areas
from uhcs_bench.metrics import confusion as metrics
from uhcs_bench.metrics import particle_sizes

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


def test_a_stack_of_matrices_gives_what_each_gives():
    """Check that leading axes are kept."""
    stack = np.random.default_rng(0).integers(0, 9, (5, 3, 3))
    for measure in (metrics.precision, metrics.recall, metrics.intersection_over_union):
        np.testing.assert_array_equal(measure(stack), [measure(confusion) for confusion in stack])


@pytest.mark.parametrize(("connectivity", "structure"), [(4, None), (8, EIGHT_NEIGHBOURS)])
@given(mask=masks)
def test_particle_areas_are_scipys(mask, connectivity, structure):
    """Check random masks, empty and odd-sized ones included, against scipy's components."""
    components, n = ndimage.label(mask, structure)
    expected = np.bincount(components.ravel(), minlength=n + 1)[1:]
    np.testing.assert_array_equal(particle_areas(mask, connectivity), expected)


@pytest.mark.parametrize("share", [0.05, 0.4, 0.6, 0.95])
def test_particle_areas_of_a_large_map(share):
    """Check a map of the real odd size, from sparse specks to a percolating network."""
    mask = np.random.default_rng(0).random((475, 645)) < share
    components, _ = ndimage.label(mask, EIGHT_NEIGHBOURS)
    np.testing.assert_array_equal(particle_areas(mask), np.bincount(components.ravel())[1:])


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("band_pixels", [1, 700, 4000])
@given(mask=masks)
def test_bands_are_seamless(mask, connectivity, band_pixels):
    """Check that cutting the work into bands of one or more rows changes nothing, not the order."""
    with pytest.MonkeyPatch.context() as patch:
        whole = particle_areas(mask, connectivity)
        patch.setattr(runs, "BAND_PIXELS", band_pixels)
        np.testing.assert_array_equal(particle_areas(mask, connectivity), whole)


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


def test_particle_areas_of_a_spiral():
    """Check a component whose runs join only after a long way round."""
    spiral = np.array(
        [
            [1, 1, 1, 1, 1, 1, 1],
            [0, 0, 0, 0, 0, 0, 1],
            [1, 1, 1, 1, 1, 0, 1],
            [1, 0, 0, 0, 1, 0, 1],
            [1, 0, 1, 1, 1, 0, 1],
            [1, 0, 0, 0, 0, 0, 1],
            [1, 1, 1, 1, 1, 1, 1],
        ]
    )
    assert particle_areas(spiral, 4).tolist() == [spiral.sum()]


@pytest.mark.usefixtures("real_data")
def test_particle_areas_of_the_annotations():
    """Check all real annotations against scipy."""
    for micrograph in uhcs_bench.load("particles"):
        components, _ = ndimage.label(micrograph.labels, EIGHT_NEIGHBOURS)
        np.testing.assert_array_equal(
            particle_areas(micrograph.labels), np.bincount(components.ravel())[1:]
        )


@given(samples, samples)
def test_ks_test_is_scipys(sample, other):
    """Check statistic and p-value against scipy's asymptotic two-sample test."""
    expected = stats.ks_2samp(sample, other, method="asymp")
    statistic, p_value = particle_sizes.ks_test(sample, other)
    assert statistic == pytest.approx(expected.statistic, abs=1e-12)
    if len(sample) == len(other) == 1:
        return  # scipy has no p-value for an effective sample size of one half
    assert p_value == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-14)


@given(samples, samples)
def test_ks_test_ignores_a_monotone_rescaling(sample, other):
    """Check that areas and their square roots give the same, in either order."""
    result = particle_sizes.ks_test(sample, other)
    assert particle_sizes.ks_test(np.sqrt(sample), np.sqrt(other)) == result
    assert particle_sizes.ks_test(other, sample) == result


def test_ks_test_of_nothing_is_undefined():
    """Check that an empty sample gives NaN, without a warning or an exception."""
    assert np.isnan(particle_sizes.ks_test([], [1, 2])).all()


@pytest.mark.parametrize(
    ("annotated", "predicted", "consistent"),
    [([], [], True), ([], [4], False), ([4], [], False), ([3, 4, 5], [3, 4, 5], True)],
)
def test_maps_without_particles(annotated, predicted, consistent):
    """Check what an empty map is consistent with."""
    annotated, predicted = np.array(annotated), np.array(predicted)
    p_value = particle_sizes.ks_test(annotated, predicted)[1]
    assert particle_sizes.same_distribution(annotated, predicted, p_value) is consistent


def test_the_level_of_the_test_decides():
    """Check that p = 0.05 itself counts as consistent."""
    areas = np.array([1])
    assert particle_sizes.same_distribution(areas, areas, 0.05)
    assert not particle_sizes.same_distribution(areas, areas, 0.0499)
