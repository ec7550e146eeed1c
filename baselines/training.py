"""Train one model on the training folds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Generator, Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from baselines import augmentation
from baselines.losses import class_weights, focal_loss
from baselines.pixelnet import PixelNet
from baselines.preparation import autocast
from baselines.unet import UNet
from baselines.vgg import VGG16, load_weights
from uhcs_bench.errors import UhcsBenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from baselines.configuration import Configuration, Stage


def build(configuration: Configuration, n_classes: int) -> tuple[PixelNet | UNet, str | None]:
    """Make an untrained model.

    Returns
    -------
    model : PixelNet or UNet
    source : str or None
        Where the weights of VGG-16 come from.

    Raises
    ------
    DataUnavailableError
        The weights can't be had.
    """
    if configuration.model == "unet":
        model: PixelNet | UNet = UNet(n_classes, encoder=configuration.encoder)
    else:
        model = PixelNet(n_classes, fc7=configuration.fc7)
    model.to(memory_format=torch.channels_last)
    if isinstance(model.features, VGG16):
        return model, load_weights(model.features, configuration.weights)
    return model, None


def train(
    configuration: Configuration,
    model: PixelNet | UNet,
    images: Sequence[NDArray[np.float32]],
    label_maps: Sequence[NDArray[np.uint8]],
    classes: Sequence[str],
    device: torch.device,
    seed: int,
    report: Callable[[float], object] = lambda _: None,
) -> list[float]:
    """Train a model in place, through all stages; the last state is what is kept.

    Parameters
    ----------
    configuration : Configuration
    model : PixelNet or UNet
        On `device`.
    images : sequence of ndarray of float32, shape (h, w)
        Equalised micrographs of the training folds, all of one shape.
    label_maps : sequence of ndarray of uint8, shape (h, w)
    classes : sequence of str
    device : torch.device
    seed : int
    report : callable
        Called with the loss after each update.

    Returns
    -------
    list of float
        The loss of each update.

    Raises
    ------
    UhcsBenchError
        A label that no class has, a class without pixels (focal loss only), or a loss that isn't
        finite.
    """
    check_labels(label_maps, classes)
    if configuration.loss == "focal":
        alpha = class_weights(label_maps, classes, configuration.alpha_power).to(device)
        gamma = configuration.gamma
    else:
        alpha, gamma = torch.ones(len(classes), device=device), 0.0
    torch.manual_seed(seed)  # for dropout, which takes no generator
    generator = Generator().manual_seed(seed)
    pictures = torch.from_numpy(np.stack(images)).unsqueeze(1).to(device)
    maps = torch.from_numpy(np.stack(label_maps)).to(device)
    shape = (pictures.shape[-2], pictures.shape[-1])
    order = _epochs(len(images), configuration.batch, generator)
    losses: list[float] = []
    model.train()
    for stage in configuration.stages:
        optimizer, schedule = _optimizer(model, stage, configuration.weight_decay)
        for _ in range(stage.updates):
            chosen = next(order)
            views = augmentation.draw(len(chosen), shape, configuration.crop, generator)
            seen, labels = augmentation.warp(
                pictures[chosen], maps[chosen], views, configuration.crop
            )
            with autocast(configuration.precision, device):
                if isinstance(model, PixelNet):
                    points = _draw_pixels(labels.shape, configuration.pixels, generator).to(device)
                    logits, labels = model(seen, points), _pick(labels, points)
                else:
                    logits = model(seen)
            loss = focal_loss(logits, labels, alpha, gamma)
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise UhcsBenchError(
                    f"The loss became {losses[-1]} at update {len(losses)}, so training stopped "
                    "there. Try --precision float32 or another --seed."
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            report(losses[-1])
    model.eval()
    return losses


def check_labels(label_maps: Iterable[NDArray[np.uint8]], classes: Sequence[str]) -> None:
    """Make sure that every label has a class.

    Raises
    ------
    UhcsBenchError
        A label is too large.
    """
    largest = max(int(labels.max()) for labels in label_maps)
    if largest >= len(classes):
        raise UhcsBenchError(
            f"The label maps hold the label {largest}, but there are only {len(classes)} classes "
            f"({', '.join(classes)}; labels start at 0)."
        )


def _epochs(count: int, batch: int, generator: Generator) -> Iterator[Tensor]:
    """Yield batches of indices; none repeats before all have come (but an incomplete batch)."""
    batch = min(batch, count)
    while True:
        order = torch.randperm(count, generator=generator)
        yield from order[: count // batch * batch].split(batch)


def _optimizer(model: PixelNet | UNet, stage: Stage, weight_decay: float) -> tuple[AdamW, LambdaLR]:
    """AdamW for one stage; VGG-16's layers take part only if the stage gives them a rate."""
    features = set(model.features.parameters())
    for parameter in features:
        parameter.requires_grad_(stage.features_rate > 0)
    groups = [
        {"params": [p for p in model.parameters() if p not in features], "lr": stage.learning_rate},
        {"params": [p for p in features if p.requires_grad], "lr": stage.features_rate},
    ]
    optimizer = AdamW([group for group in groups if group["params"]], weight_decay=weight_decay)

    def factor(update: int) -> float:
        return 0.5 + 0.5 * math.cos(math.pi * update / stage.updates) if stage.decay else 1.0

    return optimizer, LambdaLR(optimizer, factor)


def _draw_pixels(shape: torch.Size, count: int, generator: Generator) -> Tensor:
    """Row and column of pixels drawn uniformly with replacement, shape (n, count, 2)."""
    n, height, width = shape
    share = torch.rand(n, count, 2, generator=generator, dtype=torch.float64)
    return (share * torch.tensor([height, width])).long()


def _pick(labels: Tensor, points: Tensor) -> Tensor:
    """Labels at pixels, shape (n * p,)."""
    n = torch.arange(len(labels), device=labels.device).unsqueeze(1)
    return labels[n, points[..., 0], points[..., 1]].flatten()
