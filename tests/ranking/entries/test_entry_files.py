"""The files of an entry beside its label maps: what its records may be."""

from __future__ import annotations

import json

import pytest

from tests.helpers.entries import write_entry
from uhcs_bench.ranking.entries import declaration, entry, entry_files

MODEL = {"dataset_version": "synthetic", "configuration": {}, "training": [], "validation": []}


def record(**changes):
    """Give the record of a reference method, with one fold."""
    tasks = {"particles": {"0": MODEL | changes}}
    return {"schema": "uhcs-bench/method-record/1", "method": "mine", "tasks": tasks}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 100_000, "record.json: is not JSON in UTF-8"),
        ("[1]", "record.json: is not a JSON object"),
        (json.dumps(record(dataset_version=None) | {"tasks": 1}), "record.json: is damaged ("),
    ],
)
def test_records_that_are_none(tmp_path, text, problem):
    """Check that each is one problem, and that there is no recursion error."""
    path = tmp_path / "record.json"
    path.write_text(text)
    problems = []
    assert entry_files.read_records({"record.json": path}, problems) == ({}, [])
    assert [found.startswith(problem) for found in problems] == [True]


def test_a_record_of_another_program_is_noted(tmp_path):
    """Check that nothing is read in it, and that one of a reference method is read."""
    files = {}
    for place, content in (
        ("record.json", {"a": 1}),
        ("runs/b/record.json", record(split="clean")),
    ):
        files[place] = tmp_path / place.replace("/", "-")
        files[place].write_text(json.dumps(content))
    problems = []
    models, (note,) = entry_files.read_records(files, problems)
    assert problems == []
    assert note.startswith("record.json: states no schema")
    assert [model.split for model in models.pop("runs/b/record.json")] == ["clean"]
    assert models == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, None),
        ({"split": "grouped"}, "trained on the folds of the split grouped, not on those of paper."),
        ({"dataset_version": "1.0"}, "on the data set version 1.0, not synthetic."),
        ({"inner": True}, "are those of inner folds"),
    ],
)
@pytest.mark.parametrize("place", ["record.json", "runs/b/record.json"])
def test_records_are_of_what_the_entry_declares(tmp_path, place, changes, message):
    """Check records of other models than those that entry.yaml declares."""
    folder = write_entry(tmp_path / "method", {})
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).write_text(json.dumps(record(**changes)))
    with pytest.raises(declaration.EntryError) as caught:  # there are no maps
        entry.read_entry(folder)
    found = [problem for problem in caught.value.problems if problem.startswith(f"{place}: the ")]
    assert len(found) == (message is not None)
    assert all(message in problem for problem in found)
