"""Decode image files, after a check of the size and type that their headers claim."""

from __future__ import annotations

import io
import logging
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from uhcs_bench.errors import UhcsBenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BytesIO
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray
    from PIL import Image

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NPY_MAGIC = b"\x93NUMPY"

_PHOTOMETRIC = 262
_ORIENTATION = 274
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
        Gray values or class labels, palette indices of a palette image, or the planes of a colour
        image.

    Notes
    -----
    One rule holds for micrographs and label maps, for every compression and depth, with
    ``imagecodecs`` and without:

    - Values are those that the file stores, with their depth. Where a TIFF's photometric
      interpretation is MINISWHITE (the lowest value is white), they are inverted: a pixel of b
      bits is 2^b - 1 minus the stored value, as every viewer shows it. A map of labels 0 and 1
      that a program saves as a bilevel image, white on black, is read alike in both forms.
    - A palette is not applied; the header says that there is one.
    - The orientation tag is applied.

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
        if path.suffix.lower() == ".npy" and not magic.startswith(_NPY_MAGIC):
            raise ImageError(
                "is not a NumPy array file, whatever its name says; pickles are never loaded"
            )
        return _read(path, magic, check)
    except OSError as error:
        raise ImageError(f"can't be decoded ({_reason(error)})") from error


def decode_image(
    content: bytes, check: Callable[[Header], None] = lambda _: None
) -> NDArray[np.generic]:
    """Decode an image in memory, by the rule of `read_image`.

    Parameters
    ----------
    content : bytes
        A PNG, TIFF or other file that Pillow knows.
    check : callable, optional
        As for `read_image`.

    Returns
    -------
    ndarray

    Raises
    ------
    ImageError
        If it is truncated, of an unknown format or too large to be an image.

    Examples
    --------
    >>> from PIL import Image
    >>> stream = io.BytesIO()
    >>> Image.fromarray(np.zeros((2, 3), np.uint8)).save(stream, "PNG")
    >>> decode_image(stream.getvalue()).shape
    (2, 3)
    """
    return _read(io.BytesIO(content), content[:8], check)


def _read(
    source: Path | BytesIO, magic: bytes, check: Callable[[Header], None]
) -> NDArray[np.generic]:
    try:
        if magic.startswith(_NPY_MAGIC) and not isinstance(source, io.BytesIO):
            return _read_npy(source, check)
        if magic.startswith(_TIFF_MAGIC):
            return _read_tiff(source, check)
        return _read_with_pillow(source, check)
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


def _read_tiff(source: Path | BytesIO, check: Callable[[Header], None]) -> NDArray[np.generic]:
    import tifffile

    with silenced("tifffile"), tifffile.TiffFile(source) as tiff:
        series, page = tiff.series[0], tiff.pages.first
        color = _tiff_color(page)
        orientation = int(page.tags.valueof(_ORIENTATION, default=1)) if series.ndim == 2 else 1
        shape = tuple(series.shape)[:: -1 if orientation in _TRANSPOSED else 1]
        check(Header(shape, np.dtype(series.dtype), color))
        try:
            stored = np.asarray(series.asarray())
        except (NotImplementedError, ValueError) as error:
            # tifffile leaves LZW and others to imagecodecs, which is not installed everywhere.
            # Pillow's libtiff has them.
            if "imagecodecs" not in str(error):
                raise
            stored = _decode_with_libtiff(page, color)
        if color != "color" and stored.shape != tuple(series.shape):
            raise ImageError("holds several images; save the one that is meant alone")
        if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            stored = _inverted(stored, page.bitspersample)
    return _upright(stored, orientation)


def _tiff_color(page: Any) -> Literal["gray", "palette", "color"]:
    import tifffile

    if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        return "palette"
    gray = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE)
    return "gray" if page.photometric in gray else "color"


def _decode_with_libtiff(page: Any, color: str) -> NDArray[np.generic]:
    """Decode the first page with Pillow, and give the values as they are stored.

    Pillow applies photometric interpretation and orientation for some depths and compressions
    only. It is given the file with both tags set to 1, so that neither is applied.
    """
    from PIL import Image

    file = page.parent.filehandle
    file.seek(0)
    content = bytearray(file.read())
    for code in (_ORIENTATION, *(() if color == "color" else (_PHOTOMETRIC,))):
        tag = page.tags.get(code)
        if tag is not None:
            content[tag.valueoffset : tag.valueoffset + 2] = np.array(
                1, f"{page.parent.byteorder}u2"
            ).tobytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(content)) as image:
            decoded = np.array(image)
    if color == "color":
        return decoded
    if page.bitspersample in (2, 4):
        decoded = decoded // (255 // (2**page.bitspersample - 1))  # Pillow spreads them to 0..255
    return decoded.astype(page.dtype)


def _inverted(stored: NDArray[Any], bits: int) -> NDArray[np.generic]:
    """Give gray values that grow with brightness, of values that fall with it."""
    if stored.dtype.kind == "b":
        return ~stored
    if stored.dtype.kind != "u":
        raise ImageError(
            f"says that its lowest value is white, which has no meaning for {stored.dtype.name} "
            "values; save it with the lowest value as black"
        )
    return np.asarray((2**bits - 1) - stored, dtype=stored.dtype)


def _upright(stored: NDArray[np.generic], orientation: int) -> NDArray[np.generic]:
    """Turn and mirror an image as its orientation tag (TIFF 6.0, page 36) asks."""
    if orientation in _TRANSPOSED:
        stored = stored.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        stored = stored[::-1]
    if orientation in (2, 3, 6, 7):
        stored = stored[:, ::-1]
    return np.ascontiguousarray(stored)


class _Silence:
    """Silences a library while anybody asks for it, in however many threads.

    The first who asks silences it, and the last who leaves puts back what was: state that is
    process-wide can't be saved and restored by each thread for itself.
    """

    def __init__(self, begin: Callable[[], Callable[[], object]]) -> None:
        self._begin = begin
        self._lock = threading.Lock()
        self._users = 0
        self._end: Callable[[], object] = lambda: None

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._end = self._begin()
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._end()


@cache
def silenced(logger_name: str) -> _Silence:
    """Keep a library from logging each damaged tag: what is wrong is raised, in one sentence.

    Examples
    --------
    >>> with silenced("tifffile"):
    ...     logging.getLogger("tifffile").disabled
    True
    >>> logging.getLogger("tifffile").disabled
    False
    """
    logger = logging.getLogger(logger_name)

    def begin() -> Callable[[], object]:
        disabled, logger.disabled = logger.disabled, True
        return lambda: setattr(logger, "disabled", disabled)

    return _Silence(begin)


def _without_warnings() -> Callable[[], object]:
    """Keep Pillow from warning of large images and odd tags: `check` and messages are for that."""
    manager = warnings.catch_warnings()
    manager.__enter__()
    warnings.filterwarnings("ignore", module=r"PIL\b")
    return lambda: manager.__exit__(None, None, None)


_quiet_pillow = _Silence(_without_warnings)

READABLE = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
"""What Pillow is allowed to open. Its other readers start other programs, or rescale values."""


@contextmanager
def opened(source: Path | BytesIO) -> Iterator[Image.Image]:
    """Open an image of a format other than TIFF and NPY, without a warning and without decoding.

    Raises
    ------
    ImageError
        If it is of no such format, or of a size that no micrograph has.
    """
    from PIL import Image, UnidentifiedImageError

    with _quiet_pillow:
        try:
            image = Image.open(source, formats=READABLE)
        except UnidentifiedImageError as error:
            raise ImageError("is not an image of a known format") from error
        except Image.DecompressionBombError as error:
            raise ImageError(
                "claims to be of a size that no micrograph has; it was not decoded"
            ) from error
        with image:
            yield image


def _read_with_pillow(
    source: Path | BytesIO, check: Callable[[Header], None]
) -> NDArray[np.generic]:
    with opened(source) as image:
        check(_pillow_header(image))
        return _upright(np.array(image), _orientation(image))


def _orientation(image: Image.Image) -> int:
    # Without this condition Pillow decodes a whole PNG in search of the tag.
    return int(image.getexif().get(_ORIENTATION, 1)) if "exif" in image.info else 1


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
    rows, columns = image.height, image.width
    if _orientation(image) in _TRANSPOSED:
        rows, columns = columns, rows
    shape = (rows, columns) + ((bands,) if bands > 1 else ())
    return Header(shape, np.dtype(dtype), color)
