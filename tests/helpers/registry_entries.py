"""Entries of the registry for the tests: micrographs of which next to nothing is recorded."""

from __future__ import annotations

from typing import Any

from uhcs_bench.data import registry


def entry(name: str, shape: tuple[int, int] = (1, 1), **changes: Any) -> registry.Entry:
    """Give an entry of the particle set's version 1.0, with some fields changed."""
    fields: dict[str, Any] = {
        "task": "particles",
        "id": name,
        "version": "1.0",
        "fold": 0,
        "shape": shape,
        "uhcsdb_id": None,
        "pixel_size": registry.PixelSize(None, "test", {}, False),
        "heat_treatment": registry.HeatTreatment(None, None, None, None),
        "licence": "test",
        "citation": (),
    }
    return registry.Entry(**fields | changes)
