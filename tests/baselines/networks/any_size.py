"""What holds for every network: images of any size, and slices that make the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from baselines.networks.model import Model

SHAPES = [(1, 1), (19, 45)]


def check_logits(model: Model, images: Tensor) -> None:
    """Check the shape of the logits of three classes."""
    with torch.no_grad():
        logits = model(images)
    assert logits.shape == (len(images), 3, *images.shape[2:])
    assert torch.isfinite(logits).all()


def check_slices(model: Model, image: Tensor) -> None:
    """Check overlapping slices against the whole image."""
    with torch.no_grad():
        expected = model(image.unsqueeze(0))[0]
    bands = list(model.logit_bands(image, slice_pixels=1))
    assert len(bands) > 1
    scale = float(expected.abs().max())
    torch.testing.assert_close(torch.cat(bands, dim=1), expected, atol=1e-5 * scale, rtol=0)
