"""Structures of which the truth is known: particles, and a network with its denuded zones.

A structure is stated in micrometres and drawn at random, then laid on pixels: each pixel gets its
share of cementite, and its label from what lies at its centre. Sizes and widths are those of the
outlines before they are laid on pixels, so that they hold at any pixel size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from uhcs_bench.metallography.stereology import MATRIX, NETWORK, SPHEROIDITE, WIDMANSTATTEN
from uhcs_bench.synthetic.random_fields import smooth_field

if TYPE_CHECKING:
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


@dataclass(frozen=True)
class Sizes:
    """Lognormal distribution of equivalent diameters, cut off at both ends.

    A particle's equivalent diameter is that of the circle of equal area.

    Attributes
    ----------
    median_um : float
        Median of the distribution before it is cut off.
    log_sd : float
        Standard deviation of the natural logarithm of the diameter, before it is cut off; above 0.
    smallest_um, largest_um : float
        No diameter lies outside these.

    Examples
    --------
    >>> sizes = Sizes(median_um=0.3, log_sd=0.4, smallest_um=0.1, largest_um=1.0)
    >>> round(sizes.mean_um, 3), round(sizes.quantile_um(0.5), 3), round(sizes.quantile_um(1.0), 3)
    (0.325, 0.3, 1.0)
    """

    median_um: float = 0.28
    log_sd: float = 0.5
    smallest_um: float = 0.08
    largest_um: float = 1.5

    @property
    def mean_um(self) -> float:
        """Mean diameter of what is left after the cut."""
        return self.moment(1)

    @property
    def mean_area_um2(self) -> float:
        """Mean area of a particle."""
        return math.pi / 4.0 * self.moment(2)

    def moment(self, order: int) -> float:
        """Mean of a power of the diameter, in micrometres to that power."""
        low, high = self._limits
        shift = order * self.log_sd
        kept = (_normal_cdf(high - shift) - _normal_cdf(low - shift)) / (
            _normal_cdf(high) - _normal_cdf(low)
        )
        return self.median_um**order * math.exp(0.5 * shift**2) * kept

    def quantile_um(self, level: float) -> float:
        """Diameter that a share of the particles doesn't exceed."""
        return float(self._quantiles(np.array([level]))[0])

    def draw(self, rng: Generator, n: int) -> NDArray[np.float64]:
        """Draw diameters in micrometres, in no order."""
        return self._quantiles(rng.uniform(size=n))

    def _quantiles(self, level: NDArray[np.float64]) -> NDArray[np.float64]:
        from scipy.special import ndtri

        low, high = (_normal_cdf(limit) for limit in self._limits)
        diameter = self.median_um * np.exp(self.log_sd * ndtri(low + level * (high - low)))
        return np.asarray(np.clip(diameter, self.smallest_um, self.largest_um))

    @property
    def _limits(self) -> tuple[float, float]:
        low, high = (
            math.log(limit / self.median_um) / self.log_sd
            for limit in (self.smallest_um, self.largest_um)
        )
        return low, high


def _normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


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
    """

    sizes: Sizes = field(default_factory=Sizes)
    area_share: float = 0.15
    longest_aspect: float = 1.8
    irregularity: float = 0.05


@dataclass(frozen=True)
class Hypereutectoid:
    """Grains with a network, denuded zones beside it, spheroidite and Widmanstatten laths.

    Attributes
    ----------
    grain_um : float
        Square root of the mean grain area.
    roughness_um : float
        Root mean square deviation of a grain boundary from a plane.
    network_um : float
        Median thickness of the network away from triple junctions.
    network_log_sd : float
        Standard deviation of the natural logarithm of the thickness along the network.
    denuded_um : float
        Median width of the denuded zone: distance from the network's outline to the spheroidite.
    denuded_log_sd : float
        Standard deviation of the natural logarithm of that distance; 0 for one width everywhere.
    lath_share : float
        Share of the image that laths are to cover; less where they cross or lack room.
    lath_um : tuple of float
        Shortest and longest lath.
    lath_width_um : float
        Mean width of a lath at its root.
    particles : ParticleField
        What fills the spheroidite.
    """

    grain_um: float = 45.0
    roughness_um: float = 1.0
    network_um: float = 3.0
    network_log_sd: float = 0.4
    denuded_um: float = 1.5
    denuded_log_sd: float = 0.0
    lath_share: float = 0.03
    lath_um: tuple[float, float] = (4.0, 20.0)
    lath_width_um: float = 0.5
    particles: ParticleField = field(
        default_factory=lambda: ParticleField(Sizes(0.7, 0.45, 0.35, 2.0), area_share=0.14)
    )


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
    """

    row: NDArray[np.float64]
    column: NDArray[np.float64]
    major: NDArray[np.float64]
    minor: NDArray[np.float64]
    angle: NDArray[np.float64]
    bumps: NDArray[np.complex128]
    n_lost: int = 0

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

    def moved(self, rows: float, columns: float) -> Placed:
        """Count pixels from elsewhere."""
        return self._with(self.row + rows, self.column + columns)

    def within(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Tell which particles have their centres in an image.

        Number and sizes of these are those of the field, since every place in the image had the
        same chance to hold a particle; those that merely reach into it are more often large ones.
        """
        inside: NDArray[np.bool_] = (self.row >= -0.5) & (self.row < shape[0] - 0.5)
        return inside & (self.column >= -0.5) & (self.column < shape[1] - 0.5)

    def _with(self, row: NDArray[np.float64], column: NDArray[np.float64]) -> Placed:
        return Placed(row, column, self.major, self.minor, self.angle, self.bumps, self.n_lost)


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

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> placed = scatter_particles(rng, ParticleField(), (100, 200), pixel_um=0.05)
    >>> bool(placed.within((100, 200)).sum() > 40), placed.n_lost
    (True, 0)
    """
    margin = _margin_px(particles, pixel_um)
    clearance = np.full([n + 2 * margin for n in shape], np.inf, np.float32)
    return place_particles(rng, particles, clearance, pixel_um).moved(-margin, -margin)


def _margin_px(particles: ParticleField, pixel_um: float) -> int:
    """Width of the strip around an image in which centres of particles that reach into it lie."""
    bump = min(4.0 * particles.irregularity, _LARGEST_BUMP)
    longest = math.sqrt(particles.longest_aspect) * (1.0 + 2.0 * bump)
    return math.ceil(particles.sizes.largest_um / pixel_um / 2.0 * longest) + 1


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
    """
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

    Examples
    --------
    >>> one = np.ones(1)
    >>> ellipse = Placed(one, 2 * one, 2 * one, one, 0 * one, np.zeros((1, 2), complex))
    >>> particle_coverage(ellipse, (3, 5)).round(2)
    array([[0.  , 0.37, 0.5 , 0.37, 0.  ],
           [0.5 , 1.  , 1.  , 1.  , 0.5 ],
           [0.  , 0.37, 0.5 , 0.37, 0.  ]])
    """
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


class Grown(NamedTuple):
    """A hypereutectoid structure on pixels.

    Attributes
    ----------
    labels : ndarray of uint8, shape (rows, columns)
        Microconstituents.
    cementite : ndarray of float64, shape (rows, columns)
        Share of cementite in each pixel: network, laths, and the particles of the spheroidite.
    denuded_um : ndarray of float64, shape (rows, columns)
        Stated width of the denuded zone whose outer edge runs through a pixel.
    placed : Placed
        The particles.
    """

    labels: NDArray[np.uint8]
    cementite: NDArray[np.float64]
    denuded_um: NDArray[np.float64]
    placed: Placed


def grow_hypereutectoid(
    rng: Generator, structure: Hypereutectoid, shape: tuple[int, int], pixel_um: float
) -> Grown:
    """Draw a hypereutectoid structure and lay it on pixels.

    Parameters
    ----------
    rng : Generator
    structure : Hypereutectoid
    shape : tuple of int
    pixel_um : float

    Returns
    -------
    Grown

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> grown = grow_hypereutectoid(rng, Hypereutectoid(), (150, 200), pixel_um=0.3)
    >>> np.unique(grown.labels), grown.cementite.max()
    (array([0, 1, 2, 3], dtype=uint8), np.float64(1.0))
    """
    from scipy.ndimage import distance_transform_edt

    # The structure goes on beyond the image, as far as something there can reach into it.
    margin = _margin_px(structure.particles, pixel_um)
    wide = (shape[0] + 2 * margin, shape[1] + 2 * margin)
    grains, depth = _grains_and_network(rng, structure, wide, pixel_um)
    network = depth > 0.0
    denuded_px = structure.denuded_um / pixel_um
    rough = smooth_field(rng, wide, max(denuded_px, 2.0))
    width_px = denuded_px * np.exp(structure.denuded_log_sd * rough)
    to_network = _distance_to_outline(depth, width_px.max())
    laths = _laths(rng, structure, grains, to_network, pixel_um)

    labels = np.full(wide, SPHEROIDITE, np.uint8)
    labels[to_network <= width_px] = MATRIX
    labels[laths >= 0.5] = WIDMANSTATTEN
    labels[network] = NETWORK

    clearance = distance_transform_edt(labels == SPHEROIDITE)
    placed = place_particles(rng, structure.particles, clearance, pixel_um)
    slope = np.maximum(np.hypot(*np.gradient(depth)), 0.3)
    cementite = np.maximum(np.clip(0.5 + depth / slope, 0.0, 1.0), laths)
    cementite = np.maximum(cementite, particle_coverage(placed, wide))
    cut = (slice(margin, margin + shape[0]), slice(margin, margin + shape[1]))
    return Grown(
        np.ascontiguousarray(labels[cut]),
        cementite[cut],
        width_px[cut] * pixel_um,
        placed.moved(-margin, -margin),
    )


def _grains_and_network(
    rng: Generator, structure: Hypereutectoid, shape: tuple[int, int], pixel_um: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Give each pixel's grain, and about how deep in the network it lies, below 0 outside."""
    from scipy.spatial import cKDTree

    grain_px = structure.grain_um / pixel_um
    # One seed in each cell of a grid makes grains of about one size; its odd rows are shifted by
    # half a cell, so that boundaries meet in threes. From two cells outside the frame a seed no
    # longer reaches into it.
    cells = np.stack(
        np.meshgrid(*(np.arange(-2.0, n / grain_px + 3.0) for n in shape), indexing="ij"), axis=-1
    ).reshape(-1, 2)
    cells[:, 1] += 0.5 * (cells[:, 0] % 2.0)
    seeds = (cells + rng.uniform(size=2) + rng.uniform(-0.45, 0.45, cells.shape)) * grain_px

    roughness_px = structure.roughness_um / pixel_um
    points = np.moveaxis(np.indices(shape, np.float64), 0, -1).copy()
    for axis in range(2):
        points[..., axis] += roughness_px * smooth_field(rng, shape, 5.0 * roughness_px)
    distance, nearest = cKDTree(seeds).query(points, k=3)
    # Distance to the plane half way to the second and to the third seed: with one of them alone
    # there would be a jump where they swap.
    nearest_seed, distance_0 = seeds[nearest[..., 0]], distance[..., 0]
    to_boundary = np.min(
        [
            (distance[..., i] ** 2 - distance_0**2)
            / (2.0 * np.linalg.norm(nearest_seed - seeds[nearest[..., i]], axis=-1))
            for i in (1, 2)
        ],
        axis=0,
    )

    # Most of the thickness varies over a good part of a grain's edge, some over the thickness
    # itself.
    network_px = structure.network_um / pixel_um
    varying = 0.9 * smooth_field(rng, shape, grain_px / 4.0)
    varying += math.sqrt(1.0 - 0.9**2) * smooth_field(rng, shape, network_px)
    # The network is thickest where three grains meet.
    junction = 1.5 * np.exp(-(distance[..., 2] - distance[..., 0]) / (0.1 * grain_px))
    thickness = network_px * np.exp(structure.network_log_sd * varying) * (1.0 + junction)
    return nearest[..., 0], thickness / 2.0 - to_boundary


def _distance_to_outline(depth: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Measure how far each pixel's centre lies from where `depth` is 0; 0 inside, where it is more.

    From the points where the outline crosses the grid, and those half way between them, rather
    than from pixels: the distance between pixel centres is half a pixel too long on average. That
    one is used beyond `reach`, less half a pixel.
    """
    from scipy.ndimage import distance_transform_edt
    from scipy.spatial import cKDTree
    from skimage.measure import find_contours

    outside = depth <= 0.0
    contours = find_contours(depth, 0.0) if min(depth.shape) > 1 else []
    points = [np.concatenate([c, (c[1:] + c[:-1]) / 2.0]) for c in contours]
    if not points:
        return np.where(outside, np.inf, 0.0)
    to_outline: NDArray[np.float64] = np.maximum(distance_transform_edt(outside) - 0.5, 0.0)
    near = outside & (to_outline <= reach + 1.0)
    # Not balanced: an outline's points are evenly spread.
    tree = cKDTree(np.concatenate(points), compact_nodes=False, balanced_tree=False)
    to_outline[near] = tree.query(np.argwhere(near))[0]
    return to_outline


def _laths(
    rng: Generator,
    structure: Hypereutectoid,
    grains: NDArray[np.intp],
    to_network: NDArray[np.float64],
    pixel_um: float,
) -> NDArray[np.float64]:
    """Grow needles from the network into some grains, along two directions in each."""
    shortest, longest = (length / pixel_um for length in structure.lath_um)
    mean_area = (shortest + longest) / 2.0 * structure.lath_width_um / pixel_um
    n = math.ceil(structure.lath_share * grains.size / mean_area)

    visible = np.unique(grains[to_network > shortest])
    bearing = rng.permutation(visible)[: math.ceil(0.5 * visible.size)]
    roots = np.argwhere((to_network > 0.0) & (to_network < 2.0) & np.isin(grains, bearing))
    if not roots.size or not n:
        return np.zeros(grains.shape)
    # Most roots point back into the network or along it, hence many candidates; the first n with
    # room are taken.
    root = roots[rng.integers(len(roots), size=20 * n)]
    grain = grains[root[:, 0], root[:, 1]]
    # A grain has few habit planes, so that its laths are parallel or cross at one angle.
    habit = rng.uniform(0.0, 2.0 * math.pi, grains.max() + 1)
    angle = habit[grain] + rng.choice(
        [0.0, 1.1, math.pi, math.pi + 1.1], grain.size, p=[0.4, 0.1, 0.4, 0.1]
    )
    angle += rng.normal(0.0, 0.03, grain.size)
    direction = np.stack([np.sin(angle), np.cos(angle)], axis=1)

    steps = np.arange(math.ceil(longest))
    path = np.rint(root[:, None] + steps[:, None] * direction[:, None]).astype(np.intp)
    framed = ((path >= 0) & (path < grains.shape)).all(axis=-1)
    path[~framed] = 0
    here = path[..., 0], path[..., 1]
    free = framed & (to_network[here] > 0.0) & (grains[here] == grain[:, None])
    room = np.logical_and.accumulate(free, axis=1).sum(axis=1)
    length = np.minimum(rng.uniform(shortest, longest, grain.size), room)
    tip = np.rint(root + length[:, None] * direction).astype(np.intp)
    tip = np.clip(tip, 0, np.array(grains.shape) - 1)
    inward = to_network[tip[:, 0], tip[:, 1]] >= 0.4 * length
    taken = np.flatnonzero((length >= shortest) & inward)[:n]

    half_width = structure.lath_width_um / pixel_um / 2.0 * rng.uniform(0.7, 1.3, taken.size)
    return _needle_coverage(root[taken], direction[taken], length[taken], half_width, grains.shape)


def _needle_coverage(
    root: NDArray[np.intp],
    direction: NDArray[np.float64],
    length: NDArray[np.float64],
    half_width: NDArray[np.float64],
    shape: tuple[int, ...],
) -> NDArray[np.float64]:
    """Give each pixel's share of needles, which taper over their last quarter."""
    coverage = np.zeros(shape)
    for start, way, long, half in zip(root, direction, length, half_width, strict=True):
        reach = math.ceil(half) + 2
        ends = np.stack([start, start + long * way])
        low = np.maximum(np.floor(ends.min(0)).astype(int) - reach, 0)
        high = np.minimum(np.ceil(ends.max(0)).astype(int) + reach + 1, shape)
        row, column = np.ogrid[low[0] : high[0], low[1] : high[1]]
        row, column = row - start[0], column - start[1]
        along = (row * way[0] + column * way[1]) / long
        across = np.abs(row * way[1] - column * way[0])
        # A needle thinner than a pixel's diagonal would fall apart into specks.
        wide = np.maximum(half * np.minimum(1.0, 4.0 * (1.0 - along)), math.sqrt(0.5))
        share = np.where((along >= 0.0) & (along <= 1.0), np.clip(0.5 + wide - across, 0, 1), 0.0)
        box = coverage[low[0] : high[0], low[1] : high[1]]
        np.maximum(box, share, out=box)
    return coverage
