"""The VGG-16 feature extractor that the baselines share, and its ImageNet weights."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import VGG16_Weights
from torchvision.models.vgg import cfgs, make_layers

from uhcs_bench.cli.common import echo
from uhcs_bench.data.download import settings
from uhcs_bench.errors import DataUnavailableError, UsageError
from uhcs_bench.io.hashes import file_sha256

WEIGHTS_VARIABLE = "UHCS_BENCH_VGG16"
"""Environment variable that names a local file with the weights of VGG-16."""

BLOCK_ENDS = (4, 9, 16, 23, 30)
"""Where conv1_2, 2_2, 3_3, 4_3 and 5_3 (each with its ReLU) end in torchvision's `features`."""

WIDTHS = (64, 128, 256, 512, 512)
"""Channels of conv1_2, 2_2, 3_3, 4_3 and 5_3."""

FC_WIDTH = 4096
"""Channels of fc6 and fc7."""

HALO = 128
"""Rows that a map of a horizontal slice needs above and below to equal that of the whole image.

The receptive field of conv5_3 reaches 98 pixels up and down; one more row of its own grid (16
pixels) serves the bilinear upsampling; 128 is the next multiple of 16 (and of fc7's 32).
"""

HALO_FC = 256
"""The same with fc7: 3 more rows of pool5 (96 pixels) each way and the coarser grid, rounded up."""

_MEAN = (0.485, 0.456, 0.406)
_SD = (0.229, 0.224, 0.225)


class VGG16(nn.Module):
    """The convolution layers of VGG-16 (Simonyan and Zisserman, configuration D) as a map pyramid.

    Map number k has the stride 2^k, and its pixel (i, j) is centred on the centre of the 2^k x 2^k
    input pixels that it stands for: pooling must not drop a row, so the input's height and width
    have to be multiples of `stride` (see `pad_to_multiple`).

    Parameters
    ----------
    fc7 : bool
        Add fc6 and fc7 as convolutions, a sixth map of stride 32. fc6 is padded ("same") so that
        the map stays registered; the authors' code left it unpadded and stretched the smaller map
        back.

    Attributes
    ----------
    widths : tuple of int
        Channels of each map.
    stride : int
        Stride of the coarsest map.
    halo : int
        Rows around a horizontal slice of the input that its maps depend on.
    """

    mean: Tensor
    sd: Tensor

    def __init__(self, *, fc7: bool = False) -> None:
        super().__init__()
        features = make_layers(cfgs["D"], batch_norm=False)
        starts = (0, *BLOCK_ENDS[:-1])
        self.blocks = nn.ModuleList(
            features[start:end] for start, end in zip(starts, BLOCK_ENDS, strict=True)
        )
        self.widths: tuple[int, ...] = WIDTHS
        self.stride, self.halo = 16, HALO
        if fc7:
            self.blocks.append(
                nn.Sequential(
                    nn.MaxPool2d(2),
                    nn.Conv2d(WIDTHS[-1], FC_WIDTH, 7, padding=3),
                    nn.ReLU(inplace=True),
                    nn.Conv2d(FC_WIDTH, FC_WIDTH, 1),
                    nn.ReLU(inplace=True),
                )
            )
            self.widths = (*WIDTHS, FC_WIDTH)
            self.stride, self.halo = 32, HALO_FC
        self.register_buffer("mean", torch.tensor(_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("sd", torch.tensor(_SD).view(3, 1, 1), persistent=False)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the maps.

        Parameters
        ----------
        images : Tensor of shape (n, 1, h, w)
            Gray values in [0, 1]; h and w are multiples of `stride`.

        Returns
        -------
        list of Tensor of shape (n, widths[k], h / 2^k, w / 2^k)
            Each map after its ReLU.
        """
        x = (images - self.mean) / self.sd
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return maps


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Mirror the bottom and right border until height and width are multiples of a number.

    Parameters
    ----------
    images : Tensor of shape (..., h, w)
    multiple : int

    Returns
    -------
    Tensor of shape (..., h', w')
        Works for any size: an image smaller than the padding is mirrored repeatedly.
    """
    for axis in (-2, -1):
        size = images.shape[axis]
        if size % multiple:
            padded = -(-size // multiple) * multiple
            place = torch.arange(padded, device=images.device) % (2 * size)
            images = images.index_select(axis, torch.minimum(place, 2 * size - 1 - place))
    return images


def load_weights(vgg: VGG16, weights: str) -> str | None:
    """Fill a VGG-16 with ImageNet weights.

    Parameters
    ----------
    vgg : VGG16
    weights : {"default", "none"}
        "default" reads the file that `UHCS_BENCH_VGG16` names (float16 or float32, keys
        `features.N.weight` and `features.N.bias`; fc7 also needs `classifier.0` and
        `classifier.3`), or else lets torchvision find or download its IMAGENET1K_V1. "none" keeps
        the random values.

    Returns
    -------
    str or None
        Where the weights come from, for the run's record: the sha256 of the file, or torchvision's
        name of them. None when nothing was loaded.

    Raises
    ------
    UsageError
        `weights` is neither "default" nor "none".
    DataUnavailableError
        The weights can't be had, or the file doesn't hold them.
    """
    if weights == "none":
        return None
    if weights != "default":
        raise UsageError(f'weights "{weights}" do not exist; choose "default" or "none".')
    name = os.environ.get(WEIGHTS_VARIABLE)
    state, source = _read_file(Path(name)) if name else _ask_torchvision()
    for number, (start, block) in enumerate(zip((0, *BLOCK_ENDS), vgg.blocks, strict=False)):
        layers = list(block.children())
        prefix, places = "features", list(range(start, start + len(layers)))
        if number == len(BLOCK_ENDS):
            prefix, places = "classifier", [-1, 0, 1, 3, 4]
        for layer, place in zip(layers, places, strict=True):
            if isinstance(layer, nn.Conv2d):
                _copy(layer, state, f"{prefix}.{place}", source)
    return source


def _read_file(path: Path) -> tuple[dict[str, Tensor], str]:
    try:
        digest = file_sha256(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise DataUnavailableError(
            f"{WEIGHTS_VARIABLE} names {path}, but no weights could be read from it "
            f"({type(error).__name__}: {str(error).partition(chr(10))[0]}). "
            "Name a file with the weights of torchvision's VGG-16, unset the variable to let "
            "torchvision download them, or train from scratch with --weights none."
        ) from error
    echo(f"VGG-16 weights: {path.name}, sha256 {digest}", err=True)
    return state, f"sha256:{digest}"


def _ask_torchvision() -> tuple[dict[str, Tensor], str]:
    named = Path(urlsplit(VGG16_Weights.IMAGENET1K_V1.url).path).name
    cached = Path(torch.hub.get_dir()) / "checkpoints" / named
    if settings.offline() and not cached.is_file():
        raise DataUnavailableError(
            f"The weights of VGG-16 are not at {cached}, and {settings.OFFLINE_VARIABLE} forbids "
            "to download them. Nothing was trained. Name a local file with them in the environment "
            f"variable {WEIGHTS_VARIABLE}, unset {settings.OFFLINE_VARIABLE}, or train from "
            "scratch with --weights none."
        )
    try:
        state = VGG16_Weights.IMAGENET1K_V1.get_state_dict(
            progress=sys.stderr.isatty(), check_hash=True, map_location="cpu"
        )
    except (OSError, RuntimeError) as error:
        raise DataUnavailableError(
            f"torchvision could not download the weights of VGG-16 ({error}). Either name a local "
            f"file with them in the environment variable {WEIGHTS_VARIABLE}, or run once where "
            "download.pytorch.org can be reached; or train from scratch with --weights none."
        ) from error
    return dict(state), "torchvision VGG16_Weights.IMAGENET1K_V1"


def _copy(layer: nn.Conv2d, state: dict[str, Tensor], key: str, source: str) -> None:
    for parameter, name in ((layer.weight, f"{key}.weight"), (layer.bias, f"{key}.bias")):
        if name not in state or parameter is None or state[name].numel() != parameter.numel():
            raise DataUnavailableError(
                f"The weights ({source}) have no usable {name}. Expected are those of "
                "torchvision's VGG-16. Only a model with fc7 needs the fully connected layers; "
                "--no-fc7 trains without it."
            )
        with torch.no_grad():
            parameter.copy_(state[name].float().view_as(parameter))


def sample(maps: list[Tensor], points: Tensor) -> Tensor:
    """Interpolate every map bilinearly at the same pixels: the sparse hypercolumn.

    The centre of pixel x of the image lies at (x + 1/2) / s - 1/2 of a map of stride s. Beyond the
    outermost pixel centres of a map its border's value holds.

    Parameters
    ----------
    maps : list of Tensor of shape (n, c_k, h_k, w_k)
        Map k has the stride 2^k.
    points : Tensor of int64, shape (n, p, 2)
        Row and column of the pixels in the padded image.

    Returns
    -------
    Tensor of shape (n * p, sum of c_k)
    """
    return torch.cat([_sample_map(x, points, 2**level) for level, x in enumerate(maps)], dim=1)


def _sample_map(x: Tensor, points: Tensor, stride: int) -> Tensor:
    # Each sample is a weighted sum over a bag of four pixels, whole rows of channels. Unlike
    # `grid_sample`, forward and backward pass then keep the channels-last layout, without which
    # batch norm's backward pass takes 20 times as long; and one bag fills one gradient map, where
    # four separate gathers fill four and add them.
    n, channels, height, width = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(-1, channels)
    first = torch.arange(n, device=x.device).unsqueeze(1) * height
    corners = [
        ((first + row) * width + column, row_share * column_share)
        for row, row_share in _bracket(points[..., 0], stride, height)
        for column, column_share in _bracket(points[..., 1], stride, width)
    ]
    places = torch.stack([place for place, _ in corners], dim=-1).flatten(0, 1)
    shares = torch.stack([share for _, share in corners], dim=-1).flatten(0, 1)
    return F.embedding_bag(places, pixels, per_sample_weights=shares.to(x.dtype), mode="sum")


def _bracket(pixel: Tensor, stride: int, size: int) -> list[tuple[Tensor, Tensor]]:
    """Find the two places of a map that bracket a pixel along one axis, each with its weight."""
    place = (pixel + 0.5) / stride - 0.5
    low = place.floor()
    above = place - low
    return [
        (index.long().clamp(0, size - 1), weight)
        for index, weight in ((low, 1 - above), (low + 1, above))
    ]
