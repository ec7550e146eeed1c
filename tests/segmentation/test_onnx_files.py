"""The files of a model: its own and those with weights, their hash, and where they may be."""

from __future__ import annotations

import contextlib
import hashlib
import os

import numpy as np
import pytest

from uhcs_bench.segmentation import onnx_files, onnx_model
from uhcs_bench.segmentation.onnx_files import ModelFileError
from uhcs_bench.segmentation.onnx_model import Description
from uhcs_bench.segmentation.preprocessing import Preprocessing

onnx = pytest.importorskip("onnx")


@pytest.fixture
def split(tmp_path):
    """A thresholding network whose kernel and bias lie in a file beside it."""
    folder = tmp_path / "model"
    folder.mkdir()
    constants = [
        onnx.numpy_helper.from_array(np.array(values, np.float32).reshape(shape), name)
        for name, values, shape in (("k", [-1, 1], (2, 1, 1, 1)), ("b", [99.5, -99.5], (2,)))
    ]
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["image", "k", "b"], ["out"])],
        "test",
        [value("image", onnx.TensorProto.FLOAT, (1, 1, "h", "w"))],
        [value("out", onnx.TensorProto.FLOAT, (1, 2, "h", "w"))],
        constants,
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9
    )
    steps = Preprocessing(scale="none")
    description = Description(classes=("matrix", "particle"), preprocessing=steps)
    onnx.helper.set_model_props(model, description.to_metadata())
    onnx.save(
        model,
        folder / "m.onnx",
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location="weights.bin",
        size_threshold=0,
    )
    return folder / "m.onnx"


def test_weights_beside_the_model_are_part_of_its_identity(split):
    """Check that they are found, and that one changed bit of them is another model."""
    pytest.importorskip("onnxruntime")
    weights = split.with_name("weights.bin")
    assert onnx_files.external_files(split) == (weights.resolve(),)
    before = onnx_files.content_sha256(split)
    assert onnx_model.load(split).card.sha256 == before
    content = bytearray(weights.read_bytes())
    content[3] ^= 1
    weights.write_bytes(content)
    assert onnx_files.content_sha256(split) != before


def test_a_model_of_one_file_has_the_hash_of_the_file(tmp_path, split):
    """Check against hashlib."""
    model = onnx.load(split)
    onnx.save(model, tmp_path / "one.onnx")
    expected = hashlib.sha256((tmp_path / "one.onnx").read_bytes()).hexdigest()
    assert onnx_files.content_sha256(tmp_path / "one.onnx") == expected


def rename_weights(path, name):
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = name
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("name", ["../weights.bin", "/etc/hostname", "deep/../../weights.bin"])
def test_weights_outside_of_the_folder_are_refused(split, name):
    """Check paths that lead out, which are named and not opened."""
    (split.parent.parent / "weights.bin").write_bytes(b"secret")
    rename_weights(split, name)
    with pytest.raises(ModelFileError, match="outside of its folder") as caught:
        onnx_model.load(split)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("w\0.bin", r"'w\\x00\.bin', which is outside"),
        ("\0", r"'\\x00', which is outside"),
        ("x" * 5000, r"'x{80}'\.\.\., which is not there"),
        ("x/" * 3000, r"\.\.\., which is"),
        ("", "'', which is not there"),
    ],
)
def test_names_that_no_file_can_have_are_told_with_the_model(split, name, message):
    """Check that the model is named, and as much of the name as helps."""
    rename_weights(split, name)
    with pytest.raises(ModelFileError, match=message) as caught:
        onnx_model.load(split)
    assert str(split) in str(caught.value)
    assert len(str(caught.value)) < len(str(split)) + 400


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_links_in_a_circle_are_told_with_the_model(split):
    """Check a link to itself."""
    split.with_name("weights.bin").unlink()
    split.with_name("weights.bin").symlink_to("weights.bin")
    with pytest.raises(ModelFileError, match=r"'weights\.bin', which is") as caught:
        onnx_files.external_files(split)
    assert str(split) in str(caught.value)


@pytest.mark.parametrize(
    "unknown",
    [
        b"\xa3\x06\xa4\x06",  # an empty group
        b"\xa3\x06\xab\x06\x08\x01\xac\x06\xa4\x06",  # a group in a group, with a number
        b"\xa3\x06\x12\x03abc\x0d1234\x094567890\x31\xa4\x06",  # every kind of value
        b"\xa0\x06\x01",  # a number
    ],
)
def test_unknown_fields_hide_no_weights(split, unknown):
    """Check a prefix that protocol buffers pass over, which onnx does as well."""
    rename_weights(split, "../weights.bin")
    split.write_bytes(unknown + split.read_bytes())
    model = onnx.load(split, load_external_data=False)
    assert model.graph.initializer[0].external_data[0].value == "../weights.bin"
    with pytest.raises(ModelFileError, match="outside of its folder"):
        onnx_files.external_files(split)


@pytest.mark.parametrize(
    "damage",
    [
        b"\xa3\x06",  # a group that does not end
        b"\xa4\x06",  # one that does not begin
        b"\xa3\x06\xac\x06",  # the end of another
        b"\xa6\x06",  # wire type 6
        b"\x02\x00",  # field 0
        b"\xa2\x06\xff\xff\xff\x07",  # longer than the file
        b"\xa1\x06abc",  # 8 bytes of which 3 are there
        b"\xa0\x06" + b"\xff" * 11,  # a number that is too long
        b"\xa0",  # a number that does not end
    ],
)
@pytest.mark.parametrize("is_before", [True, False])
def test_a_file_that_can_not_be_read_to_its_end_is_refused(split, damage, is_before):
    """Check that it is not taken for one without weights in other files."""
    content = split.read_bytes()
    # Before the model, what is cut off would go on with the model's own bytes.
    before = b"\xa3\x06" + damage if is_before else b""
    split.write_bytes(before + content + damage)
    with pytest.raises(ModelFileError):
        onnx_files.external_files(split)
    with pytest.raises((ModelFileError, onnx_model.SegmenterError)) as caught:
        onnx_model.load(split)
    assert str(split) in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_links_that_lead_out_are_refused(split):
    """Check a link of a harmless name."""
    outside = split.parent.parent / "weights.bin"
    split.with_name("weights.bin").rename(outside)
    split.with_name("weights.bin").symlink_to(outside)
    with pytest.raises(ModelFileError, match="outside of its folder"):
        onnx_files.external_files(split)


def test_missing_weights_are_named(split):
    """Check the message."""
    split.with_name("weights.bin").unlink()
    with pytest.raises(ModelFileError, match=r"'weights\.bin', which is not there"):
        onnx_files.content_sha256(split)


def test_weights_are_found_wherever_a_tensor_may_be(tmp_path):
    """Check tensors in attributes, in graphs of attributes and in functions."""

    def tensor(name):
        found = onnx.TensorProto(name=name, data_type=1, dims=[1])
        found.data_location = onnx.TensorProto.EXTERNAL
        found.external_data.add(key="location", value=f"{name}.bin")
        (tmp_path / f"{name}.bin").write_bytes(b"1234")
        return found

    model = onnx.ModelProto()
    constant = model.graph.node.add(op_type="Constant")
    constant.attribute.add(name="value", t=tensor("a"))
    branch = model.graph.node.add(op_type="If").attribute.add(name="then_branch")
    branch.g.initializer.append(tensor("b"))
    branch.g.node.add(op_type="Constant").attribute.add(name="values", tensors=[tensor("c")])
    inner = model.functions.add(name="f").node.add(op_type="Constant")
    inner.attribute.add(name="value", t=tensor("d"))
    model.graph.sparse_initializer.add().values.CopyFrom(tensor("e"))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    found = [path.stem for path in onnx_files.external_files(tmp_path / "m.onnx")]
    assert found == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("seed", range(20))
def test_damaged_files_have_no_weights_to_speak_of(split, seed):
    """Check that random damage gives a list or a refusal, and never another error."""
    rng = np.random.default_rng(seed)
    content = bytearray(split.read_bytes())
    for position in rng.integers(0, len(content), 8):
        content[position] = int(rng.integers(256))
    split.write_bytes(content[: int(rng.integers(1, len(content)))])
    with contextlib.suppress(ModelFileError):
        onnx_files.external_files(split)
