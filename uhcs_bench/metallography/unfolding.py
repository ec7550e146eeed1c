"""Sizes and numbers of particles in the volume, from their sections."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.formatting import abbreviated
from uhcs_bench.metallography import arguments, estimates
from uhcs_bench.metallography.estimates import NOWHERE, Quantity
from uhcs_bench.metallography.particles import NO_WHOLE_PARTICLE, Particles
from uhcs_bench.stats import proportions

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = 12
"""Size classes: each reaches down to 10^-0.1 of its upper end, the last one to 0."""

_RATIO = 10**-0.1

ASSUMPTION = (
    "The unfolding takes particles for spheres that a plane cuts at random places. Etching that "
    "bares particles below the plane, sections too small to be seen, and other shapes than spheres "
    "bias it."
)
"""What must hold for the unfolded numbers."""


@dataclass(frozen=True, eq=False)  # arrays don't compare as a whole
class Unfolded:
    """Spheres in the volume that explain the sections on a plane.

    Attributes
    ----------
    diameter : Quantity
        Mean diameter of the spheres.
    number_per_volume : Quantity
        Spheres per cubic pixel and cubic micrometre.
    edges_px : ndarray of float64, shape (CLASSES + 1,)
        Ends of the size classes in pixels; without elements where there is no particle.
    density_px : ndarray of float64, shape (CLASSES,)
        Spheres of each class per cubic pixel; chance makes some of them negative.
    reason : str
        Why all is NaN; empty where it is not.
    assumption : str
        `ASSUMPTION`.
    """

    diameter: Quantity
    number_per_volume: Quantity
    edges_px: NDArray[np.float64]
    density_px: NDArray[np.float64]
    reason: str = ""
    assumption: str = ASSUMPTION

    __repr__ = abbreviated


def unfold(particles: Particles) -> Unfolded:
    """Estimate sizes and number of spheres in the volume by Saltykov's unfolding.

    Sections of spheres of one size are of any size up to it, and large spheres are cut more often.
    Saltykov's method [1]_ sorts the sections into classes, and solves for the number of spheres of
    each class, from the largest down, since the sections of larger ones are known by then. Classes
    are Saltykov's logarithmic ones; spheres have the diameter of their class's geometric middle
    here, where he took its upper end.

    Parameters
    ----------
    particles : Particles

    Returns
    -------
    Unfolded
        With intervals, see `uhcs_bench.metallography.estimates`. Only particles count that the
        image shows whole, weighted as in `uhcs_bench.metallography.particles.number_density`.

    References
    ----------
    .. [1] E. E. Underwood (1970), Quantitative Stereology, chapter 5; S. D. Wicksell (1925), The
       corpuscle problem, Biometrika 17, 84-99.

    Examples
    --------
    >>> from uhcs_bench.metallography.particles import measure_particles
    >>> mask = np.zeros((60, 60))
    >>> mask[10:14, 10:14] = mask[30:40, 20:30] = 1
    >>> found = unfold(measure_particles(mask))
    >>> found.number_per_volume.px.value > 0, len(found.density_px)
    (True, 12)
    """
    arguments.check_is(particles, Particles, "particles", "Give the result of measure_particles")
    whole = particles.table["edge_weight"] > 0
    if not whole.any():
        none = np.zeros(0)
        return Unfolded(NOWHERE, NOWHERE, none, none, NO_WHOLE_PARTICLE)
    diameters = particles.table["diameter_px"][whole]
    weight = particles.table["edge_weight"][whole] / (particles.shape[0] * particles.shape[1])
    edges = class_edges(float(diameters.max()))
    class_ = np.minimum(np.searchsorted(edges, diameters, side="left") - 1, CLASSES - 1)
    occupied, block = np.unique(particles.block[whole], return_inverse=True)
    cells = np.bincount(
        class_ * len(occupied) + block, weights=weight, minlength=CLASSES * len(occupied)
    )
    density = np.linalg.solve(sections_per_sphere(edges), cells.reshape(CLASSES, len(occupied)))
    sums = np.stack([density.sum(0), edges[1:] * math.sqrt(_RATIO) @ density])

    def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        # Blocks are of one size, so that the density of some is their mean over all.
        share = drawn.shape[1] / drawn.sum(1)
        number, length = sums @ drawn.T
        return np.stack([number * share, proportions.ratio(length, number)], axis=1)

    number, diameter = estimates.estimates(statistic, len(occupied))
    um = particles.pixel_size_um
    return Unfolded(
        Quantity.from_px(diameter, um),
        Quantity.from_px(number, um, power=-3),
        edges,
        np.asarray(density.sum(1)),
    )


def class_edges(largest: float) -> NDArray[np.float64]:
    """Return the ends of the size classes up to the largest section.

    Examples
    --------
    >>> class_edges(10.0).round(1)
    array([ 0. ,  0.8,  1. ,  1.3,  1.6,  2. ,  2.5,  3.2,  4. ,  5. ,  6.3,
            7.9, 10. ])
    """
    return np.concatenate([[0.0], largest * _RATIO ** np.arange(CLASSES - 1, -1, -1)])


def sections_per_sphere(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many sections per area of each class one sphere per volume of each class gives.

    Parameters
    ----------
    edges : ndarray of float64, shape (n + 1,)
        Ends of the size classes, see `class_edges`.

    Returns
    -------
    ndarray of float64, shape (n, n)
        By class of the section and class of the sphere; a length, whose sum over the sections is
        the sphere's diameter.

    Examples
    --------
    >>> sections_per_sphere(np.array([0.0, 1.0, 1.2])).round(2)
    array([[0.89, 0.69],
           [0.  , 0.38]])
    """
    spheres = edges[1:] * math.sqrt(_RATIO)
    reaches = np.sqrt(np.maximum(spheres**2 - edges[:, np.newaxis] ** 2, 0))
    return np.asarray(reaches[:-1] - reaches[1:])
