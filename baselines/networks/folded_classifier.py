"""PixelNet's classifier for dense inference: batch norms folded into the layers above them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from baselines.networks.pixelnet import PixelNet

BAND_ROWS = 32
"""Rows of pixels that a CPU classifies at a time: a multiple of every stride."""


@dataclass(frozen=True)
class FoldedClassifier:
    """PixelNet's classifier with every batch norm of inference folded into the layer above it.

    A batch norm with fixed statistics is an affine map per channel. It commutes with bilinear
    interpolation, whose weights sum to one, so even those of the feature maps move exactly into the
    first layer.

    Attributes
    ----------
    slices : tuple of Tensor of shape (hidden, widths[k])
        The first layer, cut into the part that acts on each feature map.
    first_bias, second_bias : Tensor of shape (hidden,)
    second : Tensor of shape (hidden, hidden)
    last : Tensor of shape (n_classes, hidden)
    last_bias : Tensor of shape (n_classes,)
    """

    slices: tuple[Tensor, ...]
    first_bias: Tensor
    second: Tensor
    second_bias: Tensor
    last: Tensor
    last_bias: Tensor


def fold(model: PixelNet) -> FoldedClassifier:
    """Fold the batch norms of a trained model.

    Parameters
    ----------
    model : PixelNet

    Returns
    -------
    FoldedClassifier
        Computed in float64, stored in the model's dtype.
    """
    dtype = model.first.weight.dtype
    scales, shifts = zip(*(_affine(norm) for norm in model.norms), strict=True)
    first, first_bias = _absorb(model.first.weight, torch.cat(scales), torch.cat(shifts))
    second, second_bias = _absorb(model.second.weight, *_affine(model.first_norm))
    last, last_bias = _absorb(model.last.weight, *_affine(model.second_norm))
    return FoldedClassifier(
        slices=tuple(
            part.to(dtype).contiguous() for part in first.split(list(model.features.widths), dim=1)
        ),
        first_bias=(first_bias + model.first.bias.double()).to(dtype),
        second=second.to(dtype),
        second_bias=second_bias.to(dtype),
        last=last.to(dtype),
        last_bias=(last_bias + model.last.bias.double()).to(dtype),
    )


def _affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Scale and shift that a batch norm applies in inference."""
    if not isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
        raise TypeError(f"{norm} is no batch norm")
    if norm.running_mean is None or norm.running_var is None:
        raise TypeError(f"{norm} keeps no statistics")
    scale = 1 / (norm.running_var.double() + norm.eps).sqrt()
    shift = -norm.running_mean.double() * scale
    if norm.affine:
        return scale * norm.weight.double(), shift * norm.weight.double() + norm.bias.double()
    return scale, shift


def _absorb(weight: Tensor, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear layer that swallows the affine map of its input."""
    return weight.double() * scale, weight.double() @ shift
