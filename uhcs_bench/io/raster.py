"""What a decoder gives: samples as the file stores them, and how colour models become gray."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from uhcs_bench.errors import UhcsBenchError, things

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind: TypeAlias = Literal["micrograph", "labels"]
"""What a picture is read as: gray levels to look at, or numbers that stand for classes."""

Color: TypeAlias = Literal["gray", "palette", "color"]
Model: TypeAlias = Literal["gray", "white is zero", "palette", "rgb", "cmyk"]

LARGEST_PIXELS = 178_956_970
"""Rows times columns that are decoded at most, twice what Pillow takes without a warning."""

_N_COLOURS: dict[Model, int] = {"gray": 1, "white is zero": 1, "palette": 1, "rgb": 3, "cmyk": 4}
_TRANSPOSED = (5, 6, 7, 8)
"""Orientations in which rows are stored as columns."""


class ImageError(UhcsBenchError):
    """A file that can't be decoded; the message is a phrase that follows the file's name."""


@dataclass(frozen=True)
class Header:
    """Size and type that an image file claims before it is decoded.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns as they are shown, and samples per pixel if there are several.
    dtype : numpy.dtype
        Of a sample.
    color : {'gray', 'palette', 'color'}
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    color: Color


@dataclass(frozen=True)
class Raster:
    """Samples as a file stores them.

    Attributes
    ----------
    values : ndarray, shape (rows, columns) or (rows, columns, samples)
    model : str
        What the samples mean.
    bits : int
        Of a sample, which may be fewer than those of the array's type.
    palette : ndarray, shape (colours, 3), or None
    orientation : int
        As TIFF 6.0, page 36, numbers them.
    """

    values: NDArray[Any]
    model: Model = "gray"
    bits: int = 8
    palette: NDArray[Any] | None = None
    orientation: int = 1


def header(shape: tuple[int, ...], dtype: Any, model: Model, orientation: int = 1) -> Header:
    """Describe a picture before it is decoded; an upright one has its axes exchanged."""
    rows, columns, *samples = shape
    if orientation in _TRANSPOSED:
        rows, columns = columns, rows
    if rows * columns > LARGEST_PIXELS:
        raise ImageError(
            f"claims to have {rows} x {columns} pixels, a size that no micrograph has; it was not "
            f"decoded. Cut a montage into parts of at most {LARGEST_PIXELS:_} pixels"
        )
    color: Color = "color" if model in ("rgb", "cmyk") else "gray"
    return Header(
        (rows, columns, *samples), np.dtype(dtype), "palette" if model == "palette" else color
    )


def picture(raster: Raster, kind: Kind) -> NDArray[Any]:
    """Apply the rule of a kind of picture to what is stored.

    Parameters
    ----------
    raster : Raster
    kind : {"micrograph", "labels"}

    Returns
    -------
    ndarray, shape (rows, columns), or (rows, columns, 3) for a micrograph in colours

    Raises
    ------
    ImageError
        If the rule refuses it.

    Examples
    --------
    >>> palette = np.array([[0, 0, 0], [200, 200, 200]], np.uint8)
    >>> raster = Raster(np.array([[0, 1]], np.uint8), "palette", palette=palette)
    >>> picture(raster, "micrograph").tolist(), picture(raster, "labels").tolist()
    ([[0, 200]], [[0, 1]])
    """
    values = _without_alpha(raster)
    values = _labels(values, raster.model) if kind == "labels" else _gray_levels(values, raster)
    return _upright(values, raster.orientation)


def _without_alpha(raster: Raster) -> NDArray[Any]:
    """Leave out samples beside the colours, which must be the same everywhere."""
    values, n_colours = raster.values, _N_COLOURS[raster.model]
    if values.ndim == 2:
        return values
    for extra in range(n_colours, values.shape[2]):
        plane = values[..., extra]
        if plane.size and (plane != plane[0, 0]).any():
            raise ImageError(
                "has a transparency, or another channel, that varies over the image; save it "
                "without an alpha channel"
            )
    return values[..., 0] if n_colours == 1 else values[..., :n_colours]


def _labels(values: NDArray[Any], model: Model) -> NDArray[Any]:
    """Give the numbers that a label map holds."""
    if model == "white is zero":
        raise ImageError(
            "says that its lowest value is white (MINISWHITE), which leaves open whether the "
            "numbers or their complements are the classes; save it with the lowest value as black"
        )
    if model in ("rgb", "cmyk"):
        gray = _one_plane(values) if model == "rgb" else values
        if gray.ndim == 3:
            raise ImageError(
                "is a colour image; save the class labels themselves as a gray image "
                "(Pillow: mode L)"
            )
        return gray
    return values


def _gray_levels(values: NDArray[Any], raster: Raster) -> NDArray[Any]:
    """Give what a viewer shows, with all its depth."""
    if raster.model == "white is zero":
        return _inverted(values, raster.bits)
    if raster.model == "palette":
        if raster.palette is None or (values.size and values.max() >= len(raster.palette)):
            raise ImageError("uses colours that its palette does not have; save it as a gray image")
        palette = _one_plane(raster.palette[None])[0]
        indices = values.view(np.uint8) if values.dtype == np.bool_ else values
        return np.asarray(palette[indices])
    if raster.model == "cmyk":
        values = _cmyk_to_rgb(values, raster.bits)
    return _one_plane(values) if values.ndim == 3 else values


def _one_plane(values: NDArray[Any]) -> NDArray[Any]:
    """Give one plane for several that are equal."""
    first = values[..., 0]
    if all(np.array_equal(first, values[..., index]) for index in (1, 2)):
        return first
    return values


def _cmyk_to_rgb(values: NDArray[Any], bits: int) -> NDArray[Any]:
    """Convert ink to light: what each ink and black leave of white, R = (1 - C)(1 - K)."""
    if values.dtype.kind != "u":
        raise ImageError("holds inks that are no whole numbers; save it as a gray image")
    white = 2**bits - 1
    left = white - values.astype(np.uint32 if bits <= 16 else np.uint64)
    black = left[..., 3]
    planes = [(left[..., ink] * black + white // 2) // white for ink in range(3)]
    return np.stack([plane.astype(values.dtype) for plane in planes], axis=-1)


def _inverted(stored: NDArray[Any], bits: int) -> NDArray[Any]:
    """Give gray values that grow with brightness, of values that fall with it."""
    if stored.dtype.kind == "b":
        return ~stored
    if stored.dtype.kind != "u":
        raise ImageError(
            f"says that its lowest value is white, which has no meaning for {stored.dtype.name} "
            "values; save it with the lowest value as black"
        )
    return np.asarray((2**bits - 1) - stored, dtype=stored.dtype)


def _upright(stored: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn and mirror an image as its orientation tag (TIFF 6.0, page 36) asks."""
    if orientation in _TRANSPOSED:
        stored = stored.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        stored = stored[::-1]
    if orientation in (2, 3, 6, 7):
        stored = stored[:, ::-1]
    return np.ascontiguousarray(stored)


def several(number: int, kind: Kind) -> str:
    """Refuse a file with several images, with the remedy."""
    remedy = f"say which one is meant, --page 1 to {number}"
    if kind == "labels":
        remedy = "save the one that is meant alone"
    return f"holds {things(number, 'image')}; {remedy}"
