"""What microscopes write into their files, or beside them, about one image.

A maker's header states a pixel size and often the scan that it belongs to. Where the file has
other columns than that scan, it was cropped or resized since, and nobody can tell which: the size
is not taken, and the reason is kept. Zeiss's ``AP_PIXEL_SIZE`` is an exception: it belongs to a
scan of 1024 columns whatever the file has.

tifffile reads the headers of FEI (Thermo Fisher), Zeiss, Olympus SIS, TVIPS and OME; the text of
TESCAN, Phenom, JEOL, Hitachi and DigitalMicrograph is simple enough for a few lines each.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from uhcs_bench.io import images
from uhcs_bench.measuring.lengths import length_um, positive, unit_um

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_MOST_TEXT = 1 << 20
"""Bytes of a header or a file beside an image that are read; the longest known has 100 kB."""

_IN_TAG = "[^<>]{0,999}"
"""Attributes of an XML tag. Bounds keep the time of a search proportional to the text."""

_MOST_PAGES = 4
"""Pages that are looked at: an image, its thumbnail and what belongs to them."""

_ZEISS_COLUMNS = 1024
_AGREE_WITHIN = 0.01
_FEI_TAGS = (34680, 34682)
_ZEISS_TAG = 34118
_TVIPS_TAG = 37706
_PHENOM_TAGS = (34682, 34683)
_TESCAN_TAG = 50431
_SIS_TAGS = (33471, 33560)
_DM_TAGS = {"width": (65009, 65003), "height": (65010, 65004)}


@dataclass(frozen=True)
class Header:
    """What one header says.

    Attributes
    ----------
    place : str
        Its name, for messages.
    width_um, height_um : float or None
        Of a pixel, in micrometres; None where the header has none that can be used.
    rows : int or None
        Of the scan, without a data bar.
    bar_rows : int or None
        Of the data bar.
    problem : str
        Why there is no pixel size, a sentence without its full stop.
    """

    place: str
    width_um: float | None = None
    height_um: float | None = None
    rows: int | None = None
    bar_rows: int | None = None
    problem: str = ""


@dataclass(frozen=True)
class Resolution:
    """Pixels per unit, as TIFF's tags state them.

    Attributes
    ----------
    place : str
    unit : str
        As it is written.
    per_unit : tuple of float
        Along columns and rows.
    """

    place: str
    unit: str
    per_unit: tuple[float, float]


@dataclass(frozen=True)
class Found:
    """What a file and those beside it say.

    Attributes
    ----------
    headers : tuple of Header
        The most specific first.
    resolution : Resolution or None
    """

    headers: tuple[Header, ...] = ()
    resolution: Resolution | None = None


_NOTHING = Found()
_TIFF_UNITS = {1: "none", 2: "inch", 3: "cm", 4: "mm", 5: "um"}


def read(path: Path) -> Found:
    """Read the headers of a file, and of the files that microscopes put beside it.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Found
        Nothing where there is no file. A header that is damaged says nothing.

    Examples
    --------
    >>> from pathlib import Path
    >>> read(Path("absent.tif"))
    Found(headers=(), resolution=None)
    """
    try:
        status = path.stat()
    except OSError:
        return _NOTHING
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16)
def _read(path: Path, _mtime: int, _size: int) -> Found:
    """Read once what the search for a bar and the search for a pixel size both need."""
    try:
        with path.open("rb") as stream:
            start = stream.read(_MOST_TEXT)
    except OSError:
        return _NOTHING
    found = _of_tiff(path) if start[:2] in (b"II", b"MM") else Found(tuple(_phenom(start)))
    columns = _columns(path, start)
    beside = tuple(
        header for read in (_jeol, _hitachi, _tescan_file) for header in read(path, columns)
    )
    return replace(found, headers=(*found.headers, *beside))


def _columns(path: Path, start: bytes) -> int | None:
    """Columns of the image itself; None where it can't be read."""
    try:
        if start[:2] in (b"II", b"MM"):
            with _tiff(path) as tiff:
                return int(_page(tiff).imagewidth)
        with images.opened(path) as image:
            return int(image.width)
    except Exception:  # noqa: BLE001 - reading the pixels says why
        return None


def _of_tiff(path: Path) -> Found:
    try:
        with _tiff(path) as tiff:
            page = _page(tiff)
            headers = tuple(
                header for reader in _READERS for header in _attempt(reader, tiff, page)
            )
            return Found(headers, next(_attempt(_resolution, tiff, page), None))
    except Exception:  # noqa: BLE001 - reading the pixels says why
        return _NOTHING


@contextmanager
def _tiff(path: Path) -> Iterator[Any]:
    import tifffile

    with images.silenced("tifffile"), tifffile.TiffFile(path, _multifile=False) as tiff:
        yield tiff


def _first_pages(tiff: Any) -> Iterator[Any]:
    for index in range(_MOST_PAGES):
        try:
            yield tiff.pages[index] if index else tiff.pages.first
        except IndexError:
            return


def _page(tiff: Any) -> Any:
    """Give the first page that is no thumbnail, among the first few."""
    pages = list(_first_pages(tiff))
    return next((page for page in pages if not page.is_reduced), pages[0])


def _attempt(reader: Callable[[Any, Any], Iterator[Any]], tiff: Any, page: Any) -> Iterator[Any]:
    """Read one header; where it is damaged, it says nothing, and the others are read."""
    try:
        yield from list(reader(tiff, page))
    except Exception:  # noqa: BLE001 - whatever a parser makes of a damaged header
        return


def _scanned(
    place: str,
    width_um: float | None,
    height_um: float | None,
    scan: tuple[int | None, int | None],
    columns: int | None,
    bar_rows: int | None = None,
) -> Header:
    """Check a size against the scan that it belongs to."""
    scan_columns, scan_rows = scan
    if scan_columns is not None and columns is not None and scan_columns != columns:
        problem = (
            f"the {place} is that of a scan of {scan_columns} columns, and the file has {columns}: "
            "it was cropped or resized"
        )
        return Header(place, problem=problem)
    if width_um is None:
        return Header(
            place,
            rows=scan_rows,
            bar_rows=bar_rows,
            problem=f"the {place} has no pixel size that can be read",
        )
    return Header(place, width_um, height_um or width_um, scan_rows, bar_rows)


def _fei(_tiff: Any, page: Any) -> Iterator[Header]:
    """Read FEI's and Thermo Fisher's header, which holds metres."""
    header = _parsed(page, _FEI_TAGS)
    if header is None:
        return
    image = header.get("Image", {})
    scan = (_whole(image.get("ResolutionX")), _whole(image.get("ResolutionY")))
    width, height = None, None
    for section in ("Scan", "EScan", "IScan"):
        values = header.get(section, {})
        width = width or positive(values.get("PixelWidth"))
        height = height or positive(values.get("PixelHeight"))
    if width is None and "IRBeam" in header and all(scan):
        field = [positive(header["IRBeam"].get(key)) for key in ("HFW", "VFW")]
        width, height = (
            None if size is None else size / float(number or 1)
            for size, number in zip(field, scan, strict=True)
        )
    bar_rows = _whole(header.get("PrivateFei", {}).get("DatabarHeight"))
    yield _scanned("FEI header", _um(width), _um(height), scan, page.imagewidth, bar_rows)


def _parsed(page: Any, codes: tuple[int, ...]) -> dict[str, Any] | None:
    """Give the first of the tags that tifffile knows how to parse."""
    values = (page.tags.valueof(code) for code in codes)
    return next((value for value in values if isinstance(value, dict) and value), None)


def _um(metres: float | None) -> float | None:
    return None if metres is None else metres * 1e6


def _whole(value: Any) -> int | None:
    number = positive(value)
    return None if number is None or number > 1e6 else int(number)


def _zeiss(_tiff: Any, page: Any) -> Iterator[Header]:
    """Read Zeiss's header: the image's own pixel size, else that of the scan of 1024 columns."""
    header = _parsed(page, (_ZEISS_TAG,))
    if header is None:
        return
    columns = int(page.imagewidth)
    stored = re.findall(r"\d+", str((*header.get("dp_image_store", ()), "")[1:2]))
    scan = (int(stored[0]), int(stored[1])) if len(stored) >= 2 else (None, None)
    own = _zeiss_um(header, "ap_image_pixel_size")
    of_scan = _zeiss_um(header, "ap_pixel_size")
    width = _zeiss_um(header, "ap_width")
    um = own
    if um is None and of_scan is not None:
        um = of_scan * _ZEISS_COLUMNS / columns
    if um is None and width is not None:
        um = width / columns
    um = _finer(header, um, columns)
    found = _scanned("Zeiss header", um, um, (scan[0], None), columns)
    if um is not None and width is not None and not found.problem:
        by_width = width / columns
        if abs(by_width - um) > _AGREE_WITHIN * um:
            problem = (
                f"the Zeiss header says {um:g} um a pixel, but a width of {width:g} um for the "
                f"file's {columns} columns, which is {by_width:g} um a pixel"
            )
            found = Header(found.place, problem=problem)
    yield found


def _finer(header: dict[str, Any], um: float | None, columns: int) -> float | None:
    """Give the size with the digits of the header's unnamed part, if that is the same size."""
    numbers = header.get("", ())
    metres = positive(numbers[3]) if len(numbers) > 3 else None
    if metres is None or um is None:
        return um
    finer = metres * 1e6 * _ZEISS_COLUMNS / columns
    return finer if abs(finer - um) <= _AGREE_WITHIN * um else um


def _zeiss_um(header: dict[str, Any], key: str) -> float | None:
    _, value, unit = (*header.get(key, ()), None, None, None)[:3]
    size, factor = positive(value), unit_um(str(unit))
    return None if size is None or factor is None else size * factor


def _phenom_tag(tiff: Any, page: Any) -> Iterator[Header]:
    for code in _PHENOM_TAGS:
        yield from _phenom(_content(tiff, page, code))


def _phenom(content: bytes) -> Iterator[Header]:
    """Read the XML of Phenom's desktop microscopes, in a TIFF tag or in a JPEG."""
    start = content.find(b"<FeiImage")
    if start < 0:
        return
    text = content[start:].decode("utf-8", "replace")
    sizes = {}
    for name in ("pixelWidth", "pixelHeight"):
        attributes = rf"{_IN_TAG}\bunit=\"([^\"<>]{{0,99}})\"{_IN_TAG}"
        match = re.search(rf"<{name}{attributes}>([^<]{{0,99}})</{name}>", text)
        size = None if match is None else positive(match[2])
        factor = None if match is None else unit_um(match[1])
        sizes[name] = None if size is None or factor is None else size * factor
    match = re.search(r"<databarHeight>\s*(\d+)\s*</databarHeight>", text)
    bar_rows = None if match is None else _whole(match[1])
    yield _scanned(
        "Phenom header", sizes["pixelWidth"], sizes["pixelHeight"], (None, None), None, bar_rows
    )


def _content(tiff: Any, page: Any, code: int) -> bytes:
    """Give a tag's bytes, whatever tifffile has made of them."""
    tag = page.tags.get(code)
    if tag is None:
        return b""
    handle = tiff.filehandle
    handle.seek(tag.valueoffset)
    return bytes(handle.read(min(int(tag.valuebytecount), _MOST_TEXT)))


def _tescan(tiff: Any, page: Any) -> Iterator[Header]:
    """Read TESCAN's header, ``key=value`` after a small picture, in metres."""
    content = _content(tiff, page, _TESCAN_TAG)
    if content:
        yield from _tescan_text(content.decode("latin-1"), "TESCAN header")


def _tescan_text(text: str, place: str) -> Iterator[Header]:
    values = dict(re.findall(r"(?<![A-Za-z0-9.])(PixelSize[XY]|ImageStripSize)=([-+.\deE]+)", text))
    if not values:
        yield Header(place, problem=f"the {place} has no pixel size that can be read")
        return
    width, height = (_um(positive(values.get(f"PixelSize{axis}"))) for axis in "XY")
    bar_rows = _whole(values.get("ImageStripSize"))
    yield _scanned(place, width, height, (None, None), None, bar_rows)


def _tescan_file(path: Path, _columns: int | None) -> Iterator[Header]:
    """Read the header that TESCAN puts beside a PNG or JPEG."""
    ending = path.suffix.lstrip(".")
    for name in (f"{path.stem}-{ending}.hdr", f"{path.stem}.hdr"):
        text = _text(path.with_name(name))
        if "PixelSizeX=" in text:
            yield from _tescan_text(text, f"TESCAN header {name}")
            return


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as stream:
            content = stream.read(_MOST_TEXT)
    except OSError:
        return ""
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    return content.decode("utf-16" if is_utf16 else "utf-8", "replace").replace("\ufffd", "\u00b5")


def _jeol(path: Path, columns: int | None) -> Iterator[Header]:
    """Read the text that JEOL puts beside an image: length of the scale bar, in px and as text."""
    for name in (f"{path.stem}.txt", f"{path.name}.txt", f"{path.stem}.TXT"):
        text = _text(path.with_name(name))
        bar = re.search(r"^\$\$SM_MICRON_BAR\s+(\S+)", text, re.MULTILINE)
        marker = re.search(r"^\$\$SM_MICRON_MARKER[ \t]+(\S.{0,99})", text, re.MULTILINE)
        if bar is None and marker is None:
            continue
        pixels = positive(bar[1]) if bar else None
        length = length_um(marker[1].strip()) if marker else None
        um = None if pixels is None or length is None else length / pixels
        size = re.search(r"^\$CM_FULL_SIZE\s+(\d+)\s+(\d+)", text, re.MULTILINE)
        scan = (int(size[1]), int(size[2])) if size else (None, None)
        yield _scanned(f"JEOL file {name}", um, um, scan, columns)
        return


def _hitachi(path: Path, columns: int | None) -> Iterator[Header]:
    """Read the text that Hitachi puts beside an image: nanometres, and the size of the scan."""
    name = f"{path.stem}.txt"
    text = _text(path.with_name(name))
    size = re.search(r"^PixelSize=([-+.\deE]+)", text, re.MULTILINE)
    if size is None or "[SemImageFile]" not in text:
        return
    nm = positive(size[1])
    um = None if nm is None else nm * 1e-3
    scan = re.search(r"^DataSize=(\d+)x(\d+)", text, re.MULTILINE)
    shape = (int(scan[1]), None) if scan else (None, None)
    yield _scanned(f"Hitachi file {name}", um, um, shape, columns)


def _olympus(tiff: Any, _page: Any) -> Iterator[Header]:
    """Read the header of Olympus SIS, which holds metres; it may be on the second page."""
    for page in _first_pages(tiff):
        header = _parsed(page, _SIS_TAGS)
        if header is not None:
            width, height = (_um(positive(header.get(f"pixelsize{axis}"))) for axis in "xy")
            yield _scanned("Olympus SIS header", width, height, (None, None), None)
            return


def _tvips(_tiff: Any, page: Any) -> Iterator[Header]:
    """Read the header of TVIPS's cameras, which holds nanometres."""
    header = _parsed(page, (_TVIPS_TAG,))
    if header is not None:
        sizes = [positive(header.get(f"PixelSize{axis}")) for axis in "XY"]
        width, height = (None if size is None else size * 1e-3 for size in sizes)
        yield _scanned("TVIPS header", width, height, (None, None), None)


def _digital_micrograph(_tiff: Any, page: Any) -> Iterator[Header]:
    """Read the tags of Gatan's DigitalMicrograph: a scale and its unit for each axis."""
    place, sizes = "DigitalMicrograph header", {}
    for name, (scale_code, unit_code) in _DM_TAGS.items():
        scale, unit = page.tags.valueof(scale_code), page.tags.valueof(unit_code)
        if scale is None:
            continue
        factor = unit_um(str(unit))
        if factor is None:
            problem = f"the {place} gives a pixel in {str(unit)!r}, which is no unit of length"
            yield Header(place, problem=problem)
            return
        number = positive(scale)
        sizes[name] = None if number is None else number * factor
    if sizes:
        yield _scanned(place, sizes.get("width"), sizes.get("height"), (None, None), None)


def _ome(tiff: Any, page: Any) -> Iterator[Header]:
    """Read OME's description. Other files that it names are not looked at."""
    if not tiff.is_ome:
        return
    pixels = re.search(r"<(?:\w{1,99}:)?Pixels\b[^<>]*>", str(page.description)[:_MOST_TEXT])
    values = dict(re.findall(r"\b([A-Za-z]+)=\"([^\"]*)\"", pixels[0] if pixels else ""))
    sizes = []
    for axis in "XY":
        unit = values.get(f"PhysicalSize{axis}Unit", "\u00b5m")  # the schema's default
        size, factor = positive(values.get(f"PhysicalSize{axis}")), unit_um(unit)
        if size is not None and factor is None:
            problem = f"the OME header gives a pixel in {unit!r}, which is no unit of length"
            yield Header("OME header", problem=problem)
            return
        sizes.append(None if size is None or factor is None else size * factor)
    yield _scanned(
        "OME header", sizes[0], sizes[1], (_whole(values.get("SizeX")), None), page.imagewidth
    )


def _resolution(tiff: Any, page: Any) -> Iterator[Resolution]:
    """Read the tags that every TIFF may have, in ImageJ's unit where ImageJ wrote the file."""
    per_unit = [_per_unit(page.tags.valueof(name)) for name in ("XResolution", "YResolution")]
    if not all(per_unit):
        return
    both = (per_unit[0], per_unit[1])
    imagej = tiff.imagej_metadata
    if imagej is not None:
        yield Resolution("ImageJ scale", str(imagej.get("unit", "")), both)
        return
    code = int(page.tags.valueof("ResolutionUnit", default=2))
    yield Resolution("TIFF resolution", _TIFF_UNITS.get(code, str(code)), both)


def _per_unit(rational: Any) -> float:
    """Pixels per unit; 0 where it is not said."""
    if not isinstance(rational, tuple) or len(rational) != 2:
        return positive(rational) or 0.0
    numerator, denominator = rational
    return numerator / denominator if denominator else 0.0


_READERS = (
    _fei,
    _zeiss,
    _phenom_tag,
    _tescan,
    _olympus,
    _tvips,
    _digital_micrograph,
    _ome,
)
