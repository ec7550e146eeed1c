"""COCO instances, read back by pycocotools."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from skimage import io, measure

from tests.helpers import exports
from uhcs_bench.exporters import coco as export_coco

# Of pycocotools, about NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco")
    export_coco.write(folder, [exports.small_set("particles")])
    return folder / "particles"


def read(root, fold, part):
    return COCO(root / "annotations" / f"fold_{fold}_instances_{part}.json")


@pytest.mark.parametrize("fold", range(6))
def test_folds_are_those_of_the_data_set(root, fold):
    """Check which micrographs stand in which file."""
    whole = exports.small_set("particles").fold(fold)
    for part, expected in (("train", whole.train), ("val", whole.val)):
        names = [image["file_name"] for image in read(root, fold, part).imgs.values()]
        assert names == [f"{id_}.png" for id_ in expected.ids]


def test_particles_are_the_components(root):
    """Check number, areas, boxes and pixels of all particles against scikit-image's."""
    micrographs = exports.small_set("particles")
    for fold, micrograph in enumerate(micrographs):
        coco = read(root, fold, "val")
        ((image_id, image),) = coco.imgs.items()
        assert (image["height"], image["width"]) == micrograph.labels.shape
        pixels = io.imread(root / "images" / image["file_name"])
        np.testing.assert_array_equal(pixels, micrograph.image)
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image_id, iscrowd=False))
        regions = measure.regionprops(measure.label(micrograph.labels, connectivity=2))
        expected = sorted((r.area, r.bbox[1], r.bbox[0]) for r in regions)
        assert sorted((a["area"], *a["bbox"][:2]) for a in annotations) == expected
        union = np.zeros(micrograph.labels.shape, int)
        for annotation in annotations:
            encoded = annotation["segmentation"]
            assert coco_mask.area(encoded) == annotation["area"]
            assert coco_mask.toBbox(encoded).tolist() == annotation["bbox"]
            union += coco.annToMask(annotation)
        np.testing.assert_array_equal(union, micrograph.labels)


def test_ids_are_unique_and_the_same_in_all_files(root):
    """Check annotations of a micrograph in the files of two folds."""
    validation, training = read(root, 0, "val"), read(root, 1, "train")
    assert validation.anns.items() <= training.anns.items()
    everything = [id_ for fold in range(6) for id_ in read(root, fold, "val").anns]
    assert len(set(everything)) == len(everything) > 100
    assert training.loadCats(training.getCatIds()) == [
        {"id": 1, "name": "particle", "supercategory": "microconstituent"}
    ]
    assert training.dataset["info"]["data_id"] == exports.small_set("particles").data_id


def test_diagonal_neighbours_holes_and_borders_by_hand():
    """Check a ring that is joined diagonally to a corner, and a single pixel at the border."""
    labels = np.array(
        [
            [1, 0, 0, 0, 0, 0],
            [0, 1, 1, 1, 0, 0],
            [0, 1, 0, 1, 0, 1],
            [0, 1, 1, 1, 0, 0],
        ],
        np.uint8,
    )
    ring, speck = export_coco.particle_annotations(labels, image_id=3, first_id=10)
    assert (ring["id"], ring["area"], ring["bbox"]) == (10, 9, [0, 0, 4, 4])
    assert (speck["id"], speck["area"], speck["bbox"]) == (11, 1, [5, 2, 1, 1])
    assert ring["image_id"] == speck["image_id"] == 3
    assert coco_mask.decode(ring["segmentation"])[2, 2] == 0, "the hole is not filled"


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 1))
)
@settings(max_examples=60)
def test_map_is_the_sum_of_its_particles(labels):
    """Check that decoding and adding gives every map back, empty and full ones included."""
    total = np.zeros(labels.shape, int)
    for annotation in export_coco.particle_annotations(labels, image_id=1):
        total += coco_mask.decode(annotation["segmentation"])
    np.testing.assert_array_equal(total, labels)
