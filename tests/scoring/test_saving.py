"""Predictions saved as the files of a submission."""

from __future__ import annotations

import numpy as np
import pytest

import uhcs_bench
from uhcs_bench.errors import SubmissionError
from uhcs_bench.scoring import saving


def maps(task="particles"):
    return {m.id: m.labels for m in uhcs_bench.load(task, fold=2, version="synthetic").val}


def test_saved_maps_score_like_those_in_memory(tmp_path):
    """Check both tasks in one folder."""
    both = maps() | maps("microconstituents")
    folder = uhcs_bench.save_predictions(both, tmp_path / "a" / "b", "synthetic")
    saved = uhcs_bench.score(folder, fold=2, version="synthetic")
    assert saved == uhcs_bench.score(both, fold=2, version="synthetic")
    assert sorted(path.name for path in folder.iterdir()) == ["microconstituents", "particles"]


def test_all_problems_are_listed_and_nothing_is_written(tmp_path):
    """Check a wrong shape and an unknown id beside a right map."""
    wrong = maps()
    first, second, *_ = wrong
    wrong[first] = np.zeros((3, 3), np.uint8)
    wrong["particle-99"] = wrong.pop(second)
    with pytest.raises(SubmissionError, match="not saved: 2 problems") as caught:
        uhcs_bench.save_predictions(wrong, tmp_path / "out", "synthetic")
    assert "particle-99" in str(caught.value)
    assert "(3, 3)" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_home_folder_is_expanded(tmp_path, monkeypatch):
    """Check a path with a tilde."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = uhcs_bench.save_predictions(maps(), "~/preds", "synthetic")
    assert folder == tmp_path / "preds"
    assert len(list(folder.glob("particles/*.png"))) == 4


def test_maps_of_an_earlier_program_are_named(tmp_path, monkeypatch, recwarn):
    """Check one method fold by fold, and another one in a folder that holds its maps."""
    whole = {m.id: m.labels for m in uhcs_bench.load("particles", version="synthetic")}
    uhcs_bench.save_predictions(maps(), tmp_path, "synthetic")
    uhcs_bench.save_predictions(whole, tmp_path, "synthetic")
    uhcs_bench.save_predictions(maps(), tmp_path, "synthetic")
    assert not recwarn.list
    monkeypatch.setattr(saving, "_SAVED", set())
    with pytest.warns(UserWarning, match="holds 20 maps of an earlier program"):
        uhcs_bench.save_predictions(maps(), tmp_path, "synthetic")
