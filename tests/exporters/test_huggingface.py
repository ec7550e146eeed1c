"""The folder for Hugging Face, read back by ``datasets.load_dataset``."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from tests.helpers import exports
from uhcs_bench import protocol
from uhcs_bench.exporters import common, huggingface

datasets = pytest.importorskip("datasets")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("huggingface")
    usage = huggingface.write(folder, exports.small_sets())
    common.write_text(folder / "README.md", usage.head + "# Title\n")
    return folder


@pytest.fixture
def load(root, tmp_path):
    return lambda *arguments, **options: datasets.load_dataset(
        str(root), *arguments, cache_dir=tmp_path / "huggingface", **options
    )


@pytest.mark.parametrize("task", protocol.TASKS)
def test_fold_is_read_back(load, task):
    """Check ids, pixels and circumstances of training and validation micrographs."""
    fold = exports.small_set(task).fold(2)
    read = load(f"{task}_fold_2")
    assert set(read) == {"train", "validation"}
    for part, expected in ((read["train"], fold.train), (read["validation"], fold.val)):
        assert part["id"][:] == list(expected.ids)
        for row, micrograph in zip(part, expected, strict=True):
            np.testing.assert_array_equal(np.asarray(row["image"]), micrograph.image)
            np.testing.assert_array_equal(np.asarray(row["label"]), micrograph.labels)
            assert row["fold"] == micrograph.fold
            assert row["pixel_size_um"] == micrograph.pixel_size_um
            assert row["licence"]["image"] == micrograph.entry.licence
            assert row["classes"] == np.unique(micrograph.labels).tolist()


def test_features_name_the_classes(load):
    """Check the types that the library gives the columns."""
    features = load("microconstituents", split="fold_0").features
    assert isinstance(features["image"], datasets.Image)
    assert isinstance(features["label"], datasets.Image)
    names = features["classes"].feature.names
    assert tuple(names) == protocol.task("microconstituents").classes


def test_all_folds_at_once(load):
    """Check the configuration of a whole task, and the names of its labels."""
    read = load("particles")
    assert list(read) == [f"fold_{number}" for number in range(6)]
    assert load("particles", split="all").num_rows == 6


def test_label_names_for_transformers(root):
    """Check the file that maps labels to names."""
    names = json.loads((root / "microconstituents" / "id2label.json").read_text("utf-8"))
    assert names == {"0": "matrix", "1": "network", "2": "spheroidite", "3": "widmanstatten"}


def test_configurations_are_listed(root):
    """Check that the library finds all configurations, and that the front matter names the data."""
    expected = [
        name
        for task in protocol.TASKS
        for name in (task, *(f"{task}_fold_{number}" for number in range(6)))
    ]
    assert sorted(datasets.get_dataset_config_names(str(root))) == sorted(expected)
    front_matter = yaml.safe_load((root / "README.md").read_text("utf-8").split("---\n")[1])
    assert [identity["data_id"] for identity in front_matter["uhcs_bench"]] == [
        micrographs.data_id for micrographs in exports.small_sets()
    ]


def test_tasks_of_the_benchmark_are_configurations(root):
    """Check that eval.yaml names a task for each fold, in configurations of the README."""
    import yaml

    told = yaml.safe_load((root / "eval.yaml").read_text("utf-8"))
    head = (root / "README.md").read_text("utf-8").split("---")[1]
    names = {item["config_name"] for item in yaml.safe_load(head)["configs"]}
    assert {task["config"] for task in told["tasks"]} == {n for n in names if "_fold_" in n}
    assert len(told["tasks"]) == 12
    assert told["evaluation_framework"] == "uhcs-bench"
    # Those of https://huggingface.co/docs/hub/eval-results, which is checked at push time.
    assert set(told) == {"name", "description", "evaluation_framework", "tasks"}
    assert all(set(task) == {"id", "config", "split"} for task in told["tasks"])
    assert len({task["id"] for task in told["tasks"]}) == len(told["tasks"])
