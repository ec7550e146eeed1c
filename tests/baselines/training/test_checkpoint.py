"""Checkpoints that can't be used."""

from __future__ import annotations

import pickle

import pytest
import torch

from baselines.networks.model import build
from baselines.training import checkpoint
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io import protection

CPU = torch.device("cpu")


class Trap:
    """An object whose unpickling would run code."""

    def __reduce__(self):
        return (print, ("unpickled",))


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps({"a": 1}, protocol=2)])
def test_files_that_are_no_checkpoint(content, tmp_path):
    """Check that the file is named."""
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(UhcsBenchError, match=r"model\.pt is no checkpoint"):
        checkpoint.load(path, CPU)


def test_a_missing_file(tmp_path):
    """Check the message."""
    with pytest.raises(UhcsBenchError, match="There is no checkpoint"):
        checkpoint.load(tmp_path / "model.pt", CPU)


def test_no_code_is_run(tmp_path, capsys):
    """Check that a file with an object in it is refused without unpickling it."""
    path = tmp_path / "model.pt"
    torch.save({"schema": Trap()}, path)
    with pytest.raises(UhcsBenchError, match="holds other things than weights"):
        checkpoint.load(path, CPU)
    assert "unpickled" not in capsys.readouterr().out


def test_another_schema(tmp_path):
    """Check that the schema is looked at."""
    path = tmp_path / "model.pt"
    torch.save({"schema": "other/1"}, path)
    with pytest.raises(UhcsBenchError, match="'other/1'"):
        checkpoint.load(path, CPU)


@pytest.mark.parametrize("content", [{"weights": torch.ones(2)}, [torch.ones(2)], {"schema": None}])
def test_foreign_checkpoints(content, tmp_path):
    """Check that the reason is a phrase, and not the bare key or number that Python gives."""
    path = tmp_path / "model.pt"
    torch.save(content, path)
    with pytest.raises(UhcsBenchError, match=r"damaged \(.+ .+ .+\)\.$"):
        checkpoint.load(path, CPU)


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_cut_off_checkpoints(share, saved):
    """Check that the reason is whole, whatever advice PyTorch adds."""
    path, _ = saved
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UhcsBenchError, match=r"\(it is empty, cut off or no file of PyTorch\)\.$"):
        checkpoint.load(path, CPU)


@pytest.fixture
def saved(tmp_path, tiny):
    """A checkpoint, with what it holds."""
    configuration = tiny()
    classes = ("matrix", "particle")
    model, _ = build(configuration, len(classes))
    path = tmp_path / "model.pt"
    trained = checkpoint.Checkpoint(model, configuration, "particles", 0, classes)
    checkpoint.save(path, trained)
    return path, torch.load(path, weights_only=True)


def set_first(content, change):
    name, values = next(iter(content["state"].items()))
    content["state"][name] = values.contiguous()
    flat = content["state"][name].view(-1)
    flat[0] = change(flat[0])


def one_weight_more(content):
    set_first(content, lambda value: value + 1e-3)


def weights_exchanged(content):
    names = list(content["state"])
    same = [n for n in names if content["state"][n].shape == content["state"][names[1]].shape]
    first, second = same[:2]
    state = content["state"]
    state[first], state[second] = state[second] + 1, state[first]


def another_task(content):
    content["task"] = "microconstituents"


def classes_exchanged(content):
    content["classes"] = content["classes"][::-1]


def other_settings(content):
    content["configuration"]["crop"] += 32


def no_hash(content):
    del content["sha256"]


def not_a_number(content):
    set_first(content, lambda _: float("nan"))
    content["sha256"] = checkpoint._sha256(content)


def from_before_the_hash(content):
    del content["sha256"]
    content["schema"] = "uhcs-bench/checkpoint/1"


def infinite(content):
    set_first(content, lambda _: float("inf"))
    content["sha256"] = checkpoint._sha256(content)


@pytest.mark.parametrize(
    "alter",
    [
        one_weight_more,
        weights_exchanged,
        another_task,
        classes_exchanged,
        other_settings,
        no_hash,
        from_before_the_hash,
        not_a_number,
        infinite,
    ],
)
def test_altered_checkpoints_are_refused(saved, alter):
    """Check weights and what says how they are used; the sound file is read."""
    path, content = saved
    assert checkpoint.load(path, CPU).task == "particles"
    alter(content)
    torch.save(content, path)
    with pytest.raises(UhcsBenchError, match=r"model\.pt is no checkpoint .* or it is damaged"):
        checkpoint.load(path, CPU)


def test_checkpoints_are_replaced_wherever_they_were_written(saved, monkeypatch, tmp_path):
    """Check that a run that goes on on another machine may write its model again."""
    path, _ = saved
    monkeypatch.setattr(protection, "_state", lambda: tmp_path / "another machine")
    checkpoint.save(path, checkpoint.load(path, CPU))
