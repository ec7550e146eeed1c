"""Tests of text of others in messages."""

import json
import pickle

import pytest

from uhcs_bench.errors import MissingPackageError, SubmissionError, UsageError, printable
from uhcs_bench.ranking.entries.declaration import EntryError

HOSTILE = {
    "clear the screen": "\x1b[2J",
    "set the title": "\x1b]0;title\x07",
    "C1 control": "\x9b2J",
    "overwrite the line": "sound\rfalse",
    "backspace": "a\b",
    "write from right to left": "\u202egnp.exe",
    "isolate": "\u2066a\u2069",
    "show nothing": "a\u200bb\ufeff",
    "tags": "\U000e0041",
    "bytes that are no text": "\udcff",
    "new line of Unicode": "a\u2028b",
    "NUL": "a\0b",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_nothing_acts_on_a_terminal(text):
    """Check that what is left can be printed and encoded, and that JSON stays the same JSON."""
    shown = printable(text)
    assert shown.isprintable()
    shown.encode()
    assert json.loads(printable(json.dumps(text, ensure_ascii=False))) == text
    assert printable(str(SubmissionError(text, [text]))) == str(SubmissionError(text, [text]))


def test_text_stays_as_it_is():
    """Check letters, signs and spaces that tables hold."""
    text = "a\tb\nIU 0.5 ± 0.1\u00a0\u202f≤ é 显微 🙂"
    assert printable(text) == text


def test_names_make_no_new_lines_in_lists():
    """Check a file name with a line feed."""
    error = SubmissionError("preds", ["a\n  - b.png is empty"])
    assert str(error).count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [
        UsageError("There is no fold 7."),
        SubmissionError("preds", ["a.png is empty", "b.png is empty"]),
        MissingPackageError("A table", "plots"),
        EntryError("board/a", ["there is no entry.yaml"], "changed while it was read"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_come_back_from_another_process(error):
    """Check message, exit code and problems of errors that were pickled."""
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
    assert again.exit_code == error.exit_code
