"""Decode image files, looking at what a file claims to be before its pixels are read."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from uhcs_bench.errors import UhcsBenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray
    from PIL import Image

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NPY_MAGIC = b"\x93NUMPY"


class ImageError(UhcsBenchError):
    """A file that can't be decoded; the message is a phrase that follows the file's name."""


@dataclass(frozen=True)
class Header:
    """What an image file says of itself before it is decoded.

    Attributes
    ----------
    shape : tuple of int
        Shape of the array that decoding gives.
    dtype : numpy.dtype
    color : {'gray', 'palette', 'color'}
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    color: Literal["gray", "palette", "color"]


def read_image(path: Path, check: Callable[[Header], None] = lambda _: None) -> NDArray[np.generic]:
    """Read an image or label map from a PNG, TIFF, NPY or other file that Pillow knows.

    The content decides on the format, not the name. Pickled objects are never loaded.

    Parameters
    ----------
    path : Path
    check : callable, optional
        Called with the `Header` before any pixel is decoded. What it raises passes through, so that
        an oversized or unsuitable file costs nothing.

    Returns
    -------
    ndarray
        Values as the file stores them: palette indices of a palette image, three planes last for a
        colour image.

    Raises
    ------
    ImageError
        If the file is missing, truncated, of an unknown format or too large to be an image.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "map.npy"
    ...     np.save(path, np.zeros((2, 3), np.uint8))
    ...     read_image(path).shape
    (2, 3)
    """
    try:
        if not path.is_file():
            raise ImageError("is not there" if not path.exists() else "is not a regular file")
        with path.open("rb") as stream:
            magic = stream.read(8)
        if not magic:
            raise ImageError("is empty")
        if magic.startswith(_NPY_MAGIC):
            return _read_npy(path, check)
        if path.suffix.lower() == ".npy":
            raise ImageError(
                "is not a NumPy array file, whatever its name says; pickles are never loaded"
            )
        if magic.startswith(_TIFF_MAGIC):
            return _read_tiff(path, check)
        return _read_with_pillow(path, check)
    except UhcsBenchError:
        raise
    except MemoryError as error:
        raise ImageError("does not fit into memory") from error
    except Exception as error:
        raise ImageError(f"can't be decoded ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _read_npy(path: Path, check: Callable[[Header], None]) -> NDArray[np.generic]:
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        if "Python objects" in str(error):
            raise ImageError("holds pickled Python objects, which are never loaded") from error
        raise
    check(Header(mapped.shape, mapped.dtype, "gray"))
    return np.array(mapped)


def _read_tiff(path: Path, check: Callable[[Header], None]) -> NDArray[np.generic]:
    import tifffile

    with silenced("tifffile"), tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        photometric = tiff.pages.first.photometric
        color: Literal["gray", "palette", "color"] = "color"
        if photometric == tifffile.PHOTOMETRIC.PALETTE:
            color = "palette"
        elif photometric in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE):
            color = "gray"
        check(Header(tuple(series.shape), np.dtype(series.dtype), color))
        try:
            return np.asarray(series.asarray())
        except ValueError as error:
            # tifffile leaves LZW and others to a package that is not installed everywhere; Pillow's
            # libtiff has them.
            if "imagecodecs" not in str(error):
                raise
    return _read_with_pillow(path, check)


@contextmanager
def silenced(logger_name: str) -> Iterator[None]:
    """Keep a library from logging each damaged tag: what is wrong is raised, in one sentence."""
    logger = logging.getLogger(logger_name)
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled


def _read_with_pillow(path: Path, check: Callable[[Header], None]) -> NDArray[np.generic]:
    from PIL import Image, UnidentifiedImageError

    with warnings.catch_warnings():
        # `check` decides on sizes; Pillow's own warning would only add noise.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as image:
                check(_pillow_header(image))
                return np.array(image)
        except UnidentifiedImageError as error:
            raise ImageError("is not an image of a known format") from error
        except Image.DecompressionBombError as error:
            raise ImageError(
                "claims to be of a size that no micrograph has; it was not decoded"
            ) from error


def _pillow_header(image: Image.Image) -> Header:
    color: Literal["gray", "palette", "color"] = "color"
    if image.mode in ("1", "L", "I", "F") or image.mode.startswith("I;16"):
        color = "gray"
    elif image.mode in ("P", "PA"):
        color = "palette"
    dtype = {"1": np.bool_, "I": np.int32, "F": np.float32}.get(
        image.mode, np.uint16 if image.mode.startswith("I;16") else np.uint8
    )
    bands = len(image.getbands())
    shape = (image.height, image.width) + ((bands,) if bands > 1 else ())
    return Header(shape, np.dtype(dtype), color)
