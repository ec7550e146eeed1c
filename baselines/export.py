"""Write a trained model as an ONNX file, which `uhcs_bench.segmentation` runs without PyTorch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from baselines.training import checkpoint
from uhcs_bench.errors import UhcsBenchError, UsageError
from uhcs_bench.io import atomic
from uhcs_bench.io.atomic import replacing
from uhcs_bench.segmentation.onnx_model import Description

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import onnx

    from baselines.training.checkpoint import Checkpoint

MIN_HALF = 16
"""Constants of fewer numbers keep float32 when weights are stored as float16."""


def export(
    model_file: Path,
    out: Path,
    *,
    half: bool = False,
    about: Mapping[str, str] | None = None,
    max_bytes: int | None = None,
) -> Description:
    """Write a checkpoint's model as an ONNX file, atomically.

    Parameters
    ----------
    model_file : Path
        A checkpoint.
    out : Path
        The ONNX file.
    half : bool
        Store the weights as float16: half of the size. It is computed in float32 all the same.
    about : mapping of str
        More metadata for the file.
    max_bytes : int
        A larger file is not written.

    Returns
    -------
    Description
        What the file says of itself.

    Raises
    ------
    UsageError
        The name has another suffix.
    UhcsBenchError
        The checkpoint can't be used, its weights are beyond float16, the file would be too large,
        or a package is missing.
    """
    check(out)
    import onnx

    trained = checkpoint.load(model_file, torch.device("cpu"))
    description = describe(trained)
    graph = trained.model.to_onnx()
    forget_origin(graph)
    if half:
        store_as_half(graph.graph)
    onnx.helper.set_model_props(graph, {**description.to_metadata(), **(about or {})})
    onnx.checker.check_model(graph)
    atomic.make_folder(out.parent)
    with replacing(out) as partial:
        onnx.save(graph, partial)
        size = partial.stat().st_size
        if max_bytes is not None and size > max_bytes:
            raise UhcsBenchError(
                f"{out} was not written: it would have {size} bytes, more than the {max_bytes} "
                "that are allowed. Train a smaller network."
            )
    return description


def check(out: Path) -> None:
    """Check that a model can be exported to a file, before anything is computed for it.

    Raises
    ------
    UsageError
        The name has another suffix.
    UhcsBenchError
        A package is missing.
    """
    if out.suffix != ".onnx":
        raise UsageError(f"{out}: the name of an ONNX file ends in .onnx. Give such a name.")
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401 - PyTorch's exporter needs it
    except ImportError as error:
        raise UhcsBenchError(
            f"Exporting needs the package {error.name}. Install it with: "
            "pip install 'uhcs-bench[export]'"
        ) from error


def forget_origin(model: onnx.ModelProto) -> None:
    """Remove what PyTorch notes of each node's origin: stack traces with paths of this machine."""
    del model.graph.metadata_props[:]
    for node in (node for part in (model.graph, *model.functions) for node in part.node):
        del node.metadata_props[:]
        node.doc_string = ""


def store_as_half(graph: onnx.GraphProto) -> None:
    """Store float32 constants as float16, each with a node that gives it back as float32.

    Those of less than `MIN_HALF` numbers stay: they are sizes and scales, not weights.

    Raises
    ------
    UhcsBenchError
        Values are beyond float16's range.
    """
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < MIN_HALF:
            continue
        name = tensor.name
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise UhcsBenchError(
                f"The weights {name} have amounts up to {np.abs(values).max():g}, beyond the range "
                "of float16. Export the model with weights in float32."
            )
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def describe(trained: Checkpoint) -> Description:
    """Say how a checkpoint's model is to be used.

    VGG-16's mean and deviation are not among the steps: they are in the model.
    """
    model = trained.model
    return Description(
        classes=trained.classes,
        task=trained.task,
        preprocessing=replace(model.preprocessing, multiple=model.stride),
        halo=model.halo,
    )
