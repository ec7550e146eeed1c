"""Label maps and micrographs as pictures in a page."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


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


def colored(indices: NDArray[np.uint8], colors: Sequence[tuple[int, int, int, int]]) -> str:
    """Encode a map as lossless WebP, which takes a third less than PNG where a map is noisy."""
    stream = io.BytesIO()
    image = Image.fromarray(np.array(colors, np.uint8)[indices])
    image.save(stream, format="WEBP", lossless=True, method=2, quality=50)
    return _data_uri("image/webp", stream.getvalue())


def _data_uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def scale_bar(pixel_um: float | None, n_columns: int) -> ScaleBar | None:
    """Choose the length of a scale bar."""
    if pixel_um is None:
        return None
    length_um = max(round_numbers(pixel_um, n_columns * pixel_um / 4))
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
