"""The feature extractor, its weights and the sparse hypercolumn."""

from __future__ import annotations

import hashlib

import pytest
import torch
import torch.nn.functional as F
import torchvision

from baselines.networks import vgg
from uhcs_bench.data.download import settings
from uhcs_bench.errors import DataUnavailableError, UsageError


@pytest.fixture(scope="module")
def state():
    """Random weights with the keys of torchvision's VGG-16, features only."""
    generator = torch.Generator().manual_seed(3)
    layers = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
    return {
        f"features.{name}": 0.05 * torch.randn(value.shape, generator=generator)
        for name, value in layers.state_dict().items()
    }


def test_maps_are_those_of_torchvision(state, tmp_path, monkeypatch, generator):
    """Check each map against torchvision's layers applied to the normalised RGB image."""
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    monkeypatch.setenv(vgg.WEIGHTS_VARIABLE, str(path))
    model = vgg.VGG16()
    vgg.load_weights(model, "default")
    layers = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
    layers.load_state_dict({name.removeprefix("features."): v for name, v in state.items()})
    gray = torch.rand(1, 1, 32, 48, generator=generator)
    mean, sd = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (gray - mean.view(3, 1, 1)) / sd.view(3, 1, 1)
    with torch.no_grad():
        maps = model(gray)
        for number, layer in enumerate(layers):
            x = layer(x).clone()
            if number + 1 in vgg.BLOCK_ENDS:
                scale = float(x.abs().max())
                torch.testing.assert_close(maps.pop(0), x, atol=1e-5 * scale, rtol=0)
    assert not maps


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_weights_come_from_the_named_file(state, dtype, tmp_path, monkeypatch, capsys):
    """Check that half and single precision load, and that the hash is reported."""
    path = tmp_path / "weights.pth"
    torch.save({name: value.to(dtype) for name, value in state.items()}, path)
    monkeypatch.setenv(vgg.WEIGHTS_VARIABLE, str(path))
    model = vgg.VGG16()
    source = vgg.load_weights(model, "default")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert source == f"sha256:{digest}"
    assert digest in capsys.readouterr().err
    first = model.blocks[0][0].weight
    assert first.dtype == torch.float32
    torch.testing.assert_close(first, state["features.0.weight"].to(dtype).float())


@pytest.mark.parametrize("content", [b"no weights", None])
def test_a_file_without_weights_is_named(content, tmp_path, monkeypatch):
    """Check the error for a damaged and for a missing file."""
    path = tmp_path / "weights.pth"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(vgg.WEIGHTS_VARIABLE, str(path))
    with pytest.raises(DataUnavailableError, match=r"weights\.pth.*--weights none"):
        vgg.load_weights(vgg.VGG16(), "default")


def test_incomplete_weights_are_refused(state, tmp_path, monkeypatch):
    """Check that a missing layer is named."""
    path = tmp_path / "weights.pth"
    torch.save({k: v for k, v in state.items() if k != "features.28.bias"}, path)
    monkeypatch.setenv(vgg.WEIGHTS_VARIABLE, str(path))
    with pytest.raises(DataUnavailableError, match=r"features\.28\.bias"):
        vgg.load_weights(vgg.VGG16(), "default")


def test_failed_download_names_both_ways(monkeypatch):
    """Check that an unreachable host leads to the variable and to training from scratch."""

    def fail(*_args, **_options):
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models.VGG16_Weights, "get_state_dict", fail)
    with pytest.raises(DataUnavailableError, match=f"{vgg.WEIGHTS_VARIABLE}.*--weights none"):
        vgg.load_weights(vgg.VGG16(), "default")


def test_offline_no_download_is_tried(monkeypatch, tmp_path):
    """Check that torchvision is asked offline only for what its cache has."""
    monkeypatch.delenv(vgg.WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv(settings.OFFLINE_VARIABLE, "1")
    asked = []

    def give(*_args, **_options):
        asked.append(True)
        raise OSError("damaged")

    monkeypatch.setattr(torchvision.models.VGG16_Weights, "get_state_dict", give)
    with pytest.raises(DataUnavailableError, match=r"UHCS_BENCH_OFFLINE forbids.*--weights none"):
        vgg.load_weights(vgg.VGG16(), "default")
    assert not asked
    cached = tmp_path / "hub" / "checkpoints" / "vgg16-397923af.pth"
    cached.parent.mkdir(parents=True)
    cached.touch()
    with pytest.raises(DataUnavailableError, match="damaged"):
        vgg.load_weights(vgg.VGG16(), "default")
    assert asked


def test_no_weights_and_wrong_weights():
    """Check that "none" loads nothing, and that other names are refused."""
    assert vgg.load_weights(vgg.VGG16(), "none") is None
    with pytest.raises(UsageError, match="default"):
        vgg.load_weights(vgg.VGG16(), "resnet")


@pytest.mark.parametrize("shape", [(1, 1), (5, 40), (16, 33), (32, 32)])
def test_padding_mirrors_the_border(shape, generator):
    """Check size and values of padding, also where it is wider than the image."""
    image = torch.rand(1, 1, *shape, generator=generator)
    padded = vgg.pad_to_multiple(image, 16)
    assert all(size % 16 == 0 for size in padded.shape[-2:])
    for axis, size in ((-2, shape[0]), (-1, shape[1])):
        for place in range(padded.shape[axis]):
            source = place % (2 * size)
            source = min(source, 2 * size - 1 - source)
            assert torch.equal(padded.select(axis, place), padded.select(axis, source))
    assert torch.equal(padded[..., : shape[0], : shape[1]], image)


def test_sampling_is_bilinear_upsampling(generator):
    """Check sampled columns against `interpolate` at every pixel."""
    maps = [torch.rand(2, 3 + k, 16 // 2**k, 32 // 2**k, generator=generator) for k in range(5)]
    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(32), indexing="ij")
    points = torch.stack([rows, columns], dim=-1).reshape(1, -1, 2).expand(2, -1, -1)
    upsampled = [
        F.interpolate(x, scale_factor=2**k, mode="bilinear", align_corners=False)
        for k, x in enumerate(maps)
    ]
    expected = torch.cat(upsampled, dim=1).flatten(2).transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(vgg.sample(maps, points), expected)
