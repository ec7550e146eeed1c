"""Labels of the classes, and checks of label maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uhcs_bench import protocol
from uhcs_bench.metallography import arguments

if TYPE_CHECKING:
    import numpy as np
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
    UsageError
        If it has not two dimensions, holds no integers, or a label is outside the classes.
    """
    arguments.as_map(label_map, "label map")
    return arguments.as_labels(label_map, n_classes)
