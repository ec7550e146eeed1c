"""Models for users: trained on everything, small, and honest about what they can do."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import uhcs_bench
from baselines import export, prediction, records, runs, shipping
from baselines.training import checkpoint
from uhcs_bench.data import label_maps
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io import protection
from uhcs_bench.scoring import training_record
from uhcs_bench.segmentation import cards, onnx_model

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

CPU = torch.device("cpu")


@pytest.fixture
def plan(tiny, tmp_path):
    """Plan a training of seconds."""
    settings = tiny("unet-efficientnet", updates=2, tta=True)
    return runs.Plan(settings, "particles", "synthetic", tmp_path / "runs", CPU)


@pytest.fixture
def twin(plan, tmp_path):
    """Write the label maps of a twin that is always right, and what it says of itself."""

    def make(tta=False, folds=6, about={}, **changed):  # noqa: B006 - it is not changed
        settings = plan.configuration.changed(**changed).to_dict()
        maps = tmp_path / "twin"
        for micrograph in uhcs_bench.load("particles", version="synthetic"):
            path = maps / "particles" / f"{micrograph.id}.png"
            label_maps.write_label_map(path, micrograph.labels)
        run = {"configuration": settings, "dataset_version": "synthetic", **about}
        runs_of_folds = {
            str(fold): [{**run, "training": [], "validation": []}] for fold in range(folds)
        }
        records.write_json(
            maps / "record.json",
            {
                "schema": training_record.ENSEMBLE_SCHEMA,
                "tasks": {"particles": {"tta": tta, "folds": runs_of_folds}},
            },
        )
        return maps

    return make


def test_a_shipped_model(plan, twin, tmp_path):
    """Check size, statement and label maps of a model from training to the segmenter."""
    out = tmp_path / "model.onnx"
    about = shipping.ship(plan, twin(), out)
    assert out.stat().st_size < shipping.MAX_BYTES
    loaded = onnx_model.load(out)
    assert loaded.task == "particles"
    properties = {p.key: p.value for p in onnx.load(out).metadata_props}
    assert json.loads(properties[cards.ABOUT_KEY]) == about
    dataset = uhcs_bench.load("particles", version="synthetic")
    assert about["micrographs"] == 24
    assert about["data_id"] == dataset.data_id
    sizes = [m.pixel_size_um for m in dataset if m.pixel_size_um is not None]
    assert about["pixel_size_um"] == [min(sizes), max(sizes)]
    assert about["score"]["IU"] == {"mean": 100.0, "se": 0.0}
    assert about["score"]["n"] == 24
    assert "a single view" in about["score"]["protocol"]

    model = checkpoint.load(plan.fold_run(None).checkpoint, CPU).model
    image = dataset[0].image[:90, :130]
    probabilities = prediction.probabilities([model], image)
    labels = loaded.segment(image)
    certain = np.abs(probabilities[0] - probabilities[1]) > 0.02
    np.testing.assert_array_equal(labels[certain], probabilities.argmax(axis=0)[certain])
    assert certain.mean() > 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop": 48}, "crop: 48, here 32"),
        ({"folds": 5}, "its 5 folds .*folds are missing"),
        ({"about": {"split": "grouped"}}, "split grouped, not on those of paper"),
        ({"about": {"train_size": 4}}, "trained on 4 micrographs of each fold"),
        ({"about": {"inner": True}}, "those of inner folds"),
    ],
)
def test_another_recipe_is_no_twin(plan, twin, tmp_path, changes, message):
    """Check that nothing is trained when the score would be that of something else."""
    with pytest.raises(UhcsBenchError, match=message):
        shipping.ship(plan, twin(**changes), tmp_path / "model.onnx")
    assert not plan.out.exists()


@pytest.mark.parametrize(
    ("name", "emptied", "message"),
    [("model.txt", False, r"ends in \.onnx"), ("model.onnx", True, "is empty")],
)
def test_what_is_wrong_is_told_before_the_training(plan, twin, tmp_path, name, emptied, message):
    """Check a wrong name of the file, and maps that can't be scored."""
    maps = twin()
    for path in (maps / "particles").glob("*.png") if emptied else ():
        path.write_bytes(b"")
    with pytest.raises(UhcsBenchError, match=message):
        shipping.ship(plan, maps, tmp_path / name)
    assert not plan.out.exists()


def test_a_model_that_is_too_large_replaces_nothing(plan, twin, tmp_path, monkeypatch):
    """Check that an earlier file stays."""
    monkeypatch.setattr(shipping, "MAX_BYTES", 100)
    monkeypatch.setattr(protection, "check", lambda *_: None)
    out = tmp_path / "model.onnx"
    out.write_text("earlier")
    with pytest.raises(UhcsBenchError, match="more than the 100 that are allowed"):
        shipping.ship(plan, twin(), out)
    assert out.read_text() == "earlier"


def test_seed_and_views_may_differ(plan, twin):
    """Check that a twin of another seed counts, and that its views are stated."""
    maps = twin(tta=True, seed=3)
    shipping._check_twin(plan, maps)
    assert shipping._twin(maps, "particles")[0].tta


def test_maps_without_a_record(plan, tmp_path):
    """Check the message."""
    with pytest.raises(UhcsBenchError, match=r"record\.json does not say"):
        shipping.ship(plan, tmp_path, tmp_path / "model.onnx")


def test_half_precision_keeps_what_is_small():
    """Check values, names and size of a graph with one large and one small constant."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weight = rng.normal(size=(4, 4, 3, 3)).astype(np.float32)
    bias = rng.normal(size=4).astype(np.float32)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weight", "bias"], ["logits"])],
        "one convolution",
        [value("image", TensorProto.FLOAT, [1, 4, "h", "w"])],
        [value("logits", TensorProto.FLOAT, [1, 4, "a", "b"])],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 8
    before = len(model.SerializeToString())
    export.store_as_half(model.graph)
    onnx.checker.check_model(model, full_check=True)
    assert len(model.SerializeToString()) < before - weight.nbytes / 2 + 200
    assert {t.name: t.data_type for t in model.graph.initializer} == {
        "weight_half": TensorProto.FLOAT16,
        "bias": TensorProto.FLOAT,
    }
    import onnxruntime

    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    image = rng.normal(size=(1, 4, 9, 8)).astype(np.float32)
    rounded = torch.from_numpy(weight.astype(np.float16).astype(np.float32))
    expected = torch.conv2d(torch.from_numpy(image), rounded, torch.from_numpy(bias))
    np.testing.assert_allclose(session.run(None, {"image": image})[0], expected, atol=1e-4)


def test_weights_beyond_half_precision_are_an_error():
    """Check that a value too large for float16 does not become infinite silently."""
    from onnx import helper, numpy_helper

    large = numpy_helper.from_array(np.full(20, 1e6, np.float32), "large")
    graph = helper.make_graph([], "empty", [], [], [large])
    with pytest.raises(UhcsBenchError, match=r"weights large have amounts up to 1e\+06, beyond"):
        export.store_as_half(graph)
