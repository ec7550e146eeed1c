"""How long scoring takes; run with ``pytest tests/benchmarks --benchmark-enable``."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import uhcs_bench
from uhcs_bench import otsu, submission

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def predictions(real_data: None, tmp_path: Path) -> Path:  # noqa: ARG001 - makes load() work
    """Otsu's maps of the 24 real particle micrographs, as files."""
    for micrograph in uhcs_bench.load("particles"):
        labels = otsu.segment(micrograph.image, "particles")
        submission.write_label_map(tmp_path / "preds" / f"{micrograph.id}.png", labels)
    return tmp_path / "preds"


def command(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, check=True)


@pytest.mark.usefixtures("real_data")
def test_load_24_micrographs(benchmark):
    """Time loading a task from the cache."""
    assert len(benchmark(uhcs_bench.load, "particles")) == 24


def test_score_24_micrographs_warm(predictions, benchmark):
    """Time scoring files in a running interpreter."""
    assert benchmark(uhcs_bench.score, predictions)["particles"].n_images == 24


def test_score_24_micrographs_cold(predictions, benchmark):
    """Time the whole command, interpreter and imports included."""
    result = benchmark(command, "-m", "uhcs_bench", "score", str(predictions), "--format", "json")
    assert b'"n_images": 24' in result.stdout


def test_import_numpy_cold(benchmark):
    """Time what no command can do without, to compare with."""
    benchmark(command, "-c", "import numpy")
