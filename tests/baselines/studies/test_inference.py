"""Memory and processor time of a segmentation."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from baselines import process_memory
from baselines.__main__ import main
from baselines.studies import inference
from uhcs_bench.errors import UhcsBenchError


def test_peak_is_that_of_this_process():
    """Check that more memory than before is seen, and still is once it is given back."""
    size = process_memory.peak_bytes() + (64 << 20)
    held = np.ones(size, np.uint8)
    assert process_memory.peak_bytes() >= size
    del held
    assert process_memory.peak_bytes() >= size


@pytest.mark.slow
def test_fresh_process_holds_no_memory_of_this_one():
    """Check that Otsu's threshold takes less than what this process held before."""
    held = np.ones(2 << 30, np.uint8)
    found = inference.measure("otsu", "particles")
    assert 0 < found.gigabytes < held.size / 1e9
    assert found.seconds > 0


@pytest.mark.slow
def test_network_is_measured():
    """Check that a network takes more memory than a threshold."""
    network = inference.measure("unet-efficientnet", "particles")
    assert network.gigabytes > inference.measure("otsu", "particles").gigabytes


@pytest.mark.slow
def test_failed_process_is_reported():
    """Check the message."""
    with pytest.raises(UhcsBenchError, match=r"no-such on particles was not measured: .*no method"):
        inference.measure("no-such", "particles")


def test_command(monkeypatch):
    """Check that the larger of both tasks is printed, and that an unknown method is named."""
    costs = iter([inference.Cost(0.25, 2.0), inference.Cost(0.5, 1.5)])
    monkeypatch.setattr(inference, "measure", lambda *_: next(costs))
    result = CliRunner().invoke(main, ["inference", "otsu"])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].split() == ["otsu", "0.50", "2"]
    result = CliRunner().invoke(main, ["inference", "otsu", "no-such"])
    assert result.exit_code == 2
    assert "no-such" in result.stderr
