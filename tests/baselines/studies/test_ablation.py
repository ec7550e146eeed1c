"""Choices that were made inside the training folds."""

from __future__ import annotations

import numpy as np
import pytest

import uhcs_bench
from baselines import records
from baselines.configuration import configure
from baselines.studies import ablation
from uhcs_bench.data import label_maps
from uhcs_bench.errors import UhcsBenchError, UsageError


def write(folder, inner=True, wrong=0, **settings):
    """Write an inner run of fold 5, whose maps of fold 0 are right but for some rows."""
    place = records.FoldRun(folder, "unet", "particles", 5)
    held_out = uhcs_bench.load("particles", fold=0, version="synthetic").val
    for micrograph in held_out:
        labels = np.array(micrograph.labels)
        labels[:wrong] = 1 - labels[:wrong]
        label_maps.write_label_map(place.label_map(micrograph.id), labels)
    records.write_json(
        place.record,
        {
            "configuration": configure("unet", **settings).to_dict(),
            "dataset_version": "synthetic",
            "inner": inner,
            "fold": 5,
            "validation": list(held_out.ids),
            "seconds": {"train": 600.0},
        },
    )
    return folder


def test_choices_are_scored_on_the_inner_fold(tmp_path):
    """Check scores, the fold they are of, and that only settings that differ are listed."""
    runs = [write(tmp_path / "a", crop=224), write(tmp_path / "b", wrong=100, crop=320)]
    first, second = ablation.read(runs, "unet", "particles")
    assert (first.fold, first.inner_fold, first.n) == (5, 0, 4)
    assert (first.IU, first.AC) == (100, 100)
    shape = uhcs_bench.load("particles", version="synthetic")[0].labels.shape
    assert second.AC == pytest.approx(100 * (1 - 100 / shape[0]))
    header, _, *lines = ablation.to_text([first, second], "simple").splitlines()
    assert header.split()[:2] == ["run", "crop"]
    assert "weight_decay" not in header
    assert lines[0].split()[:2] == ["a", "224"]
    assert lines[0].split()[-3:] == ["100.0", "100.0", "10"]


def test_stages_are_written_as_updates_and_rates(tmp_path):
    """Check the cell of runs of different lengths."""
    runs = [write(tmp_path / "a", updates=300), write(tmp_path / "b", updates=600)]
    text = ablation.to_text(ablation.read(runs, "unet", "particles"))
    assert "300 updates at 0.001" in text


def test_runs_that_have_seen_the_fold_are_refused(tmp_path):
    """Check that no choice is made on a validation fold."""
    with pytest.raises(UsageError, match="is no inner run: run it with --inner"):
        ablation.read([write(tmp_path / "a", inner=False)], "unet", "particles")


@pytest.mark.parametrize("change", [{"split": "zz"}, {"dataset_version": "zz"}])
def test_records_of_data_that_there_are_not_are_named(tmp_path, change):
    """Check split and version of another release."""
    place = records.FoldRun(write(tmp_path / "a"), "unet", "particles", 5)
    records.write_json(place.record, place.read() | change)
    with pytest.raises(UhcsBenchError, match=r"There is no .*'zz'.*Run the fold again") as caught:
        ablation.read([tmp_path / "a"], "unet", "particles")
    assert str(caught.value).startswith(f"{place.record} states data")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_a_record_of_ids_that_no_file_can_have_is_not_finished(tmp_path, name):
    """Check that the folder is named, as where maps are missing."""
    place = records.FoldRun(write(tmp_path / "a"), "unet", "particles", 5)
    records.write_json(place.record, place.read() | {"validation": [name]})
    assert place.read() is None
    with pytest.raises(UhcsBenchError, match=r"a has no finished fold of unet"):
        ablation.read([tmp_path / "a"], "unet", "particles")


def test_empty_folders_are_named(tmp_path):
    """Check that all are."""
    with pytest.raises(UhcsBenchError, match=r"(?s)2 problems.*a has no .*b has no"):
        ablation.read([tmp_path / "a", tmp_path / "b"], "unet", "particles")


def test_a_configuration_that_can_not_be_read_is_named(tmp_path):
    """Check a record of another program."""
    run = write(tmp_path / "a")
    place = records.FoldRun(run, "unet", "particles", 5)
    records.write_json(place.record, {**place.read(), "configuration": {"seed": 0}})
    with pytest.raises(
        UhcsBenchError, match=r"fold\.json states no configuration that can be read"
    ):
        ablation.read([run], "unet", "particles")
