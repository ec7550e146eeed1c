"""What the machine is fast in, and what is said where something slow is asked for."""

from __future__ import annotations

import pytest
import torch

from baselines import hardware

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "capability", "has_instructions", "noted"),
    [
        ("bfloat16", "AVX2", False, True),
        ("bfloat16", "AVX512", False, True),
        ("bfloat16", "AVX512", True, False),
        ("bfloat16", "AVX512", None, False),
        ("bfloat16", "DEFAULT", False, False),
        ("float32", "AVX2", False, False),
        ("auto", "AVX512", False, False),
    ],
)
def test_slow_number_formats_are_noted(
    monkeypatch, capsys, name, capability, has_instructions, noted
):
    """Check that what is asked for is taken, with a note where it was measured to be slow."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    if has_instructions is not None:  # older releases of PyTorch do not tell
        monkeypatch.setattr(
            torch.cpu, "_is_avx512_bf16_supported", lambda: has_instructions, raising=False
        )
    chosen = hardware.choose_precision(name, CPU)
    assert chosen == ("float32" if name == "auto" else name)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("try --precision float32" in captured.err) == noted
