"""Lines about a training run without a terminal."""

from __future__ import annotations

from baselines.training.update_log import SECONDS, UpdateLog


def log_at(seconds, updates=1000):
    """Give a log and the lines that it writes at some times."""
    times = iter(seconds)
    log = UpdateLog("run", updates, clock=lambda: next(times))
    return [log.line(0.5) for _ in seconds]


def test_a_line_a_minute():
    """Check how many lines ten minutes give, an update taking 0.9 s."""
    lines = [line for line in log_at([0.9 * n for n in range(668)]) if line]
    assert len(lines) == 9
    assert lines[1].endswith("loss 0.500, 0.9 s an update")


def test_updates_of_an_earlier_run_are_no_speed():
    """Check that a resumed run, which reports its old updates at once, shows no rate of them."""
    lines = [line for line in log_at([0.0] * 300 + [SECONDS, SECONDS + 30, 2 * SECONDS]) if line]
    assert lines == [
        "run: update 301 of 1000, loss 0.500",
        "run: update 303 of 1000, loss 0.500, 30.0 s an update",
    ]


def test_lines_go_to_standard_error(capsys):
    """Check that results are not mixed with them."""
    times = iter([0, 100])
    log = UpdateLog("run", 5, clock=lambda: next(times))
    log(1.0)
    log(0.5)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "run: update 2 of 5, loss 0.500\n"
