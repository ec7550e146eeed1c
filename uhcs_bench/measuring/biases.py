"""Bias of the measures, as `uhcs-bench calibrate` has found it on synthetic micrographs.

``python -m tools.write_biases`` writes the numbers from the table of a run with its defaults.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from uhcs_bench.io.texts import packaged

NOT_CALIBRATED = "not calibrated"


@cache
def _found() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(packaged("measuring/biases.json"))
    return found


def text(name: str) -> str:
    """Say how far a measure is off where the truth is known.

    Parameters
    ----------
    name : str
        Of `uhcs_bench.measuring.columns.MEASURES`.

    Returns
    -------
    str
        A phrase; `NOT_CALIBRATED` for measures that no synthetic micrograph states the truth of.

    Examples
    --------
    >>> text("feret_mean").startswith("bias on exact label maps")
    True
    >>> text("diameter_p90")
    'not calibrated'
    """
    found = _found()["measures"].get(name)
    if found is None:
        return NOT_CALIBRATED
    biases = ", ".join(f"{100 * bias:+.1f}" for bias in found["bias"].values())
    sizes = ", ".join(found["bias"])
    return f"bias {found['of']}: {biases} % at {sizes} px per {found['per']}"
