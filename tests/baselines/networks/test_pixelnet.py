"""PixelNet: training on few pixels, and the exactness of its dense inference."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from baselines.networks import folded_classifier, pixelnet
from baselines.networks.pixelnet import PixelNet, logit_bands


@pytest.fixture(scope="module")
def model():
    """Give a small PixelNet whose batch norms all do something."""
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(1)
    net = PixelNet(3, hidden=16).eval()
    randomise(net, generator)
    return net


def randomise(net, generator):
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean.normal_(generator=generator)
            layer.running_var.uniform_(0.5, 2, generator=generator)
            if layer.affine:
                nn.init.normal_(layer.weight, generator=generator)
                nn.init.normal_(layer.bias, generator=generator)


def naive(net, image):
    """Logits by building the hypercolumn of every pixel."""
    height, width = image.shape[-2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    points = torch.stack([rows, columns], dim=-1).reshape(1, -1, 2)
    with torch.no_grad():
        return net(image.unsqueeze(0), points).T.reshape(-1, height, width)


def dense(net, image, **options):
    return torch.cat(list(logit_bands(net, image, **options)), dim=1)


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (33, 17), (95, 129)])
@pytest.mark.parametrize("band_rows", [16, 32, 512])
def test_dense_inference_is_exact(model, shape, band_rows, generator):
    """Check odd and tiny sizes against the naive hypercolumn, in bands of any height."""
    image = torch.rand(1, *shape, generator=generator)
    expected = naive(model, image)
    torch.testing.assert_close(
        dense(model, image, band_rows=band_rows), expected, atol=1e-4, rtol=1e-4
    )


def test_slices_of_a_tall_image_are_exact(model, generator):
    """Check that VGG-16 in overlapping slices gives what the whole image gives."""
    image = torch.rand(1, 431, 19, generator=generator)
    expected = naive(model, image)
    torch.testing.assert_close(dense(model, image, slice_pixels=1), expected, atol=1e-4, rtol=1e-4)


def test_halo_is_needed(model, generator, monkeypatch):
    """Check that the test above can fail: with a smaller halo it does."""
    image = torch.rand(1, 431, 19, generator=generator)
    monkeypatch.setattr(model.features, "halo", 32)
    difference = dense(model, image, slice_pixels=1) - naive(model, image)
    assert difference.abs().max() > 1e-3


def test_dense_inference_with_fc7(monkeypatch, generator):
    """Check the sixth map, with fewer channels than the real one."""
    monkeypatch.setattr("baselines.networks.vgg.FC_WIDTH", 24)
    torch.manual_seed(2)
    net = PixelNet(3, hidden=16, fc7=True).eval()
    randomise(net, generator)
    image = torch.rand(1, 70, 45, generator=generator)
    torch.testing.assert_close(dense(net, image), naive(net, image), atol=1e-4, rtol=1e-4)
    tall = torch.rand(1, 611, 10, generator=generator)
    difference = dense(net, tall, slice_pixels=1) - naive(net, tall)
    assert difference.abs().max() < 1e-4


def test_folding_changes_nothing_it_should_not(model):
    """Check the shapes of the folded classifier."""
    folded = folded_classifier.fold(model)
    assert [part.shape[1] for part in folded.slices] == list(model.features.widths)
    assert folded.last.shape == (3, 16)


def test_initial_weights_are_gaussian():
    """Check the standard deviation sqrt(2 / c) of the paper."""
    torch.manual_seed(0)
    net = PixelNet(4, hidden=256)
    for layer in (net.first, net.second):
        expected = (2 / layer.in_features) ** 0.5
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.02)


def test_batch_norm_uses_all_pixels_of_a_map(generator):
    """Check that the statistics are those of the whole map, not of the sampled pixels."""
    torch.manual_seed(0)
    net = PixelNet(2, hidden=8)
    image = torch.rand(2, 1, 32, 32, generator=generator)
    net(image, torch.zeros(2, 4, 2, dtype=torch.long))
    with torch.no_grad():
        mean = net.features(image)[0].mean(dim=(0, 2, 3))
    torch.testing.assert_close(net.norms[0].running_mean, pixelnet.MOMENTUM * mean)
