"""The data bar: rows below a micrograph that hold lettering and a scale bar instead of steel.

Three things tell of one, in this order: the microscope's own header, which states how many rows
the scan has; the registry, whose micrographs are published with a bar and evaluated without; and
the pixels. A micrograph has noise, so that no gray level owns more than a small share of a row. A
bar is drawn: one level fills most of each of its rows, some rows entirely, and the lettering stands
out from it. The bar begins abruptly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from uhcs_bench.data.label_maps import DATA_BAR_ROWS
from uhcs_bench.errors import UsageError
from uhcs_bench.measuring import headers, pixel_size
from uhcs_bench.segmentation.equalization import divided, power_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Bottom: TypeAlias = int | Literal["auto", "none"]
"""What a user says of the lower rows: their number, or to look for a bar, or to keep all."""

FEWEST_ROWS = 10
"""Lettering that can be read needs that many."""

LARGEST_SHARE = 0.25
"""Of the image's rows. The bars of the makers whose files were looked at take 6 to 11 %."""

FEWEST_LEFT = 32
"""Rows that have to remain above a bar, or nothing can be measured in blocks and windows."""

_SHORTEST_BAR_PX, _SHORTEST_BAR = 20, 0.04
"""Length of a drawn scale bar at least, in pixels and as a share of the image's width."""

_BAR_HEIGHT = (2, 30)
_BAR_ASPECT = 5
"""Length of a drawn scale bar over its height, at least."""

_BAR_CONTRAST, _BAR_STANDS_OUT = 0.1, 0.9
"""Share of the picture's range by which so many of the pixels above and below differ from it."""

_LEVELS = 255
_TOLERANCE = 18
"""Levels by which JPEG compression of quality 75 moves the flat gray around lettering."""

_CONTRAST = 50
"""Levels by which lettering differs from the gray behind it."""

_ROW_SHARE = 0.2
"""Of each row, that the bar's gray takes at least; the rest is lettering."""

_FIRST_ROW_SHARE = 0.5
"""Of the bar's uppermost row, where there is a margin above the lettering."""

_FLAT_ROW_SHARE = 0.93
"""Of the rows between lines of lettering; frames cross them."""

_BAND_SHARE = 0.55
_SHARE_ABOVE = 0.35
"""Of the rows above the bar, that have the bar's gray at most, in the mean."""

_ROWS_ABOVE = 8
_LETTERING = (0.003, 0.4)
_LETTERING_WIDTH = 0.25
"""Of the image's width, over which the lettering spreads at least."""


@dataclass(frozen=True)
class DataBar:
    """Rows at the bottom edge that are not steel.

    Attributes
    ----------
    rows : int
    reason : str
        How they were recognised, a phrase that follows "cropped".
    """

    rows: int
    reason: str


def parse(text: str) -> Bottom:
    """Read the value of ``--crop-bottom``.

    Parameters
    ----------
    text : str
        ``auto``, ``none`` or a number of rows.

    Returns
    -------
    int, "auto" or "none"

    Raises
    ------
    UsageError
        If it is something else.

    Examples
    --------
    >>> parse("auto"), parse("38")
    ('auto', 38)
    """
    if text == "auto" or text == "none":
        return "auto" if text == "auto" else "none"
    if text.isascii() and text.isdecimal():
        return int(text)
    raise UsageError(
        f"The rows to crop at the bottom can't be {text!r}. Give their number, auto to look for a "
        "data bar, or none to keep all rows."
    )


def find(
    image: NDArray[np.generic], path: Path | None = None, *, by_pixels: bool = True
) -> DataBar | None:
    """Look for a data bar at a micrograph's bottom edge.

    Parameters
    ----------
    image : ndarray, shape (rows, columns) or (rows, columns, 3)
        Gray values, or colours where the lettering has one.
    path : Path, optional
        The file, whose header and name are asked first.
    by_pixels : bool, optional
        Whether to look at the pixels; in a label map particles may look like lettering.

    Returns
    -------
    DataBar or None

    Examples
    --------
    Noise above 20 rows of black with white marks:

    >>> image = np.random.default_rng(0).integers(90, 160, (200, 300)).astype(np.uint8)
    >>> image[180:] = 0
    >>> image[186:194, 10:290:4] = 255
    >>> find(image)
    DataBar(rows=20, reason='a flat band with lettering fills the lowest 20 rows')
    >>> find(image[:180])
    """
    rows, columns = image.shape[:2]
    if path is not None:
        bar = _by_header(path, rows) or _by_registry(path, rows, columns)
        if bar is not None:
            return bar
    return _by_pixels(image) if by_pixels else None


def crop(
    image: NDArray[Any],
    bottom: Bottom = "auto",
    path: Path | None = None,
    *,
    by_pixels: bool = True,
) -> tuple[NDArray[Any], DataBar | None]:
    """Leave a data bar out.

    Parameters
    ----------
    image : ndarray, shape (rows, columns) or (rows, columns, 3)
    bottom : int, "auto" or "none"
    path, by_pixels
        As for `find`.

    Returns
    -------
    image : ndarray
        Its upper rows.
    bar : DataBar or None
        What was cropped; None where nothing was.

    Raises
    ------
    UsageError
        If a user's number would leave fewer than `FEWEST_LEFT` rows.

    Examples
    --------
    >>> crop(np.zeros((50, 4)), 12)[0].shape
    (38, 4)
    """
    bar = None
    if bottom == "auto":
        bar = find(image, path, by_pixels=by_pixels)
    elif bottom != "none":
        bar = DataBar(bottom, f"the user said {bottom} rows") if bottom else None
    if bar is None:
        return image, None
    if bottom != "auto" and bar.rows > len(image) - FEWEST_LEFT:
        raise UsageError(
            f"has {len(image)} rows, of which {max(len(image) - bar.rows, 0)} would remain without "
            f"the {bar.rows} at the bottom; {FEWEST_LEFT} are the fewest that are measured. Give "
            "--crop-bottom the height of its data bar alone"
        )
    return image[: len(image) - bar.rows], bar


def lettering(image: NDArray[np.generic]) -> str:
    """Look for lettering that no cropping at the bottom takes away.

    Parameters
    ----------
    image : ndarray, shape (rows, columns) or (rows, columns, 3)
        Without its data bar.

    Returns
    -------
    str
        What was found: a data bar at the upper edge, or a scale bar drawn into the picture, which
        is a rectangle of one gray level that nothing else in a micrograph is. Empty if neither is.

    Examples
    --------
    >>> image = np.random.default_rng(0).integers(90, 160, (200, 300)).astype(np.uint8)
    >>> lettering(image)
    ''
    >>> image[170:174, 200:280] = 255
    >>> lettering(image).partition(";")[0]
    'a bar of one gray level, 80 x 4 px from row 170 and column 200 on, was drawn into the picture'
    """
    bar = _by_pixels(image[::-1])
    found = "" if bar is None else f"a data bar fills the uppermost {bar.rows} rows"
    if bar is None and (drawn := _drawn_bar(image)) is not None:
        row, column, height, width = drawn
        found = (
            f"a bar of one gray level, {width} x {height} px from row {row} and column {column} "
            "on, was drawn into the picture"
        )
    if not found:
        return ""
    return f"{found}; lettering is measured as steel, so cut the picture to the part without it"


def _drawn_bar(image: NDArray[np.generic]) -> tuple[int, int, int, int] | None:
    """Find the widest rectangle of one gray level: row, column, height and width."""
    values = image[..., 0] if image.ndim == 3 else image
    shortest = max(_SHORTEST_BAR_PX, int(_SHORTEST_BAR * values.shape[1]))
    best: tuple[int, int, int, int] | None = None
    above: dict[tuple[int, int, float], int] = {}
    for row in range(len(values)):
        line = values[row]
        ends = np.flatnonzero(line[1:] != line[:-1]) + 1
        starts, stops = np.append(0, ends), np.append(ends, len(line))
        heights = {}
        for run in np.flatnonzero(stops - starts >= shortest):
            start, stop = int(starts[run]), int(stops[run])
            level = float(line[start])
            key = (start, stop, level)
            heights[key] = above.get(key, 0) + 1
        for (start, stop, level), height in above.items():
            is_over = (start, stop, level) not in heights
            first = row - height
            if is_over and _is_drawn(values, first, row, start, stop):
                found = (first, start, height, stop - start)
                best = found if best is None or found[3] > best[3] else best
        above = heights
    return best


def _is_drawn(values: NDArray[Any], top: int, bottom: int, start: int, stop: int) -> bool:
    """Whether a rectangle is as flat as a bar, and stands out from what is around it."""
    height, width = bottom - top, stop - start
    if not _BAR_HEIGHT[0] <= height <= _BAR_HEIGHT[1] or width < _BAR_ASPECT * height:
        return False
    if top == 0 or start == 0 or stop == values.shape[1]:
        return False
    level, spread = float(values[top, start]), float(values.max()) - float(values.min())
    around = np.concatenate([values[top - 1, start:stop], values[bottom, start:stop]])
    contrast = np.abs(around.astype(np.float64) - level) / (spread or 1.0)
    return bool(np.mean(contrast >= _BAR_CONTRAST) >= _BAR_STANDS_OUT)


def _by_header(path: Path, rows: int) -> DataBar | None:
    for header in headers.read(path).headers:
        bar_rows = 0
        if header.rows is not None:
            bar_rows = rows - header.rows
        elif header.bar_rows is not None:
            bar_rows = header.bar_rows
        if 0 < bar_rows < rows * LARGEST_SHARE:
            said = f"the {header.place} gives the scan {rows - bar_rows} of the {rows} rows"
            return DataBar(bar_rows, said)
    return None


def _by_registry(path: Path, rows: int, columns: int) -> DataBar | None:
    entry = pixel_size.entry(path.stem)
    if entry is None or (rows, columns) != (entry.shape[0] + DATA_BAR_ROWS, entry.shape[1]):
        return None
    return DataBar(DATA_BAR_ROWS, f"the registry's {entry.id} has {entry.shape[0]} rows")


def _by_pixels(image: NDArray[np.generic]) -> DataBar | None:
    rows, columns = image.shape[:2]
    limit = int(rows * LARGEST_SHARE)
    if limit < FEWEST_ROWS or columns < FEWEST_ROWS:
        return None
    levels = _levels(image[rows - limit - _ROWS_ABOVE :] if rows > limit + _ROWS_ABOVE else image)
    background = np.bincount(levels[-FEWEST_ROWS:].ravel()).argmax()
    difference = np.abs(levels.astype(np.int16) - background)
    share = (difference <= _TOLERANCE).mean(axis=1)
    n_rows = _height(share, _is_line(levels))
    if not FEWEST_ROWS <= n_rows <= limit:
        return None
    band, above = difference[-n_rows:], share[-n_rows - _ROWS_ABOVE : -n_rows]
    if above.size == 0 or above.mean() > _SHARE_ABOVE or not _has_lettering(band):
        return None
    return DataBar(n_rows, f"a flat band with lettering fills the lowest {n_rows} rows")


def _height(share: NDArray[np.floating], is_line: NDArray[np.bool_]) -> int:
    """Count the rows of a band that ends at the bottom and starts with a margin or a frame."""
    is_bar = (share >= _ROW_SHARE) | is_line
    height = len(share) if is_bar.all() else int(np.argmin(is_bar[::-1]))
    is_start = ((share >= _FIRST_ROW_SHARE) | is_line)[len(share) - height :]
    return height - int(np.argmax(is_start)) if is_start.any() else 0


def _levels(image: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Give gray levels from 0 to 255, whatever the depth."""
    is_ready = image.dtype == np.uint8
    if image.ndim == 3 and image.dtype.kind != "f":
        image = image.mean(axis=2)
    if is_ready:
        return image.astype(np.uint8)
    # Floats may hold anything; what is not finite has no level of its own.
    with np.errstate(all="ignore"):
        values = np.nan_to_num(image.astype(np.float64), posinf=0.0, neginf=0.0)
        values = divided(values, power_of(values)).astype(np.float64)
    if image.ndim == 3:
        values = values.mean(axis=2)
    low, high = float(values.min()), float(values.max())
    scale = _LEVELS / (high - low) if high > low else 0.0
    return np.asarray(np.rint((values - low) * scale), np.uint8)


def _is_line(levels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether a row is one of a frame: one level, whatever it is, almost from edge to edge."""
    middle = np.median(levels, axis=1, keepdims=True)
    is_flat = np.abs(levels - middle) <= _TOLERANCE
    return np.asarray(is_flat.mean(axis=1) >= _FLAT_ROW_SHARE, np.bool_)


def _has_lettering(difference: NDArray[np.int16]) -> bool:
    """Whether a band is flat gray with marks on it, between rows that are flat entirely."""
    is_background = difference <= _TOLERANCE
    if is_background.mean() < _BAND_SHARE:
        return False
    if (is_background.mean(axis=1) >= _FLAT_ROW_SHARE).sum() < 2:
        return False
    is_mark = difference >= _CONTRAST
    marked = np.flatnonzero(is_mark.any(axis=0))
    least, most = _LETTERING
    if not least <= is_mark.mean() <= most:
        return False
    return bool(marked[-1] - marked[0] >= _LETTERING_WIDTH * is_mark.shape[1])
