"""Decoding image files, good and bad."""

from __future__ import annotations

import io
import pickle
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from uhcs_bench.errors import UsageError
from uhcs_bench.io.images import Header, ImageError, read_image

MAP = np.arange(35, dtype=np.uint8).reshape(5, 7)


def png(array, mode=None, **options):
    stream = io.BytesIO()
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(stream, "PNG", **options)
    return stream.getvalue()


def png_claiming(width, height):
    """Build a PNG of a few bytes whose header claims any size."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 9))


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.bool_])
def test_png_round_trip(tmp_path, dtype):
    """Check gray PNGs of 1, 8 and 16 bits."""
    array = (MAP % 2 if dtype == np.bool_ else MAP).astype(dtype)
    read = read_image(write(tmp_path, "map.png", png(array)))
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16, np.float32, np.int8])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_round_trip(tmp_path, dtype, compression):
    """Check TIFFs of every depth in use, the deposit's int64 included."""
    path = tmp_path / "map.tif"
    tifffile.imwrite(path, MAP.astype(dtype), compression=compression)
    read = read_image(path)
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, MAP)


def test_tiff_with_lzw(tmp_path):
    """Check the compression that many programs write and that tifffile alone can't read."""
    path = tmp_path / "map.tif"
    Image.fromarray(MAP).save(path, compression="tiff_lzw")
    np.testing.assert_array_equal(read_image(path), MAP)


def test_npy_round_trip(tmp_path):
    """Check an array file, in Fortran order too."""
    np.save(tmp_path / "map.npy", np.asfortranarray(MAP))
    np.testing.assert_array_equal(read_image(tmp_path / "map.npy"), MAP)


def test_content_decides_on_the_format(tmp_path):
    """Check that a PNG is read whatever its name says."""
    np.testing.assert_array_equal(read_image(write(tmp_path, "map.tif", png(MAP))), MAP)


@pytest.mark.parametrize(
    ("content", "header"),
    [
        (png(MAP), Header((5, 7), np.dtype(np.uint8), "gray")),
        (png(MAP, "P"), Header((5, 7), np.dtype(np.uint8), "palette")),
        (png(MAP, "RGB"), Header((5, 7, 3), np.dtype(np.uint8), "color")),
        (png(MAP, "LA"), Header((5, 7, 2), np.dtype(np.uint8), "gray")),
    ],
)
def test_header_is_what_decoding_gives(tmp_path, content, header):
    """Check what the caller is told before pixels are decoded."""
    seen = []
    array = read_image(write(tmp_path, "map.png", content), seen.append)
    assert seen == [header]
    assert (array.shape, array.dtype) == (header.shape[:2], header.dtype)


@pytest.mark.parametrize("photometric", ["rgb", "palette"])
def test_tiff_colour_is_seen(tmp_path, photometric):
    """Check that colour and palette TIFFs are told from gray ones."""
    path = tmp_path / "map.tif"
    if photometric == "rgb":
        tifffile.imwrite(path, np.dstack([MAP] * 3), photometric="rgb")
    else:
        Image.fromarray(MAP).convert("P").save(path)
    seen = []
    read_image(path, seen.append)
    assert seen[0].color == {"rgb": "color"}.get(photometric, photometric)


def test_oversized_files_are_not_decoded(tmp_path):
    """Check that the caller can refuse a size before any memory is taken."""

    def refuse(header):
        raise UsageError(f"too large: {header.shape}")

    path = write(tmp_path, "map.png", png_claiming(12_000, 12_000))
    with pytest.raises(UsageError, match="12000, 12000"):
        read_image(path, refuse)


def test_absurd_sizes_are_refused(tmp_path):
    """Check that a PNG that claims 100,000 x 100,000 pixels is refused by itself."""
    with pytest.raises(ImageError, match="no micrograph has"):
        read_image(write(tmp_path, "map.png", png_claiming(100_000, 100_000)))


def npy(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("map.png", b"", "is empty"),
        ("map.png", b"no image at all", "not an image"),
        ("map.png", png(MAP)[:40], "not an image"),
        ("map.png", png(np.zeros((99, 99), np.uint8) + 7)[:-30], "can't be decoded"),
        ("map.tif", b"II*\0" + b"\xff" * 20, "can't be decoded"),
        ("map.npy", npy(MAP)[:-5], "can't be decoded"),
        ("map.npy", npy(np.array([{}]), allow_pickle=True), "pickled"),
        ("map.npy", pickle.dumps(MAP), "pickles are never loaded"),
        ("map.npy", png(MAP), "not a NumPy array file"),
    ],
)
def test_bad_files_are_refused(tmp_path, name, content, message):
    """Check that each kind of broken file gives a reason."""
    with pytest.raises(ImageError, match=message):
        read_image(write(tmp_path, name, content))


def test_pickles_are_not_executed(tmp_path):
    """Check that loading a pickle does not run what it says."""

    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    stream = io.BytesIO()
    np.save(stream, np.array([Payload()], dtype=object), allow_pickle=True)
    for content in (stream.getvalue(), pickle.dumps(Payload())):
        (tmp_path / "executed").unlink(missing_ok=True)
        with pytest.raises(ImageError):
            read_image(write(tmp_path, "map.npy", content))
        assert not (tmp_path / "executed").exists()


def test_missing_files_and_folders(tmp_path):
    """Check what is said of a path without a file."""
    with pytest.raises(ImageError, match="is not there"):
        read_image(tmp_path / "map.png")
    with pytest.raises(ImageError, match="not a regular file"):
        read_image(tmp_path)


COMPRESSIONS = {
    "none": 1,
    "lzw": 5,
    "deflate": 8,
    "adobe_deflate": 32946,
    "packbits": 32773,
}
DEPTHS = (1, 2, 4, 8, 10, 12, 16)


def tiff(values, bits, compression, photometric, orientation=1, order="<"):
    """Write a TIFF of one strip; libtiff's writer is not used for the tags that are tested."""
    rows, columns = values.shape
    if bits == 16:
        packed = values.astype(f"{order}u2").tobytes()
    else:
        planes = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        packed = np.packbits(planes.reshape(rows, -1).astype(np.uint8), axis=1).tobytes()
    width = len(packed) // rows
    lines = [packed[row * width : (row + 1) * width] for row in range(rows)]
    strip = {
        "none": lambda: packed,
        "lzw": lambda: lzw(packed),
        "deflate": lambda: zlib.compress(packed),
        "adobe_deflate": lambda: zlib.compress(packed),
        "packbits": lambda: b"".join(bytes([len(line) - 1]) + line for line in lines),
    }[compression]()
    colours = 3 * 2**bits if photometric == 3 else 0
    tags = [
        (256, 4, 1, columns),
        (257, 4, 1, rows),
        (258, 3, 1, bits),
        (259, 3, 1, COMPRESSIONS[compression]),
        (262, 3, 1, photometric),
        (273, 4, 1, 8),
        (274, 3, 1, orientation),
        (277, 3, 1, 1),
        (278, 4, 1, rows),
        (279, 4, 1, len(strip)),
    ]
    strip += b"\0" * (len(strip) % 2)
    if colours:
        tags.append((320, 3, colours, 8 + len(strip)))
        strip += np.arange(colours, dtype=f"{order}u2").tobytes()
    body = struct.pack(f"{order}H", len(tags))
    for code, kind, count, value in tags:
        # A short value stands at the beginning of its four bytes.
        form = "HHIHxx" if kind == 3 and count == 1 else "HHII"
        body += struct.pack(f"{order}{form}", code, kind, count, value)
    magic = {"<": b"II*\0", ">": b"MM\0*"}[order]
    return magic + struct.pack(f"{order}I", 8 + len(strip)) + strip + body + b"\0" * 4


def lzw(content):
    """Encode as LZW without its table: a clear code before every 200 bytes, codes of nine bits."""
    codes = []
    for start in range(0, len(content), 200):
        codes += [256, *content[start : start + 200]]
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    return int(bits.ljust(-8 * (-len(bits) // 8), "0"), 2).to_bytes(-(-len(bits) // 8), "big")


@pytest.mark.slow
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("photometric", ["white is zero", "black is zero", "palette"])
@pytest.mark.parametrize("bits", DEPTHS)
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_one_rule_for_every_tiff(tmp_path, compression, bits, photometric, order):
    """Check that values depend on the colour model and the kind of picture, and on nothing else."""
    code = ["white is zero", "black is zero", "palette"].index(photometric)
    stored = np.random.default_rng(0).integers(2**bits, size=(5, 7))
    content = tiff(stored, bits, compression, (0, 1, 3)[code], order=order)
    path = write(tmp_path, "map.tif", content)
    seen = []
    read = read_image(path, seen.append)
    assert seen[0].shape == read.shape[:2]
    assert seen[0].color == ("palette" if code == 2 else "gray")
    if code == 2:
        colours = np.arange(3 * 2**bits).reshape(3, -1).T % 2**16
        expected = colours[stored]
        np.testing.assert_array_equal(read, expected if bits < 16 else expected[..., 0])
        np.testing.assert_array_equal(read_image(path, kind="labels"), stored)
    elif code == 1:
        np.testing.assert_array_equal(read, stored)
        np.testing.assert_array_equal(read_image(path, kind="labels"), stored)
    else:
        np.testing.assert_array_equal(read, 2**bits - 1 - stored)
        with pytest.raises(ImageError, match="lowest value as black"):
            read_image(path, kind="labels")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("compression", ["none", "lzw"])
def test_orientation_is_applied(tmp_path, compression, bits, orientation):
    """Check all orientations against Pillow's own turning of a PNG."""
    turned = {
        1: MAP,
        2: np.fliplr(MAP),
        3: np.rot90(MAP, 2),
        4: np.flipud(MAP),
        5: MAP.T,
        6: np.rot90(MAP, -1),
        7: np.rot90(MAP.T, 2),
        8: np.rot90(MAP),
    }[orientation]
    content = tiff(MAP, bits, compression, 1, orientation)
    seen = []
    read = read_image(write(tmp_path, "map.tif", content), seen.append)
    np.testing.assert_array_equal(read, turned)
    assert seen[0].shape == read.shape


def test_orientation_of_other_files_is_applied(tmp_path):
    """Check a PNG's Exif data."""
    exif = Image.Exif()
    exif[274] = 6
    seen = []
    read = read_image(write(tmp_path, "map.png", png(MAP, exif=exif)), seen.append)
    np.testing.assert_array_equal(read, np.rot90(MAP, -1))
    assert seen[0].shape == read.shape


def test_white_as_zero_of_other_numbers_is_refused(tmp_path):
    """Check that floating-point values have no white."""
    path = tmp_path / "map.tif"
    tifffile.imwrite(path, MAP.astype(np.float32), photometric="miniswhite")
    with pytest.raises(ImageError, match="lowest value is white"):
        read_image(path)
