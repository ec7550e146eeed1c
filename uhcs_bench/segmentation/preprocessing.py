"""From a raw micrograph to what a segmentation network sees.

The baselines prepare their micrographs with the same functions when they train.
"""

from __future__ import annotations

import math
import reprlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeGuard, get_args

import numpy as np

from uhcs_bench.errors import UsageError
from uhcs_bench.io.images import ImageError
from uhcs_bench.segmentation.equalization import (
    Equalization,
    Equalized,
    Stretched,
    bands,
    divided,
    power_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

Scale = Literal["range", "dtype", "none"]
Plane = Literal["standardised", "equalized"]

MAX_MULTIPLE = 512
"""Largest multiple that an image is padded to.

Networks have strides of up to 32, and pyramids of up to 128; of a larger multiple the smallest
image becomes one that takes seconds.
"""

_MOST = 1e10
"""Largest mean and deviation: whole numbers of 32 bits, the widest gray values, stay below it."""

_LEAST_SD = 1e-6
"""Smallest deviation: a gray level in 65535, scaled to 0 to 1, is 15 times as much.

Divided by it, the widest gray values are far from the end of float32.
"""

_TILES = (8, 2048)
"""Smallest and largest side of a tile.

Each tile has a histogram. Of smaller ones those of a large micrograph do not fit into memory, and
64 pixels say little of a distribution; an image is mirrored up to a whole tile, and a micrograph of
the benchmark is 645 pixels wide.
"""

_MOST_BINS = 1024
"""Bins of a tile's histogram, 4 times the gray levels of most micrographs.

With them and the smallest tiles a histogram takes 128 bytes for each pixel.
"""


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """What is done to a micrograph before a network sees it, in this order.

    Attributes
    ----------
    scale : {"range", "dtype", "none"}
        How gray values become floats: "range" maps the image's darkest value to 0 and its brightest
        to 1, "dtype" divides by the largest value of its integer type (255 or 65535), and "none"
        keeps the values.
    equalize : Equalization or None
        Local histogram equalisation. It needs the scale "range".
    channels : {1, 3}
        The gray image is repeated to so many equal channels.
    mean, sd : tuple of float
        For each channel, what is subtracted and what the difference is divided by.
    multiple : int
        The bottom and right border are mirrored until height and width are multiples of it.
    planes : tuple of {"standardised", "equalized"}
        What each channel shows, before `mean` and `sd`: gray values less their mean over the
        image, divided by their deviation, or the equalised image. Empty: every channel shows the
        image that `scale` and `equalize` describe.

    Examples
    --------
    >>> image = np.array([[0, 51, 255]], np.uint8)
    >>> Preprocessing(scale="dtype", mean=(0.2,), sd=(0.5,), multiple=2).apply(image)
    array([[[-0.4,  0. ,  1.6,  1.6],
            [-0.4,  0. ,  1.6,  1.6]]], dtype=float32)
    """

    scale: Scale = "range"
    equalize: Equalization | None = None
    channels: int = 1
    mean: tuple[float, ...] = (0.0,)
    sd: tuple[float, ...] = (1.0,)
    multiple: int = 1
    planes: tuple[Plane, ...] = ()

    def apply(self, image: NDArray[np.generic]) -> NDArray[np.float32]:
        """Prepare a micrograph.

        Parameters
        ----------
        image : ndarray of any integer or float dtype, shape (h, w)
            Raw gray values.

        Returns
        -------
        ndarray of float32, shape (channels, h', w')
            h' and w' are the next multiples.

        Raises
        ------
        UsageError
            It is no array of one gray image, or its values are too large to be taken as they are.
        """
        prepared = Prepared(gray_micrograph(image), self)
        height, width = prepared.shape
        return prepared.window(slice(0, height), slice(0, width))

    def to_dict(self) -> dict[str, Any]:
        """Give the steps as JSON can hold them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, steps: Mapping[str, Any]) -> Preprocessing:
        """Undo `to_dict`; what is left out has its default.

        Parameters
        ----------
        steps : mapping
            As read from JSON.

        Returns
        -------
        Preprocessing

        Raises
        ------
        ValueError
            A key or value makes no sense; the message lists all of them.
        """
        steps = dict(steps)
        problems = _violations(steps, _RULES)
        if steps.get("equalize") is not None:
            if isinstance(steps["equalize"], dict):
                problems += _violations(steps["equalize"], _EQUALIZATION_RULES, "equalize.")
            if steps.get("scale", "range") != "range":
                problems.append(f'equalize needs the scale "range", not {steps["scale"]!r}')
        if not problems:
            channels = steps.get("channels", 1)
            steps["planes"] = tuple(steps.get("planes", ()))
            problems += _plane_problems(steps["planes"], channels, steps.get("equalize"))
            for name, default in (("mean", 0.0), ("sd", 1.0)):
                steps[name] = tuple(map(float, steps.get(name, [default] * channels)))
                if len(steps[name]) != channels:
                    problems.append(f"{name} has {len(steps[name])} values, channels is {channels}")
        if problems:
            raise ValueError("; ".join(problems))
        if steps.get("equalize") is not None:
            steps["equalize"] = Equalization(**steps["equalize"])
        return cls(**steps)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < np.inf


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_numbers(value: object) -> TypeGuard[list[float]]:
    return isinstance(value, list | tuple) and all(map(_is_number, value))


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "scale": (lambda value: value in get_args(Scale), f"one of {', '.join(get_args(Scale))}"),
    "equalize": (
        lambda value: value is None or isinstance(value, dict),
        "null or an object (empty for the defaults)",
    ),
    "channels": (lambda value: _is_integer(value) and value in (1, 3), "1 or 3"),
    "mean": (
        lambda value: _are_numbers(value) and all(abs(number) <= _MOST for number in value),
        f"a list of numbers from {-_MOST:g} to {_MOST:g}",
    ),
    "sd": (
        lambda value: _are_numbers(value) and all(_LEAST_SD <= number <= _MOST for number in value),
        f"a list of positive numbers from {_LEAST_SD:g} to {_MOST:g}",
    ),
    "multiple": (
        lambda value: _is_integer(value) and 1 <= value <= MAX_MULTIPLE,
        f"an integer from 1 to {MAX_MULTIPLE}",
    ),
    "planes": (
        lambda value: (
            isinstance(value, list | tuple) and all(plane in get_args(Plane) for plane in value)
        ),
        f"a list of {' and '.join(get_args(Plane))}",
    ),
}

_EQUALIZATION_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "clip_limit": (
        lambda value: _is_number(value) and 0 <= value <= 1,
        "a number from 0 to 1",
    ),
    "kernel_size": (
        lambda value: value is None or (_is_integer(value) and _TILES[0] <= value <= _TILES[1]),
        f"null or an integer from {_TILES[0]} to {_TILES[1]}",
    ),
    "nbins": (
        lambda value: _is_integer(value) and 2 <= value <= _MOST_BINS,
        f"an integer from 2 to {_MOST_BINS}",
    ),
}


def _plane_problems(planes: tuple[Plane, ...], channels: int, equalize: object) -> list[str]:
    """List what planes contradict."""
    problems = []
    if len(planes) not in (0, channels):
        problems.append(f"planes has {len(planes)} values, channels is {channels}")
    if "equalized" in planes and equalize is None:
        problems.append("a plane is equalized, but equalize does not say how")
    return problems


def _violations(
    values: Mapping[str, Any],
    rules: Mapping[str, tuple[Callable[[Any], bool], str]],
    prefix: str = "",
) -> list[str]:
    """List unknown keys, and values that are not what a rule wants."""
    problems = []
    for key, value in values.items():
        if key not in rules:
            problems.append(f"there is no {prefix}{key} (there are {', '.join(rules)})")
        elif not rules[key][0](value):
            problems.append(f"{prefix}{key} is {reprlib.repr(value)}, not {rules[key][1]}")
    return problems


def gray(image: NDArray[np.generic]) -> NDArray[np.generic]:
    """Give the one gray image that an array holds.

    Parameters
    ----------
    image : ndarray, shape (h, w), (h, w, 3) or (h, w, 4)
        Three equal channels count as gray; a fourth is left out.

    Returns
    -------
    ndarray of the same dtype, shape (h, w)

    Raises
    ------
    ImageError
        The array holds something else; the message is a phrase that follows the image's name.

    Examples
    --------
    >>> gray(np.zeros((4, 5, 3), np.uint8)).shape
    (4, 5)
    """
    if isinstance(image, np.ma.MaskedArray):
        raise ImageError("is a masked array; give every pixel a gray value, without a mask")
    if image.ndim == 3 and image.shape[2] in (3, 4):
        if (image[..., :3] != image[..., :1]).any():
            raise ImageError("is a colour image; convert it to gray")
        image = image[..., 0]
    if image.ndim != 2:
        raise ImageError(f"holds an array of shape {image.shape}, not one gray image")
    if image.size == 0:
        raise ImageError("holds no pixel")
    if image.dtype.kind not in "buif":
        raise ImageError(f"holds values of type {image.dtype}, not gray values")
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise ImageError("holds values that are not finite")
    return image


def gray_micrograph(image: object) -> NDArray[np.generic]:
    """Give the gray image that a user's array holds.

    Parameters
    ----------
    image : ndarray
        As for `gray`.

    Returns
    -------
    ndarray of the same dtype, shape (h, w)

    Raises
    ------
    UsageError
        It is no array, or `gray` refuses it.

    Examples
    --------
    >>> gray_micrograph(np.zeros((4, 5, 3), np.uint8)).shape
    (4, 5)
    """
    if not isinstance(image, np.ndarray):
        raise UsageError(
            f"A micrograph can't be {reprlib.repr(image)}. Give its gray values as an array of "
            f"NumPy, such as {_as_array(image)}."
        )
    try:
        return gray(image)
    except ImageError as error:
        raise UsageError(
            f"The array {error}. Give the gray values of one micrograph: whole numbers or finite "
            "floats of shape (rows, columns)."
        ) from error


def _as_array(image: object) -> str:
    """Say how the array is got that was meant."""
    if isinstance(image, str | Path):
        return f"numpy.asarray(PIL.Image.open({str(image)!r}))"
    if hasattr(image, "image"):
        return "its attribute image"
    return "the attribute image of a micrograph of uhcs_bench.load"


def stretch(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """Map the darkest value to 0 and the brightest to 1; a constant image becomes 0."""
    return Stretched(image).of(image)


class Standardised:
    """An image less its mean, divided by its standard deviation; a constant one is 0.

    Parameters
    ----------
    image : ndarray of any integer or float dtype, shape (h, w)

    Examples
    --------
    >>> Standardised(np.array([[3, 5, 7, 9]], np.uint8)).window(slice(0, 1), slice(2, 4))
    array([[0.4472136, 1.3416408]], dtype=float32)
    """

    def __init__(self, image: NDArray[np.generic]) -> None:
        self._image = image
        shape = (image.shape[0], image.shape[1])
        self._power = power_of(image)
        parts = [(rows, slice(0, shape[1])) for rows in bands(shape)]
        self._mean = sum(self._values(*part).sum() for part in parts) / image.size
        squares = sum(np.square(self._values(*part) - self._mean).sum() for part in parts)
        self._deviation = math.sqrt(squares / image.size)

    def window(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Compute a part of it."""
        values = self._values(rows, columns)
        if self._deviation == 0:
            return np.zeros(values.shape, np.float32)
        values -= self._mean
        values /= self._deviation
        return values.astype(np.float32)

    def _values(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        return divided(self._image[rows, columns], self._power).astype(np.float64)


class _Scaled:
    """An image in its own gray values, or divided by the largest value of its type."""

    def __init__(self, image: NDArray[np.generic], scale: Scale) -> None:
        # Divided by a power of two they would be other values than the network was trained with.
        if power_of(image) > 0:
            raise UsageError(
                "The array holds gray values beyond 1e30, and the network takes them as they are, "
                "as numbers of 32 bits; it was not segmented. Give gray values in the range that "
                "the network was trained with."
            )
        self._image = image
        is_divided = scale == "dtype" and image.dtype.kind in "iu"
        self._unit = float(np.iinfo(image.dtype.name).max) if is_divided else 1.0

    def window(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        values: NDArray[np.float32] = self._image[rows, columns].astype(np.float32)
        values /= self._unit
        return values


class _Shown(Protocol):
    """What a channel shows, before its mean and deviation."""

    def window(self, rows: slice, columns: slice) -> NDArray[np.float32]: ...


class Prepared:
    """A micrograph as a network sees it, computed window by window.

    Memory is that of a window, however large the micrograph is.

    Parameters
    ----------
    image : ndarray of any integer or float dtype, shape (h, w)
        Raw gray values.
    steps : Preprocessing

    Attributes
    ----------
    shape : tuple of int
        Height and width with the mirrored border.

    Examples
    --------
    >>> image = np.arange(35, dtype=np.uint8).reshape(5, 7)
    >>> prepared = Prepared(image, Preprocessing(scale="none", multiple=4))
    >>> prepared.shape
    (8, 8)
    >>> prepared.window(slice(4, 7), slice(6, 8))
    array([[[34., 34.],
            [34., 34.],
            [27., 27.]]], dtype=float32)
    """

    def __init__(self, image: NDArray[np.generic], steps: Preprocessing) -> None:
        self._steps = steps
        self._places = tuple(
            np.pad(np.arange(side), (0, -side % steps.multiple), mode="symmetric")
            for side in image.shape
        )
        self.shape = (len(self._places[0]), len(self._places[1]))
        kinds: tuple[Plane | None, ...] = steps.planes or (None,) * steps.channels
        # Channels that show the same are computed once.
        self._shown = {kind: _shown(image, kind, steps) for kind in kinds}
        self._kinds = kinds

    def window(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Compute a part of what the network sees.

        Parameters
        ----------
        rows, columns : slice
            With start and stop, inside of `shape`.

        Returns
        -------
        ndarray of float32, shape (channels, rows, columns)
        """
        down, across = self._places[0][rows], self._places[1][columns]
        top, left = int(down.min()), int(across.min())
        seen = slice(top, int(down.max()) + 1), slice(left, int(across.max()) + 1)
        values = {kind: shown.window(*seen) for kind, shown in self._shown.items()}
        planes = np.empty((len(self._kinds), len(down), len(across)), np.float32)
        mirrored = np.ix_(down - top, across - left)
        for plane, kind, mean, sd in zip(
            planes, self._kinds, self._steps.mean, self._steps.sd, strict=True
        ):
            plane[...] = ((values[kind] - np.float32(mean)) / np.float32(sd))[mirrored]
        return planes


def _shown(image: NDArray[np.generic], kind: Plane | None, steps: Preprocessing) -> _Shown:
    """Choose what a channel shows; None stands for the image that scale and equalize describe."""
    if kind == "standardised":
        return Standardised(image)
    if steps.equalize is not None:
        return Equalized(image, steps.equalize)
    return Stretched(image) if steps.scale == "range" else _Scaled(image, steps.scale)
