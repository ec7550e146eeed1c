"""Otsu's threshold, the baseline that needs no training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.errors import UsageError
from uhcs_bench.segmentation.equalization import bands
from uhcs_bench.segmentation.preprocessing import gray_micrograph

if TYPE_CHECKING:
    from numpy.typing import NDArray

DARK_TO_BRIGHT = ("matrix", "spheroidite", "widmanstatten", "network")
"""What the gray levels of the microconstituents task are taken for, by how bright cementite is."""


def segment(image: NDArray[np.uint8], task: str) -> NDArray[np.uint8]:
    """Segment a micrograph by its gray levels alone.

    Particles are what is brighter than Otsu's threshold of the raw micrograph [1]_, as in the
    paper's baseline [2]_.

    Microconstituents come from Otsu's thresholds for four classes [3]_, which are given, from dark
    to bright, to matrix, spheroidite, Widmanstatten and network: bare ferrite is dark, a field of
    particles in ferrite lies between, and the more solid the cementite, the brighter. The order
    was decided beforehand and is not fitted. It scores badly, since a microconstituent is a
    pattern and not a gray level, and in most of the micrographs the network's flat interior is not
    bright at all. It is shown as it is.

    An image with fewer gray levels than the task has classes gets the first classes of that order,
    the darkest level the first one. A constant image is all matrix in both tasks.

    Parameters
    ----------
    image : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)
        Gray levels of the raw micrograph; three channels must be equal.
    task : str
        Name or alias of a task.

    Returns
    -------
    ndarray of uint8, shape (rows, columns)
        Labels of the task's classes.

    Raises
    ------
    UsageError
        If there is no such task, or the image is no gray image of uint8.

    References
    ----------
    .. [1] N. Otsu (1979), IEEE Transactions on Systems, Man, and Cybernetics 9, 62-66.
    .. [2] B. L. DeCost, B. Lei, T. Francis, E. A. Holm (2019), Microscopy and Microanalysis 25,
       21-29.
    .. [3] P.-S. Liao, T.-S. Chen, P.-C. Chung (2001), Journal of Information Science and
       Engineering 17, 713-727.

    Examples
    --------
    >>> segment(np.array([[20, 30, 200], [25, 210, 205]], np.uint8), "particles")
    array([[0, 0, 1],
           [0, 1, 1]], dtype=uint8)
    """
    known = protocol.task(task)
    image = _checked(image)
    if known.name == "particles":
        return _brighter_than_threshold(image)
    labels = np.array([known.classes.index(name) for name in DARK_TO_BRIGHT], np.uint8)
    # A level on a threshold belongs below it, as for particles.
    rank = np.searchsorted(_thresholds(image, labels.size), np.arange(256), side="left")
    return labels[rank][image]


def _checked(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give back a gray image of bytes, if it is one."""
    array = gray_micrograph(image)
    if array.dtype != np.uint8:
        raise UsageError(
            f"Otsu's threshold is for an array of uint8, but this one is of {array.dtype}. Convert "
            "it to 8-bit gray levels."
        )
    return array.view(np.uint8)


def _brighter_than_threshold(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from skimage.filters import threshold_otsu

    numbers, levels = _histogram(image)
    threshold: int = threshold_otsu(hist=(numbers, levels)) if levels.size > 1 else levels[0]
    return (image > threshold).view(np.uint8)


def _thresholds(image: NDArray[np.uint8], n_classes: int) -> NDArray[np.uint8]:
    numbers, levels = _histogram(image)
    if np.count_nonzero(numbers) <= n_classes:
        return levels[numbers > 0][:-1]
    from skimage.filters import threshold_multiotsu

    # Shares, as of an image: sums of counts in single precision change the order of near ties.
    shares = numbers / numbers.sum()
    thresholds: NDArray[np.uint8] = threshold_multiotsu(classes=n_classes, hist=(shares, levels))
    return thresholds


def _histogram(image: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Count each level from the darkest to the brightest, in bands."""
    shape = (image.shape[0], image.shape[1])
    numbers = sum(np.bincount(image[rows].ravel(), minlength=256) for rows in bands(shape))
    levels = np.arange(int(image.min()), int(image.max()) + 1).astype(np.uint8)
    return np.asarray(numbers)[levels], levels
