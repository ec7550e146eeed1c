"""Completion in the shell, by the protocol of click."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from uhcs_bench import cli, protocol


def completed(line: str) -> list[str]:
    """Words that bash is offered for the last word of a line."""
    words = line.split(" ")
    environment = {
        "_UHCS_BENCH_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    result = CliRunner().invoke(cli.main, prog_name="uhcs-bench", env=environment)
    return [entry.partition(",")[2] for entry in result.stdout.splitlines()]


@pytest.mark.parametrize(
    "command", ["score preds", "compare a b", "measure a", "export png out", "describe card"]
)
def test_tasks_are_completed(command):
    """Check every command that takes a task."""
    assert completed(f"uhcs-bench {command} --task ") == [*protocol.TASKS]
    assert completed(f"uhcs-bench {command} --task mi") == ["microconstituents"]


@pytest.mark.parametrize("command", ["score preds", "compare a b", "export png out", "submit a"])
def test_splits_and_versions_are_completed(command):
    """Check the options that name the data."""
    assert completed(f"uhcs-bench {command} --split ") == [*protocol.SPLITS]
    assert completed(f"uhcs-bench {command} --dataset-version ") == [*protocol.VERSIONS]


def test_commands_and_formats_are_completed():
    """Check the first word, and what download and export take."""
    assert completed("uhcs-bench me") == ["measure"]
    assert completed("uhcs-bench export nn") == ["nnunet"]
    assert completed("uhcs-bench download a") == ["all"]
