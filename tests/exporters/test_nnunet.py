"""nnU-Net v2: the layout as published, its own checks, and the way back from its predictions."""

from __future__ import annotations

import json
import re
import shutil
from functools import cache

import numpy as np
import pytest
from skimage import io

import uhcs_bench
from tests.helpers import exports
from uhcs_bench import protocol
from uhcs_bench.errors import SubmissionError, UsageError
from uhcs_bench.exporters import nnunet
from uhcs_bench.io import images
from uhcs_bench.segmentation import otsu

RESULTS = "Dataset501_particles_synthetic_paper/nnUNetTrainer__nnUNetPlans__2d"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nnunet")
    nnunet.write(folder, exports.small_sets())
    return folder


@cache
def particles():
    return uhcs_bench.load("particles", version="synthetic")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An export of all synthetic particles."""
    folder = tmp_path_factory.mktemp("nnunet")
    nnunet.write(folder, [particles()])
    return folder


@pytest.fixture(scope="module")
def trained(exported, tmp_path_factory):
    """What nnU-Net leaves of six folds, had it learnt Otsu's threshold.

    Read from the export as nnU-Net reads it, cases and folds included, and written as it writes.
    """
    folder = tmp_path_factory.mktemp("results") / RESULTS
    name = "Dataset501_particles_synthetic_paper"
    raw, preprocessed = (exported / kind / name for kind in ("nnUNet_raw", "nnUNet_preprocessed"))
    splits = json.loads((preprocessed / "splits_final.json").read_text("utf-8"))
    for number, fold in enumerate(splits):
        validation = folder / f"fold_{number}" / "validation"
        validation.mkdir(parents=True)
        for case in fold["val"]:
            image = io.imread(raw / "imagesTr" / f"{case}_0000.png")
            predicted = otsu.segment(image, "particles")
            io.imsave(validation / f"{case}.png", predicted, check_contrast=False)
            (validation / f"{case}.npz").write_bytes(b"probabilities")
        (validation / "summary.json").write_text("{}")
    (folder / "crossval_results_folds_0_1_2_3_4_5").mkdir()
    shutil.copy(raw / "dataset.json", folder)
    return folder


@pytest.fixture
def results(trained, tmp_path):
    """A copy of the results to damage."""
    return shutil.copytree(trained, tmp_path / "results" / RESULTS)


@pytest.mark.parametrize("task", protocol.TASKS)
def test_layout_is_that_of_the_documentation(root, task):
    """Check the requirements of nnU-Net's dataset_format.md and manual_data_splits.md."""
    micrographs = exports.small_set(task)
    (raw,) = (root / "nnUNet_raw").glob(f"Dataset*_{task}_*")
    assert re.fullmatch(r"Dataset\d{3}_.+", raw.name)
    about = json.loads((raw / "dataset.json").read_text("utf-8"))
    assert about["channel_names"] == {"0": "SEM"}
    assert about["labels"]["background"] == 0
    assert list(about["labels"].values()) == list(range(len(micrographs.classes)))
    assert list(about["labels"])[1:] == list(micrographs.classes)[1:]
    assert about["file_ending"] == ".png"
    assert about["overwrite_image_reader_writer"] == "NaturalImage2DIO"
    assert about["numTraining"] == len(micrographs)
    assert {path.name for path in (raw / "imagesTr").iterdir()} == {
        f"{id_}_0000.png" for id_ in micrographs.ids
    }
    assert {path.name for path in (raw / "labelsTr").iterdir()} == {
        f"{id_}.png" for id_ in micrographs.ids
    }
    for m in micrographs:
        np.testing.assert_array_equal(io.imread(raw / "imagesTr" / f"{m.id}_0000.png"), m.image)
        np.testing.assert_array_equal(io.imread(raw / "labelsTr" / f"{m.id}.png"), m.labels)
    splits = root / "nnUNet_preprocessed" / raw.name / "splits_final.json"
    folds = json.loads(splits.read_text("utf-8"))
    assert len(folds) == 6
    for number, fold in enumerate(folds):
        assert fold.keys() == {"train", "val"}
        assert fold["val"] == [m.id for m in micrographs if m.fold == number]
        assert sorted(fold["train"] + fold["val"]) == sorted(micrographs.ids)


@pytest.mark.parametrize("task", protocol.TASKS)
def test_nnunet_accepts_it(root, task):
    """Check with nnU-Net's own verification and reader, where it is installed."""
    pytest.importorskip("nnunetv2")
    from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity
    from nnunetv2.imageio.natural_image_reader_writer import NaturalImage2DIO

    (raw,) = (root / "nnUNet_raw").glob(f"Dataset*_{task}_*")
    verify_dataset_integrity(str(raw), num_processes=1)
    for m in exports.small_set(task):
        read, _ = NaturalImage2DIO().read_seg(str(raw / "labelsTr" / f"{m.id}.png"))
        np.testing.assert_array_equal(read[0, 0], m.labels)


@pytest.mark.slow
def test_round_trip_scores_as_without_nnunet(trained, tmp_path):
    """Check export, reading, prediction, collection and score against the direct way."""
    collected = nnunet.collect(trained, tmp_path / "preds")
    assert (collected.task, collected.n_maps) == ("particles", 24)
    assert collected.score_options == " --dataset-version synthetic"
    direct = {m.id: otsu.segment(m.image, "particles") for m in particles()}
    report = uhcs_bench.score(tmp_path / "preds", version="synthetic")
    assert report.to_json() == uhcs_bench.score(direct, version="synthetic").to_json()
    assert report["particles"].conventions["paper"].IU.mean < 1


def test_fold_is_scored_in_place(results):
    """Check the validation folder itself as a submission."""
    for path in results.glob("fold_2/validation/*.npz"):
        path.unlink()
    report = uhcs_bench.score(results / "fold_2" / "validation", fold=2, version="synthetic")
    direct = {m.id: otsu.segment(m.image, "particles") for m in particles().fold(2).val}
    assert report.to_json() == uhcs_bench.score(direct, fold=2, version="synthetic").to_json()


@pytest.mark.slow
@pytest.mark.parametrize("levels_above", [1, 2])
def test_training_is_found_below(trained, levels_above, tmp_path):
    """Check that the results' folder or the data set's may be named as well."""
    above = trained.parents[levels_above - 1]
    assert nnunet.collect(above, tmp_path / "preds").n_maps == 24


def test_task_is_found_by_names_without_dataset_json(results, tmp_path):
    """Check results without a dataset.json."""
    (results / "dataset.json").unlink()
    collected = nnunet.collect(results, tmp_path / "preds", version="synthetic")
    assert collected.task == "particles"
    with pytest.raises(SubmissionError, match=r"no prediction .* version 1\.0"):
        nnunet.collect(results, tmp_path / "other")


def test_all_problems_are_reported_at_once(results, tmp_path):
    """Check one fault of each kind, and that nothing is written."""
    shutil.rmtree(results / "fold_5")
    validation = {number: results / f"fold_{number}" / "validation" for number in range(5)}
    (validation[0] / "synthetic-particles-00.png").unlink()
    (validation[1] / "synthetic-particles-05.png").write_bytes(b"no image")
    small = np.zeros((5, 5), np.uint8)
    io.imsave(validation[2] / "synthetic-particles-09.png", small, check_contrast=False)
    leaked = validation[3] / "synthetic-particles-16.png"
    (validation[4] / "synthetic-particles-16.png").rename(leaked)
    io.imsave(validation[4] / "case_17.png", np.zeros((192, 256), np.uint8), check_contrast=False)
    with pytest.raises(SubmissionError) as caught:
        nnunet.collect(results, tmp_path / "preds", split="clean")
    assert str(caught.value).startswith(f"{results} was not collected: 8 problems.\n")
    exports.check_problems(
        caught.value,
        "dataset.json: nnU-Net trained on split paper, not clean",
        "fold_0/validation has no prediction of synthetic-particles-00",
        "fold_1/validation/synthetic-particles-05.png: is not an image",
        "fold_2/validation/synthetic-particles-09.png: has the shape",
        "fold_3/validation predicts micrographs of other folds: synthetic-particles-16 (fold 4)",
        "fold_4/validation/case_17.png: there is no such micrograph",
        "fold_4/validation has no prediction of synthetic-particles-16",
        "fold_5/validation is not there",
    )
    assert not (tmp_path / "preds").exists()


def test_predictions_for_other_annotations_are_refused(results, tmp_path):
    """Check results of an export whose annotations are not today's."""
    about = json.loads((results / "dataset.json").read_text("utf-8"))
    assert about["uhcs_bench"]["data_id"] == particles().data_id
    about["uhcs_bench"]["data_id"] = "particles-synthetic-paper-00000000"
    (results / "dataset.json").write_text(json.dumps(about))
    with pytest.raises(SubmissionError, match=particles().data_id) as caught:
        nnunet.collect(results, tmp_path / "preds")
    assert len(caught.value.problems) == 1
    assert not (tmp_path / "preds").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [("split", "zz"), ("dataset_version", "zz"), ("dataset_version", ["1.0"]), ("task", "zz")],
)
def test_data_that_there_are_not_are_said_to_be_in_dataset_json(results, tmp_path, key, value):
    """Check that the file is named which states them, whatever the options."""
    about = json.loads((results / "dataset.json").read_text("utf-8"))
    about["uhcs_bench"][key] = value
    (results / "dataset.json").write_text(json.dumps(about))
    with pytest.raises(SubmissionError, match="export the data with this release") as caught:
        nnunet.collect(results, tmp_path / "preds", version="synthetic", split="paper")
    name = key.replace("dataset_version", "data set version")
    expected = f"{results / 'dataset.json'} states data that this release of uhcs-bench does not"
    exports.check_problems(caught.value, f"{expected} have (There is no {name} {value!r}. The ")


def test_folds_of_another_split_are_not_collected(results, tmp_path):
    """Check predictions of a training that did not use the exported folds."""
    paths = sorted(results.glob("fold_*/validation/*.png"))
    shutil.rmtree(results / "fold_5")
    for position, path in enumerate(paths):
        target = results / f"fold_{position % 5}" / "validation" / path.name
        if path.exists() and path != target:
            path.rename(target)
    with pytest.raises(SubmissionError, match="nnU-Net trained on folds of its own") as caught:
        nnunet.collect(results, tmp_path / "preds")
    assert "splits_final.json" in str(caught.value)


def test_several_trainings_or_none_are_reported(tmp_path):
    """Check folders in which there is not exactly one training."""
    for plans in ("nnUNetPlans", "nnUNetResEncUNetMPlans"):
        (tmp_path / "Dataset501" / f"nnUNetTrainer__{plans}__2d" / "fold_0").mkdir(parents=True)
    with pytest.raises(SubmissionError, match=r"several trainings.*ResEncUNetM"):
        nnunet.collect(tmp_path, tmp_path / "preds")
    with pytest.raises(SubmissionError, match="there is no fold_0"):
        nnunet.collect(tmp_path / "nowhere", tmp_path / "preds")


def test_submission_is_not_overwritten(trained, tmp_path):
    """Check that predictions are not gathered into a folder in use."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds files already"):
        nnunet.collect(trained, tmp_path)


def test_collected_maps_are_plain_label_maps(trained, tmp_path):
    """Check that the files hold nnU-Net's predictions."""
    nnunet.collect(trained, tmp_path / "preds")
    for path in (tmp_path / "preds").iterdir():
        (predicted,) = trained.glob(f"fold_*/validation/{path.name}")
        np.testing.assert_array_equal(images.read_image(path), io.imread(predicted))
