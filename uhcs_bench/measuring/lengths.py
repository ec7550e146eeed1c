"""Units of length, as microscopes, programs and people write them."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any

INCH_UM = 25_400.0

_UNITS_UM = {
    "pm": 1e-6,
    "picometer": 1e-6,
    "a": 1e-4,
    "angstrom": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "um": 1.0,
    "micron": 1.0,
    "micrometer": 1.0,
    "mm": 1e3,
    "millimeter": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "m": 1e6,
    "meter": 1e6,
    "in": INCH_UM,
    "inch": INCH_UM,
    '"': INCH_UM,
}
_PLURALS = {"inches": "inch", "angstroms": "angstrom", "microns": "micron"}
_LENGTH = re.compile(r"\s*([-+]?\d+(?:[.,]\d*)?(?:[eE][-+]?\d+)?)\s*(\S+)\s*")


def unit_um(unit: str) -> float | None:
    r"""Give the length of a unit in micrometres.

    Parameters
    ----------
    unit : str
        A symbol or an English name, in either spelling, singular or plural; ImageJ's escapes count
        as what they stand for.

    Returns
    -------
    float or None
        None where it is no unit of length.

    Examples
    --------
    >>> unit_um("nm"), unit_um("Micrometres"), unit_um("\u00B5m"), unit_um("pixel")
    (0.001, 1.0, 1.0, None)
    """
    name = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), str(unit))
    name = unicodedata.normalize("NFKD", name).replace("\u03bc", "u").casefold()
    name = "".join(letter for letter in name if not unicodedata.combining(letter))
    name = name.strip(" .\0").replace("\u03bc", "u")
    name = _PLURALS.get(name, name)
    if name.endswith(("metre", "metres", "meters")):
        name = f"{name[: name.rindex('met')]}meter"
    return _UNITS_UM.get(name)


def length_um(text: str) -> float | None:
    """Read a length with its unit, such as ``5um``, in micrometres.

    Examples
    --------
    >>> length_um("100nm"), length_um("5 \u00b5m"), length_um("5")
    (0.1, 5.0, None)
    """
    match = _LENGTH.fullmatch(text)
    unit = unit_um(match[2]) if match else None
    return None if match is None or unit is None else number(match[1]) * unit


def number(text: str) -> float:
    """Read a decimal number, with a point or a comma.

    Unlike `float` it takes no underscores: ``1_0`` is a slip of the finger, and not 10.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> number("0.5"), number("0,5"), number("2e-3")
    (0.5, 0.5, 0.002)
    """
    if "_" in text:
        raise ValueError(f"{text!r} is no number")
    return float(text.replace(",", "."))


def positive(value: Any) -> float | None:
    """Give a positive, finite number; None for everything else.

    Examples
    --------
    >>> positive("2.5e-9"), positive(0), positive("nan"), positive(True)
    (2.5e-09, None, None, None)
    """
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None
