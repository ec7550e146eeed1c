"""How large a pixel of a file is: what the user, the registry or the file itself says of it.

What a file says is judged first, because most files say something that has nothing to do with the
microscope: cameras, scanners, screens and drawing programs all write a resolution per inch. Such a
resolution is taken only where it means pixels smaller than `LARGEST_PRINT_UM`, finer than a screen,
a printer or an ordinary scanner has. A microscope's own header and ImageJ's scale name a length per
pixel; they are taken as long as the length is possible at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from uhcs_bench import protocol
from uhcs_bench.data import dataset
from uhcs_bench.errors import UsageError
from uhcs_bench.io import images

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from uhcs_bench.data.registry import Entry

SMALLEST_UM, LARGEST_UM = 1e-4, 1e3
"""A pixel's edge lies between 0.1 nm, less than an atom, and 1 mm; anything else is a mistake."""

LARGEST_PRINT_UM = 10.0
"""Resolutions per inch or centimetre count below this, that is, above 2540 dpi. Screens have 72 to
300 dpi, printers and scanners up to 2400; a micrograph of steel has pixels below 1 um."""

SQUARE_WITHIN = 0.01
"""Relative difference of a pixel's edges up to which it is square."""

_INCH_UM = 25_400.0
_UNITS_UM = {
    "pm": 1e-6,
    "nm": 1e-3,
    "um": 1.0,
    "µm": 1.0,  # the micro sign
    "\u03bcm": 1.0,  # the Greek letter
    "\\u00b5m": 1.0,  # ImageJ escapes the micro sign
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
    "inch": _INCH_UM,
}
_PRINT_UNITS = ("inch", "cm")
_TIFF_UNITS = {2: "inch", 3: "cm"}


@dataclass(frozen=True)
class Scale:
    """A file's pixel size, and where it comes from.

    Attributes
    ----------
    um : float or None
        Edge of a pixel in micrometres; None where nothing trustworthy says.
    source : str
        Where `um` comes from, or why there is none.
    warning : str
        What the file says that can't be; empty where there is nothing of the kind.
    """

    um: float | None
    source: str
    warning: str = ""


@dataclass(frozen=True)
class _Claim:
    """What a part of a file says: a pixel's width and height in micrometres."""

    place: str
    width_um: float
    height_um: float
    is_print: bool = False

    @property
    def is_of_a_screen(self) -> bool:
        return self.is_print and self.width_um >= LARGEST_PRINT_UM

    @property
    def is_absurd(self) -> bool:
        possible = all(SMALLEST_UM <= um <= LARGEST_UM for um in (self.width_um, self.height_um))
        return not possible and not self.is_of_a_screen

    @property
    def objection(self) -> str:
        """Why it is not to be believed; empty where it is."""
        if self.is_of_a_screen:
            dpi = f"{_INCH_UM / self.width_um:.4g} dpi"
            return f"the {self.place} of {dpi} is that of a screen or printer"
        if self.is_absurd:
            return f"the {self.place} says {self.width_um:g} um, which no pixel has"
        if abs(self.width_um - self.height_um) > SQUARE_WITHIN * self.width_um:
            return f"the {self.place} says {self.width_um:g} x {self.height_um:g} um, no square"
        return ""


def check(um: float) -> float:
    """Give back a pixel size that a user has given, if it is possible.

    Raises
    ------
    UsageError
        If it is no number of micrometres from 1e-4 to 1000.
    """
    if not SMALLEST_UM <= um <= LARGEST_UM:
        raise UsageError(
            f"A pixel of {um:g} um is not possible. Give the edge of a pixel in micrometres, "
            f"{SMALLEST_UM:g} to {LARGEST_UM:g}."
        )
    return um


def find(path: Path, shape: tuple[int, int], given_um: float | None = None) -> Scale:
    """Find the pixel size of a file.

    The first of these that says something sensible: the user; the registry, if the file is named
    like one of the benchmark's micrographs and has its shape; the file's own header (FEI or Thermo
    Fisher, Zeiss, ImageJ, resolution of TIFF, PNG or JPEG), see `uhcs_bench.measuring.pixel_size`.

    Parameters
    ----------
    path : Path
        Of a micrograph or label map.
    shape : tuple of int
        Rows and columns of what is in it.
    given_um : float, optional
        What the user says, in micrometres.

    Returns
    -------
    Scale

    Raises
    ------
    UsageError
        If the user's size is not possible.

    Examples
    --------
    >>> from pathlib import Path
    >>> find(Path("uhcs0006.npy"), (484, 645)).um
    0.16129
    >>> find(Path("uhcs0006.npy"), (100, 100))
    Scale(um=None, source='none: the file holds no pixel size', warning='')
    """
    if given_um is not None:
        return Scale(check(given_um), "given by the user")
    objections = []
    entry = _entry(path.stem)
    if entry is not None and entry.shape == tuple(shape):
        if entry.pixel_size.um is not None:
            return Scale(entry.pixel_size.um, f"registry, {entry.task} {entry.version}, by name")
        objections.append(f"the registry has none for {entry.id}")
    warning = ""
    for claim in _claims(path):
        if not claim.objection:
            return Scale(claim.width_um, f"the file's {claim.place}", warning)
        objections.append(claim.objection)
        if claim.is_absurd:
            warning = f"{claim.objection}; it was ignored"
    reasons = "; ".join(objections) or "the file holds no pixel size"
    return Scale(None, f"none: {reasons}", warning)


def _entry(id_: str) -> Entry | None:
    """Find one of the benchmark's micrographs, real or generated; no two have the same name."""
    # The catalogue of generated micrographs imports the generator.
    is_synthetic = id_.startswith(f"{protocol.SYNTHETIC_VERSION}-")
    version = protocol.SYNTHETIC_VERSION if is_synthetic else protocol.REAL_VERSION
    return _entries(version).get(id_)


@cache
def _entries(version: protocol.Version) -> dict[str, Entry]:
    return {
        entry.id: entry for task in protocol.TASKS for entry in dataset.catalogue(task, version)
    }


def _claims(path: Path) -> Iterator[_Claim]:
    """List what a file says of its pixels, the most specific first; nothing if it is damaged."""
    try:
        with path.open("rb") as stream:
            is_tiff = stream.read(2) in (b"II", b"MM")
        yield from _tiff_claims(path) if is_tiff else _pillow_claims(path)
    except Exception:  # noqa: BLE001 - a damaged header says nothing; reading pixels says why
        return


def _tiff_claims(path: Path) -> Iterator[_Claim]:
    import tifffile

    with images.silenced("tifffile"), tifffile.TiffFile(path) as tiff:
        yield from _fei_claims(tiff.fei_metadata or {})
        yield from _zeiss_claims(tiff.sem_metadata or {})
        tags = tiff.pages.first.tags
        per_unit = [_per_unit(tags.valueof(name)) for name in ("XResolution", "YResolution")]
        if not all(per_unit):
            return
        imagej = tiff.imagej_metadata
        if imagej is not None:
            unit, place = str(imagej.get("unit", "")).lower(), "ImageJ scale"
        else:
            unit = _TIFF_UNITS.get(int(tags.valueof("ResolutionUnit", default=2)), "")
            place = "TIFF resolution"
        if unit in _UNITS_UM:
            width, height = (_UNITS_UM[unit] / number for number in per_unit)
            yield _Claim(place, width, height, unit in _PRINT_UNITS)


def _per_unit(rational: Any) -> float:
    """Pixels per unit; 0 where it is not said."""
    if rational is None:
        return 0.0
    numerator, denominator = rational
    return numerator / denominator if denominator else 0.0


def _fei_claims(header: dict[str, Any]) -> Iterator[_Claim]:
    """Read FEI's and Thermo Fisher's header, which holds metres."""
    for section in ("Scan", "EScan", "IScan"):
        scan = header.get(section, {})
        width, height = scan.get("PixelWidth"), scan.get("PixelHeight", scan.get("PixelWidth"))
        if _is_length(width) and _is_length(height):
            yield _Claim("FEI header", width * 1e6, height * 1e6)
            return


def _zeiss_claims(header: dict[str, Any]) -> Iterator[_Claim]:
    """Read Zeiss's header; the image's own pixel size comes before that of the scan."""
    for key in ("ap_image_pixel_size", "ap_pixel_size"):
        _, length, unit = (*header.get(key, ()), None, None, None)[:3]
        if _is_length(length) and str(unit).lower() in _UNITS_UM:
            um = length * _UNITS_UM[str(unit).lower()]
            yield _Claim("Zeiss header", um, um)
            return


def _is_length(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and value > 0


def _pillow_claims(path: Path) -> Iterator[_Claim]:
    from PIL import Image

    with Image.open(path) as image:
        dpi = image.info.get("dpi")
        kind = f"{image.format} resolution"
    if dpi and all(_is_length(float(number)) for number in dpi):
        yield _Claim(kind, _INCH_UM / float(dpi[0]), _INCH_UM / float(dpi[1]), is_print=True)
