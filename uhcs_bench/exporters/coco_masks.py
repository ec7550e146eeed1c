"""Masks of single objects as COCO's result files of other programs hold them.

A mask is a run-length encoding or a list of polygons. Nothing is decoded before its sizes are
known to be right: pycocotools trusts what it is given, and returns uninitialised memory for runs
that do not cover the picture, or fills the memory with the outline of a polygon that is far larger.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from uhcs_bench.errors import MissingPackageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_LONGEST_NUMBER = 8
"""Characters of a run in COCO's text, of 5 bits each; no picture has 2**40 pixels."""


def coco_mask() -> Any:
    """Import pycocotools' masks.

    Raises
    ------
    MissingPackageError
        If pycocotools is not installed.
    """
    try:
        from pycocotools import mask
    except ModuleNotFoundError as error:
        raise MissingPackageError("Reading or writing COCO instances", "coco") from error
    return mask


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether a value of JSON is a finite number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def decoded(segmentation: object, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode the mask of an object.

    Parameters
    ----------
    segmentation : object
        As read from JSON: an object with ``size`` and ``counts``, a list or COCO's text, or a list
        of polygons, each a list of x, y, x, y, ...
    shape : tuple of int
        Rows and columns of the picture.

    Returns
    -------
    ndarray of uint8, shape (rows, columns)
        1 where the object is, 0 elsewhere.

    Raises
    ------
    ValueError
        If it is no mask of such a picture; the message is a phrase that says why.

    Examples
    --------
    >>> decoded({"size": [2, 3], "counts": [1, 2, 3]}, (2, 3)).tolist()
    [[0, 1, 0], [1, 0, 0]]
    >>> decoded({"size": [2, 3], "counts": [1, 2]}, (2, 3))
    Traceback (most recent call last):
    ...
    ValueError: its counts add up to 3 pixels, the picture has 6
    """
    if isinstance(segmentation, list):
        return _filled(segmentation, shape)
    if not isinstance(segmentation, dict):
        raise ValueError("it is neither a run-length encoding nor a list of polygons")
    missing = [key for key in ("size", "counts") if key not in segmentation]
    if missing:
        raise ValueError(f"it has no {' and no '.join(missing)}")
    if segmentation["size"] != [*shape]:
        raise ValueError(f"its size is not that of the picture, {[*shape]}")
    return _laid_out(segmentation["counts"], shape)


def _laid_out(counts: object, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Lay runs of 0 and of 1 out in turn, column by column."""
    if isinstance(counts, str):
        runs = list(_runs(counts))
    elif isinstance(counts, list) and all(type(run) is int for run in counts):
        runs = counts
    else:
        raise ValueError("its counts are neither a text nor a list of whole numbers")
    if any(run < 0 for run in runs):
        raise ValueError("its counts hold a negative number")
    total, n_pixels = sum(runs), math.prod(shape)
    if total != n_pixels:
        raise ValueError(f"its counts add up to {_shown(total)} pixels, the picture has {n_pixels}")
    values = (np.arange(len(runs)) % 2).astype(np.uint8)
    return np.repeat(values, runs).reshape(shape, order="F")


def _shown(total: int) -> str:
    return str(total) if total < 10**12 else "more than 10**12"


def _runs(text: str) -> Iterator[int]:
    """Read COCO's text of run lengths.

    A character has 5 bits of a number, the lowest first, and a bit that says whether more follow.
    From the fourth run on the number is the difference from the run before the last.
    """
    before = [0, 0, 0]  # the last runs
    number = n_read = n_characters = 0
    for character in text:
        bits = ord(character) - ord("0")
        if not 0 <= bits < 64 or n_characters == _LONGEST_NUMBER:
            raise ValueError("its counts are no text of run lengths")
        number |= (bits & 31) << 5 * n_characters
        n_characters += 1
        if not bits & 32:
            if bits & 16:
                number -= 1 << 5 * n_characters
            run = number + (before[-2] if n_read > 2 else 0)
            yield run
            before = [*before[1:], run]
            number, n_characters, n_read = 0, 0, n_read + 1
    if n_characters:
        raise ValueError("its counts end within a number")


def _filled(polygons: list[Any], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Fill polygons as pycocotools does it."""
    if not polygons:
        raise ValueError("it has no polygon")
    for polygon in polygons:
        _check_polygon(polygon, shape)
    masks = coco_mask()
    filled: NDArray[np.uint8] = masks.decode(masks.merge(masks.frPyObjects(polygons, *shape)))
    return filled


def _check_polygon(polygon: object, shape: tuple[int, int]) -> None:
    if not isinstance(polygon, list) or not all(map(is_number, polygon)):
        raise ValueError("a polygon is no list of finite numbers")
    if len(polygon) < 6 or len(polygon) % 2:
        raise ValueError("a polygon is not made of x and y of three points or more")
    corners = np.array(polygon, np.float64).reshape(-1, 2)
    height, width = shape
    # A network's outline may cross the border of the picture. One that is further outside than the
    # picture is wide or high is an error of units, and pycocotools walks along all of it.
    extent = np.array([width, height])
    if (corners < -extent).any() or (corners > 2 * extent).any():
        raise ValueError("a polygon is further outside of the picture than that is wide or high")
    # For the same reason: an outline along every pixel of the picture has at most their sides.
    steps = np.abs(np.roll(corners, -1, axis=0) - corners).max(axis=1)
    if steps.sum() > 4 * (width + 1) * (height + 1):
        raise ValueError("a polygon is longer than the outlines of all pixels of the picture")
