"""U-Net on images of any size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from baselines.networks.unet import UNet


@pytest.fixture(params=["plain", "vgg"])
def model(request, generator):
    torch.manual_seed(1)
    net = UNet(3, encoder=request.param).eval()
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(generator=generator)
    return net


@pytest.mark.parametrize("shape", [(1, 1), (19, 45)])
def test_any_size(model, shape, generator):
    """Check the shape of the logits of tiny and odd images."""
    image = torch.rand(2, 1, *shape, generator=generator)
    with torch.no_grad():
        logits = model(image)
    assert logits.shape == (2, 3, *shape)
    assert torch.isfinite(logits).all()


def test_slices_are_exact(model, generator):
    """Check overlapping slices against the whole image."""
    image = torch.rand(1, 611, 18, generator=generator)
    with torch.no_grad():
        expected = model(image.unsqueeze(0))[0]
    bands = list(model.logit_bands(image, slice_pixels=1))
    assert len(bands) > 1
    scale = float(expected.abs().max())
    torch.testing.assert_close(torch.cat(bands, dim=1), expected, atol=1e-5 * scale, rtol=0)
