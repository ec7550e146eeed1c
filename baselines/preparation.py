"""What training and prediction share: equalised gray values and the precision to compute in."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray


def equalize(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """Equalise the histogram locally (CLAHE), as the authors' code does before all else.

    Parameters
    ----------
    image : ndarray of any integer or float dtype, shape (h, w)
        Gray values; their range doesn't matter.

    Returns
    -------
    ndarray of float32, shape (h, w)
        Gray values in [0, 1]; all zero if the image is constant.
    """
    from skimage.exposure import equalize_adapthist

    values = image.astype(np.float32)
    low, high = values.min(), values.max()
    if low == high:
        return np.zeros(image.shape, dtype=np.float32)
    equalized: NDArray[np.float32] = equalize_adapthist((values - low) / (high - low))
    return equalized.astype(np.float32)


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """Give the context in which convolutions and matrix products run at a precision."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
