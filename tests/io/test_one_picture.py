"""One micrograph, written in every way that people use: the same pixels, or a remedy."""

from __future__ import annotations

import logging
import re
import threading
import warnings
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import uhcs_bench
from tests.helpers.pictures import WAYS, Way, pillow, planes, png, tiff, with_data_bar
from uhcs_bench.io.images import ImageError, decode_image, read_image
from uhcs_bench.measuring import data_bar

ROWS, COLUMNS = 96, 128


def crops(version: str) -> list[np.ndarray]:
    """The middle of 24 micrographs, of odd size so that nothing fits a tile."""
    return [
        micrograph.image[10 : 10 + ROWS + 1, 20 : 20 + COLUMNS + 3]
        for micrograph in uhcs_bench.load("particles", version=version)
    ]


def check(folder, way: Way, image: np.ndarray) -> None:
    path = folder / f"a.{way.ending}"
    try:
        path.write_bytes(way.write(image))
    except (KeyError, OSError) as error:
        pytest.skip(f"this Pillow does not write it: {error}")
    if isinstance(way.gives, str):
        with pytest.raises(ImageError, match=re.escape(way.gives)):
            read_image(path)
        return
    read, expected = read_image(path), way.gives(image)
    np.testing.assert_array_equal(read, expected)
    assert read.ndim == 2
    if expected.dtype.kind == "u":
        assert read.dtype.itemsize >= expected.dtype.itemsize


@pytest.mark.slow
@pytest.mark.parametrize("name", WAYS)
def test_synthetic_micrographs(tmp_path, name):
    """Check all 24, written in each way."""
    for image in crops("synthetic"):
        check(tmp_path, WAYS[name], image)


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_the_benchmarks_micrographs(tmp_path):
    """Check the real 24, each written in all ways."""
    images = crops("1.0")
    for way in WAYS.values():
        for image in images:
            check(tmp_path, way, image)


class _Absent:
    """Stands for a package whose use is a mistake."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"imagecodecs.{name} was used")


@pytest.mark.parametrize("name", [name for name in WAYS if "TIFF" in name])
def test_imagecodecs_is_not_asked(tmp_path, monkeypatch, name):
    """Check that pixels don't depend on what else is installed."""
    image = crops("synthetic")[0]
    way = WAYS[name]
    content = way.write(image)
    monkeypatch.setattr(tifffile.tifffile, "imagecodecs", _Absent(), raising=False)
    check(tmp_path, Way(lambda _: content, way.gives), image)


@pytest.mark.parametrize("name", ["two images", "two sizes", "GIF of two", "PNG of two"])
def test_a_page_is_chosen(tmp_path, name):
    """Check the first of two, and numbers that are none of them."""
    way, image = WAYS[name], crops("synthetic")[0]
    path = tmp_path / f"a.{way.ending}"
    path.write_bytes(way.write(image))
    np.testing.assert_array_equal(read_image(path, page=1), image)
    assert read_image(path, page=2).shape[1] == image.shape[1]
    for page in (0, 3, -1):
        with pytest.raises(ImageError, match=f"has no page {page}; it holds 2 images"):
            read_image(path, page=page)


@pytest.mark.parametrize(
    "name",
    [name for name, way in WAYS.items() if way.ending != "npy" and not isinstance(way.gives, str)],
)
def test_pictures_in_memory(name):
    """Check that members of a zip are read as files are."""
    way, image = WAYS[name], crops("synthetic")[0]
    np.testing.assert_array_equal(decode_image(way.write(image)), way.gives(image))


def test_a_page_of_a_stack_is_chosen(tmp_path):
    """Check array files."""
    stack = np.stack([crops("synthetic")[index] for index in range(5)])
    np.save(tmp_path / "a.npy", stack)
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy", page=4), stack[3])
    with pytest.raises(ImageError, match="has no page 6; it holds 5 images"):
        read_image(tmp_path / "a.npy", page=6)


def test_jpeg_and_colours_are_read_as_micrographs(tmp_path):
    """Check that JPEG is near the image, and that colours keep their three planes."""
    image = crops("synthetic")[0]
    (tmp_path / "a.jpg").write_bytes(pillow("JPEG", quality=95)(image))
    read = read_image(tmp_path / "a.jpg").astype(float)
    assert abs(read - image).mean() < 3
    colours = planes(image)
    colours[0, 0] = (1, 2, 3)
    tifffile.imwrite(tmp_path / "b.tif", colours, photometric="rgb")
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif"), colours)
    with pytest.raises(ImageError, match="colour image"):
        read_image(tmp_path / "b.tif", kind="labels")


@pytest.mark.parametrize("subsampling", [0, 2])
def test_jpeg_in_tiff(tmp_path, subsampling):
    """Check gray and YCbCr strips as micrographs, and that label maps are refused."""
    image = crops("synthetic")[0]
    for mode in ("L", "RGB"):
        write = pillow("TIFF", mode, compression="jpeg", quality=95, subsampling=subsampling)
        (tmp_path / "a.tif").write_bytes(write(image))
        read = read_image(tmp_path / "a.tif").astype(float)
        gray = read.mean(axis=2) if read.ndim == 3 else read
        assert abs(gray - image).mean() < 4
        with pytest.raises(ImageError, match="JPEG, which changes labels"):
            read_image(tmp_path / "a.tif", kind="labels")


def test_inks_give_what_they_leave_of_white(tmp_path):
    """Check CMYK against Pillow's conversion, for random inks."""
    values = np.random.default_rng(0).integers(0, 256, (30, 40, 4), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="separated")
    expected = np.array(Image.fromarray(values, "CMYK").convert("RGB")).astype(int)
    assert abs(read_image(tmp_path / "a.tif").astype(int) - expected).max() <= 1


def test_data_bars_are_cropped(tmp_path):
    """Check that a bar below the image leaves the same pixels."""
    for image in crops("synthetic"):
        (tmp_path / "a.png").write_bytes(with_data_bar(image))
        read, bar = data_bar.crop(read_image(tmp_path / "a.png"))
        np.testing.assert_array_equal(read, image)
        assert bar.rows == 14


LABELS = np.random.default_rng(0).integers(0, 4, (30, 41), dtype=np.uint8)


def damaged(content: bytes, start: int) -> bytes:
    data = bytearray(content)
    for place in range(start, start + 12):
        data[place] ^= 0x55
    return bytes(data)


LABEL_FILES = {
    "PNG of 2 bits": (png(LABELS, 0, 2), None),
    "PNG of a palette": (pillow("PNG", "P")(LABELS), None),
    "TIFF of CCITT": (pillow("TIFF", compression="group4")(LABELS > 1), LABELS > 1),
    "TIFF of 1 bit": (pillow("TIFF")(LABELS > 1), LABELS > 1),
    "TIFF of 1 bit and LZW": (pillow("TIFF", compression="tiff_lzw")(LABELS > 1), LABELS > 1),
    "TIFF of 64 bits": (tiff(lambda image: image.astype(np.int64))(LABELS), None),
    "damaged CCITT": (damaged(pillow("TIFF", compression="group4")(LABELS > 1), 20), "is damaged"),
    "damaged Deflate": (damaged(tiff(compression="zlib")(LABELS), 300), "is damaged"),
    "white is zero": (tiff(photometric="miniswhite")(LABELS), "lowest value as black"),
    "white is zero, 1 bit": (tiff(photometric="miniswhite")(LABELS > 1), "lowest value as black"),
    "JPEG": (pillow("JPEG")(LABELS), "is a JPEG file, whatever its name says"),
    "MPO": (pillow("MPO", save_all=True, append_images=[Image.new("L", (41, 30))])(LABELS), "JPEG"),
    "AVIF": (pillow("AVIF")(LABELS), "AVIF"),
    "WebP": (pillow("WEBP", lossless=True)(LABELS), "WEBP file"),
    "GIF": (pillow("GIF")(LABELS), "GIF file"),
    "PostScript": (pillow("EPS")(LABELS), "PostScript"),
}


@pytest.mark.parametrize("name", LABEL_FILES)
def test_label_maps(tmp_path, name, capfd):
    """Check what a label map may be, and that libtiff says nothing on the terminal."""
    content, expected = LABEL_FILES[name]
    path = tmp_path / "a.png"
    path.write_bytes(content)
    if isinstance(expected, str):
        with pytest.raises(ImageError, match=expected):
            read_image(path, kind="labels")
    else:
        labels = LABELS if expected is None else expected
        np.testing.assert_array_equal(read_image(path, kind="labels"), labels)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("level", [0, 1, 9])
def test_no_damage_of_a_png_is_silent(tmp_path, level):
    """Check that a flipped bit anywhere is noticed, or changes no pixel."""
    content = pillow("PNG", compress_level=level)(LABELS)
    path = tmp_path / "a.png"
    for place in range(len(content)):
        data = bytearray(content)
        data[place] ^= 1 << (place % 8)
        path.write_bytes(data)
        try:
            read = read_image(path, kind="labels")
        except ImageError:
            continue
        np.testing.assert_array_equal(read, LABELS)


def test_references_of_ome_are_not_followed(tmp_path):
    """Check that a file gives its own pixels where its description names another's."""
    other = tmp_path / "other.tif"
    tifffile.imwrite(other, np.full((8, 9), 7, np.uint8), ome=True)
    description = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        'UUID="urn:uuid:00000000-0000-0000-0000-000000000001"><Image ID="Image:0"><Pixels '
        'DimensionOrder="XYZCT" ID="Pixels:0" SizeC="1" SizeT="1" SizeX="9" SizeY="8" SizeZ="1" '
        'Type="uint8"><TiffData IFD="0"><UUID FileName="other.tif">urn:uuid:'
        "00000000-0000-0000-0000-000000000002</UUID></TiffData></Pixels></Image></OME>"
    )
    own = np.ones((8, 9), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", own, description=description, metadata=None)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), own)


def test_logger_and_warnings_are_left_as_they_were(tmp_path):
    """Check process-wide state after damaged and good files in many threads."""
    paths = []
    for index, name in enumerate(("TIFF", "PNG", "TIFF, LZW", "GIF", "two images")):
        paths.append(tmp_path / f"{index}.{WAYS[name].ending}")
        paths[-1].write_bytes(WAYS[name].write(crops("synthetic")[0]))
    paths.append(tmp_path / "damaged.tif")
    paths[-1].write_bytes(b"II*\0" + b"\xff" * 300)
    logger = logging.getLogger("tifffile")
    before = (logger.disabled, list(warnings.filters))

    def read_all() -> None:
        for path in paths * 5:
            with suppress(ImageError):
                read_image(path)

    threads = [threading.Thread(target=read_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (logger.disabled, list(warnings.filters)) == before
