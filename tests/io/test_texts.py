"""Tests of JSON of others."""

import os

import pytest

from uhcs_bench.io.texts import from_json, read_json


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "nested"),
        ('{"a":' * 100_000, "nested"),
        ("[" * 100_000 + "]" * 100_000, "nested"),
        ('{"mean": ' + "1" * 400 + "}", "400 digits"),
        ("-" + "1" * 5000, "5001 digits"),
        ("", "Expecting value"),
        (b"\xff\xfe", "Expecting value|codec"),
    ],
)
def test_hostile_json_is_a_value_error(text, reason):
    """Check nesting, numbers that no float holds, and what is no JSON."""
    with pytest.raises(ValueError, match=reason):
        from_json(text)


def test_json_is_read():
    """Check values of each kind."""
    assert from_json(b'{"a": [1, -2.5, null, true, "b"]}') == {"a": [1, -2.5, None, True, "b"]}


def test_pipes_are_not_waited_for(tmp_path):
    """Check a pipe without a writer, a folder, and a file that is not there."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(ValueError, match="not a regular file"):
            read_json(path)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "absent")
