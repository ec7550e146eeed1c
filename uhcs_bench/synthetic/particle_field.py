"""Structures of which the truth is known: particles, and a network with its denuded zones.

A structure is stated in micrometres and drawn at random, then laid on pixels: each pixel gets its
share of cementite, and its label from what lies at its centre. Sizes and widths are those of the
outlines before they are laid on pixels, so that they hold at any pixel size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.io.raster import LARGEST_PIXELS
from uhcs_bench.synthetic.limits import (
    LENGTH_UM,
    Limits,
    array_problems,
    frame_problems,
    generator_problems,
    kind_problems,
    number_problems,
    refuse,
    shape_problems,
)
from uhcs_bench.synthetic.random_fields import FINEST_PX
from uhcs_bench.synthetic.sizes import Sizes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.random import Generator
    from numpy.typing import NDArray

GAP_PX = 1.5
"""Free space between particles: over sqrt(2), so that their pixels don't touch even at a corner."""
_LARGEST_BUMP = 0.25
"""A particle's outline deviates from an ellipse by at most this, relative to its radius."""
_ROUNDS = 40
"""Times that a particle without a place may look for one."""
_ENTRY_ROUNDS = 4
"""Rounds after which all particles have begun to look."""
_TRIES = 8
"""Spots that a particle without a place looks at in one round."""

_FIELD_LIMITS = {
    # Above this share of area, particles with their gaps no longer find room.
    "area_share": Limits(0.0, 0.35),
    "longest_aspect": Limits(1.0, 100.0),
    "irregularity": Limits(0.0, 0.2),
}
_ARGUMENT_LIMITS = {
    "n_lost": Limits(0, LARGEST_PIXELS, whole=True),
    "n_points": Limits(1, 10_000, whole=True),
    "rows": Limits(-1e30, 1e30),
    "columns": Limits(-1e30, 1e30),
}
_PLACE_PX = Limits(-1e30, 1e30)
# Each particle is drawn in a box of pixels, twice as wide as its longer axis.
_AXIS_PX = Limits(0.0, 1e4, above=True)
_PLACED_LIMITS = {
    "row": _PLACE_PX,
    "column": _PLACE_PX,
    "major": _AXIS_PX,
    "minor": _AXIS_PX,
    "angle": _PLACE_PX,
}


@dataclass(frozen=True)
class ParticleField:
    """A field of spheroidised cementite particles in ferrite.

    Attributes
    ----------
    sizes : Sizes
    area_share : float
        Share of the field that particles cover, on average over many fields.
    longest_aspect : float
        Aspect ratios are uniform from 1 to this.
    irregularity : float
        Standard deviation of three- and fourfold bumps of an outline, relative to its radius: 0
        for ellipses. An outline keeps its area.

    Raises
    ------
    UsageError
        If a value is no number, or none that makes sense; the message lists all of them.
    """

    sizes: Sizes = field(default_factory=Sizes)
    area_share: float = 0.15
    longest_aspect: float = 1.8
    irregularity: float = 0.05

    def __post_init__(self) -> None:
        refuse("ParticleField", field_problems(vars(self)))


def field_problems(values: Mapping[str, object]) -> Iterator[str]:
    """Say which attributes make no `ParticleField`."""
    yield from kind_problems("sizes", values["sizes"], Sizes)
    yield from number_problems(values, _FIELD_LIMITS)


@dataclass(frozen=True, eq=False)  # arrays don't compare as a whole
class Placed:
    """Particles in their places, as ellipses with bumps: arrays of one length, in pixels.

    Attributes
    ----------
    row, column : ndarray of float64
        Centres; a pixel's centre has integer coordinates. They may lie outside the image.
    major, minor : ndarray of float64
        Semi-axes of the ellipse of the same area.
    angle : ndarray of float64
        From the column axis to the major axis, in radians.
    bumps : ndarray of complex128, shape (n_particles, 2)
        Relative amplitude and phase of the three- and the fourfold bumps.
    n_lost : int
        Particles that were drawn but found no place, because the field is too dense.

    Raises
    ------
    UsageError
        If a value is of another kind, shape or length, or makes no sense; the message lists all of
        them.
    """

    row: NDArray[np.float64]
    column: NDArray[np.float64]
    major: NDArray[np.float64]
    minor: NDArray[np.float64]
    angle: NDArray[np.float64]
    bumps: NDArray[np.complex128]
    n_lost: int = 0

    def __post_init__(self) -> None:
        refuse("Placed", _placed_problems(self))

    def __len__(self) -> int:
        return len(self.row)

    @property
    def diameter(self) -> NDArray[np.float64]:
        """Equivalent diameters in pixels, exact."""
        return np.asarray(2.0 * np.sqrt(self.major * self.minor))

    @property
    def reach(self) -> NDArray[np.float64]:
        """Radius of a circle around the centre that holds the particle."""
        return _reach(self.major, self.bumps)

    def outlines(self, n_points: int = 96) -> NDArray[np.float64]:
        """Give points on the outlines, in their order.

        Returns
        -------
        ndarray of float64, shape (n_particles, n_points, 2)
            Rows and columns.

        Raises
        ------
        UsageError
            If the number of points is no whole number from 1 to 10000.

        Examples
        --------
        >>> one = np.ones(1)
        >>> ellipse = Placed(one, one, 3 * one, 2 * one, 0 * one, np.zeros((1, 2), complex))
        >>> np.ptp(ellipse.outlines(), axis=1)
        array([[4., 6.]])
        """
        _refuse_numbers("The outlines", n_points=n_points)
        towards = np.exp(2j * math.pi * np.arange(n_points) / n_points)
        bumps = (self.bumps @ np.stack([towards**3, towards**4])).real
        radius = _shrink(self.bumps)[:, np.newaxis] * (1.0 + bumps)
        along = radius * towards.real * self.major[:, np.newaxis]
        across = radius * towards.imag * self.minor[:, np.newaxis]
        sine, cosine = np.sin(self.angle)[:, np.newaxis], np.cos(self.angle)[:, np.newaxis]
        rows = self.row[:, np.newaxis] + along * sine + across * cosine
        return np.stack(
            [rows, self.column[:, np.newaxis] + along * cosine - across * sine], axis=-1
        )

    def moved(self, rows: float, columns: float) -> Placed:
        """Count pixels from elsewhere."""
        _refuse_numbers("The move", rows=rows, columns=columns)
        return self._with(self.row + rows, self.column + columns)

    def within(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Tell which particles have their centres in an image.

        Number and sizes of these are those of the field, since every place in the image had the
        same chance to hold a particle; those that merely reach into it are more often large ones.
        """
        refuse("The choice", shape_problems(shape))
        inside: NDArray[np.bool_] = (self.row >= -0.5) & (self.row < shape[0] - 0.5)
        return inside & (self.column >= -0.5) & (self.column < shape[1] - 0.5)

    def _with(self, row: NDArray[np.float64], column: NDArray[np.float64]) -> Placed:
        return Placed(row, column, self.major, self.minor, self.angle, self.bumps, self.n_lost)


def _placed_problems(placed: Placed) -> Iterator[str]:
    n = len(placed.row) if isinstance(placed.row, np.ndarray) and placed.row.ndim == 1 else None
    for name, limits in _PLACED_LIMITS.items():
        yield from array_problems(name, getattr(placed, name), limits, (n,))
    yield from array_problems("bumps", placed.bumps, Limits(0.0, 1.0), (n, 2))
    yield from number_problems({"n_lost": placed.n_lost}, _ARGUMENT_LIMITS)


def _refuse_numbers(what: str, **values: object) -> None:
    """Refuse arguments that are no numbers within their limits."""
    refuse(what, number_problems(values, _ARGUMENT_LIMITS))


def _reach(major: NDArray[np.float64], bumps: NDArray[np.complex128]) -> NDArray[np.float64]:
    return np.asarray(major * _shrink(bumps) * (1.0 + np.abs(bumps).sum(1)))


def _shrink(bumps: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Give the factor that takes away the area that bumps add."""
    return np.asarray(1.0 / np.sqrt(1.0 + 0.5 * (np.abs(bumps) ** 2).sum(1)))


def scatter_particles(
    rng: Generator, particles: ParticleField, shape: tuple[int, int], pixel_um: float
) -> Placed:
    """Draw particles and put them anywhere in an image, or partly in it.

    Parameters
    ----------
    rng : Generator
    particles : ParticleField
    shape : tuple of int
    pixel_um : float

    Returns
    -------
    Placed
        See `place_particles`. Particles beyond the image's border are there too.

    Raises
    ------
    UsageError
        If an argument is of another kind or makes no sense; the message lists all of them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> placed = scatter_particles(rng, ParticleField(), (100, 200), pixel_um=0.05)
    >>> bool(placed.within((100, 200)).sum() > 40), placed.n_lost
    (True, 0)
    """
    refuse(
        "The field",
        [
            *generator_problems(rng),
            *kind_problems("particles", particles, ParticleField),
            *frame_problems(shape, pixel_um, "pixel_um"),
        ],
    )
    refuse("The field", extent_problems(particles, shape, pixel_um))
    margin = margin_px(particles, pixel_um)
    clearance = np.full([n + 2 * margin for n in shape], np.inf, np.float32)
    return place_particles(rng, particles, clearance, pixel_um).moved(-margin, -margin)


def margin_px(particles: ParticleField, pixel_um: float) -> int:
    """Width of the strip around an image in which centres of particles that reach into it lie."""
    pixel_problems = number_problems({"pixel_um": pixel_um}, {"pixel_um": LENGTH_UM})
    refuse("The margin", [*kind_problems("particles", particles, ParticleField), *pixel_problems])
    bump = min(4.0 * particles.irregularity, _LARGEST_BUMP)
    longest = math.sqrt(particles.longest_aspect) * (1.0 + 2.0 * bump)
    return math.ceil(particles.sizes.largest_um / pixel_um / 2.0 * longest) + 1


def extent_problems(
    particles: ParticleField,
    shape: tuple[int, int],
    pixel_um: float,
    finest_um: float = math.inf,
    name: str = "pixel_um",
) -> Iterator[str]:
    """Say what would take boundless memory: pixels too fine or too coarse for what is drawn.

    Parameters
    ----------
    particles : ParticleField
    shape : tuple of int
    pixel_um : float
    finest_um : float
        Shortest length of the random fields that are drawn.
    name : str
        Of the argument that states the size of the pixels.

    Yields
    ------
    str
    """
    margin = margin_px(particles, pixel_um)
    if (shape[0] + 2 * margin) * (shape[1] + 2 * margin) > LARGEST_PIXELS:
        yield (
            f"{name} is {pixel_um}, and must be larger: particles of up to "
            f"{particles.sizes.largest_um} um reach {margin} pixels beyond the image"
        )
    if _is_crowded(particles, pixel_um) or finest_um < FINEST_PX * pixel_um:
        yield f"{name} is {pixel_um}, and must be smaller: what is drawn is lost in a pixel"


def _is_crowded(particles: ParticleField, pixel_um: float) -> bool:
    """Tell whether there would be more particles than pixels."""
    return particles.area_share * pixel_um**2 > particles.sizes.mean_area_um2


def place_particles(
    rng: Generator,
    particles: ParticleField,
    clearance: NDArray[np.floating],
    pixel_um: float,
) -> Placed:
    """Draw particles and put them where they neither overlap nor touch.

    Parameters
    ----------
    rng : Generator
    particles : ParticleField
    clearance : ndarray of floats, shape (rows, columns)
        Distance in pixels from each pixel to what no particle may touch: 0 there, infinite if
        there is nothing.
    pixel_um : float

    Returns
    -------
    Placed
        Largest first, with centres inside the array, whose border may cut them. A field too dense
        to hold all has fewer of the small ones.

    Raises
    ------
    UsageError
        If an argument is of another kind or makes no sense; the message lists all of them.
    """
    refuse(
        "The field",
        [
            *generator_problems(rng),
            *kind_problems("particles", particles, ParticleField),
            *array_problems("clearance", clearance, Limits(0.0, math.inf)),
            *number_problems({"pixel_um": pixel_um}, {"pixel_um": LENGTH_UM}),
        ],
    )
    if _is_crowded(particles, pixel_um):
        problem = f"pixel_um is {pixel_um}, and must be smaller: what is drawn is lost in a pixel"
        refuse("The field", [problem])
    clearance = np.asarray(clearance, clearance.dtype if clearance.dtype.kind == "f" else float)
    field_um2 = np.count_nonzero(clearance) * pixel_um**2
    n = round(particles.area_share * field_um2 / particles.sizes.mean_area_um2)
    radius = -np.sort(-particles.sizes.draw(rng, n)) / (2.0 * pixel_um)
    stretch = np.sqrt(rng.uniform(1.0, particles.longest_aspect, n))
    major, minor = radius * stretch, radius / stretch
    angle = rng.uniform(0.0, math.pi, n)
    size = np.minimum(particles.irregularity * np.abs(rng.standard_normal((n, 2))), _LARGEST_BUMP)
    bumps = size * np.exp(1j * rng.uniform(0.0, 2.0 * math.pi, (n, 2)))
    reach = _reach(major, bumps)

    pixels = np.argsort(-clearance, axis=None, kind="stable")
    # A centre lies up to half a pixel's diagonal away from where its clearance was measured.
    needed = reach + GAP_PX + math.sqrt(0.5)
    n_spots = np.searchsorted(-clearance.ravel()[pixels], -needed, side="right")

    centres = np.empty((n, 2))
    placed = np.zeros(n, bool)
    for in_round in range(_ROUNDS):
        # Small ones come in later, when the large ones, which have fewer spots, have theirs.
        admitted = np.arange(n) < n * (in_round + 1) / _ENTRY_ROUNDS
        looking = np.repeat(np.flatnonzero(admitted & ~placed & (n_spots > 0)), _TRIES)
        chosen = pixels[rng.integers(n_spots[looking])]
        spots = np.stack(np.divmod(chosen, clearance.shape[1]), axis=1)
        spots = spots + rng.uniform(-0.5, 0.5, spots.shape)

        taken, _ = _clashes(spots, reach[looking], centres[placed], reach[placed])
        vacant = np.delete(np.arange(looking.size), taken)
        new, first = np.unique(looking[vacant], return_index=True)
        centres[new] = spots[vacant[first]]
        # Of two newcomers that clash, the larger one stays.
        one, other = _clashes(centres[new], reach[new], centres[new], reach[new])
        placed[new] = True
        placed[new[other[one < other]]] = False
        if placed.all():
            break
    row, column = centres[placed].T
    return Placed(
        row,
        column,
        major[placed],
        minor[placed],
        angle[placed],
        bumps[placed],
        int((~placed).sum()),
    )


def _clashes(
    at: NDArray[np.float64],
    radius: NDArray[np.float64],
    there: NDArray[np.float64],
    radius_there: NDArray[np.float64],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find which circles here come too near to which circles there."""
    from scipy.spatial import cKDTree

    reach = radius.max(initial=0.0) + radius_there.max(initial=0.0) + GAP_PX
    near = cKDTree(at).sparse_distance_matrix(cKDTree(there), reach, output_type="ndarray")
    clash = near["v"] <= radius[near["i"]] + radius_there[near["j"]] + GAP_PX
    return near["i"][clash], near["j"][clash]


def particle_coverage(placed: Placed, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Give each pixel's share of particle.

    Parameters
    ----------
    placed : Placed
    shape : tuple of int

    Returns
    -------
    ndarray of float64, shape (rows, columns)
        0 to 1, to first order; at least one half where a pixel's centre lies in a particle.

    Raises
    ------
    UsageError
        If an argument is of another kind or makes no sense; the message lists all of them.

    Examples
    --------
    >>> one = np.ones(1)
    >>> ellipse = Placed(one, 2 * one, 2 * one, one, 0 * one, np.zeros((1, 2), complex))
    >>> particle_coverage(ellipse, (3, 5)).round(2)
    array([[0.  , 0.37, 0.5 , 0.37, 0.  ],
           [0.5 , 1.  , 1.  , 1.  , 0.5 ],
           [0.  , 0.37, 0.5 , 0.37, 0.  ]])
    """
    refuse("The map", [*kind_problems("placed", placed, Placed), *shape_problems(shape)])
    coverage = np.zeros(shape)
    reach = placed.reach
    near = (np.abs(placed.row - (shape[0] - 1) / 2) < shape[0] / 2 + reach + 1) & (
        np.abs(placed.column - (shape[1] - 1) / 2) < shape[1] / 2 + reach + 1
    )
    for batch in _batches(np.flatnonzero(near), (2.0 * reach + 4.0) ** 2):
        _cover(coverage, placed, reach, batch)
    return coverage


def _batches(which: NDArray[np.intp], cost: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Split a list so that each part costs about a million at most."""
    if not which.size:
        return []
    number = np.cumsum(cost[which]) // 1_000_000
    return np.split(which, np.flatnonzero(np.diff(number)) + 1)


def _cover(
    coverage: NDArray[np.float64],
    placed: Placed,
    reach: NDArray[np.float64],
    which: NDArray[np.intp],
) -> None:
    # Each particle's box of pixels, one box after the other, so that no loop over particles is
    # needed.
    side = 2 * np.ceil(reach[which]).astype(np.intp) + 3
    n_pixels = side**2
    start = np.cumsum(n_pixels) - n_pixels
    index = np.repeat(np.arange(which.size), n_pixels)
    owner = which[index]
    down, right = np.divmod(np.arange(n_pixels.sum()) - start[index], side[index])
    row = np.rint(placed.row[owner]).astype(np.intp) + down - side[index] // 2
    column = np.rint(placed.column[owner]).astype(np.intp) + right - side[index] // 2
    framed = (row >= 0) & (row < coverage.shape[0]) & (column >= 0) & (column < coverage.shape[1])
    row, column, owner = row[framed], column[framed], owner[framed]

    y, x = row - placed.row[owner], column - placed.column[owner]
    sine, cosine = np.sin(placed.angle)[owner], np.cos(placed.angle)[owner]
    along = (x * cosine + y * sine) / placed.major[owner]
    across = (y * cosine - x * sine) / placed.minor[owner]
    # Any direction will do for a pixel in the very centre.
    along = np.where(along == 0.0, 1e-9, along)
    radius = np.hypot(along, across)
    towards = (along + 1j * across) / radius
    bumps = (placed.bumps[owner] * np.stack([towards**3, towards**4], axis=1)).real.sum(1)
    outline = _shrink(placed.bumps)[owner] * (1.0 + bumps)
    # Distance to the outline to first order; how fast the radius grows depends on the direction.
    growth = np.hypot(along / placed.major[owner], across / placed.minor[owner]) / radius
    share = np.clip(0.5 + (outline - radius) / growth, 0.0, 1.0)
    np.maximum.at(coverage, (row, column), share)
