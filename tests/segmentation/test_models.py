"""The models that come with the package."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

import uhcs_bench
from uhcs_bench import protocol
from uhcs_bench.errors import UsageError
from uhcs_bench.metrics import confusion
from uhcs_bench.segmentation import models, otsu

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

LARGEST_BYTES = 4 << 20


@pytest.mark.parametrize("name", models.NAMES)
def test_model_states_what_it_is(name: str) -> None:
    """Check classes, size, and the keys that a model card needs."""
    path = models.find(name)
    assert path.stat().st_size <= LARGEST_BYTES
    model = models.load(name, threads=1)
    assert model.task == name
    assert model.classes == protocol.TASKS[name].classes
    metadata = {item.key: item.value for item in onnx.load(path).metadata_props}
    about = json.loads(metadata["uhcs_bench.about"])
    assert "CC BY-SA" in json.dumps(about)


@pytest.mark.usefixtures("real_data")
def test_network_beats_otsu_on_a_real_micrograph() -> None:
    """Check that the file holds the trained network: it has seen this micrograph."""
    micrograph = uhcs_bench.load("particles")["800C-85H-Q-2"]

    def score(labels: np.ndarray) -> float:
        counts = confusion.confusion_matrix(micrograph.labels, labels, 2)
        return float(np.mean(confusion.intersection_over_union(counts)))

    trained = models.load("particles", threads=1).segment(micrograph.image)
    assert score(trained) > score(otsu.segment(micrograph.image, task="particles"))


@pytest.mark.parametrize(
    ("model", "other"),
    [("particles", "microconstituents"), ("microconstituents", "spheroidite")],
)
def test_network_of_another_task_is_refused(model: str, other: str) -> None:
    """Check that the task is not passed over, and that its own is taken."""
    with pytest.raises(UsageError, match=rf"{model} has the classes .*Give a model for "):
        models.load(model, 1, other)
    assert models.load(model, 1, model).task == model


def test_threshold_is_represented_with_its_task() -> None:
    """Check the one line of a terminal."""
    shown = repr(models.load("otsu", task="spheroidite"))
    assert shown == "Threshold('particles', classes=('matrix', 'particle'))"


def test_names_and_paths_are_found(tmp_path: Path) -> None:
    """Check that a path is taken as it is, and a name leads into the package."""
    assert models.find(tmp_path / "a.onnx") == tmp_path / "a.onnx"
    assert models.find("particles").is_file()


@pytest.mark.parametrize("name", models.NAMES)
def test_aliases_of_tasks_are_names_of_models(name: str) -> None:
    """Check every alias that a task has, for the file, its hash, and what is loaded."""
    for alias in protocol.TASKS[name].aliases:
        assert models.find(alias) == models.find(name)
        assert models.sha256(alias) == models.sha256(name)
        assert models.load(alias, threads=1).card == models.load(name, threads=1).card


@pytest.mark.parametrize("name", models.NAMES)
def test_file_holds_no_path_of_the_machine_that_wrote_it(name: str) -> None:
    """Check that the exporter's stack traces are gone."""
    assert b"site-packages" not in models.find(name).read_bytes()
