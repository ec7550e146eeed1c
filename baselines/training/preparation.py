"""What training and prediction share: the precision to compute in."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """Give the context in which convolutions and matrix products run at a precision."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
