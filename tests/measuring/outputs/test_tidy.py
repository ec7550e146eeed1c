"""Tidy tables and what is printed: every number of a row has a place, a unit and a source."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhcs_bench import protocol
from uhcs_bench.measuring import columns
from uhcs_bench.measuring.outputs import tidy


@pytest.mark.parametrize("task", protocol.TASKS)
def test_every_number_of_a_row_is_in_one_measure(task):
    """Check that values and ends of intervals of all measures are the row's numbers."""
    found = tidy.of_task(task)
    used = [name for m in found for name in (m.column, m.low, m.high) if name]
    assert len(used) == len(set(used))
    head = {"rows_px", "columns_px", "pixel_size_um"}
    numbers = {c.name for c in columns.columns(task) if c.kind is not str} - head
    assert set(used) == numbers
    names = {c.name for c in columns.columns(task)}
    assert {m.n for m in found if m.n} <= names


def test_numbers_behind_measures():
    """Check some that a reader would look up."""
    found = {m.column: m.n for m in tidy.of_task("particles")}
    assert found["diameter_mean_um"] == "diameter_n"
    assert found["number_density_per_um2"] == "n_particles"
    assert found["lognormal_sigma"] == "diameter_n"
    found = {m.column: m.n for m in tidy.of_task("microconstituents")}
    assert found["zone_width_mean_px"] == "zone_width_n"
    assert found["authors_zone_width_p95_um"] == "authors_zone_width_n"
    assert found["intercept_free_path_px"] == "intercept_n"


@pytest.mark.parametrize("task", protocol.TASKS)
@pytest.mark.parametrize("in_um", [True, False])
def test_what_is_printed_exists(task, in_um):
    """Check that each printed measure is one of the task's, in the unit that was asked for."""
    found = tidy.shown(task, in_um=in_um)
    assert [m.name for m in found] == list(tidy.SHOWN[task])
    assert all(("um" in m.unit) == in_um for m in found if m.unit)
    assert {m.column for m in found} <= set(tidy.shown_columns(task))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (1e-7, "1.00e-07"),
        (3.0, "3.00"),
        (15.0, "15.0"),
        (120.0, "120"),
        (999.4, "999"),
        (999.6, "1000"),
        (12345.6, "12346"),
    ],
)
def test_numbers_on_screen(number, text):
    """Check the ends of the range."""
    assert tidy.text(number) == text


@pytest.mark.parametrize(
    ("numbers", "texts"),
    [
        ([0.04, 0.0372, 0.00712], ["0.0400", "0.0372", "0.0071"]),
        ([15.0, 7.05, None], ["15.0", "7.0", "-"]),
        ([0.9996, 0.1], ["1.00", "0.10"]),
        ([99.96, 0.0], ["100", "0"]),
        ([1234.5, 2.5], ["1234.5", "2.5"]),
        ([121, 9, None], ["121", "9", "-"]),
        ([5.0, 2e-12], ["5.00", "2.00e-12"]),
        ([None, None], ["-", "-"]),
    ],
)
def test_points_of_a_column_align(numbers, texts):
    """Check decimals by the largest and the smallest number, whole numbers and missing ones."""
    assert tidy.column_text(numbers) == texts


def test_files_of_one_name_are_told_apart():
    """Check folders, endings, and that a name of one file stays short."""
    names = ["x", "x", "y", "z", "z"]
    files = ["/s/a/1/x.png", "/s/b/1/x.png", "/s/y.png", "z.png", "z.tif"]
    expected = ["a/1/x.png", "b/1/x.png", "y", "z.png", "z.tif"]
    assert tidy.told_apart(names, files) == expected


def test_relative_and_absolute_paths_are_told_apart(tmp_path, monkeypatch):
    """Check a file of the current folder and one elsewhere, and a file that is given twice."""
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "b" / "x.png"
    assert tidy.told_apart(["x", "x"], ["a/x.png", str(other)]) == ["a/x.png", "b/x.png"]
    assert tidy.told_apart(["x", "x"], ["a/x.png", "a/x.png"]) == ["x.png", "x.png"]


@given(st.lists(st.text(max_size=60), max_size=12), st.integers(9, 30))
def test_different_names_stay_different(names, longest):
    """Check that shortening joins no two names that can be told apart in print."""
    printable = {"".join(c if c.isprintable() else "?" for c in name) for name in names}
    found = tidy.short_names(names, longest)
    assert len(set(found)) == len(printable)
    assert all(len(line) <= longest for name in found for line in name.split("\n"))


def test_names_reach_no_terminal_as_they_are():
    """Check escapes and length of a file's name in the printed table."""
    names = tidy.shown_columns("particles")
    row = dict.fromkeys(names) | {"id": "\x1b[2Jmap" + "x" * 100, "pixel_size_um": 0.1}
    text = tidy.table_of_maps("particles", [row])
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
