"""What a long run has done already, kept in a file that survives whatever ends the run."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from uhcs_bench.errors import UhcsBenchError, UsageError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_SCHEMA = "CREATE TABLE IF NOT EXISTS done (key TEXT PRIMARY KEY, row TEXT, attachment BLOB)"


class JournalError(UhcsBenchError):
    """A journal that can't be read or written any more."""


class Journal:
    """Results by key, written one by one, each whole or not at all.

    Parameters
    ----------
    path : Path
        An SQLite database; made where there is none.

    Raises
    ------
    UsageError
        If it can't be written, or is something else.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with Journal(Path(folder) / "journal") as journal:
    ...         journal.add("a", "some text", None)
    ...     with Journal(Path(folder) / "journal") as journal:
    ...         "a" in journal, "b" in journal, journal.row("a")
    (True, False, 'some text')
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            # Every statement is a transaction of its own.
            self._database = sqlite3.connect(path, timeout=30, isolation_level=None)
            self._database.execute(_SCHEMA)
            # Written each time, so that a journal that is write-protected is found out now.
            self._database.execute("PRAGMA user_version = 1")
        except sqlite3.Error as error:
            advice = (
                "It is no journal of this command, or is in use or write-protected; move it away."
                if path.is_file()
                else "Choose another place for the results."
            )
            raise UsageError(f"Can't write the journal {path} ({error}). {advice}") from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._database.close()

    def __contains__(self, key: str) -> bool:
        return self._execute("SELECT 1 FROM done WHERE key = ?", key) is not None

    def has_attachment(self, key: str) -> bool:
        """Say whether a result is there with its attachment."""
        query = "SELECT 1 FROM done WHERE key = ? AND attachment IS NOT NULL"
        return self._execute(query, key) is not None

    def add(self, key: str, row: str, attachment: bytes | None) -> None:
        """Keep a result, in place of one with the same key.

        Raises
        ------
        JournalError
            If it can't be written, as on a full disk.
        """
        self._execute("INSERT OR REPLACE INTO done VALUES (?, ?, ?)", key, row, attachment)

    def row(self, key: str) -> str:
        """Give back a result.

        Raises
        ------
        KeyError
            If there is none.
        """
        text: str = self._get("row", key)
        return text

    def attachment(self, key: str) -> bytes:
        """Give back a result's attachment.

        Raises
        ------
        KeyError
            If there is none.
        """
        data: bytes = self._get("attachment", key)
        return data

    def _get(self, column: str, key: str) -> Any:
        query = f"SELECT {column} FROM done WHERE key = ?"  # noqa: S608 - our own names
        found = self._execute(query, key)
        if found is None or found[0] is None:
            raise KeyError(key)
        return found[0]

    def _execute(self, query: str, *values: str | bytes | None) -> Any:
        """Give the first row that a statement finds, or None."""
        try:
            return self._database.execute(query, values).fetchone()
        except sqlite3.Error as error:
            raise JournalError(
                f"The journal {self.path} can't be read or written ({error}). What it holds is "
                "kept; mend that and give the same command again, or delete it to begin anew."
            ) from error
