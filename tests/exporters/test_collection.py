"""Collected predictions of MMSegmentation and COCO, against the maps that they were made from."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import uhcs_bench
from tests.helpers.exports import check_problems
from uhcs_bench.errors import SubmissionError
from uhcs_bench.exporters import coco, mmsegmentation
from uhcs_bench.io import images
from uhcs_bench.segmentation import otsu


def whole():
    return uhcs_bench.load("particles", version="synthetic")


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    for form in ("coco", "mmsegmentation"):
        uhcs_bench.export(form, folder / form, "particles", version="synthetic")
    return folder


def write_maps(folder):
    """Write the label maps of ``tools/test.py --out`` of each fold."""
    for m in whole():
        path = folder / f"fold_{m.fold}" / f"{m.id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(otsu.segment(m.image, "particles")).save(path)
    return folder


def write_results(folder, export):
    """Write the particles of each map as COCO results, and a false one of a low score."""
    ids = {}
    for part in ("train", "val"):
        path = export / "particles" / "annotations" / f"fold_0_instances_{part}.json"
        ids |= {i["file_name"][:-4]: i["id"] for i in json.loads(path.read_text())["images"]}
    folder.mkdir()
    for fold in range(6):
        results = []
        for m in whole().fold(fold).val:
            found = coco.particle_annotations(otsu.segment(m.image, "particles"), ids[m.id])
            results += [{**annotation, "score": 0.9} for annotation in found]
            square = {"segmentation": [[0, 0, 50, 0, 50, 50, 0, 50]], "score": 0.1}
            results.append({"image_id": ids[m.id], "category_id": 1, **square})
        (folder / f"fold_{fold}.json").write_text(json.dumps(results))
    return folder


@pytest.mark.slow
def test_maps_of_mmsegmentation_are_collected(exports, tmp_path):
    """Check every map against the one that was predicted."""
    results = write_maps(tmp_path / "results")
    collected = mmsegmentation.collect(results, tmp_path / "preds", exports / "mmsegmentation")
    assert (collected.task, collected.n_maps) == ("particles", 24)
    assert collected.score_options == " --dataset-version synthetic"
    for m in whole():
        found = images.read_image(tmp_path / "preds" / f"{m.id}.png")
        np.testing.assert_array_equal(found, otsu.segment(m.image, "particles"))


@pytest.mark.slow
def test_instances_of_coco_become_label_maps(exports, tmp_path):
    """Check the union of particles above the score, and one below it that is left out."""
    results = write_results(tmp_path / "results", exports / "coco")
    collected = coco.collect(results, tmp_path / "preds", exports / "coco")
    assert collected.empty == ()
    for m in whole():
        found = images.read_image(tmp_path / "preds" / f"{m.id}.png")
        np.testing.assert_array_equal(found, otsu.segment(m.image, "particles"))
    coco.collect(results, tmp_path / "all", exports / "coco", min_score=0)
    first = images.read_image(tmp_path / "all" / f"{whole()[0].id}.png")
    assert first[:50, :50].all()


@pytest.mark.slow
def test_faults_of_coco_results_are_listed(exports, tmp_path):
    """Check one fault of each kind, and that nothing is written."""
    results = write_results(tmp_path / "results", exports / "coco")
    (results / "fold_0.json").unlink()
    (results / "fold_1.json").write_text("{")
    (results / "fold_2.json").write_text('{"a": 1}')
    (results / "fold_3.json").write_text('[{"image_id": 99}]')
    (results / "fold_4.json").write_text((results / "fold_5.json").read_text())
    content = json.loads((results / "fold_5.json").read_text())
    (results / "fold_5.json").write_text(json.dumps([{**content[0], "segmentation": 3}]))
    with pytest.raises(SubmissionError) as caught:
        coco.collect(results, tmp_path / "preds", exports / "coco")
    check_problems(
        caught.value,
        "fold_0.json is not there",
        "fold_1.json can't be read as JSON",
        "fold_2.json is no list of results",
        "fold_3.json: result 0 has an image_id that the export does not have",
        "fold_3.json: result 0 has no score that is a finite number",
        "fold_4.json predicts micrographs of other folds: synthetic-particles-20 (fold 5)",
        "fold_5.json: result 0 has no valid mask (it is neither",
    )
    assert not (tmp_path / "preds").exists()


IMAGE = "an image_id that the export does not have"
CATEGORY = "a category_id other than 1"
SCORE = "no score that is a finite number"
MASK = "no valid mask"

FAULTS = [
    ({"image_id": [1]}, IMAGE),
    ({"image_id": {"a": 1}}, IMAGE),
    ({"image_id": True}, IMAGE),
    ({"image_id": None}, IMAGE),
    ({"image_id": "1"}, IMAGE),
    ({"image_id": 1.5}, IMAGE),
    ({"image_id": np.nan}, IMAGE),
    ({"image_id": 10**299}, IMAGE),
    ({"category_id": 2}, CATEGORY),
    ({"category_id": True}, CATEGORY),
    ({"category_id": [1]}, CATEGORY),
    ({"category_id": None}, CATEGORY),
    ({"score": np.nan}, SCORE),
    ({"score": np.inf}, SCORE),
    ({"score": "0.9"}, SCORE),
    ({"score": True}, SCORE),
    ({"score": None}, SCORE),
    ({"score": [0.9]}, SCORE),
    ({"segmentation": []}, MASK),
    ({"segmentation": [[]]}, MASK),
    ({"segmentation": [[1, 2]]}, MASK),
    ({"segmentation": ["a"]}, MASK),
    ({"segmentation": [{}]}, MASK),
    ({"segmentation": {"counts": [-5, 10]}}, MASK),
    ({"segmentation": {"size": [484, 645], "counts": ""}}, MASK),
    ({"segmentation": [[0, 0, 1e300, 0, 0, 9]]}, MASK),
    ({"segmentation": None}, MASK),
]


def test_every_fault_of_a_coco_result_is_located(exports, tmp_path):
    """Check that each names its file and the results that have it, and that one is enough."""
    (tmp_path / "results").mkdir()
    annotations = exports / "coco/particles/annotations/fold_4_instances_val.json"
    good = {
        "image_id": json.loads(annotations.read_text())["images"][0]["id"],
        "segmentation": [[0, 0, 9, 0, 9, 9]],
        "score": 0.9,
    }
    for fold in range(6):
        results = [good, *(good | change for change, _ in FAULTS), 7, good] if fold == 4 else []
        (tmp_path / "results" / f"fold_{fold}.json").write_text(json.dumps(results))
    with pytest.raises(SubmissionError) as caught:
        coco.collect(tmp_path / "results", tmp_path / "preds", exports / "coco")
    assert not (tmp_path / "preds").exists()
    told = "\n".join(caught.value.problems)
    for kind, at in ((IMAGE, 1), (CATEGORY, 9), (SCORE, 13)):
        n = sum(fault == kind for _, fault in FAULTS)
        assert f"fold_4.json: {n} results, the first of them number {at}, have {kind}" in told
    masks = [number for number, (_, fault) in enumerate(FAULTS, start=1) if fault == MASK]
    lines = [line for line in caught.value.problems if MASK in line]
    assert len(lines) >= 7
    assert all(line.startswith("fold_4.json: ") for line in lines)
    assert sum(int(line.split()[1]) if "results" in line else 1 for line in lines) == len(masks)
    assert "fold_4.json: result 28 has no object in its place" in told
    assert len(caught.value.problems) == 4 + len(lines)


def test_data_that_there_are_not_are_said_to_be_in_the_manifest(exports, tmp_path):
    """Check that the file is named which states them, and all three of its faults."""
    manifest = json.loads((exports / "coco" / "uhcs-bench.json").read_text("utf-8"))
    manifest["sets"][0] |= {"task": "zz", "dataset_version": "zz", "split": "zz"}
    (tmp_path / "uhcs-bench.json").write_text(json.dumps(manifest))
    with pytest.raises(SubmissionError, match="was not collected: 3 problems") as caught:
        coco.collect(tmp_path / "results", tmp_path / "preds", tmp_path)
    place = f"{tmp_path / 'uhcs-bench.json'} states data that this release of uhcs-bench does not"
    kinds = ("task", "data set version", "split")
    check_problems(caught.value, *(f"{place} have (There is no {kind} 'zz'." for kind in kinds))


def test_faults_of_mmsegmentation_are_listed(exports, tmp_path):
    """Check a missing fold, a map in another fold's folder, and another tool's export."""
    results = write_maps(tmp_path / "results")
    (results / "fold_0" / "synthetic-particles-00.png").rename(
        results / "fold_1" / "synthetic-particles-00.png"
    )
    (results / "fold_1" / "._synthetic-particles-04.png").write_bytes(b"a file of macOS")
    for path in (results / "fold_5").iterdir():
        path.unlink()
    (results / "fold_5").rmdir()
    with pytest.raises(SubmissionError) as caught:
        mmsegmentation.collect(results, tmp_path / "preds", exports / "mmsegmentation")
    check_problems(
        caught.value,
        "fold_0 has no prediction of synthetic-particles-00",
        "fold_1 predicts micrographs of other folds: synthetic-particles-00 (fold 0)",
        "fold_5 is not there: run tools/test.py with fold_5.py",
    )
    with pytest.raises(SubmissionError, match="no manifest of an export to mmsegmentation"):
        mmsegmentation.collect(results, tmp_path / "preds", exports / "coco")
