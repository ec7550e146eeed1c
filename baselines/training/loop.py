"""Train one model on the training folds."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from baselines.training import augmentation, losses
from baselines.training.preparation import autocast
from uhcs_bench.errors import UhcsBenchError, things

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from baselines.configuration import Configuration, Stage
    from baselines.networks.model import Model
    from baselines.training.progress import Progress

SAVE_EVERY = 100
"""Updates after which the state of a run is saved."""


def train(
    configuration: Configuration,
    model: Model,
    images: Sequence[NDArray[np.float32]],
    label_maps: Sequence[NDArray[np.uint8]],
    classes: Sequence[str],
    device: torch.device,
    seed: int,
    report: Callable[[float], object] = lambda _: None,
    progress: Progress | None = None,
) -> list[float]:
    """Train a model in place, through all stages.

    The last state is what is kept, or the moving average of all if the configuration has one.

    Parameters
    ----------
    configuration : Configuration
    model : Model
        On `device`.
    images : sequence of ndarray of float32, shape (channels, h, w)
        Micrographs of the training folds as the model's `preprocessing` gives them, all of one
        shape.
    label_maps : sequence of ndarray of uint8, shape (h, w)
    classes : sequence of str
    device : torch.device
    seed : int
    report : callable
        Called with the loss after each update.
    progress : Progress, optional
        Where the state is saved every `SAVE_EVERY` updates. A run that was saved there goes on and
        gives what it would have given without the interruption.

    Returns
    -------
    list of float
        The loss of each update.

    Raises
    ------
    UhcsBenchError
        A label that no class has, a class without pixels (focal loss only), a loss that isn't
        finite, or weights that are not in the end.
    """
    check_labels(label_maps, classes)
    loss_of = losses.choose(configuration, label_maps, classes, device)
    torch.manual_seed(seed)  # for dropout, which takes no generator
    data = _Views(configuration, images, label_maps, device, seed)
    run = _Run(configuration, model, data)
    if progress is not None:
        run.resume(progress, report)
    model.train()
    for seen, labels in run.batches():
        with autocast(configuration.precision, device):
            logits, labels = model.training_logits(seen, labels, data.generator)
        run.update(loss_of(logits, labels))
        report(run.losses[-1])
        if progress is not None and len(run.losses) % SAVE_EVERY == 0:
            progress.save(run.state())
    run.finish()
    model.eval()
    return run.losses


class _Views:
    """Random batches of views of the training micrographs."""

    def __init__(
        self,
        configuration: Configuration,
        images: Sequence[NDArray[np.float32]],
        label_maps: Sequence[NDArray[np.uint8]],
        device: torch.device,
        seed: int,
    ) -> None:
        self.generator = Generator().manual_seed(seed)
        self.pictures = torch.from_numpy(np.stack(images)).to(device)
        self.maps = torch.from_numpy(np.stack(label_maps)).to(device)
        self.order = _Epochs(len(images), configuration.batch, self.generator)
        self.crop = configuration.crop
        self.draw = augmentation.DRAW[configuration.augmentation]

    def next(self) -> tuple[Tensor, Tensor]:
        """Give the next batch: planes of shape (n, channels, h, w) and labels (n, h, w)."""
        chosen = next(self.order)
        shape = (self.pictures.shape[-2], self.pictures.shape[-1])
        views = self.draw(len(chosen), shape, self.crop, self.generator)
        return augmentation.warp(self.pictures[chosen], self.maps[chosen], views, self.crop)


class _Run:
    """A training run: the model, its optimiser, and everything random, which can be saved."""

    def __init__(self, configuration: Configuration, model: Model, data: _Views) -> None:
        self.configuration, self.model, self.data = configuration, model, data
        self.losses: list[float] = []
        self.average = _moving_average(model, configuration.average)
        self.stage, self.done = 0, 0
        self.start, self.seconds_before = time.perf_counter(), 0.0
        self._enter_stage()

    def _enter_stage(self) -> None:
        stage = self.configuration.stages[self.stage]
        self.optimizer, self.schedule = _optimizer(
            self.model, stage, self.configuration.weight_decay
        )

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Give the batches of the updates that are still to do, stage by stage."""
        while True:
            while self.done < self.configuration.stages[self.stage].updates:
                yield self.data.next()
            if self.stage + 1 == len(self.configuration.stages):
                return
            self.stage, self.done = self.stage + 1, 0
            self._enter_stage()

    def update(self, loss: Tensor) -> None:
        """Follow the gradient of a loss."""
        self.losses.append(loss.item())
        if not math.isfinite(self.losses[-1]):
            raise UhcsBenchError(
                f"The loss became {self.losses[-1]} at update {len(self.losses)}, so training "
                "stopped there. Try --precision float32 or another --seed."
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.configuration.clip_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.configuration.clip_norm)
        self.optimizer.step()
        self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        self.done += 1

    def finish(self) -> None:
        """Put the average in place of the last weights, if there is one, and check what is kept."""
        if self.average is not None:
            self.model.load_state_dict(self.average.module.state_dict())
        # The loss of an update says nothing of the weights that it leaves.
        broken = [k for k, v in self.model.state_dict().items() if not v.isfinite().all()]
        if broken:
            raise UhcsBenchError(
                f"After {things(len(self.losses), 'update')}, weights are not finite "
                f"({broken[0]}), so that nothing was kept. Try --precision float32 or another "
                "--seed."
            )

    def state(self) -> dict[str, Any]:
        """Give everything that the rest of the run depends on."""
        device = self.data.pictures.device
        return {
            "losses": self.losses,
            "seconds": self.seconds_before + time.perf_counter() - self.start,
            "stage": self.stage,
            "done": self.done,
            "model": self.model.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "remaining": self.data.order.remaining,
            "generator": self.data.generator.get_state(),
            "random": torch.get_rng_state(),
            "random_gpu": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        }

    def resume(self, progress: Progress, report: Callable[[float], object]) -> None:
        """Go on from where a run was saved, if one was."""
        state = progress.load()
        if state is None:
            return
        self.losses, self.stage, self.done = state["losses"], state["stage"], state["done"]
        self.seconds_before = state["seconds"]
        self.model.load_state_dict(state["model"])
        self._enter_stage()
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.data.order.remaining = state["remaining"]
        self.data.generator.set_state(state["generator"])
        torch.set_rng_state(state["random"])
        if state["random_gpu"] is not None:
            torch.cuda.set_rng_state(state["random_gpu"], self.data.pictures.device)
        for loss in self.losses:
            report(loss)


def _moving_average(model: Model, decay: float | None) -> AveragedModel | None:
    if decay is None:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


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


class _Epochs:
    """Batches of indices without end; none repeats before all have come (but an incomplete batch).

    Attributes
    ----------
    remaining : list of Tensor
        The batches that are left of this epoch.
    """

    def __init__(self, count: int, batch: int, generator: Generator) -> None:
        self.count, self.batch, self.generator = count, min(batch, count), generator
        self.remaining: list[Tensor] = []

    def __next__(self) -> Tensor:
        if not self.remaining:
            order = torch.randperm(self.count, generator=self.generator)
            self.remaining = list(order[: self.count // self.batch * self.batch].split(self.batch))
        return self.remaining.pop(0)


def _optimizer(model: Model, stage: Stage, weight_decay: float) -> tuple[AdamW, LambdaLR]:
    """AdamW for one stage; the encoder's layers take part only if the stage gives them a rate."""
    features = list(model.features.parameters())
    known = set(features)
    for parameter in features:
        parameter.requires_grad_(stage.features_rate > 0)
    groups = [
        {"params": [p for p in model.parameters() if p not in known], "lr": stage.learning_rate},
        {"params": [p for p in features if p.requires_grad], "lr": stage.features_rate},
    ]
    optimizer = AdamW([group for group in groups if group["params"]], weight_decay=weight_decay)
    return optimizer, LambdaLR(optimizer, lambda update: _rate(stage, update))


def _rate(stage: Stage, update: int) -> float:
    """Learning rate of an update as a share of the stage's."""
    rise = round(stage.warmup * stage.updates)
    if update < rise:
        return (update + 1) / (rise + 1)
    if not stage.decay:
        return 1.0
    return 0.5 + 0.5 * math.cos(math.pi * (update - rise) / (stage.updates - rise))
