"""Headers of microscopes: the true pixel size of files with the makers' own tags."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import tifffile

from uhcs_bench.measuring import headers, pixel_size

COLUMNS, ROWS = 512, 40
IMAGE = np.zeros((ROWS, COLUMNS), np.uint8)


def write(path, *tags, **options):
    """Write a TIFF with tags (code, type, value)."""
    extra = [(code, kind, len(value) if isinstance(value, bytes) else 1, value, True)
             for code, kind, value in tags]  # fmt: skip
    tifffile.imwrite(path, IMAGE, extratags=extra, **{"metadata": None, **options})
    return path


def text(content):
    return content.encode("cp1252") + b"\0"


def zeiss(*lines):
    """Write Zeiss's lines, each after the name of its parameter."""
    return text("1\r\n2\r\n3\r\n" + "".join(f"{name}\r\n{line}\r\n" for name, line in lines))


def fei(width="1e-8", columns=COLUMNS, section="Scan"):
    image = f"[Image]\r\nResolutionX={columns}\r\nResolutionY=30\r\n"
    return text(f"{image}[{section}]\r\nPixelWidth={width}\r\nPixelHeight={width}\r\n")


def ome(**values):
    attributes = " ".join(f'{name}="{value}"' for name, value in values.items())
    return (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Image ID="Image:0"><Pixels {attributes}></Pixels></Image></OME>'
    )


PIXEL, WIDTH = ("AP_PIXEL_SIZE", "Pixel Size = 5.825 nm"), ("AP_WIDTH", "Width = 5.965 \u00b5m")
PHENOM = (
    '<?xml version="1.0"?><FeiImage><databarHeight>64</databarHeight>'
    '<pixelWidth unit="nm">62.5</pixelWidth><pixelHeight unit="nm">62.5</pixelHeight></FeiImage>'
)
TESCAN = "[MAIN]\r\nDevice=MIRA3\r\nPixelSizeX=3.25e-8\r\nPixelSizeY=3.25e-8\r\n"

FILES = {
    "FEI": ([(34682, 2, fei())], {}, 0.01, "FEI header"),
    "FEI, older tag": ([(34680, 2, fei("5e-9", section="EScan"))], {}, 0.005, "FEI header"),
    "Zeiss, scan of 1024": ([(34118, 2, zeiss(PIXEL))], {}, 0.01165, "Zeiss header"),
    "Zeiss, with its width": ([(34118, 2, zeiss(PIXEL, WIDTH))], {}, 0.01165, "Zeiss header"),
    "Zeiss, its width alone": (
        [(34118, 2, zeiss(("AP_WIDTH", "Width = 51.2 \u00b5m")))], {}, 0.1, "Zeiss header",
    ),
    "Zeiss, the image's own": (
        [(34118, 2, zeiss(("AP_IMAGE_PIXEL_SIZE", "Image Pixel Size = 12.33 nm"), PIXEL,
                          ("DP_IMAGE_STORE", "Store resolution = 512 * 384")))],
        {}, 0.01233, "Zeiss header",
    ),
    "TESCAN": (
        [(50431, 7, b"\xff\xd8picture\xff\xd9" + text(TESCAN))], {}, 0.0325, "TESCAN header",
    ),
    "Phenom": ([(34682, 7, text(PHENOM))], {}, 0.0625, "Phenom header"),
    "Phenom, other tag": ([(34683, 7, text(PHENOM))], {}, 0.0625, "Phenom header"),
    "DigitalMicrograph": (
        [(65003, 2, b"nm\0"), (65004, 2, b"nm\0"), (65009, 12, 2.5), (65010, 12, 2.5)],
        {}, 0.0025, "DigitalMicrograph header",
    ),
    "OME": (
        [], {"description": ome(SizeX=COLUMNS, PhysicalSizeX=0.25, PhysicalSizeY=0.25)},
        0.25, "OME header",
    ),
    "OME with a unit": (
        [], {"description": ome(SizeX=COLUMNS, PhysicalSizeX=40, PhysicalSizeXUnit="nm")},
        0.04, "OME header",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_every_maker(tmp_path, kind):
    """Check the size that the maker's software shows."""
    tags, options, um, place = FILES[kind]
    scale = pixel_size.find(write(tmp_path / "a.tif", *tags, **options), IMAGE.shape)
    assert scale.um == pytest.approx(um, rel=1e-4)
    assert (scale.source, scale.warning) == (f"the file's {place}", "")


BESIDE = {
    "a.txt": ("$CM_FULL_SIZE 512 384\n$$SM_MICRON_BAR 160\n$$SM_MICRON_MARKER 5um\n", 5 / 160),
    "a.tif.txt": ("$$SM_MICRON_BAR 100\n$$SM_MICRON_MARKER 500nm\n", 0.005),
    "a.hdr": (TESCAN, 0.0325),
    "a-tif.hdr": (TESCAN, 0.0325),
}


@pytest.mark.parametrize("name", BESIDE)
def test_files_beside_an_image(tmp_path, name):
    """Check JEOL's and TESCAN's."""
    content, um = BESIDE[name]
    (tmp_path / name).write_text(content)
    scale = pixel_size.find(write(tmp_path / "a.tif"), IMAGE.shape)
    assert scale.um == pytest.approx(um)
    assert name in scale.source


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
def test_encodings_of_jeols_text(tmp_path, encoding):
    """Check that the micro sign is read in each encoding that microscopes write."""
    content = "$$SM_MICRON_BAR 200\n$$SM_MICRON_MARKER 10\u00b5m\n"
    (tmp_path / "a.txt").write_bytes(content.encode(encoding))
    assert pixel_size.find(write(tmp_path / "a.tif"), IMAGE.shape).um == 0.05


def test_hitachis_text(tmp_path):
    """Check nanometres, and that a text of something else says nothing."""
    path = write(tmp_path / "a.tif")
    (tmp_path / "a.txt").write_text("[SemImageFile]\nPixelSize=49.61\nDataSize=512x384\n")
    assert pixel_size.find(path, IMAGE.shape).um == pytest.approx(0.04961)
    path = write(tmp_path / "b.tif")
    (tmp_path / "b.txt").write_text("PixelSize=1 of my notes\n")
    assert pixel_size.find(path, IMAGE.shape).source == "none: the file holds no pixel size"


def test_phenoms_jpeg(tmp_path):
    """Check that its XML is found in other formats."""
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff" + PHENOM.encode() + b"\xff\xd9")
    assert pixel_size.find(tmp_path / "a.jpg", IMAGE.shape).um == 0.0625


N = 20_000
HOSTILE = {
    "a.txt": "$$SM_MICRON_BAR 100\n$$SM_MICRON_MARKER a" + " " * 50 * N + "b",
    "a.png.txt": "$$SM_MICRON_MARKER " * 2 * N,
    "a.hdr": "PixelSizeX=" + "1" * 50 * N,
    "a.png": "<FeiImage" + "<pixelWidth" * 4 * N,
    "a.jpg": "<FeiImage><pixelWidth" + ' unit="' * 5 * N,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_headers_made_to_take_long_are_read_at_once(tmp_path, name):
    """Check texts of a megabyte, for which a search that tries every pair would take an hour."""
    image = tmp_path / (name if name in ("a.png", "a.jpg") else "a.png")
    (tmp_path / name).write_text(HOSTILE[name])
    assert pixel_size.find(image, IMAGE.shape).um is None


OTHER_SCANS = {
    "FEI": [(34682, 2, fei(columns=1024))],
    "Zeiss": [
        (34118, 2, zeiss(("AP_IMAGE_PIXEL_SIZE", "Image Pixel Size = 12.33 nm"),
                         ("DP_IMAGE_STORE", "Store resolution = 1024 * 768")))
    ],
}  # fmt: skip


@pytest.mark.parametrize("maker", OTHER_SCANS)
def test_sizes_of_other_scans_are_not_taken(tmp_path, maker):
    """Check that a file with other columns than its scan has no size, and that this is said."""
    scale = pixel_size.find(write(tmp_path / "a.tif", *OTHER_SCANS[maker]), IMAGE.shape)
    assert scale.um is None
    assert scale.source == (
        f"none: the {maker} header is that of a scan of 1024 columns, and the file has 512: it was "
        "cropped or resized"
    )


def test_zeiss_that_contradicts_itself(tmp_path):
    """Check a width that does not fit the file's columns."""
    lines = (PIXEL, ("AP_WIDTH", "Width = 9.0 \u00b5m"))
    scale = pixel_size.find(write(tmp_path / "a.tif", (34118, 2, zeiss(*lines))), IMAGE.shape)
    assert scale.um is None
    assert "says 0.01165 um a pixel, but a width of 9 um for the file's 512 columns" in scale.source


NOT_UNDERSTOOD = {
    "FEI header has no pixel size": [(34682, 2, text("[User]\r\nUser=x\r\n"))],
    "TESCAN header has no pixel size": [(50431, 7, b"something else\0")],
    "Zeiss header has no pixel size": [(34118, 2, zeiss(("AP_MAG", "Mag = 4.53 K X")))],
    "Phenom header has no pixel size": [(34683, 7, b"<FeiImage><x/></FeiImage>\0")],
    "DigitalMicrograph header gives a pixel in '1/nm'": [(65003, 2, b"1/nm\0"), (65009, 12, 2.5)],
}


@pytest.mark.parametrize("message", NOT_UNDERSTOOD)
def test_what_is_not_understood_is_named(tmp_path, message):
    """Check that no header is called absent that is there."""
    scale = pixel_size.find(write(tmp_path / "a.tif", *NOT_UNDERSTOOD[message]), IMAGE.shape)
    assert scale.um is None
    assert message in scale.source


def test_ome_in_pixels_is_named(tmp_path):
    """Check OME's unit of pixels."""
    description = ome(SizeX=COLUMNS, PhysicalSizeX=1, PhysicalSizeXUnit="pixel")
    scale = pixel_size.find(write(tmp_path / "a.tif", description=description), IMAGE.shape)
    assert scale.source.startswith("none: the OME header gives a pixel in 'pixel'")


def sis(metres, offset):
    """Write the structure of Olympus SIS, which stands at an offset of its file."""
    head = struct.pack("<4s6xhhhhh6x32sH", b"SIS0", 0, 0, 1, 0, 124, b"name", 1)
    head += struct.pack("<hhI", 1, 1, offset + len(head) + 8)
    return head + struct.pack("<10xhdd8xd2x34s32s", -9, metres * 1e9, metres * 1e9, 100, b"", b"")


def test_olympus_sis(tmp_path):
    """Check metres, which stand on the second page."""
    path, blank = tmp_path / "a.tif", b"\0" * len(sis(1, 0))
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(IMAGE, metadata=None)
        tiff.write(IMAGE, extratags=[(33560, 7, len(blank), blank, True)], metadata=None)
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[1].tags[33560].valueoffset
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(sis(2.4e-7, offset))
    scale = pixel_size.find(path, IMAGE.shape)
    assert scale.um == pytest.approx(0.24)
    assert scale.source == "the file's Olympus SIS header"


def test_thumbnails_are_not_asked(tmp_path):
    """Check that the columns are those of the image, where a thumbnail comes first."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(IMAGE[::4, ::4], subfiletype=1, metadata=None)
        tiff.write(IMAGE, extratags=[(34682, 2, len(fei()), fei(), True)], metadata=None)
    assert pixel_size.find(tmp_path / "a.tif", IMAGE.shape).um == pytest.approx(0.01)


def test_absent_and_changed_files(tmp_path):
    """Check that what was read of a file is forgotten when the file changes."""
    path = tmp_path / "a.tif"
    assert headers.read(path) == headers.Found()
    write(path, (34682, 2, fei("1e-8")))
    assert pixel_size.find(path, IMAGE.shape).um == pytest.approx(0.01)
    write(path, (34682, 2, fei("2.5e-8")), software="so that the size changes")
    assert pixel_size.find(path, IMAGE.shape).um == pytest.approx(0.025)
