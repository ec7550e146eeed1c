"""Undefined numbers become None, others stay."""

from __future__ import annotations

import json

import numpy as np
import pytest

from uhcs_bench.stats.undefined import nan_to_none, none_if_nan


@pytest.mark.parametrize("nan", [float("nan"), np.nan, np.float32("nan"), np.float64("nan")])
def test_nan_is_none(nan):
    """Check Python's and NumPy's NaN."""
    assert none_if_nan(nan) is None


@pytest.mark.parametrize("value", [0.0, -1.5, float("inf"), np.float64(0.1)])
def test_numbers_are_python_floats(value):
    """Check that a number keeps its value and loses NumPy's type."""
    assert none_if_nan(value) == value
    assert type(none_if_nan(value)) is float


def test_content_can_be_written_as_json():
    """Check nested values, and that integers, texts and None stay."""
    content = {"a": [1, "x", None, True, np.nan], "b": {"c": np.float64(2.5), "d": [[np.nan]]}}
    expected = {"a": [1, "x", None, True, None], "b": {"c": 2.5, "d": [[None]]}}
    found = nan_to_none(content)
    assert found == expected
    assert json.loads(json.dumps(found, allow_nan=False)) == expected
