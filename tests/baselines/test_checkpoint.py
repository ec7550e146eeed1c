"""Checkpoints that can't be used."""

from __future__ import annotations

import pickle

import pytest
import torch

from baselines import checkpoint
from uhcs_bench.errors import UhcsBenchError

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
