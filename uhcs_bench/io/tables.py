"""Write tables of results as CSV, JSON, Parquet or XLSX, row by row and in one step.

Numbers have at most six significant digits: the measures' own errors begin long before.
"""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO

from uhcs_bench.errors import MissingPackageError, UsageError
from uhcs_bench.io import atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd


ROWS_AT_A_TIME = 10_000
"""Rows of a Parquet file's row group, the most that is in memory."""

MOST_SHEET_ROWS = 1_048_575
"""Rows below the head that a sheet of an XLSX file can hold."""

Cell = str | float | int | bool | None
"""A value of a table; None where it is undefined."""


Row = dict[str, Cell]


Notes = dict[str, Any]
"""What is true of a whole table: versions, options, failures."""


def check(path: Path) -> None:
    """Check that a table can be written, before anything is measured for it.

    Raises
    ------
    UsageError
        If the file's ending is of no known format.
    UnwritableError
        If it can't be written.
    MissingPackageError
        If the format needs a library that is not there.
    """
    if path.suffix.lower() not in _WRITERS:
        known = ", ".join(_WRITERS)
        raise UsageError(f"{path} is of no known format. Name a table with one of {known}.")
    atomic.check(path)
    if path.suffix.lower() == ".parquet":
        _pyarrow()
    if path.suffix.lower() == ".xlsx":
        _openpyxl()


def write(path: Path, columns: Sequence[Column], rows: Iterable[Row], notes: Notes) -> None:
    r"""Write a table.

    Parameters
    ----------
    path : Path
        Its ending says the format. Undefined values are empty cells in CSV, null in the others.
    columns : sequence of Column
    rows : iterable of dict
        Read as they are written.
    notes : dict
        Stored in JSON beside the rows, in Parquet's metadata and on a sheet of XLSX. CSV has no
        place for them.

    Raises
    ------
    UsageError
        If there are more rows than the format can hold.
    OSError
        If it can't be written; what was there before is then unchanged.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "table.csv"
    ...     write(path, [Column("width_um", "um", float, "width")], [{"width_um": 0.5}], {})
    ...     path.read_text()
    'width_um\n0.5\n'
    """
    with atomic.replacing(path) as partial:
        _WRITERS[path.suffix.lower()](partial, columns, rows, notes)


def _write_csv(path: Path, columns: Sequence[Column], rows: Iterable[Row], _: Notes) -> None:
    names = [column.name for column in columns]
    with path.open("w", encoding="utf-8", newline="") as stream:
        _write_lines(stream, names, ([row[name] for name in names] for row in rows))


def csv_text(names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    r"""Lay a table out as CSV.

    Parameters
    ----------
    names : sequence of str
        Of the columns.
    rows : iterable of sequences
        Cells in the order of the names. None and NaN are written as empty cells.

    Returns
    -------
    str
        With a line feed at the end of every line.

    Examples
    --------
    >>> csv_text(["id", "width_um"], [("a", 0.5), ("b", None)])
    'id,width_um\na,0.5\nb,\n'
    """
    stream = io.StringIO()
    _write_lines(stream, names, rows)
    return stream.getvalue()


def frame(names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> pd.DataFrame:
    """Give a table as a data frame.

    Parameters
    ----------
    names : sequence of str
        Of the columns.
    rows : iterable of sequences
        Cells in the order of the names; None becomes a missing value.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    MissingPackageError
        If pandas is not installed.

    Examples
    --------
    >>> frame(["id", "width_um"], [("a", 0.5), ("b", None)])["width_um"].tolist()
    [0.5, nan]
    """
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise MissingPackageError("A data frame", "notebook") from error
    return pd.DataFrame([tuple(row) for row in rows], columns=list(names))


class Rows(list[Row]):
    """Rows of a table, each a dictionary by column name.

    Examples
    --------
    >>> rows = Rows([{"id": "a", "width_um": 0.5}])
    >>> rows[0]["width_um"], list(rows.to_frame().columns)
    (0.5, ['id', 'width_um'])
    """

    def to_frame(self) -> pd.DataFrame:
        """Give the rows as a data frame, a column for each name; see `frame`."""
        names = list(dict.fromkeys(name for row in self for name in row))
        return frame(names, ([row.get(name) for name in names] for row in self))


def _write_lines(stream: TextIO, names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_harmless(rounded(cell)) for cell in row] for row in rows)


def rounded(cell: Cell) -> Cell:
    """Round a number to six significant digits; NaN becomes None.

    Examples
    --------
    >>> rounded(0.1 + 0.2), rounded(1234567.8), rounded(1234567), rounded("a")
    (0.3, 1234570.0, 1234567, 'a')
    """
    if not isinstance(cell, float):
        return cell
    return None if math.isnan(cell) else float(f"{cell:.6g}")


def _harmless(cell: Cell) -> Cell:
    """Mark text that a spreadsheet would run as a formula, such as a file's name, as text.

    An apostrophe before it does, as OWASP advises against "CSV injection".
    """
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{cell}"
    return cell


def _rounded_row(row: Row) -> Row:
    return {name: rounded(cell) for name, cell in row.items()}


def _write_json(path: Path, columns: Sequence[Column], rows: Iterable[Row], notes: Notes) -> None:
    head = {
        **notes,
        "units": units(columns),
        "meanings": {column.name: column.meaning for column in columns},
    }
    with path.open("w", encoding="utf-8") as stream:
        # The rows come last, one on a line, so that they need not be in memory together.
        stream.write(json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "rows": [')
        separator = "\n"
        names = [column.name for column in columns]
        for row in rows:
            cells = {name: rounded(row[name]) for name in names}
            stream.write(f"{separator}  {json.dumps(cells, ensure_ascii=False, allow_nan=False)}")
            separator = ",\n"
        stream.write("\n ]\n}\n")


def _write_parquet(
    path: Path, columns: Sequence[Column], rows: Iterable[Row], notes: Notes
) -> None:
    arrow = _pyarrow()
    types = {str: arrow.string(), int: arrow.int64(), float: arrow.float64(), bool: arrow.bool_()}
    schema = arrow.schema(
        [
            arrow.field(c.name, types[c.kind], metadata={"unit": c.unit, "meaning": c.meaning})
            for c in columns
        ],
        metadata={"uhcs_bench": json.dumps(notes, ensure_ascii=False)},
    )
    left = map(_rounded_row, rows)
    with arrow.parquet.ParquetWriter(path, schema) as writer:
        while batch := list(islice(left, ROWS_AT_A_TIME)):
            writer.write_table(arrow.Table.from_pylist(batch, schema=schema))


def _write_xlsx(path: Path, columns: Sequence[Column], rows: Iterable[Row], notes: Notes) -> None:
    library = _openpyxl()
    book = library.Workbook(write_only=True)
    sheet = book.create_sheet("table")
    sheet.freeze_panes = "A2"
    names = [column.name for column in columns]
    sheet.append(names)
    try:
        for number, row in enumerate(rows):
            if number == MOST_SHEET_ROWS:
                raise UsageError(
                    f"A sheet holds {MOST_SHEET_ROWS} rows, and there are more. Nothing was "
                    "written; name a .csv or .parquet file."
                )
            sheet.append([_sheet_cell(sheet, rounded(row[name])) for name in names])
    except BaseException:
        sheet.close()  # which would complain later
        raise
    sheet = book.create_sheet("columns")
    sheet.append(["column", "unit", "meaning"])
    for column in columns:
        sheet.append([column.name, column.unit, column.meaning])
    sheet = book.create_sheet("notes")
    for name, value in notes.items():
        said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        sheet.append([name, _sheet_cell(sheet, said)])
    book.save(path)


def _sheet_cell(sheet: Any, cell: Cell) -> Any:
    """Make a cell whose text is never a formula, without characters that XML can't hold."""
    if not isinstance(cell, str):
        return cell
    from openpyxl.cell import WriteOnlyCell

    clean = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in cell)
    made = WriteOnlyCell(sheet, value=clean[:_LONGEST_CELL])
    made.data_type = "s"
    return made


_LONGEST_CELL = 32_767


def _openpyxl() -> Any:
    try:
        import openpyxl
    except ImportError as error:
        raise MissingPackageError("An XLSX file, unlike .csv and .json,", "measure") from error
    return openpyxl


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingPackageError("A Parquet file, unlike .csv and .json,", "measure") from error
    return pyarrow


_WRITERS: Mapping[str, Callable[[Path, Sequence[Column], Iterable[Row], Notes], None]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".json": _write_json,
    ".xlsx": _write_xlsx,
}


@dataclass(frozen=True)
class Column:
    """A column of a table of results.

    Attributes
    ----------
    name : str
    unit : str
        Empty for numbers, shares and words.
    kind : type
        str, int, float or bool.
    meaning : str
    """

    name: str
    unit: str
    kind: type
    meaning: str


def units(columns_: Iterable[Column]) -> dict[str, str]:
    """Units of those columns that have one."""
    return {column.name: column.unit for column in columns_ if column.unit}
