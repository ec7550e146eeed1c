"""Training: the loss falls, a seed decides everything, bad input is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import uhcs_bench
from baselines.configuration import Stage
from baselines.networks import pixelnet
from baselines.networks.model import build
from baselines.training import augmentation, loop, losses
from baselines.training.progress import Progress
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.segmentation.equalization import Equalization
from uhcs_bench.segmentation.preprocessing import Preprocessing

CPU = torch.device("cpu")
CLASSES = ("matrix", "particle")


@pytest.fixture(scope="module")
def fold():
    """Equalised training micrographs and label maps of the synthetic set."""
    micrographs = uhcs_bench.load("particles", fold=0, version="synthetic").train[:6]
    seen = Preprocessing(equalize=Equalization())
    return [seen.apply(m.image) for m in micrographs], [m.labels for m in micrographs]


def prepared(fold, method):
    """Give three planes to the method that takes them."""
    if method != "unet-efficientnet":
        return fold
    return [np.repeat(2 * image - 1, 3, axis=0) for image in fold[0]], fold[1]


def train(configuration, fold, seed=0, classes=CLASSES, **options):
    torch.manual_seed(seed)
    model, _ = build(configuration, len(classes))
    updates = loop.train(configuration, model, *fold, classes, CPU, seed, **options)
    return model, updates


@pytest.mark.parametrize(
    ("method", "updates"),
    [("pixelnet-ce", 8), ("pixelnet-focal", 8), ("unet", 12), ("unet-efficientnet", 12)],
)
def test_loss_falls(method, updates, tiny, fold):
    """Check that a few updates already help, for both losses and both models."""
    _, values = train(tiny(method, updates=updates), prepared(fold, method))
    assert len(values) == updates
    assert np.mean(values[-5:]) < 0.85 * np.mean(values[:3])


@pytest.mark.parametrize("method", ["pixelnet-focal", "unet", "unet-efficientnet"])
def test_a_seed_decides_everything(method, tiny, fold):
    """Check that two runs agree bit by bit, and that another seed gives another run."""
    fold = prepared(fold, method)
    model, values = train(tiny(method), fold)
    again, same = train(tiny(method), fold)
    _, other = train(tiny(method), fold, seed=1)
    assert values == same
    assert values != other
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_stages_keep_features_fixed(tiny, fold):
    """Check that a stage without a rate for VGG-16 leaves its layers, and only these, alone."""
    configuration = tiny(stages=(Stage(updates=2, learning_rate=1e-3),))
    torch.manual_seed(0)
    before, _ = build(configuration, 2)
    model, _ = train(configuration, fold)
    for name, value in before.features.state_dict().items():
        assert torch.equal(value, model.features.state_dict()[name])
    assert not torch.equal(before.first.weight, model.first.weight)


def test_decay_ends_near_zero(tiny, fold):
    """Check that a decaying stage moves the weights less than a steady one."""

    def distance(decay):
        stage = Stage(updates=3, learning_rate=1e-3, decay=decay)
        torch.manual_seed(0)
        before, _ = build(tiny(), 2)
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


def test_weights_that_are_not_finite_are_not_kept(tiny, fold, monkeypatch):
    """Check a last update that breaks the weights after its loss was taken."""
    step = torch.optim.AdamW.step

    def breaking(self, closure=None):
        step(self, closure)
        with torch.no_grad():
            self.param_groups[0]["params"][0].fill_(torch.inf)

    monkeypatch.setattr(torch.optim.AdamW, "step", breaking)
    with pytest.raises(UhcsBenchError, match=r"After 1 updates?, weights are not finite \("):
        train(tiny(updates=1), fold)


def test_epochs_use_every_micrograph_once():
    """Check that five batches of four out of twenty don't repeat."""
    order = loop._Epochs(20, 4, torch.Generator().manual_seed(0))
    for _ in range(2):
        seen = torch.cat([next(order) for _ in range(5)])
        assert sorted(seen.tolist()) == list(range(20))


def test_pixels_are_drawn_from_the_whole_view():
    """Check the corners of what is drawn."""
    generator = torch.Generator().manual_seed(0)
    points = pixelnet.draw_pixels(torch.Size((2, 5, 9)), 3000, generator)
    assert points.shape == (2, 3000, 2)
    assert points.amin((0, 1)).tolist() == [0, 0]
    assert points.amax((0, 1)).tolist() == [4, 8]


class Interruption(Exception):
    """Stands for a killed process."""


@pytest.mark.parametrize(
    ("method", "stop_at"),
    [("unet-efficientnet", 2), ("unet-efficientnet", 3), ("unet-efficientnet", 5), ("unet", 5)],
)
def test_an_interrupted_run_ends_like_any_other(method, stop_at, tiny, fold, tmp_path, monkeypatch):
    """Check losses and weights bit by bit, for interruptions in both stages and between."""
    monkeypatch.setattr(loop, "SAVE_EVERY", 2)
    fold = prepared(fold, method)
    stages = (
        Stage(updates=3, learning_rate=1e-3),
        Stage(updates=4, learning_rate=1e-3, features_rate=1e-3, decay=True, warmup=0.5),
    )
    configuration = tiny(method, stages=stages)
    model, values = train(configuration, fold)
    progress = Progress(tmp_path / "progress.pt", configuration.to_dict())
    calls = []

    def interrupt(_loss):
        calls.append(_loss)
        if len(calls) == stop_at:
            raise Interruption

    with pytest.raises(Interruption):
        train(configuration, fold, progress=progress, report=interrupt)
    saved = len(progress.load()["losses"]) if stop_at > 2 else 0
    assert saved == (stop_at - 1) // 2 * 2
    reported = []
    again, same = train(configuration, fold, progress=progress, report=reported.append)
    assert same == values == reported
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_progress_of_other_settings_is_ignored(tiny, fold, tmp_path):
    """Check that a damaged file and one of other settings start a run anew."""
    path = tmp_path / "progress.pt"
    Progress(path, {"updates": 3}).save({"losses": [1.0]})
    assert Progress(path, {"updates": 3}).load() == {"losses": [1.0]}
    assert Progress(path, {"updates": 4}).load() is None
    path.write_bytes(b"damaged")
    progress = Progress(path, {"updates": 3})
    assert progress.load() is None
    assert len(train(tiny(), fold, progress=progress)[1]) == 3
    progress.clear()
    assert not path.exists()


@pytest.mark.parametrize("method", ["pixelnet-ce", "pixelnet-focal", "unet"])
def test_updates_are_those_of_a_plain_loop(method, tiny, fold):
    """Check losses and weights bit by bit against the loop written out step by step."""
    configuration = tiny(method, updates=4)
    model, values = train(configuration, fold, seed=5)
    torch.manual_seed(5)
    other, _ = build(configuration, 2)
    assert plain_loop(configuration, other.train(), *fold, seed=5) == values
    for name, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def plain_loop(configuration, model, images, label_maps, seed):
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    pictures, maps = torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(label_maps))
    alpha, gamma = torch.ones(2), 0.0
    if configuration.loss == "focal":
        alpha, gamma = losses.class_weights(label_maps, CLASSES), 2.0
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=5e-4)
    rest, values = [], []
    for _ in range(configuration.stages[0].updates):
        if len(rest) < 4:
            rest = torch.randperm(len(images), generator=generator).tolist()
        chosen, rest = rest[:4], rest[4:]
        views = augmentation.draw(4, tuple(pictures.shape[-2:]), configuration.crop, generator)
        seen, labels = augmentation.warp(pictures[chosen], maps[chosen], views, configuration.crop)
        if configuration.model == "pixelnet":
            size = torch.tensor(labels.shape[1:])
            share = torch.rand(4, configuration.pixels, 2, generator=generator, dtype=torch.float64)
            points = (share * size).long()
            first = torch.arange(4).unsqueeze(1)
            logits, labels = model(seen, points), labels[first, points[..., 0], points[..., 1]]
            labels = labels.flatten()
        else:
            logits = model(seen)
        loss = losses.focal_loss(logits, labels, alpha, gamma)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    return values


def test_the_rate_rises_and_falls():
    """Check the one-cycle schedule at its ends, its top and half of its fall."""
    stage = Stage(updates=20, learning_rate=1.0, decay=True, warmup=0.2)
    rates = [loop._rate(stage, update) for update in range(20)]
    np.testing.assert_allclose(rates[:5], [0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[12] == pytest.approx(0.5)
    assert all(np.diff(rates[4:]) < 0)
    assert 0 < rates[-1] < 0.01


def test_the_average_of_weights_is_kept(tiny, fold):
    """Check the moving average against one computed from the runs of each length."""
    settings = {"stages": (Stage(updates=1, learning_rate=1e-2, features_rate=1e-2),)}
    weights = []
    for updates in (1, 2, 3):
        stage = Stage(updates=updates, learning_rate=1e-2, features_rate=1e-2)
        model, _ = train(tiny("unet", **{**settings, "stages": (stage,)}), fold)
        weights.append(model.last.weight.detach().clone())
    averaged, _ = train(tiny("unet", stages=(stage,), average=0.75), fold)
    expected = 0.75 * (0.75 * weights[0] + 0.25 * weights[1]) + 0.25 * weights[2]
    torch.testing.assert_close(averaged.last.weight, expected)
