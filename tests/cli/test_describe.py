"""The commands that describe the data sets."""

from __future__ import annotations

import json

import pytest

from tests.helpers.command import run
from uhcs_bench import protocol
from uhcs_bench.exporters import card, croissant, description


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_croissant_is_the_functions(real_audit):
    """Check both tasks, audited by the command, against the function and an audit of its own."""
    printed = run("describe", "croissant")
    assert printed.exit_code == 0
    assert json.loads(printed.stdout) == croissant.metadata(audited=real_audit)


@pytest.mark.slow
def test_croissant_of_one_task_is_the_functions(real_audit, tmp_path, monkeypatch):
    """Check standard output and the file, and that the task that is named is audited."""
    asked = []
    monkeypatch.setattr(description, "audited", lambda task: asked.append(task) or real_audit)
    printed = run("describe", "croissant", "--task", "uhcs")
    assert printed.exit_code == 0
    assert [protocol.task(task).name for task in asked] == ["microconstituents"]
    assert json.loads(printed.stdout) == croissant.metadata("microconstituents", real_audit)
    written = run("describe", "croissant", "--task", "uhcs", "--out", tmp_path / "c.json")
    assert (written.exit_code, written.stdout) == (0, "")
    assert (tmp_path / "c.json").read_text("utf-8") == printed.stdout


def test_card_is_the_functions(monkeypatch):
    """Check that the command prints the card of the task that was named."""
    monkeypatch.setattr(card, "card", lambda task: f"card of {task}")
    assert run("describe", "card", "--task", "uhcs").stdout == "card of uhcs\n"
    assert run("describe", "card").stdout == "card of None\n"


def test_card_without_data_exits_with_3():
    """Check that missing data are reported, and that nothing is printed."""
    result = run("describe", "card")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "could not be fetched" in result.stderr


@pytest.mark.parametrize("form", ["croissant", "card"])
def test_unknown_task_exits_with_2(form):
    """Check the message."""
    result = run("describe", form, "--task", "steel")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "The tasks are particles" in result.stderr
