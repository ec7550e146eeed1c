"""Notes on many files: what is named, what is counted, and that lines fit a terminal."""

from __future__ import annotations

import pytest

from uhcs_bench.cli import notes
from uhcs_bench.measuring import pixel_size

FATES = ("so that all are in pixels", 'so that lengths are "-" above, and in pixels in the table')


def test_sizes_are_said_with_their_source():
    """Check one size, a range, and that what the user gave is not repeated."""
    found = [("a", 0.1, "registry"), ("b", 0.2, "registry"), ("c", 0.5, "the file's scale")]
    found.append(("d", 0.3, pixel_size.GIVEN))
    assert notes.pixel_sizes(found, *FATES) == [
        "Pixel size of 2 files: 0.1 to 0.2 um (registry).",
        "Pixel size of 1 file: 0.5 um (the file's scale).",
    ]


def test_files_without_a_size_are_named_with_their_reasons():
    """Check the first three of a reason, and one reason for files that it names."""
    found = [(name, None, "none: the file holds no pixel size") for name in "abcde"]
    found += [(name, None, f"none: the registry has none for {name}") for name in ("x", "y")]
    assert notes.pixel_sizes(found, *FATES) == [
        "No pixel size for 7 files, so that all are in pixels:",
        "  a, b, c and 2 more: the file holds no pixel size",
        "  x, y: the registry has none",
        "--pixel-size gives one.",
    ]


def test_no_file_is_passed_over_in_silence():
    """Check that sources and reasons beyond the third are counted."""
    found = [(f"s{n}", 0.1, f"source {n}") for n in range(5)]
    found += [(f"r{n}", None, f"none: reason {n}") for n in range(4)]
    lines = notes.pixel_sizes(found, *FATES)
    assert "Pixel size of 2 further files: from other sources." in lines
    assert "  1 further file: for other reasons" in lines
    assert "above, and in pixels in the table" in " ".join(lines)


@pytest.mark.parametrize("n", [1, 2, 30])
def test_lines_fit_a_terminal(n):
    """Check long reasons and many files; a name that is longer stays whole."""
    reason = "none: the PNG resolution of 300 dpi is that of a screen or printer; no header"
    found = [(f"a-long-name-of-a-series-{number:02}", None, reason) for number in range(n)]
    found.append(("given", 0.1, "the file's FEI header of a scan with a long name, and a scale"))
    lines = notes.pixel_sizes(found, *FATES)
    assert max(map(len, lines)) <= 80
    name = "long" * 30
    assert any(name in line for line in notes.pixel_sizes([(name, None, reason)], *FATES))


def test_warnings_of_many_files_are_one():
    """Check the number of files, and of warnings that are not shown."""
    shared = [(f"{number}.png", "is odd") for number in range(4)]
    single = [(f"{number}.png", f"has oddity {number}") for number in range(12)]
    lines = notes.gathered([*shared, *single])
    assert lines[0] == "0.png and 3 more: is odd"
    assert lines[-1] == "3 further warnings are not shown"
