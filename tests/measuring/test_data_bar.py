"""Data bars: found in every style, never where there is none, and cropped as the user says."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageDraw, ImageFont

import uhcs_bench
from uhcs_bench.errors import UsageError
from uhcs_bench.measuring import data_bar

RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Style:
    """How a maker draws a bar."""

    background: int
    ink: int
    share: float
    frame: bool = False
    lines: int = 1


STYLES = {
    "black": Style(0, 255, 0.07),
    "white": Style(255, 0, 0.07),
    "dark gray": Style(40, 230, 0.06),
    "middle gray": Style(128, 255, 0.09),
    "light gray": Style(200, 20, 0.1),
    "black with a frame": Style(0, 255, 0.08, frame=True),
    "white with a frame": Style(255, 0, 0.08, frame=True),
    "low": Style(0, 255, 0.045),
    "high": Style(0, 255, 0.2, lines=3),
    "two lines": Style(30, 250, 0.12, frame=True, lines=2),
}
TEXTS = ("15.0 kV   x5,000   HFW 41.4 um   WD 10.2 mm   SE", "UHCS 970C 90M   2014-03-07   5 um")


def with_bar(image, style):
    """Draw a bar below a micrograph; give both, and the bar's rows."""
    rows, columns = image.shape
    height = max(14, round(rows * style.share))
    bar = Image.new("L", (columns, height), style.background)
    draw = ImageDraw.Draw(bar)
    size = max(8, (height - 6) // style.lines - 3)
    font = ImageFont.load_default(size=min(size, 20))
    for line in range(style.lines):
        top = 3 + line * (height - 6) // style.lines
        draw.text((8, top), TEXTS[line % 2], fill=style.ink, font=font)
    draw.line((columns - 130, height // 2, columns - 20, height // 2), fill=style.ink, width=2)
    if style.frame:
        draw.rectangle((0, 0, columns - 1, height - 1), outline=style.ink)
        for x in range(columns // 4, columns, columns // 4):
            draw.line((x, 0, x, height), fill=style.ink)
    return np.vstack([image, np.asarray(bar)]), height


@cache
def micrographs():
    """Three synthetic micrographs of each task."""
    return [
        micrograph.image
        for task in ("particles", "microconstituents")
        for micrograph in uhcs_bench.load(task, version="synthetic")[:3]
    ]


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
def test_every_style_is_found(style):
    """Check the exact number of rows, for each maker's way to draw."""
    for image in micrographs():
        whole, rows = with_bar(image, STYLES[style])
        assert data_bar.find(whole) == data_bar.DataBar(
            rows, f"a flat band with lettering fills the lowest {rows} rows"
        )
        cropped, bar = data_bar.crop(whole)
        np.testing.assert_array_equal(cropped, image)
        assert bar.rows == rows


@pytest.mark.parametrize("style", ["black", "white", "light gray", "black with a frame"])
def test_bars_are_found_in_other_formats(style):
    """Check flat grays that compression has moved, deeper files and coloured lettering."""
    for image in micrographs():
        whole, rows = with_bar(image, STYLES[style])
        stream = io.BytesIO()
        Image.fromarray(whole).save(stream, "JPEG", quality=85)
        compressed = np.asarray(Image.open(stream))
        assert abs(data_bar.find(compressed).rows - rows) <= 1  # the block across the edge
        assert data_bar.find(whole.astype(np.uint16) * 16).rows == rows
        assert data_bar.find(whole.astype(np.float32) / 255).rows == rows
        coloured = np.dstack([whole, whole, whole])
        coloured[-rows:][whole[-rows:] == STYLES[style].ink] = (255, 200, 0)
        if STYLES[style].background == 0:
            assert data_bar.find(coloured).rows == rows


def test_micrographs_have_no_bar():
    """Check the synthetic micrographs, each cut at many rows, and turned."""
    for image in micrographs():
        for stop in range(60, len(image), 5):
            assert data_bar.find(image[:stop]) is None
        for turns in (1, 2, 3):
            assert data_bar.find(np.rot90(image, turns)) is None


@pytest.mark.usefixtures("real_data")
def test_the_benchmarks_micrographs_have_no_bar():
    """Check all 48, each cut at many rows."""
    for task in ("particles", "microconstituents"):
        for micrograph in uhcs_bench.load(task):
            for stop in (*range(100, len(micrograph.image), 41), len(micrograph.image)):
                assert data_bar.find(micrograph.image[:stop]) is None, micrograph.id


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((100, 100), np.uint8),
        np.full((100, 100), 255, np.uint8),
        np.vstack([RNG.integers(50, 200, (90, 100)), np.zeros((30, 100))]),
        np.vstack([RNG.integers(50, 200, (90, 100)), RNG.integers(0, 9, (30, 100))]),
        RNG.integers(0, 2, (100, 100)),
        np.zeros((1, 1)),
        np.full((60, 60), np.nan),
        RNG.choice([np.inf, -1e308, 1e308, 5e-324, np.nan], (60, 60)),
        np.tile(np.linspace(255, 0, 200)[:, None], (1, 100)),
    ],
    ids=["black", "white", "padding", "dark", "binary", "pixel", "nan", "extremes", "vignette"],
)
def test_what_is_no_bar(image):
    """Check flat, dark and odd images: without lettering there is nothing to crop."""
    assert data_bar.find(image) is None


def fei(path, image, scan_rows, bar_rows, **options):
    text = f"[Image]\r\nResolutionX={image.shape[1]}\r\nResolutionY={scan_rows}\r\n"
    text += f"[PrivateFei]\r\nDatabarHeight={bar_rows}\r\n[Scan]\r\nPixelWidth=1e-8\r\n"
    tag = (34682, 2, len(text) + 1, text.encode() + b"\0", True)
    tifffile.imwrite(path, image, extratags=[tag], metadata=None, **options)


def test_the_header_comes_first(tmp_path):
    """Check that FEI's rows are believed where the pixels show nothing, and only if they fit."""
    image = RNG.integers(0, 255, (471, 512), dtype=np.uint8)
    fei(tmp_path / "a.tif", image, 442, 29)
    assert data_bar.find(image, tmp_path / "a.tif") == data_bar.DataBar(
        29, "the FEI header gives the scan 442 of the 471 rows"
    )
    cropped = image[:442]
    fei(tmp_path / "b.tif", cropped, 442, 29)
    assert data_bar.find(cropped, tmp_path / "b.tif") is None


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (50431, "Note=x\nPixelSizeX=1e-8\nPixelSizeY=1e-8\nImageStripSize=70\n"),
        (
            34682,
            "<FeiImage><databarHeight>70</databarHeight></FeiImage>",
        ),
    ],
    ids=["TESCAN", "Phenom"],
)
def test_other_headers_state_the_bar(tmp_path, code, text):
    """Check TESCAN's and Phenom's number of rows."""
    image = RNG.integers(0, 255, (600, 500), dtype=np.uint8)
    tag = (code, 7, len(text), text.encode(), True)
    tifffile.imwrite(tmp_path / "a.tif", image, extratags=[tag], metadata=None)
    assert data_bar.find(image, tmp_path / "a.tif").rows == 70


def test_the_registrys_frames_are_known(tmp_path):
    """Check UHCSDB's 522 rows by name, and that another name says nothing."""
    image = RNG.integers(0, 255, (522, 645), dtype=np.uint8)
    assert data_bar.find(image, tmp_path / "uhcs0006.png") == data_bar.DataBar(
        38, "the registry's uhcs0006 has 484 rows"
    )
    assert data_bar.find(image, tmp_path / "mine.png") is None
    assert data_bar.find(image[:484], tmp_path / "uhcs0006.png") is None


def test_label_maps_are_cropped_by_name_alone(tmp_path):
    """Check that particles are not taken for lettering."""
    labels = np.vstack([RNG.integers(0, 2, (100, 200)), np.zeros((20, 200), int)]).astype(np.uint8)
    labels[104:116, 8:-8:5] = 1
    assert data_bar.crop(labels, "auto", tmp_path / "a.png", by_pixels=False)[1] is None
    labels = np.zeros((522, 645), np.uint8)
    cropped, bar = data_bar.crop(labels, "auto", tmp_path / "uhcs0006.png", by_pixels=False)
    assert (cropped.shape, bar.rows) == ((484, 645), 38)


def test_the_user_comes_before_all():
    """Check a number of rows, none, and numbers that leave nothing."""
    whole, rows = with_bar(micrographs()[0], STYLES["black"])
    assert data_bar.crop(whole, "none") == (pytest.approx(whole), None)
    assert data_bar.crop(whole, 0)[1] is None
    cropped, bar = data_bar.crop(whole, 5)
    assert len(cropped) == len(whole) - 5
    assert bar.reason == "the user said 5 rows"
    fewest = data_bar.FEWEST_LEFT
    assert len(data_bar.crop(whole, len(whole) - fewest)[0]) == fewest
    for number in (len(whole) - fewest + 1, len(whole), len(whole) + 1):
        with pytest.raises(UsageError, match=f"would remain .* {fewest} are the fewest"):
            data_bar.crop(whole, number)
    assert rows > 5


@pytest.mark.parametrize(("text", "value"), [("auto", "auto"), ("none", "none"), ("38", 38)])
def test_option_is_read(text, value):
    """Check the three forms."""
    assert data_bar.parse(text) == value


@pytest.mark.parametrize("text", ["", "-1", "1.5", "all", "\u0663"])
def test_other_options_are_refused(text):
    """Check what is none of them."""
    with pytest.raises(UsageError, match="auto to look"):
        data_bar.parse(text)


@pytest.mark.parametrize("style", STYLES)
def test_bars_at_the_upper_edge_are_named(style):
    """Check that each style of bar is found there as well, and is said with its rows."""
    whole, rows = with_bar(micrographs()[0], STYLES[style])
    said = data_bar.lettering(np.ascontiguousarray(whole[::-1]))
    assert said.startswith("a data bar fills the uppermost ")
    found = int(said.split()[6])
    assert abs(found - rows) <= 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(("level", "height", "width"), [(255, 3, 40), (0, 6, 90), (255, 12, 130)])
def test_scale_bars_drawn_into_the_picture_are_named(level, height, width, dtype):
    """Check a bar with a label above it, in several depths."""
    image = micrographs()[0].copy()
    top, left = len(image) - 30, image.shape[1] - width - 20
    image[top : top + height, left : left + width] = level
    image[top - 14 : top - 6, left : left + 30 : 3] = level
    said = data_bar.lettering(image.astype(dtype) * (257 if dtype == np.uint16 else 1))
    assert f"{width} x {height} px from row {top} and column {left} on" in said


def test_generated_micrographs_have_no_lettering():
    """Check every one of both tasks."""
    for image in micrographs():
        assert data_bar.lettering(image) == ""


@pytest.mark.usefixtures("real_data")
def test_the_benchmarks_micrographs_have_no_lettering():
    """Check all 48."""
    for task in ("particles", "microconstituents"):
        for micrograph in uhcs_bench.load(task):
            assert data_bar.lettering(micrograph.image) == "", micrograph.id
