"""Units of length as people write them."""

from __future__ import annotations

import pytest

from uhcs_bench.measuring.lengths import length_um, positive, unit_um

SPELLINGS = {
    1.0: ["um", "\u00b5m", "\u03bcm", "\\u00B5m", "\\u03bcm", "micron", "Microns", "UM",
          "micrometer", "micrometers", "micrometre", "micrometres", "Micrometre", " um ", "um."],
    1e-3: ["nm", "NM", "nanometer", "nanometers", "nanometre", "Nanometres"],
    1e-4: ["A", "\u00c5", "\u212b", "\\u00C5", "angstrom", "Angstroms", "\u00c5ngstr\u00f6m"],
    1e-6: ["pm", "picometre"],
    1e3: ["mm", "millimeter", "millimetres"],
    1e4: ["cm", "centimetre"],
    1e6: ["m", "metre", "meters"],
    25_400.0: ["in", "inch", "inches", '"'],
}  # fmt: skip


@pytest.mark.parametrize(
    ("um", "unit"), [(um, unit) for um, units in SPELLINGS.items() for unit in units]
)
def test_units_are_known(um, unit):
    """Check symbols, names, spellings, plurals and ImageJ's escapes."""
    assert unit_um(unit) == um


@pytest.mark.parametrize("unit", ["", "pixel", "1/nm", "furlong", "k", "\u00b0", "None", "sec"])
def test_other_units_are_not(unit):
    """Check what is no length."""
    assert unit_um(unit) is None


@pytest.mark.parametrize(
    ("text", "um"),
    [("5um", 5), ("100nm", 0.1), ("1 \u00b5m", 1), ("2.5 mm", 2500), ("0,5um", 0.5), ("5", None)],
)
def test_lengths_with_units(text, um):
    """Check JEOL's markers."""
    assert length_um(text) == (None if um is None else pytest.approx(um))


@pytest.mark.parametrize(
    ("value", "number"),
    [("1e-9", 1e-9), (3, 3.0), (0, None), (-1, None), ("x", None), (None, None), (True, None),
     (float("inf"), None)],
)  # fmt: skip
def test_positive_numbers(value, number):
    """Check what a header may hold instead of a size."""
    assert positive(value) == number
