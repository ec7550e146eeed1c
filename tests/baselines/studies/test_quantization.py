"""What weights in float16 cost."""

from __future__ import annotations

import pytest
import torch

from baselines import runs
from baselines.studies import quantization
from uhcs_bench.errors import UhcsBenchError

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.mark.slow
def test_finished_folds_are_compared(tiny, tmp_path):
    """Check that a small network loses next to nothing, and what is printed."""
    settings = tiny("unet", updates=1)
    plan = runs.Plan(settings, "particles", "synthetic", tmp_path, torch.device("cpu"))
    runs.run(plan, [2])
    (row,) = quantization.compare(tmp_path, "unet", "particles", "synthetic")
    assert (row.fold, row.n) == (2, 4)
    assert row.half == pytest.approx(row.single, abs=0.5)
    assert 0 <= row.changed < 5


def test_text_has_the_mean():
    """Check the last line by hand."""
    rows = [quantization.Loss(0, 4, 80.0, 79.9, 0.1), quantization.Loss(1, 4, 70.0, 70.1, 0.3)]
    last = quantization.to_text(rows).splitlines()[-1].split()
    assert last == ["mean", "8", "75.000", "75.000", "0.000", "0.200"]


def test_nothing_is_finished(tmp_path):
    """Check the message."""
    with pytest.raises(UhcsBenchError, match="No fold of unet on particles is finished"):
        quantization.compare(tmp_path, "unet", "particles", "1.0")
