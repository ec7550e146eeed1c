"""Write a trained model as an ONNX file, which `uhcs_bench.segmentation` runs without PyTorch."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

import uhcs_bench
from baselines import records
from baselines.training import checkpoint
from uhcs_bench import protocol
from uhcs_bench.errors import UhcsBenchError, UsageError
from uhcs_bench.io import atomic
from uhcs_bench.io.atomic import replacing
from uhcs_bench.io.texts import read_json
from uhcs_bench.segmentation.cards import ABOUT_KEY
from uhcs_bench.segmentation.onnx_model import Description

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import onnx

    from baselines.training.checkpoint import Checkpoint
    from uhcs_bench import Micrograph

MIN_HALF = 16
"""Constants of fewer numbers keep float32 when weights are stored as float16."""


def export(
    model_file: Path,
    out: Path,
    *,
    half: bool = False,
    about: Mapping[str, Any] | None = None,
    licence: str | None = None,
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
    about : mapping of str, optional
        What the model's card states, as JSON can hold it. By default what `origin` finds.
    licence : str, optional
        Of the model, for its card.
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
    card = dict(origin(model_file, trained.configuration.method) if about is None else about)
    if licence is not None:
        card["licence"] = licence
    metadata = {**description.to_metadata(), ABOUT_KEY: json.dumps(card)}
    onnx.helper.set_model_props(graph, metadata)
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


def origin(model_file: Path, method: str) -> dict[str, Any]:
    """Say what is on record of a checkpoint's training.

    Parameters
    ----------
    model_file : Path
        A checkpoint; the record of its fold, ``fold.json``, is looked for beside it.
    method : str

    Returns
    -------
    dict
        The method; and if there is a record, updates, seed, pretrained weights, data id, number of
        training micrographs with the range of their pixel sizes in micrometres, and the fold that
        was left out.
    """
    try:
        record = read_json(model_file.with_name(records.FILE_NAME))
        if record["schema"] != records.FOLD_SCHEMA or record["method"] != method:
            return {"method": method}
        split = record.get("split", protocol.PAPER_SPLIT)
        dataset = uhcs_bench.load(record["task"], version=record["dataset_version"], split=split)
        training = set(record["training"])
        return {
            "method": method,
            "updates": record["updates"],
            "seed": record["seed"],
            "weights": record["weights"],
            "data_id": dataset.data_id,
            "micrographs": len(training),
            "pixel_size_um": pixel_sizes(m for m in dataset if m.id in training),
            "fold_left_out": record["fold"],
        }
    except (OSError, ValueError, KeyError, TypeError):  # none, or a damaged one: nothing is known
        return {"method": method}


def pixel_sizes(micrographs: Iterable[Micrograph]) -> list[float] | None:
    """Give the smallest and the largest known pixel size in micrometres."""
    known = [m.pixel_size_um for m in micrographs if m.pixel_size_um is not None]
    return [min(known), max(known)] if known else None


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
