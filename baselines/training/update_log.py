"""Lines about a training run, for a log file or a pipe, which can't show a progress bar."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from uhcs_bench.cli.common import echo

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 60.0
"""Time between two lines."""


class UpdateLog:
    """Report of a run's updates, a line a minute on standard error.

    Parameters
    ----------
    name : str
        Of the run, at the beginning of each line.
    updates : int
        How many there will be.
    clock : callable
        Gives the time in seconds.

    Examples
    --------
    >>> seconds = iter([0, 30, 61, 70, 121])
    >>> log = UpdateLog("unet, particles, fold 0", 10, clock=lambda: next(seconds))
    >>> log.line(0.5), log.line(0.5)
    (None, None)
    >>> log.line(0.25)
    'unet, particles, fold 0: update 3 of 10, loss 0.250'
    >>> log.line(0.25)
    >>> log.line(0.25)
    'unet, particles, fold 0: update 5 of 10, loss 0.250, 30.0 s an update'
    """

    def __init__(
        self, name: str, updates: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name, self._updates, self._clock = name, updates, clock
        self._count = 0
        self._last: float | None = None
        self._counted: int | None = None

    def __call__(self, loss: float) -> None:
        """Count an update, and write a line if the last is a minute old."""
        line = self.line(loss)
        if line is not None:
            echo(line, err=True)

    def line(self, loss: float) -> str | None:
        """Count an update; give the line that is due, if one is."""
        self._count += 1
        now = self._clock()
        if self._last is None:
            self._last = now
        if now - self._last < SECONDS:
            return None
        text = f"{self._name}: update {self._count} of {self._updates}, loss {loss:.3f}"
        if self._counted is not None:  # before the first line, updates of an earlier run may count
            text += f", {(now - self._last) / (self._count - self._counted):.1f} s an update"
        self._last, self._counted = now, self._count
        return text
