"""Micrographs with known truth: a measuring standard, and a stand-in for both data sets.

`particles` and `hypereutectoid` make an image, its exact label map, and what went into them:
every particle's place and size, the width of the denuded zone. With them a measure, a
segmentation or a whole procedure can be tested where the right answer is known; see
`uhcs_bench.measuring.calibration`.

A micrograph is made in two steps that share no random numbers: a structure with known truth
(lengths in micrometres, `uhcs_bench.synthetic.particle_field`), and an image of it (lengths in
pixels, `uhcs_bench.synthetic.imaging`). Either can change without the other. No pixel of a real
micrograph goes
in; shares, sizes and gray levels are of the order of the real ones, and no score on this set says
anything about steel.

`catalogue` and `generate` are the 48 micrographs of ``uhcs-bench demo``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench.errors import UsageError
from uhcs_bench.formatting import abbreviated
from uhcs_bench.synthetic.imaging import Imaging, acquire
from uhcs_bench.synthetic.limits import (
    LENGTH_UM,
    Limits,
    array_problems,
    frame_problems,
    generator_problems,
    kind_problems,
    number_problems,
    refuse,
)
from uhcs_bench.synthetic.network import Hypereutectoid, grow_hypereutectoid
from uhcs_bench.synthetic.particle_field import (
    ParticleField,
    Placed,
    extent_problems,
    field_problems,
    particle_coverage,
    scatter_particles,
)
from uhcs_bench.synthetic.sizes import Sizes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator
    from numpy.typing import NDArray

    from uhcs_bench import protocol

SHAPE = (192, 256)
PIXEL_UM: dict[protocol.TaskName, float] = {"particles": 0.04, "microconstituents": 0.2}

OVERVIEW = Imaging(
    # Flat cementite is hardly brighter than ferrite, as in the real overviews: there only edges
    # are bright.
    ferrite=100.0,
    cementite=98.0,
    edge_gain=300.0,
    edge_px=1.1,
    shadow=65.0,
    tilt=50.0,
    tilt_px=4.0,
    relief=12.0,
    relief_px=1.0,
    scratches=80.0,
    scratch_depth=15.0,
    drift=0.06,
    blur_px=0.6,
    electrons=4.0,
)
"""Imaging of an ordinary micrograph of the microconstituents task."""


_MAP_LIMITS = {
    "image": Limits(0, 255),
    "labels": Limits(0, 3),
    "cementite": Limits(0.0, 1.0),
    "denuded_um": Limits(0.0, 1e30),
}


@dataclass(frozen=True, eq=False)  # arrays don't compare as a whole
class Synthetic:
    """A micrograph and the truth about it.

    Attributes
    ----------
    image : ndarray of uint8, shape (rows, columns)
        Gray levels.
    labels : ndarray of uint8, shape (rows, columns)
        Exact label map: what lies at each pixel's centre.
    cementite : ndarray of float64, shape (rows, columns)
        Share of cementite in each pixel, which is what was imaged.
    pixel_size_um : float
    structure : ParticleField or Hypereutectoid
        What was stated.
    placed : Placed
        The particles that were drawn, also those outside the image that reach into it.
    denuded_um : ndarray of float64, shape (rows, columns), or None
        Stated width of the denuded zone whose outer edge runs through a pixel, measured from the
        network's outline; None for a field of particles.

    Raises
    ------
    UsageError
        If a value is of another kind or shape, or makes no sense; the message lists all of them.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    cementite: NDArray[np.float64]
    pixel_size_um: float
    structure: ParticleField | Hypereutectoid
    placed: Placed
    denuded_um: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        refuse("Synthetic", _problems(self))

    __repr__ = abbreviated

    @property
    def diameters_um(self) -> NDArray[np.float64]:
        """Equivalent diameters of the particles whose centres lie in the image: its true sizes."""
        inside = self.placed.within((self.labels.shape[0], self.labels.shape[1]))
        return np.asarray(self.placed.diameter[inside] * self.pixel_size_um)

    @property
    def number_density_um(self) -> float:
        """Particles per square micrometre, by their centres."""
        return self.diameters_um.size / (self.labels.size * self.pixel_size_um**2)


def _problems(made: Synthetic) -> Iterator[str]:
    shape = made.image.shape if getattr(made.image, "ndim", 0) == 2 else (None, None)
    for name, limits in _MAP_LIMITS.items():
        if name != "denuded_um" or made.denuded_um is not None:
            yield from array_problems(name, getattr(made, name), limits, shape)
    yield from number_problems(vars(made), {"pixel_size_um": LENGTH_UM})
    yield from kind_problems("structure", made.structure, ParticleField, Hypereutectoid)
    yield from kind_problems("placed", made.placed, Placed)


def particles(
    seed: int | Generator,
    shape: tuple[int, int] = (475, 645),
    pixel_size_um: float = 0.04,
    sizes: Sizes | None = None,
    *,
    area_share: float = 0.15,
    longest_aspect: float = 1.8,
    irregularity: float = 0.05,
    imaging: Imaging | None = None,
) -> Synthetic:
    """Make a micrograph of spheroidised cementite with known particle sizes.

    Diameters are drawn from a stated lognormal distribution. Particles are placed at random,
    without overlap and with a gap of `uhcs_bench.synthetic.particle_field.GAP_PX`, so that every
    particle is a connected component of the label map, and the other way round, but for those that
    are too small to hold a pixel's centre.

    Parameters
    ----------
    seed : int or Generator
        The same seed gives the same micrograph.
    shape : tuple of int, optional
        Rows and columns.
    pixel_size_um : float, optional
        Edge of a pixel in micrometres.
    sizes : Sizes, optional
        Distribution of equivalent diameters.
    area_share : float, optional
        Share of the field that particles cover, on average over many fields.
    longest_aspect : float, optional
        Aspect ratios are uniform from 1 to this.
    irregularity : float, optional
        Standard deviation of three- and fourfold bumps of an outline, relative to its radius.
    imaging : Imaging, optional
        How the image comes from the structure.

    Returns
    -------
    Synthetic
        Labels are those of the particle task.

    Raises
    ------
    UsageError
        If the numbers describe no field; the message lists all that is wrong with them.

    Examples
    --------
    >>> from uhcs_bench.metallography.particles import measure_particles, size_distribution
    >>> sizes = Sizes(median_um=0.5, log_sd=0.3, smallest_um=0.2, largest_um=1.2)
    >>> made = particles(7, (400, 400), 0.04, sizes)
    >>> round(float(made.diameters_um.mean()), 2)
    0.52
    >>> measured = size_distribution(measure_particles(made.labels, made.pixel_size_um))
    >>> round(measured.diameters.mean.um.value, 2)
    0.52
    """
    stated: dict[str, Any] = {
        "sizes": Sizes() if sizes is None else sizes,
        "area_share": area_share,
        "longest_aspect": longest_aspect,
        "irregularity": irregularity,
    }
    imaging = Imaging() if imaging is None else imaging
    refuse(
        "The micrograph",
        chain(
            frame_problems(shape, pixel_size_um),
            field_problems(stated),
            kind_problems("imaging", imaging, Imaging),
        ),
    )
    structure = ParticleField(**stated)
    refuse("The micrograph", extent_problems(structure, shape, pixel_size_um, name="pixel_size_um"))
    structure_rng, imaging_rng = _generator(seed).spawn(2)
    placed = scatter_particles(structure_rng, structure, shape, pixel_size_um)
    cementite = particle_coverage(placed, shape)
    return Synthetic(
        image=acquire(imaging_rng, imaging, cementite),
        labels=(cementite >= 0.5).astype(np.uint8),
        cementite=cementite,
        pixel_size_um=pixel_size_um,
        structure=structure,
        placed=placed,
    )


def hypereutectoid(
    seed: int | Generator,
    shape: tuple[int, int] = (484, 645),
    pixel_size_um: float = 0.2,
    structure: Hypereutectoid | None = None,
    *,
    imaging: Imaging | None = None,
) -> Synthetic:
    """Make a micrograph with network, denuded zone of known width, spheroidite and laths.

    Parameters
    ----------
    seed : int or Generator
        The same seed gives the same micrograph.
    shape : tuple of int, optional
        Rows and columns.
    pixel_size_um : float, optional
        Edge of a pixel in micrometres.
    structure : Hypereutectoid, optional
        Grain size, thickness of the network, width of the zone and what else there is. With
        ``denuded_log_sd=0``, the default, every point of the zone's outer edge lies at one
        distance from the network's outline, except where a lath takes the zone's place.
    imaging : Imaging, optional
        How the image comes from the structure; by default `OVERVIEW`.

    Returns
    -------
    Synthetic
        Labels are those of the microconstituents task. Spheroidite covers the particles and what
        lies between them.

    Raises
    ------
    UsageError
        If the numbers describe no structure; the message lists all that is wrong with them.

    Examples
    --------
    >>> from uhcs_bench.metallography.denuded_zone import unobstructed_widths, width_distribution
    >>> made = hypereutectoid(7, (300, 400), structure=Hypereutectoid(denuded_um=2.0))
    >>> zone = width_distribution(unobstructed_widths(made.labels), made.pixel_size_um)
    >>> round(zone.median.um.value, 1)
    2.0
    """
    structure = Hypereutectoid() if structure is None else structure
    imaging = OVERVIEW if imaging is None else imaging
    refuse(
        "The micrograph",
        chain(
            frame_problems(shape, pixel_size_um),
            kind_problems("structure", structure, Hypereutectoid),
            kind_problems("imaging", imaging, Imaging),
        ),
    )
    refuse(
        "The micrograph",
        extent_problems(
            structure.particles, shape, pixel_size_um, structure.finest_um, "pixel_size_um"
        ),
    )
    structure_rng, imaging_rng = _generator(seed).spawn(2)
    grown = grow_hypereutectoid(structure_rng, structure, shape, pixel_size_um)
    return Synthetic(
        image=acquire(imaging_rng, imaging, grown.cementite),
        labels=grown.labels,
        cementite=grown.cementite,
        pixel_size_um=pixel_size_um,
        structure=structure,
        placed=grown.placed,
        denuded_um=grown.denuded_um,
    )


def _generator(seed: int | Generator) -> Generator:
    try:
        if seed is None:
            raise TypeError  # NumPy would take another seed each time
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"The seed can't be {seed!r}. Give a whole number from 0 on, or a numpy Generator."
        ) from error


def draw_particles(rng: Generator) -> ParticleField:
    """Draw the conditions of a micrograph of the particle task."""
    refuse("ParticleField", generator_problems(rng))
    return ParticleField(
        sizes=Sizes(
            median_um=math.exp(rng.uniform(math.log(0.18), math.log(0.36))),
            log_sd=rng.uniform(0.4, 0.6),
            smallest_um=0.08,
            largest_um=1.2,
        ),
        area_share=rng.uniform(0.10, 0.20),
    )


def draw_hypereutectoid(rng: Generator) -> Hypereutectoid:
    """Draw the conditions of a micrograph of the microconstituents task."""
    refuse("Hypereutectoid", generator_problems(rng))
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
        lath_width_um=rng.uniform(0.4, 0.6),
        particles=ParticleField(
            sizes=Sizes(
                median_um=rng.uniform(0.55, 0.85), log_sd=0.45, smallest_um=0.35, largest_um=2.0
            ),
            area_share=rng.uniform(0.1, 0.16),
        ),
    )


def draw_particle_imaging(rng: Generator) -> Imaging:
    """Draw the imaging conditions of a micrograph of the particle task."""
    refuse("Imaging", generator_problems(rng))
    return Imaging(
        ferrite=rng.uniform(75.0, 115.0),
        cementite=rng.uniform(185.0, 235.0),
        edge_gain=rng.uniform(40.0, 110.0),
        edge_px=rng.uniform(1.0, 2.0),
        shadow=rng.uniform(40.0, 110.0),
        tilt=rng.uniform(10.0, 60.0),
        tilt_px=rng.uniform(4.0, 7.0),
        relief=rng.uniform(22.0, 48.0),
        relief_px=rng.uniform(0.8, 1.6),
        scratches=rng.uniform(0.0, 600.0),
        scratch_depth=rng.uniform(10.0, 35.0),
        drift=rng.uniform(0.01, 0.10),
        blur_px=rng.uniform(0.5, 1.2),
        electrons=math.exp(rng.uniform(math.log(1.0), math.log(30.0))),
    )


def draw_overview_imaging(rng: Generator) -> Imaging:
    """Draw the imaging conditions of a micrograph of the microconstituents task."""
    refuse("Imaging", generator_problems(rng))
    ferrite = rng.uniform(85.0, 120.0)
    return replace(
        OVERVIEW,
        ferrite=ferrite,
        cementite=ferrite + rng.uniform(-15.0, 12.0),
        edge_gain=rng.uniform(200.0, 360.0),
        edge_px=rng.uniform(0.9, 1.3),
        shadow=rng.uniform(40.0, 90.0),
        tilt=rng.uniform(20.0, 80.0),
        relief=rng.uniform(6.0, 18.0),
        relief_px=rng.uniform(0.8, 1.3),
        scratches=rng.uniform(0.0, 150.0),
        drift=rng.uniform(0.02, 0.10),
        blur_px=rng.uniform(0.4, 0.8),
        electrons=rng.uniform(1.5, 6.0),
    )
