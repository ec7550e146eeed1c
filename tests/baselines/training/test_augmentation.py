"""The random views of micrographs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage
import torch

from baselines.training import augmentation
from baselines.training.augmentation import Views, draw, warp

SHAPE = (21, 30)


def identity(n=1):
    """Views that change nothing."""
    return Views(torch.zeros(n), torch.ones(n), torch.ones(n, 2), torch.zeros(n, 2), torch.zeros(n))


@pytest.fixture
def batch(generator):
    image = torch.rand(1, 1, *SHAPE, generator=generator)
    return image, (image[:, 0] * 4).to(torch.uint8)


def test_identity(batch):
    """Check that the neutral view gives the micrograph back."""
    image, labels = batch
    seen, named = warp(image, labels, identity())
    torch.testing.assert_close(seen, image)
    assert torch.equal(named, labels.long())


@pytest.mark.parametrize(("axis", "flip"), [(0, [-1.0, 1.0]), (1, [1.0, -1.0])])
def test_mirroring(batch, axis, flip):
    """Check that rows and columns are mirrored, image and labels alike."""
    image, labels = batch
    seen, named = warp(image, labels, replace(identity(), flip=torch.tensor([flip])))
    torch.testing.assert_close(seen, image.flip(axis + 2))
    assert torch.equal(named, labels.long().flip(axis + 1))


def test_half_turn_is_both_mirrors(batch):
    """Check a rotation by pi."""
    image, labels = batch
    seen, _ = warp(image, labels, replace(identity(), angle=torch.tensor([math.pi])))
    torch.testing.assert_close(seen, image.flip(2, 3), atol=1e-4, rtol=0)


def test_shift_moves_gray_values_alone(batch):
    """Check that brightness leaves the labels alone and isn't clipped."""
    image, labels = batch
    seen, named = warp(image, labels, replace(identity(), shift=torch.tensor([0.05])))
    torch.testing.assert_close(seen, image + 0.05)
    assert torch.equal(named, labels.long())


@pytest.mark.parametrize("crop", [None, 16])
def test_against_scipy(batch, crop):
    """Check rotation, scaling, mirroring and border against `scipy.ndimage.affine_transform`."""
    image, labels = batch
    views = Views(
        angle=torch.tensor([0.7]),
        scale=torch.tensor([1.3]),
        flip=torch.tensor([[-1.0, 1.0]]),
        offset=torch.tensor([[0.0, 0.0]] if crop is None else [[3.0, 9.0]]),
        shift=torch.zeros(1),
    )
    seen, named = warp(image, labels, views, crop)
    cos, sin = math.cos(0.7) / 1.3, math.sin(0.7) / 1.3
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0, 1.0])
    centre = (np.array(SHAPE) - 1) / 2
    options = {
        "offset": centre + matrix @ (views.offset[0].numpy() - centre),
        "output_shape": augmentation.output_shape(SHAPE, crop),
        "mode": "reflect",
    }
    bilinear = scipy.ndimage.affine_transform(image[0, 0].numpy(), matrix, order=1, **options)
    nearest = scipy.ndimage.affine_transform(labels[0].numpy(), matrix, order=0, **options)
    np.testing.assert_allclose(seen[0, 0].numpy(), bilinear, atol=1e-4)
    # A place half-way between two pixels may round either way.
    assert (named[0].numpy() == nearest).mean() > 0.99


def test_image_and_labels_move_together(generator):
    """Check on blobs that thresholding commutes with the random views, but at the blobs' rim."""
    field = scipy.ndimage.gaussian_filter(
        np.random.default_rng(5).normal(size=(4, 96, 128)), (0, 6, 6)
    )
    image = torch.tensor(field / np.abs(field).max() / 2 + 0.5, dtype=torch.float32).unsqueeze(1)
    labels = (image[:, 0] > 0.5).to(torch.uint8)
    views = draw(4, (96, 128), 64, generator)
    seen, named = warp(image, labels, views, 64)
    thresholded = seen[:, 0] - views.shift.view(-1, 1, 1) > 0.5
    assert (thresholded == named.bool()).float().mean() > 0.97


def test_ranges(generator):
    """Check that what is drawn covers the stated ranges and no more."""
    views = draw(4000, (475, 645), 224, generator)
    for values, low, high in (
        (views.angle, 0, 2 * math.pi),
        (1 / views.scale, 0.5, 1.5),
        (views.shift, -0.05, 0.05),
    ):
        assert low <= values.min()
        assert values.max() <= high
        assert values.mean().item() == pytest.approx((low + high) / 2, abs=0.03 * (high - low))
    assert set(views.flip.unique().tolist()) == {-1.0, 1.0}
    assert views.offset.min() == 0
    assert views.offset.amax(0).tolist() == [475 - 224, 645 - 224]


def test_a_crop_is_never_larger_than_the_micrograph():
    """Check the size of views of a small micrograph."""
    assert augmentation.output_shape((100, 300), 224) == (100, 224)
    assert augmentation.output_shape((100, 300), None) == (100, 300)


def test_gain_and_noise_leave_labels_alone(batch, generator):
    """Check that gray values are multiplied, shifted and disturbed in this order, on all planes."""
    image, labels = batch
    noise = torch.randn(1, 1, *SHAPE, generator=generator)
    views = replace(identity(), gain=torch.tensor([1.2]), shift=torch.tensor([0.1]), noise=noise)
    planes = image.repeat(1, 3, 1, 1)
    seen, named = warp(planes, labels, views)
    torch.testing.assert_close(seen, planes * 1.2 + 0.1 + noise)
    assert torch.equal(named, labels.long())


def test_strong_views_are_in_their_range(generator):
    """Check every bound, that both ends are reached, and that scaling has no preference."""
    views = augmentation.draw_strong(4000, (40, 50), 8, generator)
    for values, low, high in (
        (views.angle, 0, 2 * math.pi),
        (views.scale, 0.7, 1.6),
        (views.shift, -0.2, 0.2),
        (views.gain, 0.8, 1.25),
    ):
        assert low <= values.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < values.max() <= high
    assert views.scale.log().mean().item() == pytest.approx(
        (math.log(0.7) + math.log(1.6)) / 2, abs=0.02
    )
    assert views.noise.shape == (4000, 1, 8, 8)
    deviations = views.noise.flatten(1).std(dim=1)
    assert deviations.mean().item() == pytest.approx(0.05, abs=0.003)
    assert set(views.flip.flatten().tolist()) == {-1.0, 1.0}
    assert views.offset.amax(0).tolist() == [32, 42]
