"""The distribution that diameters of particles are drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench.io.raster import LARGEST_PIXELS
from uhcs_bench.synthetic.limits import (
    LENGTH_UM,
    Limits,
    generator_problems,
    number_problems,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.random import Generator
    from numpy.typing import NDArray

_SIZE_LIMITS = {
    "median_um": LENGTH_UM,
    "log_sd": Limits(0.0, 5.0, above=True),
    "smallest_um": LENGTH_UM,
    "largest_um": LENGTH_UM,
}
_ARGUMENT_LIMITS = {
    "order": Limits(0, 4),
    "level": Limits(0.0, 1.0),
    "n": Limits(0, LARGEST_PIXELS, whole=True),
}


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

    Raises
    ------
    UsageError
        If a value is no number, or none that makes sense; the message lists all of them.

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

    def __post_init__(self) -> None:
        refuse("Sizes", _size_problems(vars(self)))

    @property
    def mean_um(self) -> float:
        """Mean diameter of what is left after the cut."""
        return self.moment(1)

    @property
    def mean_area_um2(self) -> float:
        """Mean area of a particle."""
        return math.pi / 4.0 * self.moment(2)

    def moment(self, order: int) -> float:
        """Mean of a power of the diameter, from 0 to 4, in micrometres to that power."""
        refuse("The moment", number_problems({"order": order}, _ARGUMENT_LIMITS))
        low, high = self._limits
        shift = order * self.log_sd
        kept = (_normal_cdf(high - shift) - _normal_cdf(low - shift)) / (
            _normal_cdf(high) - _normal_cdf(low)
        )
        return self.median_um**order * math.exp(0.5 * shift**2) * kept

    def quantile_um(self, level: float) -> float:
        """Diameter that a share of the particles doesn't exceed."""
        refuse("The quantile", number_problems({"level": level}, _ARGUMENT_LIMITS))
        return float(self._quantiles(np.array([level]))[0])

    def draw(self, rng: Generator, n: int) -> NDArray[np.float64]:
        """Draw diameters in micrometres, in no order."""
        refuse(
            "The sample", [*generator_problems(rng), *number_problems({"n": n}, _ARGUMENT_LIMITS)]
        )
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


def _size_problems(values: Mapping[str, Any]) -> Iterator[str]:
    yield from number_problems(values, _SIZE_LIMITS)
    lengths = [values[f"{name}_um"] for name in ("smallest", "median", "largest")]
    if not all(map(LENGTH_UM.hold, lengths)):
        return
    smallest, median, largest = lengths
    if not smallest < largest:
        yield f"smallest_um {smallest} must be below largest_um {largest}"
    elif not smallest <= median <= largest:
        yield f"median_um {median} must be from smallest_um {smallest} to largest_um {largest}"


def _normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))
