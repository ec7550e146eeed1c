"""Tables in four formats, read back by libraries that did not write them."""

from __future__ import annotations

import csv
import json

import openpyxl
import pyarrow.parquet
import pytest

from uhcs_bench.errors import MissingPackageError, UsageError
from uhcs_bench.io import tables
from uhcs_bench.io.atomic import UnwritableError
from uhcs_bench.io.tables import Column

COLUMNS = (
    Column("file", "", str, "where from"),
    Column("n", "", int, "number"),
    Column("width_um", "um", float, "how wide"),
    Column("at_border", "", bool, "whether cut"),
)
ROWS = [
    {"file": 'µ, "x"\n.png', "n": 3, "width_um": 0.3, "at_border": True},
    {"file": "", "n": None, "width_um": None, "at_border": False},
]
NOTES = {"schema": "x/1", "versions": {"a": "1"}, "failed": []}
FORMATS = ("csv", "json", "parquet", "xlsx")


@pytest.mark.parametrize("rows", [ROWS, []])
def test_json(tmp_path, rows):
    """Check that it holds notes, units, meanings and rows."""
    tables.write(tmp_path / "t.json", COLUMNS, rows, NOTES)
    found = json.loads((tmp_path / "t.json").read_text("utf-8"))
    assert found["rows"] == rows
    assert found["units"] == {"width_um": "um"}
    assert found["meanings"]["n"] == "number"
    assert {key: found[key] for key in NOTES} == NOTES


@pytest.mark.parametrize("rows", [ROWS, []])
def test_csv(tmp_path, rows):
    """Check quoting, six digits, and empty cells for what is undefined."""
    tables.write(tmp_path / "t.csv", COLUMNS, rows, NOTES)
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert [r["file"] for r in found] == [r["file"] for r in rows]
    if rows:
        assert found[0]["width_um"] == "0.3"
        assert (found[1]["n"], found[1]["width_um"], found[1]["at_border"]) == ("", "", "False")


@pytest.mark.parametrize("rows", [ROWS, []])
def test_parquet(tmp_path, rows, monkeypatch):
    """Check types, units and rows over several row groups."""
    monkeypatch.setattr(tables, "ROWS_AT_A_TIME", 1)
    tables.write(tmp_path / "t.parquet", COLUMNS, rows, NOTES)
    found = pyarrow.parquet.read_table(tmp_path / "t.parquet")
    assert found.to_pylist() == rows
    assert [str(t) for t in found.schema.types] == ["string", "int64", "double", "bool"]
    assert found.schema.field("width_um").metadata[b"unit"] == b"um"
    assert json.loads(found.schema.metadata[b"uhcs_bench"]) == NOTES
    assert pyarrow.parquet.ParquetFile(tmp_path / "t.parquet").num_row_groups == len(rows)


@pytest.mark.parametrize("form", FORMATS)
def test_rows_are_not_gathered(tmp_path, form, monkeypatch):
    """Check that a table is written from a stream."""
    monkeypatch.setattr(tables, "ROWS_AT_A_TIME", 7)
    n_alive = most = 0

    class CountedRow(dict):
        def __init__(self, *args):
            nonlocal n_alive, most
            super().__init__(*args)
            n_alive += 1
            most = max(most, n_alive)

        def __del__(self):
            nonlocal n_alive
            n_alive -= 1

    rows = (CountedRow(ROWS[0]) for _ in range(200))
    tables.write(tmp_path / f"t.{form}", COLUMNS, rows, NOTES)
    assert most <= 2 * 7


@pytest.mark.parametrize("form", FORMATS)
def test_a_failure_leaves_what_was_there(tmp_path, form):
    """Check that a table is replaced by a whole one or not at all."""

    def broken():
        yield ROWS[0]
        raise OSError("disk full")

    path = tmp_path / f"t.{form}"
    tables.write(path, COLUMNS, ROWS, NOTES)
    before = path.read_bytes()
    with pytest.raises(OSError, match="disk full"):
        tables.write(path, COLUMNS, broken(), NOTES)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_outputs_are_checked_first(tmp_path, monkeypatch):
    """Check an unknown format, a folder in the way, a missing one and a missing library."""
    (tmp_path / "folder.csv").mkdir()
    for name in ("t.xls", "t", "folder.csv", "absent/t.csv"):
        with pytest.raises((UsageError, UnwritableError)):
            tables.check(tmp_path / name)
    tables.check(tmp_path / "T.CSV")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"uhcs-bench\[measure\]"):
        tables.check(tmp_path / "t.parquet")


@pytest.mark.parametrize("rows", [ROWS, []])
def test_xlsx(tmp_path, rows):
    """Check rows, types, units and notes, on sheets of their own."""
    tables.write(tmp_path / "t.xlsx", COLUMNS, rows, NOTES)
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    head, *lines = book["table"].iter_rows(values_only=True)
    assert head == tuple(column.name for column in COLUMNS)
    assert [dict(zip(head, line, strict=True)) for line in lines] == [
        {name: cell if cell != "" else None for name, cell in row.items()} for row in rows
    ]
    assert ("width_um", "um", "how wide") in book["columns"].iter_rows(values_only=True)
    assert ("schema", "x/1") in book["notes"].iter_rows(values_only=True)


def test_a_sheet_has_an_end(tmp_path, monkeypatch):
    """Check that more rows than a sheet can hold are refused, and nothing is left."""
    monkeypatch.setattr(tables, "MOST_SHEET_ROWS", 1)
    with pytest.raises(UsageError, match=r"name a \.csv or \.parquet file"):
        tables.write(tmp_path / "t.xlsx", COLUMNS, ROWS, NOTES)
    assert list(tmp_path.iterdir()) == []


FORMULAS = ("=1+1", "=x.png", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("x")')


@pytest.mark.parametrize("name", FORMULAS)
def test_names_are_no_formulas(tmp_path, name):
    """Check that a spreadsheet takes a file's name as text, and that numbers stay numbers."""
    row = {"file": name, "n": -3, "width_um": -0.5, "at_border": False}
    tables.write(tmp_path / "t.csv", COLUMNS, [row], NOTES)
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as stream:
        (found,) = csv.DictReader(stream)
    assert (found["file"], found["n"], found["width_um"]) == (f"'{name}", "-3", "-0.5")
    tables.write(tmp_path / "t.xlsx", COLUMNS, [row], NOTES)
    (cell, *_) = list(openpyxl.load_workbook(tmp_path / "t.xlsx")["table"].iter_rows())[1]
    assert (cell.data_type, cell.value) == ("s", name)


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1 / 3, 0.333333), (123456.789, 123457.0), (1e-9 / 3, 3.33333e-10), (0.03876, 0.03876)],
)
def test_numbers_have_six_digits_in_every_format(tmp_path, number, expected):
    """Check one number in all formats."""
    row = {"file": "a", "n": 1234567, "width_um": number, "at_border": False}
    for form in FORMATS:
        tables.write(tmp_path / f"t.{form}", COLUMNS, [row], NOTES)
    text = (tmp_path / "t.csv").read_text().splitlines()[1].split(",")
    assert (text[1], float(text[2])) == ("1234567", expected)
    assert json.loads((tmp_path / "t.json").read_text())["rows"][0]["width_um"] == expected
    table = pyarrow.parquet.read_table(tmp_path / "t.parquet")
    assert table["width_um"].to_pylist() == [expected]
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    assert book["table"]["C2"].value == expected
