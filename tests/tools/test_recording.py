"""Recordings: what is read of a command's files, and how options are spelt in old checkouts."""

from __future__ import annotations

import subprocess

import pytest

from tools import recording
from tools.recording import Program


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.json", b'{"n": [1, null]}', {"n": [1, None]}),
        ("a.csv", b"id,n\na,1\nb,\n", [{"id": "a", "n": 1.0}, {"id": "b", "n": ""}]),
        ("a.md", b"one\ntwo\n", ["one", "two"]),
        ("a.png", b"\xff", "a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89"),
    ],
)
def test_files_are_read_by_what_they_hold(tmp_path, name, content, expected):
    """Check JSON, rows, lines and the SHA-256 of other bytes, alone and in a folder."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / name).write_bytes(content)
    assert recording.read(tmp_path / "sub" / name) == expected
    assert recording.read(tmp_path) == {f"sub/{name}": expected}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ("--out FILE  --min-diameter LENGTH", ["calibrate", "--min-diameter=0.4um", "--out", "x"]),
        ("--output FILE", ["calibrate", "--output", "x"]),
    ],
)
def test_options_are_spelt_as_the_checkout_does(tmp_path, monkeypatch, known, expected):
    """Check an option that had another name, and one that was not needed."""
    done = subprocess.CompletedProcess([], 0, stdout=known)
    monkeypatch.setattr(Program, "run", lambda *_: done)
    arguments = ["calibrate", recording.LIMIT, "--out", "x"]
    assert Program(tmp_path, tmp_path).spelt(arguments) == expected


def test_each_entry_is_scored_with_and_without_the_extended_measures():
    """Check the items of two entries."""
    names = [item.name for item in recording.items(["a", "b"])]
    assert names[:4] == ["score-a", "score-a-extended", "score-b", "score-b-extended"]
    assert len(set(names)) == len(names)
