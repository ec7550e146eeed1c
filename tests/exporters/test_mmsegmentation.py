"""The layout for MMSegmentation: its published terms, and mmengine's and mmseg's own readers."""

from __future__ import annotations

import runpy

import numpy as np
import pytest
from skimage import io

from tests.helpers import exports
from uhcs_bench import protocol
from uhcs_bench.exporters import mmsegmentation


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mmsegmentation")
    mmsegmentation.write(folder, exports.small_sets())
    return folder


def expected_parts(task, fold):
    whole = exports.small_set(task).fold(fold)
    return ("train_dataloader", whole.train), ("val_dataloader", whole.val)


@pytest.mark.parametrize("fold", range(6))
@pytest.mark.parametrize("task", protocol.TASKS)
def test_layout_is_that_of_the_documentation(root, task, fold):
    """Check ``BaseSegDataset``'s terms: a list of names, two folders, two suffixes, labels."""
    configuration = runpy.run_path(str(root / task / f"fold_{fold}.py"))
    for name, micrographs in expected_parts(task, fold):
        data = configuration[name]["dataset"]
        assert data["type"] == "BaseSegDataset"
        assert data["data_root"] == "{{ fileDirname }}", "mmengine puts the file's folder there"
        assert data["reduce_zero_label"] is False, "label 0 is a class"
        assert data["metainfo"]["classes"] == protocol.task(task).classes
        assert len(data["metainfo"]["palette"]) == len(data["metainfo"]["classes"])
        assert all(0 <= value <= 255 for color in data["metainfo"]["palette"] for value in color)
        names = (root / task / data["ann_file"]).read_text("utf-8").splitlines()
        assert names == list(micrographs.ids)
        for id_ in names:
            folders = data["data_prefix"]
            image = io.imread(root / task / folders["img_path"] / (id_ + data["img_suffix"]))
            labels = io.imread(
                root / task / folders["seg_map_path"] / (id_ + data["seg_map_suffix"])
            )
            np.testing.assert_array_equal(image, micrographs[id_].image)
            np.testing.assert_array_equal(labels, micrographs[id_].labels)


def test_mmseg_reads_it(root):
    """Check every fold with MMSegmentation's own data set, where it is installed."""
    config = pytest.importorskip("mmengine.config")
    pytest.importorskip("mmseg.datasets")
    from mmengine.registry import init_default_scope
    from mmseg.registry import DATASETS

    init_default_scope("mmseg")
    for fold in range(6):
        read = config.Config.fromfile(root / "particles" / f"fold_{fold}.py")
        for name, micrographs in expected_parts("particles", fold):
            built = DATASETS.build(read[name].dataset)
            assert built.metainfo["classes"] == micrographs.classes
            assert len(built) == len(micrographs)
            if name == "val_dataloader":
                sample = built[0]
                np.testing.assert_array_equal(
                    sample["data_samples"].gt_sem_seg.data[0].numpy(), micrographs[0].labels
                )
