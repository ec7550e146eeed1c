"""Trace a network as an ONNX graph whose image may have any height and width."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch

from uhcs_bench.errors import UhcsBenchError

if TYPE_CHECKING:
    import onnx
    from torch import nn

OPSET = 18
"""Version of the ONNX operators: what PyTorch's exporter writes natively, and all that is needed.
onnxruntime has known it since 1.14."""

_SAMPLE_BLOCKS = (3, 4)
"""Height and width of the image that the export traces, in multiples of the model's stride."""


def trace(model: nn.Module, channels: int, stride: int, outputs: list[str]) -> onnx.ModelProto:
    """Trace a module.

    Parameters
    ----------
    model : nn.Module
        In evaluation mode, on the CPU. It takes images whose height and width are multiples of
        `stride`.
    channels : int
        Of the images.
    stride : int
    outputs : list of str
        Names of what it returns.

    Returns
    -------
    onnx.ModelProto
        Its input is "image", of shape (1, channels, h, w).
    """
    height, width = (stride * blocks for blocks in _SAMPLE_BLOCKS)
    dimensions = {
        axis: stride * torch.export.Dim(name, min=1, max=1 << 16)
        for axis, name in ((2, "h"), (3, "w"))
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside PyTorch's own exporter
        program = torch.onnx.export(
            model,
            (torch.zeros(1, channels, height, width),),
            dynamo=True,
            dynamic_shapes=(dimensions,),
            input_names=["image"],
            output_names=outputs,
            opset_version=OPSET,
            verbose=False,
        )
    if program is None:  # pragma: no cover - only the exporter without dynamo gives None
        raise UhcsBenchError("PyTorch exported nothing.")
    graph: onnx.ModelProto = program.model_proto
    return graph
