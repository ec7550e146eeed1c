"""The audited version's label maps: those of the deposit, misplaced ones moved into place.

Some particle label maps lie a row or two off their micrographs, by as much over the whole height or
by more and more from top to bottom. `uhcs_bench.auditing.audit` measures by how much. A
correction moves
whole rows of the label map, since that leaves every annotated row as it was drawn; what is left is
up to half a row, and the audit of the version ``audited`` says how much. Its shift may change from
row to row: where it grows, a row is repeated, where it shrinks, one is left out. The rows that no
annotated row comes to repeat the nearest that does.

Only what `uhcs_bench.auditing.registration.Registration` calls shifted or drifting is corrected:
a shift or drift
of more than half a row, and at least five standard errors from zero. The corrections are
``data/corrections.json``, written by ``python -m tools.write_corrections``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.data import pixels
from uhcs_bench.errors import DataUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from uhcs_bench.data.registry import Entry


def move(
    labels: NDArray[np.uint8], shifts: Sequence[tuple[int, int]]
) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """Move rows of a label map up or down.

    Parameters
    ----------
    labels : ndarray of uint8, shape (rows, columns)
    shifts : sequence of (int, int)
        First row of the result to which a shift applies, and the shift: rows down, from there to
        the next such row. The first one is row 0.

    Returns
    -------
    moved : ndarray of uint8, shape (rows, columns)
    filled_rows : tuple of int
        Rows of the result that repeat a neighbour: those that come from outside, and those where
        the shift grows.

    Examples
    --------
    >>> labels = np.arange(5, dtype=np.uint8)[:, None]
    >>> moved, filled = move(labels, [(0, 1)])
    >>> moved[:, 0].tolist(), filled
    ([0, 0, 1, 2, 3], (0,))
    >>> moved, filled = move(labels, [(0, 0), (3, 1)])
    >>> moved[:, 0].tolist(), filled
    ([0, 1, 2, 2, 3], (3,))
    """
    rows = np.arange(len(labels))
    starts, shift_from = np.array(shifts).T
    wanted = rows - shift_from[np.searchsorted(starts, rows, side="right") - 1]
    sources = wanted.clip(0, len(labels) - 1)
    is_filled = sources != wanted
    is_filled[1:] |= wanted[1:] <= np.maximum.accumulate(wanted)[:-1]
    return labels[sources], tuple(np.flatnonzero(is_filled).tolist())


def corrected(labels: NDArray[np.uint8], entry: Entry) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """Apply an entry's correction to the deposit's label map.

    Parameters
    ----------
    labels : ndarray of uint8, shape (rows, columns)
    entry : Entry
        One with a correction.

    Returns
    -------
    labels : ndarray of uint8, shape (rows, columns)
        Read-only.
    filled_rows : tuple of int
        Rows that repeat a neighbour.

    Raises
    ------
    DataUnavailableError
        If the result isn't the label map that the correction promises.
    """
    if entry.correction is None:
        raise ValueError(f"{entry.id} has no correction")
    moved, filled_rows = move(labels, entry.correction.shifts)
    if pixels.pixel_sha256(moved) != entry.correction.pixel_sha256:
        raise DataUnavailableError(
            f"The corrected label map of {entry.id} is not the one of version {entry.version}: "
            "the cached label map that it is made from is damaged. Renew it by: "
            f"uhcs-bench download {entry.task} --verify"
        )
    moved.flags.writeable = False
    return moved, filled_rows
