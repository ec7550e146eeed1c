"""Small files that claim, or inflate to, far more than a picture has.

Run as ``python tests/fuzzing/bombs.py NAME FOLDER``: reads one of them within a limit on memory,
and prints the outcome as JSON. The limit is ten times the pixels that the file declares, and
100 MB.
"""

from __future__ import annotations

import io
import json
import math
import resource
import struct
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import PIL.TiffImagePlugin
import tifffile

from uhcs_bench.io import images

SHAPE = (475, 645)
ROOM = 100 << 20
PIXELS = math.prod(SHAPE)


def directory(tags: dict[int, tuple[int, int]], strip: bytes) -> bytes:
    """Write a TIFF of one strip with any tags: {code: (type, value)}."""
    place = 8 + len(strip) + len(strip) % 2
    tags = {**tags, 273: (4, 8), 279: (4, len(strip))}
    body = b"".join(struct.pack("<HHII", code, kind, 1, value)
                    for code, (kind, value) in sorted(tags.items()))  # fmt: skip
    start = struct.pack("<2sHI", b"II", 42, place) + strip + b"\0" * (len(strip) % 2)
    return start + struct.pack("<H", len(tags)) + body + b"\0" * 4


def tiff(compression: int, strip: bytes, **changes: int) -> bytes:
    rows, columns = SHAPE
    tags = {256: (4, columns), 257: (4, rows), 258: (3, 8), 259: (3, compression), 262: (3, 1),
            277: (3, 1), 278: (4, rows)}  # fmt: skip
    tags |= {int(code[1:]): (4, value) for code, value in changes.items()}
    return directory(tags, strip)


def inflating(n_bytes: int) -> bytes:
    """Deflate so many zeros without holding them."""
    stream = zlib.compressobj(9)
    block = bytes(1 << 20)
    parts = [stream.compress(block) for _ in range(n_bytes >> 20)]
    return b"".join([*parts, stream.flush()])


def png(columns: int, rows: int, content: bytes) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        checked = name + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    return start + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def npy(shape: tuple[int, ...], dtype: str, n_bytes: int = 100) -> bytes:
    stream = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + bytes(n_bytes)


def ome(size_z: int) -> bytes:
    description = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0"><Pixels DimensionOrder="XYZCT" SizeX="645" SizeY="475" '
        f'SizeZ="{size_z}" SizeC="1" SizeT="1" Type="uint8" ID="Pixels:0"><TiffData/></Pixels>'
        "</Image></OME>"
    )
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.zeros(SHAPE, np.uint8), description=description, metadata=None)
    return stream.getvalue()


def many_pages(n: int) -> bytes:
    """Chain directories of one pixel."""
    size = 2 + 10 * 12 + 4
    content = [struct.pack("<2sHI", b"II", 42, 10), b"\0\0"]
    for index in range(n):
        after = 10 + (index + 1) * size if index < n - 1 else 0
        tags = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 1, 282: 0}
        body = b"".join(struct.pack("<HHII", code, 4, 1, tags[code]) for code in tags)
        content.append(struct.pack("<H", len(tags)) + body + struct.pack("<I", after))
    return b"".join(content)


def circular_pages() -> bytes:
    content = bytearray(many_pages(2))
    content[-4:] = struct.pack("<I", 10)
    return bytes(content)


def text_png() -> bytes:
    """Inflate a comment instead of pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        checked = name + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    plain = png(645, 475, zlib.compress(bytes(646 * 475)))
    comment = chunk(b"zTXt", b"a\0\0" + inflating(1 << 30))
    return plain[:33] + comment + plain[33:]


BOMBS = {
    "strip of 3 GB": lambda: tiff(8, inflating(3 << 30)),
    "LZW of nothing": lambda: tiff(5, b"\x80\x00" * 10),
    "tile of 60000 x 60000": lambda: directory(
        {256: (4, 645), 257: (4, 475), 258: (3, 8), 259: (3, 8), 262: (3, 1), 277: (3, 1),
         322: (4, 60_000), 323: (4, 60_000), 324: (4, 8), 325: (4, 20)}, bytes(20)),
    "tile of 60000 x 60000, LZW": lambda: directory(
        {256: (4, 645), 257: (4, 475), 258: (3, 8), 259: (3, 5), 262: (3, 1), 277: (3, 1),
         322: (4, 60_000), 323: (4, 60_000), 324: (4, 8), 325: (4, 20)}, bytes(20)),
    "rows of 4e9": lambda: tiff(8, inflating(1 << 20), t257=2**32 - 1),
    "columns of 4e9": lambda: tiff(1, bytes(100), t256=2**32 - 1),
    "12000 x 12000 in 20 bytes": lambda: tiff(5, bytes(20), t256=12_000, t257=12_000, t278=12_000),
    "65535 samples": lambda: tiff(8, inflating(1 << 20), t277=65_535),
    "64 bits": lambda: tiff(8, inflating(1 << 20), t258=64, t256=100_000, t257=1700, t278=1700),
    "a row per strip, one strip": lambda: tiff(8, inflating(1 << 20), t278=1),
    "OME of 1e8 planes": lambda: ome(10**8),
    "OME of 1e18 planes": lambda: ome(10**18),
    "100,000 pages": lambda: many_pages(100_000),
    "pages in a circle": circular_pages,
    "NPY of S8000": lambda: npy(SHAPE, "|S8000"),
    "NPY of 65535 classes": lambda: npy((*SHAPE, 65_535), "|u1"),
    "NPY of 1e18 pixels": lambda: npy((10**9, 10**9), "|u1"),
    "NPY of 30 axes": lambda: npy((2,) * 30, "|u1"),
    "NPY of long doubles": lambda: npy((9, 9), "<f16", 9 * 9 * 16),
    "PNG of 100000 x 100000": lambda: png(100_000, 100_000, zlib.compress(bytes(9))),
    "PNG of 12000 x 12000": lambda: png(12_000, 12_000, zlib.compress(bytes(9))),
    "PNG that inflates": lambda: png(645, 475, inflating(1 << 30)),
    "PNG with a comment of 1 GB": text_png,
}  # fmt: skip


def declared(name: str) -> int:
    """Bytes of the pixels that a file declares, as far as it may be decoded."""
    if name == "PNG of 12000 x 12000":
        return 12_000 * 12_000
    return PIXELS


def read(path: Path, kind: str) -> str:
    """Read within the bounds; give what came of it."""
    try:
        return f"read {images.read_image(path, kind=kind).shape}"  # type: ignore[arg-type]
    except images.ImageError as error:
        return f"refused: {error}"


def status(key: str) -> int:
    """Give a size of this process in bytes, as Linux states it."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def main() -> None:
    """Read one bomb and print the outcome."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    path = folder / ("a.npy" if name.startswith("NPY") else "a.tif")
    path.write_bytes(BOMBS[name]())
    # What reading imports, and the memory that libraries set aside once, is no use of the file's.
    tifffile.imwrite(folder / "warm.tif", np.zeros((9, 9), np.uint8), compression="zlib")
    PIL.Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "warm.png")
    for warm in ("warm.tif", "warm.png"):
        images.read_image(folder / warm)
    limit = status("VmSize") + ROOM + 10 * declared(name)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    start, before = time.process_time(), status("VmRSS")
    result = {
        "outcomes": [read(path, kind) for kind in ("micrograph", "labels")],
        "seconds": time.process_time() - start,
        "memory_mb": (status("VmHWM") - before) / 2**20,
    }
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
