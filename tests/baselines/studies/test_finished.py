"""Finished folds: which may be used together, and what is said of those that may not."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from baselines import records
from baselines.__main__ import main
from baselines.studies import finished, quantization
from tests.baselines.studies.finished_runs import finish
from uhcs_bench.errors import UhcsBenchError, UsageError


def find(*runs, **options):
    """Look for folds of a method on synthetic particles."""
    return finished.find(runs, "unet", "particles", "synthetic", "Nothing was done", **options)


@pytest.mark.parametrize(("changes", "split"), [({}, "paper"), ({"split": "grouped"}, "grouped")])
def test_split_and_places_are_those_of_the_runs(tmp_path, changes, split):
    """Check the order of folds and folders."""
    runs = [finish(tmp_path / name, **changes) for name in "ab"]
    found = find(*runs)
    assert (found.split, list(found.folds)) == (split, [*range(6)])
    assert [place.out for place, _ in found.folds[3]] == runs
    assert found.checkpoints[4] == runs[0] / "folds/unet/particles/4/checkpoint.pt"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"inner": True}, r"segmented an inner fold; run it without --inner"),
        ({"dataset_version": "1.0"}, r"version 1\.0, not synthetic: say --dataset-version"),
        ({"split": "grouped"}, r"splits grouped and paper; give runs of one split"),
        ({"split": "nix"}, r"splits nix and paper"),
    ],
)
def test_runs_that_do_not_belong_together(tmp_path, changes, said):
    """Check each reason, of one fold among twelve."""
    runs = [finish(tmp_path / name) for name in "ab"]
    finish(runs[1], [4], **changes)
    with pytest.raises(UsageError, match=rf"(?s)Nothing was done.*{said}"):
        find(*runs)


def test_a_folder_that_is_given_twice_is_refused(tmp_path):
    """Check that no model counts twice in an average."""
    run = finish(tmp_path / "a")
    with pytest.raises(UsageError, match="a folder is given twice"):
        find(run, tmp_path / "." / "a")


def test_missing_folds_are_named_with_the_command(tmp_path):
    """Check a fold without a record, one without a model, and that folds may be left out."""
    run = finish(tmp_path / "a", [0, 1, 2, 3, 4], split="grouped")
    (run / "folds/unet/particles/2/checkpoint.pt").unlink()
    with pytest.raises(
        UhcsBenchError, match=r"(?s)folds 2, 5 are not .*--folds 2,5 --split gr.*--out"
    ):
        find(run)
    assert list(find(run, partly=True).folds) == [0, 1, 3, 4]
    with pytest.raises(UhcsBenchError, match=r"No fold of unet .* is finished: 1 problem"):
        find(tmp_path / "empty", partly=True)


def test_a_model_is_scored_on_the_folds_of_its_split(tmp_path, monkeypatch):
    """Check that one of the split "grouped" does not meet the paper's folds."""
    finish(tmp_path, [1], split="grouped")
    asked = []
    monkeypatch.setattr(quantization, "_compare_fold", lambda *given: asked.append(given[1:]))
    quantization.compare(tmp_path, "unet", "particles", "synthetic")
    assert asked == [("particles", 1, "synthetic", "grouped")]


DAMAGED = (
    "{", "[]", "null", "3", "{}", '{"validation": []}', '{"validation": [1]}', "[" * 100_000,
    '{"validation": [], "dataset_version": 1, "configuration": {}}',
    '{"validation": [], "dataset_version": "1.0", "configuration": []}',
    '{"validation": [], "dataset_version": "1.0", "configuration": {}, "split": []}',
    '{"validation": [], "dataset_version": "1.0", "configuration": {}, "seconds": {"train": "a"}}',
)  # fmt: skip


@pytest.mark.parametrize("text", DAMAGED, ids=lambda text: text[:40])
def test_a_fold_with_a_damaged_record_is_not_finished(tmp_path, text):
    """Check what is no JSON, and JSON of another form."""
    run = finish(tmp_path / "a")
    place = records.FoldRun(run, "unet", "particles", 3)
    place.record.write_text(text, encoding="utf-8")
    assert place.read() is None
    with pytest.raises(UhcsBenchError, match="1 problem"):
        find(run)


@pytest.mark.parametrize(
    "arguments",
    [
        ("quantization", "unet", "--task", "particles", "--runs", "a"),
        ("robustness", "--task", "particles", "--runs", "a", "--method", "unet", "--out", "out"),
        ("sizes", "--runs", "a", "--method", "unet"),
        ("segment", "unet", "--task", "particles", "--runs", "a", "--name", "x", "--out", "out"),
    ],
    ids=lambda arguments: arguments[0],
)
@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"inner": True}, 2, "without --inner"),
        ({"dataset_version": "1.0"}, 2, "say --dataset-version"),
        ({}, 1, "is no checkpoint"),
    ],
)
def test_commands_refuse_runs_that_they_can_not_use(
    tmp_path, monkeypatch, arguments, changes, code, said
):
    """Check inner folds, other data and damaged models: one error, and the help's exit code."""
    monkeypatch.chdir(tmp_path)
    finish(tmp_path / "a", **changes)
    result = CliRunner().invoke(main, [*arguments, "--dataset-version", "synthetic"])
    assert (result.exit_code, said in result.stderr) == (code, True)
    assert isinstance(result.exception, SystemExit)
