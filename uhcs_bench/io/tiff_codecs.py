"""Undo the compression of a TIFF's strips and tiles, into as many bytes as they may have.

Deflate is undone by zlib, which checks the sum that each stream ends in. LZW, PackBits, Zstandard,
LZMA, CCITT and JPEG are undone by libtiff, through Pillow. libtiff never writes more than a strip
may hold. It is given a small TIFF that holds the strips alone: as an image of bytes, so that it
neither interprets nor turns anything. Whatever it complains of on standard error is damage.
"""

from __future__ import annotations

import io
import re
import struct
import sys
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench.io.quiet import quiet_pillow, standard_error_of_c
from uhcs_bench.io.raster import ImageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from uhcs_bench.io.raster import Kind
    from uhcs_bench.io.tiff import _Layout

_NONE, _LZW, _JPEG, _PACKBITS = 1, 5, 7, 32773
_DEFLATE = (8, 32946)
_CCITT = (2, 3, 4)
_BYTES = (_LZW, _PACKBITS, 50000, 34925)
"""LZW, PackBits, Zstandard and LZMA, which compress bytes whatever they mean."""

_LARGEST_RATIOS = {_NONE: 1, _PACKBITS: 64, _LZW: 2600, 8: 1040, 32946: 1040}
"""Bytes that one compressed byte may give; no limit is known for the others."""

_UNLIMITED = 1e9
_T4_OPTIONS, _T6_OPTIONS, _TABLES, _SUBSAMPLING = 292, 293, 347, 530
_SHORT, _LONG, _BLOB = 3, 4, 7


def check(page: Any, kind: Kind) -> None:
    """Refuse compressions that are not read, and lossy ones for label maps.

    Raises
    ------
    ImageError
    """
    code = int(page.compression)
    name = str(getattr(page.compression, "name", code))
    known = (_NONE, *_DEFLATE, *_BYTES, *_CCITT, _JPEG)
    if code == _JPEG and kind == "labels":
        raise ImageError(
            "is compressed as JPEG, which changes labels; save the labels anew as PNG, or as TIFF "
            "without compression"
        )
    if code not in known or int(page.predictor or 1) not in (1, 2, 3):
        raise ImageError(
            f"is compressed as {name}, which is not read; save it as PNG, or as TIFF with LZW or "
            "without compression"
        )
    if code in _CCITT and page.bitspersample != 1:
        raise ImageError(f"is compressed as {name}, but has more than 1 bit; save it anew as PNG")


def largest_ratio(page: Any) -> float:
    """Give how many bytes one byte of a page may give at most."""
    return _LARGEST_RATIOS.get(int(page.compression), _UNLIMITED)


def unpack(
    tiff: Any, page: Any, segments: Sequence[int], heights: Sequence[int], layout: _Layout
) -> NDArray[np.uint8]:
    """Give the bytes of strips or tiles, one below the other.

    Parameters
    ----------
    segments : sequence of int
        Their numbers.
    heights : sequence of int
        Rows of each; all but the last are equal.
    layout : _Layout

    Returns
    -------
    ndarray of uint8, shape (rows, bytes of a row)
    """
    code = int(page.compression)
    raw = [_content(tiff, page, index) for index in segments]
    if code == _NONE or code in _DEFLATE:
        sizes = [height * layout.row_bytes for height in heights]
        parts = [
            _inflated(content, size) if code in _DEFLATE else content[:size]
            for content, size in zip(raw, sizes, strict=True)
        ]
        if any(len(part) < size for part, size in zip(parts, sizes, strict=True)):
            raise ImageError("is cut off: a strip has fewer bytes than rows; copy it again")
        joined = bytearray().join(parts)
        return np.frombuffer(joined, np.uint8).reshape(sum(heights), layout.row_bytes)
    is_fax = code in _CCITT
    width = layout.segment[1] if is_fax else layout.row_bytes
    tags = [
        (256, _LONG, [width]),
        (257, _LONG, [sum(heights)]),
        (258, _SHORT, [1 if is_fax else 8]),
        (262, _SHORT, [1]),
        (277, _SHORT, [1]),
        (278, _LONG, [heights[0]]),
    ]
    if is_fax:
        tags += _options(page)
    decoded = _by_libtiff(_small_tiff(raw, code, tags))
    expected = (sum(heights), width)
    if decoded.shape != expected:
        raise ImageError("has strips of another size than it says; save it anew")
    return np.packbits(decoded, axis=1) if is_fax else decoded.astype(np.uint8, copy=False)


def decode_whole(tiff: Any, page: Any, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """Decode a page that is compressed as JPEG; None for all others."""
    if int(page.compression) != _JPEG:
        return None
    if page.bitspersample != 8:
        raise ImageError(
            f"is a JPEG of {page.bitspersample} bits, which is not read; save it as 16-bit PNG"
        )
    n = len(page.dataoffsets)
    is_ycbcr = int(page.photometric) == 6
    tags = [
        (256, _LONG, [page.imagewidth]),
        (257, _LONG, [page.imagelength]),
        (258, _SHORT, [8] * page.samplesperpixel),
        (262, _SHORT, [int(page.photometric) if page.samplesperpixel > 1 else 1]),
        (277, _SHORT, [page.samplesperpixel]),
        (284, _SHORT, [int(page.planarconfig or 1)]),
    ]
    if page.tilewidth:
        tags += [(322, _LONG, [page.tilewidth]), (323, _LONG, [page.tilelength])]
    else:
        tags.append((278, _LONG, [page.rowsperstrip]))
    tables = page.tags.valueof(_TABLES)
    if isinstance(tables, bytes):
        tags.append((_TABLES, _BLOB, list(tables)))
    if is_ycbcr:
        tags.append((_SUBSAMPLING, _SHORT, list(page.subsampling or (2, 2))))
    raw = [_content(tiff, page, index) for index in range(n)]
    decoded = _by_libtiff(_small_tiff(raw, _JPEG, tags))
    if decoded.shape != shape:
        raise ImageError("is a JPEG of another size than the TIFF around it says; save it anew")
    return decoded


def _options(page: Any) -> list[tuple[int, int, list[int]]]:
    found = [(code, page.tags.valueof(code)) for code in (_T4_OPTIONS, _T6_OPTIONS)]
    return [(code, _LONG, [value]) for code, value in found if isinstance(value, int)]


def _content(tiff: Any, page: Any, index: int) -> bytes:
    handle = tiff.filehandle
    handle.seek(page.dataoffsets[index])
    content = bytes(handle.read(page.databytecounts[index]))
    if int(page.fillorder or 1) == 2 and int(page.compression) != _JPEG:
        return content.translate(_REVERSED)
    return content


_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _inflated(content: bytes, size: int) -> bytes:
    """Inflate at most one byte more than a strip may have."""
    stream = zlib.decompressobj()
    try:
        inflated = stream.decompress(content, size + 1)
        if len(inflated) <= size and not stream.eof:
            # The sum at the end is checked when the stream is asked for more.
            inflated += stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise ImageError(f"is damaged ({error}); copy it again from its source") from error
    if len(inflated) > size:
        raise ImageError(
            "has a strip that holds more bytes than its rows; it was not decoded. Save it anew"
        )
    if not stream.eof:
        raise ImageError("is cut off in the middle of a strip; copy it again from its source")
    return inflated


def _small_tiff(
    segments: Sequence[bytes], code: int, tags: list[tuple[int, int, list[int]]]
) -> bytes:
    """Write a TIFF of these strips or tiles, in little-endian order."""
    is_tiled = any(tag == 322 for tag, _, _ in tags)
    offsets, position = [], 8
    for segment in segments:
        offsets.append(position)
        position += len(segment)
    counts = [len(segment) for segment in segments]
    tags = [
        *tags,
        (259, _SHORT, [code]),
        (324 if is_tiled else 273, _LONG, offsets),
        (325 if is_tiled else 279, _LONG, counts),
    ]
    body, blobs = struct.pack("<H", len(tags)), b""
    directory = position + position % 2
    after = directory + 2 + 12 * len(tags) + 4
    for tag, kind, values in sorted(tags):
        letter = {_SHORT: "H", _LONG: "I", _BLOB: "B"}[kind]
        value = struct.pack(f"<{len(values)}{letter}", *values)
        if len(value) > 4:
            place = struct.pack("<I", after + len(blobs))
            blobs += value + b"\0" * (len(value) % 2)
        else:
            place = value.ljust(4, b"\0")
        body += struct.pack("<HHI", tag, kind, len(values)) + place
    start = struct.pack("<2sHI", b"II", 42, directory)
    return b"".join([start, *segments, b"\0" * (position % 2), body, b"\0" * 4, blobs])


_LIBTIFF = re.compile(
    r"(tempfile\.tif|_?TIFF|Fax|LZW|JPEG|ZIP|PackBits|ZSTD|LZMA|Predictor)\w*\b.*:|: "
)


def _by_libtiff(content: bytes) -> NDArray[Any]:
    from PIL import TiffImagePlugin

    problem: Exception | None = None
    decoded = None
    with quiet_pillow, standard_error_of_c() as lines:
        try:
            with TiffImagePlugin.TiffImageFile(io.BytesIO(content)) as image:
                decoded = np.array(image)
        except (OSError, SyntaxError, ValueError, TypeError, KeyError) as error:
            problem = error
    said = [line for line in lines if _LIBTIFF.match(line)]
    for line in lines:  # what another thread has said meanwhile
        if line not in said:
            sys.stderr.write(f"{line}\n")
    if said or decoded is None:
        reason = " ".join((said[0] if said else str(problem)).split())
        reason = reason.removeprefix("tempfile.tif: ").removesuffix(".")
        raise ImageError(f"is damaged ({reason}); copy it again from its source") from problem
    return decoded
