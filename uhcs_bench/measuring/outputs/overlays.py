"""Outlines of what was found, drawn on the micrograph, with a scale bar and a legend.

The bar and the legend stand in a strip below the picture, so that nothing of it is hidden.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.web import pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from uhcs_bench.measuring.row import Measurement

SMALLEST_SIDE = 1200
"""Pictures with a shorter longer side are enlarged by a whole number, so that thin outlines leave
small particles visible."""

CUT_COLOR = "#cc79a7"
"""Of particles that the edge cuts; from the palette of Okabe and Ito."""

_BACKGROUND, _INK = "#ffffff", "#000000"


def draw(image: NDArray[np.generic], labels: NDArray[np.uint8], found: Measurement) -> bytes:
    """Draw the outlines of a label map on its micrograph.

    Parameters
    ----------
    image : ndarray of any integer or float dtype, shape (rows, columns) or (rows, columns, 3)
        The micrograph, without its data bar.
    labels : ndarray of uint8, shape (rows, columns)
    found : Measurement
        What was measured on `labels`.

    Returns
    -------
    bytes
        A PNG file.
    """
    from PIL import Image

    from uhcs_bench.segmentation.preprocessing import gray, stretch

    times = max(1, -(-SMALLEST_SIDE // max(labels.shape)))
    pixels = np.rint(255 * stretch(gray(image))).astype(np.uint8)
    picture = np.repeat(np.repeat(pixels, times, axis=0), times, axis=1)[..., np.newaxis]
    picture = np.repeat(picture, 3, axis=2)
    groups, names, colors = _groups(labels, found.task)
    enlarged = np.repeat(np.repeat(groups, times, axis=0), times, axis=1)
    outline = _outlines(enlarged)
    for number, color in enumerate(colors):
        if color:
            picture[outline == number] = pictures.rgba(color)[:3]
    del outline
    strip = _strip(picture.shape[1], times, names, colors, found)
    stream = io.BytesIO()
    Image.fromarray(np.concatenate([picture, strip])).save(stream, "PNG")
    return stream.getvalue()


def _groups(
    labels: NDArray[np.uint8], task: protocol.TaskName
) -> tuple[NDArray[np.uint8], list[str], list[str]]:
    """Give each pixel the group whose outline it may be part of; names and colours of groups."""
    known = protocol.TASKS[task]
    if not known.has_particles:
        # The matrix fills what is between the others, whose outlines are also its own.
        return labels, ["", *known.classes[1:]], ["", *known.colors[1:]]
    from scipy import ndimage

    mask = labels == protocol.PARTICLE_LABEL
    numbered, _ = ndimage.label(mask, np.ones((3, 3)))
    edge = np.concatenate([numbered[0], numbered[-1], numbered[:, 0], numbered[:, -1]])
    is_cut = np.zeros(int(numbered.max()) + 1, bool)
    is_cut[edge] = True
    is_cut[0] = False
    groups = mask.astype(np.uint8)
    groups[is_cut[numbered]] = 2
    names = ["", "particle", "particle cut by the edge, not in the sizes"]
    return groups, names, ["", known.colors[protocol.PARTICLE_LABEL], CUT_COLOR]


def _outlines(groups: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give pixels with a neighbour of another group the higher number of the two; 255 elsewhere.

    A line has one colour on both sides: lines of two colours side by side blend into a third.
    """
    from scipy import ndimage

    high, low = ndimage.maximum_filter(groups, 3), ndimage.minimum_filter(groups, 3)
    return np.where(high != low, high, np.uint8(255))


def _strip(
    width: int, times: int, names: list[str], colors: list[str], found: Measurement
) -> NDArray[np.uint8]:
    """Draw scale bar and legend, a picture of `width` columns."""
    from PIL import Image, ImageDraw, ImageFont

    size = max(12, min(28, width // 50))
    font: Any = ImageFont.load_default(size)
    entries = [(n, c) for n, c in zip(names, colors, strict=True) if c]
    # The matrix has no outline of its own.
    pad, line = size // 2, int(1.5 * size)
    rows: list[list[tuple[str, str]]] = [[]]
    left = pad
    probe = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    for entry in entries:
        needed = int(probe.textlength(entry[0], font=font)) + 3 * size
        if left + needed > width and rows[-1]:
            rows.append([])
            left = pad
        rows[-1].append(entry)
        left += needed
    picture = Image.new("RGB", (width, line * (len(rows) + 1) + pad), _BACKGROUND)
    pen = ImageDraw.Draw(picture)
    _draw_bar(pen, font, (pad, pad, size), width, times, found)
    for number, row in enumerate(rows, start=1):
        left, top = pad, pad // 2 + number * line
        for name, color in row:
            pen.rectangle((left, top + size // 4, left + size, top + size), fill=color)
            pen.text((left + size + pad, top), name, fill=_INK, font=font)
            left += int(pen.textlength(name, font=font)) + 3 * size
    return np.asarray(picture)


def _draw_bar(
    pen: Any, font: Any, place: tuple[int, int, int], width: int, times: int, found: Measurement
) -> None:
    left, top, size = place
    bar = pictures.scale_bar(found.scale.um, width // times)
    if bar is None:
        pen.text((left, top - size // 4), "pixel size unknown", fill=_INK, font=font)
        return
    length = round(bar.share * width)
    pen.rectangle((left, top + size // 4, left + length - 1, top + size // 2 + 1), fill=_INK)
    _write_length(pen, font, (left + length + size // 2, top - size // 4, size), bar.label)


def _write_length(pen: Any, font: Any, place: tuple[int, int, int], label: str) -> None:
    """Write a length; Pillow's own font has no micro sign, which is a u whose stem goes on."""
    left, top, size = place
    pen.text((left, top), label.replace("µ", "u"), fill=_INK, font=font)
    for position in (n for n, letter in enumerate(label) if letter == "µ"):
        start = left + font.getlength(label[:position].replace("µ", "u"))
        x, _, _, bottom = font.getbbox("u")
        x += start + size // 10
        stem = (x, top + bottom - size // 3, x + size // 10, top + bottom + size // 4)
        pen.rectangle(tuple(map(round, stem)), fill=_INK)
