"""The journal: what it keeps, whatever ends the process."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest

from uhcs_bench.errors import UsageError
from uhcs_bench.measuring.journal import Journal, JournalError


def test_results_are_there_after_reopening(tmp_path):
    """Check rows, attachments, replacing, and keys that are not there."""
    with Journal(tmp_path / "j") as journal:
        journal.add("a", "first", None)
        journal.add("b", "µ", b"\0\xff")
        journal.add("a", "second", None)
    with Journal(tmp_path / "j") as journal:
        assert ("a" in journal, "c" in journal) == (True, False)
        assert (journal.row("a"), journal.row("b")) == ("second", "µ")
        assert journal.attachment("b") == b"\0\xff"
        assert (journal.has_attachment("a"), journal.has_attachment("b")) == (False, True)
        for absent in (lambda: journal.row("c"), lambda: journal.attachment("a")):
            with pytest.raises(KeyError):
                absent()


def test_a_killed_process_leaves_what_it_had_added(tmp_path):
    """Check that nothing waits in memory."""
    code = (
        "import os, pathlib, signal; from uhcs_bench.measuring.journal import Journal\n"
        f"journal = Journal(pathlib.Path({str(tmp_path / 'j')!r}))\n"
        "for i in range(5): journal.add(str(i), 'row', b'x' * 10_000)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode < 0
    with Journal(tmp_path / "j") as journal:
        assert all(journal.has_attachment(str(i)) for i in range(5))


@pytest.mark.parametrize("content", [b"not a database, but a file of somebody", None])
def test_impossible_journals_are_refused(tmp_path, content):
    """Check another file of that name, and a folder that is not there."""
    path = tmp_path / "j" if content else tmp_path / "absent" / "j"
    if content:
        path.write_bytes(content * 100)
    with pytest.raises(UsageError, match="Can't write the journal"):
        Journal(path)
    if content:
        assert path.read_bytes() == content * 100


def test_a_journal_that_breaks_is_said_in_one_message(tmp_path):
    """Check writing and reading after something has gone wrong with the file."""
    with Journal(tmp_path / "j") as journal:
        journal.add("a", "row", None)
        with sqlite3.connect(tmp_path / "j") as other:
            other.execute("DROP TABLE done")
        other.close()
        for use in (lambda: journal.add("b", "row", None), lambda: journal.row("a")):
            with pytest.raises(JournalError, match=r"j can't be read or written \(no such table"):
                use()


def test_a_write_protected_journal_is_refused_at_once(tmp_path, monkeypatch):
    """Check a database that SQLite may only read."""
    Journal(tmp_path / "j").__exit__(None, None, None)
    connect = sqlite3.connect

    def read_only(path, **options):
        return connect(f"file:{path}?mode=ro", uri=True, **options)

    monkeypatch.setattr(sqlite3, "connect", read_only)
    with pytest.raises(UsageError, match=r"readonly database.*write-protected"):
        Journal(tmp_path / "j")
