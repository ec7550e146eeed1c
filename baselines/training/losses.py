"""Cross-entropy, focal and Dice loss, and the class weights of the focal loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from uhcs_bench.errors import UhcsBenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torch import Tensor

    from baselines.configuration import Configuration


def focal_loss(logits: Tensor, labels: Tensor, alpha: Tensor, gamma: float = 2.0) -> Tensor:
    r"""Mean of :math:`-\alpha_y (1 - p_y)^\gamma \log p_y` over pixels (the paper's equation 2).

    Parameters
    ----------
    logits : Tensor of shape (n, c, ...)
    labels : Tensor of int64, shape (n, ...)
    alpha : Tensor of shape (c,)
        Class weights. Ones with ``gamma=0`` give the cross-entropy (equation 1).
    gamma : float
        Focusing parameter; 2 in the paper.

    Returns
    -------
    Tensor
        A scalar.
    """
    log_p = F.log_softmax(logits.float(), dim=1)
    log_py = log_p.gather(1, labels.unsqueeze(1)).squeeze(1)
    return (-alpha[labels] * (1 - log_py.exp()) ** gamma * log_py).mean()


def dice_loss(logits: Tensor, labels: Tensor) -> Tensor:
    r"""One minus the soft Dice coefficient, averaged over the classes that the labels hold.

    That of a class is :math:`2 \sum p y / \sum (p + y)` over all pixels of the batch, for
    probabilities p and labels y of 0 or 1 (Milletari et al. 2016). Unlike the cross-entropy, it
    counts every class alike, however few its pixels are.

    Parameters
    ----------
    logits : Tensor of shape (n, c, ...)
    labels : Tensor of int64, shape (n, ...)

    Returns
    -------
    Tensor
        A scalar from 0 to 1.
    """
    p = logits.float().softmax(dim=1).transpose(0, 1).flatten(1)
    y = F.one_hot(labels.flatten(), p.shape[0]).T
    size = y.sum(dim=1)
    dice = 2 * (p * y).sum(dim=1) / (p.sum(dim=1) + size)
    return 1 - dice[size > 0].mean()


def choose(
    configuration: Configuration,
    label_maps: Iterable[np.ndarray],
    classes: Sequence[str],
    device: torch.device,
) -> Callable[[Tensor, Tensor], Tensor]:
    """Give the loss that a configuration names, as a function of logits and labels.

    Raises
    ------
    UhcsBenchError
        The focal loss has no weight for a class without pixels.
    """
    alpha, gamma = torch.ones(len(classes), device=device), 0.0
    if configuration.loss == "focal":
        alpha = class_weights(label_maps, classes, configuration.alpha_power).to(device)
        gamma = configuration.gamma

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        total = focal_loss(logits, labels, alpha, gamma)
        return total + dice_loss(logits, labels) if configuration.loss == "ce+dice" else total

    return loss


def class_weights(
    label_maps: Iterable[np.ndarray], classes: Sequence[str], power: float = 0.5
) -> Tensor:
    """Weigh each class by a power of its inverse pixel share, normalised to a mean of one.

    Parameters
    ----------
    label_maps : iterable of ndarray of uint8
        Those of the training folds only.
    classes : sequence of str
        Names of the classes; the labels are their indices.
    power : float
        1 is the paper's text, 0.5 the authors' code.

    Returns
    -------
    Tensor of float32, shape (len(classes),)

    Raises
    ------
    UhcsBenchError
        A class has no pixel, so that its weight would be infinite.
    """
    counts = sum(
        (np.bincount(labels.ravel(), minlength=len(classes)) for labels in label_maps),
        start=np.zeros(len(classes), dtype=np.int64),
    )
    absent = [name for name, count in zip(classes, counts, strict=True) if count == 0]
    if absent:
        raise UhcsBenchError(
            f"The training folds have no pixel of {', '.join(absent)}, so the focal loss has no "
            "weight for it. Train with a cross-entropy method, which needs no class weights."
        )
    alpha = (counts.sum() / counts) ** power
    return torch.tensor(alpha / alpha.mean(), dtype=torch.float32)
