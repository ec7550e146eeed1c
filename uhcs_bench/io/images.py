"""Decode image files, after a check of the size and type that their headers claim.

`read_image` is the one decoder; its notes state the rule for each colour model. NPY and the formats
that Pillow reads are decoded here, TIFF by `uhcs_bench.io.tiff`.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench.errors import UhcsBenchError, things
from uhcs_bench.io import raster
from uhcs_bench.io.quiet import quiet_pillow, silenced
from uhcs_bench.io.raster import Header, ImageError, Kind, Raster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BytesIO
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

    from uhcs_bench.io.raster import Model

__all__ = ["Header", "ImageError", "Kind", "decode_image", "opened", "read_image", "silenced"]

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NPY_MAGIC = b"\x93NUMPY"
_ORIENTATION = 274

READABLE = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
"""What Pillow is allowed to open. Its other readers start other programs, or rescale values."""

_LOSSLESS = ("PNG",)
"""Of these, what a label map may be."""

_MAGIC = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"%!PS": "PostScript",
    b"%PDF": "PDF",
    b"\0\0\0\x0cjP": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL": "JPEG XL",
    b"8BPS": "Photoshop",
    b"PK\x03\x04": "zip",
    b"\x89HDF": "HDF5",
    b"MATLAB": "MATLAB",
}
_SCALED = {"L;2": 85, "L;4": 17}
"""What Pillow multiplies the values of PNGs with few bits by."""

_MOST_AXES = 4


def read_image(
    path: Path,
    check: Callable[[Header], None] = lambda _: None,
    *,
    kind: Kind = "micrograph",
    page: int | None = None,
) -> NDArray[Any]:
    """Read a micrograph or a label map.

    The content decides on the format, not the name. Pickled objects are never loaded, and no other
    file or program is opened, whatever the file refers to.

    Parameters
    ----------
    path : Path
        PNG, TIFF or NPY; for micrographs JPEG, BMP, GIF and WebP as well.
    check : callable, optional
        Called with the `Header` before any pixel is decoded. What it raises passes through, so that
        an oversized or unsuitable file costs nothing.
    kind : {"micrograph", "labels"}, optional
        Which rule holds for colour models, see the notes.
    page : int, optional
        Which of several images in the file, from 1 on.

    Returns
    -------
    ndarray, shape (rows, columns)
        Gray values or class labels. A micrograph whose colours are not all gray has the shape
        (rows, columns, 3).

    Notes
    -----
    The same rule holds for every format, compression and depth, with ``imagecodecs`` installed and
    without. Values keep the depth that they are stored with.

    ====================  =====================================  ============================
    the file holds        micrograph                             label map
    ====================  =====================================  ============================
    gray                  the values                             the values
    gray, lowest value    2^b - 1 less the values of b bits;     refused
    is white (TIFF)       refused for signed and float values
    palette               its colours                            the indices
    RGB                   gray if the three planes are equal,    likewise; colours are
                          else (rows, columns, 3)                refused
    CMYK                  (1 - C)(1 - K) and so on, then as RGB  refused
    a further channel     left out if the same everywhere, else  likewise
                          refused
    JPEG and other lossy  as decoded                             refused
    ====================  =====================================  ============================

    The orientation of TIFF and Exif is applied. Thumbnails and masks in a TIFF don't count; of
    several images `page` names one. In NPY files axes of length 1 are dropped.

    Raises
    ------
    ImageError
        If the file is missing, truncated, of an unknown format, too large to be an image, or
        refused by the rule.

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
            if path.exists():
                raise ImageError("is not a regular file; give the path of an image")
            raise ImageError("is not there; check its name and folder")
        with path.open("rb") as stream:
            magic = stream.read(16)
        if not magic:
            raise ImageError("is empty")
        if path.suffix.lower() == ".npy" and not magic.startswith(_NPY_MAGIC):
            raise ImageError(
                "is not a NumPy array file, whatever its name says; pickles are never loaded"
            )
        return _read(path, magic, check, kind, page)
    except OSError as error:
        raise ImageError(f"can't be decoded ({_reason(error)})") from error


def decode_image(
    content: bytes,
    check: Callable[[Header], None] = lambda _: None,
    *,
    kind: Kind = "micrograph",
) -> NDArray[Any]:
    """Decode an image in memory, by the rule of `read_image`.

    Parameters
    ----------
    content : bytes
        Of a PNG, TIFF or another format of `read_image`, but not NPY.
    check, kind
        As for `read_image`.

    Returns
    -------
    ndarray

    Raises
    ------
    ImageError
        As for `read_image`.

    Examples
    --------
    >>> from PIL import Image
    >>> stream = io.BytesIO()
    >>> Image.fromarray(np.zeros((2, 3), np.uint8)).save(stream, "PNG")
    >>> decode_image(stream.getvalue()).shape
    (2, 3)
    """
    return _read(io.BytesIO(content), content[:16], check, kind, None)


def _read(
    source: Path | BytesIO,
    magic: bytes,
    check: Callable[[Header], None],
    kind: Kind,
    page: int | None,
) -> NDArray[Any]:
    try:
        if magic.startswith(_NPY_MAGIC) and not isinstance(source, io.BytesIO):
            stored = _read_npy(source, check, kind, page)
        elif magic.startswith(_TIFF_MAGIC):
            from uhcs_bench.io import tiff

            stored = tiff.read(source, check, kind, page)
        else:
            stored = _read_with_pillow(source, magic, check, kind, page)
        return raster.picture(stored, kind)
    except UhcsBenchError:
        raise
    except MemoryError as error:
        raise ImageError("does not fit into memory") from error
    except Exception as error:
        raise ImageError(f"can't be decoded ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _read_npy(path: Path, check: Callable[[Header], None], kind: Kind, page: int | None) -> Raster:
    shape, dtype = _npy_header(path)
    # Axes of length 1 go, but never one of the two that make an image.
    kept = list(shape)
    while len(kept) > 2 and 1 in kept:
        kept.remove(1)
    if len(kept) == 3 and page is not None and kept[2] not in (3, 4):
        kept = kept[1:]
    is_color = kind == "micrograph" and len(kept) == 3 and kept[2] in (3, 4)
    if 0 in kept:
        raise ImageError("holds no pixels")
    model: Model = "rgb" if is_color else "gray"
    if len(kept) == 2 or is_color:
        check(raster.header(tuple(kept), dtype, model))
    else:
        check(Header(tuple(kept), dtype, "gray"))
        n = f" of {kept[0]} images" if len(kept) == 3 else ""
        hint = f"; say which one is meant, --page 1 to {kept[0]}" if n else ""
        raise ImageError(f"holds an array of shape {shape}, a stack{n}{hint}")
    values = np.load(path, allow_pickle=False).reshape(shape)
    if len(kept) == 2 and page is not None and np.prod(shape) != np.prod(kept):
        stack = values.reshape(-1, *kept)
        if not 1 <= page <= len(stack):
            raise ImageError(f"has no page {page}; it holds {things(len(stack), 'image')}")
        values = np.array(stack[page - 1])
    return Raster(values.reshape(kept), model, 8 * dtype.itemsize)


def _npy_header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read what an array file claims, and refuse what no picture is."""
    with path.open("rb") as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
        n_bytes = path.stat().st_size - stream.tell()
    if dtype.hasobject:
        raise ImageError("holds pickled Python objects, which are never loaded")
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise ImageError(f"holds values of type {dtype}; save whole numbers, such as uint8")
    if not 2 <= len(shape) <= _MOST_AXES:
        raise ImageError(f"holds an array of shape {shape}; an image has rows and columns")
    claimed = dtype.itemsize
    for length in shape:
        claimed *= length
    if claimed > n_bytes:
        raise ImageError(
            f"can't be decoded (it claims {claimed} bytes of pixels and has {n_bytes}); copy it "
            "again from its source"
        )
    return shape, dtype


@contextmanager
def opened(source: Path | BytesIO, formats: tuple[str, ...] = READABLE) -> Iterator[Image.Image]:
    """Open an image of a format other than TIFF and NPY, without a warning and without decoding.

    Raises
    ------
    ImageError
        If it is of no such format, or of a size that no micrograph has.
    """
    from PIL import Image, UnidentifiedImageError

    with quiet_pillow:
        try:
            image = Image.open(source, formats=formats)
        except UnidentifiedImageError as error:
            raise ImageError("is not an image of a known format") from error
        except Image.DecompressionBombError as error:
            raise ImageError(
                "claims to be of a size that no micrograph has; it was not decoded"
            ) from error
        with image:
            yield image


def _read_with_pillow(
    source: Path | BytesIO,
    magic: bytes,
    check: Callable[[Header], None],
    kind: Kind,
    page: int | None,
) -> Raster:
    name = _format(magic)
    if name is not None and name not in READABLE:
        raise ImageError(f"is a {name} file, which is not read; save it as PNG or TIFF")
    if kind == "labels" and name is not None and name not in _LOSSLESS:
        raise ImageError(
            f"is a {name} file, whatever its name says; save the labels anew as PNG: formats for "
            "photographs change them"
        )
    with opened(source) as image:
        _choose_frame(image, page, kind)
        claimed = _pillow_header(image)
        check(claimed)
        if name == "PNG":
            _check_sums(source)
        stored = _stored(image, source)
        # Exif data may follow the pixels of a PNG.
        if _pillow_header(image) != claimed:
            check(_pillow_header(image))
        return stored


def _check_sums(source: Path | BytesIO) -> None:
    """Compare the sum of each of a PNG's chunks, which decoding does not look at."""
    with opened(source, ("PNG",)) as image:
        try:
            image.verify()
        except Exception as error:
            raise ImageError(
                f"can't be decoded (it is damaged: {_reason(error)}); copy it again from its source"
            ) from error


def _format(magic: bytes) -> str | None:
    """Name a format by its first bytes, as far as people put it where an image should be."""
    if magic[:4] == b"RIFF" and magic[8:12] == b"WEBP":
        return "WEBP"
    if magic[4:8] == b"ftyp":
        return "AVIF or HEIF"
    return next((name for start, name in _MAGIC.items() if magic.startswith(start)), None)


def _choose_frame(image: Image.Image, page: int | None, kind: Kind) -> None:
    n = int(getattr(image, "n_frames", 1))
    if page is None and n > 1:
        raise ImageError(raster.several(n, kind))
    if page is not None:
        if not 1 <= page <= n:
            raise ImageError(f"has no page {page}; it holds {things(n, 'image')}")
        if page > 1:
            image.seek(page - 1)


def _orientation(image: Image.Image) -> int:
    # Without this condition Pillow decodes a whole PNG in search of the tag.
    return int(image.getexif().get(_ORIENTATION, 1)) if "exif" in image.info else 1


def _rawmode(image: Image.Image) -> str:
    """Give the layout of the samples in the file, where Pillow knows it before decoding."""
    tile = getattr(image, "tile", ())
    args = tile[0].args if tile else ""
    return args if isinstance(args, str) else ""


def _is_deep(image: Image.Image) -> bool:
    """Whether Pillow would cut 16 bits to 8."""
    return _rawmode(image).endswith(";16B") and not image.mode.startswith("I")


def _model(image: Image.Image) -> Model:
    if image.mode in ("P", "PA"):
        return "palette"
    if image.mode == "CMYK":
        return "cmyk"
    is_gray = image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;16")
    return "gray" if is_gray or _rawmode(image) == "LA;16B" else "rgb"


def _pillow_header(image: Image.Image) -> Header:
    dtype = {"1": np.bool_, "I": np.int32, "F": np.float32}.get(image.mode, np.uint8)
    if image.mode.startswith("I;16") or _is_deep(image):
        dtype = np.uint16
    bands = 2 if _rawmode(image) == "LA;16B" else len(image.getbands())
    shape = (image.height, image.width) + ((bands,) if bands > 1 else ())
    return raster.header(shape, dtype, _model(image), _orientation(image))


def _stored(image: Image.Image, source: Path | BytesIO) -> Raster:
    """Decode, and undo what Pillow does to the depth."""
    model, rawmode = _model(image), _rawmode(image)
    if image.mode in ("YCbCr", "LAB", "HSV"):
        raise ImageError(f"has the colour model {image.mode}, which is not read; save it as gray")
    if _is_deep(image):
        return Raster(_deep(image, source, rawmode), model, 16, None, _orientation(image))
    values = np.array(image)
    if rawmode in _SCALED:
        values //= _SCALED[rawmode]
    palette = None
    if model == "palette":
        palette = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    return Raster(values, model, 8 * values.dtype.itemsize, palette, _orientation(image))


def _deep(image: Image.Image, source: Path | BytesIO, rawmode: str) -> NDArray[Any]:
    """Read 16 bits for each channel of a PNG, of which Pillow gives the upper 8.

    Read as little-endian, the same bytes give the lower 8. Gray with alpha is read as four channels
    of 8 bits.
    """
    if rawmode == "LA;16B":
        _take_as(image, "RGBA")
        both = np.array(image).astype(np.uint16)
        return both[..., 0::2] << 8 | both[..., 1::2]
    upper = np.array(image).astype(np.uint16) << 8
    with opened(source) as again:
        _take_as(again, rawmode.replace("16B", "16L"))
        upper |= np.array(again)
    return upper


def _take_as(image: Any, rawmode: str) -> None:
    image.tile = [image.tile[0]._replace(args=rawmode)]
