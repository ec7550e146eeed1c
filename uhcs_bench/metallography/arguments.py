"""Checks of what callers pass: arrays, pixel sizes, results of other functions.

Each check gives the checked value back, or raises a `UsageError` with a whole sentence: what was
passed, and what to pass.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Labels = NDArray[np.integer | np.bool_]

_MIN_DIAMETER = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*(px|um|µm|μm)\s*")
_REAL = (int, float, np.integer, np.floating)

FEWEST_LEVELS = 17
"""Gray levels that a micrograph has at least; label maps and masks have no more than the classes,
or twice as many where an editor has smoothed their outlines."""

_MOST_FLAT = 0.8
"""Share of neighbours of one gray level that a micrograph has at most, because of its noise."""


def is_micrograph(pixels: NDArray[np.generic], n_classes: int) -> bool:
    """Say whether an array looks like a raw micrograph, and not like a label map.

    Parameters
    ----------
    pixels : ndarray, shape (rows, columns) or (rows, columns, channels)
    n_classes : int
        Labels lie below it.

    Examples
    --------
    >>> is_micrograph(np.arange(400).reshape(20, 20), 2), is_micrograph(np.eye(20), 2)
    (True, False)
    >>> is_micrograph(np.linspace(0, 1, 400).reshape(20, 20), 2)  # gray values from 0 to 1
    True
    """
    if pixels.dtype.kind not in "uif" or pixels.ndim < 2 or not pixels.size:
        return False
    levels = np.unique(pixels)
    finite = levels[np.isfinite(levels)]
    may_be_labels = not finite.size or (
        finite[-1] < n_classes and bool((finite == np.floor(finite)).all())
    )
    if may_be_labels or len(levels) < FEWEST_LEVELS:
        return False
    # A map of numbered particles has many values, too, but is of one value over large areas.
    neighbours = pixels if pixels.shape[1] > 1 else pixels.swapaxes(0, 1)
    flat = float(np.mean(neighbours[:, 1:] == neighbours[:, :-1]))
    return flat < _MOST_FLAT


def micrograph_hint(pixels: NDArray[np.generic], n_classes: int) -> str:
    """Say what to do with a micrograph in the place of a label map; empty for what is none.

    Examples
    --------
    >>> micrograph_hint(np.eye(20), 2)
    ''
    """
    if not is_micrograph(pixels, n_classes):
        return ""
    return (
        "it may be a micrograph, of which uhcs-bench measure --maps makes a label map, in Python "
        "uhcs_bench.segmentation.load(task).segment"
    )


def _sentence(hint: str) -> str:
    return f" {hint[0].upper()}{hint[1:]}." if hint else ""


def as_array(values: object, what: str) -> NDArray[Any]:
    """Return numbers as an array.

    Parameters
    ----------
    values : array_like
    what : str
        Name of the argument in the message, such as ``"particle mask"``.

    Raises
    ------
    UsageError
        If it is no array of numbers.
    """
    # Plain arrays are let through first: naming np.ma imports it.
    if type(values) is not np.ndarray and isinstance(values, np.ma.MaskedArray):
        raise UsageError(
            f"The {what} is a masked array, whose masked values would count as if they were there. "
            "Give an array without a mask, for example values.filled(0)."
        )
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"The {what} is no array: its rows differ in length. Give rows of equal length."
        ) from error
    if array.dtype.kind not in "biuf":
        raise UsageError(f"The {what} is {_shown(values)}, no array of numbers. Give an array.")
    return array


def as_labels(values: object, n_classes: int | None = None, what: str = "label map") -> Labels:
    """Return class labels as an array.

    Parameters
    ----------
    values : array_like of integers
    n_classes : int, optional
        Labels must lie below it.
    what : str, optional
        Name of the argument in the message.

    Raises
    ------
    UsageError
        If it holds no integers, or a label is outside the classes.

    Examples
    --------
    >>> as_labels([[0, 2]], n_classes=2)
    Traceback (most recent call last):
        ...
    uhcs_bench.errors.UsageError: The label map holds the labels 0 to 2, but they must lie between \
0 and 1. Give class labels from 0 on.
    """
    labels = as_array(values, what)
    if labels.dtype.kind not in "biu":
        raise UsageError(
            f"The {what} must hold integers, but it holds {labels.dtype}. Give class labels as "
            f"whole numbers, such as uint8.{_sentence(micrograph_hint(labels, n_classes or 2))}"
        )
    if n_classes and labels.size and not 0 <= labels.min() <= labels.max() < n_classes:
        raise UsageError(
            f"The {what} holds the labels {labels.min()} to {labels.max()}, but they must lie "
            f"between 0 and {n_classes - 1}. Give class labels from 0 on."
            f"{_sentence(micrograph_hint(labels, n_classes))}"
        )
    return labels


def as_map(values: object, what: str) -> NDArray[Any]:
    """Return a map or mask as an array of rows and columns.

    Raises
    ------
    UsageError
        If it has not two dimensions.
    """
    array = as_array(values, what)
    if array.ndim != 2:
        raise UsageError(
            f"The {what} must have two dimensions, but its shape is {array.shape}. Give an array "
            f"of rows and columns.{_sentence(micrograph_hint(array, 2))}"
        )
    return array


def as_mask(values: object, what: str) -> NDArray[Any]:
    """Return a mask as an array of rows and columns.

    Raises
    ------
    UsageError
        If it has not two dimensions, or holds other numbers than 0 and 1, or 0 and 255.

    Examples
    --------
    >>> as_mask([[0, 2]], "particle mask")
    Traceback (most recent call last):
        ...
    uhcs_bench.errors.UsageError: The particle mask must hold 0 and 1, or 0 and 255, but it holds \
numbers from 0 to 2. Give a mask of one class, such as labels == 1.
    """
    mask = as_map(values, what)
    if mask.dtype.kind == "b" or not mask.size:
        return mask
    low, high = mask.min(), mask.max()
    is_mask = low >= 0 and high in (0, 1, 255)
    if high == 255 or mask.dtype.kind == "f":
        is_mask &= bool(((mask == 0) | (mask == high)).all())
    if not is_mask:
        raise UsageError(
            f"The {what} must hold 0 and 1, or 0 and 255, but it holds numbers from {low:g} to "
            f"{high:g}. Give a mask of one class, such as labels == 1."
            f"{_sentence(micrograph_hint(mask, 2))}"
        )
    return mask


def as_pair(
    annotated: object, predicted: object, n_classes: int | None = None
) -> tuple[Labels, Labels]:
    """Return an annotated and a predicted label map of one shape.

    Raises
    ------
    UsageError
        If one is no label map, or the shapes differ.
    """
    first = as_labels(annotated, n_classes, "annotated label map")
    second = as_labels(predicted, n_classes, "predicted label map")
    check_same_shape("annotation", first, "prediction", second)
    return first, second


def check_same_shape(name: str, array: NDArray[Any], other_name: str, other: NDArray[Any]) -> None:
    """See that two maps have one shape.

    Raises
    ------
    UsageError
        If they have not.
    """
    if array.shape != other.shape:
        raise UsageError(
            f"The {name}'s shape {array.shape} is not the {other_name}'s {other.shape}. Give two "
            "maps of the same micrograph, at its own size."
        )


def as_sample(values: ArrayLike, what: str) -> NDArray[Any]:
    """Return the values of a sample, such as particles' areas.

    Raises
    ------
    UsageError
        If it is no one-dimensional array of numbers, or one of them is NaN.
    """
    sample = as_array(values, what)
    if sample.ndim != 1:
        raise UsageError(
            f"The {what} has the shape {sample.shape}, not one dimension. Give one value for each "
            "particle."
        )
    if sample.dtype.kind == "f" and np.isnan(sample).any():
        raise UsageError(
            f"The {what} holds {int(np.isnan(sample).sum())} NaN. Leave undefined values out."
        )
    return sample


def check_pixel_size(pixel_size_um: object) -> float | None:
    """Give back a pixel size, if it is a possible one or None.

    Raises
    ------
    UsageError
        If it is no finite number above 0.
    """
    if pixel_size_um is None:
        return None
    if not isinstance(pixel_size_um, _REAL) or not 0 < pixel_size_um < math.inf:
        raise UsageError(
            f"A pixel size of {_shown(pixel_size_um)} um is not possible. Give the edge of a pixel "
            "in micrometres, or None where it is unknown."
        )
    return float(pixel_size_um)


def check_min_diameter(min_diameter: object) -> tuple[float, str]:
    """Return a smallest diameter's number and unit.

    Parameters
    ----------
    min_diameter : str or None
        A number with its unit, px or um (also µm), such as ``"5px"`` or ``"0.2 um"``; None for 0.

    Raises
    ------
    UsageError
        If it is none.

    Examples
    --------
    >>> check_min_diameter("0.2 um"), check_min_diameter(None)
    ((0.2, 'um'), (0.0, 'px'))
    """
    if min_diameter is None:
        return 0.0, "px"
    found = _MIN_DIAMETER.fullmatch(min_diameter) if isinstance(min_diameter, str) else None
    number = float(found[1]) if found else math.nan
    if found is None or not 0 < number < math.inf:
        raise UsageError(
            f"A smallest diameter can't be {_shown(min_diameter)}. Give a number above 0 with its "
            "unit, such as 5px or 0.2um."
        )
    return number, "px" if found[2] == "px" else "um"


def smallest_area_px(min_diameter: str | None, pixel_size_um: float | None) -> float:
    """Return the area of the circle of a smallest diameter, in pixels.

    Parameters
    ----------
    min_diameter : str or None
        See `check_min_diameter`.
    pixel_size_um : float or None
        Edge of a pixel in micrometres.

    Raises
    ------
    UsageError
        If the diameter is none, or in micrometres without a pixel size.

    Examples
    --------
    >>> round(smallest_area_px("0.4um", 0.1), 2)
    12.57
    """
    number, unit = check_min_diameter(min_diameter)
    if unit == "um":
        if pixel_size_um is None:
            raise UsageError(
                f"The smallest diameter of {number:g} um is not known in pixels, because the pixel "
                "size is unknown. Give the pixel size, or the diameter in px."
            )
        number /= pixel_size_um
    return math.pi / 4 * number**2


def check_connectivity(connectivity: int) -> int:
    """Give back a connectivity of pixels, 4 or 8.

    Raises
    ------
    UsageError
        If it is another.
    """
    if connectivity not in (4, 8):
        raise UsageError(
            f"There is no connectivity {_shown(connectivity)}. Give 4 or 8, the number of "
            "neighbours that join two pixels."
        )
    return connectivity


def check_is(value: object, kinds: type | tuple[type, ...], what: str, advice: str) -> None:
    """See that an argument is the result of another function.

    Raises
    ------
    UsageError
        If it is of another type.
    """
    if not isinstance(value, kinds):
        raise UsageError(f"The {what} can't be {_shown(value)}. {advice}.")


def check_ascending(edges: Sequence[float], what: str) -> list[float]:
    """Give back two or more ascending numbers.

    Raises
    ------
    UsageError
        If they are fewer, or don't ascend.
    """
    values = as_array(edges, f"sequence of {what}")
    if values.ndim != 1 or len(values) < 2 or not _are_edges(values):
        raise UsageError(
            f"The {what} are {_shown(edges)}. Give two or more ascending distances in pixels, "
            "from 0 on."
        )
    return [float(value) for value in values]


def _are_edges(values: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(values).all() and values[0] >= 0 and (np.diff(values) > 0).all())


def _shown(value: object) -> str:
    """Give the representation of a value, cut to a line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
