"""What record.json says of the models behind label maps."""

from __future__ import annotations

import json

import pytest

from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.scoring import training_record


def write(folder, content):
    """Write a record."""
    folder.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "record.json").write_text(text, encoding="utf-8")
    return folder


def run(**changes):
    """Give what is on record of a fold."""
    return {
        "dataset_version": "1.0",
        "configuration": {"tta": True},
        "training": ["a", "b"],
        "validation": ["c"],
        **changes,
    }


def of_method(*folds):
    """Give the record of a method's folds on particles."""
    tasks = {"particles": {str(number): fold for number, fold in enumerate(folds)}}
    return {"schema": training_record.RUN_SCHEMA, "method": "mine", "tasks": tasks}


def test_records_of_runs_and_of_ensembles(tmp_path):
    """Check both kinds, older records without a split, and the record of a task's folder."""
    write(tmp_path, of_method(run(), run(split="grouped", train_size=2)))
    (tmp_path / "particles").mkdir()
    first, second = training_record.read(tmp_path)
    assert (first.split, first.train_size, first.inner, first.tta) == ("paper", None, False, True)
    assert (second.fold, second.split, second.train_size) == (1, "grouped", 2)
    assert second.training == ("a", "b")
    assert training_record.read(tmp_path / "particles") == (first, second)
    part = {"tta": False, "folds": {"0": [run(), run()]}}
    content = {"schema": training_record.ENSEMBLE_SCHEMA, "tasks": {"particles": part}}
    models = training_record.read(write(tmp_path / "ensemble", content))
    assert [model.tta for model in models] == [False, False]


@pytest.mark.parametrize(
    ("sizes", "subsets"),
    [((None, None), ()), ((1, None), (1,)), ((4, 2, 4), (2, 4))],
)
def test_subsets_of_the_training_micrographs(tmp_path, sizes, subsets):
    """Check the sizes of the subsets; models that saw all have none."""
    write(tmp_path, of_method(*(run(train_size=size) for size in sizes)))
    assert training_record.subsets(training_record.read(tmp_path)) == subsets


def test_folders_without_a_record(tmp_path):
    """Check that another program's record and none are the same."""
    assert training_record.read(tmp_path) == ()
    for content in ({}, {"schema": "mine/1"}, []):
        assert training_record.read(write(tmp_path, content)) == ()


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[" * 100_000,
        {"schema": training_record.RUN_SCHEMA},
        of_method({"configuration": {}}),
        {"schema": training_record.RUN_SCHEMA, "tasks": {"grains": {"0": run()}}},
        {"schema": training_record.RUN_SCHEMA, "tasks": {"particles": {"x": run()}}},
        {"schema": training_record.RUN_SCHEMA, "tasks": []},
    ],
    ids=range(7),
)
def test_damaged_records(tmp_path, content):
    """Check that the file is named and what to do is said."""
    with pytest.raises(UhcsBenchError, match=r"record\.json is .*Run the method again, or delete"):
        training_record.read(write(tmp_path, content))


def test_what_is_missing_in_a_record_is_named_in_words(tmp_path):
    """Check that the bare key of Python's error does not stand there."""
    with pytest.raises(UhcsBenchError, match=r"\('dataset_version' is missing in it\)"):
        training_record.read(write(tmp_path, of_method({"configuration": {}})))


@pytest.mark.parametrize("own", ["paper", "clean"])
def test_no_option_mends_a_record_of_several_splits(tmp_path, own):
    """Check that no split is advised with which the other task is refused."""
    content = of_method(run(split="clean"))
    content["tasks"]["microconstituents"] = {"0": run(split="grouped")}
    models = training_record.read(write(tmp_path, content))
    problems = training_record.contradictions(models, "1.0", own)
    assert problems
    assert all(problem.endswith("Run each into a folder of its own.") for problem in problems)


def test_only_options_of_the_command_are_advised(tmp_path):
    """Check the sentences for a command that has no such option."""
    models = training_record.read(write(tmp_path, of_method(run(split="grouped"))))
    (problem,) = training_record.contradictions(models, "1.0", "paper", ["--dataset-version"])
    assert problem.endswith("Give the maps of models that were trained on paper.")
    (problem,) = training_record.contradictions(models, "audited", "grouped", ["--dataset-version"])
    assert problem.endswith("Say --dataset-version 1.0.")


@pytest.mark.parametrize(
    ("changes", "differing"),
    [
        ({}, None),
        ({"seed": 3, "precision": "bfloat16"}, None),
        ({"batch": 8}, "batch"),
        ({"batch": 8, "loss": "focal"}, "batch, loss"),
        ({"new": 1}, None),
        ({"stages": [{"updates": 9, "warmup": 0.1}]}, None),
        ({"stages": [{"updates": 10}]}, "stages"),
        ({"stages": [{"updates": 9}, {"updates": 9}]}, "stages"),
        ({"loss": {"name": "ce"}}, "loss"),
        ({f"k{n}": 1 for n in range(7)}, "k0, k1, k2, k3, k4 and 2 more"),
        ({"\x1b[2J": 1}, "'\\x1b[2J'"),
    ],
)
def test_all_folds_and_runs_have_one_configuration(tmp_path, changes, differing):
    """Check folds of one run and of two; seeds and number formats may differ."""
    usual = {"batch": 4, "loss": "ce", "seed": 0, "precision": "float32"}
    usual |= {"stages": [{"updates": 9}]}
    usual |= {name: 0 for name in changes if name[0] in "k\x1b"}
    one, other = (run(configuration=settings) for settings in (usual, usual | changes))
    both = {
        "a": training_record.read(write(tmp_path / "a", of_method(one, other))),
        "b": training_record.read(write(tmp_path / "b", of_method(other))),
    }
    problems = training_record.other_settings(both)
    if differing is None:
        assert problems == []
    else:
        assert [problem.partition(":")[0] for problem in problems] == ["a", "b"]
        assert all(f"than fold 0 of a ({differing})" in problem for problem in problems)


def test_a_fold_of_more_models_is_another_configuration(tmp_path):
    """Check an ensemble of two in one fold and of one in the other, and subsets."""
    part = {"tta": True, "folds": {"0": [run(), run()], "1": [run()]}}
    content = {"schema": training_record.ENSEMBLE_SCHEMA, "tasks": {"particles": part}}
    models = training_record.read(write(tmp_path / "a", content))
    (problem,) = training_record.other_settings({"a": models})
    assert "fold 1 of particles" in problem
    assert "(models: 1, there 2)" in problem
    models = training_record.read(write(tmp_path / "b", of_method(run(), run(train_size=2))))
    (problem,) = training_record.other_settings({"b": models})
    assert "(train_size)" in problem


@pytest.mark.parametrize(
    ("changes", "version", "split", "message"),
    [
        ({}, "1.0", "paper", None),
        ({"split": "grouped"}, "1.0", "grouped", None),
        ({"split": "grouped"}, "1.0", "paper", "the split grouped, not on those of paper"),
        ({}, "1.0", "clean", "the split paper, not on those of clean. Say --split paper."),
        ({}, "audited", "paper", "version 1.0, not audited. Say --dataset-version 1.0."),
        ({"inner": True}, "1.0", "paper", "Run the method without --inner."),
    ],
)
def test_contradictions(tmp_path, changes, version, split, message):
    """Check each way in which maps can stand for something else than they are."""
    models = training_record.read(write(tmp_path, of_method(run(**changes))))
    found = training_record.contradictions(models, version, split)
    assert len(found) == (message is not None)
    if message:
        assert message in found[0]


WRONG_FORMS = {
    "dataset_version": (None, [], 1.0, "\x1b[2J", "x" * 51),
    "split": (None, {}, ["paper"], "a b", ""),
    "training": (None, "abc", [1], {}),
    "validation": (None, [None]),
    "train_size": ("2", -1, 2.0, True, 10**13, [2]),
    "inner": (None, 0, "no"),
    "seed": (None, "1", 1.5, []),
    "parameters": (None, "many", [1]),
    "weights": (1, ["a"], {}),
    "configuration": (None, [], "x"),
    "seconds": (None, [], 1.0),
    "hardware": (None, [], "cpu"),
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in WRONG_FORMS.items() for value in values]
)
def test_wrong_forms_are_named(tmp_path, key, value):
    """Check one error for each, in printable text, that names the fold and the key."""
    write(tmp_path, of_method(run(), run(**{key: value})))
    with pytest.raises(
        UhcsBenchError, match=rf"damaged \(particles, fold 1: {key} is not"
    ) as caught:
        training_record.read(tmp_path)
    assert str(caught.value).isprintable()
