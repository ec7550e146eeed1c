"""PixelNet: a classifier on hypercolumns, trained on few pixels and applied to all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.vgg import VGG16, pad_to_multiple, sample

if TYPE_CHECKING:
    from collections.abc import Iterator

MOMENTUM = 0.1
"""Weight of the newest batch in the running statistics of batch norm: PyTorch's default.

The authors' Keras default (0.01 in these terms) would leave 8 % of the initial value in them after
250 updates; with 0.1 nothing is left and about the last 20 updates, 80 views, count.
"""

BAND_ROWS = 32
"""Rows of pixels that are classified at a time: a multiple of every stride."""

SLICE_PIXELS = 1 << 20
"""About how many pixels VGG-16 sees at a time; an image of up to twice this size is seen whole."""


class PixelNet(nn.Module):
    """Classify pixels from the VGG-16 maps above them (Bansal et al. 2017, as the paper varies it).

    Parameters
    ----------
    n_classes : int
    hidden : int
        Units of the two hidden layers; 1024 in paper and code.
    dropout : float
        Share of units dropped after the last hidden layer: 0.1, the paper's text. The authors' code
        also drops after the first.
    fc7 : bool
        Add fc7 to the hypercolumn, as paper and code do. Off by default (neither): it is 88 % of
        the model's parameters, one of its pixels covers 32 x 32 of the micrograph's, and the
        weights are a download of half a gigabyte.

    Notes
    -----
    Each map is batch-normalised after its ReLU, at its own resolution over all its pixels, before
    it is interpolated (paper and code). It is only standardised: a scale (the code has none either)
    and a shift would repeat what weights and bias of the first layer do. The hidden layers are
    Linear, ReLU, batch norm: the paper's order (the code normalises before the ReLU). The second
    needs no bias, as the batch norm below it has a shift. Weights start Gaussian with standard
    deviation sqrt(2 / c) for c inputs (paper's text).
    """

    def __init__(
        self, n_classes: int, *, hidden: int = 1024, dropout: float = 0.1, fc7: bool = False
    ) -> None:
        super().__init__()
        self.features = VGG16(fc7=fc7)
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(width, momentum=MOMENTUM, affine=False) for width in self.features.widths
        )
        self.first = nn.Linear(sum(self.features.widths), hidden)
        self.first_norm = nn.BatchNorm1d(hidden, momentum=MOMENTUM)
        self.second = nn.Linear(hidden, hidden, bias=False)
        self.second_norm = nn.BatchNorm1d(hidden, momentum=MOMENTUM)
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(hidden, n_classes)
        for layer in (self.first, self.second, self.last):
            nn.init.normal_(layer.weight, std=(2 / layer.in_features) ** 0.5)
        nn.init.zeros_(self.first.bias)
        nn.init.zeros_(self.last.bias)

    def forward(self, images: Tensor, points: Tensor) -> Tensor:
        """Classify some pixels of each image.

        Parameters
        ----------
        images : Tensor of float32, shape (n, 1, h, w)
            Gray values in [0, 1] after histogram equalisation; any height and width.
        points : Tensor of int64, shape (n, p, 2)
            Row and column of the pixels.

        Returns
        -------
        Tensor of shape (n * p, n_classes)
            Logits.
        """
        maps = self.features(pad_to_multiple(images, self.features.stride))
        column = sample([norm(x) for norm, x in zip(self.norms, maps, strict=True)], points)
        x = self.first_norm(F.relu(self.first(column)))
        x = self.second_norm(F.relu(self.second(x)))
        logits: Tensor = self.last(self.dropout(x))
        return logits


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


@torch.inference_mode()
def logit_bands(
    model: PixelNet,
    image: Tensor,
    *,
    band_rows: int = BAND_ROWS,
    slice_pixels: int = SLICE_PIXELS,
) -> Iterator[Tensor]:
    """Classify every pixel of one image as `PixelNet.forward` would, without any hypercolumn.

    The first layer is linear in the concatenated maps, and bilinear upsampling commutes with a 1 x
    1 convolution: each map is multiplied by its slice of the layer at its own resolution, and the
    products are upsampled and added. That leaves 8 % of the layer's arithmetic. Rows are worked off
    in bands, and VGG-16 sees large images in overlapping horizontal slices, so that memory stays
    bounded by `slice_pixels` plus the band.

    Parameters
    ----------
    model : PixelNet
        Used with the fixed statistics of its batch norms, whatever its mode.
    image : Tensor of shape (1, h, w)
        Gray values in [0, 1] after histogram equalisation; any height and width.
    band_rows : int
        Rows per band, a multiple of the model's stride.
    slice_pixels : int
        About how many pixels VGG-16 sees at a time. A slice is never lower than its halo, so that a
        very wide image takes more.

    Yields
    ------
    Tensor of shape (n_classes, rows, w)
        Logits of the next rows from the top, equal to those of the naive way up to rounding.
    """
    classifier = fold(model)
    height, width = image.shape[-2:]
    padded = pad_to_multiple(image.unsqueeze(0), model.features.stride)
    for top, bottom, origin, maps in _slices(model.features, padded, band_rows, slice_pixels):
        for start in range(top, min(bottom, height), band_rows):
            stop = min(start + band_rows, bottom)
            logits = _classify_band(classifier, maps, start - origin, stop - origin)
            yield logits[: height - start, :width].permute(2, 0, 1)


def _slices(
    vgg: VGG16, padded: Tensor, band_rows: int, slice_pixels: int
) -> Iterator[tuple[int, int, int, list[Tensor]]]:
    """Yield horizontal slices: first and last row that they serve, first row of their maps, maps.

    Convolution pads the cut edges with zeros, but only rows outside of those served see it.
    """
    height, width = padded.shape[-2:]
    rows = height
    if height * width > 2 * slice_pixels:
        rows = -(-max(slice_pixels // width, vgg.halo) // band_rows) * band_rows
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        origin = max(top - vgg.halo, 0)
        yield top, bottom, origin, vgg(padded[..., origin : bottom + vgg.halo, :])


def _classify_band(
    classifier: FoldedClassifier, maps: list[Tensor], start: int, stop: int
) -> Tensor:
    """Logits, of shape (stop - start, w, n_classes), of the rows of pixels from start to stop."""
    fine = maps[0][0, :, start:stop].permute(1, 2, 0)
    total = F.linear(fine, classifier.slices[0], classifier.first_bias)
    for level in range(1, len(maps)):
        stride = 2**level
        pixels = maps[level][0].permute(1, 2, 0)
        rows = _neighbours(start // stride, stop // stride, pixels.shape[0]).to(pixels.device)
        columns = _neighbours(0, pixels.shape[1], pixels.shape[1]).to(pixels.device)
        x = pixels[rows.unsqueeze(1), columns]
        product = F.linear(x, classifier.slices[level])
        tall = product.new_zeros((stop - start, *product.shape[1:]))
        _add_upsampled(tall, product, stride, dim=0)
        _add_upsampled(total, tall, stride, dim=1)
    x = F.linear(F.relu_(total), classifier.second, classifier.second_bias)
    return F.linear(F.relu_(x), classifier.last, classifier.last_bias)


def _neighbours(start: int, stop: int, size: int) -> Tensor:
    """Give indices from one before start to one after the last, at most the border's."""
    return torch.arange(start - 1, stop + 1).clamp(0, size - 1)


def _add_upsampled(total: Tensor, x: Tensor, stride: int, dim: int) -> None:
    """Add to an array another one, interpolated linearly along an axis to `stride` times its size.

    `x` has one entry more at either end. Each of the `stride` positions inside a coarse pixel is a
    fixed mixture of two neighbours: so a few strided additions do it, in place and at the speed of
    memory, where `torch.nn.functional.interpolate` takes 5 to 20 times as long on a CPU.
    """
    size = x.shape[dim] - 2
    for position in range(stride):
        place = (position + 0.5) / stride - 0.5
        left = 0 if place < 0 else 1
        weight = place % 1
        target = total.unflatten(dim, (size, stride)).select(dim + 1, position)
        target.add_(x.narrow(dim, left, size), alpha=1 - weight)
        target.add_(x.narrow(dim, left + 1, size), alpha=weight)
