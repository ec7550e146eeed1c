"""Pixel sizes: what is believed, in which order, and what is not."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

import uhcs_bench
from uhcs_bench.data import registry
from uhcs_bench.errors import UsageError
from uhcs_bench.measuring import pixel_size

IMAGE = np.zeros((20, 30), np.uint8)
UNKNOWN = "none: the file holds no pixel size"


def fei_header(width_m, height_m=None):
    height_m = width_m if height_m is None else height_m
    return f"[User]\r\nUser=x\r\n[Scan]\r\nPixelWidth={width_m}\r\nPixelHeight={height_m}\r\n"


def zeiss_header(text):
    return f"1\r\n2\r\n3\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = {text}\r\n"


def write_tiff(path, **options):
    tifffile.imwrite(path, IMAGE, **options)
    return path


def with_tag(path, code, text, **options):
    value = text.encode("cp1252")
    return write_tiff(path, extratags=[(code, 2, len(value) + 1, value + b"\0", True)], **options)


def found(path):
    return pixel_size.find(path, IMAGE.shape)


@pytest.mark.parametrize(
    ("header", "um"), [("5.078e-009", 0.005078), ("1e-6", 1.0), ("3.25e-8", 0.0325)]
)
def test_fei_header(tmp_path, header, um):
    """Check that metres become micrometres, and come before the resolution tags."""
    path = with_tag(tmp_path / "a.tif", 34682, fei_header(header), resolution=(1e5, 1e5))
    scale = found(path)
    assert scale.um == pytest.approx(um)
    assert scale.source == "the file's FEI header"


@pytest.mark.parametrize(
    ("text", "um"), [("5.582 nm", 0.005582), ("1.25 µm", 1.25), ("372.2 pm", 0.0003722)]
)
def test_zeiss_header(tmp_path, text, um):
    """Check each unit that Zeiss writes."""
    scale = found(with_tag(tmp_path / "a.tif", 34118, zeiss_header(text)))
    assert (scale.um, scale.source) == (pytest.approx(um), "the file's Zeiss header")


@pytest.mark.parametrize(
    ("unit", "per_unit", "um"),
    [
        ("um", 25.8, 1 / 25.8),
        ("\\u00B5m", 4.0, 0.25),  # as ImageJ escapes it
        ("micron", 4.0, 0.25),
        ("nm", 0.05, 0.02),
        ("mm", 1e4, 0.1),
    ],
)
def test_imagej_scale(tmp_path, unit, per_unit, um):
    """Check that pixels per unit become a pixel's edge."""
    path = tmp_path / "a.tif"
    write_tiff(path, imagej=True, resolution=(per_unit, per_unit), metadata={"unit": unit})
    scale = found(path)
    assert scale.um == pytest.approx(um, rel=1e-6)
    assert scale.source == "the file's ImageJ scale"


@pytest.mark.parametrize("unit", ["pixel", ""])
def test_imagej_without_a_length(tmp_path, unit):
    """Check that a resolution in pixels says nothing."""
    path = tmp_path / "a.tif"
    write_tiff(path, imagej=True, resolution=(4, 4), metadata={"unit": unit})
    assert found(path) == pixel_size.Scale(None, UNKNOWN)


def test_imagej_with_an_unknown_unit(tmp_path):
    """Check that what is found and not understood is named."""
    path = tmp_path / "a.tif"
    write_tiff(path, imagej=True, resolution=(4, 4), metadata={"unit": "furlong"})
    assert found(path).um is None
    assert found(path).source == (
        "none: the ImageJ scale is in 'furlong', which is no unit of length: set the scale in it, "
        "or give --pixel-size"
    )


@pytest.mark.parametrize("unit", ["MILLIMETER", "MICROMETER"])
def test_tifffiles_resolution_units(tmp_path, unit):
    """Check the units 4 and 5, which TIFF 6.0 does not have."""
    path, per_unit = tmp_path / "a.tif", {"MILLIMETER": 4000, "MICROMETER": 4}[unit]
    write_tiff(path, resolution=(per_unit, per_unit), resolutionunit=unit, metadata=None)
    assert found(path).um == pytest.approx(0.25)
    assert found(path).warning == ""


def test_sources_that_disagree_are_named(tmp_path):
    """Check header against resolution, and registry against header; the first is taken."""
    header = fei_header("1e-8")
    options = {"resolution": (1e6, 1e6), "resolutionunit": "CENTIMETER", "metadata": None}
    scale = found(with_tag(tmp_path / "a.tif", 34682, header, **options))
    assert scale.um == pytest.approx(0.01)
    options["resolution"] = (2e6, 2e6)
    scale = found(with_tag(tmp_path / "b.tif", 34682, header, **options))
    assert scale.um == pytest.approx(0.01)
    assert scale.warning == (
        "the FEI header says 0.01 um a pixel, the file's TIFF resolution 0.005 um; the first was "
        "taken"
    )
    path = with_tag(tmp_path / "uhcs0006.tif", 34682, header, metadata=None)
    scale = pixel_size.find(path, (484, 645))
    assert scale.um == 0.16129
    assert scale.warning.startswith("the registry says 0.1613 um a pixel, the file's FEI header")
    assert pixel_size.find(path, (484, 645), 0.5).warning == (
        "the user says 0.5 um a pixel, the registry 0.1613 um; the file's FEI header 0.01 um; the "
        "first was taken"
    )


def test_sources_that_agree_are_not_named(tmp_path):
    """Check that the same size twice is no warning."""
    options = {"resolution": (1e6, 1e6), "resolutionunit": "CENTIMETER", "metadata": None}
    assert found(with_tag(tmp_path / "a.tif", 34682, fei_header("1e-8"), **options)).warning == ""


@pytest.mark.parametrize(
    ("unit", "per_unit", "um"),
    [("CENTIMETER", 257_998, 1e4 / 257_998), ("INCH", 655_316, 25_400 / 655_316)],
)
def test_tiff_resolution(tmp_path, unit, per_unit, um):
    """Check resolutions that only a microscope has."""
    path = write_tiff(
        tmp_path / "a.tif", resolution=(per_unit, per_unit), resolutionunit=unit, metadata=None
    )
    scale = found(path)
    assert (scale.um, scale.source) == (pytest.approx(um), "the file's TIFF resolution")


@pytest.mark.parametrize("dpi", [72, 96, 150, 300, 600, 1200, 2400])
@pytest.mark.parametrize("ending", ["tif", "png", "jpg"])
def test_resolution_of_screens_and_printers_is_not_believed(tmp_path, dpi, ending):
    """Check that no format's usual resolution passes for a scale, and that it is named."""
    path = tmp_path / f"a.{ending}"
    if ending == "tif":
        write_tiff(path, resolution=(dpi, dpi), resolutionunit="INCH", metadata=None)
    else:
        Image.fromarray(IMAGE).save(path, dpi=(dpi, dpi))
    scale = found(path)
    assert scale.um is None
    assert scale.source.startswith("none: the ")
    assert " dpi is that of a screen or printer" in scale.source
    assert scale.warning == ""


def test_png_resolution_of_a_microscope(tmp_path):
    """Check that pixels per metre are read where they are fine enough."""
    path = tmp_path / "a.png"
    Image.fromarray(IMAGE).save(path, dpi=(25_400 / 0.25, 25_400 / 0.25))
    scale = found(path)
    assert (scale.um, scale.source) == (pytest.approx(0.25, rel=1e-5), "the file's PNG resolution")


@pytest.mark.parametrize("metres", ["5e-13", "2e-3"])
def test_absurd_header_is_ignored_with_a_warning(tmp_path, metres):
    """Check less than 1 pm and more than 1 mm; the next thing that the file says is taken."""
    header = fei_header(metres)
    alone = found(with_tag(tmp_path / "a.tif", 34682, header, metadata=None))
    assert alone.um is None
    assert "which no pixel has" in alone.source
    assert alone.warning.endswith("which no pixel has; it was ignored")
    options = {"resolution": (1e5, 1e5), "resolutionunit": "CENTIMETER", "metadata": None}
    second = found(with_tag(tmp_path / "b.tif", 34682, header, **options))
    assert second.um == pytest.approx(0.1)
    assert second.warning


def test_rectangular_pixels_are_refused(tmp_path):
    """Check that one length can't stand for both, and that no other source covers it up."""
    options = {"resolution": (1e5, 1e5), "resolutionunit": "CENTIMETER", "metadata": None}
    scale = found(with_tag(tmp_path / "a.tif", 34682, fei_header("1e-8", "2e-8"), **options))
    assert scale.um is None
    assert scale.warning == (
        "the FEI header says pixels of 0.01 x 0.02 um, which are not square: resample the image, "
        "and give its --pixel-size"
    )
    assert scale.source == f"none: {scale.warning}"


@pytest.mark.parametrize("um", [0, -1, 9e-7, 1001, float("nan"), float("inf")])
def test_impossible_size_from_the_user_is_refused(tmp_path, um):
    """Check the ends, and what is no number."""
    with pytest.raises(UsageError, match="not possible"):
        pixel_size.find(tmp_path / "a.png", (1, 1), um)


@pytest.mark.parametrize(
    ("um", "is_doubted"), [(0.04, False), (9.9, False), (10, True), (40, True)]
)
def test_nanometres_in_the_place_of_micrometres_are_doubted(tmp_path, um, is_doubted):
    """Check the warning and its advice; the size that was given is taken all the same."""
    Image.fromarray(IMAGE).save(tmp_path / "a.png")
    scale = pixel_size.find(tmp_path / "a.png", IMAGE.shape, um)
    assert (scale.um, scale.source) == (um, pixel_size.GIVEN)
    assert (f"given with their unit, {um}nm" in scale.warning) == is_doubted


def test_headers_are_doubted_as_users_are(tmp_path):
    """Check that a file's own scale of a size that no micrograph has is taken with a warning."""
    description = "ImageJ=1.53\nunit=um\n"
    tifffile.imwrite(
        tmp_path / "a.tif",
        IMAGE,
        resolution=(1 / 40, 1 / 40),
        description=description,
        metadata=None,
    )
    scale = pixel_size.find(tmp_path / "a.tif", IMAGE.shape)
    assert scale.um == pytest.approx(40)
    assert "a pixel of 40 um is larger than a micrograph's" in scale.warning
    assert "nm" not in scale.warning


@pytest.mark.parametrize(
    ("text", "um"),
    [
        ("0.04", 0.04),
        ("0,04", 0.04),
        ("40nm", 0.04),
        ("40 nm", 0.04),
        ("0.04µm", 0.04),
        ("1mm", 1e3),
    ],
)
def test_sizes_are_read_with_and_without_a_unit(text, um):
    """Check both decimal marks and units of length."""
    assert pixel_size.read_um(text) == pytest.approx(um)


@pytest.mark.parametrize("text", ["", "forty", "40 px", "1_0", "files.csv"])
def test_what_is_no_size_is_refused(text):
    """Check words, other units and names of tables."""
    with pytest.raises(ValueError, match=r".*"):
        pixel_size.read_um(text)


def test_the_user_comes_before_registry_and_file(tmp_path):
    """Check the order of the first two, and that their disagreement is named."""
    path = tmp_path / "uhcs0006.png"
    found = pixel_size.find(path, (484, 645), 0.5)
    assert (found.um, found.source) == (0.5, "given by the user")
    assert found.warning == (
        "the user says 0.5 um a pixel, the registry 0.1613 um; the first was taken"
    )
    assert pixel_size.find(path, (484, 645), 0.1613).warning == ""
    assert pixel_size.find(path, (100, 100), 0.5).warning == ""
    assert pixel_size.find(path, (484, 645)).um == 0.16129


@pytest.mark.parametrize("task", ["particles", "microconstituents"])
def test_every_micrograph_has_the_registrys_size(tmp_path, task):
    """Check all names, for either task's labels, and that the source is named."""
    for entry in registry.entries(task):
        scale = pixel_size.find(tmp_path / f"{entry.id}.tif", entry.shape)
        assert scale.um == entry.pixel_size.um
        if scale.um is None:
            assert scale.source == f"none: the registry has none for {entry.id}"
        else:
            assert scale.source == f"registry, {task} 1.0, by name"


def test_registry_needs_the_micrographs_own_shape(tmp_path):
    """Check that an enlarged map keeps no size from its name."""
    assert pixel_size.find(tmp_path / "uhcs0006.png", (968, 1290)).um is None


def test_generated_micrographs_have_their_size(tmp_path):
    """Check the other version."""
    entry = uhcs_bench.data.dataset.catalogue("particles", "synthetic")[0]
    assert pixel_size.find(tmp_path / f"{entry.id}.npy", entry.shape).um == entry.pixel_size.um


@pytest.mark.parametrize("content", [b"", b"II*\0", b"MM\0*junk", b"\x89PNG\r\n\x1a\n", b"text"])
def test_damaged_files_have_no_size(tmp_path, content):
    """Check that a header that can't be read is nothing to stumble over."""
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    assert found(path) == pixel_size.Scale(None, UNKNOWN)
    assert found(tmp_path / "absent.png").um is None
