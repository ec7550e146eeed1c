"""How large a pixel of a file is: what the user, the registry or the file itself says of it.

What a file says is judged first, because most files say something that has nothing to do with the
microscope: cameras, scanners, screens and drawing programs all write a resolution per inch. Such a
resolution is taken only where it means pixels smaller than `LARGEST_PRINT_UM`, finer than a screen,
a printer or an ordinary scanner has. A microscope's own header and ImageJ's scale name a length per
pixel; they are taken as long as the length is possible at all.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from functools import cache
from typing import TYPE_CHECKING

from uhcs_bench import protocol
from uhcs_bench.data import dataset
from uhcs_bench.errors import UsageError
from uhcs_bench.io import images
from uhcs_bench.measuring import headers, lengths
from uhcs_bench.measuring.lengths import positive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from uhcs_bench.data.registry import Entry

SMALLEST_UM, LARGEST_UM = 1e-6, 1e3
"""A pixel's edge lies between 1 pm, less than the finest microscope's, and 1 mm; anything else is a
mistake."""

LARGEST_PRINT_UM = 10.0
"""Resolutions per inch or centimetre count below this, that is, above 2540 dpi. Screens have 72 to
300 dpi, printers and scanners up to 2400; a micrograph of steel has pixels below 1 um."""

GIVEN = "given by the user"
"""Source of a pixel size that the user knows better than registry and file."""

_REGISTRY = "registry"
SQUARE_WITHIN = 0.01
"""Relative difference of a pixel's edges up to which it is square."""

AGREE_WITHIN = 0.01
"""Relative difference up to which two sources say the same."""

_CENTIMETRE_UM = 1e4


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
    def source(self) -> str:
        return self.place if self.place == _REGISTRY else f"file's {self.place}"

    @property
    def is_of_a_screen(self) -> bool:
        return self.is_print and self.width_um >= LARGEST_PRINT_UM

    @property
    def is_absurd(self) -> bool:
        possible = all(SMALLEST_UM <= um <= LARGEST_UM for um in (self.width_um, self.height_um))
        return not possible and not self.is_of_a_screen

    @property
    def is_square(self) -> bool:
        return abs(self.width_um - self.height_um) <= SQUARE_WITHIN * self.width_um

    @property
    def objection(self) -> str:
        """Why it is not to be believed; empty where it is."""
        if self.is_of_a_screen:
            dpi = f"{lengths.INCH_UM / self.width_um:.4g} dpi"
            return f"the {self.place} of {dpi} is that of a screen or printer"
        if self.is_absurd:
            return f"the {self.place} says {self.width_um:g} um, which no pixel has"
        if not self.is_square:
            return (
                f"the {self.place} says pixels of {self.width_um:g} x {self.height_um:g} um, which "
                "are not square: resample the image, and give its --pixel-size"
            )
        return ""


def read_um(text: str) -> float:
    """Read what a user gives as a pixel size: micrometres, or a length with its unit.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> read_um("0.04"), read_um("0,04"), read_um("40nm"), read_um("0.04 um")
    (0.04, 0.04, 0.04, 0.04)
    """
    um = lengths.length_um(text)
    return lengths.number(text) if um is None else um


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


def find(
    path: Path, shape: tuple[int, int], given_um: float | None = None, *, is_file: bool = True
) -> Scale:
    """Find the pixel size of a file.

    The first of these that says something sensible: the user; the registry, if the file is named
    like one of the benchmark's micrographs and has its shape; a microscope's header in the file or
    beside it, see `uhcs_bench.measuring.headers`; ImageJ's scale; the resolution of TIFF, PNG or
    JPEG. Where others that can be believed say something else, a warning names them; so does one
    for a size that `is_doubtful`.

    Parameters
    ----------
    path : Path
        Of a micrograph or label map.
    shape : tuple of int
        Rows and columns of what is in it.
    given_um : float, optional
        What the user says, in micrometres.
    is_file : bool, optional
        False for an array, whose name is looked up in the registry, and not among the files.

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
    claims, objections = _claims(path) if is_file else ([], [])
    named = entry(path.stem)
    if named is not None and named.shape != tuple(shape):
        named = None
    if given_um is not None:
        others = [] if named is None else _registered(named)
        advice = f"nanometres are given with their unit, {given_um:g}nm"
        said = [_doubt(check(given_um), advice), _disagreement("user", given_um, others + claims)]
        return Scale(given_um, GIVEN, _joined(said))
    if named is not None:
        if named.pixel_size.um is not None:
            source = f"registry, {named.task} {named.version}, by name"
            return Scale(
                named.pixel_size.um, source, _disagreement(_REGISTRY, named.pixel_size.um, claims)
            )
        objections.insert(0, f"the registry has none for {named.id}")
    warnings = [f"{claim.objection}; it was ignored" for claim in claims if claim.is_absurd]
    for position, claim in enumerate(claims):
        if not claim.objection:
            warnings.append(_doubt(claim.width_um, f"the {claim.source} says so"))
            warnings.append(_disagreement(claim.place, claim.width_um, claims[position + 1 :]))
            return Scale(claim.width_um, f"the {claim.source}", _joined(warnings))
        objections.append(claim.objection)
        if not claim.is_absurd and not claim.is_of_a_screen:
            # What is said of the pixels' form holds for what is said elsewhere, too.
            return Scale(None, f"none: {_joined(objections)}", claim.objection)
    reasons = _joined(objections) or "the file holds no pixel size"
    return Scale(None, f"none: {reasons}", _joined(warnings))


def is_doubtful(um: float | None) -> bool:
    """Whether a pixel is larger than any micrograph's: somebody may have meant nanometres.

    The limit is `LARGEST_PRINT_UM`, 25 times the largest pixel of the benchmark's micrographs.

    Examples
    --------
    >>> is_doubtful(40), is_doubtful(0.3876), is_doubtful(None)
    (True, False, False)
    """
    return um is not None and um >= LARGEST_PRINT_UM


def _doubt(um: float, advice: str) -> str:
    if not is_doubtful(um):
        return ""
    return (
        f"a pixel of {um:g} um is larger than a micrograph's, below {LARGEST_PRINT_UM:g} um; "
        f"{advice}"
    )


def _joined(parts: Sequence[str]) -> str:
    return "; ".join(part for part in parts if part)


def _disagreement(place: str, um: float, others: Sequence[_Claim]) -> str:
    """Name those that say something else, and can be believed as well."""
    said = [
        f"the {other.source} {other.width_um:.4g} um"
        for other in others
        if not other.objection and abs(other.width_um - um) > AGREE_WITHIN * um
    ]
    if not said:
        return ""
    return f"the {place} says {um:.4g} um a pixel, {_joined(said)}; the first was taken"


def _registered(named: Entry) -> list[_Claim]:
    um = named.pixel_size.um
    return [] if um is None else [_Claim(_REGISTRY, um, um)]


def entry(id_: str) -> Entry | None:
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


def _claims(path: Path) -> tuple[list[_Claim], list[str]]:
    """List what a file says of its pixels, the most specific first, and what can't be used."""
    found = headers.read(path)
    claims, objections = [], []
    for header in found.headers:
        if header.problem:
            objections.append(header.problem)
        elif header.width_um is not None:
            height = header.width_um if header.height_um is None else header.height_um
            claims.append(_Claim(header.place, header.width_um, height))
    if found.resolution is None:
        claims += _pillow_claims(path)
        return claims, objections
    place, unit, per_unit = astuple(found.resolution)
    unit_um = lengths.unit_um(unit)
    if unit_um is not None:
        width, height = (unit_um / number for number in per_unit)
        is_print = unit_um in (lengths.INCH_UM, _CENTIMETRE_UM)
        claims.append(_Claim(place, width, height, is_print))
    elif not _is_no_scale(unit, per_unit):
        objections.append(
            f"the {place} is in {unit!r}, which is no unit of length: set the scale in it, or give "
            "--pixel-size"
        )
    return claims, objections


def _is_no_scale(unit: str, per_unit: tuple[float, float]) -> bool:
    """Whether a resolution is what programs write that know of no scale."""
    return per_unit == (1.0, 1.0) or unit.casefold() in ("", "pixel", "pixels", "none")


def _pillow_claims(path: Path) -> list[_Claim]:
    try:
        with images.opened(path) as image:
            dpi = image.info.get("dpi")
            kind = f"{image.format} resolution"
    except Exception:  # noqa: BLE001 - a damaged header says nothing; reading pixels says why
        return []
    sizes = [lengths.INCH_UM / number for number in map(positive, dpi or ()) if number]
    return [_Claim(kind, sizes[0], sizes[1], is_print=True)] if len(sizes) == 2 else []
