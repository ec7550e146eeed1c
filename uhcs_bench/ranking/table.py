"""The board that comes with the package, as a data frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from uhcs_bench import protocol
from uhcs_bench.errors import UsageError
from uhcs_bench.io.tables import Rows
from uhcs_bench.ranking import rows

if TYPE_CHECKING:
    import pandas as pd


def leaderboard(
    task: str | None = None, convention: protocol.ConventionName = "paper"
) -> pd.DataFrame:
    """Give the leaderboard of this release of the package, without scoring anything.

    Parameters
    ----------
    task : str, optional
        Name or alias of a task; both without it.
    convention : {'paper', 'present', 'pooled'}, optional
        Convention of the means. Ranks are those of the board, from paired tests in the paper's.

    Returns
    -------
    pandas.DataFrame
        A row for each entry, task, data set version and split, in the board's order. Scores are
        fractions: ``IU``, its standard error ``IU_se``, the ends ``IU_low`` and ``IU_high`` of its
        95 % interval, and so for ``AC``, the classes, the distance ``D`` of particle sizes and the
        ``fit`` to what is measured. Of each measure there are the bias and the micrographs within
        10 and 20 %. A rank is a range such as ``"1-2"``; NaN where a method has none.

    Raises
    ------
    UsageError
        If there is no such task or convention.
    MissingPackageError
        If pandas is not installed.

    Examples
    --------
    >>> board = leaderboard("particles")
    >>> board.set_index("method").loc["otsu", "IU"].round(3)
    np.float64(0.716)
    """
    if convention not in get_args(protocol.ConventionName):
        known = ", ".join(protocol.CONVENTIONS)
        raise UsageError(f"There is no convention {convention!r}. Choose one of {known}.")
    names = list(protocol.TASKS) if task is None else [protocol.task(task).name]
    return Rows(rows.rows(rows.read(), names, convention)).to_frame()
