"""The command ``python -m baselines``."""

from __future__ import annotations

import subprocess
import sys
from itertools import product

import pytest
import torch
from click.testing import CliRunner

from baselines import configuration, prediction, run_lock, runs
from baselines.__main__ import main
from baselines.networks import efficientnet_unet, vgg
from baselines.reproduction import reproduce

OTSU = ["otsu", "--task", "particles", "--dataset-version", "synthetic"]


@pytest.fixture
def invoke():
    """Run the command in this process."""

    def call(*arguments):
        return CliRunner().invoke(main, [str(a) for a in arguments], prog_name="baselines")

    return call


def test_otsu_writes_a_submission(invoke, tmp_path):
    """Check the layout, by an alias of the task."""
    result = invoke("otsu", "--task", "spheroidite", "--dataset-version", "synthetic",
                    "--out", tmp_path)  # fmt: skip
    assert result.exit_code == 0
    assert len(list((tmp_path / "particles").glob("*.png"))) == 24


@pytest.mark.parametrize("arguments", [["--help"], [*OTSU, "--out", "maps"]])
def test_no_torch_where_none_is_needed(arguments, tmp_path):
    """Check that help and Otsu don't pay for PyTorch."""
    code = (
        "import sys\nfrom baselines.__main__ import main\n"
        f"try: main({arguments!r})\nexcept SystemExit as end: assert not end.code\n"
        "assert 'torch' not in sys.modules\nassert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["run", "unet", "--task", "particles", "--out", "runs"], "baselines"),
        (["predict", "model.pt", "a.png", "--out", "maps"], "baselines"),
        (["export", "model.pt"], "export"),
    ],
)
def test_without_torch_the_extra_is_named(arguments, extra, tmp_path):
    """Check the message and exit code where PyTorch is not installed."""
    code = (
        "import sys\nsys.modules['torch'] = None\nfrom baselines.__main__ import main\n"
        f"main({arguments!r}, prog_name='baselines')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr == (
        "baselines: This command needs packages that are not installed. "
        f"Install them with pip install 'uhcs-bench[{extra}]'.\n"
    )
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "resnet", "--task", "particles"], "The methods are pixelnet-focal"),
        (["run", "unet", "--task", "grains"], "There is no task 'grains'"),
        (["run", "unet", "--task", "particles", "--folds", "6"], "There is no fold 6"),
        (["run", "unet", "--task", "particles", "--folds", "a-b"], "--folds a-b"),
        (["run", "unet", "--task", "particles", "--crop", "8"], "--crop 8 is too small"),
        (["run", "unet", "--task", "particles", "--device", "tpu9"], "no device 'tpu9'"),
        (["run", "unet", "--task", "particles", "--dataset-version", "2"], "no data set version"),
        (["run", "unet", "--task", "particles", "--split", "mine"], "There is no split 'mine'"),
        (["run", "unet", "--task", "particles", "--split", "grouped", "--folds", "5"], "no fold 5"),
        (
            [
                "run",
                "unet",
                "--task",
                "particles",
                "--dataset-version",
                "synthetic",
                "--train-size",
                "5",
            ],
            "no subset of 5 training micrographs",
        ),
        (["reproduce", "--no-run", "--dataset-version", "2"], "no data set version"),
        (["reproduce", "--no-run", "--split", "mine"], "There is no split 'mine'"),
        (["reproduce", "--no-run"], "holds no label maps. Give the folder of finished runs"),
        (["otsu", "--task", "grains"], "There is no task 'grains'"),
    ],
)
def test_wrong_usage(invoke, tmp_path, arguments, message):
    """Check that a wrong option is named on standard error, with exit code 2."""
    result = invoke(*arguments, "--out", tmp_path)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(invoke, tmp_path):
    """Check that the message says what to take instead."""
    result = invoke("run", "unet", "--task", "particles", "--device", "cuda", "--out", tmp_path)
    assert result.exit_code == 2
    assert "--device cpu" in result.stderr


def test_weights_that_can_not_be_had(invoke, tmp_path, monkeypatch):
    """Check exit code 3 when the named file is missing."""
    monkeypatch.setenv("UHCS_BENCH_VGG16", str(tmp_path / "none.pth"))
    result = invoke("run", "pixelnet-ce", "--task", "particles", "--dataset-version", "synthetic",
                    "--out", tmp_path)  # fmt: skip
    assert result.exit_code == 3
    assert "none.pth" in result.stderr


def test_a_folder_that_another_process_runs_into(invoke, tmp_path):
    """Check that the exit code is the documented one."""
    arguments = ["run", "unet", "--task", "particles", "--split", "grouped", "--out", tmp_path]
    with run_lock.hold(tmp_path, "unet"):
        result = invoke(*arguments)
    assert result.exit_code == 4
    assert "Nothing was run" in result.stderr
    for command in ("run", "reproduce", "ship"):
        assert "4    another process runs the method into OUT" in invoke(command, "--help").stdout


def test_help_names_the_sources_of_weights(invoke):
    """Check that every place that is looked in stands there, in its order."""
    text = " ".join(invoke("run", "--help").stdout.split())
    package = efficientnet_unet.FILES["tf_efficientnet_lite0"][0].replace("_", "-")
    places = [efficientnet_unet.WEIGHTS_VARIABLE, package, "timm's"]
    positions = [text.index(place) for place in places]
    assert positions == sorted(positions)
    assert vgg.WEIGHTS_VARIABLE in text
    assert "Start VGG-16 or EfficientNet from ImageNet" in text


def test_interrupt(invoke, tmp_path, monkeypatch):
    """Check the message and exit code after Ctrl-C."""

    def interrupt(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr("baselines.runs.run", interrupt)
    result = invoke("run", "unet", "--task", "particles", "--out", tmp_path)
    assert result.exit_code == 130
    assert "What was finished is kept" in result.stderr


def test_a_run_from_the_command_line(invoke, tmp_path, monkeypatch, tiny):
    """Check a run, its repetition and a prediction with its checkpoint."""
    monkeypatch.setitem(configuration.METHODS, "unet", tiny("unet"))
    arguments = ["run", "unet", "--task", "particles", "--folds", "3", "--crop", "32",
                 "--dataset-version", "synthetic", "--out", tmp_path]  # fmt: skip
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    assert "1 fold run, 0 were finished before" in result.stdout
    assert "0 folds run, 1 was finished before" in invoke(*arguments).stdout
    maps = sorted((tmp_path / "unet" / "particles").glob("*.png"))
    checkpoint = tmp_path / "folds" / "unet" / "particles" / "3" / "checkpoint.pt"
    result = invoke("predict", checkpoint, *maps, tmp_path / "none.png", "--out", tmp_path / "maps")
    assert result.exit_code == 1
    assert "4 label maps" in result.stdout
    assert "none.png is not there" in result.stderr
    assert (
        "1 label map in" in invoke("predict", checkpoint, maps[0], "--out", tmp_path / "one").stdout
    )


def test_reproduce_without_running(invoke, tmp_path):
    """Check that tables come out of a folder with no complete method, all missing."""
    (tmp_path / "unet" / "particles").mkdir(parents=True)
    result = invoke("reproduce", "--no-run", "--dataset-version", "synthetic", "--out", tmp_path)
    assert result.exit_code == 0
    for number in range(1, 5):
        assert f"Table {number}." in result.stdout


def test_reproduce_of_a_folder_that_is_not_there(invoke, tmp_path):
    """Check that a wrong name gives an error, and no tables."""
    result = invoke("reproduce", "--no-run", "--out", tmp_path / "wrong")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "There is no folder" in result.stderr


def test_reproduce_runs_what_is_missing(invoke, tmp_path, monkeypatch, tiny):
    """Check that every method is trained on both tasks, here on a single fold, and only once."""
    run = runs.run
    monkeypatch.setattr(runs, "run", lambda plan, folds: run(plan, folds[:1]))
    # Whole micrographs take a CPU seconds each; test_prediction and test_runs segment some.
    monkeypatch.setattr(prediction, "segment", lambda _model, image, *_, **_options: image > 100)
    # The real width of fc6 and fc7 makes checkpoints of 1.6 GB.
    monkeypatch.setattr(vgg, "FC_WIDTH", 32)
    trained = [method for method in reproduce.METHODS if method != "otsu"]
    for method in trained:
        monkeypatch.setitem(configuration.METHODS, method, tiny(method))
    arguments = ["reproduce", "--weights", "none", "--crop", "32", "--dataset-version", "synthetic",
                 "--out", tmp_path]  # fmt: skip
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    for method, task in product(trained, ("particles", "microconstituents")):
        assert len(list((tmp_path / method / task).glob("*.png"))) == 4
    checkpoints = {p: p.stat().st_mtime_ns for p in (tmp_path / "folds").rglob("checkpoint.pt")}
    assert len(checkpoints) == 2 * len(trained)
    assert invoke(*arguments).stdout == result.stdout
    assert {path: path.stat().st_mtime_ns for path in checkpoints} == checkpoints
