"""Ways to take micrographs otherwise: noisier, blurred, flatter, or at another magnification.

Changes follow the laws of the synthetic imaging model (`uhcs_bench.synthetic.imaging`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from uhcs_bench.errors import UsageError, listed
from uhcs_bench.synthetic import imaging

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Kind = Literal["unchanged", "noise", "blur", "contrast", "magnification"]

SEVERITIES: dict[Kind, tuple[float, ...]] = {
    "unchanged": (1.0,),
    "noise": (8.0, 4.0, 2.0, 1.0, 0.5),
    "blur": (0.5, 1.0, 1.5, 2.0, 3.0),
    "contrast": (0.8, 0.6, 0.4, 0.2, 0.1),
    "magnification": (0.5, 0.71, 1.41, 2.0),
}
"""Detected electrons per gray level; standard deviation of the beam in pixels; distance of the gray
values from their mean, as a share; size of the image, as a share."""

UNITS: dict[Kind, str] = {
    "unchanged": "",
    "noise": "electrons per gray level",
    "blur": "beam, px",
    "contrast": "share of the contrast",
    "magnification": "share of the magnification",
}

_LIMITS = {
    "noise": (0.01, 10_000.0),
    "blur": (0.01, 100.0),
    "contrast": (0.01, 10.0),
    "magnification": (0.1, 4.0),
}
"""Severities that can be asked for: beyond them nothing is left to see, or a micrograph needs many
times its memory."""


@dataclass(frozen=True)
class Condition:
    """A way to take micrographs.

    Attributes
    ----------
    kind : str
        A key of `SEVERITIES`.
    severity : float
        See there.
    """

    kind: Kind
    severity: float

    @property
    def magnification(self) -> float:
        """Size of the changed image as a share of the micrograph's."""
        return self.severity if self.kind == "magnification" else 1.0

    def apply(
        self, image: NDArray[np.uint8], labels: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Change a micrograph and, where it is resampled, its annotation.

        Parameters
        ----------
        image, labels : ndarray of uint8, shape (rows, columns)
        rng : numpy.random.Generator

        Returns
        -------
        image, labels : ndarray of uint8

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> image = np.tile(np.array([0, 100], np.uint8), (4, 2))
        >>> Condition("contrast", 0.5).apply(image, image, rng)[0][0].tolist()
        [25, 75, 25, 75]
        >>> Condition("magnification", 0.5).apply(image, image, rng)[0].shape
        (2, 2)
        """
        from scipy import ndimage
        from skimage import transform

        values = image.astype(float)
        if self.kind == "noise":
            return imaging.detect(rng, values, self.severity, imaging.Imaging().read_noise), labels
        if self.kind == "blur":
            values = ndimage.gaussian_filter(values, self.severity)
        elif self.kind == "contrast":
            values = values.mean() + self.severity * (values - values.mean())
        elif self.kind == "magnification":
            shape = tuple(round(self.severity * side) for side in image.shape)
            values = transform.resize(values, shape, order=1, anti_aliasing=self.severity < 1)
            labels = transform.resize(
                labels, shape, order=0, anti_aliasing=False, preserve_range=True
            ).astype(np.uint8)
        return np.rint(np.clip(values, 0, 255)).astype(np.uint8), labels


def conditions() -> list[Condition]:
    """List all conditions, the unchanged one first."""
    return [Condition(kind, s) for kind, severities in SEVERITIES.items() for s in severities]


def parse_conditions(texts: Sequence[str]) -> list[Condition]:
    """Read conditions that were written as ``KIND=SEVERITY``, after the unchanged one.

    Parameters
    ----------
    texts : sequence of str
        None of them stands for all conditions.

    Returns
    -------
    list of Condition

    Raises
    ------
    UsageError
        A kind is unknown, or a severity is no number in its limits; the message lists all.

    Examples
    --------
    >>> [(c.kind, c.severity) for c in parse_conditions(["blur=2", "noise=0.5"])]
    [('unchanged', 1.0), ('blur', 2.0), ('noise', 0.5)]
    """
    if not texts:
        return conditions()
    found, problems = [Condition("unchanged", 1.0)], []
    for text in texts:
        kind, _, number = text.partition("=")
        try:
            severity = round(float(number), 2)  # as the table holds it
        except ValueError:
            severity = math.nan
        low, high = _LIMITS.get(kind, (math.nan, math.nan))
        if not low <= severity <= high:
            kinds = ", ".join(
                f"{name} ({low:g} to {high:g})" for name, (low, high) in _LIMITS.items()
            )
            problems.append(
                f"--condition {text}: write KIND=SEVERITY, as in blur=2. The kinds and their "
                f"severities are {kinds}."
            )
        else:
            found.append(Condition(cast("Kind", kind), severity))
    if problems:
        raise UsageError(listed("Nothing was segmented", problems))
    return list(dict.fromkeys(found))
