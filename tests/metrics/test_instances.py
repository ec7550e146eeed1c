"""Matching of particles, against hand-computed cases, all assignments and properties.

The same counts and qualities have been found with stardist 0.9.2 and panoptica 2.1.7 on random maps
and on Otsu's maps of the 24 real micrographs, with thresholds raised by 1e-6, since both count
equality as a match.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import astuple
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage, optimize
from skimage.segmentation import relabel_sequential

import uhcs_bench
from uhcs_bench.metallography import components
from uhcs_bench.metrics import instances
from uhcs_bench.segmentation import otsu

sides = st.integers(1, 12)


@st.composite
def instance_pairs(draw, n_particles=4):
    """Maps of particles that need not be connected, similar to each other."""
    shape = draw(st.tuples(sides, sides))
    numbers = st.integers(0, n_particles)
    annotated = draw(hnp.arrays(np.int32, shape, elements=numbers))
    changed = draw(hnp.arrays(np.bool_, shape, elements=st.booleans()))
    other = draw(hnp.arrays(np.int32, shape, elements=numbers))
    return annotated, np.where(changed, other, annotated)


@st.composite
def mask_pairs(draw):
    shape = draw(st.tuples(sides, sides))
    return draw(hnp.arrays(np.bool_, shape)), draw(hnp.arrays(np.bool_, shape))


def dense_iou(annotated, predicted):
    """Intersection over union of all pairs of numbers that occur, one after the other."""
    table = np.zeros((max(annotated.max(), 1), max(predicted.max(), 1)))
    for i, j in np.ndindex(table.shape):
        first, second = annotated == i + 1, predicted == j + 1
        if (first | second).any():
            table[i, j] = (first & second).sum() / (first | second).sum()
    return table


def most_matches(similar):
    """Largest number of pairs among all one-to-one assignments."""
    if similar.shape[0] > similar.shape[1]:
        similar = similar.T
    rows = range(similar.shape[0])
    return max(
        sum(similar[row, column] for row, column in zip(rows, columns, strict=True))
        for columns in permutations(range(similar.shape[1]), len(rows))
    )


def same(scores, other):
    for value, expected in zip(astuple(scores), astuple(other), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-12)


def two_and_three():
    """Two annotated particles and three predicted ones, with IoU 4/6, 2/3 and a miss."""
    annotated = np.array([[1, 1, 1, 1, 1, 0, 0, 2, 2, 2, 0, 0]])
    predicted = np.array([[0, 1, 1, 1, 1, 1, 0, 2, 2, 0, 0, 3]])
    return annotated, predicted


@pytest.mark.parametrize("module", ["confusion", "boundaries", "instances", "particle_sizes"])
def test_import_loads_numpy_alone(module):
    """Check that a score that doesn't need scipy and scikit-image doesn't wait for them."""
    program = (
        f"import sys, uhcs_bench.metrics.{module}; "
        "assert not {'scipy', 'skimage'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_pairs_by_hand():
    """Check the pairs that touch and no others."""
    first, second, iou = instances.intersections_over_union(*two_and_three())
    assert first.tolist() == [1, 2]
    assert second.tolist() == [1, 2]
    np.testing.assert_allclose(iou, [4 / 6, 2 / 3])


def test_scores_by_hand():
    """Check every score of two annotated and three predicted particles."""
    scores = instances.match_instances(*two_and_three())
    assert (scores.n_true, scores.n_pred) == (2, 3)
    assert scores.n_matched.tolist() == [2, 2, 2, 2, 0, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(scores.precision[[0, 4]], [2 / 3, 0])
    np.testing.assert_allclose(scores.recall[[0, 4]], [1, 0])
    np.testing.assert_allclose(scores.f1[[0, 4]], [0.8, 0])
    assert scores.mean_f1 == pytest.approx(0.8 * 4 / 10)
    assert scores.segmentation_quality == pytest.approx(2 / 3)
    assert scores.recognition_quality == pytest.approx(0.8)
    assert scores.panoptic_quality == pytest.approx(0.8 * 2 / 3)


def test_thresholds():
    """Check that they are the ten of COCO, exactly as written."""
    written = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
    assert written == instances.THRESHOLDS


@pytest.mark.parametrize(("pixels", "of"), [(1, 2), (11, 20), (3, 5), (13, 20), (17, 20), (19, 20)])
def test_equality_is_no_match(pixels, of):
    """Check that an intersection over union at a threshold does not exceed it."""
    annotated = np.ones((1, of), int)
    predicted = (np.arange(of) < pixels).astype(int)[np.newaxis]
    matched = instances.match_instances(annotated, predicted).n_matched
    assert matched.sum() == sum(threshold < pixels / of for threshold in instances.THRESHOLDS)
    assert pixels / of in instances.THRESHOLDS


@given(instance_pairs(n_particles=6))
@settings(deadline=None)
def test_intersections_over_union_are_those_of_all_pairs(pair):
    """Check the sparse list against a table of all pairs."""
    table = dense_iou(*pair)
    first, second, iou = instances.intersections_over_union(*pair)
    np.testing.assert_array_equal(iou, table[first - 1, second - 1])
    assert len(iou) == np.count_nonzero(table)


@given(instance_pairs())
@settings(deadline=None)
def test_no_assignment_matches_more(pair):
    """Check the number of matches against all one-to-one assignments."""
    table = dense_iou(*pair)
    scores = instances.match_instances(*pair)
    for threshold, n_matched in zip(scores.thresholds, scores.n_matched, strict=True):
        assert n_matched == most_matches(table > threshold)


@given(instance_pairs(n_particles=9))
@settings(deadline=None)
def test_qualities_are_those_of_the_best_assignment(pair):
    """Check panoptic quality against scipy's assignment of the largest total similarity."""
    table = dense_iou(*pair)
    similar = np.where(table > 0.5, table, 0)
    best = similar[optimize.linear_sum_assignment(similar, maximize=True)]
    scores = instances.match_instances(*pair)
    if scores.n_true + scores.n_pred:
        expected = 2 * best.sum() / (scores.n_true + scores.n_pred)
        assert scores.panoptic_quality == pytest.approx(expected, abs=1e-12)
    if best.any():
        assert scores.segmentation_quality == pytest.approx(best[best > 0].mean())
        assert scores.panoptic_quality == pytest.approx(
            scores.segmentation_quality * scores.recognition_quality
        )


@pytest.mark.parametrize("connectivity", [4, 8])
@given(mask=hnp.arrays(np.bool_, st.tuples(sides, sides)))
def test_particles_are_those_whose_areas_are_tested(mask, connectivity):
    """Check numbering and areas against `metrics.particle_areas`."""
    numbered = components.label_particles(mask, connectivity)
    np.testing.assert_array_equal(
        np.bincount(numbered.ravel())[1:], components.particle_areas(mask, connectivity)
    )
    np.testing.assert_array_equal(numbered > 0, mask)


@given(mask_pairs())
@settings(deadline=None)
def test_matches_of_connected_particles(pair):
    """Check particles of random masks against scipy's labels and assignment."""
    annotated, predicted = (ndimage.label(mask, np.ones((3, 3)))[0] for mask in pair)
    scores = instances.match_instances(*map(components.label_particles, pair))
    similar = dense_iou(annotated, predicted) > 0.5
    assert scores.n_matched[0] == similar[optimize.linear_sum_assignment(-1.0 * similar)].sum()
    assert (scores.n_true, scores.n_pred) == (annotated.max(), predicted.max())


@given(instance_pairs())
def test_exchanging_the_maps(pair):
    """Check that F1 and the qualities are symmetric and that precision and recall change places."""
    scores, exchanged = (instances.match_instances(*maps) for maps in (pair, pair[::-1]))
    np.testing.assert_array_equal(scores.f1, exchanged.f1)
    np.testing.assert_array_equal(scores.precision, exchanged.recall)
    np.testing.assert_allclose(scores.panoptic_quality, exchanged.panoptic_quality)


@given(instance_pairs(), st.permutations(range(1, 5)), st.permutations(range(1, 5)))
def test_the_particles_numbers_do_not_matter(pair, order, other):
    """Check numbers that are permuted and numbers that are missing."""
    scores = instances.match_instances(*pair)
    renumbered = (np.array([0, *o])[m] for o, m in zip((order, other), pair, strict=True))
    same(instances.match_instances(*renumbered), scores)
    sequential = (relabel_sequential(numbered)[0] for numbered in pair)
    same(instances.match_instances(*sequential), scores)


@given(instance_pairs(), st.integers(0, 3), st.integers(0, 3))
def test_moving_both_maps_changes_nothing(pair, down, right):
    """Check that the particles' place doesn't matter."""
    moved = (np.pad(numbered, ((down, 3 - down), (right, 3 - right))) for numbered in pair)
    same(instances.match_instances(*moved), instances.match_instances(*pair))


@given(instance_pairs())
def test_more_similarity_is_harder(pair):
    """Check that F1 falls with the threshold and that a map matches itself at all of them."""
    assert (np.diff(instances.match_instances(*pair).n_matched) <= 0).all()
    itself = instances.match_instances(pair[0], pair[0])
    if itself.n_true:
        assert (itself.f1 == 1).all()
        assert itself.panoptic_quality == itself.segmentation_quality == 1


@pytest.mark.filterwarnings("error")
def test_maps_without_particles():
    """Check what is undefined and what is zero, without a warning."""
    some, none = np.eye(3, dtype=int), np.zeros((3, 3), int)
    neither = instances.match_instances(none, none)
    assert np.isnan([*neither.precision, *neither.recall, *neither.f1]).all()
    assert np.isnan([neither.panoptic_quality, neither.recognition_quality]).all()
    assert np.isnan([neither.segmentation_quality, neither.mean_f1]).all()

    missed, invented = (instances.match_instances(*m) for m in ((some, none), (none, some)))
    for scores in (missed, invented):
        assert (scores.f1 == 0).all()
        assert scores.panoptic_quality == scores.recognition_quality == 0
        assert np.isnan(scores.segmentation_quality)
    assert np.isnan(missed.precision).all()
    assert (missed.recall == 0).all()
    assert np.isnan(invented.recall).all()
    assert (invented.precision == 0).all()


def test_a_threshold_without_a_unique_matching_is_refused():
    """Check that the message gives the threshold."""
    with pytest.raises(ValueError, match=r"at least 0\.5 .* the smallest is 0\.3"):
        instances.match_instances(*two_and_three(), thresholds=[0.7, 0.3])


def test_other_shapes_are_refused():
    """Check that maps of different shapes raise instead of broadcasting."""
    with pytest.raises(ValueError, match="shape"):
        instances.match_instances(np.ones((2, 3), int), np.ones((1, 3), int))


def test_many_particles():
    """Check that numbers of pairs beyond 32 bits are told apart."""
    annotated = np.arange(1, 100_001).reshape(250, 400)
    twice_as_large = (annotated + 1) // 2
    assert instances.match_instances(annotated, twice_as_large).n_matched.tolist() == [0] * 10
    assert instances.match_instances(annotated, annotated + 3).n_matched.tolist() == [100_000] * 10


@pytest.mark.usefixtures("real_data")
def test_real_annotations():
    """Check that annotations match themselves and that Otsu finds some of the particles."""
    for micrograph in uhcs_bench.load("particles")[::6]:
        annotated = components.label_particles(micrograph.labels)
        itself = instances.match_instances(annotated, annotated)
        assert (itself.f1 == 1).all()
        assert itself.n_true == len(components.particle_areas(micrograph.labels))
        predicted = components.label_particles(otsu.segment(micrograph.image, "particles"))
        scores = instances.match_instances(annotated, predicted)
        assert 0.05 < scores.panoptic_quality < scores.recognition_quality < 0.9
        assert 0.5 < scores.segmentation_quality < 1
