"""Random views of annotated micrographs: rotation, mirroring, scaling, shift of brightness."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log, pi
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Views:
    """How a batch of views is cut out of full micrographs.

    Attributes
    ----------
    angle : Tensor of shape (n,)
        Rotation in radians.
    scale : Tensor of shape (n,)
        Magnification; 2 shows half of the height and width.
    flip : Tensor of shape (n, 2)
        +1, or -1 to mirror rows or columns.
    offset : Tensor of shape (n, 2)
        Row and column, in the transformed full-size micrograph, of the view's first pixel.
    shift : Tensor of shape (n,)
        Added to the gray values.
    gain : Tensor of shape (n,) or None
        What the gray values are multiplied by before.
    noise : Tensor of shape (n, 1, h', w') or None
        Added to the gray values, the same to all planes.
    """

    angle: Tensor
    scale: Tensor
    flip: Tensor
    offset: Tensor
    shift: Tensor
    gain: Tensor | None = None
    noise: Tensor | None = None


def draw(n: int, shape: tuple[int, int], crop: int | None, generator: Generator) -> Views:
    """Draw views as the paper does.

    Parameters
    ----------
    n : int
        How many.
    shape : tuple of int
        Height and width of the micrographs in pixels.
    crop : int or None
        Height and width of the views; None for those of the micrographs. A crop is a random window
        of the transformed micrograph.
    generator : torch.Generator
        On the CPU, so that a seed means the same on every device.

    Returns
    -------
    Views
        Rotation uniform in [0, 2 pi), mirroring of either axis with probability 1/2 (paper and
        code). Shift uniform in +-0.05, the paper's text: in the authors' code a slip of operator
        precedence made it +-131 gray levels. Scale 1 / uniform in [0.5, 1.5], the authors' code
        (but the same for both axes): the text says [1, 2], which would show the model nothing but
        magnified views, while it has to segment micrographs at their own scale.
    """

    def uniform(*size: int) -> Tensor:
        return torch.rand(*size, generator=generator)

    height, width = output_shape(shape, crop)
    room = torch.tensor([shape[0] - height + 1, shape[1] - width + 1])
    return Views(
        angle=2 * pi * uniform(n),
        scale=1 / (0.5 + uniform(n)),
        flip=1 - 2 * (uniform(n, 2) < 0.5).float(),
        offset=(uniform(n, 2) * room).floor(),
        shift=0.1 * uniform(n) - 0.05,
    )


def draw_text(n: int, shape: tuple[int, int], crop: int | None, generator: Generator) -> Views:
    """Draw views as the paper's text has them: scale uniform in [1, 2], all else as `draw`.

    Parameters and result are those of `draw`.
    """
    views = draw(n, shape, crop, generator)
    return replace(views, scale=1 + torch.rand(n, generator=generator))


def draw_strong(n: int, shape: tuple[int, int], crop: int | None, generator: Generator) -> Views:
    """Draw views that also differ in contrast and noise, of planes with a deviation of about 1.

    Parameters and result are those of `draw`.

    Notes
    -----
    Rotation and mirroring as in `draw`. Scale from 0.7 to 1.6 and contrast from 0.8 to 1.25, both
    uniform in their logarithm, so that up and down are as likely; shift uniform in +-0.2; white
    noise of a deviation uniform in [0, 0.1].
    """

    def uniform(low: float, high: float, *size: int) -> Tensor:
        return low + (high - low) * torch.rand(*size, generator=generator)

    height, width = output_shape(shape, crop)
    room = torch.tensor([shape[0] - height + 1, shape[1] - width + 1])
    return Views(
        angle=uniform(0, 2 * pi, n),
        scale=uniform(log(0.7), log(1.6), n).exp(),
        flip=1 - 2 * (uniform(0, 1, n, 2) < 0.5).float(),
        offset=(uniform(0, 1, n, 2) * room).floor(),
        shift=uniform(-0.2, 0.2, n),
        gain=uniform(log(0.8), log(1.25), n).exp(),
        noise=uniform(0, 0.1, n, 1, 1, 1) * torch.randn(n, 1, height, width, generator=generator),
    )


DRAW: dict[str, Callable[[int, tuple[int, int], int | None, Generator], Views]] = {
    "paper": draw,
    "text": draw_text,
    "strong": draw_strong,
}
"""The ways to draw views, by the name that `Configuration.augmentation` has for them."""


def output_shape(shape: tuple[int, int], crop: int | None) -> tuple[int, int]:
    """Height and width of the views of micrographs of a shape, at most those of the latter."""
    return shape if crop is None else (min(crop, shape[0]), min(crop, shape[1]))


def warp(
    images: Tensor, labels: Tensor, views: Views, crop: int | None = None
) -> tuple[Tensor, Tensor]:
    """Cut views out of micrographs and their label maps, both at the same places.

    Beyond the border the micrograph is mirrored. Images are interpolated bilinearly, labels take
    the nearest pixel, both as in the paper.

    Parameters
    ----------
    images : Tensor of float32, shape (n, c, h, w)
        Planes of gray values.
    labels : Tensor of uint8, shape (n, h, w)
    views : Views
    crop : int or None
        As given to `draw`.

    Returns
    -------
    images : Tensor of float32, shape (n, c, h', w')
        Not clipped: the shift may leave the range of the gray values.
    labels : Tensor of int64, shape (n, h', w')
    """
    grid = _grid(views, (images.shape[-2], images.shape[-1]), crop, images.device)
    seen = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    if views.gain is not None:
        seen = seen * views.gain.to(images.device).view(-1, 1, 1, 1)
    seen = seen + views.shift.to(images.device).view(-1, 1, 1, 1)
    if views.noise is not None:
        seen = seen + views.noise.to(images.device)
    named = F.grid_sample(
        labels.unsqueeze(1).float(),
        grid,
        mode="nearest",
        padding_mode="reflection",
        align_corners=False,
    )
    return seen, named.squeeze(1).long()


def _grid(views: Views, shape: tuple[int, int], crop: int | None, device: torch.device) -> Tensor:
    """Where each pixel of the views lies in its micrograph, in the units of `grid_sample`."""
    height, width = output_shape(shape, crop)
    centre = torch.tensor([(shape[0] - 1) / 2, (shape[1] - 1) / 2], device=device)
    rows, columns = torch.meshgrid(
        torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
    )
    place = torch.stack([rows, columns], dim=-1) + views.offset.to(device).view(-1, 1, 1, 2)
    place = (place - centre) * views.flip.to(device).view(-1, 1, 1, 2)
    cos = (views.angle.cos() / views.scale).to(device).view(-1, 1, 1)
    sin = (views.angle.sin() / views.scale).to(device).view(-1, 1, 1)
    row = cos * place[..., 0] - sin * place[..., 1] + centre[0]
    column = sin * place[..., 0] + cos * place[..., 1] + centre[1]
    return torch.stack([(2 * column + 1) / shape[1] - 1, (2 * row + 1) / shape[0] - 1], dim=-1)
