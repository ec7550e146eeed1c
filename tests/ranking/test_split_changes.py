"""What another split does to scores: paired on shared micrographs, tested, and never mispaired."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from uhcs_bench.ranking.board import METRICS
from uhcs_bench.ranking.entries.entry import Fingerprint, LeaderboardEntry
from uhcs_bench.ranking.split_changes import STEPS, compare_splits
from uhcs_bench.stats.paired import sign_flip_p_value

IU = METRICS[0]


def micrographs(folds):
    """Micrographs a, b, ... of these folds."""
    return tuple(SimpleNamespace(id=chr(97 + k), fold=fold) for k, fold in enumerate(folds))


def row(name, values, author="Ada", slug=None):
    """Give an entry's row with the IU of each micrograph, or of each run and micrograph."""
    declaration = {"name": name, "authors": [{"name": author}]}
    entry = LeaderboardEntry(slug or name, declaration, "1.0", "paper", {}, Fingerprint("", {}))
    return SimpleNamespace(entry=entry, values={"IU": np.atleast_2d(np.asarray(values, float))})


def group(split, expected, rows, task="particles", version="1.0"):
    return SimpleNamespace(
        task=SimpleNamespace(name=task),
        version=version,
        split=split,
        expected=expected,
        ranked=rows,
        metrics=(IU,),
    )


def test_micrographs_are_paired_by_id_and_not_by_place():
    """Check the difference of a split in another order, that lacks the first micrograph."""
    shared = micrographs([0, 0, 1, 1, 2])
    other = (shared[3], shared[1], shared[4], shared[2])
    easier = group("paper", shared, [row("A", [0.1, 0.2, 0.3, 0.4, 0.5])])
    harder = group("clean", other, [row("A", [0.38, 0.17, 0.45, 0.29], slug="A-clean")])
    (found,) = compare_splits([easier, harder])
    (change,) = found.changes
    assert found.step == STEPS[0]
    assert found.n_images == change.n == 4
    assert change.means == pytest.approx((0.35, 0.3225))
    assert change.difference == pytest.approx(np.mean([-0.02, -0.03, -0.05, -0.01]))
    assert (change.easier, change.harder) == ("A", "A-clean")
    assert found.n_training == ((3, 4), (2, 3))


def test_tests_are_those_of_the_pairs_on_the_harder_folds():
    """Compare both p-values of two methods with scipy's t test and the exact one, times two."""
    rng = np.random.default_rng(0)
    folds = np.repeat(np.arange(5), 4)
    expected = micrographs(folds)
    before = [rng.normal(0.7, 0.1, 20) for _ in range(2)]
    after = [before[0] - rng.normal(0.03, 0.01, 20), before[1] + rng.normal(0, 0.01, 20)]
    easier = group("clean", micrographs(rng.permutation(folds)), [*map(row, "AB", before)])
    harder = group("grouped", expected, [*map(row, "AB", after)])
    (found,) = compare_splits([easier, harder])
    first, second = found.changes
    assert found.controls == []
    differences = after[0] - before[0]
    by_fold = [differences[folds == fold].mean() for fold in range(5)]
    assert first.p_folds == pytest.approx(2 * stats.ttest_1samp(by_fold, 0).pvalue)
    assert first.p_micrographs == pytest.approx(2 * sign_flip_p_value(differences))
    assert first.n_folds == 5
    low, high = first.ci95
    assert low < first.difference < high < 0
    assert second.p_micrographs > 0.05
    assert second.ci95[0] <= 0 <= second.ci95[1]


def test_nothing_changes_without_training():
    """Check a method whose maps do not depend on the split."""
    expected, values = micrographs([0, 1, 2] * 7), np.linspace(0.5, 0.9, 21)
    groups = [group(split, expected, [row("A", values)]) for split in ("clean", "grouped")]
    (found,) = compare_splits(groups)
    (change,) = found.changes
    assert (change.difference, change.ci95) == (0, None)
    assert (change.p_micrographs, change.p_folds) == (1, 1)
    assert found.controls == ["A"]


def test_runs_are_averaged():
    """Check that three runs on one split count as their mean."""
    expected = micrographs([0, 1, 2])
    easier = group("clean", expected, [row("A", [[0.5, 0.6, 0.7], [0.7, 0.8, 0.9]])])
    harder = group("grouped", expected, [row("A", [0.5, 0.6, 0.7])])
    (found,) = compare_splits([easier, harder])
    assert found.changes[0].means == pytest.approx((0.7, 0.6))


def test_undefined_scores_leave_their_micrograph_out():
    """Check means and counts where one of the two scores is undefined."""
    expected = micrographs([0, 1, 2])
    easier = group("clean", expected, [row("A", [0.5, np.nan, 0.7])])
    harder = group("grouped", expected, [row("A", [0.4, 0.6, 0.7])])
    (found,) = compare_splits([easier, harder])
    (change,) = found.changes
    assert (change.n, change.n_folds) == (2, 2)
    assert change.means == pytest.approx((0.6, 0.55))


def test_each_two_splits_that_a_method_was_run_on_are_compared():
    """Check the steps of a method on all splits, and of one that lacks the split between."""
    expected = micrographs([0, 1, 2])
    splits = ("paper", "clean", "grouped")
    groups = [group(split, expected, [row("A", [0.5, 0.6, 0.7])]) for split in splits]
    steps = [(found.step.easier, found.step.harder) for found in compare_splits(groups)]
    assert steps == [("paper", "clean"), ("clean", "grouped"), ("paper", "grouped")]
    (found,) = compare_splits([groups[0], groups[2]])
    assert found.step == STEPS[2]


@pytest.mark.parametrize(
    ("other", "is_paired"),
    [
        (row("\uff21", [0.5, 0.6]), True),  # A in full width
        (row("a", [0.5, 0.6], author="Bob"), False),
        (row("B", [0.5, 0.6]), False),
    ],
    ids=["written differently", "other authors", "other name"],
)
def test_entries_of_one_method_have_one_name_and_the_same_authors(other, is_paired):
    expected = micrographs([0, 1])
    easier = group("clean", expected, [row("A", [0.5, 0.6])])
    harder = group("grouped", expected, [other])
    assert bool(compare_splits([easier, harder])) is is_paired


def test_only_groups_of_one_task_and_version_are_compared():
    """Check groups that differ in more than the split, and a split that nobody ran."""
    expected, rows = micrographs([0, 1]), [row("A", [0.5, 0.6])]
    groups = [
        group("paper", expected, rows),
        group("clean", expected, rows, version="audited"),
        group("grouped", expected, rows, task="microconstituents"),
    ]
    assert compare_splits(groups) == []
