"""What training, prediction and export ask of a network, whichever it is."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import torch
from torch import nn

from baselines.hardware import lacks_avx512
from uhcs_bench.segmentation.equalization import Equalization
from uhcs_bench.segmentation.preprocessing import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx
    from torch import Generator, Tensor

    from baselines.configuration import Configuration

SLICE_PIXELS = 1 << 20
"""About how many pixels are segmented at a time; up to twice as many are seen at once."""


class Model(nn.Module):
    """A network that classifies the pixels of a micrograph.

    A subclass sets the attributes and `forward`; the methods below do for a network that classifies
    all pixels of an image at once. The module that holds it has a function ``build(configuration,
    n_classes)``, which gives a model and where its pretrained weights come from.

    Attributes
    ----------
    features : nn.Module
        The layers that have a learning rate of their own: the encoder.
    stride : int
        Stride of the coarsest feature map.
    halo : int
        Rows around a horizontal slice that its logits depend on.
    preprocessing : Preprocessing
        What is done to a micrograph before the network sees it; its border is not mirrored there.
    """

    features: nn.Module
    stride: int
    halo: int
    preprocessing = Preprocessing(equalize=Equalization())

    def training_logits(
        self, images: Tensor, labels: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Classify the pixels that an update learns from: here, all of them.

        Parameters
        ----------
        images : Tensor of float32, shape (n, channels, h, w)
        labels : Tensor of int64, shape (n, h, w)
        generator : torch.Generator
            For a choice of pixels; on the CPU.

        Returns
        -------
        logits : Tensor of shape (m, n_classes, ...)
        labels : Tensor of int64, shape (m, ...)
        """
        del generator
        return self(images), labels

    @torch.inference_mode()
    def logit_bands(self, image: Tensor, *, slice_pixels: int = SLICE_PIXELS) -> Iterator[Tensor]:
        """Classify every pixel of one image, large ones in overlapping horizontal slices.

        Parameters
        ----------
        image : Tensor of shape (channels, h, w)
            A prepared micrograph of any height and width; the model is in evaluation mode.
        slice_pixels : int
            About how many pixels are seen at a time. A slice is never lower than the halo.

        Yields
        ------
        Tensor of shape (n_classes, rows, w)
            Logits of the next rows from the top, equal to those of the whole image up to rounding.
        """
        height, width = image.shape[-2:]
        rows = height
        if height * width > 2 * slice_pixels:
            rows = -(-max(slice_pixels // width, self.halo) // self.halo) * self.halo
        for top in range(0, height, rows):
            origin = max(top - self.halo, 0)
            logits = self(image[:, origin : top + rows + self.halo].unsqueeze(0))[0]
            yield logits[:, top - origin : top - origin + rows]

    def to_onnx(self) -> onnx.ModelProto:
        """Express the model as ONNX, for one image whose sides are multiples of its stride.

        Returns
        -------
        onnx.ModelProto
            Its input is "image", of shape (1, channels, h, w), its output "logits", of shape
            (1, n_classes, h, w).
        """
        from baselines.networks.onnx_graph import trace

        return trace(self, self.preprocessing.channels, self.stride, ["logits"])


def build(configuration: Configuration, n_classes: int) -> tuple[Model, str | None]:
    """Make an untrained model.

    Parameters
    ----------
    configuration : Configuration
        Its `model` names the module of this package that knows how.
    n_classes : int

    Returns
    -------
    model : Model
    source : str or None
        Where the pretrained weights come from.

    Raises
    ------
    DataUnavailableError
        The weights can't be had.
    """
    model: Model
    model, source = import_module(f"baselines.networks.{configuration.model}").build(
        configuration, n_classes
    )
    return model, source


def placed(model: Model, device: torch.device) -> Model:
    """Move a model to a device, with its weights in the order that makes training fast there.

    Convolutions give their maps in the order of their weights. With channels last, a GPU and the
    bfloat16 kernels of a CPU are fast; without AVX-512, gradients of float32 weights take 2.3 to
    4.3 times as long in that order as with channels first (3 x 3 convolutions of maps of 112 and
    224 px on an AMD EPYC of the third generation, torch 2.14, one thread), and an update of
    `unet-efficientnet` 1.1 times.

    Parameters
    ----------
    model : Model
    device : torch.device

    Returns
    -------
    Model
        The same.
    """
    plain = device.type == "cpu" and lacks_avx512()
    order = torch.contiguous_format if plain else torch.channels_last
    return model.to(device).to(memory_format=order)
