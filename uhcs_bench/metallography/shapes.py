"""Shapes of particles: means over those that the image shows whole, and the spheroidised share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.metallography import arguments, estimates
from uhcs_bench.metallography.estimates import NOWHERE, UNDEFINED, Estimate, Quantity
from uhcs_bench.metallography.particles import NO_WHOLE_PARTICLE, Particles
from uhcs_bench.stats import proportions

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_ASPECT_RATIOS = (2, 3, 5)
"""Aspect ratios up to which a carbide is called spheroidised; the field has no agreed one."""

_LENGTHS = ("perimeter", "feret")
_RATIOS = ("circularity", "aspect_ratio")


@dataclass(frozen=True)
class Spheroidised:
    """Share of the carbides that are spheroidised, without an interval where all or none are.

    Attributes
    ----------
    by_number : Estimate
        Of the particles.
    by_area : Estimate
        Of the area that they take.
    """

    by_number: Estimate
    by_area: Estimate


@dataclass(frozen=True)
class Shapes:
    """Mean shapes of particles, all of them NaN without a whole particle.

    Attributes
    ----------
    perimeter, feret : Quantity
        Mean length of the outline, and mean of the largest caliper diameters.
    circularity, aspect_ratio : Estimate
        Means; see `uhcs_bench.metallography.particles.COLUMNS`.
    spheroidised : dict of int to Spheroidised
        By the largest aspect ratio of a spheroidised carbide, see `LARGEST_ASPECT_RATIOS`.
    reason : str
        Why all are NaN; empty where they are not.
    """

    perimeter: Quantity
    feret: Quantity
    circularity: Estimate
    aspect_ratio: Estimate
    spheroidised: dict[int, Spheroidised]
    reason: str = ""


def mean_shapes(particles: Particles) -> Shapes:
    """Summarize the shapes of the particles that the image shows whole.

    The spheroidised share counts as ASTM E2567 counts nodules of graphite: particles cut by the
    image's edge are left out, and the share of those whose shape passes is given by area and by
    number. A carbide passes if the aspect ratio of the ellipse of equal second moments is at most a
    stated one. The others' weights make up for those left out, as in
    `uhcs_bench.metallography.particles.number_density`. ASTM A892 rates the same by charts.

    Parameters
    ----------
    particles : Particles

    Returns
    -------
    Shapes
        With intervals, see `uhcs_bench.metallography.estimates`.

    Examples
    --------
    >>> from uhcs_bench.metallography.particles import measure_particles
    >>> mask = np.zeros((60, 60))
    >>> mask[10:14, 10:14] = mask[30:34, 20:36] = 1
    >>> found = mean_shapes(measure_particles(mask))
    >>> {limit: round(share.by_area.value, 2) for limit, share in found.spheroidised.items()}
    {2: 0.16, 3: 0.16, 5: 1.0}
    """
    arguments.check_is(particles, Particles, "particles", "Give the result of measure_particles")
    whole = particles.table["edge_weight"] > 0
    table = particles.table[whole]
    if not len(table):
        nothing = dict.fromkeys(LARGEST_ASPECT_RATIOS, Spheroidised(UNDEFINED, UNDEFINED))
        return Shapes(NOWHERE, NOWHERE, UNDEFINED, UNDEFINED, nothing, NO_WHOLE_PARTICLE)
    weight, area = table["edge_weight"], table["area_px"]
    occupied, number = np.unique(particles.block[whole], return_inverse=True)
    # The tolerance keeps an aspect ratio that is exactly the limit, whatever it is rounded to.
    passes = [table["aspect_ratio"] <= limit * (1 + 1e-9) for limit in LARGEST_ASPECT_RATIOS]
    names = [f"{name}_px" for name in _LENGTHS] + list(_RATIOS)
    by_number = [weight * table[name] for name in names] + [weight * passed for passed in passes]
    by_area = [weight * area * passed for passed in passes]
    sums = estimates.block_sums(number, [weight, *by_number, weight * area, *by_area])

    def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        total, *numbers = sums[: 1 + len(by_number)] @ drawn.T
        total_area, *areas = sums[1 + len(by_number) :] @ drawn.T
        shares = [proportions.ratio(x, total) for x in numbers]
        return np.stack([*shares, *(proportions.ratio(x, total_area) for x in areas)], axis=1)

    found = estimates.estimates(statistic, len(occupied))
    perimeter, feret, circularity, aspect_ratio, *shares = found
    n_limits = len(LARGEST_ASPECT_RATIOS)
    pairs = zip(map(_share, shares[:n_limits]), map(_share, shares[n_limits:]), strict=True)
    return Shapes(
        Quantity.from_px(perimeter, particles.pixel_size_um),
        Quantity.from_px(feret, particles.pixel_size_um),
        circularity,
        aspect_ratio,
        dict(zip(LARGEST_ASPECT_RATIOS, (Spheroidised(*pair) for pair in pairs), strict=True)),
    )


def _share(found: Estimate) -> Estimate:
    """Cut an interval at 1; where all or none pass, one field says nothing of its width."""
    if found.value in (0.0, 1.0):
        return Estimate(found.value, math.nan, math.nan)
    return Estimate(found.value, found.low, float(np.minimum(found.high, 1.0)))
