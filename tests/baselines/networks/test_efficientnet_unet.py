"""U-Net on EfficientNet-Lite: encoder, slices and weights."""

from __future__ import annotations

import hashlib
import logging
import socket

import pytest
import timm
import torch
from huggingface_hub import constants
from torch import nn

from baselines.networks import efficientnet_unet
from baselines.networks.efficientnet_unet import EfficientNetUNet, Encoder, read_weights
from tests.baselines.networks import any_size
from uhcs_bench.data.download import settings
from uhcs_bench.errors import DataUnavailableError, UsageError

NAME = "tf_efficientnet_lite0"


def unsettled(net, generator):
    """Give batch norms statistics that are not those of the start."""
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(std=0.2, generator=generator)
            layer.running_var.uniform_(0.5, 1.5, generator=generator)
    return net.eval()


@pytest.fixture
def whole(generator):
    """Give timm's own network, with random weights."""
    torch.manual_seed(2)
    return unsettled(timm.create_model(NAME), generator)


@pytest.fixture
def model(generator):
    torch.manual_seed(1)
    return unsettled(EfficientNetUNet(3, Encoder(NAME)), generator)


def test_encoder_is_that_of_timm(whole, generator):
    """Check the maps against those of the uncut network, whose padding is worked out anew."""
    encoder = Encoder(NAME, dict(whole.state_dict())).eval()
    images = torch.randn(2, 3, 48, 80, generator=generator)
    with torch.no_grad():
        x = whole.bn1(whole.conv_stem(images))
        outputs = [x := block(x) for block in whole.blocks[:5]]
        maps = encoder(images)
    for found, expected in zip(maps, [*outputs[:3], outputs[4]], strict=True):
        torch.testing.assert_close(found, expected)
    assert encoder.widths == tuple(found.shape[1] for found in maps)


@pytest.mark.parametrize("shape", any_size.SHAPES)
def test_any_size(model, shape, generator):
    """Check the shape of the logits of tiny and odd images."""
    any_size.check_logits(model, torch.randn(2, 3, *shape, generator=generator))


def test_slices_are_exact(model, generator):
    """Check overlapping slices against the whole image."""
    any_size.check_slices(model, torch.randn(3, 806, 18, generator=generator))


def test_weights_from_a_file(whole, tmp_path, monkeypatch):
    """Check that a file is taken by its hash and loaded by the order of its tensors."""
    path = tmp_path / "weights.pth"
    renamed = {f"layer{n}": value for n, value in enumerate(whole.state_dict().values())}
    torch.save(renamed, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setenv(efficientnet_unet.WEIGHTS_VARIABLE, str(path))
    monkeypatch.setitem(efficientnet_unet.FILES, NAME, ("package", "file", digest))
    state, source = read_weights(NAME, "default")
    assert source == f"sha256:{digest}"
    encoder = Encoder(NAME, state)
    assert torch.equal(encoder.stages[3][1][0].conv_pw.weight, whole.blocks[4][0].conv_pw.weight)


def test_weights_from_an_installed_package(tmp_path, monkeypatch):
    """Check that the package is found where no file is named."""
    package, file, _ = efficientnet_unet.FILES[NAME]
    path = tmp_path / package / file
    path.parent.mkdir(parents=True)
    (tmp_path / package / "__init__.py").touch()
    path.write_bytes(b"another file")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataUnavailableError, match=r"57934424\.pth has the sha256 .*0\.1\.0"):
        read_weights(NAME, "default")


def test_weights_that_can_not_be_had(tmp_path, monkeypatch):
    """Check the message for a missing file, a failing download, and a choice that isn't there."""
    monkeypatch.setenv(efficientnet_unet.WEIGHTS_VARIABLE, str(tmp_path / "none.pth"))
    with pytest.raises(DataUnavailableError, match=r"none\.pth.*No such file.*--weights none"):
        read_weights(NAME, "default")
    monkeypatch.delenv(efficientnet_unet.WEIGHTS_VARIABLE)
    monkeypatch.delenv(settings.OFFLINE_VARIABLE, raising=False)
    monkeypatch.setattr(efficientnet_unet, "find_spec", lambda _: None)

    def offline(*_args, **_options):
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(DataUnavailableError, match="no route to host"):
        read_weights(NAME, "default")
    with pytest.raises(UsageError, match="do not exist"):
        read_weights(NAME, "imagenet")


def test_offline_no_download_is_tried(monkeypatch, tmp_path, capfd):
    """Check that the cache alone is asked, at once, and what the message advises."""
    monkeypatch.delenv(efficientnet_unet.WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setattr(efficientnet_unet, "find_spec", lambda _: None)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: pytest.fail("asks the network"))
    monkeypatch.setenv(settings.OFFLINE_VARIABLE, "1")
    with pytest.raises(DataUnavailableError, match=r"UHCS_BENCH_OFFLINE forbids.*--weights none"):
        read_weights(NAME, "default")
    assert capfd.readouterr().err == ""
    assert not constants.is_offline_mode()


def test_tries_of_a_download_are_not_logged(monkeypatch, capfd):
    """Check that the error alone states that the network is out of reach, not each try."""

    def unreachable(*_args, **_options):
        logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 1s [Retry 1/5].")
        raise OSError("no route to host")

    monkeypatch.delenv(efficientnet_unet.WEIGHTS_VARIABLE, raising=False)
    monkeypatch.delenv(settings.OFFLINE_VARIABLE, raising=False)
    monkeypatch.setattr(efficientnet_unet, "find_spec", lambda _: None)
    monkeypatch.setattr(timm, "create_model", unreachable)
    level = logging.getLogger("huggingface_hub").level
    with pytest.raises(DataUnavailableError, match="could not download"):
        read_weights(NAME, "default")
    assert capfd.readouterr().err == ""
    assert logging.getLogger("huggingface_hub").level == level


def test_weights_of_another_network(whole):
    """Check that shapes are compared before anything is loaded."""
    state = dict(whole.state_dict())
    state["conv_stem.weight"] = torch.zeros(1)
    with pytest.raises(DataUnavailableError, match=r"conv_stem\.weight"):
        Encoder(NAME, state)
