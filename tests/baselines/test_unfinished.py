"""The command that finishes a run: with the settings that the run was begun with."""

from __future__ import annotations

import shlex

import pytest
from click.testing import CliRunner

from baselines import runs
from baselines.__main__ import main
from baselines.records import FoldRun
from baselines.studies import ablation, efficiency, finished
from baselines.training.progress import Progress
from baselines.unfinished import remedy
from tests.baselines.studies.finished_runs import finish
from uhcs_bench.errors import UhcsBenchError


@pytest.fixture
def plan_of(monkeypatch):
    """Give what a command of the baselines would run, and on which folds."""
    planned = []
    monkeypatch.setattr(runs, "run", lambda plan, folds: planned.append((plan, folds)) or [])

    def plan_of(*words):
        result = CliRunner().invoke(main, list(map(str, words)), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return planned.pop()

    return plan_of


def words_of(sentence):
    """Take the command out of a sentence."""
    return shlex.split(sentence.split("`")[1])[3:]


@pytest.mark.parametrize("left", ["progress", "record"])
@pytest.mark.parametrize(
    "options",
    [
        ("unet-efficientnet", "--split", "clean", "--train-size", 4, "--weights", "none"),
        ("unet-efficientnet", "--no-tta", "--crop", 320, "--updates", 20, "--seed", 3),
        ("unet", "--inner", "--dataset-version", "synthetic", "--precision", "bfloat16"),
        ("pixelnet-ce", "--split", "grouped", "--fc7"),
    ],
    ids=lambda options: " ".join(map(str, options)),
)
def test_the_command_has_the_settings_that_the_run_was_begun_with(tmp_path, plan_of, options, left):
    """Check the settings that the command gives against those of an interrupted or finished run."""
    out = tmp_path / "a run"
    begun = ("run", *options, "--task", "particles", "--folds", "1", "--out", out)
    plan, folds = plan_of(*begun)
    place = FoldRun(out, plan.configuration.method, "particles", 1)
    place.folder.mkdir(parents=True)
    if left == "progress":
        Progress(place.progress, plan.settings()).save({})
    else:  # label maps of the finished fold are gone
        finish(out, [1], plan.configuration.method, **plan.settings())
        place.label_map("map-1").unlink()
    again, folds_again = plan_of(*words_of(remedy(out, plan.configuration.method, "particles")))
    assert (again.settings(), again.out) == (plan.settings(), plan.out)
    assert folds_again == folds == [1]


def test_a_run_that_left_no_settings_is_finished_with_its_own_command(tmp_path):
    """Check a fold that was begun and left nothing, and one of settings that no option makes."""
    place = FoldRun(tmp_path, "unet", "particles", 0)
    place.folder.mkdir(parents=True)
    said = "Finish it with the command that it was begun with"
    assert remedy(tmp_path, "unet", "particles") == said
    place.progress.write_bytes(b"damaged")
    assert remedy(tmp_path, "unet", "particles") == said
    place.progress.unlink()
    Progress(place.progress, {"configuration": {"batch": 1}}).save({})
    assert remedy(tmp_path, "unet", "particles") == said


def test_what_tasks_share_is_taken_from_the_other_one(tmp_path):
    """Check the split of a method whose other task was begun, in the same folder."""
    finish(tmp_path, [0], split="grouped", configuration={"seed": 4})
    words = words_of(remedy(tmp_path, "unet", "microconstituents"))
    assert words[4:] == [
        *("--split", "grouped", "--dataset-version", "synthetic", "--out", str(tmp_path)),
    ]


@pytest.mark.parametrize(
    ("read", "inner"),
    [
        (lambda run: efficiency.read([run], "unet", "particles"), []),
        (lambda run: ablation.read([run], "unet", "particles"), ["--inner"]),
        (lambda run: finished.find([run], "unet", "particles", "1.0", "x"), []),
        (lambda run: finished.find([run], "unet", "particles", "1.0", "x", partly=True), []),
    ],
    ids=["efficiency", "ablation", "all folds", "any fold"],
)
def test_studies_of_an_unfinished_run_name_its_settings_once(tmp_path, plan_of, read, inner):
    """Check that one problem is listed for a run, with the command of its own settings."""
    options = ("--task", "particles", "--split", "clean", "--train-size", 4, *inner)
    if inner:
        options = ("--task", "particles", "--split", "clean", *inner)
    plan, _ = plan_of("run", "unet", *options, "--folds", "0", "--out", tmp_path)
    place = FoldRun(tmp_path, "unet", "particles", 0)
    place.folder.mkdir(parents=True)
    Progress(place.progress, plan.settings()).save({})
    with pytest.raises(UhcsBenchError, match="1 problem") as caught:
        read(tmp_path)
    again, _ = plan_of(*words_of(str(caught.value)))
    assert again.settings() == plan.settings()
