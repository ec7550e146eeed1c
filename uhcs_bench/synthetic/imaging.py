"""What a scanning electron microscope makes of a polished and etched section, as a model.

A simplified secondary-electron image, built from what is seen on the real micrographs: a bright
phase with brighter edges on a textured dark one, shading by relief, scratches, contrast drift, blur
and noise. Everything happens at the place where it belongs: the image is not displaced against the
structure (see `acquire`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.synthetic.limits import (
    Limits,
    array_problems,
    generator_problems,
    kind_problems,
    number_problems,
    refuse,
)
from uhcs_bench.synthetic.random_fields import smooth_field

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

_COARSE, _BETWEEN = 6.0, 4.0
"""Coarse texture, and what grooves run around, are so many times as long as the fine texture."""
_SHARES = (0.45, 0.2, 0.35)
"""Shares of the texture's variance: fine, coarse, grooves."""
_GROOVE = 0.25
"""Relative width of the grooves."""
_ON_CEMENTITE = 0.3
"""Texture and scratches of cementite, which is harder, against those of ferrite."""
_DIRECTION_SPREAD = 0.12
"""Standard deviation of the scratches' directions in radians."""

_SIGNAL = Limits(0.0, 1e4)
_LENGTH_PX = Limits(0.0, 1e3)
"""Filters take memory and time in proportion to it."""
_LIMITS = {
    "ferrite": _SIGNAL,
    "cementite": _SIGNAL,
    "edge_gain": _SIGNAL,
    "edge_px": _LENGTH_PX,
    "shadow": _SIGNAL,
    # Below 0 the detector lies beyond the bottom edge.
    "tilt": Limits(-1e4, 1e4),
    "tilt_px": _LENGTH_PX,
    "relief": _SIGNAL,
    # A field's grid has this spacing.
    "relief_px": _LENGTH_PX._replace(low=0.1),
    "scratches": Limits(0.0, 1e5),
    "scratch_depth": _SIGNAL,
    "drift": Limits(0.0, 1.0),
    "blur_px": _LENGTH_PX,
    "electrons": Limits(0.0, 1e30, above=True),
    "read_noise": _SIGNAL,
}
_SHARE = Limits(0.0, 1.0)
_FINITE = Limits(-1e30, 1e30)


@dataclass(frozen=True)
class Imaging:
    """How a secondary-electron image comes from the structure.

    Lengths are in pixels, signals in gray levels. The defaults are those of an ordinary micrograph
    of the particle task.

    Attributes
    ----------
    ferrite, cementite : float
        Signal of a wide flat region of each phase.
    edge_gain : float
        What the edge effect adds to cementite: half of it at a straight edge, most of it on a
        small particle.
    edge_px : float
        Length over which the edge effect fades.
    shadow : float
        What ferrite loses at the foot of cementite that stands proud of it, on the same scale as
        `edge_gain`.
    tilt, tilt_px : float
        What a slope gains that faces the detector, beyond the image's top edge, and loses that
        faces away; and the length over which the surface slopes around cementite.
    relief, relief_px : float
        Standard deviation and length of the etched ferrite's texture, of which a part is coarser.
    scratches : float
        Polishing scratches per million pixels.
    scratch_depth : float
        What ferrite loses in the middle of an ordinary scratch.
    drift : float
        Standard deviation of the slow relative drift of the signal over the image.
    blur_px : float
        Standard deviation of the beam.
    electrons : float
        Detected electrons per gray level: the shot noise's variance is the signal divided by this.
    read_noise : float
        Standard deviation of the noise that does not depend on the signal.

    Raises
    ------
    UsageError
        If a value is no number, or none that makes sense; the message lists all of them.
    """

    ferrite: float = 88.0
    cementite: float = 210.0
    edge_gain: float = 80.0
    edge_px: float = 1.5
    shadow: float = 70.0
    tilt: float = 50.0
    tilt_px: float = 5.0
    relief: float = 34.0
    relief_px: float = 1.0
    scratches: float = 150.0
    scratch_depth: float = 25.0
    drift: float = 0.06
    blur_px: float = 0.7
    electrons: float = 8.0
    read_noise: float = 2.0

    def __post_init__(self) -> None:
        refuse("Imaging", number_problems(vars(self), _LIMITS))


def acquire(rng: Generator, imaging: Imaging, cementite: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Image a structure with secondary electrons.

    Slopes towards the detector are bright. A signal to which its own derivative is added is, to
    first order, the signal moved: f(x) + a f'(x) is about f(x + a). Shading that is as narrow as
    the edges themselves therefore moves them, by up to a quarter of a pixel at common strengths.
    On the real micrographs shading spreads over several pixels on both sides of an edge, and those
    that lie on their label maps lie there to 0.03 px. So the surface here slopes over `tilt_px`,
    which is longer than the beam is wide.

    Parameters
    ----------
    rng : Generator
    imaging : Imaging
    cementite : ndarray, shape (rows, columns)
        Share of cementite in each pixel, 0 to 1; the rest is ferrite.

    Returns
    -------
    ndarray of uint8, shape (rows, columns)

    Raises
    ------
    UsageError
        If an argument is of another kind or makes no sense; the message lists all of them.

    Examples
    --------
    >>> plate = np.zeros((40, 60))
    >>> plate[:, 20:40] = 1
    >>> image = acquire(np.random.default_rng(0), Imaging(), plate)
    >>> bool(image[:, 20:40].mean() > image[:, :20].mean() + 80)
    True
    """
    from scipy.ndimage import gaussian_filter

    refuse(
        "The image",
        [
            *generator_problems(rng),
            *kind_problems("imaging", imaging, Imaging),
            *array_problems("cementite", cementite, _SHARE),
        ],
    )
    shape = (cementite.shape[0], cementite.shape[1])
    solid = np.asarray(cementite, np.float64)
    # Share of cementite around each pixel: electrons leave more easily where there is less of it,
    # and less easily at its foot.
    around = gaussian_filter(solid, imaging.edge_px)
    bright = imaging.cementite + imaging.edge_gain * (1.0 - around)
    dark = imaging.ferrite - imaging.shadow * around
    signal = dark + solid * (bright - dark)

    surface = _texture(rng, imaging, shape) - _scratches(rng, imaging, shape)
    signal += surface * (1.0 - (1.0 - _ON_CEMENTITE) * solid)
    height = gaussian_filter(solid, imaging.tilt_px)
    # A border of one pixel has no central difference.
    slope = np.gradient(height, axis=0) if min(shape) > 1 else np.zeros(shape)
    signal += imaging.tilt * imaging.tilt_px * slope

    signal = gaussian_filter(signal, imaging.blur_px)
    signal *= 1.0 + imaging.drift * smooth_field(rng, shape, max(shape) / 2.0)
    return detect(rng, signal, imaging.electrons, imaging.read_noise)


def detect(
    rng: Generator, signal: NDArray[np.float64], electrons: float, read_noise: float
) -> NDArray[np.uint8]:
    """Detect a signal with shot noise and read noise.

    Parameters
    ----------
    rng : Generator
    signal : ndarray, shape (rows, columns)
        Gray levels.
    electrons : float
        Detected electrons per gray level; see `Imaging`.
    read_noise : float
        Gray levels.

    Returns
    -------
    ndarray of uint8, shape (rows, columns)
        Values beyond 0 and 255 are clipped.

    Raises
    ------
    UsageError
        If an argument is of another kind or makes no sense; the message lists all of them.

    Examples
    --------
    >>> image = detect(np.random.default_rng(0), np.full((200, 200), 100.0), 4.0, 0.0)
    >>> round(float(image.std()), 1)  # the square root of 100 / 4
    5.0
    """
    noise = {"electrons": electrons, "read_noise": read_noise}
    refuse(
        "The image",
        [
            *generator_problems(rng),
            *array_problems("signal", signal, _FINITE),
            *number_problems(noise, _LIMITS),
        ],
    )
    # Shot noise by its Gaussian limit, which holds from some ten electrons per pixel on.
    variance = np.maximum(signal, 0.0) / electrons + read_noise**2
    noisy = signal + np.sqrt(variance) * rng.standard_normal(signal.shape)
    image: NDArray[np.uint8] = np.rint(np.clip(noisy, 0.0, 255.0)).astype(np.uint8)
    return image


def _texture(rng: Generator, imaging: Imaging, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Draw the relief of the etched surface, with dark grooves where plates and grains meet."""
    fine = smooth_field(rng, shape, imaging.relief_px)
    coarse = smooth_field(rng, shape, _COARSE * imaging.relief_px)
    # A field is near zero along lines.
    lines = np.exp(-((smooth_field(rng, shape, _BETWEEN * imaging.relief_px) / _GROOVE) ** 2))
    mean = _GROOVE / math.sqrt(_GROOVE**2 + 2.0)
    variance = _GROOVE / math.sqrt(_GROOVE**2 + 4.0) - mean**2
    parts = (fine, coarse, (mean - lines) / math.sqrt(variance))
    weighted = (math.sqrt(share) * part for share, part in zip(_SHARES, parts, strict=True))
    return np.asarray(imaging.relief * sum(weighted))


def _scratches(rng: Generator, imaging: Imaging, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Draw how much darker scratches make the surface: straight grooves, most of one direction."""
    depth = np.zeros(shape)
    n = int(rng.poisson(imaging.scratches * shape[0] * shape[1] / 1e6))
    direction = rng.uniform(0.0, math.pi) + rng.normal(0.0, _DIRECTION_SPREAD, n)
    # Every tenth was left by an earlier step of the polishing, in another direction.
    direction += (rng.uniform(size=n) < 0.1) * rng.uniform(0.0, math.pi, n)
    middle = rng.uniform(size=(n, 2)) * shape
    half_length = 0.5 * max(shape) * rng.uniform(0.1, 0.8, n)
    strength = imaging.scratch_depth * rng.uniform(0.3, 1.5, n)
    width = rng.uniform(0.4, 0.8, n)
    for i in range(n):
        along, across = math.cos(direction[i]), math.sin(direction[i])
        centre = middle[i]
        # The groove crosses each line of pixels that it is not steep to in a few of them.
        lines = depth
        if abs(along) < abs(across):
            along, across, centre, lines = across, along, centre[::-1], depth.T
        half = half_length[i] * abs(along)
        first, last = max(0.0, centre[1] - half), min(lines.shape[1] - 1.0, centre[1] + half)
        column = np.arange(math.ceil(first), math.floor(last) + 1)
        crossed = centre[0] + (column - centre[1]) * across / along
        row = np.rint(crossed).astype(np.intp) + np.arange(-2, 3)[:, None]
        groove = strength[i] * np.exp(-0.5 * ((row - crossed) * along / width[i]) ** 2)
        framed = (row >= 0) & (row < lines.shape[0])
        lines[row[framed], np.broadcast_to(column, row.shape)[framed]] += groove[framed]
    return depth
