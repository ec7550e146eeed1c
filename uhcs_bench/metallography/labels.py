"""Labels of the classes, and checks of label maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench import protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    LabelMap = NDArray[np.integer | np.bool_]


MICROCONSTITUENTS = protocol.TASKS["microconstituents"].classes


MATRIX, NETWORK, SPHEROIDITE, WIDMANSTATTEN = range(len(MICROCONSTITUENTS))


def check_label_map(label_map: LabelMap, n_classes: int | None = None) -> LabelMap:
    """Give back a label map as an array, if it is one.

    Parameters
    ----------
    label_map : array_like of integers
    n_classes : int, optional
        Labels must lie below it.

    Raises
    ------
    ValueError
        If it has not two dimensions, holds no integers, or a label is outside the classes.
    """
    labels = np.asarray(label_map)
    if labels.ndim != 2:
        raise ValueError(f"a label map has two dimensions, not {labels.ndim}")
    if labels.dtype.kind not in "biu":
        raise ValueError(f"a label map holds integers, not {labels.dtype}")
    if n_classes and labels.size and not 0 <= labels.min() <= labels.max() < n_classes:
        raise ValueError(
            f"labels must lie between 0 and {n_classes - 1}, found {labels.min()} to {labels.max()}"
        )
    return labels
