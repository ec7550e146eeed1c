"""Boundary measures, against hand-computed cases, exact distances and properties."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.segmentation import find_boundaries

import uhcs_bench
from uhcs_bench.metrics import boundaries, confusion
from uhcs_bench.segmentation import otsu

N_CLASSES = 3
sides = st.integers(1, 12)
distances = st.integers(0, 5)


@st.composite
def map_pairs(draw):
    shape = draw(st.tuples(sides, sides))
    labels = hnp.arrays(np.uint8, shape, elements=st.integers(0, N_CLASSES - 1))
    return draw(labels), draw(labels)


def distance_to(mask):
    """Exact distance of each pixel to the nearest one of a mask."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return ndimage.distance_transform_edt(~mask)


def lines_of(labels, label):
    """Pixels of a class next to another class."""
    return (labels == label) & (distance_to(labels != label) <= 1)


def ratio(part, whole):
    return part / whole if whole else math.nan


def square(top=10, left=12, side=8, shape=(40, 44)):
    labels = np.zeros(shape, np.uint8)
    labels[top : top + side, left : left + side] = 1
    return labels


@given(map_pairs(), distances)
def test_precision_and_recall_are_those_of_exact_distances(pair, tolerance):
    """Check random maps against scipy's distance transform, undefined values included."""
    annotated, predicted = pair
    precision, recall = boundaries.boundary_precision_recall(
        annotated, predicted, N_CLASSES, tolerance
    )
    for label in range(N_CLASSES):
        ours, theirs = lines_of(predicted, label), lines_of(annotated, label)
        near, found = distance_to(theirs) <= tolerance, distance_to(ours) <= tolerance
        np.testing.assert_array_equal(precision[label], ratio((ours & near).sum(), ours.sum()))
        np.testing.assert_array_equal(recall[label], ratio((theirs & found).sum(), theirs.sum()))


@given(map_pairs(), distances)
def test_boundary_iou_is_that_of_exact_distances(pair, width):
    """Check random maps against bands from scipy's distance transform."""
    found = boundaries.boundary_iou(*pair, N_CLASSES, width)
    for label in range(N_CLASSES):
        first, second = (
            (labels == label) & (distance_to(labels != label) <= width) for labels in pair
        )
        expected = ratio((first & second).sum(), (first | second).sum())
        np.testing.assert_array_equal(found[label], expected)


@pytest.mark.parametrize("distance", [0, 1, 2, 3, 7, 12, 40])
def test_distances_are_euclidean(distance):
    """Check that one pixel grows to the disk of all pixels at most so far away."""
    bits = np.zeros((21, 33), np.uint8)
    bits[9, 20] = 4
    row, column = np.indices(bits.shape)
    disk = (row - 9) ** 2 + (column - 20) ** 2 <= distance**2
    np.testing.assert_array_equal(boundaries._spread(bits, distance), 4 * disk)


def test_lines_are_scikit_images_inner_boundaries():
    """Check the particles' boundary pixels on a map of the real size."""
    labels = (np.random.default_rng(0).random((475, 645)) < 0.3).astype(np.uint8)
    labels = ndimage.binary_closing(labels).astype(np.uint8)
    lines = boundaries._band(boundaries._class_bits(labels), 1)
    np.testing.assert_array_equal(
        lines == 2, find_boundaries(labels, connectivity=1, mode="inner", background=0)
    )


def test_f1_by_hand():
    """Check a class whose boundary is found in part."""
    annotated = np.array([[0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1]])
    predicted = np.array([[0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]])
    precision, recall = boundaries.boundary_precision_recall(annotated, predicted, 2)
    assert precision.tolist() == [1, 1]
    assert recall.tolist() == [2 / 3, 2 / 3]
    np.testing.assert_allclose(boundaries.boundary_f1(annotated, predicted, 2), [0.8, 0.8])


@pytest.mark.parametrize(("shift", "f1"), [(0, 1), (1, 1), (2, 1), (3, 18 / 28)])
def test_a_shift_within_the_tolerance_is_forgiven(shift, f1):
    """Check a square with 28 boundary pixels, which is moved down.

    Moved by 3 px, of its upper side the 3 pixels at either end still lie near the annotated sides,
    of its left and right sides all but the lowest pixel, 6 below the upper side; its lower side is
    lost. That makes 6 + 2 * 6 = 18 pixels, and the same from the annotation's view.
    """
    found = boundaries.boundary_f1(square(), square(top=10 + shift), 2)[1]
    assert found == pytest.approx(f1, abs=1e-12)


def test_boundary_iou_by_hand():
    """Check the frame, 2 px wide, of a square that is shifted by one pixel."""
    # Two frames of 8 x 8 - 4 x 4 = 48 pixels. Of the 56 common pixels of the squares, those of
    # both frames: 2 columns at each side (2 * 2 * 7), and 1 row at top and bottom (2 * 1 * 4).
    assert boundaries.boundary_iou(square(), square(top=11), 2)[1] == 36 / (48 + 48 - 36)


def test_a_band_that_reaches_everywhere_gives_the_iou():
    """Check that for small particles the boundary IoU is the intersection over union."""
    rng = np.random.default_rng(1)
    pair = [(rng.random((30, 31)) < 0.3).astype(np.uint8) for _ in range(2)]
    np.testing.assert_array_equal(
        boundaries.boundary_iou(*pair, 2, width=20),
        confusion.intersection_over_union(confusion.confusion_matrix(*pair, 2)),
    )


def test_a_distance_beyond_the_map_is_that_of_its_diagonal():
    """Check that it costs no more, and finds every pixel of a line."""
    annotated, predicted = square(), square(top=2)
    far = boundaries.boundary_f1(annotated, predicted, 2, tolerance=10**9)
    np.testing.assert_array_equal(far, [1.0, 1.0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("measure", [boundaries.boundary_f1, boundaries.boundary_iou])
def test_classes_that_are_missing(measure):
    """Check a class in no map, in one map, and a map that one class fills."""
    both, only_matrix = square(), square() * 0
    np.testing.assert_array_equal(measure(both, both, 3), [1, 1, np.nan])
    np.testing.assert_array_equal(measure(both, only_matrix, 3), [0, 0, np.nan])
    np.testing.assert_array_equal(measure(only_matrix, both, 3), [0, 0, np.nan])
    np.testing.assert_array_equal(measure(only_matrix, only_matrix, 3), [np.nan] * 3)
    np.testing.assert_array_equal(measure(only_matrix, only_matrix + 1, 3), [np.nan] * 3)


@pytest.mark.parametrize("measure", [boundaries.boundary_f1, boundaries.boundary_iou])
def test_the_edge_of_the_image_is_no_boundary(measure):
    """Check that cutting a map along a straight boundary's normal doesn't add boundary."""
    annotated = np.zeros((20, 20), np.uint8)
    annotated[:, 10:] = 1
    predicted = np.zeros((20, 20), np.uint8)
    predicted[:, 12:] = 1
    np.testing.assert_array_equal(
        measure(annotated, predicted, 2), measure(annotated[5:9], predicted[5:9], 2)
    )
    assert np.count_nonzero(boundaries._band(boundaries._class_bits(annotated), 1)) == 40


@given(map_pairs(), distances)
def test_exchanging_the_maps(pair, distance):
    """Check that F1 and IoU are symmetric and that precision and recall change places."""
    annotated, predicted = pair
    for measure in (boundaries.boundary_f1, boundaries.boundary_iou):
        np.testing.assert_array_equal(
            measure(annotated, predicted, N_CLASSES, distance),
            measure(predicted, annotated, N_CLASSES, distance),
        )
    precision, recall = boundaries.boundary_precision_recall(*pair, N_CLASSES, distance)
    exchanged = boundaries.boundary_precision_recall(predicted, annotated, N_CLASSES, distance)
    np.testing.assert_array_equal(precision, exchanged[1])
    np.testing.assert_array_equal(recall, exchanged[0])


@given(map_pairs(), distances)
def test_a_map_agrees_with_itself(pair, distance):
    """Check that equal maps have 1 for each class with a boundary and NaN for the others."""
    for measure in (boundaries.boundary_f1, boundaries.boundary_iou):
        scores = measure(pair[0], pair[0], N_CLASSES, distance)
        assert np.isin(scores[~np.isnan(scores)], 1).all()


@given(map_pairs(), st.permutations(range(N_CLASSES)), distances)
def test_renaming_classes_only_permutes_the_scores(pair, order, distance):
    """Check that no class is treated differently from another."""
    renamed = np.array(order)
    for measure in (boundaries.boundary_f1, boundaries.boundary_iou):
        after = measure(renamed[pair[0]], renamed[pair[1]], N_CLASSES, distance)
        np.testing.assert_array_equal(after[renamed], measure(*pair, N_CLASSES, distance))


@given(map_pairs(), st.integers(0, 5), st.integers(0, 5))
def test_moving_both_maps_changes_nothing(pair, down, right):
    """Check maps inside a large matrix, wherever they lie, and turned and mirrored ones."""

    def placed(labels, down, right):
        padding = ((7 + down, 12 - down), (7 + right, 12 - right))
        return np.pad(labels, padding, constant_values=0)

    for measure in (boundaries.boundary_f1, boundaries.boundary_iou):
        score = partial(measure, n_classes=N_CLASSES)
        at_rest = score(*(placed(labels, 0, 0) for labels in pair))
        np.testing.assert_array_equal(
            at_rest, score(*(placed(labels, down, right) for labels in pair))
        )
        np.testing.assert_array_equal(score(*pair), score(*(labels[::-1].T for labels in pair)))


@given(map_pairs(), distances)
def test_more_tolerance_never_hurts(pair, distance):
    """Check that F1 grows with the tolerance."""
    strict, lenient = (
        boundaries.boundary_f1(*pair, N_CLASSES, tolerance)
        for tolerance in (distance, distance + 1)
    )
    defined = ~np.isnan(strict)
    assert (strict[defined] <= lenient[defined]).all()


@pytest.mark.parametrize("measure", [boundaries.boundary_f1, boundaries.boundary_iou])
@pytest.mark.parametrize(
    ("annotated", "predicted", "n_classes", "distance", "message"),
    [
        (square(), square()[:3], 2, 2, "shape"),
        (square(), square() * 2, 2, 2, "between 0 and 1"),
        (square(), square().astype(int) - 1, 2, 2, "between 0 and 1"),
        (square(), square(), 9, 2, "number of classes"),
        (square(), square(), 2, -1, "negative"),
    ],
)
def test_bad_arguments_are_refused(measure, annotated, predicted, n_classes, distance, message):
    """Check that the message says what is wrong."""
    with pytest.raises(ValueError, match=message):
        measure(annotated, predicted, n_classes, distance)


@pytest.mark.usefixtures("real_data")
def test_real_annotations():
    """Check that identity is perfect, that a row's shift is forgiven, and that Otsu is neither."""
    for micrograph in uhcs_bench.load("particles")[::6]:
        labels = micrograph.labels
        assert boundaries.boundary_f1(labels, labels, 2).tolist() == [1, 1]
        assert boundaries.boundary_iou(labels, labels, 2).tolist() == [1, 1]
        shifted = np.roll(labels, 1, axis=0)
        assert boundaries.boundary_f1(labels, shifted, 2)[1] > 0.98
        assert boundaries.boundary_iou(labels, shifted, 2)[1] < 0.75
        predicted = otsu.segment(micrograph.image, "particles")
        assert 0.4 < boundaries.boundary_f1(labels, predicted, 2)[1] < 0.98
        assert 0.1 < boundaries.boundary_iou(labels, predicted, 2)[1] < 0.75


@pytest.mark.usefixtures("real_data")
def test_a_micrograph_of_one_class():
    """Check the annotation that is all spheroidite: no boundary, so nothing is defined."""
    labels = uhcs_bench.load("microconstituents")["uhcs0596"].labels
    assert np.isnan(boundaries.boundary_f1(labels, labels, 4)).all()
    predicted = labels.copy()
    predicted[100:110, 100:110] = 0
    np.testing.assert_array_equal(
        boundaries.boundary_f1(labels, predicted, 4), [0, np.nan, 0, np.nan]
    )
