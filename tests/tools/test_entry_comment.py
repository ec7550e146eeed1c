"""Submissions by pull request: the comment, and what the workflows may do."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.helpers.entries import declared, noisy, write_entry
from tools import entry_comment

GITHUB = Path(__file__).parents[2] / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    write_entry(folder / "old", {"particles": noisy(0.1)}, declared(name="Old"))
    return folder


def test_a_new_entry_gets_its_ranks(base, tmp_path):
    """Check ranks and tables of one that is better than the other entry."""
    proposed = shutil.copytree(base, tmp_path / "proposed")
    write_entry(proposed / "new", {"particles": noisy(0.02)}, declared(name="@all | New"))
    arguments = [str(proposed), "--base", str(base), "--out", str(tmp_path / "comment.md")]
    assert entry_comment.main(arguments) == 0
    text = (tmp_path / "comment.md").read_text("utf-8")
    assert "**@all \\| New**, active" in text
    assert "rank 1: no method is significantly better, 1 is significantly worse" in text
    assert "**Old**" not in text
    assert re.search(r"\| Old +\| ", text)
    assert "area-weighted diameter" in text


def test_problems_of_an_entry_are_listed(base, tmp_path):
    """Check the exit code, and that a hostile name of a file stays a text."""
    proposed = shutil.copytree(base, tmp_path / "proposed")
    write_entry(proposed / "new", {"particles": noisy(0.02)}, declared(name="New"))
    (proposed / "new" / "<img src=x> **b** $x$").touch()
    text, is_valid = entry_comment.comment(proposed, base)
    assert not is_valid
    assert "**new is not valid.**" in text
    assert "<img" not in text
    assert "**b**" not in text


def test_unchanged_and_lost_entries_are_said(base, tmp_path):
    """Check a pull request that changes nothing, and one that takes an entry away."""
    text, is_valid = entry_comment.comment(base, base)
    assert (is_valid, "No entry is new" in text) == (True, True)
    write_entry(tmp_path / "proposed" / "new", {"particles": noisy(0.3)}, declared(name="New"))
    text, _ = entry_comment.comment(tmp_path / "proposed", base)
    assert "Taken away: old." in text


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_have_no_secrets_and_pinned_actions(path):
    """Check each workflow: rights, actions by commit, and no secret."""
    text = path.read_text("utf-8")
    content = yaml.safe_load(text)
    assert "secrets." not in text
    assert content["permissions"] in ({}, {"contents": "read"})
    used = re.findall(r"uses: (\S+)", text)
    assert used
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name) for name in used)
    assert text.count("persist-credentials: false") == text.count("actions/checkout@")


def test_proposed_entries_are_scored_by_the_base_branch():
    """Check that the code is not the pull request's, and that the job that writes reads nothing."""
    (path,) = (path for path in WORKFLOWS if path.stem == "entries")
    content = yaml.safe_load(path.read_text("utf-8"))
    (trigger,) = content[True]  # YAML takes the word on for true
    assert trigger == "pull_request_target"
    score, comment = content["jobs"]["score"], content["jobs"]["comment"]
    assert score["permissions"] == {"contents": "read"}
    assert comment["permissions"] == {"pull-requests": "write"}
    (checkout,) = (s for s in score["steps"] if "checkout" in s.get("uses", ""))
    assert "ref" not in checkout["with"]
    assert not any("checkout" in step.get("uses", "") for step in comment["steps"])
    # What somebody else chose stands in no command.
    commands = [step.get("run", "") for job in (score, comment) for step in job["steps"]]
    assert not any("${{" in command for command in commands)


def test_the_commands_of_the_workflows_exist():
    """Check that tools and subcommands in them are there."""
    text = "".join(path.read_text("utf-8") for path in WORKFLOWS)
    assert "tools.entry_comment" in text
    from uhcs_bench import cli

    named = set(re.findall(r"run: uhcs-bench (\w+)", text))
    assert named == {"download"}
    assert named <= set(cli.main.commands)


def test_the_issue_form_asks_what_the_rules_need():
    """Check the form's fields and that the rule has to be confirmed."""
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / "entry.yml").read_text("utf-8"))
    fields = {field["id"]: field for field in form["body"] if "id" in field}
    assert {"name", "tasks", "split", "maps", "training", "selection", "links"} <= set(fields)
    assert fields["rules"]["attributes"]["options"][0]["required"] is True
