"""A small generated stand-in for both data sets, which needs neither network nor cache.

A micrograph is made in two steps that share no random numbers: a structure with known truth
(lengths in micrometres, `Hypereutectoid` or `Particles`), and an image of it (lengths in pixels,
`Imaging`). Either can grow without changing the other. No pixel of a real micrograph goes in;
shares, sizes and gray levels are of the order of the real ones, and no score on this set says
anything about steel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.errors import UsageError
from uhcs_bench.registry import Entry, HeatTreatment, PixelSize

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

N_MICROGRAPHS = 24
SHAPE = (192, 256)
PIXEL_UM: dict[protocol.TaskName, float] = {"particles": 0.04, "microconstituents": 0.2}

MATRIX, NETWORK, SPHEROIDITE, WIDMANSTATTEN = range(4)
"""Labels of the microconstituents."""

_ENTROPY = 0x55484353
"""Start of every seed, arbitrary ("UHCS"). Another one makes another data set."""
_GAP_PX = 1.5
"""Free space between particles: over sqrt(2), so that their pixels don't touch even at a corner."""
_REACH = 3
"""Grid cells to each side that a node of a smooth field reaches."""
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
        Standard deviation of the natural logarithm of the diameter, before it is cut off.
    smallest_um, largest_um : float
        No diameter lies outside these.
    """

    median_um: float
    log_sd: float
    smallest_um: float
    largest_um: float


@dataclass(frozen=True)
class Particles:
    """A field of spheroidised cementite particles in ferrite.

    Attributes
    ----------
    sizes : Sizes
    area_share : float
        Share of the field that particles cover, on average over many fields.
    longest_aspect : float
        Aspect ratios are uniform from 1 to this.
    """

    sizes: Sizes
    area_share: float
    longest_aspect: float


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
        Median distance from the network to the spheroidite.
    denuded_log_sd : float
        Standard deviation of the natural logarithm of that distance.
    lath_share : float
        Share of the image that laths are to cover; less where they cross or lack room.
    lath_um : tuple of float
        Shortest and longest lath.
    lath_width_um : float
        Mean width of a lath at its root.
    particles : Particles
        What fills the spheroidite.
    """

    grain_um: float
    roughness_um: float
    network_um: float
    network_log_sd: float
    denuded_um: float
    denuded_log_sd: float
    lath_share: float
    lath_um: tuple[float, float]
    lath_width_um: float
    particles: Particles


@dataclass(frozen=True)
class Imaging:
    """How a secondary-electron image comes from the structure.

    Lengths are in pixels, signals in gray levels.

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
    tilt : float
        What a slope gains that faces the detector, beyond the image's top edge, and loses that
        faces away.
    relief, relief_px : float
        Standard deviation and length of the etched ferrite's texture.
    drift : float
        Standard deviation of the slow relative drift of the signal over the image.
    blur_px : float
        Standard deviation of the beam.
    electrons : float
        Detected electrons per gray level: the shot noise's variance is the signal divided by this.
    read_noise : float
        Standard deviation of the noise that does not depend on the signal.
    """

    ferrite: float
    cementite: float
    edge_gain: float
    edge_px: float
    shadow: float
    tilt: float
    relief: float
    relief_px: float
    drift: float
    blur_px: float
    electrons: float
    read_noise: float


@dataclass(frozen=True)
class Placed:
    """Particles in their places, as ellipses: five arrays of one length, in pixels and radians.

    Attributes
    ----------
    row, column : ndarray of float64
        Centres; a pixel's centre has integer coordinates.
    major, minor : ndarray of float64
        Semi-axes.
    angle : ndarray of float64
        From the column axis to the major axis.
    """

    row: NDArray[np.float64]
    column: NDArray[np.float64]
    major: NDArray[np.float64]
    minor: NDArray[np.float64]
    angle: NDArray[np.float64]


def catalogue(task: str) -> tuple[Entry, ...]:
    """List the 24 generated micrographs of a task.

    Parameters
    ----------
    task : str
        Name or alias of a task.

    Returns
    -------
    tuple of Entry
        The four micrographs of fold 0, then those of fold 1, and so on. They have no files.

    Raises
    ------
    UsageError
        If there is no such task.

    Examples
    --------
    >>> entry = catalogue("particles")[5]
    >>> entry.id, entry.fold, entry.shape, entry.pixel_size.um
    ('synthetic-particles-05', 1, (192, 256), 0.04)
    """
    name = protocol.task(task).name
    pixel_size = PixelSize(
        um=PIXEL_UM[name],
        provenance="chosen by the generator",
        claims={"generator": PIXEL_UM[name]},
        sources_disagree=False,
    )
    return tuple(
        Entry(
            task=name,
            id=f"synthetic-{name}-{index:02d}",
            version=protocol.SYNTHETIC_VERSION,
            fold=index // (N_MICROGRAPHS // protocol.N_FOLDS),
            shape=SHAPE,
            uhcsdb_id=None,
            pixel_size=pixel_size,
            heat_treatment=HeatTreatment(None, None, None, None),
            licence="MIT (generated by uhcs-bench, not a micrograph of steel)",
            citation=(),
        )
        for index in range(N_MICROGRAPHS)
    )


def generate(entry: Entry) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Make the image and the label map of a generated micrograph.

    The same entry gives the same bytes whatever was generated before. Another release of NumPy or
    SciPy may round differently.

    Parameters
    ----------
    entry : Entry
        One that `catalogue` lists, or a copy of one with another shape.

    Returns
    -------
    image : ndarray of uint8
        Gray levels, of the entry's shape.
    labels : ndarray of uint8
        Labels of the task's classes, of the same shape. Spheroidite covers the particles and what
        lies between them.

    Raises
    ------
    UsageError
        If the entry is that of a real micrograph.

    Examples
    --------
    >>> image, labels = generate(catalogue("microconstituents")[0])
    >>> image.shape, image.dtype, sorted(set(labels.flat)) == [0, 1, 2, 3]
    ((192, 256), dtype('uint8'), True)
    """
    structure_rng, imaging_rng = _generators(entry)
    pixel_um = PIXEL_UM[entry.task]
    if entry.task == "particles":
        field = draw_particles(structure_rng)
        anywhere = np.full(entry.shape, np.inf)
        placed = place_particles(structure_rng, field, anywhere, pixel_um)
        cementite = rasterise(placed, entry.shape)
        labels = cementite.astype(np.uint8)
        imaging = draw_particle_imaging(imaging_rng)
    else:
        structure = draw_hypereutectoid(structure_rng)
        labels, cementite = grow_hypereutectoid(structure_rng, structure, entry.shape, pixel_um)
        imaging = draw_overview_imaging(imaging_rng)
    return acquire(imaging_rng, imaging, cementite), labels


def _generators(entry: Entry) -> tuple[Generator, Generator]:
    if entry.version != protocol.SYNTHETIC_VERSION:
        raise UsageError(
            f"{entry.id!r} is a real micrograph and can't be generated. "
            "The entries that can are those of uhcs_bench.synthetic.catalogue."
        )
    position = list(protocol.TASKS).index(entry.task), int(entry.id.rsplit("-", 1)[1])
    seeds = np.random.SeedSequence(_ENTROPY, spawn_key=position).spawn(2)
    structure, imaging = (np.random.Generator(np.random.PCG64(seed)) for seed in seeds)
    return structure, imaging


def draw_particles(rng: Generator) -> Particles:
    """Draw the conditions of a micrograph of the particle task."""
    return Particles(
        sizes=Sizes(
            median_um=math.exp(rng.uniform(math.log(0.18), math.log(0.42))),
            log_sd=rng.uniform(0.35, 0.55),
            smallest_um=0.08,
            largest_um=1.2,
        ),
        area_share=rng.uniform(0.10, 0.20),
        longest_aspect=1.8,
    )


def draw_hypereutectoid(rng: Generator) -> Hypereutectoid:
    """Draw the conditions of a micrograph of the microconstituents task."""
    grain_um = rng.uniform(22.0, 38.0)
    # Coarse grains have less boundary for the same carbon, so that their network is thicker.
    return Hypereutectoid(
        grain_um=grain_um,
        roughness_um=rng.uniform(0.5, 1.2),
        network_um=grain_um * rng.uniform(0.03, 0.075),
        network_log_sd=rng.uniform(0.25, 0.45),
        denuded_um=rng.uniform(0.7, 2.3),
        denuded_log_sd=0.2,
        lath_share=rng.uniform(0.015, 0.055),
        lath_um=(4.0, 20.0),
        lath_width_um=rng.uniform(0.4, 0.6),
        particles=Particles(
            sizes=Sizes(
                median_um=rng.uniform(0.6, 0.9), log_sd=0.4, smallest_um=0.4, largest_um=1.8
            ),
            area_share=rng.uniform(0.1, 0.16),
            longest_aspect=1.8,
        ),
    )


def draw_particle_imaging(rng: Generator) -> Imaging:
    """Draw the imaging conditions of a micrograph of the particle task."""
    return Imaging(
        ferrite=rng.uniform(75.0, 120.0),
        cementite=rng.uniform(150.0, 205.0),
        edge_gain=rng.uniform(60.0, 150.0),
        edge_px=rng.uniform(1.0, 1.8),
        shadow=rng.uniform(50.0, 110.0),
        tilt=rng.uniform(20.0, 90.0),
        relief=rng.uniform(12.0, 36.0),
        relief_px=rng.uniform(0.9, 1.6),
        drift=rng.uniform(0.02, 0.18),
        blur_px=rng.uniform(0.4, 0.9),
        electrons=rng.uniform(1.0, 6.0),
        read_noise=3.0,
    )


def draw_overview_imaging(rng: Generator) -> Imaging:
    """Draw the imaging conditions of a micrograph of the microconstituents task."""
    ferrite = rng.uniform(85.0, 120.0)
    return Imaging(
        ferrite=ferrite,
        # Flat cementite is hardly brighter than ferrite, as in the real overviews: there only
        # edges are bright.
        cementite=ferrite + rng.uniform(-15.0, 12.0),
        edge_gain=rng.uniform(160.0, 280.0),
        edge_px=rng.uniform(0.9, 1.3),
        shadow=rng.uniform(40.0, 90.0),
        tilt=rng.uniform(20.0, 80.0),
        relief=rng.uniform(12.0, 26.0),
        relief_px=rng.uniform(0.8, 1.3),
        drift=rng.uniform(0.02, 0.10),
        blur_px=rng.uniform(0.4, 0.7),
        electrons=rng.uniform(1.5, 6.0),
        read_noise=3.0,
    )


def smooth_field(rng: Generator, shape: tuple[int, int], length_px: float) -> NDArray[np.float64]:
    """Draw a Gaussian random field of zero mean and unit variance everywhere.

    Parameters
    ----------
    rng : Generator
    shape : tuple of int
    length_px : float
        Distance at which the correlation has fallen to exp(-1/4).

    Returns
    -------
    ndarray of float64

    Examples
    --------
    >>> field = smooth_field(np.random.Generator(np.random.PCG64(1)), (30, 40), 5.0)
    >>> field.shape, bool(np.abs(np.diff(field)).max() < 0.8)
    ((30, 40), True)
    """
    n_nodes = [math.floor((n - 1) / length_px) + 1 + 2 * _REACH for n in shape]
    nodes = rng.standard_normal(n_nodes)
    return _spread(_spread(nodes, shape[0], length_px).T, shape[1], length_px).T


def _spread(nodes: NDArray[np.float64], n: int, length_px: float) -> NDArray[np.float64]:
    """Go from a grid of spacing `length_px` to `n` rows, at a cost independent of that length."""
    position = np.arange(n) / length_px
    before = np.floor(position).astype(np.intp)
    offsets = np.arange(2 * _REACH + 1)
    weights = np.exp(-(((position - before)[:, None] + _REACH - offsets) ** 2))
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    rows = np.zeros((n, nodes.shape[1]))
    for offset in offsets:
        rows += weights[:, offset, None] * nodes[before + offset]
    return rows


def draw_diameters(rng: Generator, sizes: Sizes, n: int) -> NDArray[np.float64]:
    """Draw equivalent diameters in micrometres, in no order."""
    from scipy.special import ndtri

    low, high = _cut_off(sizes)
    quantiles = ndtri(rng.uniform(_normal_cdf(low), _normal_cdf(high), n))
    diameters: NDArray[np.float64] = sizes.median_um * np.exp(sizes.log_sd * quantiles)
    return diameters


def _cut_off(sizes: Sizes) -> tuple[float, float]:
    low, high = (
        math.log(limit / sizes.median_um) / sizes.log_sd
        for limit in (sizes.smallest_um, sizes.largest_um)
    )
    return low, high


def _normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def _mean_area_um2(sizes: Sizes) -> float:
    low, high = _cut_off(sizes)
    twice = 2.0 * sizes.log_sd
    kept = (_normal_cdf(high - twice) - _normal_cdf(low - twice)) / (
        _normal_cdf(high) - _normal_cdf(low)
    )
    return math.pi / 4.0 * sizes.median_um**2 * math.exp(twice * sizes.log_sd) * kept


def place_particles(
    rng: Generator, particles: Particles, clearance: NDArray[np.float64], pixel_um: float
) -> Placed:
    """Draw particles and put them where they neither overlap nor touch.

    Parameters
    ----------
    rng : Generator
    particles : Particles
    clearance : ndarray of float64
        Distance in pixels from each pixel to what no particle may touch: 0 there, infinite if
        there is nothing.
    pixel_um : float

    Returns
    -------
    Placed
        Largest first. The image's border may cut them. A field too dense to hold all has fewer of
        the small ones.
    """
    field_um2 = np.count_nonzero(clearance) * pixel_um**2
    n = round(particles.area_share * field_um2 / _mean_area_um2(particles.sizes))
    radius = -np.sort(-draw_diameters(rng, particles.sizes, n)) / (2.0 * pixel_um)
    stretch = np.sqrt(rng.uniform(1.0, particles.longest_aspect, n))
    major, minor = radius * stretch, radius / stretch
    angle = rng.uniform(0.0, math.pi, n)

    pixels = np.argsort(-clearance, axis=None, kind="stable")
    # A centre lies up to half a pixel's diagonal away from where its clearance was measured.
    needed = major + _GAP_PX + math.sqrt(0.5)
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

        taken, _ = _clashes(spots, major[looking], centres[placed], major[placed])
        vacant = np.delete(np.arange(looking.size), taken)
        new, first = np.unique(looking[vacant], return_index=True)
        centres[new] = spots[vacant[first]]
        # Of two newcomers that clash, the larger one stays.
        one, other = _clashes(centres[new], major[new], centres[new], major[new])
        placed[new] = True
        placed[new[other[one < other]]] = False
        if placed.all():
            break
    row, column = centres[placed].T
    return Placed(row, column, major[placed], minor[placed], angle[placed])


def _clashes(
    at: NDArray[np.float64],
    radius: NDArray[np.float64],
    there: NDArray[np.float64],
    radius_there: NDArray[np.float64],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find which circles here come too near to which circles there."""
    from scipy.spatial import cKDTree

    reach = radius.max(initial=0.0) + radius_there.max(initial=0.0) + _GAP_PX
    near = cKDTree(at).sparse_distance_matrix(cKDTree(there), reach, output_type="ndarray")
    clash = near["v"] <= radius[near["i"]] + radius_there[near["j"]] + _GAP_PX
    return near["i"][clash], near["j"][clash]


def rasterise(placed: Placed, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Mark the pixels whose centres lie in a particle.

    Examples
    --------
    >>> one = np.ones(1)
    >>> rasterise(Placed(one, 2 * one, 2 * one, one, 0 * one), (3, 5)).astype(int)
    array([[0, 0, 1, 0, 0],
           [1, 1, 1, 1, 1],
           [0, 0, 1, 0, 0]])
    """
    # Each particle's box of pixels, one box after the other, so that no loop over particles is
    # needed.
    side = 2 * np.ceil(placed.major).astype(np.intp) + 3
    n_pixels = side**2
    owner = np.repeat(np.arange(side.size), n_pixels)
    within = np.arange(n_pixels.sum()) - np.repeat(np.cumsum(n_pixels) - n_pixels, n_pixels)
    down, right = np.divmod(within, side[owner])
    row = np.rint(placed.row).astype(np.intp)[owner] + down - side[owner] // 2
    column = np.rint(placed.column).astype(np.intp)[owner] + right - side[owner] // 2

    y, x = row - placed.row[owner], column - placed.column[owner]
    sine, cosine = np.sin(placed.angle)[owner], np.cos(placed.angle)[owner]
    along = (x * cosine + y * sine) / placed.major[owner]
    across = (y * cosine - x * sine) / placed.minor[owner]
    inside = (along**2 + across**2 <= 1.0) & _in_frame(row, column, shape)
    mask = np.zeros(shape, bool)
    mask[row[inside], column[inside]] = True
    return mask


def _in_frame(
    row: NDArray[np.intp], column: NDArray[np.intp], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    return (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])


def grow_hypereutectoid(
    rng: Generator, structure: Hypereutectoid, shape: tuple[int, int], pixel_um: float
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Make a label map of the microconstituents and say where cementite is.

    Parameters
    ----------
    rng : Generator
    structure : Hypereutectoid
    shape : tuple of int
    pixel_um : float

    Returns
    -------
    labels : ndarray of uint8
    cementite : ndarray of bool
        Network, laths, and the particles of the spheroidite.
    """
    from scipy.ndimage import distance_transform_edt

    grains, network = _grains_and_network(rng, structure, shape, pixel_um)
    to_network = distance_transform_edt(~network)
    denuded_px = structure.denuded_um / pixel_um
    rough = smooth_field(rng, shape, max(denuded_px, 2.0))
    denuded = to_network <= denuded_px * np.exp(structure.denuded_log_sd * rough)
    laths = _laths(rng, structure, grains, to_network, pixel_um)

    labels = np.full(shape, SPHEROIDITE, np.uint8)
    labels[denuded] = MATRIX
    labels[laths] = WIDMANSTATTEN
    labels[network] = NETWORK

    clearance = distance_transform_edt(labels == SPHEROIDITE)
    placed = place_particles(rng, structure.particles, clearance, pixel_um)
    return labels, network | laths | rasterise(placed, shape)


def _grains_and_network(
    rng: Generator, structure: Hypereutectoid, shape: tuple[int, int], pixel_um: float
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
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
    between = np.linalg.norm(seeds[nearest[..., 0]] - seeds[nearest[..., 1]], axis=-1)
    to_boundary = (distance[..., 1] ** 2 - distance[..., 0] ** 2) / (2.0 * between)

    # Most of the thickness varies over a good part of a grain's edge, some over the thickness
    # itself.
    network_px = structure.network_um / pixel_um
    varying = 0.9 * smooth_field(rng, shape, grain_px / 4.0)
    varying += math.sqrt(1.0 - 0.9**2) * smooth_field(rng, shape, network_px)
    # The network is thickest where three grains meet.
    junction = 1.5 * np.exp(-(distance[..., 2] - distance[..., 0]) / (0.1 * grain_px))
    thickness = network_px * np.exp(structure.network_log_sd * varying) * (1.0 + junction)
    return nearest[..., 0], to_boundary < thickness / 2.0


def _laths(
    rng: Generator,
    structure: Hypereutectoid,
    grains: NDArray[np.intp],
    to_network: NDArray[np.float64],
    pixel_um: float,
) -> NDArray[np.bool_]:
    """Grow needles from the network into some grains, along two directions in each."""
    shortest, longest = (length / pixel_um for length in structure.lath_um)
    mean_area = (shortest + longest) / 2.0 * structure.lath_width_um / pixel_um
    n = max(1, round(structure.lath_share * grains.size / mean_area))

    visible = np.unique(grains[to_network > shortest])
    bearing = rng.permutation(visible)[: math.ceil(0.5 * visible.size)]
    roots = np.argwhere((to_network > 0.0) & (to_network < 2.0) & np.isin(grains, bearing))
    if not roots.size:
        return np.zeros(grains.shape, bool)
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
    framed = _in_frame(path[..., 0], path[..., 1], grains.shape)
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
    return _rasterise_needles(
        root[taken], direction[taken], length[taken], half_width, grains.shape
    )


def _rasterise_needles(
    root: NDArray[np.intp],
    direction: NDArray[np.float64],
    length: NDArray[np.float64],
    half_width: NDArray[np.float64],
    shape: tuple[int, int],
) -> NDArray[np.bool_]:
    """Mark the pixels whose centres lie in a needle, which tapers over its last quarter."""
    reach = math.ceil(half_width.max(initial=0.0)) + 1
    around = np.indices((2 * reach + 1, 2 * reach + 1)).reshape(2, -1).T - reach
    steps = np.arange(math.ceil(length.max(initial=0.0)) + 1)
    # Axes: needle, step along it, pixel around that point, coordinate.
    axis = np.rint(root[:, None] + steps[:, None] * direction[:, None]).astype(np.intp)
    pixels = axis[:, :, None] + around
    row, column = np.moveaxis(pixels - root[:, None, None], -1, 0)
    sine, cosine = direction.T[:, :, None, None]
    along = (row * sine + column * cosine) / length[:, None, None]
    across = row * cosine - column * sine
    # A needle thinner than a pixel's diagonal would fall apart into specks.
    half = half_width[:, None, None] * np.minimum(1.0, 4.0 * (1.0 - along))
    inside = (np.abs(across) <= np.maximum(half, math.sqrt(0.5))) & (along >= 0.0) & (along <= 1.0)
    pixels = pixels[inside & _in_frame(pixels[..., 0], pixels[..., 1], shape)]
    mask = np.zeros(shape, bool)
    mask[pixels[:, 0], pixels[:, 1]] = True
    return mask


def acquire(rng: Generator, imaging: Imaging, cementite: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Image a structure with secondary electrons.

    Parameters
    ----------
    rng : Generator
    imaging : Imaging
    cementite : ndarray of bool
        Where cementite is; the rest is ferrite.

    Returns
    -------
    ndarray of uint8
    """
    from scipy.ndimage import gaussian_filter

    shape = cementite.shape
    solid = cementite.astype(np.float64)
    # Share of cementite around each pixel: electrons leave more easily where there is less of it,
    # and less easily at its foot.
    around = gaussian_filter(solid, imaging.edge_px)
    bright = imaging.cementite + imaging.edge_gain * (1.0 - around)
    dark = imaging.ferrite - imaging.shadow * around
    dark += imaging.relief * smooth_field(rng, shape, imaging.relief_px)
    slope = imaging.edge_px * np.gradient(around, axis=0)
    signal = np.where(cementite, bright, dark) + imaging.tilt * slope
    signal = gaussian_filter(signal, imaging.blur_px)
    signal *= 1.0 + imaging.drift * smooth_field(rng, shape, max(shape) / 2.0)
    # Shot noise by its Gaussian limit, which holds from some ten electrons per pixel on.
    variance = np.maximum(signal, 0.0) / imaging.electrons + imaging.read_noise**2
    signal += np.sqrt(variance) * rng.standard_normal(shape)
    image: NDArray[np.uint8] = np.rint(np.clip(signal, 0.0, 255.0)).astype(np.uint8)
    return image
