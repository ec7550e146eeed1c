"""What the tests of the baselines share."""

from __future__ import annotations

import pytest
import torch

from baselines import configuration
from baselines.networks import efficientnet_unet, vgg


@pytest.fixture(autouse=True)
def without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget a local file of weights, so that no test depends on it."""
    monkeypatch.delenv(vgg.WEIGHTS_VARIABLE, raising=False)
    monkeypatch.delenv(efficientnet_unet.WEIGHTS_VARIABLE, raising=False)


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Compute on one thread: arrays this small gain nothing from more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def generator():
    """Random numbers that are the same in every run and in any order of the tests."""
    return torch.Generator().manual_seed(7)


@pytest.fixture
def tiny():
    """Give a method's configuration cut down to seconds."""

    def make(method="pixelnet-ce", updates=3, **settings):
        rate = 1e-3
        stage = configuration.Stage(updates=updates, learning_rate=rate, features_rate=rate)
        small = {"stages": (stage,), "weights": "none", "crop": 32, "pixels": 32}
        return configuration.configure(method, **{**small, **settings})

    return make
