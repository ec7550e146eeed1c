"""Progress of a long command: a bar in a terminal, and a line a minute elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, Self

from uhcs_bench.cli.common import echo
from uhcs_bench.errors import things

EVERY_S = 60.0
"""How often a line is written where standard error is no terminal."""


class Progress:
    """Reports progress on standard error; call it with what is done, what failed, and all.

    Parameters
    ----------
    quiet : bool
        Whether to report nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._is_quiet = quiet
        self._bar: Any = None
        self._begun = self._last = time.monotonic()
        self._first: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, n_done: int, n_failed: int, n: int) -> None:
        """Report."""
        if self._is_quiet:
            return
        if sys.stderr.isatty():
            self._draw(n_done + n_failed, n)
            return
        now = time.monotonic()
        if self._first is None:
            self._first = n_done
        if now - self._last < EVERY_S:
            return
        self._last = now
        speed = (n_done + n_failed - self._first) / (now - self._begun)
        left = f", about {(n - n_done - n_failed) / speed / 60:.0f} min left" if speed else ""
        failed = f", {n_failed} failed" if n_failed else ""
        echo(f"{n_done} of {things(n, 'file')} measured{failed}{left}", err=True)

    def _draw(self, n_done: int, n: int) -> None:
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(total=n, initial=n_done, unit="file")
        self._bar.update(n_done - self._bar.n)
