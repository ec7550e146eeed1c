"""What a long run has done already, kept in a file that survives whatever ends the run.

The file is text, a line for each result, which begins with the SHA-256 of the rest. A line is
written at once and never changed, so that a process that is killed leaves whole lines and at most
the beginning of one. A line that was damaged, on whatever way, does not fit its hash, and counts as
not there.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import IO, TYPE_CHECKING, Any

from uhcs_bench.errors import UhcsBenchError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

_HEAD = b"uhcs-bench journal 2\n"
_HASH_LENGTH = 64


class JournalError(UhcsBenchError):
    """A journal that can't be read or written any more."""


class Journal:
    """Results by key, written one by one, each atomically.

    Parameters
    ----------
    path : Path
        Made where there is none.

    Attributes
    ----------
    n_unreadable : int
        Lines that were damaged when the journal was opened.

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
        self.n_unreadable = 0
        self._places: dict[str, tuple[int, bool]] = {}
        try:
            if path.exists() and not path.is_file():
                raise OSError("it is no file")
            self._stream: IO[bytes] = path.open("a+b", buffering=0)
        except OSError as error:
            advice = (
                "It is in use or write-protected; move it away."
                if path.is_file()
                else "Choose another place for the results."
            )
            reason = error.strerror or error
            raise UsageError(f"Can't write the journal {path} ({reason}). {advice}") from error
        try:
            self._open()
        except BaseException:
            self._stream.close()
            raise

    def _open(self) -> None:
        """Index the lines, and see to it that the next one begins a line."""
        is_ours, last, start = False, b"\n", 0
        # A buffered reader of its own, since the stream that is written to has no buffer.
        with self.path.open("rb") as lines:
            for line in lines:
                last = line
                found = _read(line)
                if found is not None:
                    self._places[found["key"]] = (start, found["attachment"] is not None)
                elif line != _HEAD or start:
                    self.n_unreadable += 1
                is_ours = is_ours or line == _HEAD or found is not None
                start += len(line)
        if start and not is_ours:
            raise UsageError(
                f"Can't write the journal {self.path}: the file is no journal of this command. "
                "Nothing was changed; move it away, or name another file for the results."
            )
        try:
            self._stream.write(b"" if last.endswith(b"\n") else b"\n")
            self._stream.write(b"" if start else _HEAD)
        except OSError as error:
            raise self._error(error) from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def has_attachment(self, key: str) -> bool:
        """Say whether a result is there with its attachment."""
        return self._places.get(key, (0, False))[1]

    def add(self, key: str, row: str, attachment: bytes | None) -> None:
        """Keep a result, in place of one with the same key.

        Raises
        ------
        JournalError
            If it can't be written, as on a full disk.
        """
        coded = None if attachment is None else base64.b64encode(attachment).decode("ascii")
        content = json.dumps({"key": key, "row": row, "attachment": coded}).encode()
        line = memoryview(_hash(content) + content + b"\n")
        try:
            start = self._stream.seek(0, 2)
            while line:
                line = line[self._stream.write(line) or 0 :]
        except OSError as error:
            raise self._error(error) from error
        self._places[key] = (start, attachment is not None)

    def row(self, key: str) -> str:
        """Give back a result.

        Raises
        ------
        KeyError
            If there is none.
        JournalError
            If it can't be read any more.
        """
        return str(self._get(key)["row"])

    def attachment(self, key: str) -> bytes:
        """Give back a result's attachment; errors are those of `row`."""
        if not self.has_attachment(key):
            raise KeyError(key)
        return base64.b64decode(self._get(key)["attachment"])

    def remove(self) -> None:
        """Delete the file, once nothing is left to do.

        Raises
        ------
        JournalError
            If it can't be deleted.
        """
        self._stream.close()
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise self._error(error) from error

    def _get(self, key: str) -> dict[str, Any]:
        start, _ = self._places[key]
        try:
            with self.path.open("rb") as lines:
                lines.seek(start)
                found = _read(lines.readline())
        except OSError as error:
            raise self._error(error) from error
        if found is None or found["key"] != key:
            raise self._error("a result has changed since it was written")
        return found

    def _error(self, reason: object) -> JournalError:
        said = reason.strerror if isinstance(reason, OSError) and reason.strerror else reason
        return JournalError(
            f"The journal {self.path} can't be read or written ({said}). What it holds is kept; "
            "mend that and give the same command again, or delete it to begin anew."
        )


def _hash(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _read(line: bytes) -> dict[str, Any] | None:
    """Give what a line holds; None if it is damaged."""
    content = line[_HASH_LENGTH:].removesuffix(b"\n")
    if len(line) <= _HASH_LENGTH or not line.endswith(b"\n"):
        return None
    if _hash(content) != line[:_HASH_LENGTH]:
        return None
    found: dict[str, Any] = json.loads(content)
    return found
