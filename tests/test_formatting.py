"""Numbers and tables as text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from uhcs_bench import formatting
from uhcs_bench.scoring.results import MeanScore


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0499, "0.0499"), (0.05, "0.05"), (0.123456, "0.12"), (1e-5, "< 0.001"), (None, "-")],
)
def test_p_value_is_not_rounded_across_the_level(value, text):
    """Check the values on either side of 0.05."""
    assert formatting.p_value(value) == text


def test_undefined_numbers_are_a_dash():
    """Check every writer that takes None."""
    undefined = MeanScore(mean=None, se=None, n=0, ci95=None)
    found = {
        formatting.percent(None),
        formatting.mean_se(undefined),
        formatting.interval(None),
        formatting.decimal(None),
        formatting.three_digits(None),
    }
    assert found == {"-"}


def test_pooled_mean_has_no_standard_error():
    """Check that the mean stands alone."""
    assert formatting.mean_se(MeanScore(mean=0.5, se=None, n=24, ci95=None)) == "50.0"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.00"), (92.0, "92.0"), (-0.00123, "-0.00123"), (99.99, "100"), (-1234, "-1234")],
)
def test_three_digits(value, text):
    """Check zeros at the end and large numbers."""
    assert formatting.three_digits(value) == text


@pytest.mark.parametrize(
    "text",
    [
        formatting.percent(-0.0001),
        formatting.percent(-0.0001, signed=True),
        formatting.interval((-0.0, -0.0001), signed=True),
        formatting.mean_se(MeanScore(mean=-0.0001, se=0.0, n=2, ci95=None)),
        formatting.decimal(-0.001),
        formatting.three_digits(-0.0),
    ],
)
def test_zero_has_no_minus_sign(text):
    """Check every writer of numbers on values that are rounded to zero."""
    assert "-0" not in text


@dataclass(frozen=True)
class Thing:
    """A dataclass with parts of every kind."""

    name: str
    array: object
    parts: object
    __repr__ = formatting.abbreviated


def test_long_parts_are_abbreviated():
    """Check arrays, lists, nested dataclasses and short values."""
    inner = Thing("b" * 60, np.float64(2), None)
    shown = repr(Thing("a", np.zeros((3, 4)), [inner, (1, 2)]))
    assert shown == "Thing(name='a', array=<array of 3 x 4>, parts=<list of 2>)"
    assert repr(Thing("a", 2, inner)) == "Thing(name='a', array=2, parts=<Thing>)"
    assert repr(Thing("a", [1], ())) == "Thing(name='a', array=[1], parts=())"


@pytest.mark.parametrize("form", ["table", "markdown", "latex"])
def test_every_cell_is_in_the_table(form):
    """Check that numbers are not parsed and percent signs are escaped in LaTeX."""
    text = formatting.table(["%", "IU"], [["a", "07.10"], ["b", "5 %"]], form)
    assert "07.10" in text
    assert (r"\%" in text) == (form == "latex")
