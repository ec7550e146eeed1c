"""What is known of a segmenter: licence, training data, score, and what its pictures were like."""

from __future__ import annotations

import json
import math
import reprlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench.io.texts import from_json, packaged
from uhcs_bench.segmentation.equalization import divided, power_of
from uhcs_bench.segmentation.preprocessing import gray

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

ABOUT_KEY = "uhcs_bench.about"
"""Key of an ONNX file's metadata: a JSON object, see `Card.from_about`."""

_ENOUGH_PIXELS = 1 << 20

SIZE_MARGIN = 1.1
"""Factor beyond the training range of pixel sizes from which on there is a warning."""


@dataclass(frozen=True)
class Card:
    """What is known of a segmenter, for the record and for its user.

    Attributes
    ----------
    name : str
        As the user named it.
    sha256 : str
        Of all files of the model; empty for a procedure without a file.
    method, licence, training, score : str
        Phrases; empty where nothing is known.
    pixel_size_um : tuple of float or None
        Smallest and largest pixel of the training data, in micrometres.
    gray : mapping of str to (float, float)
        Range of each gray statistic of the training data, see `gray_statistics`.
    """

    name: str
    sha256: str = ""
    method: str = ""
    licence: str = ""
    training: str = ""
    score: str = ""
    pixel_size_um: tuple[float, float] | None = None
    gray: Mapping[str, tuple[float, float]] | None = None

    @classmethod
    def from_about(cls, name: str, sha256: str, text: str | None) -> Card:
        """Read the object that a model's file holds under `ABOUT_KEY`.

        Parameters
        ----------
        name, sha256 : str
        text : str or None
            What is missing in it, or null, is left open.

        Returns
        -------
        Card

        Raises
        ------
        ValueError
            It is no JSON object, or a value makes no sense; the message has a line for each.

        Examples
        --------
        >>> Card.from_about("mine.onnx", "", '{"method": "unet", "licence": "MIT"}').sentence()
        'Model mine.onnx: unet; licence MIT; training data not stated; score not stated.'
        """
        about = _read_about(text or "{}")
        data_id = _phrase(about.get("data_id"))
        number = about.get("micrographs")
        training = f"{number} micrographs of {data_id}" if data_id and number else data_id
        sizes = about.get("pixel_size_um")
        return cls(
            name=name,
            sha256=sha256,
            method=_phrase(about.get("method")),
            licence=_phrase(about.get("licence")),
            training=training,
            score=_score(about.get("score")),
            pixel_size_um=_two_numbers(sizes),
            gray=_gray_ranges().get(data_id),
        )

    def sentence(self) -> str:
        """Return one sentence with all that is known."""
        parts = [
            self.method or "method not stated",
            f"licence {self.licence}" if self.licence else "licence not stated",
            f"trained on {self.training}" if self.training else "training data not stated",
            self.score or "score not stated",
        ]
        return f"Model {self.name}: {'; '.join(parts)}."

    def to_dict(self) -> dict[str, Any]:
        """Give name, hash and what is known, as JSON can hold it."""
        return {
            "name": self.name,
            "sha256": self.sha256 or None,
            "method": self.method or None,
            "licence": self.licence or None,
            "training_data": self.training or None,
            "score": self.score or None,
            "pixel_size_um": None if self.pixel_size_um is None else list(self.pixel_size_um),
        }

    def doubts(self, image: NDArray[np.generic], pixel_size_um: float | None) -> list[str]:
        """Say in which ways a picture is unlike the training data.

        Parameters
        ----------
        image : ndarray of any integer or float dtype, shape (h, w)
        pixel_size_um : float or None

        Returns
        -------
        list of str
            Phrases; empty for a picture like those, and where nothing is known of those. A gray
            statistic that the picture does not have is not compared.

        Examples
        --------
        >>> card = Card("mine", pixel_size_um=(0.02, 0.1))
        >>> card.doubts(np.zeros((4, 4), np.uint8), 0.5)
        ['a pixel of 0.5 um is outside of the 0.02 to 0.1 um that mine was trained on']
        """
        doubts = []
        if self.pixel_size_um is not None and pixel_size_um is not None:
            low, high = self.pixel_size_um
            if not low / SIZE_MARGIN <= pixel_size_um <= high * SIZE_MARGIN:
                doubts.append(
                    f"a pixel of {pixel_size_um:.4g} um is outside of the {low:.4g} to "
                    f"{high:.4g} um that {self.name} was trained on"
                )
        if self.gray:
            found = gray_statistics(image)
            for name, (low, high) in self.gray.items():
                if found[name] < low or found[name] > high:
                    doubts.append(
                        f"its {name.replace('_', ' ')} of {found[name]:.3g} is outside of the "
                        f"{low:.3g} to {high:.3g} that {self.name} was trained on"
                    )
        return doubts


def gray_statistics(image: NDArray[np.generic]) -> dict[str, float]:
    """Describe the gray levels of a picture by numbers that brightness and contrast don't change.

    Parameters
    ----------
    image : ndarray of any integer or float dtype, shape (h, w)

    Returns
    -------
    dict of str to float
        ``skewness`` of the gray levels; ``saturated_share``, the share of pixels at the darkest or
        brightest level that occurs; ``neighbour_difference``, the mean squared difference of
        horizontal neighbours over twice the variance: 0 for a smooth picture and 1 for white
        noise. NaN for a picture of one level; ``neighbour_difference`` also for one column.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(400, 400))
    >>> {name: round(value, 1) for name, value in gray_statistics(noise).items()}
    {'skewness': -0.0, 'saturated_share': 0.0, 'neighbour_difference': 1.0}
    """
    pixels = gray(image)
    # Some rows of a montage tell as much as all, in memory that does not grow with it.
    some = pixels[:: max(1, pixels.size // _ENOUGH_PIXELS)]
    values = divided(some, power_of(some)).astype(np.float64)
    deviation = values.std()
    if not deviation:
        return dict.fromkeys(("skewness", "saturated_share", "neighbour_difference"), np.nan)
    standard = (values - values.mean()) / deviation
    at_ends = (values == values.min()) | (values == values.max())
    differences = np.diff(standard, axis=1)
    return {
        "skewness": float((standard**3).mean()),
        "saturated_share": float(at_ends.mean()),
        "neighbour_difference": (
            float((differences**2).mean() / 2) if differences.size else math.nan
        ),
    }


@cache
def _gray_ranges() -> dict[str, dict[str, tuple[float, float]]]:
    """Ranges of gray statistics by data id; written by ``python -m tools.write_gray_ranges``."""
    found = json.loads(packaged("segmentation/gray_ranges.json"))
    return {
        data_id: {name: (ends[0], ends[1]) for name, ends in ranges.items()}
        for data_id, ranges in found["ranges"].items()
    }


def _read_about(text: str) -> dict[str, Any]:
    try:
        about = from_json(text)
    except ValueError as error:
        raise ValueError(f"it is no JSON ({error})") from error
    if not isinstance(about, dict):
        raise ValueError(f"it is {_shown(about)}, not an object")
    problems = [
        f"{key} is {_shown(about[key])}, not {expected}"
        for key, (read, expected) in _ABOUT.items()
        if about.get(key) is not None and not read(about[key])
    ]
    if problems:
        raise ValueError("\n".join(problems))
    return about


def _shown(value: object) -> str:
    return reprlib.repr(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _phrase(value: object) -> str:
    """Give text of a stranger on one line; no control characters of it reach a terminal."""
    if not isinstance(value, str):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())[:200]


def _two_numbers(value: object) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and v > 0 for v in value):
        return None
    return float(value[0]), float(value[1])


def _score(score: object) -> str:
    """Word the cross-validated score."""
    if not isinstance(score, dict) or not isinstance(score.get("IU"), dict):
        return ""
    mean, error = score["IU"].get("mean"), score["IU"].get("se")
    if not isinstance(mean, int | float):
        return ""
    spread = f" ± {error:.1f}" if isinstance(error, int | float) else ""
    how = _phrase(score.get("protocol"))
    return f"IU {mean:.1f}{spread} %" + (f" ({how})" if how else "")


_ABOUT: dict[str, tuple[Callable[[object], object], str]] = {
    "method": (_is_text, "a text"),
    "licence": (_is_text, "a text"),
    "data_id": (_is_text, "a text"),
    "score": (_score, "an object with the mean of IU"),
    "pixel_size_um": (_two_numbers, "two numbers above 0"),
}
"""Of each key that `Card.from_about` reads: what accepts its value, and what that should be."""
