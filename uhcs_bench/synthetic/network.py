"""A network of proeutectoid cementite with its denuded zones."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from uhcs_bench.metallography.labels import MATRIX, NETWORK, SPHEROIDITE, WIDMANSTATTEN
from uhcs_bench.synthetic.limits import (
    LENGTH_UM,
    Limits,
    frame_problems,
    generator_problems,
    is_number,
    kind_problems,
    number_problems,
    refuse,
)
from uhcs_bench.synthetic.particle_field import (
    ParticleField,
    Placed,
    extent_problems,
    margin_px,
    particle_coverage,
    place_particles,
)
from uhcs_bench.synthetic.random_fields import smooth_field
from uhcs_bench.synthetic.sizes import Sizes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator
    from numpy.typing import NDArray

_WAVES = 5.0
"""Length over which a boundary deviates from a plane, as a multiple of its roughness."""
_THICKNESS = 0.25
"""Length over which most of the network's thickness varies, as a share of the grain size."""

_LIMITS = {
    "grain_um": LENGTH_UM,
    "roughness_um": LENGTH_UM,
    "network_um": LENGTH_UM,
    "network_log_sd": Limits(0.0, 1.0),
    "denuded_um": LENGTH_UM,
    "denuded_log_sd": Limits(0.0, 1.0),
    "lath_share": Limits(0.0, 1.0),
    "lath_width_um": LENGTH_UM,
}


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

    Raises
    ------
    UsageError
        If a value is no number, or none that makes sense; the message lists all of them.
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

    def __post_init__(self) -> None:
        refuse("Hypereutectoid", _problems(self))

    @property
    def finest_um(self) -> float:
        """Shortest length of the random fields that it is drawn with."""
        return min(_THICKNESS * self.grain_um, _WAVES * self.roughness_um, self.network_um)


def _problems(structure: Hypereutectoid) -> Iterator[str]:
    yield from number_problems(vars(structure), _LIMITS)
    yield from kind_problems("particles", structure.particles, ParticleField)
    laths: object = structure.lath_um
    pair = laths if isinstance(laths, tuple | list) and all(map(is_number, laths)) else ()
    if len(pair) != 2 or not LENGTH_UM.low <= pair[0] <= pair[1] <= LENGTH_UM.high:
        yield (f"lath_um is {laths!r}, and must be two lengths {LENGTH_UM}, the shorter one first")


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

    Raises
    ------
    UsageError
        If an argument is of another kind or makes no sense; the message lists all of them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> grown = grow_hypereutectoid(rng, Hypereutectoid(), (150, 200), pixel_um=0.3)
    >>> np.unique(grown.labels), grown.cementite.max()
    (array([0, 1, 2, 3], dtype=uint8), np.float64(1.0))
    """
    from scipy.ndimage import distance_transform_edt

    refuse(
        "The structure",
        [
            *generator_problems(rng),
            *kind_problems("structure", structure, Hypereutectoid),
            *frame_problems(shape, pixel_um, "pixel_um"),
        ],
    )
    extent = extent_problems(structure.particles, shape, pixel_um, structure.finest_um)
    refuse("The structure", extent)
    # The structure goes on beyond the image, as far as something there can reach into it.
    margin = margin_px(structure.particles, pixel_um)
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
        points[..., axis] += roughness_px * smooth_field(rng, shape, _WAVES * roughness_px)
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
    varying = 0.9 * smooth_field(rng, shape, _THICKNESS * grain_px)
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
