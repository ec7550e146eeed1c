"""U-Net with batch norm, its contracting path plain or VGG-16's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from baselines.networks.model import Model
from baselines.networks.vgg import VGG16, load_weights, pad_to_multiple

if TYPE_CHECKING:
    from baselines.configuration import Configuration

WIDTHS = (32, 64, 128, 256, 512)
"""Channels from the finest level to the coarsest: half of Ronneberger et al.'s (neither paper nor
code says), so that a run takes minutes on a CPU."""

HALO = 192
"""Rows around a horizontal slice that its logits depend on, rounded up to a multiple of 32.

Contracting path 98 pixels at most (VGG-16), expanding path 2 x (8 + 4 + 2 + 1), transposed
convolutions 15.
"""


class PlainEncoder(nn.Module):
    """Pairs of 3 x 3 convolutions with max pooling in between, trained from scratch.

    Attributes
    ----------
    widths : tuple of int
        Channels of each map; map number k has the stride 2^k.
    stride : int
        Stride of the coarsest map.
    """

    def __init__(self) -> None:
        super().__init__()
        self.widths: tuple[int, ...] = WIDTHS
        self.stride = 16
        self.blocks = nn.ModuleList(
            double_convolution(before, width)
            for before, width in zip((1, *WIDTHS), WIDTHS, strict=False)
        )
        self.pool = nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the maps, as `VGG16.forward` does."""
        x, maps = images, []
        for level, block in enumerate(self.blocks):
            x = block(self.pool(x) if level else x)
            maps.append(x)
        return maps


class UNet(Model):
    """U-Net (Ronneberger et al. 2015) with padded convolutions and batch norm before each ReLU.

    Parameters
    ----------
    n_classes : int
    encoder : {"plain", "vgg"}
        "vgg" takes the five maps of VGG-16, each batch-normalised, as PixelNet does; those of the
        plain path have a batch norm before their ReLU already.
    """

    def __init__(self, n_classes: int, *, encoder: str = "plain") -> None:
        super().__init__()
        self.features: PlainEncoder | VGG16 = PlainEncoder() if encoder == "plain" else VGG16()
        self.stride, self.halo = self.features.stride, HALO
        widths = self.features.widths
        self.norms = nn.ModuleList(
            nn.Identity() if encoder == "plain" else nn.BatchNorm2d(width) for width in widths
        )
        self.ups = nn.ModuleList()
        self.merges = nn.ModuleList()
        below = widths[-1]
        for width, skip in zip(reversed(WIDTHS[:-1]), reversed(widths[:-1]), strict=True):
            self.ups.append(nn.ConvTranspose2d(below, width, 2, stride=2))
            self.merges.append(double_convolution(width + skip, width))
            below = width
        self.last = nn.Conv2d(below, n_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Classify every pixel.

        Parameters
        ----------
        images : Tensor of float32, shape (n, 1, h, w)
            Gray values in [0, 1] after histogram equalisation; any height and width.

        Returns
        -------
        Tensor of shape (n, n_classes, h, w)
            Logits.
        """
        maps = self.features(pad_to_multiple(images, self.features.stride))
        *skips, x = [norm(x) for norm, x in zip(self.norms, maps, strict=True)]
        for up, merge in zip(self.ups, self.merges, strict=True):
            x = merge(torch.cat([up(x), skips.pop()], dim=1))
        logits: Tensor = self.last(x)
        return logits[..., : images.shape[-2], : images.shape[-1]]


def double_convolution(before: int, width: int) -> nn.Sequential:
    """Two 3 x 3 convolutions, each with batch norm and ReLU."""
    layers: list[nn.Module] = []
    for inputs in (before, width):
        layers += [
            nn.Conv2d(inputs, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def build(configuration: Configuration, n_classes: int) -> tuple[UNet, str | None]:
    """Make an untrained model; see `baselines.networks.model.build`."""
    model = UNet(n_classes, encoder=configuration.encoder)
    if isinstance(model.features, VGG16):
        return model, load_weights(model.features, configuration.weights)
    return model, None
