"""Differences of two trees: each is found, from both sides, and nothing else is one."""

from __future__ import annotations

import math

import pytest

from tools import differences
from tools.differences import MISSING, Difference

SCORE = {"schema": "score/1", "IU": {"mean": 0.5, "n": 24}, "folds": [0, 1]}


def score(**changes: object) -> dict[str, object]:
    """Give a score with other values."""
    return {**SCORE, **changes}


def paths(before: object, after: object) -> list[str]:
    """List the paths of the values that differ."""
    return [d.path for d in differences.differences(before, after)]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (score(), []),
        (score(IU={"mean": 0.5, "n": 24.0}), []),
        (score(IU={"mean": math.nextafter(0.5, 1), "n": 24}), ["IU/mean"]),
        (score(IU={"mean": None, "n": 24}), ["IU/mean"]),
        (score(IU={"mean": "0.5", "n": 24}), ["IU/mean"]),
        (score(IU={"mean": 0.5}), ["IU/n"]),
        (score(IU=0.5), ["IU"]),
        (score(KS={"value": 1, "n": 2}), ["KS"]),
        (score(folds=[0, 1, 2]), ["folds/2"]),
        (score(folds=[1, 0]), ["folds/0", "folds/1"]),
        (score(folds=[0, True]), ["folds/1"]),
        (score(folds={"0": 0, "1": 1}), ["folds"]),
        (score(schema="score/2"), ["schema"]),
    ],
)
def test_each_value_that_differs_is_found_from_both_sides(after, expected):
    """Check the paths, whichever recording comes first."""
    assert paths(SCORE, after) == expected
    assert sorted(paths(after, SCORE)) == sorted(expected)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (0.0, -0.0, True),
        (1, 1.0, True),
        (math.nan, math.nan, True),
        (math.nan, 1.0, False),
        (math.inf, math.inf, True),
        (1, True, False),
        (1, "1", False),
        (None, math.nan, False),
        ([], {}, False),
    ],
)
def test_values_are_compared_as_they_are(before, after, same):
    """Check undefined numbers, zeros, truth values and kinds."""
    assert paths([before], [after]) == ([] if same else ["/0"])


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        (100.0, 101.0, 1 / 101),
        (-100.0, -101.0, 1 / 101),
        (-1.0, 1.0, 2.0),
        (0.0, 1e-12, 1.0),
        (math.nan, 1.0, math.inf),
        (1, True, math.inf),
        ("a", "b", math.inf),
        (MISSING, 1.0, math.inf),
    ],
)
def test_share_is_of_the_larger_number(before, after, share):
    """Check numbers by hand; what is no pair of numbers is infinitely far apart."""
    assert Difference("x", before, after).share == pytest.approx(share)


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        ({"x": {}}, {"x": {"n": 1}}, [True]),
        ({"x": {"n": 1}}, {"x": {}}, [False]),
        ({"x": [1]}, {"x": [1, 2]}, [False]),
        ({}, {"x": 1}, [False]),
    ],
)
def test_a_new_key_is_no_item_and_no_element(before, after, new):
    """Check a key of an object, one that is gone, an element and a whole item."""
    assert [d.is_new_key for d in differences.differences(before, after)] == new


def test_values_are_counted_without_what_holds_them():
    """Check nested lists and dictionaries."""
    assert differences.count_values({"a": [1, [2, None]], "b": {}, "c": "x"}) == 4
