"""Fold runs: what they write, how they resume, how they fail."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import uhcs_bench
from baselines import prediction, records, run_lock, runs
from baselines.training import checkpoint
from baselines.training.progress import Progress, settings_of
from uhcs_bench.errors import UhcsBenchError, UsageError

CPU = torch.device("cpu")


@pytest.fixture
def plan(tiny, tmp_path):
    """Plan a run of seconds on the synthetic set."""

    def make(method="unet", jobs=1, **settings):
        return runs.Plan(tiny(method, **settings), "particles", "synthetic", tmp_path, CPU, jobs)

    return make


def test_a_fold_leaves_everything_behind(plan, tmp_path):
    """Check label maps, record, loss curve and checkpoint of a finished fold."""
    chosen = plan()
    assert runs.run(chosen, [2]) == [2]
    fold = uhcs_bench.load("particles", fold=2, version="synthetic")
    maps = {
        m.id: np.asarray(read(tmp_path / "unet" / "particles" / f"{m.id}.png")) for m in fold.val
    }
    report = uhcs_bench.score(maps, task="particles", fold=2, version="synthetic")
    assert report["particles"].n_images == 4

    place = chosen.fold_run(2)
    record = json.loads(place.record.read_text())
    assert record["updates"] == 3
    assert record["configuration"] == chosen.configuration.to_dict()
    assert record["validation"] == [m.id for m in fold.val]
    assert not set(record["validation"]) & set(record["training"])
    assert set(record["seconds"]) == {"prepare", "build", "train", "predict"}
    assert record["hardware"]["device"] == "cpu"
    assert record["versions"]["torch"] == torch.__version__
    with (place.folder / "loss.csv").open() as stream:
        assert [row["update"] for row in csv.DictReader(stream)] == ["1", "2", "3"]
    assert (place.folder / "loss.png").read_bytes().startswith(b"\x89PNG")

    trained = checkpoint.load(place.checkpoint, CPU)
    assert trained.configuration == chosen.configuration
    assert trained.classes == ("matrix", "particle")
    again = prediction.segment(trained.model, fold.val[0].image)
    assert np.array_equal(again, maps[fold.val[0].id])


def read(path):
    return uhcs_bench.io.images.read_image(path)


def test_all_micrographs(plan, tmp_path):
    """Check that a model that is trained on all of them leaves folds and label maps alone."""
    chosen = plan("unet-efficientnet", updates=1)
    assert runs.run(chosen, [None]) == [None]
    assert runs.run(chosen, [None]) == []
    place = chosen.fold_run(None)
    record = place.read()
    assert len(record["training"]) == 24
    assert record["validation"] == []
    assert checkpoint.load(place.checkpoint, CPU).fold is None
    assert str(place) == "unet-efficientnet, particles, all micrographs"
    method = json.loads((tmp_path / "unet-efficientnet" / "record.json").read_text())
    assert method["tasks"] == {}


def test_an_inner_split_leaves_the_fold_alone(plan):
    """Check that two folds are held out, that the second is segmented, and that it is on record."""
    chosen = replace(plan(updates=1), inner=True)
    runs.run(chosen, [5])
    record = chosen.fold_run(5).read()
    fold_of = {m.id: m.fold for m in uhcs_bench.load("particles", version="synthetic")}
    assert {fold_of[name] for name in record["training"]} == {1, 2, 3, 4}
    assert {fold_of[name] for name in record["validation"]} == {0}
    assert len(record["training"]) == 16
    with pytest.raises(UsageError, match="inner: True, now False"):
        runs.run(plan(updates=1), [5])


def test_a_split_has_its_own_folds(plan):
    """Check training and validation micrographs on real ids, and that splits are not mixed."""
    chosen = replace(plan(updates=1), split="clean", train_size=2)
    runs.run(chosen, [1])
    record = chosen.fold_run(1).read()
    assert (record["split"], record["train_size"]) == ("clean", 2)
    fold = uhcs_bench.load("particles", fold=1, version="synthetic", split="clean")
    assert record["training"] == list(fold.subset(2).train.ids)
    assert record["validation"] == list(fold.val.ids)
    with pytest.raises(UsageError, match=r"(?s)fold 1 was finished .*split: clean, now paper"):
        runs.run(plan(updates=1), [0])
    assert not runs.is_finished(chosen, 0)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"split": "grouped"}, "split: clean, now grouped"),
        ({"train_size": 4}, "train_size: 2, now 4"),
        ({"train_size": None}, "train_size: 2, now None"),
        ({"train_size": None, "inner": True}, "inner: False, now True"),
        ({"version": "audited"}, "dataset_version: synthetic, now audited"),
    ],
)
def test_tasks_of_a_method_are_not_mixed(plan, monkeypatch, changes, difference):
    """Check that what both tasks share is compared between them, before anything is trained."""
    first = replace(plan(), split="clean", train_size=2)
    records.write_json(first.fold_run(1).record, {**first.settings(), "validation": []})
    monkeypatch.setattr(runs, "_run_logged", lambda *_: pytest.fail("it trains"))
    monkeypatch.setattr(runs, "_check_subset", lambda *_: None)  # it loads micrographs
    other = replace(
        plan(), task="microconstituents", **{"split": "clean", "train_size": 2} | changes
    )
    with pytest.raises(UsageError) as caught:
        runs.run(other, [0])
    assert difference in str(caught.value)
    assert "choose another --out, or delete" in str(caught.value)


def test_tasks_of_a_method_may_be_trained_in_other_ways(plan, monkeypatch):
    """Check that settings of the training, such as the crop, are compared within a task alone."""
    first = plan()
    records.write_json(first.fold_run(1).record, {**first.settings(), "validation": []})
    ran = []
    monkeypatch.setattr(runs, "_run_logged", lambda _plan, fold, _report: ran.append(fold))
    runs.run(replace(plan(crop=48), task="microconstituents"), [0])
    runs.run(replace(plan("unet-efficientnet"), split="grouped"), [1])
    assert ran == [0, 1]


def test_settings_that_exclude_each_other(plan):
    """Check the messages, before anything is trained."""
    with pytest.raises(UsageError, match="--inner and --train-size"):
        runs.run(replace(plan(), inner=True, train_size=2), [0])
    with pytest.raises(UsageError, match="no subset of 3 training micrographs"):
        runs.run(replace(plan(), train_size=3), [0])


def test_an_interrupted_fold_goes_on(plan, monkeypatch):
    """Check that a killed run's state is used by the next, and that it is gone in the end."""
    monkeypatch.setattr("baselines.training.loop.SAVE_EVERY", 1)
    chosen = plan(updates=3)
    calls = []

    def interrupt(_loss):
        calls.append(_loss)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.run_fold(chosen, 1, interrupt)
    assert not runs.is_finished(chosen, 1)
    place = chosen.fold_run(1)
    progress = Progress(place.folder / "progress.pt", chosen.settings())
    state = progress.load()
    assert 0 < state["seconds"] < 1000
    progress.save(state | {"seconds": 1000.0})
    runs.run(chosen, [1])
    assert place.read()["resumed_after"] == 2
    assert place.read()["seconds"]["train"] > 1000
    assert not (place.folder / "progress.pt").exists()


def test_a_fold_that_ends_before_its_first_state_leaves_its_settings(plan, monkeypatch):
    """Check the settings on record, and that the next run starts from nothing."""
    chosen = plan(updates=2)
    place = chosen.fold_run(1)
    monkeypatch.setattr(runs.loop, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        runs.run(chosen, [1])
    assert settings_of(place.progress) == chosen.settings()
    monkeypatch.undo()
    assert runs.run(chosen, [1]) == [1]
    assert place.read()["resumed_after"] == 0


def test_a_record_from_before_a_setting_existed_counts(plan):
    """Check that a setting that is missing in a record has its default."""
    chosen = plan()
    runs.run(chosen, [0])
    place = chosen.fold_run(0)
    record = place.read()
    del (
        record["inner"],
        record["configuration"]["average"],
        record["configuration"]["stages"][0]["warmup"],
    )
    records.write_json(place.record, record)
    assert runs.run(chosen, [0]) == []
    with pytest.raises(UsageError, match=r"average: None, now 0\.5"):
        runs.run(plan(average=0.5), [0])


def test_a_finished_fold_is_skipped_and_a_broken_one_starts_over(plan):
    """Check what a second run does, also after a label map or the record is lost."""
    chosen = plan()
    assert runs.run(chosen, [0]) == [0]
    assert runs.run(chosen, [0]) == []
    place = chosen.fold_run(0)
    first = place.read()
    lost = place.label_map(first["validation"][1])
    content = lost.read_bytes()
    lost.unlink()
    assert runs.run(chosen, [0]) == [0]
    assert lost.read_bytes() == content
    place.record.write_text("{", encoding="utf-8")
    assert place.read() is None
    assert not runs.is_finished(chosen, 0)


def test_a_fold_that_is_run_again_leaves_the_methods_record(plan, monkeypatch):
    """Check that no record states a fold whose maps are being replaced, after an interrupt."""
    chosen = plan(updates=1)
    runs.run(chosen, [2])
    place = chosen.fold_run(2)
    place.label_map(place.read()["validation"][0]).unlink()
    monkeypatch.setattr(runs.loop, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        runs.run(chosen, [2])
    record = json.loads(records.method_record(chosen.out, "unet").read_text())
    assert record["tasks"] == {}


def interrupted(*_):
    """Stop as Ctrl-C does."""
    raise KeyboardInterrupt


def test_other_settings_are_not_mixed(plan):
    """Check that a fold finished with another crop is neither skipped nor overwritten."""
    runs.run(plan(), [0])
    with pytest.raises(UsageError, match="crop: 32, now 48"):
        runs.run(plan(crop=48), [0, 1])


def test_runs_agree_bit_by_bit(plan, tmp_path):
    """Check that the same seed gives the same label maps and losses in another folder."""
    first = plan()
    second = runs.Plan(first.configuration, "particles", "synthetic", tmp_path / "again", CPU)
    for chosen in (first, second):
        runs.run(chosen, [1])
    names = first.fold_run(1).read()["validation"]
    for path in (*(f"unet/particles/{n}.png" for n in names),
                 "folds/unet/particles/1/loss.csv"):  # fmt: skip
        assert (tmp_path / path).read_bytes() == (tmp_path / "again" / path).read_bytes()


def test_the_method_record_holds_all_finished_folds(tmp_path):
    """Check the file that a leaderboard takes."""
    known = {"configuration": {}, "dataset_version": "synthetic"}
    for fold in (0, 4):
        place = records.FoldRun(tmp_path, "unet", "particles", fold)
        place.label_map(f"m{fold}").parent.mkdir(parents=True, exist_ok=True)
        place.label_map(f"m{fold}").touch()
        records.write_json(place.record, {**known, "fold": fold, "validation": [f"m{fold}"]})
    unfinished = records.FoldRun(tmp_path, "unet", "particles", 5)
    records.write_json(unfinished.record, {**known, "fold": 5, "validation": ["lost"]})
    content = json.loads(records.write_method_record(tmp_path, "unet").read_text())
    assert content["method"] == "unet"
    assert list(content["tasks"]) == ["particles"]
    assert list(content["tasks"]["particles"]) == ["0", "4"]


def test_a_failing_fold_is_named_and_others_are_kept(plan, monkeypatch):
    """Check that a loss that isn't finite stops the run after the folds before it."""
    chosen = plan()
    runs.run(chosen, [0])
    monkeypatch.setattr(
        "baselines.training.losses.focal_loss", lambda *_: torch.tensor(float("nan"))
    )
    with pytest.raises(UhcsBenchError, match=r"unet, particles, fold 1: .*nan at update 1"):
        runs.run(chosen, [0, 1])
    assert runs.is_finished(chosen, 0)
    assert not runs.is_finished(chosen, 1)


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("CUDA"), RuntimeError("can't allocate memory: 9 bytes")],
)
def test_out_of_memory_says_what_helps(plan, monkeypatch, error):
    """Check the message for each way in which memory runs out."""

    def fail(*_args):
        raise error

    monkeypatch.setattr("baselines.training.loop.train", fail)
    with pytest.raises(UhcsBenchError, match=r"out of memory on cpu.*--crop"):
        runs.run(plan(), [0])


def test_other_errors_are_not_hidden(plan, monkeypatch):
    """Check that a defect keeps its own type."""

    def fail(*_args):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr("baselines.training.loop.train", fail)
    with pytest.raises(RuntimeError, match="shapes"):
        runs.run(plan(), [0])


def test_folds_side_by_side(plan):
    """Check that two processes finish two folds as one does."""
    assert runs.run(plan(jobs=2, updates=1), [0, 1]) == [0, 1]
    assert runs.run(plan(updates=1), [0, 1]) == []


def test_one_command_at_a_time_runs_a_method(plan, tmp_path, monkeypatch):
    """Check that a second run is refused whatever its folds, and that of another method is not."""
    ran = []
    monkeypatch.setattr(runs, "_run_logged", lambda _plan, fold, _report: ran.append(fold))
    with run_lock.hold(tmp_path, "unet"):
        for chosen in (plan(), replace(plan(), split="grouped")):
            with pytest.raises(run_lock.FolderInUseError, match="another process is running unet"):
                runs.run(chosen, [2])
        assert runs.run(plan("unet-efficientnet"), [1]) == [1]
    assert ran == [1]
    assert runs.run(plan(), [2]) == [2]


def test_progress_is_shown_while_micrographs_are_segmented(plan, capsys):
    """Check the line between training and prediction."""
    runs.run(plan(updates=1), [0])
    assert "unet, particles, fold 0: segmenting 4 micrographs\n" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="processes are listed by Linux")
def test_a_killed_run_leaves_no_process_behind(tmp_path):
    """Check that folds side by side end with the process that holds the lock."""
    code = (
        "from pathlib import Path\nimport torch\nfrom baselines import configuration, runs\n"
        "if __name__ == '__main__':\n"
        "    stage = configuration.Stage(updates=10**6, learning_rate=1e-3, features_rate=1e-3)\n"
        "    chosen = configuration.configure('unet', stages=(stage,), weights='none', crop=32)\n"
        "    cpu = torch.device('cpu')\n"
        "    runs.run(runs.Plan(chosen, 'particles', 'synthetic', Path('out'), cpu, 2), [0, 1])\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code, encoding="utf-8")
    root = str(Path(runs.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    with subprocess.Popen([sys.executable, script], cwd=tmp_path, env=environment) as parent:
        folders = [tmp_path / "out" / "folds" / "unet" / "particles" / name for name in "01"]
        wait_for(lambda: all(folder.is_dir() for folder in folders))
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        parent.send_signal(signal.SIGKILL)
    assert len(children) >= 2
    wait_for(lambda: not any(is_running(int(child)) for child in children))
    with run_lock.hold(tmp_path / "out", "unet"):
        pass


def wait_for(condition):
    """Wait until a condition holds, a minute at most."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_running(process):
    """Tell whether a process is there and has not ended."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
