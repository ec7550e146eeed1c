"""The losses and class weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from baselines.training.losses import class_weights, dice_loss, focal_loss
from uhcs_bench.errors import UhcsBenchError


def test_focal_loss_by_hand():
    """Check two pixels with probabilities 0.8 and 0.25 of their true class."""
    logits = torch.tensor([[math.log(4.0), 0.0], [math.log(3.0), 0.0]])
    labels = torch.tensor([0, 1])
    alpha = torch.tensor([0.5, 2.0])
    by_hand = (-0.5 * 0.2**2 * math.log(0.8) - 2.0 * 0.75**2 * math.log(0.25)) / 2
    assert focal_loss(logits, labels, alpha, 2.0).item() == pytest.approx(by_hand, rel=1e-5)


def test_cross_entropy_is_a_special_case(generator):
    """Check that gamma 0 and equal weights give PyTorch's cross-entropy, also on images."""
    logits = torch.randn(2, 4, 5, 6, generator=generator)
    labels = torch.randint(4, (2, 5, 6), generator=generator)
    expected = F.cross_entropy(logits, labels)
    torch.testing.assert_close(focal_loss(logits, labels, torch.ones(4), 0.0), expected)


@pytest.mark.parametrize(("power", "ratio"), [(1.0, 9.0), (0.5, 3.0), (0.0, 1.0)])
def test_class_weights_by_hand(power, ratio):
    """Check the weights of classes with 9 and 1 of 10 pixels."""
    maps = [np.array([[0, 0, 0, 0, 1]], np.uint8), np.zeros((1, 5), np.uint8)]
    alpha = class_weights(maps, ("common", "rare"), power)
    assert (alpha[1] / alpha[0]).item() == pytest.approx(ratio)
    assert alpha.mean().item() == pytest.approx(1)


def test_a_class_without_pixels_has_no_weight():
    """Check that the absent classes are named."""
    with pytest.raises(UhcsBenchError, match="network, laths"):
        class_weights([np.zeros((2, 2), np.uint8)], ("matrix", "network", "laths"))


def test_dice_loss_by_hand():
    """Check three pixels of two classes; a third class without pixels does not count."""
    p = torch.tensor([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0001], [0.1, 0.8, 0.1]])
    p = p / p.sum(dim=1, keepdim=True)
    labels = torch.tensor([0, 0, 1])
    first = 2 * (p[0, 0] + p[1, 0]) / (p[:, 0].sum() + 2)
    second = 2 * p[2, 1] / (p[:, 1].sum() + 1)
    torch.testing.assert_close(dice_loss(p.log(), labels), 1 - (first + second) / 2)


def test_dice_loss_of_images_of_certain_pixels(generator):
    """Check that perfect logits give 0 and wrong ones 1, and that pixels may lie in any order."""
    labels = torch.randint(3, (2, 5, 6), generator=generator)
    certain = 50 * F.one_hot(labels, 3).movedim(-1, 1).float()
    assert dice_loss(certain, labels).item() == pytest.approx(0, abs=1e-6)
    assert dice_loss(certain.roll(1, dims=1), labels).item() == pytest.approx(1, abs=1e-6)
    logits = torch.randn(2, 3, 5, 6, generator=generator)
    flat = logits.movedim(1, -1).reshape(-1, 3)
    torch.testing.assert_close(dice_loss(logits, labels), dice_loss(flat, labels.flatten()))
