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
        (png(MAP, "LA"), Header((5, 7, 2), np.dtype(np.uint8), "color")),
    ],
)
def test_header_is_what_decoding_gives(tmp_path, content, header):
    """Check what the caller is told before pixels are decoded."""
    seen = []
    array = read_image(write(tmp_path, "map.png", content), seen.append)
    assert seen == [header]
    assert (array.shape, array.dtype) == (header.shape, header.dtype)


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
