"""What the numbers may be that state a structure and its imaging, and how a wrong one is told."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

import numpy as np

from uhcs_bench.errors import UsageError, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Limits(NamedTuple):
    """Smallest and largest number that makes sense.

    Attributes
    ----------
    low, high : float
    above : bool
        Whether a number must be above `low`.

    Examples
    --------
    >>> str(Limits(0.0, 1.0)), str(Limits(0.0, 5.0, above=True))
    ('from 0 to 1', 'above 0 and at most 5')
    >>> Limits(0.0, 1.0).hold(1), Limits(0.0, 1.0).hold(float("nan")), Limits(0.0, 1.0).hold("1")
    (True, False, False)
    """

    low: float
    high: float
    above: bool = False

    def __str__(self) -> str:
        if self.above:
            return f"above {self.low:g} and at most {self.high:g}"
        return f"from {self.low:g} to {self.high:g}"

    def hold(self, value: object) -> bool:
        """Tell whether a value is a number within the limits."""
        if not is_number(value):
            return False
        return self.low <= value <= self.high and not (self.above and value == self.low)


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value is one real number of Python or NumPy; bools are none."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


LENGTH_UM = Limits(0.0, 1e6, above=True)
"""Up to a metre."""


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
    ["median_um is 'a', and must be a number above 0 and at most 1e+06"]
    """
    for name, limit in limits.items():
        if name in values and not limit.hold(values[name]):
            yield f"{name} is {_shown(values[name])}, and must be a number {limit}"


def kind_problems(name: str, value: object, kind: type) -> Iterator[str]:
    """Say that a value is no instance of a class of this package."""
    if not isinstance(value, kind):
        yield f"{name} is {_shown(value)}, and must be of the class {kind.__name__}"


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


def frame_problems(shape: object, pixel_size_um: object, most: int) -> Iterator[str]:
    """Say what keeps an image from having a shape and a size of its pixels.

    Parameters
    ----------
    shape : object
        Two whole numbers from 1 on, if it is right.
    pixel_size_um : object
    most : int
        Pixels that an image may have.

    Yields
    ------
    str
    """
    sides = list(shape) if isinstance(shape, tuple | list) else []
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in sides)
    if len(sides) != 2 or not whole or min(sides) < 1:
        yield (
            f"shape is {_shown(shape)}, and must be a number of rows and one of columns, whole "
            "and from 1 on"
        )
    elif math.prod(int(side) for side in sides) > most:
        yield f"shape is {_shown(shape)}, and must be of {most} pixels at most"
    yield from number_problems({"pixel_size_um": pixel_size_um}, {"pixel_size_um": LENGTH_UM})
