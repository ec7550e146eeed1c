"""Label maps and micrographs as pictures in a page."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from uhcs_bench import protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


RIGHT_COLORS = ("#6A3D9A", "#E69F00", "#777777")
"""Of two maps that differ: the first alone is right, the second alone, both are wrong."""

HIT_COLOR = "#333333"
"""Particle pixels that were found, in the error map of the particles task."""

_THUMBNAIL = (120, 120)


@dataclass(frozen=True)
class ScaleBar:
    """A length that is drawn into the micrograph, as a share of its width."""

    share: float
    label: str


def luminance(rgb: Sequence[int]) -> float:
    """Relative luminance of a colour, as the Web Content Accessibility Guidelines define it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _unit(rgb)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _unit(rgb: Sequence[int]) -> list[float]:
    return [channel / 255 for channel in rgb]


def label_image(labels: NDArray[np.uint8], colors: Sequence[str]) -> str:
    """Encode a label map in the colours of its classes, as a data URI."""
    return colored(labels, [rgba(color) for color in colors])


def rgba(color: str) -> tuple[int, int, int, int]:
    """Split a colour such as ``#aabbcc`` into red, green, blue and opacity."""
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue, 255


def gray(image: NDArray[np.uint8]) -> str:
    """Encode a micrograph as the address of a picture within a page."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="PNG")
    return _data_uri("image/png", stream.getvalue())


def thumbnail(image: NDArray[np.uint8]) -> str:
    """Encode a micrograph at most 120 pixels wide, as a data URI of about 2 kB."""
    small = Image.fromarray(image)
    small.thumbnail(_THUMBNAIL)
    stream = io.BytesIO()
    small.save(stream, format="WEBP", quality=60)
    return _data_uri("image/webp", stream.getvalue())


def colored(indices: NDArray[np.uint8], colors: Sequence[tuple[int, int, int, int]]) -> str:
    """Encode a map as lossless WebP, which takes a third less than PNG where a map is noisy."""
    stream = io.BytesIO()
    image = Image.fromarray(np.array(colors, np.uint8)[indices])
    image.save(stream, format="WEBP", lossless=True, method=2, quality=50)
    return _data_uri("image/webp", stream.getvalue())


def _data_uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def scale_bar(pixel_um: float | None, n_columns: int) -> ScaleBar | None:
    """Choose the length of a scale bar: a round number, in a picture too narrow for one a pixel."""
    if pixel_um is None:
        return None
    length_um = max(round_numbers(pixel_um, n_columns * pixel_um / 4), default=pixel_um)
    return ScaleBar(length_um / pixel_um / n_columns, f"{length_um:g} µm")


def round_numbers(low: float, high: float) -> list[float]:
    """Numbers 1, 2, 5, 10, 20, ... between two bounds."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    numbers = [float(f"{digit}e{exponent}") for exponent in exponents for digit in (1, 2, 5)]
    return [number for number in numbers if low <= number <= high]


@dataclass(frozen=True)
class LegendItem:
    """A colour, and what it stands for."""

    color: str
    meaning: str


def legend(task: protocol.Task) -> list[LegendItem]:
    """List the colours of a task's classes."""
    return [LegendItem(*pair) for pair in zip(task.colors, task.classes, strict=True)]


def error_legend(task: protocol.Task) -> list[LegendItem]:
    """List the colours of an error map of particles; elsewhere they are those of the classes."""
    if not task.has_particles:
        return []
    matrix, particle = task.colors
    return [
        LegendItem(HIT_COLOR, "hit"),
        LegendItem(particle, "false positive"),
        LegendItem(matrix, "missed"),
    ]


def errors(
    annotated: NDArray[np.uint8], predicted: NDArray[np.uint8], task: protocol.Task
) -> tuple[NDArray[np.uint8], list[tuple[int, int, int, int]]]:
    """Give wrong pixels the colour of the predicted class, and leave correct ones transparent.

    Particles that were hit stay visible: without them the errors have nothing to refer to.

    Parameters
    ----------
    annotated, predicted : ndarray of uint8, shape (rows, columns)
        Label maps.
    task : Task

    Returns
    -------
    indices : ndarray of uint8, shape (rows, columns)
    colors : list of tuple of int
        Red, green, blue and opacity for each index.
    """
    correct = len(task.classes)
    indices = np.where(annotated == predicted, np.uint8(correct), predicted)
    colors = [*(rgba(color) for color in task.colors), (0, 0, 0, 0)]
    if task.has_particles:
        indices[(annotated == predicted) & (annotated == protocol.PARTICLE_LABEL)] = correct + 1
        colors.append(rgba(HIT_COLOR))
    return indices, colors


def disagreement(
    annotated: NDArray[np.uint8], a: NDArray[np.uint8], b: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], list[tuple[int, int, int, int]]]:
    """Colour the pixels on which two maps differ by which of them is right.

    Parameters
    ----------
    annotated, a, b : ndarray of uint8, shape (rows, columns)
        Label maps.

    Returns
    -------
    indices : ndarray of uint8, shape (rows, columns)
        0 where `a` alone is right, 1 where `b` alone is, 2 where both are wrong in different
        classes, 3 where both have one class.
    colors : list of tuple of int
        Red, green, blue and opacity for each index; equal pixels are transparent.

    Examples
    --------
    >>> annotated = np.array([[0, 1, 2, 1]], np.uint8)
    >>> a, b = np.array([[0, 0, 0, 0], [1, 1, 1, 0]], np.uint8)[:, None]
    >>> disagreement(annotated, a, b)[0].tolist()
    [[0, 1, 2, 3]]
    """
    cases = [a == b, a == annotated, b == annotated]
    indices = np.select(cases, [3, 0, 1], 2).astype(np.uint8)
    return indices, [*map(rgba, RIGHT_COLORS), (0, 0, 0, 0)]
