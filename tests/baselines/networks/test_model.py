"""One more network: a module and a row of METHODS are all that it takes."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from baselines import configuration, export, prediction, runs
from baselines.networks.model import Model, build, placed
from baselines.training import checkpoint
from uhcs_bench.segmentation import onnx_model
from uhcs_bench.segmentation.preprocessing import Preprocessing

CPU = torch.device("cpu")


class Pointwise(Model):
    """A network that classifies each pixel by its gray value alone."""

    preprocessing = Preprocessing(scale="dtype")

    def __init__(self, n_classes):
        super().__init__()
        self.features = nn.Conv2d(1, 8, 1)
        self.last = nn.Conv2d(8, n_classes, 1)
        self.stride, self.halo = 1, 1

    def forward(self, images):
        return self.last(self.features(images).relu())


@pytest.mark.parametrize("lacks", [True, False])
@pytest.mark.parametrize("name", ["unet", "unet-efficientnet", "unet-vgg"])
def test_maps_have_the_order_that_is_fast(monkeypatch, name, lacks):
    """Check the order of all maps that convolutions give, and that it changes no logits."""
    settings = configuration.configure(name, weights="none", seed=0)
    torch.manual_seed(0)
    network, _ = build(settings, 2)
    network.eval()
    image = torch.rand(1, network.preprocessing.channels, 32, 48)
    with torch.inference_mode():
        expected = network(image)
    monkeypatch.setattr("baselines.networks.model.lacks_avx512", lambda: lacks)
    assert placed(network, CPU) is network
    orders = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _, __, maps: orders.append(maps.is_contiguous()))
    with torch.inference_mode():
        torch.testing.assert_close(network(image), expected, rtol=1e-4, atol=1e-5)
    assert set(orders) == {lacks}


@pytest.fixture
def method(monkeypatch, tiny):
    """Put the network into a module of the package and its method into the table."""
    module = ModuleType("baselines.networks.pointwise")
    module.build = lambda _configuration, n_classes: (Pointwise(n_classes), None)
    monkeypatch.setitem(sys.modules, "baselines.networks.pointwise", module)
    settings = tiny("unet").changed(method="pointwise", model="pointwise")
    monkeypatch.setitem(configuration.METHODS, "pointwise", settings)
    return settings


def test_another_network_is_trained_applied_and_exported(method, tmp_path):
    """Check the whole way from a configuration to label maps, in PyTorch and as ONNX."""
    pytest.importorskip("onnxscript")
    plan = runs.Plan(method, "particles", "synthetic", tmp_path, CPU)
    assert runs.run(plan, [0]) == [0]
    place = plan.fold_run(0)
    model = checkpoint.load(place.checkpoint, CPU).model
    assert isinstance(model, Pointwise)
    image = np.random.default_rng(0).integers(0, 255, (30, 41), np.uint8)
    labels = prediction.segment(model, image)
    export.export(place.checkpoint, tmp_path / "model.onnx")
    np.testing.assert_array_equal(onnx_model.load(tmp_path / "model.onnx").segment(image), labels)


def test_large_images_are_cut_into_slices(generator):
    """Check that slices of a network without neighbours join seamlessly."""
    model = Pointwise(3).eval()
    image = torch.rand(1, 23, 7, generator=generator)
    bands = list(model.logit_bands(image, slice_pixels=14))
    assert [band.shape[1] for band in bands] == [2] * 11 + [1]
    with torch.no_grad():
        torch.testing.assert_close(torch.cat(bands, dim=1), model(image.unsqueeze(0))[0])
