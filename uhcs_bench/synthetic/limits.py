"""What the arguments of synthetic micrographs may be, and how a wrong one is told.

Each dataclass and function has a table of `Limits`, or states them beside its arguments; all that
is wrong with a call is told at once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import numpy as np

from uhcs_bench.errors import UsageError, listed, things
from uhcs_bench.io.raster import LARGEST_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray


class Limits(NamedTuple):
    """Smallest and largest number that makes sense.

    Attributes
    ----------
    low, high : float
    above : bool
        Whether a number must be above `low`.
    whole : bool
        Whether a number must be an integer.

    Examples
    --------
    >>> str(Limits(0.0, 1.0)), str(Limits(0.0, 5.0, above=True)), str(Limits(1, 9, whole=True))
    ('from 0 to 1', 'above 0 and at most 5', 'from 1 to 9, whole')
    >>> Limits(0.0, 1.0).hold(1), Limits(0.0, 1.0).hold(float("nan")), Limits(0.0, 1.0).hold("1")
    (True, False, False)
    """

    low: float
    high: float
    above: bool = False
    whole: bool = False

    def __str__(self) -> str:
        if self.whole:
            return f"from {self.low:g} to {self.high:g}, whole"
        if self.above:
            return f"above {self.low:g} and at most {self.high:g}"
        return f"from {self.low:g} to {self.high:g}"

    def hold(self, value: object) -> bool:
        """Tell whether a value is a number within the limits."""
        if not is_number(value) or (self.whole and not isinstance(value, int | np.integer)):
            return False
        return self.low <= value <= self.high and not (self.above and value == self.low)


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value is one real number of Python or NumPy; bools are none."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


LENGTH_UM = Limits(1e-6, 1e6)
"""From a picometre to a metre: areas and ratios of such lengths are floats, too."""


def number_problems(values: Mapping[str, object], limits: Mapping[str, Limits]) -> Iterator[str]:
    """Say which values are no numbers within their limits.

    Parameters
    ----------
    values : mapping
        Value by name; those without limits are passed over.
    limits : mapping

    Yields
    ------
    str

    Examples
    --------
    >>> list(number_problems({"median_um": "a"}, {"median_um": LENGTH_UM}))
    ["median_um is 'a', and must be a number from 1e-06 to 1e+06"]
    """
    for name, limit in limits.items():
        if name in values and not limit.hold(values[name]):
            yield f"{name} is {_shown(values[name])}, and must be a number {limit}"


def array_problems(
    name: str, value: object, limits: Limits, shape: tuple[int | None, ...] = (None, None)
) -> Iterator[str]:
    """Say what keeps a value from being an array of numbers within limits.

    Parameters
    ----------
    name : str
    value : object
    limits : Limits
        Of each number, of complex ones of their amounts.
    shape : tuple of int or None
        By default two dimensions; None stands for any length.

    Yields
    ------
    str

    Examples
    --------
    >>> list(array_problems("cementite", np.full((2, 3), 2.0), Limits(0.0, 1.0)))
    ['cementite holds numbers from 2 to 2, and must hold numbers from 0 to 1']
    >>> list(array_problems("row", np.zeros((3, 1)), Limits(0.0, 1.0), (None,)))
    ['row is float64 of the shape (3, 1), and must be an array of numbers with 1 dimension']
    """
    if not isinstance(value, np.ndarray) or not _is_array(value, shape):
        found = _shown(value)
        if isinstance(value, np.ndarray):
            found = f"{value.dtype} of the shape {value.shape}{', masked' * _is_masked(value)}"
        wanted = f"with {things(len(shape), 'dimension')}"
        if any(length is not None for length in shape):
            wanted = f"of the shape {shape}"
        yield f"{name} is {found}, and must be an array of numbers {wanted}"
    elif value.size:
        values: NDArray[Any] = np.abs(value) if value.dtype.kind == "c" else value
        low, high = values.min(), values.max()
        if not limits.low <= low <= high <= limits.high or (limits.above and low == limits.low):
            held = f"numbers from {low:g} to {high:g}" if low <= high else "NaN"
            yield f"{name} holds {held}, and must hold numbers {limits}"


def _is_array(value: NDArray[Any], shape: tuple[int | None, ...]) -> bool:
    return (
        value.dtype.kind in "biufc"
        and not _is_masked(value)
        and value.ndim == len(shape)
        and all(wanted in (None, n) for wanted, n in zip(shape, value.shape, strict=True))
    )


def _is_masked(value: NDArray[Any]) -> bool:
    # Plain arrays are let through first: naming np.ma imports it.
    return type(value) is not np.ndarray and isinstance(value, np.ma.MaskedArray)


def generator_problems(rng: object) -> Iterator[str]:
    """Say that a value is no generator of random numbers."""
    if not isinstance(rng, np.random.Generator):
        yield (
            f"rng is {_shown(rng)}, and must be a numpy Generator, such as "
            "numpy.random.default_rng(0)"
        )


def kind_problems(name: str, value: object, *kinds: type) -> Iterator[str]:
    """Say that a value is no instance of a class of this package, or of one of several."""
    if not isinstance(value, kinds):
        known = " or ".join(kind.__name__ for kind in kinds)
        yield f"{name} is {_shown(value)}, and must be of the class {known}"


def refuse(what: str, problems: Iterable[str]) -> None:
    """Raise all problems at once, if there are any.

    Raises
    ------
    UsageError
    """
    found = list(problems)
    if found:
        raise UsageError(listed(f"{what} was not made", found))


def _shown(value: object) -> str:
    if is_number(value):
        return str(value) if not isinstance(value, int) or abs(value) < 10**20 else "too large"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def shape_problems(shape: object) -> Iterator[str]:
    """Say what keeps an image from having a shape: two whole numbers from 1 on.

    Examples
    --------
    >>> list(shape_problems((10, 0)))
    ['shape is (10, 0), and must be a number of rows and one of columns, whole and from 1 on']
    """
    sides = list(shape) if isinstance(shape, tuple | list) else []
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in sides)
    if len(sides) != 2 or not whole or min(sides) < 1:
        yield (
            f"shape is {_shown(shape)}, and must be a number of rows and one of columns, whole "
            "and from 1 on"
        )
    elif math.prod(int(side) for side in sides) > LARGEST_PIXELS:
        yield f"shape is {_shown(shape)}, and must be of {LARGEST_PIXELS} pixels at most"


def frame_problems(
    shape: object, pixel_size_um: object, name: str = "pixel_size_um"
) -> Iterator[str]:
    """Say what keeps an image from having a shape and a size of its pixels.

    Parameters
    ----------
    shape, pixel_size_um : object
    name : str
        Of the argument that states the size of the pixels.

    Yields
    ------
    str
    """
    yield from shape_problems(shape)
    yield from number_problems({name: pixel_size_um}, {name: LENGTH_UM})
