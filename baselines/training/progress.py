"""State of an unfinished run in a file, so that an interruption costs little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from uhcs_bench.io.atomic import replacing

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "uhcs-bench/progress/2"


@dataclass(frozen=True)
class Progress:
    """Where the state of a run is kept.

    Attributes
    ----------
    path : Path
        File in a folder that exists.
    settings : dict
        What the run depends on, as JSON can hold it; a state of other settings is ignored.
    """

    path: Path
    settings: dict[str, Any]

    def save(self, state: dict[str, Any] | None) -> None:
        """Write the state, complete or not at all, in place of an earlier one.

        None states the settings of a run that has only begun.
        """
        with replacing(self.path, mark=SCHEMA.encode()) as partial:
            torch.save({"schema": SCHEMA, "settings": self.settings, "state": state}, partial)

    def load(self) -> dict[str, Any] | None:
        """Read the state; None if there is none of these settings, or it can't be read."""
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            if (content["schema"], content["settings"]) != (SCHEMA, self.settings):
                return None
            state: dict[str, Any] | None = content["state"]
        except Exception:  # noqa: BLE001 - a damaged file, in any way, only costs a new start
            return None
        return state

    def clear(self) -> None:
        """Delete the file: the run is finished."""
        self.path.unlink(missing_ok=True)


def settings_of(path: Path) -> dict[str, Any] | None:
    """Read which settings a state is of; None if there is none, or it can't be read."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        settings: dict[str, Any] = dict(content["settings"])
    except Exception:  # noqa: BLE001 - a damaged file, in any way, states nothing
        return None
    return settings
