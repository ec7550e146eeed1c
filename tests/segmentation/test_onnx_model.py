"""Segmenting with ONNX files, made here by hand so that numpy knows the answer."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import scipy.ndimage
from skimage.measure import block_reduce

from uhcs_bench.errors import MissingPackageError, UsageError
from uhcs_bench.segmentation import equalization, onnx_model
from uhcs_bench.segmentation.equalization import Equalization
from uhcs_bench.segmentation.onnx_model import Description, SegmenterError
from uhcs_bench.segmentation.preprocessing import Preprocessing

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

THRESHOLD = 99.5
CLASSES = ("matrix", "particle")
RAW = Preprocessing(scale="none")
IMAGE = np.random.default_rng(5).integers(0, 200, (37, 53)).astype(np.uint8)
FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


def constant(name, values, dtype=np.float32):
    return onnx.numpy_helper.from_array(np.asarray(values, dtype), name)


def node(operator, *names, **attributes):
    *inputs, output = names
    return onnx.helper.make_node(operator, inputs, [output], **attributes)


@pytest.fixture
def write(tmp_path):
    """Write an ONNX file with the given nodes between "image" and "out"."""

    def make(
        nodes,
        constants=(),
        *,
        metadata=None,
        kind=FLOAT,
        shape=(1, 2, "h", "w"),
        input_kind=FLOAT,
        input_shape=(1, 1, "h", "w"),
        more_inputs=(),
    ):
        value = onnx.helper.make_tensor_value_info
        inputs = [value("image", input_kind, input_shape)]
        inputs += [value(name, FLOAT, (1,)) for name in more_inputs]
        graph = onnx.helper.make_graph(
            nodes, "test", inputs, [value("out", kind, shape)], list(constants)
        )
        model = onnx.helper.make_model(
            graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8
        )
        if metadata is None:
            metadata = Description(classes=CLASSES, preprocessing=RAW).to_metadata()
        onnx.helper.set_model_props(model, metadata)
        path = tmp_path / "model.onnx"
        onnx.save(model, path)
        return path

    return make


@pytest.fixture
def threshold(write):
    """Write a network whose logits say "brighter than THRESHOLD"; mean of a window if it has one.

    The first channel of the input decides.
    """

    def make(*, window=1, channels=1, threshold=THRESHOLD, **arguments):
        kernel = np.zeros((2, channels, window, window))
        kernel[0, 0], kernel[1, 0] = -1 / window**2, 1 / window**2
        constants = [constant("kernel", kernel), constant("bias", [threshold, -threshold])]
        conv = node("Conv", "image", "kernel", "bias", "out", pads=[window // 2] * 4)
        return write([conv], constants, **{"input_shape": (1, channels, "h", "w"), **arguments})

    return make


@pytest.mark.parametrize("shape", [(37, 53), (1, 1), (3, 200), (200, 2)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_logits(threshold, shape, dtype):
    """Check a network that compares with a threshold, at any size and depth."""
    image = np.random.default_rng(1).integers(0, 200, shape).astype(dtype)
    labels = onnx_model.load(threshold()).segment(image)
    assert labels.dtype == np.uint8
    assert labels.flags.c_contiguous
    np.testing.assert_array_equal(labels, image > THRESHOLD)


def test_three_equal_channels(threshold):
    """Check that a gray RGB image is segmented as the gray one."""
    labels = onnx_model.load(threshold()).segment(np.stack([IMAGE] * 3, axis=-1))
    np.testing.assert_array_equal(labels, IMAGE > THRESHOLD)


@pytest.mark.parametrize("kind", ["INT64", "UINT8"])
def test_label_maps(write, kind):
    """Check a network that gives labels instead of logits."""
    target = getattr(onnx.TensorProto, kind)
    nodes = [
        node("Greater", "image", "threshold", "brighter"),
        node("Cast", "brighter", "labels", to=target),
        node("Squeeze", "labels", "axis", "out"),
    ]
    constants = [constant("threshold", THRESHOLD), constant("axis", [1], np.int64)]
    path = write(nodes, constants, kind=target, shape=(1, "h", "w"))
    np.testing.assert_array_equal(onnx_model.load(path).segment(IMAGE), IMAGE > THRESHOLD)


@pytest.mark.parametrize("kind", ["FLOAT16", "DOUBLE"])
def test_other_floats(write, kind):
    """Check networks that compute in half and in double precision."""
    nodes = [
        node("Sub", "image", "threshold", "above"),
        node("Neg", "above", "below"),
        node("Concat", "below", "above", "out", axis=1),
    ]
    dtype = {"FLOAT16": np.float16, "DOUBLE": np.float64}[kind]
    constants = [constant("threshold", THRESHOLD, dtype)]
    path = write(
        nodes, constants, kind=getattr(onnx.TensorProto, kind),
        input_kind=getattr(onnx.TensorProto, kind),
    )  # fmt: skip
    np.testing.assert_array_equal(onnx_model.load(path).segment(IMAGE), IMAGE > THRESHOLD)


def test_preprocessing_is_read_from_the_file(threshold):
    """Check three channels, each with its own mean and deviation."""
    steps = Preprocessing(scale="dtype", channels=3, mean=(0.2, 9.0, 9.0), sd=(0.5, 1.0, 1.0))
    metadata = Description(classes=CLASSES, preprocessing=steps).to_metadata()
    path = threshold(channels=3, threshold=0.3, metadata=metadata)
    loaded = onnx_model.load(path)
    assert loaded.preprocessing == steps
    np.testing.assert_array_equal(loaded.segment(IMAGE), IMAGE / 255 > 0.3 * 0.5 + 0.2)


@pytest.fixture
def coarse(write):
    """Write a network that averages blocks of 4 x 4, so that sizes must be multiples of 4."""

    def make(multiple):
        nodes = [
            node("AveragePool", "image", "mean", kernel_shape=[4, 4], strides=[4, 4]),
            node("Resize", "mean", "", "scales", "fine", mode="nearest"),
            node("Sub", "fine", "threshold", "above"),
            node("Neg", "above", "below"),
            node("Concat", "below", "above", "out", axis=1),
        ]
        constants = [constant("scales", [1, 1, 4, 4]), constant("threshold", 100.01)]
        steps = Preprocessing(scale="none", multiple=multiple)
        metadata = Description(classes=CLASSES, preprocessing=steps).to_metadata()
        return write(nodes, constants, metadata=metadata)

    return make


def test_padding(coarse):
    """Check a network with a stride on an image whose size is no multiple of it."""
    padded = np.pad(IMAGE.astype(float), ((0, 3), (0, 3)), mode="symmetric")
    means = block_reduce(padded, (4, 4), np.mean)
    expected = np.kron(means > 100.01, np.ones((4, 4)))[:37, :53]
    np.testing.assert_array_equal(onnx_model.load(coarse(4)).segment(IMAGE), expected)


def test_an_output_of_another_size(coarse):
    """Check that a forgotten multiple is told, not cropped or stretched away."""
    with pytest.raises(SegmenterError, match=r"shape \(1, 2, 36, 52\).*\(1, 2, 37, 53\)"):
        onnx_model.load(coarse(1)).segment(IMAGE)


def test_tiles_equal_the_whole(threshold, monkeypatch):
    """Check large images, cut up with the halo that the file states; without one they differ."""
    expected = scipy.ndimage.uniform_filter(IMAGE.astype(float), 9, mode="constant") > 99.1
    monkeypatch.setattr(onnx_model, "TILE_SIDE", 14)
    monkeypatch.setattr(onnx_model, "WHOLE_PIXELS", 100)
    wrong = {}
    for halo in (None, 0, 3, 4, 5, 100):
        steps = Preprocessing(scale="none", multiple=3 if halo == 4 else 1)
        metadata = Description(classes=CLASSES, preprocessing=steps, halo=halo).to_metadata()
        path = threshold(window=9, threshold=99.1, metadata=metadata)
        labels = onnx_model.load(path).segment(IMAGE)
        # The border of a padded image differs from the filter's.
        wrong[halo] = (labels != expected)[:32, :48].sum()
    assert wrong[0] > wrong[3] > 0
    assert not any(wrong[halo] for halo in (None, 4, 5, 100))


@pytest.mark.parametrize("size", [(64, 96), (33, 500), (1024, 1040), (2000, 2512)])
@pytest.mark.parametrize("halo", [0, 16, 256])
def test_tiles_have_one_shape_and_cover_the_image_once(size, halo, monkeypatch):
    """Check that each has its halo, as far as the image goes."""
    monkeypatch.setattr(onnx_model, "WHOLE_PIXELS", 1000)
    covered = np.zeros(size, int)
    shapes = set()
    for tile in onnx_model._tiles(size, 1, halo):
        covered[tile.rows, tile.columns] += 1
        shapes.add((tile.outer_rows.stop - tile.outer_rows.start,
                    tile.outer_columns.stop - tile.outer_columns.start))  # fmt: skip
        for inner, outer, part, side in (
            (tile.inner_rows, tile.outer_rows, tile.rows, size[0]),
            (tile.inner_columns, tile.outer_columns, tile.columns, size[1]),
        ):
            assert outer.start + inner.start == part.start
            assert outer.start <= max(part.start - halo, 0)
            assert min(part.stop + halo, side) <= outer.stop <= side
    assert (covered == 1).all()
    assert len(shapes) == 1


@pytest.mark.slow
def test_memory_does_not_grow_with_the_micrograph(threshold, monkeypatch):
    """Check that four times the pixels take their label map more, and nothing else."""
    monkeypatch.setattr(onnx_model, "TILE_SIDE", 128)
    monkeypatch.setattr(onnx_model, "WHOLE_PIXELS", 1000)
    monkeypatch.setattr(equalization, "BAND_PIXELS", 1 << 14)
    steps = Preprocessing(
        equalize=Equalization(),
        channels=3,
        planes=("standardised", "equalized", "standardised"),
        mean=(0.0,) * 3,
        sd=(1.0,) * 3,
        multiple=16,
    )
    metadata = Description(classes=CLASSES, preprocessing=steps, halo=16).to_metadata()
    model = onnx_model.load(threshold(channels=3, threshold=0.5, metadata=metadata), threads=1)
    peaks, sizes = [], []
    for side in (500, 500, 1000):  # the first one imports
        image = np.random.default_rng(0).integers(0, 200, (side, side), np.uint8)
        tracemalloc.start()
        model.segment(image)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        sizes.append(image.size)
    grown, more = peaks[2] - peaks[1], sizes[2] - sizes[1]
    assert 0.9 * more < grown < 1.2 * more


def test_pickling(threshold):
    """Check that a segmenter can be sent to another process."""
    loaded = onnx_model.load(threshold(), threads=1)
    copy = pickle.loads(pickle.dumps(loaded))
    assert copy.description == loaded.description
    np.testing.assert_array_equal(copy.segment(IMAGE), IMAGE > THRESHOLD)


def test_no_onnxruntime_at_import():
    """Check that the module itself is light, and knows nothing of the baselines."""
    code = (
        "import sys, uhcs_bench.segmentation.onnx_model\n"
        "assert not {'onnxruntime', 'onnx', 'torch', 'skimage', 'baselines'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_extra(threshold, monkeypatch):
    """Check that the message names the extra."""
    path = threshold()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'uhcs-bench\[measure\]'"):
        onnx_model.load(path)


def test_a_missing_file(tmp_path):
    """Check the message."""
    with pytest.raises(SegmenterError, match=r"There is no model .*none\.onnx"):
        onnx_model.load(tmp_path / "none.onnx")


@pytest.mark.parametrize("content", [b"", b"no model" * 99, b"\x08\x07", b"PK\x03\x04"])
def test_files_that_are_no_model(content, tmp_path, capfd):
    """Check that the file is named, and that nothing else is written."""
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(SegmenterError, match=r"model\.onnx is no ONNX model"):
        onnx_model.load(path)
    assert capfd.readouterr() == ("", "")


def test_missing_metadata(threshold):
    """Check that all keys are named, and that the remedy in the message works as it stands."""
    path = threshold(metadata={"other": "1"})
    with pytest.raises(SegmenterError) as caught:
        onnx_model.load(path)
    message = str(caught.value)
    for key in ("schema", "classes", "preprocessing"):
        assert f"- uhcs_bench.{key} is missing." in message
    assert "uhcs_bench.halo is missing" not in message
    code = "".join(line + "\n" for line in message.splitlines() if line.startswith("    "))
    code = "\n".join(line.removeprefix("    ") for line in code.splitlines())
    subprocess.run([sys.executable, "-c", code], check=True, cwd=path.parent)
    loaded = onnx_model.load(path)
    assert (loaded.task, loaded.classes) == ("particles", CLASSES)


def changed(**values):
    metadata = Description(classes=CLASSES, task="particles", preprocessing=RAW).to_metadata()
    return {**metadata, **{f"uhcs_bench.{key}": value for key, value in values.items()}}


@pytest.mark.parametrize(
    ("metadata", "problems"),
    [
        (changed(schema="uhcs-bench/segmenter/9"), ["schema: it is 'uhcs-bench/segmenter/9'"]),
        (changed(classes="matrix, particle"), ["classes: it is no JSON"]),
        (changed(classes='["a"]'), ["classes: it is [\"a\"], not a list of 2"]),
        (changed(classes='["a", "a"]'), ["different names"]),
        (changed(classes='{"a": 1}'), ["different names"]),
        (changed(classes=json.dumps([str(n) for n in range(257)])), ["different names"]),
        (changed(task="grains"), ["task: There is no task 'grains'"]),
        (changed(task=""), ["task: There is no task ''. The tasks are"]),
        (changed(halo="9" * 5000), ["halo: it is '999999999999...9999999999999', not a number"]),
        (changed(halo="65537"), ["halo: it is '65537', not a number of pixels from 0 to 65536"]),
        (changed(task="uhcs"), ["are not the classes of the task microconstituents"]),
        (changed(preprocessing="[]"), ["preprocessing: it is [], not an object"]),
        (changed(preprocessing='{"scale": 1}', halo="-1"), ["scale is 1", "halo: it is '-1'"]),
    ],
)  # fmt: skip
def test_metadata_that_make_no_sense(threshold, metadata, problems):
    """Check that each key is named with its problem."""
    with pytest.raises(SegmenterError) as caught:
        onnx_model.load(threshold(metadata=metadata))
    assert str(caught.value).count("\n  - ") == len(problems)
    for problem in problems:
        assert problem in str(caught.value)
    assert ".." not in str(caught.value).replace("...", "")
    assert "set_int_max_str_digits" not in str(caught.value)


@pytest.mark.parametrize("about", ["{", "[]", '{"score": 1}'])
def test_damaged_statements_about_a_model_are_refused(threshold, about):
    """Check the optional key as the others: without it nothing is stated, damaged it is named."""
    with pytest.raises(SegmenterError, match=r"uhcs_bench\.about: .*\.\n") as caught:
        onnx_model.load(threshold(metadata=changed(about=about)))
    assert "Write the key again, or take it out" in str(caught.value)
    assert onnx_model.load(threshold(metadata=changed(about='{"method": "m"}'))).card.method == "m"


def test_an_alias_of_the_task(threshold):
    """Check that a task is known by the deposit's name, too."""
    assert onnx_model.load(threshold(metadata=changed(task="spheroidite"))).task == "particles"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_kind": INT64, "nodes": "cast"}, r"'image' takes tensor\(int64\)"),
        ({"input_shape": ("h", "w"), "nodes": "free"}, r"'image' has the shape \(h, w\), not"),
        ({"input_shape": (1, 3, "h", "w"), "nodes": "free"}, r"\(1, 3, h, w\), not \(1, 1, h, w\)"),
        ({"input_shape": (8, 1, "h", "w"), "nodes": "free"}, r"\(8, 1, h, w\), not \(1, 1, h, w\)"),
        ({"shape": (1, 3, "h", "w"), "nodes": "free"}, r"'out' holds floats of shape \(1, 3, "),
        ({"shape": (1, "h", "w"), "nodes": "free"}, r"'out' holds floats of shape \(1, h, "),
        ({"more_inputs": ("size",), "nodes": "free"}, r"2 inputs \('image', 'size'\), not one"),
    ],
)
def test_models_with_another_interface(write, arguments, message):
    """Check that shapes and types that can't fit are told before any image is read."""
    arguments = dict(arguments)
    nodes = {
        "cast": [node("Cast", "image", "out", to=FLOAT)],
        # An operator whose result has a shape that nobody can infer.
        "free": [
            node("NonZero", "image", "places"),
            node("Cast", "places", "values", to=FLOAT),
            node("Reshape", "values", "new", "out"),
        ],
    }[arguments.pop("nodes")]
    constants = [constant("new", [1, -1, 1, 1][: len(arguments.get("shape", "1234"))], np.int64)]
    with pytest.raises(SegmenterError, match=message):
        onnx_model.load(write(nodes, constants, **arguments))


def test_more_classes_than_stated(threshold):
    """Check a network whose number of classes shows only when it runs."""
    names = [f"class {number}" for number in range(3)]
    metadata = Description(classes=tuple(names), preprocessing=RAW).to_metadata()
    path = threshold(metadata=metadata, shape=(1, "c", "h", "w"))
    with pytest.raises(SegmenterError, match=r"shape \(1, 2, .*for its 3 classes"):
        onnx_model.load(path).segment(IMAGE)


@pytest.mark.parametrize("values", [[1, 2], [-1, 0]])
def test_labels_that_no_class_has(write, values):
    """Check that a label map with too large or negative labels is refused."""
    nodes = [
        node("Greater", "image", "threshold", "brighter"),
        node("Where", "brighter", "high", "low", "labels"),
        node("Squeeze", "labels", "axis", "out"),
    ]
    constants = [
        constant("threshold", THRESHOLD), constant("axis", [1], np.int64),
        constant("low", values[0], np.int64), constant("high", values[1], np.int64),
    ]  # fmt: skip
    path = write(nodes, constants, kind=INT64, shape=(1, "h", "w"))
    wrong = 2 if 2 in values else -1
    with pytest.raises(SegmenterError, match=f"holds the label {wrong}, but its 2 classes"):
        onnx_model.load(path).segment(IMAGE)


def test_logits_that_are_not_finite(write):
    """Check that a network that overflows is not taken for a segmentation."""
    nodes = [node("Log", "image", "log"), node("Concat", "log", "image", "out", axis=1)]
    with pytest.raises(SegmenterError, match="not finite"):
        onnx_model.load(write(nodes)).segment(np.zeros((4, 4), np.uint8))


def test_a_network_of_one_size(threshold):
    """Check that it is refused when it is loaded, before any micrograph is read."""
    path = threshold(input_shape=(1, 1, 8, 8), shape=(1, 2, 8, 8))
    with pytest.raises(SegmenterError, match=r"one size only, \(1, 1, 8, 8\); export it for any"):
        onnx_model.load(path)


def test_what_is_no_micrograph(threshold):
    """Check that an image's fault is not called the model's."""
    with pytest.raises(UsageError, match=r"The array is a colour image.*Give the gray values"):
        onnx_model.load(threshold()).segment(np.dstack([IMAGE, IMAGE, 255 - IMAGE]))
