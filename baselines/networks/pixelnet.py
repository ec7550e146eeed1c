"""PixelNet: a classifier on hypercolumns, trained on few pixels and applied to all of them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.networks.folded_classifier import BAND_ROWS, fold
from baselines.networks.model import SLICE_PIXELS, Model
from baselines.networks.vgg import VGG16, load_weights, pad_to_multiple, sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx
    from torch import Generator

    from baselines.configuration import Configuration
    from baselines.networks.folded_classifier import FoldedClassifier

MOMENTUM = 0.1
"""Weight of the newest batch in the running statistics of batch norm: PyTorch's default.

The authors' Keras default (0.01 in these terms) would leave 8 % of the initial value in them after
250 updates; with 0.1 nothing is left and about the last 20 updates, 80 views, count.
"""

GPU_BAND_ROWS = 512
"""The same on a GPU, where memory is ample and launches cost."""

CPU_TILES = 8
"""Tiles of 16 x 16 pixels that a CPU classifies at a time: 4 to 8 MiB of activations."""


class PixelNet(Model):
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
    pixels : int
        Pixels of each micrograph that an update learns from.

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
        self,
        n_classes: int,
        *,
        hidden: int = 1024,
        dropout: float = 0.1,
        fc7: bool = False,
        pixels: int = 2048,
    ) -> None:
        super().__init__()
        self.features: VGG16 = VGG16(fc7=fc7)
        self.stride, self.halo = self.features.stride, self.features.halo
        self.pixels = pixels
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

    def training_logits(
        self, images: Tensor, labels: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Classify pixels drawn at random; see `Model.training_logits`."""
        points = draw_pixels(labels.shape, self.pixels, generator).to(labels.device)
        return self(images, points), pick(labels, points)

    def logit_bands(self, image: Tensor, *, slice_pixels: int = SLICE_PIXELS) -> Iterator[Tensor]:
        """Classify every pixel of one image; see `Model.logit_bands`."""
        rows = BAND_ROWS if image.device.type == "cpu" else GPU_BAND_ROWS
        return logit_bands(self, image, band_rows=rows, slice_pixels=slice_pixels)

    def to_onnx(self) -> onnx.ModelProto:
        """Express the model as ONNX; see `Model.to_onnx`."""
        from baselines.networks.pixelnet_onnx import to_onnx

        return to_onnx(self)


def build(configuration: Configuration, n_classes: int) -> tuple[PixelNet, str | None]:
    """Make an untrained model; see `baselines.networks.model.build`."""
    model = PixelNet(n_classes, fc7=configuration.fc7, pixels=configuration.pixels)
    return model, load_weights(model.features, configuration.weights)


def draw_pixels(shape: torch.Size, count: int, generator: Generator) -> Tensor:
    """Row and column of pixels drawn uniformly with replacement, shape (n, count, 2)."""
    n, height, width = shape
    share = torch.rand(n, count, 2, generator=generator, dtype=torch.float64)
    return (share * torch.tensor([height, width])).long()


def pick(labels: Tensor, points: Tensor) -> Tensor:
    """Labels at pixels, shape (n * p,)."""
    n = torch.arange(len(labels), device=labels.device).unsqueeze(1)
    return labels[n, points[..., 0], points[..., 1]].flatten()


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
    """Logits, of shape (stop - start, w, n_classes), of the rows of pixels from start to stop.

    The band is cut into square tiles as wide as a pixel of the coarsest map. What the coarser maps
    add to a tile is always the same mixture, `_upsampling`, of their pixels at and around its
    place: one matrix product for each tile.
    """
    tile = 2 ** (len(maps) - 1)
    fine = maps[0][0, :, start:stop].permute(1, 2, 0)
    height, width = (size // tile for size in fine.shape[:2])
    inner = (
        fine.reshape(height, tile, width, tile, -1)
        .transpose(1, 2)
        .reshape(height * width, tile**2, -1)
    )
    around = _project_around(classifier, maps, start, stop).flatten(0, 1)
    mixture = _upsampling(tile).to(around)
    # One after the other, on a CPU, so that the activations stay in its cache.
    count = CPU_TILES if fine.device.type == "cpu" else len(inner)
    parts = zip(inner.split(count), around.split(count), strict=True)
    logits = torch.cat([_classify_tiles(classifier, mixture, *part) for part in parts])
    return logits.reshape(height, width, tile, tile, -1).transpose(1, 2).flatten(2, 3).flatten(0, 1)


def _project_around(
    classifier: FoldedClassifier, maps: list[Tensor], start: int, stop: int
) -> Tensor:
    """Project the coarser maps, and gather for each tile the pixels that `_upsampling` mixes.

    Shape (rows of tiles, columns of tiles, pixels at and around a tile, hidden).
    """
    tile = 2 ** (len(maps) - 1)
    windows = []
    for level in range(1, len(maps)):
        inside = tile >> level
        pixels = maps[level][0].permute(1, 2, 0)
        rows = _neighbours(start >> level, stop >> level, pixels.shape[0]).to(pixels.device)
        columns = _neighbours(0, pixels.shape[1], pixels.shape[1]).to(pixels.device)
        product = F.linear(pixels[rows.unsqueeze(1), columns], classifier.slices[level])
        views = product.unfold(0, inside + 2, inside).unfold(1, inside + 2, inside)
        windows.append(views.permute(0, 1, 3, 4, 2))
    counts = [window.shape[2] * window.shape[3] for window in windows]
    height, width, *_, hidden = windows[0].shape
    around = windows[0].new_empty(height, width, sum(counts), hidden)
    for part, window in zip(around.split(counts, dim=2), windows, strict=True):
        part.unflatten(2, window.shape[2:4]).copy_(window)
    return around


def _classify_tiles(
    classifier: FoldedClassifier, mixture: Tensor, inner: Tensor, around: Tensor
) -> Tensor:
    """Logits, of shape (tiles, tile^2, n_classes), from a tile's own pixels and those around it."""
    x = F.linear(inner, classifier.slices[0], classifier.first_bias)
    x.baddbmm_(mixture.expand(len(x), -1, -1), around)
    x = F.linear(F.relu_(x), classifier.second, classifier.second_bias)
    return F.linear(F.relu_(x), classifier.last, classifier.last_bias)


def _neighbours(start: int, stop: int, size: int) -> Tensor:
    """Give indices from one before start to one after the last, at most the border's."""
    return torch.arange(start - 1, stop + 1).clamp(0, size - 1)


@cache
def _upsampling(tile: int) -> Tensor:
    """Weights of bilinear upsampling from all coarser maps to the pixels of a square tile.

    Shape (tile^2, sum over the strides 2, 4, ..., tile of (tile / stride + 2)^2): a tile's own
    pixels of each map and those around it, row after row.
    """
    levels = []
    stride = 2
    while stride <= tile:
        place = (torch.arange(tile) + 0.5) / stride + 0.5
        axis = torch.zeros(tile, tile // stride + 2)
        left = place.floor().long().unsqueeze(1)
        share = place.unsqueeze(1) % 1
        axis.scatter_(1, left, 1 - share).scatter_add_(1, left + 1, share)
        levels.append(torch.kron(axis, axis))
        stride *= 2
    return torch.cat(levels, dim=1)
