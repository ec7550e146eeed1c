"""Ways to write one micrograph: formats, depths, colour models, pages and orientations."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable


def pillow(name: str, mode: str | None = None, **options: Any) -> Callable[[np.ndarray], bytes]:
    """Write with Pillow, in a mode."""

    def write(image: np.ndarray) -> bytes:
        stream = io.BytesIO()
        picture = Image.fromarray(image)
        (picture.convert(mode) if mode else picture).save(stream, name, **options)
        return stream.getvalue()

    return write


def tiff(change: Callable[[np.ndarray], Any] = lambda image: image, **options: Any) -> Any:
    """Write with tifffile, after a change of the array."""

    def write(image: np.ndarray) -> bytes:
        stream = io.BytesIO()
        tifffile.imwrite(stream, change(image), **{"metadata": None, **options})
        return stream.getvalue()

    return write


def png(samples: np.ndarray, colour_type: int, bits: int = 16) -> bytes:
    """Write a PNG that Pillow can't: 16 bits for each channel, or 2 and 4 bits."""
    rows, columns = samples.shape[:2]
    lines = samples.reshape(rows, -1)
    if bits == 16:
        packed = [line.astype(">u2").tobytes() for line in lines]
    else:
        planes = (lines[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        packed = [np.packbits(line.astype(np.uint8)).tobytes() for line in planes]
    body = b"".join(b"\0" + line for line in packed)

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", columns, rows, bits, colour_type, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    return start + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def npy(change: Callable[[np.ndarray], Any] = lambda image: image) -> Callable[[np.ndarray], bytes]:
    """Write an array file."""

    def write(image: np.ndarray) -> bytes:
        stream = io.BytesIO()
        np.save(stream, change(image))
        return stream.getvalue()

    return write


def deep(image: np.ndarray) -> np.ndarray:
    """Give 12 bits that hold more than the 8 of the image."""
    return image.astype(np.uint16) * 16 + 5


def planes(image: np.ndarray) -> np.ndarray:
    return np.dstack([image] * 3)


def with_alpha(image: np.ndarray, value: int = 255) -> np.ndarray:
    return np.dstack([image, np.full_like(image, value)])


def permuted_palette(image: np.ndarray) -> bytes:
    """Store a contrast table, as JEOL's software does: indices run against the gray levels."""
    picture = Image.fromarray(255 - image)
    picture.putpalette([level for level in range(255, -1, -1) for _ in range(3)])
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def palette_tiff(image: np.ndarray) -> bytes:
    table = np.tile(np.arange(255, -1, -1, dtype=np.uint16) * 257, (3, 1))
    return tiff(lambda image: 255 - image, photometric="palette", colormap=table)(image)


def inks(image: np.ndarray) -> np.ndarray:
    """Give cyan, magenta and yellow of half of the image, and black that makes it whole."""
    black = np.zeros_like(image)
    return np.dstack([255 - image] * 3 + [black])


def oriented(orientation: int, **options: Any) -> Callable[[np.ndarray], bytes]:
    """Store an image turned, with the tag that turns it back."""
    turn = {
        2: np.fliplr,
        3: lambda image: np.rot90(image, 2),
        4: np.flipud,
        5: lambda image: image.T,
        6: np.rot90,
        7: lambda image: np.rot90(image.T, 2),
        8: lambda image: np.rot90(image, -1),
    }[orientation]
    tag = (274, 3, 1, orientation, True)
    if options.pop("pillow", False):
        return lambda image: pillow("TIFF", tiffinfo={274: orientation}, **options)(
            np.ascontiguousarray(turn(image))
        )
    return tiff(lambda image: np.ascontiguousarray(turn(image)), extratags=[tag], **options)


def exif_oriented(image: np.ndarray) -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    return pillow("PNG", exif=exif)(np.ascontiguousarray(np.rot90(image)))


def pages(*changes: tuple[Callable[[np.ndarray], np.ndarray], int]) -> Any:
    """Write several pages, each with its type (1 for a thumbnail)."""

    def write(image: np.ndarray) -> bytes:
        stream = io.BytesIO()
        with tifffile.TiffWriter(stream) as writer:
            for change, subfiletype in changes:
                writer.write(change(image), subfiletype=subfiletype, metadata=None)
        return stream.getvalue()

    return write


def animated(name: str) -> Callable[[np.ndarray], bytes]:
    def write(image: np.ndarray) -> bytes:
        other = [Image.fromarray(255 - image)]
        return pillow(name, save_all=True, append_images=other)(image)

    return write


def float_differences(image: np.ndarray) -> bytes:
    """Write floats with their predictor, which tifffile writes with imagecodecs only."""
    values = image.astype(">f4")
    rows, columns = values.shape
    by_weight = values.view(np.uint8).reshape(rows, columns, 4).swapaxes(1, 2).reshape(rows, -1)
    differences = np.diff(by_weight, axis=1, prepend=np.zeros((rows, 1), np.uint8))
    content = tiff(lambda image: image.astype(np.float32), compression="zlib", rowsperstrip=rows)
    return exchange_strip(content(image), zlib.compress(differences.tobytes()), predictor=3)


def differences(bits: int) -> Callable[[np.ndarray], bytes]:
    """Write whole numbers with the horizontal predictor."""

    def write(image: np.ndarray) -> bytes:
        values = image if bits == 8 else deep(image)
        first = np.zeros((len(values), 1), values.dtype)
        strip = zlib.compress(np.diff(values, axis=1, prepend=first).tobytes())
        content = tiff(lambda _: values, compression="zlib", rowsperstrip=len(values))(image)
        return exchange_strip(content, strip, predictor=2)

    return write


def exchange_strip(content: bytes, strip: bytes, predictor: int) -> bytes:
    """Put another strip, and its predictor, into a TIFF of one strip."""
    data = bytearray(content)
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        tags = file.pages.first.tags
        places = {code: tags[code].offset for code in (273, 279, 305) if code in tags}
    struct.pack_into("<HHII", data, places[273], 273, 4, 1, len(data))
    struct.pack_into("<HHII", data, places[279], 279, 4, 1, len(strip))
    # The name of the software, which is of no use, makes place for the predictor.
    struct.pack_into("<HHIHxx", data, places[305], 317, 3, 1, predictor)
    return bytes(data) + strip


def twelve_bits(image: np.ndarray) -> bytes:
    """Pack 12 bits for each pixel, as cameras and microscopes do."""
    values = deep(image)
    packed = (values[..., None] >> np.arange(11, -1, -1)) & 1
    rows = np.packbits(packed.reshape(len(values), -1).astype(np.uint8), axis=1)
    content = bytearray(tiff(lambda _: values, rowsperstrip=len(values))(image))
    with tifffile.TiffFile(io.BytesIO(bytes(content))) as file:
        tags = file.pages.first.tags
        struct.pack_into("<HHIHxx", content, tags[258].offset, 258, 3, 1, 12)
        struct.pack_into("<HHII", content, tags[273].offset, 273, 4, 1, len(content))
        struct.pack_into("<HHII", content, tags[279].offset, 279, 4, 1, rows.size)
    return bytes(content) + rows.tobytes()


def with_data_bar(image: np.ndarray) -> bytes:
    """Draw a bar below the image, white marks on black."""
    bar = np.zeros((14, image.shape[1]), np.uint8)
    bar[4:10, 6:-6:5] = 255
    return pillow("PNG")(np.vstack([image, bar]))


def same(image: np.ndarray) -> np.ndarray:
    return image


def as_float(image: np.ndarray) -> np.ndarray:
    return image.astype(np.float32)


@dataclass(frozen=True)
class Way:
    """A way to write a micrograph, and what reading gives: pixels, or a message."""

    write: Callable[[np.ndarray], bytes]
    gives: Callable[[np.ndarray], np.ndarray] | str = same
    ending: str = "tif"


DOUBLED = "holds 2 images; say which one is meant, --page 1 to 2"
WAYS = {
    "PNG": Way(pillow("PNG"), ending="png"),
    "PNG, 16 bits": Way(lambda image: pillow("PNG")(deep(image)), deep, "png"),
    "PNG, RGB": Way(pillow("PNG", "RGB"), ending="png"),
    "PNG, RGBA": Way(pillow("PNG", "RGBA"), ending="png"),
    "PNG, gray and alpha": Way(pillow("PNG", "LA"), ending="png"),
    "PNG, palette": Way(permuted_palette, ending="png"),
    "PNG, interlaced": Way(pillow("PNG", interlace=1), ending="png"),
    "PNG, RGB of 16 bits": Way(lambda image: png(planes(deep(image)), 2), deep, "png"),
    "PNG, RGBA of 16 bits": Way(
        lambda image: png(np.dstack([planes(deep(image)), deep(image) * 0 + 9]), 6), deep, "png"
    ),
    "PNG, gray and alpha of 16 bits": Way(
        lambda image: png(with_alpha(deep(image), 7), 4), deep, "png"
    ),
    "PNG, 4 bits": Way(lambda image: png(image // 16, 0, 4), lambda image: image // 16, "png"),
    "PNG, 2 bits": Way(lambda image: png(image // 64, 0, 2), lambda image: image // 64, "png"),
    "PNG, 1 bit": Way(
        lambda image: pillow("PNG")(image > 120), lambda image: image > 120, "png"
    ),
    "PNG, turned by Exif": Way(exif_oriented, ending="png"),
    "PNG under another name": Way(pillow("PNG"), ending="tif"),
    "BMP": Way(pillow("BMP"), ending="bmp"),
    "GIF": Way(pillow("GIF"), ending="gif"),
    "WebP": Way(pillow("WEBP", "RGB", lossless=True), ending="webp"),
    "TIFF": Way(tiff()),
    "TIFF, big-endian": Way(tiff(byteorder=">")),
    "TIFF, 16 bits big-endian": Way(tiff(deep, byteorder=">"), deep),
    "TIFF, BigTIFF": Way(tiff(bigtiff=True)),
    "TIFF, strips": Way(tiff(rowsperstrip=10)),
    "TIFF, Deflate": Way(tiff(compression="zlib", rowsperstrip=7)),
    "TIFF, Deflate of differences": Way(differences(8)),
    "TIFF, 16-bit differences": Way(differences(16), deep),
    "TIFF, float differences": Way(float_differences, as_float),
    "TIFF, LZW": Way(pillow("TIFF", compression="tiff_lzw")),
    "TIFF, LZW of differences": Way(
        pillow("TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    ),
    "TIFF, PackBits": Way(pillow("TIFF", compression="packbits")),
    "TIFF, Zstandard": Way(pillow("TIFF", compression="zstd")),
    "TIFF, tiles": Way(tiff(tile=(32, 48))),
    "TIFF, Deflate tiles of 16 bits": Way(tiff(deep, tile=(48, 16), compression="zlib"), deep),
    "TIFF, RGB": Way(tiff(planes, photometric="rgb")),
    "TIFF, RGB in planes": Way(
        tiff(lambda image: np.stack([image] * 3), photometric="rgb", planarconfig="separate")
    ),
    "TIFF, RGB in planes and tiles": Way(
        tiff(
            lambda image: np.stack([image] * 3),
            photometric="rgb",
            planarconfig="separate",
            tile=(32, 32),
            compression="zlib",
        )
    ),
    "TIFF, RGB of 16 bits": Way(tiff(lambda image: planes(deep(image)), photometric="rgb"), deep),
    "TIFF, gray and alpha": Way(
        tiff(with_alpha, photometric="minisblack", extrasamples=["unassalpha"])
    ),
    "TIFF, palette": Way(palette_tiff),
    "TIFF, CMYK": Way(tiff(inks, photometric="separated")),
    "TIFF, white is zero": Way(tiff(lambda image: 255 - image, photometric="miniswhite")),
    "TIFF, white is zero, Deflate": Way(
        tiff(lambda image: 255 - image, photometric="miniswhite", compression="zlib")
    ),
    "TIFF, 12 bits": Way(twelve_bits, deep),
    "TIFF, signed": Way(tiff(lambda image: image.astype(np.int16) - 90), lambda i: i - 90.0),
    "TIFF, 64 bits": Way(tiff(lambda image: image.astype(np.int64))),
    "TIFF, floats": Way(tiff(as_float), as_float),
    "TIFF, half floats": Way(tiff(lambda image: image.astype(np.float16)), as_float),
    "TIFF, 1 bit in CCITT": Way(
        lambda image: pillow("TIFF", compression="group4")(image > 120), lambda image: image > 120
    ),
    "TIFF, turned": Way(oriented(6)),
    "TIFF, mirrored": Way(oriented(2, compression="zlib")),
    "TIFF, turned and LZW": Way(oriented(8, compression="tiff_lzw", pillow=True)),
    "TIFF, transposed and LZW": Way(oriented(5, compression="tiff_lzw", pillow=True)),
    "TIFF, a thumbnail first": Way(pages((lambda image: image[::4, ::4], 1), (same, 0))),
    "TIFF, a thumbnail last": Way(pages((same, 0), (lambda image: image[::4, ::4], 1))),
    "TIFF, a mask": Way(pages((same, 0), (lambda image: image > 9, 4))),
    "OME-TIFF": Way(tiff(ome=True, metadata={"axes": "YX"})),
    "ImageJ": Way(tiff(imagej=True, metadata={})),
    "tifffile's shape": Way(tiff(lambda image: image[None], metadata={})),
    "NPY": Way(npy(), ending="npy"),
    "NPY, Fortran order": Way(npy(np.asfortranarray), ending="npy"),
    "NPY, an axis before": Way(npy(lambda image: image[None]), ending="npy"),
    "NPY, an axis behind": Way(npy(lambda image: image[..., None]), ending="npy"),
    "NPY, planes": Way(npy(planes), ending="npy"),
    "NPY, 16 bits": Way(npy(deep), deep, "npy"),
    "two images": Way(pages((same, 0), (same, 0)), DOUBLED),
    "two sizes": Way(pages((same, 0), (lambda image: image[:9], 0)), DOUBLED),
    "GIF of two": Way(animated("GIF"), DOUBLED, "gif"),
    "PNG of two": Way(animated("PNG"), DOUBLED, "png"),
    "ImageJ stack": Way(
        tiff(lambda image: np.stack([image] * 3), imagej=True, metadata={}), "holds"
    ),
    "NPY, a stack": Way(npy(lambda image: np.stack([image] * 5)), "--page 1 to 5", "npy"),
    "NPY, one axis": Way(npy(np.ravel), "rows and columns", "npy"),
    "NPY, complex": Way(npy(lambda image: image * 1j), "save whole numbers", "npy"),
    "NPY, text": Way(npy(lambda image: image.astype("S8000")[:9, :9]), "whole numbers", "npy"),
    "alpha that varies": Way(
        tiff(
            lambda image: np.dstack([image, image]),
            photometric="minisblack",
            extrasamples=["unassalpha"],
        ),
        "without an alpha channel",
    ),
    "white is zero, floats": Way(tiff(as_float, photometric="miniswhite"), "lowest value is white"),
    "complex samples": Way(tiff(lambda image: image.astype(np.complex64)), "complex"),
    "JPEG 2000": Way(pillow("JPEG2000"), "save it as PNG or TIFF", "jp2"),
    "AVIF": Way(pillow("AVIF"), "save it as PNG or TIFF", "png"),
    "PostScript": Way(pillow("EPS"), "PostScript file, which is not read", "png"),
    "PDF": Way(pillow("PDF"), "save it as PNG or TIFF", "png"),
    "Targa": Way(pillow("TGA"), "not an image of a known format", "png"),
}  # fmt: skip
