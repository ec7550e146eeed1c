"""Bias of the measures, as `uhcs-bench calibrate` has found it on synthetic micrographs.

``python -m tools.write_biases`` writes the numbers from the table of a run with its defaults.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from uhcs_bench.io.texts import packaged

if TYPE_CHECKING:
    from uhcs_bench import protocol

NOT_CALIBRATED = "not calibrated"

_PER = {"particles": "mean diameter", "microconstituents": "zone width"}
"""What is so many pixels long on the synthetic micrographs of a task."""


@cache
def _found() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(packaged("measuring/biases.json"))
    return found


def text(name: str, task: protocol.TaskName) -> str:
    """Say how far a measure is off where the truth is known.

    Parameters
    ----------
    name : str
        Of `uhcs_bench.measuring.columns.MEASURES`.
    task : str
        Both tasks may have a measure of a name, of which one is calibrated.

    Returns
    -------
    str
        A phrase; `NOT_CALIBRATED` for measures that no synthetic micrograph states the truth of.

    Examples
    --------
    >>> text("feret_mean", "particles").startswith("bias on exact label maps")
    True
    >>> text("diameter_p90", "particles")
    'not calibrated'
    """
    found = _found()["measures"].get(name)
    if found is None or found["task"] != task:
        return NOT_CALIBRATED
    biases = ", ".join(f"{100 * bias:+.1f}" for bias in found["bias"].values())
    sizes = ", ".join(found["bias"])
    return f"bias {found['of']}: {biases} % at {sizes} px per {_PER[task]}"
