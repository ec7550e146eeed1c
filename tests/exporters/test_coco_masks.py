"""Masks of COCO's result files: right ones as pycocotools reads them, wrong ones refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as pycocotools

from uhcs_bench.exporters import coco_masks

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SHAPE = (4, 6)
MAPS = arrays(
    np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 1)
)


@given(MAPS)
def test_texts_of_pycocotools_are_read(labels):
    """Check maps that pycocotools has encoded, empty and full ones included."""
    encoded = pycocotools.encode(np.asfortranarray(labels))
    segmentation = {"size": [*labels.shape], "counts": encoded["counts"].decode("ascii")}
    np.testing.assert_array_equal(coco_masks.decoded(segmentation, labels.shape), labels)


@pytest.mark.parametrize("shape", [(645, 484), (1, 3000), (2000, 2000)])
def test_texts_of_long_runs_are_read(shape):
    """Check runs of many characters, and differences in both directions."""
    labels = np.zeros(shape, np.uint8, order="F")
    flat = labels.reshape(-1, order="F")
    flat[[0, -1]] = 1
    flat[5 : flat.size // 2] = 1
    flat[-9:-4] = 1
    labels = flat.reshape(shape, order="F")
    encoded = pycocotools.encode(np.asfortranarray(labels))
    segmentation = {"size": [*shape], "counts": encoded["counts"].decode("ascii")}
    np.testing.assert_array_equal(coco_masks.decoded(segmentation, shape), labels)


@given(MAPS)
def test_lists_of_runs_are_read(labels):
    """Check runs that are counted here, with runs of no pixel between."""
    flat = labels.reshape(-1, order="F")
    ends = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *ends, flat.size]).tolist()
    counts = [*([0] if flat[0] else []), *runs, 0, 0]
    found = coco_masks.decoded({"size": [*labels.shape], "counts": counts}, labels.shape)
    np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize(
    "polygons",
    [
        [[0, 0, 3, 0, 3, 2, 0, 2]],
        [[0, 0, 3, 0, 3, 2], [4.5, 1, 5.5, 1, 5, 3.5]],
        [[-6, -4, 12, -4, 12, 8, -6, 8]],
        [[-1.5, -0.5, 2, 1, 1, 3]],
    ],
)
def test_polygons_are_filled_as_pycocotools_does(polygons):
    """Check one, two, and some that cross the border of the picture."""
    expected = pycocotools.decode(pycocotools.merge(pycocotools.frPyObjects(polygons, *SHAPE)))
    found = coco_masks.decoded(polygons, SHAPE)
    np.testing.assert_array_equal(found, expected)
    assert set(np.unique(found)) <= {0, 1}
    assert found.any()


ADD_UP = "its counts add up to"
RUNS = "its counts are neither"
TEXT = "its counts are no text"
NUMBERS = "a polygon is no list of finite numbers"
POINTS = "a polygon is not made of"
OUTSIDE = "a polygon is further outside"


def encoded(counts):
    return {"size": [*SHAPE], "counts": counts}


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "it is neither"),
        (3, "it is neither"),
        ("abc", "it is neither"),
        ({}, "it has no size and no counts"),
        ({"counts": [24]}, "it has no size"),
        ({"counts": [-5, 10]}, "it has no size"),
        ({"size": [4, 6]}, "it has no counts"),
        ({"size": [6, 4], "counts": [24]}, "its size is not that of the picture"),
        ({"size": [10**9, 10**9], "counts": [10**18]}, "its size is not"),
        ({"size": "4x6", "counts": [24]}, "its size is not"),
        ({"size": [4, 6, 1], "counts": [24]}, "its size is not"),
        (encoded(""), f"{ADD_UP} 0 pixels, the picture has 24"),
        (encoded([]), f"{ADD_UP} 0 pixels, the picture has 24"),
        (encoded([1]), f"{ADD_UP} 1 pixels"),
        (encoded([20, 3]), f"{ADD_UP} 23 pixels"),
        (encoded([20, 5]), f"{ADD_UP} 25 pixels"),
        (encoded([10**12]), f"{ADD_UP} more than"),
        (encoded([10**299]), f"{ADD_UP} more than"),
        (encoded([-5, 29]), "its counts hold a negative number"),
        (encoded([20.0, 4.0]), RUNS),
        (encoded([float("nan")]), RUNS),
        (encoded(["24"]), RUNS),
        (encoded([True] * 24), RUNS),
        (encoded(None), RUNS),
        (encoded({"a": 1}), RUNS),
        (encoded("1"), f"{ADD_UP} 1 pixels"),
        (encoded("oooooooooooooooooooo"), TEXT),
        (encoded("\u20ac"), TEXT),
        (encoded("4 "), TEXT),
        (encoded("ooooooo"), "its counts end within a number"),
        (encoded("O"), "its counts hold a negative number"),
        ([], "it has no polygon"),
        ([[]], POINTS),
        ([[1, 2]], POINTS),
        ([[1, 1, 2, 2]], POINTS),
        ([[1, 1, 2, 2, 3, 3, 4]], POINTS),
        (["a"], NUMBERS),
        ([{}], NUMBERS),
        ([1, 1, 2, 2, 3, 3], NUMBERS),
        ([["1", "1", "2", "2", "3", "3"]], NUMBERS),
        ([[1, 1, 2, 2, 3, float("nan")]], NUMBERS),
        ([[1, 1, 2, 2, 3, float("inf")]], NUMBERS),
        ([[1, 1, 2, 2, 3, True]], NUMBERS),
        ([[1, 1, 2, 2, 3, 1e7]], OUTSIDE),
        ([[1, 1, 2, 2, -1e300, 3]], OUTSIDE),
        ([[1, 1, 2, 2, 10**299, 3]], OUTSIDE),
        ([[1, 1, 2, 2, 3, 8.5]], OUTSIDE),
        ([[0, 0, 3, 0, 3, 2], [1, 1, 2, 2, 12.5, 3]], OUTSIDE),
        ([[-6, -4, 12, 8] * 50], "a polygon is longer than"),
    ],
)
def test_what_is_no_mask_is_refused(segmentation, message):
    """Check one case of each kind, none of which is decoded."""
    with pytest.raises(ValueError, match="^" + message.replace("*", r"\*")):
        coco_masks.decoded(segmentation, SHAPE)


@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=12))
def test_any_text_is_a_map_or_refused(text):
    """Check that whatever is read holds 0 and 1 only, and is what pycocotools reads."""
    try:
        found = coco_masks.decoded(encoded(text), SHAPE)
    except ValueError:
        return
    expected = pycocotools.decode({"size": [*SHAPE], "counts": text.encode("ascii")})
    np.testing.assert_array_equal(found, expected)
