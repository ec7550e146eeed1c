"""Keep libraries from writing to the log, to standard error and to the list of warnings."""

from __future__ import annotations

import os
import threading
import warnings
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Silence:
    """Silences a library while anybody asks for it, in however many threads.

    The first who asks silences it, and the last who leaves puts back what was: state that is
    process-wide can't be saved and restored by each thread for itself.
    """

    def __init__(self, begin: Callable[[], Callable[[], object]]) -> None:
        self._begin = begin
        self._lock = threading.Lock()
        self._users = 0
        self._end: Callable[[], object] = lambda: None

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._end = self._begin()
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._end()


@cache
def silenced(logger_name: str) -> _Silence:
    """Keep a library from logging each damaged tag: what is wrong is raised, in one sentence.

    Examples
    --------
    >>> import logging
    >>> with silenced("tifffile"):
    ...     logging.getLogger("tifffile").disabled
    True
    >>> logging.getLogger("tifffile").disabled
    False
    """
    import logging

    logger = logging.getLogger(logger_name)

    def begin() -> Callable[[], object]:
        disabled, logger.disabled = logger.disabled, True
        return lambda: setattr(logger, "disabled", disabled)

    return _Silence(begin)


def _without_warnings() -> Callable[[], object]:
    manager = warnings.catch_warnings()
    manager.__enter__()
    warnings.filterwarnings("ignore", module=r"PIL\b")
    return lambda: manager.__exit__(None, None, None)


quiet_pillow = _Silence(_without_warnings)
"""Keeps Pillow from warning of large images and odd tags, which callers check themselves."""

_STANDARD_ERROR = 2
_standard_error_lock = threading.Lock()


@contextmanager
def standard_error_of_c() -> Iterator[list[str]]:
    """Catch the lines that a C library writes to standard error past Python.

    Yields
    ------
    list of str
        Filled with the lines at the end.
    """
    import tempfile

    lines: list[str] = []
    with _standard_error_lock, tempfile.TemporaryFile() as caught:
        try:
            kept = os.dup(_STANDARD_ERROR)
        except OSError:  # closed: nothing is written
            yield lines
            return
        try:
            os.dup2(caught.fileno(), _STANDARD_ERROR)
            yield lines
        finally:
            os.dup2(kept, _STANDARD_ERROR)
            os.close(kept)
            caught.seek(0)
            lines += caught.read(10_000).decode("utf-8", "replace").splitlines()
