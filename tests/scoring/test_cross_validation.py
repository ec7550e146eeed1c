"""Cross-validation: what a method is given, what is saved, and how it is resumed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import uhcs_bench
from uhcs_bench.errors import SubmissionError, UhcsBenchError, UsageError
from uhcs_bench.segmentation import otsu

DATA = {"version": "synthetic"}


class Method:
    """Otsu's threshold that records what it is given, and may fail after some folds."""

    def __init__(self, n_folds=99):
        self.trained = []
        self.predicted = []
        self.left = n_folds

    def __call__(self, train):
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        self.trained.append(train)
        return self.predict

    def predict(self, image):
        assert type(image) is np.ndarray
        labels = otsu.segment(image, "particles")
        image[:] = 0  # its own copy
        self.predicted.append(len(self.trained) - 1)
        return labels


@pytest.mark.slow
def test_each_fold_is_trained_without_its_validation_micrographs(tmp_path):
    """Check the ids that are handed out, and the scores against Otsu's threshold."""
    method = Method()
    report = uhcs_bench.cross_validate(method, "particles", tmp_path, **DATA)
    whole = uhcs_bench.load("particles", **DATA)
    for number, train in enumerate(method.trained):
        assert train.ids == whole.fold(number).train.ids
        assert not set(train.ids) & set(whole.fold(number).val.ids)
    assert method.predicted == sorted([*range(6)] * 4)
    maps = {m.id: otsu.segment(m.image, "particles") for m in whole}
    assert replace(report, training_split=None) == uhcs_bench.score(maps, **DATA)
    assert report == uhcs_bench.score(tmp_path, **DATA)


@pytest.mark.slow
def test_interrupted_run_is_resumed(tmp_path):
    """Check that finished folds are not trained again, and a lost map is made again."""
    with pytest.raises(KeyboardInterrupt):
        uhcs_bench.cross_validate(Method(2), "particles", tmp_path, **DATA)
    rest = Method()
    with pytest.warns(UserWarning, match="holds the maps of the folds 0, 1; they are not trained"):
        report = uhcs_bench.cross_validate(rest, "particles", tmp_path, **DATA)
    assert len(rest.trained) == 4
    (tmp_path / "particles" / "synthetic-particles-05.png").unlink()
    again = Method()
    with pytest.warns(UserWarning, match="Choose another folder for another method"):
        assert uhcs_bench.cross_validate(again, "particles", tmp_path, **DATA) == report
    assert len(again.trained) == 1


def test_interrupted_run_is_resumed_elsewhere(tmp_path, monkeypatch):
    """Check a machine that does not remember which files the first one wrote."""
    out = tmp_path / "preds"
    with pytest.raises(KeyboardInterrupt):
        uhcs_bench.cross_validate(Method(2), "particles", out, **DATA)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    rest = Method()
    with pytest.warns(UserWarning, match="folds 0, 1; they are not trained"):
        uhcs_bench.cross_validate(rest, "particles", out, **DATA)
    assert len(rest.trained) == 4


def test_what_may_not_be_replaced_is_found_before_training(tmp_path):
    """Check a user's own file in the place of a label map."""
    fold = uhcs_bench.load("particles", fold=0, **DATA)
    path = tmp_path / "particles" / f"{fold.val[0].id}.png"
    path.parent.mkdir()
    path.write_bytes(b"mine")
    method = Method()
    with pytest.raises(UhcsBenchError, match="did not write"):
        uhcs_bench.cross_validate(method, "particles", tmp_path, **DATA)
    assert method.trained == []
    assert path.read_bytes() == b"mine"


def test_folder_of_other_data_is_refused(tmp_path):
    """Check a record of other folds, and one that can't be read."""
    uhcs_bench.cross_validate(Method(), "particles", tmp_path, **DATA)
    path = tmp_path / "particles" / "cross_validation.json"
    path.write_text(json.dumps({"data_id": "particles-1.0-clean-00000000", "folds": [0]}))
    with pytest.raises(UsageError, match=r"particles-1\.0-clean-00000000.*another folder"):
        uhcs_bench.cross_validate(Method(), "particles", tmp_path, **DATA)
    path.write_text("[]")
    with pytest.raises(UsageError, match="no record of a cross-validation"):
        uhcs_bench.cross_validate(Method(), "particles", tmp_path, **DATA)


def test_wrong_map_ends_the_run_before_the_next_fold(tmp_path):
    """Check that all wrong maps of the fold are named, and that it is not finished."""
    calls = []

    def train(train):
        calls.append(train)
        return lambda image: image[:5]

    with pytest.raises(SubmissionError, match="saved: 4 problems"):
        uhcs_bench.cross_validate(train, "particles", tmp_path, **DATA)
    assert len(calls) == 1
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize(
    ("predict", "cause"),
    [
        (lambda micrograph: micrograph.image > 100, AttributeError),
        (lambda image, labels: image > labels, TypeError),
        (lambda image: image["gray"] > 100, IndexError),
    ],
)
def test_failing_function_is_told_on_which_micrograph(tmp_path, predict, cause):
    """Check that a function which expects something else is told what it gets; others' errors stay.

    The error of the function itself is chained.
    """
    first = uhcs_bench.load("particles", **DATA).fold(0).val.ids[0]
    if cause is IndexError:
        with pytest.raises(cause):
            uhcs_bench.cross_validate(lambda _: predict, "particles", tmp_path, **DATA)
        return
    with pytest.raises(UsageError) as caught:
        uhcs_bench.cross_validate(lambda _: predict, "particles", tmp_path, **DATA)
    assert type(caught.value.__cause__) is cause
    for part in (first, cause.__name__, str(caught.value.__cause__), "ndarray of uint8, (h, w)"):
        assert part in str(caught.value)
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize("train", [5, lambda _: 5])
def test_what_is_no_function_is_told_what_one_gets(tmp_path, train):
    """Check both messages: of a method, and of what its training returns."""
    with pytest.raises(UsageError, match=r"from the gray image of a micrograph \(ndarray of uint8"):
        uhcs_bench.cross_validate(train, "particles", tmp_path, **DATA)


@pytest.mark.parametrize("out", [(), (None,), (5,)])
def test_folder_is_required(out):
    """Check that the message shows the call, before anything is loaded or trained."""
    method = Method()
    with pytest.raises(UsageError, match=r"for example cross_validate.*'particles', out='preds/m"):
        uhcs_bench.cross_validate(method, "particles", *out, **DATA)
    assert method.trained == []
