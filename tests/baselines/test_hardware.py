"""What the machine is fast in, and what is said where something slow is asked for."""

from __future__ import annotations

import pytest
import torch

from baselines import hardware

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "capability", "noted"),
    [
        ("bfloat16", "AVX2", True),
        ("bfloat16", "AVX512", False),
        ("bfloat16", "DEFAULT", False),
        ("float32", "AVX2", False),
        ("auto", "AVX2", False),
    ],
)
def test_slow_number_formats_are_noted(monkeypatch, capsys, name, capability, noted):
    """Check that what is asked for is taken, with a note where it was measured to be slow."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    chosen = hardware.choose_precision(name, CPU)
    assert chosen == ("float32" if name == "auto" else name)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("try --precision float32" in captured.err) == noted
