"""The journal: what it keeps, whatever ends the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
    """Check a result that something else has changed while the journal is open."""
    path = tmp_path / "j"
    with Journal(path) as journal:
        journal.add("a", "row", None)
        content = path.read_bytes()
        path.write_bytes(content.replace(b"row", b"cow"))
        with pytest.raises(JournalError, match="a result has changed since"):
            journal.row("a")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_said_in_one_message(tmp_path):
    """Check writing where nothing more fits."""
    with Journal(tmp_path / "j") as journal:
        journal._stream.close()
        journal._stream = open("/dev/full", "a+b", buffering=0)  # noqa: PTH123, SIM115
        with pytest.raises(JournalError, match="No space left on device"):
            journal.add("a", "row", None)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-7],
        lambda content: content + b"half a line",
        lambda content: content.replace(b"second", b"sec0nd"),
        lambda content: content[:-200] + bytes(b ^ 4 for b in content[-200:]),
    ],
)
def test_what_is_damaged_counts_as_not_there(tmp_path, damage):
    """Check a torn line, one that was begun, and changed bytes; and that writing goes on."""
    path = tmp_path / "j"
    with Journal(path) as journal:
        journal.add("a", "first", b"x")
        journal.add("b", "second", b"y" * 300)
    path.write_bytes(damage(path.read_bytes()))
    with Journal(path) as journal:
        assert journal.n_unreadable >= 1
        assert journal.row("a") == "first"
        assert "b" not in journal or journal.row("b") == "second"
        journal.add("c", "third", None)
    with Journal(path) as journal:
        assert (journal.row("a"), journal.row("c")) == ("first", "third")


def test_a_journal_can_be_removed(tmp_path):
    """Check that nothing is left, also where somebody has removed it before."""
    with Journal(tmp_path / "j") as journal:
        journal.add("a", "row", None)
        journal.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way_is_refused(tmp_path):
    """Check the message."""
    (tmp_path / "j").mkdir()
    with pytest.raises(UsageError, match="it is no file"):
        Journal(tmp_path / "j")
