"""Specimens: the formulas of ASTM E562 by hand and by scipy, and how fields are grouped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from uhcs_bench.errors import UsageError
from uhcs_bench.measuring import specimens
from uhcs_bench.measuring.inputs import About
from uhcs_bench.measuring.outputs import tidy

MEASURE = tidy.shown("particles", in_um=True)[0]


@pytest.mark.parametrize("n", [2, 3, 10, 40])
def test_intervals_are_students(n):
    """Check mean, deviation and interval against scipy."""
    values = np.random.default_rng(n).normal(0.12, 0.02, n)
    found = specimens.summarise("A", MEASURE, values.tolist())
    error = stats.sem(values)
    low, high = stats.t.interval(0.95, n - 1, values.mean(), error)
    assert (found.mean, found.s) == pytest.approx((values.mean(), values.std(ddof=1)))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.relative_accuracy == pytest.approx(100 * (high - low) / 2 / values.mean())


BOUNDED = {
    "fraction_particle": ([0.02, 0.10], (0.0, None)),
    "spheroidised_3_by_number": ([0.88, 0.98], (None, 1.0)),
    "diameter_mean_px": ([1.0, 4.0], (0.0, None)),
    "aspect_ratio_mean": ([1.1, 1.6], (1.0, None)),
}


@pytest.mark.parametrize("column", BOUNDED)
def test_intervals_end_at_what_is_possible(column):
    """Check two fields of wide scatter; the accuracy is that of the whole interval."""
    measure = next(m for m in tidy.of_task("particles") if m.column == column)
    values, (low, high) = BOUNDED[column]
    found = specimens.summarise("A", measure, values)
    half = stats.t.ppf(0.975, 1) * stats.sem(values)
    assert found.low == pytest.approx(np.mean(values) - half if low is None else low)
    assert found.high == pytest.approx(np.mean(values) + half if high is None else high)
    assert found.relative_accuracy == pytest.approx(100 * half / np.mean(values))


def test_grain_size_numbers_have_no_bounds():
    """Check that the interval of a coarse structure reaches below 0."""
    measure = next(m for m in tidy.of_task("microconstituents") if m.name == "grain_size_number")
    assert specimens.summarise("A", measure, [0.5, 1.5]).low < 0


@pytest.mark.parametrize("spread", [0.005, 0.02, 0.06])
def test_fields_still_needed(spread):
    """Check that they reach 10 %, and one less doesn't, if mean and deviation stay."""
    values = [0.12 - spread, 0.12, 0.12 + spread]
    found = specimens.summarise("A", MEASURE, values)

    def accuracy(n):
        return 100 * stats.t.ppf(0.975, n - 1) * found.s / np.sqrt(n) / found.mean

    assert accuracy(3 + found.n_more) <= 10
    assert found.n_more == 0 or accuracy(2 + found.n_more) > 10


def test_by_hand():
    """Check four fields: s = .0129, t(3) = 3.182, interval ± .0205, 16.4 %."""
    found = specimens.summarise("A", MEASURE, [0.11, 0.13, 0.12, 0.14])
    assert found.s == pytest.approx(0.01291, abs=1e-5)
    assert found.high - found.mean == pytest.approx(3.182 * 0.01291 / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("values", "accuracy", "n_more"),
    [
        ([0.5], None, None),
        ([0.0, 0.0], None, None),
        ([0.1, 0.1], 0.0, 0),
        ([-1.0, 1.0], None, None),
    ],
)
def test_what_can_not_be_said_is_left_open(values, accuracy, n_more):
    """Check one field, means of 0 and fields without scatter."""
    found = specimens.summarise("A", MEASURE, values)
    assert (found.relative_accuracy, found.n_more) == (accuracy, n_more)


def row(value, um=0.1):
    found = {name: None for m in tidy.of_task("particles") for name in (m.column,)}
    return found | {"fraction_particle": value, "pixel_size_um": um}


def test_groups_leave_out_what_is_undefined():
    """Check fields without a value, and files without a specimen."""
    groups = specimens.Groups("particles")
    for specimen, value in (("B", 0.1), ("A", 0.2), ("B", None), ("B", 0.3), (None, 0.9)):
        groups.add(specimen, row(value))
    found = groups.summarise()
    assert [(one.specimen, one.n_fields) for one in found] == [("B", 2), ("A", 1)]
    assert found[0].mean == pytest.approx(0.2)
    assert groups.doubts() == []


def test_settings_are_no_measures():
    """Check that the smallest diameter that counts is not averaged."""
    groups = specimens.Groups("particles")
    values = row(0.1) | {m.column: 5.0 for m in tidy.of_task("particles")}
    groups.add("A", values)
    names = {one.measure.name for one in groups.summarise()}
    assert "min_diameter" not in names
    assert {"left_out_n", "diameter_mean"} <= names


def test_fields_of_several_magnifications_are_doubted():
    """Check that the resolution trap is named, with its remedy."""
    groups = specimens.Groups("particles")
    groups.add("A", row(0.1, 0.039))
    groups.add("A", row(0.1, 0.097))
    ((where, text),) = groups.doubts()
    assert where == "specimen A"
    assert "0.039 to 0.097 um" in text
    assert "--min-diameter" in text


FILES = [Path(name) for name in ("H1_a.png", "H1_b.png", "H2_a.png", "other.png")]
ABOUT = {FILES[0]: About(columns={"heat": "5"}), FILES[3]: About(columns={"heat": "6"})}


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (r"^(.+)_[ab]$", ["H1", "H1", "H2"]),
        (r"H\d", ["H1", "H1", "H2"]),
        ("Heat", ["5", "6"]),
    ],
)
def test_ways_to_group(by, expected):
    """Check a group of an expression, all of its match, and a column in another case."""
    assert list(specimens.assign(by, FILES, ABOUT).values()) == expected


def test_heat_treatments_of_the_registry():
    """Check that two fields of one treatment are one specimen."""
    files = [Path("800C-3H-Q-1.png"), Path("800C-3H-Q-2.png"), Path("970C-5M-Q-1.png")]
    found = list(specimens.assign("heat_treatment", files, {}).values())
    assert found == ["800 °C, 3 h, WQ"] * 2 + ["970 °C, 0.083 h, Q"]


@pytest.mark.parametrize("by", ["heat_treatment", "nothing", "(", "heat"])
def test_no_specimen_at_all_is_refused(by):
    """Check the registry, an expression without match, no expression, and an empty column."""
    about = {FILES[0]: About(columns={"heat": ""})}
    with pytest.raises(UsageError, match="--specimen"):
        specimens.assign(by, FILES, about)


def test_printed_tables_fit_a_terminal():
    """Check the width, and that no conformity is claimed."""
    groups = specimens.Groups("particles")
    for value in (0.1, 0.2, 0.4):
        groups.add("A", row(value))
    text = specimens.text(groups.summarise(), "particles")
    assert max(map(len, text.splitlines())) <= 80
    assert "conformity is not claimed" in text
    assert "ASTM E562" in text
