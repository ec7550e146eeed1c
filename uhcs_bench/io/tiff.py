"""Decode TIFF files: the same samples for every compression and with any library installed.

tifffile parses the directories, `uhcs_bench.io.tiff_codecs` undoes the compression of strips and
tiles into memory of a size that the directory states, and this module puts the samples together.
tifffile's own decoding depends on whether imagecodecs is installed, inflates strips without a
bound, and follows the references of OME-TIFF to other files; none of it is used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from uhcs_bench.errors import things
from uhcs_bench.io import raster, tiff_codecs
from uhcs_bench.io.quiet import silenced
from uhcs_bench.io.raster import ImageError, Raster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BytesIO
    from pathlib import Path

    from numpy.typing import NDArray

    from uhcs_bench.io.raster import Header, Kind, Model

_MOST_PAGES = 1000
_MOST_SAMPLES = 5
"""Per pixel: four inks and a transparency."""

_BAND_BYTES = 16 << 20
"""Of samples that are decoded at a time, unless a strip is larger."""

_ROOM_BYTES = 32 << 20
"""That a tile may be larger than the image."""

_ORIENTATION, _COLOUR_MAP, _IMAGE_DEPTH = 274, 320, 32997
_REDUCED_OR_MASK = 1 | 4
_MODELS: dict[int, Model] = {
    0: "white is zero",
    1: "gray",
    2: "rgb",
    3: "palette",
    4: "gray",
    5: "cmyk",
    6: "rgb",
}
_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED = 1, 2, 3, 4
_KINDS = {_UNSIGNED: "u", _SIGNED: "i", _FLOAT: "f", _UNDEFINED: "u"}


@dataclass(frozen=True)
class _Layout:
    """How the samples of a page are laid out.

    Attributes
    ----------
    rows, columns, samples : int
        Of the image.
    bits : int
        Of a sample.
    dtype : numpy.dtype
        Of a decoded sample, in the machine's byte order.
    model : str
    planes : int
        That are stored one after another.
    segment : tuple of int
        Rows and columns of a strip or tile.
    is_tiled : bool
    order : {"<", ">"}
        The file's byte order.
    """

    rows: int
    columns: int
    samples: int
    bits: int
    dtype: np.dtype[Any]
    model: Model
    planes: int
    segment: tuple[int, int]
    is_tiled: bool
    order: Literal["<", ">"]

    @property
    def samples_in_segment(self) -> int:
        return 1 if self.planes > 1 else self.samples

    @property
    def row_bytes(self) -> int:
        """Of a strip's or tile's row."""
        return -(-self.segment[1] * self.samples_in_segment * self.bits // 8)

    @property
    def down(self) -> int:
        return -(-self.rows // self.segment[0])

    @property
    def across(self) -> int:
        return -(-self.columns // self.segment[1])

    @property
    def shape(self) -> tuple[int, ...]:
        samples = (self.samples,) if self.samples > 1 else ()
        return (self.rows, self.columns, *samples)


def read(
    source: Path | BytesIO, check: Callable[[Header], None], kind: Kind, page: int | None
) -> Raster:
    """Decode one page.

    Parameters
    ----------
    source : Path or BytesIO
    check : callable
        Called with the header before a sample is decoded.
    kind : {"micrograph", "labels"}
        Label maps are not read from lossy compressions.
    page : int or None
        Which of several images, from 1 on; None if there is to be one.

    Returns
    -------
    Raster

    Raises
    ------
    ImageError
    """
    import tifffile

    with silenced("tifffile"), tifffile.TiffFile(source, _multifile=False) as tiff:
        chosen = _page(tiff, page, kind)
        orientation = chosen.tags.valueof(_ORIENTATION, default=1)
        orientation = int(orientation) if isinstance(orientation, int) else 1
        layout = _layout(chosen, tiff.byteorder)
        tiff_codecs.check(chosen, kind)
        check(raster.header(layout.shape, layout.dtype, layout.model, orientation))
        _check_sizes(tiff, chosen, layout)
        palette = _palette(chosen) if layout.model == "palette" else None
        values = _decode(tiff, chosen, layout)
    return Raster(values, layout.model, layout.bits, palette, orientation)


def _page(tiff: Any, number: int | None, kind: Kind) -> Any:
    """Choose a page: thumbnails and masks don't count."""
    pages = list(islice(_pages(tiff), _MOST_PAGES))
    full = [page for page in pages if not int(page.subfiletype) & _REDUCED_OR_MASK] or pages[:1]
    if not full:
        raise ImageError("holds no image")
    if number is not None:
        if not 1 <= number <= len(full):
            raise ImageError(f"has no page {number}; it holds {things(len(full), 'image')}")
        return full[number - 1]
    if len(full) > 1:
        sizes = dict.fromkeys(f"{page.imagelength} x {page.imagewidth}" for page in full)
        listed = ", ".join(islice(sizes, 4))
        more = " or more" if len(pages) == _MOST_PAGES else ""
        raise ImageError(f"{raster.several(len(full), kind)}{more}. Their sizes: {listed} px")
    images = (tiff.imagej_metadata or {}).get("images", 1) if tiff.is_imagej else 1
    depth = full[0].tags.valueof(_IMAGE_DEPTH, default=1)
    if images not in (1, "1") or depth != 1:
        raise ImageError(
            "holds several images in one page, an ImageJ stack or a volume; save the one that is "
            "meant alone"
        )
    return full[0]


def _pages(tiff: Any) -> Iterator[Any]:
    """Go through the directories; one that is damaged ends the file, except for the first."""
    yield tiff.pages.first
    index = 1
    while True:
        try:
            page = tiff.pages[index]
        except Exception:  # noqa: BLE001 - tifffile raises whatever a damaged directory leads to
            return
        yield page
        index += 1


def _layout(page: Any, order: Literal["<", ">"]) -> _Layout:
    """Read and check what the directory says of samples, strips and tiles."""
    rows, columns = int(page.imagelength), int(page.imagewidth)
    samples, bits = int(page.samplesperpixel), page.bitspersample
    if not (rows > 0 and columns > 0):
        raise ImageError("holds no pixels")
    code = page.tags.valueof(262)
    code = int(page.photometric) if code is None else int(code)
    model = _MODELS.get(code)
    if model is None:
        raise ImageError(
            f"has the colour model {_named(page.photometric)}, which is not read; save it as gray"
        )
    if not 1 <= samples <= _MOST_SAMPLES:
        raise ImageError(f"has {samples} samples per pixel; save the one that is meant as gray")
    is_tiled = bool(page.tilewidth and page.tilelength)
    segment = (int(page.tilelength), int(page.tilewidth))
    if not is_tiled:
        segment = (min(int(page.rowsperstrip or rows), rows) or rows, columns)
    dtype = _dtype(bits, page.sampleformat)
    planes = samples if int(page.planarconfig or 1) == 2 and samples > 1 else 1
    return _Layout(
        rows, columns, samples, int(bits), dtype, model, planes, segment, is_tiled, order
    )


def _named(code: Any) -> str:
    return str(getattr(code, "name", code))


def _dtype(bits: Any, sampleformat: Any) -> np.dtype[Any]:
    formats = {sampleformat} if isinstance(sampleformat, int) else set(sampleformat or (1,))
    letter = _KINDS.get(formats.pop()) if len(formats) == 1 else None
    if not isinstance(bits, int) or letter is None:
        raise ImageError("holds samples of several or of complex types; save it as one gray image")
    if bits == 1 and letter == "u":
        return np.dtype(np.bool_)
    size = next((size for size in (1, 2, 4, 8) if bits <= 8 * size), None)
    is_whole = bits in (8, 16, 32, 64)
    allowed = {"u": is_whole or 1 <= bits <= 16, "i": is_whole, "f": bits in (16, 32, 64)}
    if size is None or not allowed[letter]:
        raise ImageError(
            f"holds samples of {bits} bits, which are not read; save it with 8 or 16 bits"
        )
    return np.dtype(f"{letter}{size}")


def _check_sizes(tiff: Any, page: Any, layout: _Layout) -> None:
    """Compare what will be decoded with the image, and with the bytes that are there."""
    n_segments = layout.down * layout.across * layout.planes
    decoded = n_segments * layout.segment[0] * layout.row_bytes
    declared = math.prod(layout.shape) * layout.dtype.itemsize
    if layout.is_tiled and decoded > 4 * declared + _ROOM_BYTES:
        raise ImageError(
            f"has tiles of {layout.segment[0]} x {layout.segment[1]} pixels for an image of "
            f"{layout.rows} x {layout.columns}; it was not decoded. Save it in strips"
        )
    offsets, counts = page.dataoffsets[:n_segments], page.databytecounts[:n_segments]
    if len(offsets) < n_segments or len(counts) < n_segments:
        raise ImageError(
            f"lacks {n_segments - min(len(offsets), len(counts))} of its {n_segments} strips or "
            "tiles; copy it again from its source"
        )
    size = int(tiff.filehandle.size)
    if any(
        start <= 0 or start + count > size for start, count in zip(offsets, counts, strict=True)
    ):
        raise ImageError("is cut off, or lacks some of its pixels; copy it again from its source")
    n_bytes = sum(counts)
    if n_bytes > 2 * size:
        raise ImageError("has strips that overlap; it was not decoded. Save it anew")
    least = declared * layout.bits / (8 * layout.dtype.itemsize)
    if least > tiff_codecs.largest_ratio(page) * n_bytes + 1024:
        raise ImageError(
            f"claims to have {layout.rows} x {layout.columns} pixels, which its {n_bytes} bytes "
            "can't hold; it was not decoded. Copy it again from its source"
        )


def _palette(page: Any) -> NDArray[Any]:
    """Give the palette as rows of red, green and blue, in 8 bits where these say all."""
    stored = page.tags.valueof(_COLOUR_MAP)
    try:
        colours = np.asarray(stored, np.uint16).reshape(3, -1).T
    except (TypeError, ValueError) as error:
        raise ImageError("has no palette for its colours; save it as a gray image") from error
    low, high = colours & 0xFF, colours >> 8
    # Programs write 8 bits as their high byte, alone or twice, or (against the format) as they are.
    if (low == high).all() or not low.any():
        return high.astype(np.uint8)
    return colours.astype(np.uint8) if not high.any() else colours


def _decode(tiff: Any, page: Any, layout: _Layout) -> NDArray[Any]:
    whole = tiff_codecs.decode_whole(tiff, page, layout.shape)
    if whole is not None:
        return whole
    values = np.empty((layout.rows, layout.columns, layout.samples), layout.dtype)
    per_plane = layout.down * layout.across
    for plane in range(layout.planes):
        target = values[..., plane : plane + 1] if layout.planes > 1 else values
        first = plane * per_plane
        if layout.is_tiled:
            _fill_tiles(tiff, page, layout, target, first)
        else:
            _fill_strips(tiff, page, layout, target, first)
    return values[..., 0] if layout.samples == 1 else values


def _batches(n: int, n_bytes: int) -> Iterator[range]:
    """Divide strips or tiles of a size into batches that fit into a band."""
    step = max(1, _BAND_BYTES // max(n_bytes, 1))
    for start in range(0, n, step):
        yield range(start, min(n, start + step))


def _fill_strips(tiff: Any, page: Any, layout: _Layout, target: NDArray[Any], first: int) -> None:
    height = layout.segment[0]
    for batch in _batches(layout.down, height * layout.row_bytes):
        start, stop = batch.start * height, min(batch.stop * height, layout.rows)
        heights = [min(height, layout.rows - index * height) for index in batch]
        segments = [first + index for index in batch]
        packed = tiff_codecs.unpack(tiff, page, segments, heights, layout)
        target[start:stop] = _samples(packed, page, layout)


def _fill_tiles(tiff: Any, page: Any, layout: _Layout, target: NDArray[Any], first: int) -> None:
    height, width = layout.segment
    for batch in _batches(layout.down * layout.across, height * layout.row_bytes):
        segments = [first + index for index in batch]
        packed = tiff_codecs.unpack(tiff, page, segments, [height] * len(batch), layout)
        tiles = _samples(packed, page, layout).reshape(len(batch), height, width, -1)
        for index, tile in zip(batch, tiles, strict=True):
            row, column = (index // layout.across) * height, (index % layout.across) * width
            place = target[row : row + height, column : column + width]
            place[:] = tile[: place.shape[0], : place.shape[1]]


def _samples(packed: NDArray[np.uint8], page: Any, layout: _Layout) -> NDArray[Any]:
    """Make samples of bytes, shape (rows, columns, samples)."""
    rows, per_pixel = len(packed), layout.samples_in_segment
    n = layout.segment[1] * per_pixel
    predictor = int(page.predictor or 1)
    if layout.bits in (8, 16, 32, 64):
        if predictor == 3:
            return _floats(packed, layout)
        stored = np.dtype(layout.dtype).newbyteorder(layout.order)
        values = packed.view(stored).astype(layout.dtype, copy=False)
        values = values.reshape(rows, -1, per_pixel)
        if predictor == 2:
            whole = values.view(f"u{layout.dtype.itemsize}")
            if not whole.flags.writeable:
                whole = whole.copy()
            np.cumsum(whole, axis=1, dtype=whole.dtype, out=whole)
            return whole.view(layout.dtype)
        return values
    if predictor != 1:
        raise ImageError(f"has differences of {layout.bits} bits; save it without a predictor")
    values = np.empty((rows, n), layout.dtype)
    weights = 1 << np.arange(layout.bits - 1, -1, -1, dtype=np.uint16)
    step = max(1, (1 << 20) // max(n, 1))
    for start in range(0, rows, step):
        bits = np.unpackbits(packed[start : start + step], axis=1, count=n * layout.bits)
        if layout.bits == 1:
            values[start : start + step] = bits
        else:
            values[start : start + step] = bits.reshape(len(bits), n, -1) @ weights
    return values.reshape(rows, -1, per_pixel)


def _floats(packed: NDArray[np.uint8], layout: _Layout) -> NDArray[Any]:
    """Undo the floating-point predictor (TIFF Technical Note 3): bytes by weight, differenced."""
    rows, per_pixel, size = len(packed), layout.samples_in_segment, layout.dtype.itemsize
    if layout.dtype.kind != "f":
        raise ImageError("has the differences of floats for whole numbers; save it anew")
    summed = np.cumsum(packed.reshape(rows, -1, per_pixel), axis=1, dtype=np.uint8)
    by_sample = np.ascontiguousarray(summed.reshape(rows, size, -1).swapaxes(1, 2))
    values = by_sample.view(f">f{size}").astype(layout.dtype)
    return values.reshape(rows, -1, per_pixel)
