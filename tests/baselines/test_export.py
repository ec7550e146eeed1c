"""Models as ONNX files: equal to PyTorch's prediction, at sizes other than the traced one."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import uhcs_bench
from baselines import configuration, export, prediction, records
from baselines.__main__ import main
from baselines.networks import onnx_graph, pixelnet, unet, vgg
from baselines.networks.model import build
from baselines.networks.pixelnet import PixelNet
from baselines.training import checkpoint
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io import images
from uhcs_bench.segmentation import onnx_model
from uhcs_bench.segmentation.preprocessing import Preprocessing

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

TOLERANCE = 1e-3
"""Of logits with a standard deviation of 1."""

MODELS = ("pixelnet-ce", "pixelnet-ce with fc7", "unet", "unet-vgg", "unet-efficientnet")


def micrograph(*shape):
    """Blobs on a gradient with noise, as 8 bits."""
    noise = np.random.default_rng(0).normal(size=shape)
    rows, columns = np.indices(shape)
    return (
        (120 + 60 * np.sin(rows / 9) * np.cos(columns / 7) + 20 * noise).clip(0, 255).astype("u1")
    )


def spread(model):
    """Scale the last layer so that all classes come up and the logits' deviation is 1."""
    logits = torch.from_numpy(torch_logits(model.eval(), micrograph(64, 80))).flatten(1)
    deviation, mean = logits.std(dim=1), logits.mean(dim=1)
    with torch.no_grad():
        model.last.bias.copy_((model.last.bias - mean) / deviation)
        model.last.weight.div_(deviation.view(-1, *[1] * (model.last.weight.ndim - 1)))


@pytest.fixture(scope="module", params=MODELS)
def exported(request, tmp_path_factory):
    """Give a checkpoint with random weights and the ONNX file that the command makes of it."""
    method, _, fc7 = request.param.partition(" with ")
    settings = {"weights": "none", **({"fc7": True} if fc7 else {})}
    folder = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        # As the real ones, but with few channels where the real ones have thousands.
        patch.setattr(pixelnet, "PixelNet", partial(pixelnet.PixelNet, hidden=24))
        patch.setattr(vgg, "FC_WIDTH", 32)
        torch.manual_seed(3)
        settled = configuration.configure(method, **settings)
        model, _ = build(settled, 4)
        for layer in model.modules():
            if isinstance(layer, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                layer.running_mean.normal_(std=0.2)
                layer.running_var.uniform_(0.2, 2)
        spread(model)
        classes = ("matrix", "network", "spheroidite", "widmanstatten")
        trained = checkpoint.Checkpoint(model, settled, "microconstituents", 0, classes)
        path = folder / "checkpoint.pt"
        checkpoint.save(path, trained)
        out = folder / "new" / "model.onnx"
        result = CliRunner().invoke(main, ["export", str(path), "--out", str(out)])
        assert result.exit_code == 0, result.output
        assert "microconstituents, matrix, network" in result.stdout
        assert [file.name for file in out.parent.iterdir()] == ["model.onnx"]
        yield checkpoint.load(path, torch.device("cpu")).model, path, out


def torch_logits(model, image):
    """Logits of every pixel in PyTorch: PixelNet's small images with whole hypercolumns."""
    planes = torch.from_numpy(model.preprocessing.apply(image))
    if not isinstance(model, PixelNet) or image.size > 20_000:
        return torch.cat(list(model.logit_bands(planes)), dim=1).numpy()
    points = torch.cartesian_prod(*map(torch.arange, image.shape)).unsqueeze(0)
    with torch.inference_mode():
        logits = model(planes.unsqueeze(0), points)
    return logits.T.unflatten(1, image.shape).numpy()


def assert_equal_but_for_ties(labels, other, logits):
    """Check that labels differ nowhere but where the two best logits are equal up to rounding."""
    second, first = np.sort(logits, axis=0)[-2:]
    differs = labels != other
    assert (first - second)[differs].max(initial=0) < TOLERANCE
    assert differs.mean() < 1e-3


@pytest.mark.parametrize("shape", [(97, 131), (251, 317), (1, 1), (16, 70)])
def test_logits_and_labels_equal_those_of_pytorch(exported, shape):
    """Check sizes that were not traced, most of them no multiple of the stride."""
    model, _, out = exported
    image = micrograph(*shape)
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    planes = model.preprocessing.apply(image)
    borders = [(0, -side % model.stride) for side in planes.shape[1:]]
    planes = np.pad(planes, [(0, 0), *borders], mode="symmetric")
    logits = session.run(["logits"], {"image": planes[np.newaxis]})[0][0]
    logits = logits[:, : shape[0], : shape[1]]
    expected = torch_logits(model, image)
    if image.size > 1:
        assert expected.std() > 0.5
    np.testing.assert_allclose(logits, expected, atol=TOLERANCE)
    assert_equal_but_for_ties(logits.argmax(axis=0), expected.argmax(axis=0), expected)


def test_the_file_describes_itself(exported):
    """Check task, classes and preprocessing, and that the operators' version is the stated one."""
    model, _, out = exported
    loaded = onnx_model.load(out)
    assert loaded.task == "microconstituents"
    assert loaded.classes[2] == "spheroidite"
    assert loaded.preprocessing.multiple == model.stride
    assert loaded.preprocessing.equalize is not None
    opsets = {entry.domain: entry.version for entry in onnx.load(out).opset_import}
    assert opsets[""] == onnx_graph.OPSET
    onnx.checker.check_model(out, full_check=True)


def test_the_card_states_the_training_on_record(tmp_path):
    """Check a checkpoint with its fold's record beside it, one without, and a damaged record."""
    settled = configuration.configure("unet", weights="none")
    model, _ = build(settled, 2)
    classes = ("matrix", "particle")
    model_file = tmp_path / "checkpoint.pt"
    checkpoint.save(model_file, checkpoint.Checkpoint(model, settled, "particles", 1, classes))
    fold = uhcs_bench.load("particles", fold=1, version="synthetic")
    record = {
        "schema": records.FOLD_SCHEMA,
        "method": "unet",
        "task": "particles",
        "fold": 1,
        "dataset_version": "synthetic",
        "split": "paper",
        "training": list(fold.train.ids),
        "updates": 3,
        "seed": 1,
        "weights": None,
    }
    whole = uhcs_bench.load("particles", version="synthetic")
    trained = f"unet; licence MIT; trained on 20 micrographs of {whole.data_id}; score not stated."
    for content, said in (
        (json.dumps(record), trained),
        (json.dumps(record | {"training": 3}), "unet; licence MIT; training data not stated"),
        ("", "unet; licence MIT; training data not stated"),
    ):
        (tmp_path / records.FILE_NAME).write_text(content, "utf-8")
        arguments = ["export", str(model_file), "--licence", "MIT"]
        assert CliRunner().invoke(main, arguments).exit_code == 0
        card = onnx_model.load(tmp_path / "checkpoint.onnx").card
        assert said in card.sentence()
    sizes = [m.pixel_size_um for m in fold.train]
    (tmp_path / records.FILE_NAME).write_text(json.dumps(record), "utf-8")
    assert export.origin(model_file, "unet")["pixel_size_um"] == [min(sizes), max(sizes)]
    assert export.origin(model_file, "pixelnet-ce") == {"method": "pixelnet-ce"}


def test_the_stated_halo_suffices(exported, monkeypatch):
    """Check an image in tiles against the same image seen whole, and that less would not do."""
    model, _, out = exported
    image = micrograph(40, 620)
    loaded = onnx_model.load(out)
    whole = loaded.segment(image)
    monkeypatch.setattr(onnx_model, "TILE_SIDE", 128)
    monkeypatch.setattr(onnx_model, "WHOLE_PIXELS", 0)
    tiled = loaded.segment(image)
    assert_equal_but_for_ties(tiled, whole, torch_logits(model, image))
    loaded.description = replace(loaded.description, halo=0)
    assert (loaded.segment(image) != whole).mean() > (tiled != whole).mean()


def test_the_command_predict_gives_the_same(exported, tmp_path):
    """Check the whole path: checkpoint, file, segmenter; and checkpoint, label map on the disk."""
    model, path, out = exported
    image = micrograph(61, 83).astype(np.uint16) * 257
    np.save(tmp_path / "deep.npy", np.stack([image] * 3, axis=-1))
    failures = prediction.predict_files(
        [path], [tmp_path / "deep.npy"], tmp_path / "maps", "cpu", "float32"
    )
    assert failures == []
    predicted = images.read_image(tmp_path / "maps" / "deep.png")
    labels = onnx_model.load(out).segment(images.read_image(tmp_path / "deep.npy"))
    assert labels.shape == image.shape
    assert len(np.unique(predicted)) > 1
    assert_equal_but_for_ties(labels, predicted, torch_logits(model, image))


@pytest.mark.parametrize("shape", [(97, 131), (1, 1), (3, 70), (16, 32)])
@pytest.mark.parametrize("multiple", [16, 32])
def test_padding_is_that_of_training(shape, multiple):
    """Check that the segmenter's padding and the one inside the models are one."""
    values = np.random.default_rng(0).random((1, *shape), dtype=np.float32)
    expected = vgg.pad_to_multiple(torch.from_numpy(values), multiple)
    padded = Preprocessing(scale="none", multiple=multiple).apply(values[0])
    np.testing.assert_array_equal(padded, expected)


@pytest.fixture
def model_file(tiny, tmp_path):
    """Give the checkpoint of an untrained U-Net."""
    settled = tiny("unet")
    model, _ = build(settled, 2)
    path = tmp_path / "model.pt"
    checkpoint.save(
        path, checkpoint.Checkpoint(model, settled, "particles", 0, ("matrix", "particle"))
    )
    return path


@pytest.fixture
def untraced(monkeypatch):
    """Spare the tracing: an empty model takes its place."""
    graph = onnx.helper.make_graph([], "empty", [], [])
    empty = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", onnx_graph.OPSET)]
    )
    monkeypatch.setattr(unet.UNet, "to_onnx", lambda _: empty)


@pytest.mark.usefixtures("untraced")
def test_the_default_name(model_file):
    """Check that the file lies beside the checkpoint."""
    result = CliRunner().invoke(main, ["export", str(model_file)])
    assert result.exit_code == 0, result.output
    assert model_file.with_suffix(".onnx").is_file()


@pytest.mark.usefixtures("untraced")
def test_nothing_is_left_of_a_write_that_fails(model_file, monkeypatch):
    """Check that an older file stays as it was."""
    out = model_file.with_suffix(".onnx")
    out.write_text("older")

    def fail(_model, path):
        path.write_text("half")
        raise OSError("no space left")

    monkeypatch.setattr(onnx, "save", fail)
    result = CliRunner().invoke(main, ["export", str(model_file), "--force"])
    assert result.exit_code == 1
    assert "no space left" in result.stderr
    assert out.read_text() == "older"
    assert {file.name for file in out.parent.iterdir()} == {"model.pt", "model.onnx"}


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_without_the_extra(model_file, package, monkeypatch):
    """Check that the message names the extra."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UhcsBenchError, match=rf"package {package}\..*uhcs-bench\[export\]"):
        export.export(model_file, model_file.with_suffix(".onnx"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.pt"], 1, "There is no checkpoint none.pt"),
        (["none.pt", "--out", "model.pth"], 2, "ends in .onnx"),
    ],
)
def test_wrong_usage(arguments, code, message):
    """Check message and exit code."""
    result = CliRunner().invoke(main, ["export", *arguments])
    assert result.exit_code == code
    assert message in result.stderr
