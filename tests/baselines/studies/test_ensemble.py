"""Finished folds segmented again: several seeds averaged, several views."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import uhcs_bench
from baselines import prediction, records, runs
from baselines.studies import ensemble
from uhcs_bench import protocol
from uhcs_bench.errors import UhcsBenchError, UsageError
from uhcs_bench.io import images

CPU = torch.device("cpu")


@pytest.fixture
def trained(tiny, tmp_path, monkeypatch):
    """Give two runs of different seeds on the first two folds of small synthetic micrographs."""
    monkeypatch.setattr(protocol, "N_FOLDS", 2)
    load = uhcs_bench.load

    def load_small(*args, **options):
        fold = load(*args, **options)
        return replace(fold, train=[small(m) for m in fold.train], val=[small(m) for m in fold.val])

    monkeypatch.setattr(uhcs_bench, "load", load_small)
    folders = [tmp_path / "seed0", tmp_path / "seed1"]
    for seed, folder in enumerate(folders):
        configuration = tiny("unet", updates=1, seed=seed)
        runs.run(runs.Plan(configuration, "particles", "synthetic", folder, CPU), [0, 1])
    return folders


def small(micrograph):
    """Cut the corner out of a micrograph."""
    return replace(micrograph, image=micrograph.image[:40, :50], labels=micrograph.labels[:40, :50])


def plan(folders, out, name="both", **settings):
    how = {"device": CPU, "precision": "float32", "tta": False, "version": "synthetic", **settings}
    return ensemble.Plan(
        method="unet", task="particles", runs=tuple(folders), name=name, out=out, **how
    )


def test_seeds_are_averaged(trained, tmp_path):
    """Check the label maps against averaged probabilities, and what is on record."""
    assert ensemble.segment_folds(plan(trained, tmp_path)) == 24
    micrograph = uhcs_bench.load("particles", fold=1, version="synthetic").val[2]
    places = [records.FoldRun(folder, "unet", "particles", 1) for folder in trained]
    models = prediction.load_models([place.checkpoint for place in places], CPU)
    expected = prediction.probabilities(models, micrograph.image).argmax(axis=0)
    found = images.read_image(tmp_path / "both" / "particles" / f"{micrograph.id}.png")
    np.testing.assert_array_equal(found, expected)
    record = json.loads((tmp_path / "both" / "record.json").read_text())
    part = record["tasks"]["particles"]
    assert part["tta"] is False
    assert [run["seed"] for run in part["folds"]["1"]] == [1, 3]


def test_one_run_gives_its_own_maps_again(trained, tmp_path):
    """Check that a run segmented again without views has the same label maps."""
    ensemble.segment_folds(plan(trained[:1], tmp_path, name="again"))
    maps = sorted((trained[0] / "unet" / "particles").glob("*.png"))
    assert len(maps) == 24
    for path in maps:
        assert path.read_bytes() == (tmp_path / "again" / "particles" / path.name).read_bytes()


def test_the_maps_of_a_run_are_not_replaced(trained):
    """Check the message."""
    with pytest.raises(UsageError, match=r"Choose another --name"):
        ensemble.segment_folds(plan(trained, trained[0], name="unet"))


def test_unfinished_folds_are_listed(trained, tmp_path):
    """Check that every missing fold and model is named at once, before anything is written."""
    first, second = (records.FoldRun(folder, "unet", "particles", 1) for folder in trained)
    first.record.unlink()
    second.checkpoint.unlink()
    with pytest.raises(UhcsBenchError, match=r"(?s)2 problems.*seed0.*seed1"):
        ensemble.segment_folds(plan(trained, tmp_path))
    assert not (tmp_path / "both").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "grouped"}, "splits grouped and paper"),
        ({"inner": True}, "segmented an inner fold"),
        ({"dataset_version": "1.0"}, "has the data set version 1.0, not synthetic"),
    ],
)
def test_runs_that_do_not_belong_together(trained, tmp_path, changes, message):
    """Check that runs of several splits, of inner folds or of other data are refused."""
    place = records.FoldRun(trained[1], "unet", "particles", 1)
    records.write_json(place.record, {**place.read(), **changes})
    with pytest.raises(UsageError, match=message):
        ensemble.segment_folds(plan(trained, tmp_path))
    assert not (tmp_path / "both").exists()


def test_an_interrupted_call_leaves_no_record_of_the_maps_before(trained, tmp_path, monkeypatch):
    """Check that a record never states other models than those of the maps beside it."""
    ensemble.segment_folds(plan(trained[:1], tmp_path))
    path = tmp_path / "both" / "record.json"
    content = json.loads(path.read_text())
    records.write_json(path, {**content, "tasks": {**content["tasks"], "microconstituents": {}}})
    monkeypatch.setattr(ensemble.label_maps, "write_label_map", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ensemble.segment_folds(plan(trained, tmp_path))
    assert json.loads(path.read_text())["tasks"] == {"microconstituents": {}}


def interrupt(*_):
    """Stop as Ctrl-C does."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"tasks": 3}', '{"tasks": {"uhcs": 3}}'])
def test_a_record_of_something_else_is_left_alone(tmp_path, text):
    """Check that nothing is segmented beside a file that segment did not write."""
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "record.json").write_text(text)
    with pytest.raises(UsageError, match=r"record\.json is no record .* Choose another --name"):
        ensemble.segment_folds(plan([tmp_path], tmp_path))
    assert (tmp_path / "both" / "record.json").read_text() == text


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/a"])
def test_a_name_is_that_of_a_folder(tmp_path, name):
    """Check that maps can't be filed beside --out or in it."""
    with pytest.raises(UsageError, match="is no name of a folder"):
        ensemble.segment_folds(plan([tmp_path], tmp_path, name=name))
