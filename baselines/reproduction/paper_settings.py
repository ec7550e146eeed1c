"""The paper's settings of PixelNet, beside those that a run had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from baselines.configuration import Configuration, Stage

SCALES = {
    "paper": "0.67 to 2",
    "text": "1 to 2",
    "strong": "0.7 to 1.6",
}
"""Ranges of the scaling of `baselines.training.augmentation.DRAW`, in words: that module imports
PyTorch."""

ARCHITECTURE = "PixelNet architecture"
TRAINING = "Training details"


@dataclass(frozen=True)
class Setting:
    """A setting and what the paper's text says of it.

    Attributes
    ----------
    name : str
    section : str
        Of the paper.
    text : str or None
        The paper's value; None where it states none.
    value : callable
        Gives that of a configuration, in the same words.
    focal_only : bool
        Whether it is one of the focal loss.
    """

    name: str
    section: str
    text: str | None
    value: Callable[[Configuration], str]
    focal_only: bool = False


def _rate(value: float) -> str:
    return f"{value:.0e}".replace("e-0", "e-")


def _last(configuration: Configuration) -> Stage:
    return configuration.stages[-1]


def _decay(configuration: Configuration) -> str:
    return "half cosine" if any(stage.decay for stage in configuration.stages) else "none"


def _updates(configuration: Configuration) -> str:
    return " + ".join(str(stage.updates) for stage in configuration.stages)


def _view(configuration: Configuration) -> str:
    crop = configuration.crop
    return "whole micrographs" if crop is None else f"windows of {crop} px"


SETTINGS = (
    Setting("hypercolumn", ARCHITECTURE, "with fc7",
            lambda c: "with fc7" if c.fc7 else "without fc7"),
    Setting("updates of both stages", TRAINING, "125 + 125", _updates),
    Setting("rate, first stage", TRAINING, "1e-3", lambda c: _rate(c.stages[0].learning_rate)),
    Setting("rate of classifier, second stage", TRAINING, "1e-5",
            lambda c: _rate(_last(c).learning_rate)),
    Setting("rate of VGG-16, second stage", TRAINING, "1e-5",
            lambda c: _rate(_last(c).features_rate)),
    Setting("decay of the rates", TRAINING, None, _decay),
    Setting("micrographs per update", TRAINING, "4", lambda c: str(c.batch)),
    Setting("pixels per micrograph", TRAINING, "2048", lambda c: str(c.pixels)),
    Setting("training views", TRAINING, "whole micrographs", _view),
    Setting("scaling", TRAINING, "1 to 2", lambda c: SCALES[c.augmentation]),
    Setting("weight decay", TRAINING, "5e-4", lambda c: _rate(c.weight_decay)),
    Setting("focusing parameter", TRAINING, "2", lambda c: f"{c.gamma:g}", focal_only=True),
    Setting("class weight, power of inverse share", TRAINING, "1",
            lambda c: f"{c.alpha_power:g}", focal_only=True),
    Setting("number format", TRAINING, None, lambda c: c.precision),
)  # fmt: skip
"""What the paper's text states of its PixelNet, and two settings that it leaves open."""


@dataclass(frozen=True)
class Difference:
    """A setting of a run that is not the paper's.

    Attributes
    ----------
    setting, section : str
    paper : str or None
        None where the paper states nothing.
    here : str
    """

    setting: str
    section: str
    paper: str | None
    here: str


def differences(configuration: Configuration) -> list[Difference]:
    """List where a configuration of PixelNet departs from the paper's text.

    Parameters
    ----------
    configuration : Configuration

    Returns
    -------
    list of Difference
        Also what was set where the paper states nothing, unless it is nothing special: no decay,
        numbers in float32.

    Examples
    --------
    >>> from baselines.configuration import METHODS
    >>> differences(METHODS["pixelnet-focal-paper"])
    []
    >>> [d.here for d in differences(METHODS["pixelnet-focal"]) if d.setting == "scaling"]
    ['0.67 to 2']
    """
    found = []
    for setting in SETTINGS:
        if setting.focal_only and configuration.loss != "focal":
            continue
        here = setting.value(configuration)
        if here != (setting.text or _PLAIN[setting.name]):
            found.append(Difference(setting.name, setting.section, setting.text, here))
    return found


_PLAIN: dict[str, Any] = {"decay of the rates": "none", "number format": "float32"}
"""What a reader takes for granted where nothing is stated."""
