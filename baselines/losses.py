"""Cross-entropy and focal loss, and the class weights of the latter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from uhcs_bench.errors import UhcsBenchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor


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
