"""Scores against the number of training micrographs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from click.testing import CliRunner

import uhcs_bench
from baselines import records
from baselines.__main__ import main
from baselines.configuration import configure
from baselines.studies import efficiency
from uhcs_bench.data import label_maps
from uhcs_bench.errors import UhcsBenchError, UsageError


@pytest.fixture
def write(tmp_path):
    """Write a run, whose label maps are right but for some rows; on synthetic micrographs."""

    def make(name, *, size=None, wrong=0, folds=(0, 1), inner=False, left_out=0, **settings):
        out = tmp_path / name
        for number in folds:
            fold = uhcs_bench.load("particles", fold=number, version="synthetic")
            fold = fold if size is None else fold.subset(size)
            place = records.FoldRun(out, "unet", "particles", number)
            for micrograph in fold.val:
                labels = np.array(micrograph.labels)
                labels[:wrong] = 1 - labels[:wrong]
                label_maps.write_label_map(place.label_map(micrograph.id), labels)
            content = {
                "configuration": configure("unet", **settings).to_dict(),
                "dataset_version": "synthetic",
                "inner": inner,
                "train_size": size,
                "training": list(fold.train.ids)[number * left_out :],
                "validation": list(fold.val.ids),
            }
            records.write_json(place.record, content)
        records.write_method_record(out, "unet")
        return out

    return make


def test_points_are_scores_of_common_folds(write):
    """Check sizes, folds and scores against `uhcs_bench.score`, and the spread by hand."""
    runs = [
        write("all", wrong=10),
        write("2", size=2, wrong=100, folds=(0, 1, 3)),
        write("2-seed1", size=2, wrong=140, seed=1, folds=(1, 2)),
    ]
    few, every = efficiency.read(runs, "unet", "particles")
    assert (few.size, few.n_runs, every.size, every.n_runs) == ("2", 2, "20", 1)
    assert few.folds == every.folds == (1,)
    expected = []
    for run in runs[1:]:
        found = uhcs_bench.score(
            run / "unet" / "particles", task="particles", fold=1, version="synthetic"
        )
        expected.append(found["particles"].conventions["paper"])
    assert few.IU.mean(axis=1) == pytest.approx([100 * score.IU.mean for score in expected])
    assert few.AC.mean() == pytest.approx(100 * np.mean([score.AC.mean for score in expected]))
    first, second = few.IU.mean(axis=1)
    assert few.between_runs == pytest.approx(abs(first - second) / math.sqrt(2))
    assert math.isnan(every.between_runs)
    by_micrograph = few.IU.mean(axis=0)
    assert few.error == pytest.approx(np.std(by_micrograph, ddof=1) / 2)


def test_text_and_curve(write, tmp_path):
    """Check the command's table, and that the curve is written."""
    runs = [str(write("4", size=4, wrong=50)), str(write("1", size=1, wrong=100)),
            str(write("1-seed1", size=1, wrong=100, seed=1))]  # fmt: skip
    picture = tmp_path / "curve.png"
    result = CliRunner().invoke(
        main, ["efficiency", "unet", *runs, "--task", "particles", "--picture", str(picture)]
    )
    assert result.exit_code == 0, result.output
    _, _, first, second, _, last = result.stdout.splitlines()
    assert [cell.strip() for cell in first.strip("|").split("|")][:2] == ["1", "2"]
    assert first.split("|")[4].strip() == "0.00"
    assert [cell.strip() for cell in second.strip("|").split("|")][:2] == ["4", "1"]
    assert last.startswith("Folds 0, 1, n = 8 validation micrographs.")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_folds_may_have_different_numbers_of_micrographs(write):
    """Check a run on all micrographs of folds of which one has fewer, as in the split clean."""
    runs = [write("all", left_out=3), write("16", size=16, folds=(0, 1, 2))]
    few, every = efficiency.read(runs, "unet", "particles")
    assert (few.size, every.size, every.mean_size) == ("16", "17 to 20", 18.5)
    assert "| 17 to 20 " in efficiency.to_text([few, every])
    assert [
        tick.get_text() for tick in efficiency.draw([few, every], "").axes[0].get_xticklabels()
    ] == [
        "16",
        "17 to 20",
    ]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"crop": 320}, r"b has other settings than .*a \(crop: 320, there None\)"),
        ({}, r"b has the seed 0 and 20 training micrographs, as .*a has: leave one"),
        ({"inner": True, "size": 2}, r"b has label maps of inner folds: run it without --inner"),
    ],
)
def test_runs_that_are_no_curve_are_refused(write, other, message):
    """Check other settings, the same run twice, and inner folds."""
    with pytest.raises(UsageError, match=message):
        efficiency.read([write("a"), write("b", **other)], "unet", "particles")


def test_missing_folds_are_named(write, tmp_path):
    """Check folders without runs, runs without a common fold, and a label map that is gone."""
    with pytest.raises(UhcsBenchError, match=r"(?s)2 problems.*x has no .*y has no"):
        efficiency.read([tmp_path / "x", tmp_path / "y"], "unet", "particles")
    runs = [write("a"), write("b", size=2, folds=(3,))]
    with pytest.raises(UhcsBenchError, match="no fold is finished in all of them"):
        efficiency.read(runs, "unet", "particles")
    gone = next((runs[0] / "unet" / "particles").glob("*.png"))
    gone.unlink()
    with pytest.raises(UhcsBenchError, match=f"lacks the label maps of {gone.stem}, although"):
        efficiency.read(runs[:1], "unet", "particles")


@pytest.mark.parametrize("configuration", [{}, {"seed": [1]}])
def test_a_run_without_a_seed_contradicts_nothing(write, configuration):
    """Check a record of another program, which may state no seed, or a strange one."""
    run = write("a")
    for fold in (0, 1):
        place = records.FoldRun(run, "unet", "particles", fold)
        records.write_json(place.record, {**place.read(), "configuration": configuration})
    records.write_method_record(run, "unet")
    models = efficiency._models(run, "unet", "particles")
    assert efficiency._contradictions({run: models}) == []
    assert efficiency._repeated({run: models}, [0, 1]) == []


def test_a_subset_of_all_is_no_second_run(write):
    """Check a fold that has no more micrographs than the subset, as some of clean have."""
    runs = [write("all", left_out=4, folds=(1,)), write("16", size=16, folds=(1,))]
    place = records.FoldRun(runs[0], "unet", "particles", 1)
    fewer = uhcs_bench.load("particles", fold=1, version="synthetic").subset(16).train.ids
    records.write_json(place.record, {**place.read(), "training": list(fewer)})
    records.write_method_record(runs[0], "unet")
    with pytest.raises(UsageError, match="the seed 0 and 16 training micrographs, as"):
        efficiency.read(runs, "unet", "particles")
