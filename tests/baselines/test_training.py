"""Training: the loss falls, a seed decides everything, bad input is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import uhcs_bench
from baselines import training
from baselines.configuration import Stage
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.segmentation.preprocessing import equalize

CPU = torch.device("cpu")
CLASSES = ("matrix", "particle")


@pytest.fixture(scope="module")
def fold():
    """Equalised training micrographs and label maps of the synthetic set."""
    micrographs = uhcs_bench.load("particles", fold=0, version="synthetic").train[:6]
    return [equalize(m.image) for m in micrographs], [m.labels for m in micrographs]


def train(configuration, fold, seed=0, classes=CLASSES):
    torch.manual_seed(seed)
    model, _ = training.build(configuration, len(classes))
    losses = training.train(configuration, model, *fold, classes, CPU, seed)
    return model, losses


@pytest.mark.parametrize(
    ("method", "updates"), [("pixelnet-ce", 8), ("pixelnet-focal", 8), ("unet", 12)]
)
def test_loss_falls(method, updates, tiny, fold):
    """Check that a few updates already help, for both losses and both models."""
    _, losses = train(tiny(method, updates=updates), fold)
    assert len(losses) == updates
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:3])


@pytest.mark.parametrize("method", ["pixelnet-focal", "unet"])
def test_a_seed_decides_everything(method, tiny, fold):
    """Check that two runs agree bit by bit, and that another seed gives another run."""
    model, losses = train(tiny(method), fold)
    again, same = train(tiny(method), fold)
    _, other = train(tiny(method), fold, seed=1)
    assert losses == same
    assert losses != other
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_stages_keep_features_fixed(tiny, fold):
    """Check that a stage without a rate for VGG-16 leaves its layers, and only these, alone."""
    configuration = tiny(stages=(Stage(updates=2, learning_rate=1e-3),))
    torch.manual_seed(0)
    before, _ = training.build(configuration, 2)
    model, _ = train(configuration, fold)
    for name, value in before.features.state_dict().items():
        assert torch.equal(value, model.features.state_dict()[name])
    assert not torch.equal(before.first.weight, model.first.weight)


def test_decay_ends_near_zero(tiny, fold):
    """Check that a decaying stage moves the weights less than a steady one."""

    def distance(decay):
        stage = Stage(updates=3, learning_rate=1e-3, decay=decay)
        torch.manual_seed(0)
        before, _ = training.build(tiny(), 2)
        model, _ = train(tiny(stages=(stage,)), fold)
        return (model.first.weight - before.first.weight).norm().item()

    assert distance(decay=True) < distance(decay=False)


def test_bfloat16_trains(tiny, fold):
    """Check that half precision gives a finite loss near that of single precision."""
    _, single = train(tiny(), fold)
    _, half = train(tiny(precision="bfloat16"), fold)
    np.testing.assert_allclose(half, single, rtol=0.3)


def test_fewer_classes_than_labels(tiny, fold):
    """Check that the label without a class is named."""
    with pytest.raises(UhcsBenchError, match="label 1, but there are only 1 classes"):
        train(tiny(), fold, classes=("matrix",))


def test_a_class_absent_from_training(tiny, fold):
    """Check that the focal loss refuses it and cross-entropy trains all the same."""
    classes = ("matrix", "particle", "lath")
    with pytest.raises(UhcsBenchError, match="no pixel of lath"):
        train(tiny("pixelnet-focal"), fold, classes=classes)
    assert len(train(tiny(), fold, classes=classes)[1]) == 3


def test_a_loss_that_is_not_finite_stops(tiny, fold):
    """Check that the update is named."""
    images, labels = fold
    broken = [np.full_like(images[0], np.nan), *images[1:]]
    with pytest.raises(UhcsBenchError, match=r"nan at update \d"):
        train(tiny(updates=6), (broken, labels))


def test_epochs_use_every_micrograph_once():
    """Check that five batches of four out of twenty don't repeat."""
    order = training._epochs(20, 4, torch.Generator().manual_seed(0))
    for _ in range(2):
        seen = torch.cat([next(order) for _ in range(5)])
        assert sorted(seen.tolist()) == list(range(20))


def test_pixels_are_drawn_from_the_whole_view():
    """Check the corners of what is drawn."""
    generator = torch.Generator().manual_seed(0)
    points = training._draw_pixels(torch.Size((2, 5, 9)), 3000, generator)
    assert points.shape == (2, 3000, 2)
    assert points.amin((0, 1)).tolist() == [0, 0]
    assert points.amax((0, 1)).tolist() == [4, 8]
