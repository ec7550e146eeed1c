"""Undefined numbers: NaN in computations, None in results and files."""

from __future__ import annotations

import math
from typing import Any


def none_if_nan(value: float) -> float | None:
    """Replace NaN by None.

    Parameters
    ----------
    value : float
        A Python or NumPy number.

    Returns
    -------
    float or None
        A Python float, so that it can be written as JSON.

    Examples
    --------
    >>> none_if_nan(0.5), none_if_nan(float("nan"))
    (0.5, None)
    """
    return None if math.isnan(value) else float(value)


def nan_to_none(content: Any) -> Any:
    """Replace NaN by None in dictionaries and lists, at any depth.

    Parameters
    ----------
    content : object
        What JSON can hold, and NaN.

    Returns
    -------
    object
        A copy; values other than floats are kept as they are.

    Examples
    --------
    >>> nan_to_none({"n": 2, "percentiles": [0.5, float("nan")]})
    {'n': 2, 'percentiles': [0.5, None]}
    """
    if isinstance(content, dict):
        return {key: nan_to_none(value) for key, value in content.items()}
    if isinstance(content, list):
        return [nan_to_none(value) for value in content]
    return none_if_nan(content) if isinstance(content, float) else content
