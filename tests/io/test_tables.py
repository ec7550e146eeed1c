"""Tables in three formats, read back by libraries that did not write them."""

from __future__ import annotations

import csv
import json

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
    {"file": 'µ, "x"\n.png', "n": 3, "width_um": 0.1 + 0.2, "at_border": True},
    {"file": "", "n": None, "width_um": None, "at_border": False},
]
NOTES = {"schema": "x/1", "versions": {"a": "1"}, "failed": []}
FORMATS = ("csv", "json", "parquet")


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
    """Check quoting, all digits, and empty cells for what is undefined."""
    tables.write(tmp_path / "t.csv", COLUMNS, rows, NOTES)
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert [r["file"] for r in found] == [r["file"] for r in rows]
    if rows:
        assert float(found[0]["width_um"]) == 0.1 + 0.2
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
    for name in ("t.xlsx", "t", "folder.csv", "absent/t.csv"):
        with pytest.raises((UsageError, UnwritableError)):
            tables.check(tmp_path / name)
    tables.check(tmp_path / "T.CSV")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"uhcs-bench\[measure\]"):
        tables.check(tmp_path / "t.parquet")
