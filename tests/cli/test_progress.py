"""Progress: a line a minute where there is no terminal, nothing when quiet."""

from __future__ import annotations

import pytest

from uhcs_bench.cli import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_line_a_minute(clock, capsys):
    """Check when lines come, and what they say."""
    with progress.Progress() as report:
        for second in range(0, 151, 10):
            clock[0] = second
            report(second, second // 50, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("60 of 1000 files measured, 1 failed, about ")
    assert lines[0].endswith("min left")


def test_work_of_an_earlier_run_does_not_count_as_speed(clock, capsys):
    """Check the estimate of a run that begins half way."""
    with progress.Progress() as report:
        report(500, 0, 620)
        clock[0] = 60.0
        report(560, 0, 620)
    assert capsys.readouterr().err == "560 of 620 files measured, about 1 min left\n"


def test_quiet(clock, capsys):
    """Check that nothing is written."""
    with progress.Progress(quiet=True) as report:
        clock[0] = 1000.0
        report(1, 0, 2)
    assert capsys.readouterr().err == ""
