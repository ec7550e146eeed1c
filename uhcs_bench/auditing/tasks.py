"""Audit tasks by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uhcs_bench import protocol
from uhcs_bench.auditing import audit as auditing
from uhcs_bench.data import dataset

if TYPE_CHECKING:
    from uhcs_bench.auditing.audit import Audit


def audit(task: str | None = None, version: str = protocol.REAL_VERSION) -> Audit:
    """Recompute from the data what is wrong with them, fetching what the cache does not have.

    Parameters
    ----------
    task : str, optional
        Name or alias of a task. By default all tasks, and overlaps between them.
    version : str, optional
        Data set version.

    Returns
    -------
    uhcs_bench.auditing.audit.Audit
        Leaks between folds, label maps off their micrographs, doubtful pixel sizes and more, as
        numbers and as sentences.

    Raises
    ------
    UsageError
        If there is no such task or version.
    DataUnavailableError
        If a micrograph is not available from any source.

    Examples
    --------
    >>> found = audit(task="particles", version="synthetic")
    >>> found["particles"].n_distinct, found.overlaps
    (24, ())
    """
    names = [*protocol.TASKS] if task is None else [protocol.task(task).name]
    version = protocol.check_version(version)
    return auditing.audit(dataset.load(name, version=version) for name in names)
