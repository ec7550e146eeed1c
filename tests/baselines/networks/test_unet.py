"""U-Net on images of any size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from baselines.networks.unet import UNet
from tests.baselines.networks import any_size


@pytest.fixture(params=["plain", "vgg"])
def model(request, generator):
    torch.manual_seed(1)
    net = UNet(3, encoder=request.param).eval()
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(generator=generator)
    return net


@pytest.mark.parametrize("shape", any_size.SHAPES)
def test_any_size(model, shape, generator):
    """Check the shape of the logits of tiny and odd images."""
    any_size.check_logits(model, torch.rand(2, 1, *shape, generator=generator))


def test_slices_are_exact(model, generator):
    """Check overlapping slices against the whole image."""
    any_size.check_slices(model, torch.rand(1, 611, 18, generator=generator))
