"""PixelNet as an ONNX graph, which classifies one band of rows after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from baselines.networks.folded_classifier import BAND_ROWS, FoldedClassifier, fold
from baselines.networks.onnx_graph import trace

if TYPE_CHECKING:
    import onnx
    from torch import Tensor

    from baselines.networks.pixelnet import PixelNet


def to_onnx(model: PixelNet) -> onnx.ModelProto:
    """Express a PixelNet as ONNX; see `baselines.networks.model.Model.to_onnx`."""
    names = [f"map{level}" for level in range(len(model.features.widths))]
    graph = trace(model.features, model.preprocessing.channels, model.stride, names)
    _classify_in_bands(graph.graph, model)
    return graph


def _classify_in_bands(graph: onnx.GraphProto, model: PixelNet) -> None:
    """Put PixelNet's classifier on top of the maps, as `pixelnet.logit_bands` applies it.

    The first hidden layer takes 4 KiB for each pixel, so that a whole micrograph's would fill
    gigabytes: a loop classifies one band of rows after the other.
    """
    from onnx import TensorProto, helper

    classifier = fold(model)
    n_classes = len(classifier.last_bias)
    nodes = _Nodes("bands")
    height = nodes.add("Shape", "image", start=2, end=3)
    width = nodes.add("Shape", "image", start=3, end=4)
    for level in range(len(classifier.slices)):
        rows = nodes.add("Shape", f"map{level}", start=2, end=3)
        nodes.add("Sub", rows, nodes.integers([1]), output=f"last_row{level}")
    padded = nodes.add("Add", height, nodes.integers([BAND_ROWS - 1]))
    count = nodes.add("Squeeze", nodes.add("Div", padded, nodes.integers([BAND_ROWS])))
    # Shape (bands, n_classes, rows of a band, width); the last band may reach below the image.
    bands = nodes.add("Loop", count, "", body=_band(classifier))
    shape = nodes.add("Concat", nodes.integers([1, n_classes, -1]), width, axis=0)
    whole = nodes.add("Reshape", nodes.add("Transpose", bands, perm=[1, 0, 2, 3]), shape)
    zero, rows_axis = nodes.integers([0]), nodes.integers([2])
    nodes.add("Slice", whole, zero, height, rows_axis, output="logits")
    graph.node.extend(nodes.nodes)
    graph.initializer.extend(nodes.constants)
    size = [axis.dim_param for axis in graph.input[0].type.tensor_type.shape.dim[2:]]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, n_classes, *size])
    del graph.output[:]
    graph.output.append(logits)


def _band(classifier: FoldedClassifier) -> onnx.GraphProto:
    """Make the body of the loop, which classifies the band of the number that it is given."""
    from onnx import TensorProto, helper

    nodes = _Nodes("band")
    first_row = nodes.add("Mul", "number", nodes.integers([BAND_ROWS]))
    fine = nodes.rows(first_row, level=0)
    total = nodes.convolve(fine, classifier.slices[0], classifier.first_bias)
    for level, weight in enumerate(classifier.slices[1:], start=1):
        stride = 2**level
        product = nodes.convolve(nodes.rows(first_row, level), weight)
        scales = nodes.floats(torch.tensor([1.0, 1.0, stride, stride]))
        tall = nodes.add("Resize", product, "", scales, mode="linear")
        ends = nodes.integers([stride]), nodes.integers([-stride])
        total = nodes.add("Add", total, nodes.add("Slice", tall, *ends, nodes.integers([2])))
    x = nodes.convolve(nodes.add("Relu", total), classifier.second, classifier.second_bias)
    logits = nodes.convolve(nodes.add("Relu", x), classifier.last, classifier.last_bias)
    nodes.add("Squeeze", logits, nodes.integers([0]), output="band_logits")
    nodes.add("Identity", "go_on", output="still_go_on")
    value = helper.make_tensor_value_info
    return helper.make_graph(
        nodes.nodes,
        "classify_band",
        [value("number", TensorProto.INT64, []), value("go_on", TensorProto.BOOL, [])],
        [
            value("still_go_on", TensorProto.BOOL, []),
            value("band_logits", TensorProto.FLOAT, None),
        ],
        nodes.constants,
    )


class _Nodes:
    """ONNX nodes in the order in which they compute, and the constants that they use."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node and give the name of its output."""
        from onnx import helper

        output = output or f"{self.prefix}_{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def rows(self, first_row: str, level: int) -> str:
        """Pick a band's rows from a map, and from a coarse one a neighbour at either end.

        Where the map ends its outermost row is repeated: there, interpolation keeps its value.
        """
        stride, around = 2**level, 1 if level else 0
        offsets = range(-around, BAND_ROWS // stride + around)
        start = self.add("Div", first_row, self.integers([stride]))
        wanted = self.add("Add", start, self.integers(list(offsets)))
        clipped = self.add("Max", wanted, self.integers([0]))
        clipped = self.add("Min", clipped, f"last_row{level}")
        return self.add("Gather", f"map{level}", clipped, axis=2)

    def convolve(self, pixels: str, weight: Tensor, bias: Tensor | None = None) -> str:
        """Add a 1 x 1 convolution."""
        kernel = self.floats(weight[..., None, None])
        return self.add("Conv", pixels, kernel, *([] if bias is None else [self.floats(bias)]))

    def floats(self, values: Tensor) -> str:
        """Add a float32 constant and give its name."""
        return self._constant(values.detach().float())

    def integers(self, values: list[int]) -> str:
        """Add an int64 constant and give its name."""
        return self._constant(torch.tensor(values))

    def _constant(self, values: Tensor) -> str:
        from onnx import numpy_helper

        name = f"{self.prefix}_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values.numpy(), name))
        return name
