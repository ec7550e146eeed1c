"""Comparing submissions, against scipy, by hand, and in words."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

import uhcs_bench
from tests.helpers.widths import WIDTH
from uhcs_bench.errors import UsageError
from uhcs_bench.metrics.table import CLASS_SCORES, OVERALL_SCORES
from uhcs_bench.scoring import comparison, tidy
from uhcs_bench.scoring import text as tables
from uhcs_bench.stats import means


@pytest.fixture(scope="module")
def truth():
    """Annotations of the synthetic particles."""
    return {m.id: m.labels for m in uhcs_bench.load("particles", version="synthetic")}


def scored(maps, **options):
    return uhcs_bench.score(maps, version="synthetic", **options)


def with_errors(maps, n_rows):
    """Turn the first rows of each map into particle."""
    return {name: np.where(np.arange(len(m))[:, None] < n_rows, 1, m) for name, m in maps.items()}


@pytest.fixture(scope="module")
def compared(truth):
    """Three submissions: the truth, a worse one and a still worse one."""
    return comparison.compare(
        {
            "good": scored(truth),
            "fair": scored(with_errors(truth, 20)),
            "poor": scored(with_errors(truth, 40)),
        }
    )


def find(compared, a, b, metric, class_name=None):
    (found,) = [
        d
        for d in compared.tasks[0].differences
        if (d.a, d.b, d.metric, d.class_name) == (a, b, metric, class_name)
    ]
    return found


def test_a_difference_by_hand(truth, compared):
    """Check mean, counts and single micrographs of a pair."""
    found = find(compared, "good", "fair", "AC")
    fair = scored(with_errors(truth, 20))["particles"]
    expected = {image.id: 1 - image.AC for image in fair.images}
    assert found.micrographs == pytest.approx(expected)
    assert found.mean == pytest.approx(np.mean(list(expected.values())))
    assert found.mean_a == 1
    assert (found.n, found.n_better, found.n_worse) == (24, 24, 0)
    assert found.p_value == 2 / 2**24
    assert found.p_holm == 3 * found.p_value
    assert found.ci95[0] < found.mean < found.ci95[1]


def test_pairs_are_compared_both_ways_alike(truth):
    """Check that exchanging two submissions only changes signs."""
    good, fair = scored(truth), scored(with_errors(truth, 20))
    forward = find(comparison.compare({"a": good, "b": fair}), "a", "b", "IU", "particle")
    backward = find(comparison.compare({"b": fair, "a": good}), "b", "a", "IU", "particle")
    assert backward.mean == -forward.mean
    assert backward.p_value == forward.p_value
    assert (backward.n_better, backward.n_worse) == (forward.n_worse, forward.n_better)


def test_every_pair_and_metric_is_there(compared):
    """Check the list of differences: each pair once, by each score of the table and by KS."""
    assert compared.names == ["good", "fair", "poor"]
    pairs = [("good", "fair"), ("good", "poor"), ("fair", "poor")]
    columns = [*((score.name, None) for score in OVERALL_SCORES), ("KS", None)]
    columns += [(score.name, name) for score in CLASS_SCORES for name in ("matrix", "particle")]
    found = [(d.a, d.b, d.metric, d.class_name) for d in compared.tasks[0].differences]
    assert len(found) == len(set(found))
    assert set(found) == {(*pair, *column) for pair in pairs for column in columns}


def test_sentences_say_what_is_separable(compared, truth):
    """Check both verdicts."""
    found = find(compared, "fair", "poor", "AC")
    points = f"{100 * found.mean:.1f} points"
    assert found.sentence.startswith(f"AC: fair is better than poor by {points} at n = 24 (95 % +")
    same = comparison.compare({"a": scored(truth), "b": scored(truth)})
    found = find(same, "a", "b", "IU")
    assert not found.separable
    assert found.sentence.startswith(
        "IU: a and b are not separable at n = 24 (0.0 points, no interval: all differences are "
    )


def test_sentence_follows_the_difference(truth):
    """Check that the worse submission first gives the same sentence, in percent and sign."""
    good, fair = scored(truth), scored(with_errors(truth, 20))
    forward = find(comparison.compare({"good": good, "fair": fair}), "good", "fair", "IU")
    backward = find(comparison.compare({"fair": fair, "good": good}), "fair", "good", "IU")
    assert forward.mean > 0 > backward.mean
    assert forward.sentence == backward.sentence


def difference(**changes):
    """A difference of two methods, of which some fields are changed."""
    fields = {
        "a": "a", "b": "b", "metric": "IU", "class_name": None, "mean_a": 0.7, "mean_b": 0.6,
        "mean": 0.1, "ci95": (0.05, 0.15), "no_interval": None, "p_value": 0.001, "p_holm": 0.001,
        "n": 24, "n_better": 20, "n_worse": 4, "micrographs": {},
    }  # fmt: skip
    return comparison.Difference(**fields | changes)


@pytest.mark.parametrize(
    ("ci95", "p_holm", "separable"),
    [
        ((0.05, 0.15), 0.001, True),
        ((-0.01, 0.15), 0.001, False),
        ((0.05, 0.15), 0.2, False),
        (None, 0.001, True),
        (None, 0.2, False),
    ],
)
def test_verdict_needs_test_and_interval(ci95, p_holm, separable):
    """Check that a verdict never contradicts the interval or the p-value beside it."""
    found = comparison._with_corrected(difference(ci95=ci95), p_holm)
    assert found.separable is separable
    if found.ci95 is not None and not found.separable:
        assert found.ci95[0] <= 0 <= found.ci95[1]


def test_small_p_is_not_spelt_out():
    """Check that six digits of a p-value are not printed."""
    assert "p < 0.001" in difference(p_holm=1.2e-7).sentence


def test_equal_verdicts_have_an_interval_of_some_width(truth):
    """Check that 24 equal verdicts do not claim certainty, unlike a difference that is known."""
    same = comparison.compare({"a": scored(truth), "b": scored(truth)})
    low, high = find(same, "a", "b", "KS").ci95
    assert (low, high) == pytest.approx((-0.184, 0.184), abs=1e-3)


def test_missing_interval_has_a_reason(truth):
    """Check a micrograph that carries the difference, and a single fold."""
    spoilt = {**truth, "synthetic-particles-07": 1 - truth["synthetic-particles-07"]}
    slightly = with_errors(truth, 1)
    found = find(comparison.compare({"a": scored(slightly), "b": scored(spoilt)}), "a", "b", "IU")
    assert found.ci95 is None
    assert "no interval: synthetic-particles-07 carries more than half" in found.sentence
    fold = {"a": scored(truth, fold=1), "b": scored(with_errors(truth, 9), fold=1)}
    assert "fewer than 16 micrographs" in find(comparison.compare(fold), "a", "b", "AC").sentence


def test_comparison_by_sample(truth):
    """Check interval and p-value by heat-treated sample against the statistics."""
    good, fair = scored(truth), scored(with_errors(truth, 20))
    compared = comparison.compare({"good": good, "fair": fair}, "samples")
    found = find(compared, "good", "fair", "IU")
    values, samples = list(found.micrographs.values()), good["particles"].samples
    assert found.ci95 == pytest.approx(means.cluster_interval(values, samples))
    assert found.p_value == means.cluster_p_value(values, samples)
    assert compared.resampled == "samples"
    assert "by heat-treated sample" in tables.comparison_to_text(compared)


def test_scores_that_one_lacks_are_left_out(truth):
    """Check that a class without precision gives no difference, instead of a zero."""
    nothing = scored({name: 0 * labels for name, labels in truth.items()})
    differences = (
        comparison.compare({"truth": scored(truth), "nothing": nothing}).tasks[0].differences
    )
    assert not [d for d in differences if (d.metric, d.class_name) == ("precision", "particle")]


def test_text_fits_a_terminal(compared):
    """Check the width, the sentences, and that synthetic data are named."""
    text = tables.comparison_to_text(compared)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert text.count("SYNTHETIC set, not real micrographs") == 4  # a matrix, and three pairs
    assert "good is better than fair" in text


def test_matrix_of_three_stands_first(compared):
    """Check every cell against the pairs, in sign and mark, and that two have no matrix."""
    lines = tables.comparison_to_text(compared).splitlines()
    assert lines[0].startswith("particles: all pairs, * separable; SYNTHETIC set")
    rows = [line.split() for line in lines[5:8]]
    assert [row[:2] for row in rows] == [["1", "good"], ["2", "fair"], ["3", "poor"]]
    for i, a in enumerate(compared.names):
        cells = iter(rows[i][2:])
        for j, b in enumerate(compared.names):
            if i != j:
                found = find(compared, *((a, b) if i < j else (b, a)), "IU")
                mean = found.mean if i < j else -found.mean
                assert next(cells) == f"{100 * mean:+.1f}" + "*" * found.separable
    pair = replace(compared, names=["good", "fair"])
    assert tables.comparison_to_text(pair).startswith("particles: good (A) and fair (B)")


def test_machine_readable_forms(compared):
    """Check JSON and CSV against the comparison."""
    content = json.loads(compared.to_json())
    assert content["schema"] == "uhcs-bench/comparison/2"
    first = compared.tasks[0].differences[0]
    assert content["tasks"][0]["differences"][0]["sentence"] == first.sentence
    rows = list(csv.DictReader(io.StringIO(tidy.comparison_to_csv(compared))))
    assert float(rows[0]["difference"]) == pytest.approx(first.mean, rel=1e-5)
    assert rows[1]["micrograph"] == next(iter(first.micrographs))
    assert len(rows) == sum(1 + d.n for d in compared.tasks[0].differences)


def test_what_cannot_be_compared(truth):
    """Check a single submission, other folds, other tasks and other versions."""
    whole = scored(truth)
    with pytest.raises(UsageError, match="at least two"):
        comparison.compare({"a": whole})
    with pytest.raises(UsageError, match="other micrographs"):
        comparison.compare({"a": whole, "b": scored(truth, fold=1)})
    uhcs = {m.id: m.labels for m in uhcs_bench.load("uhcs", version="synthetic")}
    with pytest.raises(UsageError, match="no task in common"):
        comparison.compare({"a": whole, "b": scored(uhcs)})


def test_different_data_are_not_compared(truth):
    """Check that version, split and annotations must be the same."""
    report = scored(truth)
    (task,) = report.tasks
    others = {
        "data set versions": replace(report, dataset_version="1.0"),
        "splits": scored(truth, split="clean"),
        "its data id is other, not particles-synthetic-paper-": replace(
            report, tasks=[replace(task, data_id="other")]
        ),
    }
    for message, other in others.items():
        with pytest.raises(UsageError, match=message):
            comparison.compare({"a": report, "b": other})


def test_a_comparison_names_its_data(compared):
    """Check split and data id in all forms."""
    data_id = uhcs_bench.load("particles", version="synthetic").data_id
    assert compared.split == "paper"
    assert compared.tasks[0].data_id == data_id
    content = json.loads(compared.to_json())
    assert (content["split"], content["tasks"][0]["data_id"]) == ("paper", data_id)
    for form in ("table", "markdown", "latex"):
        text = tables.comparison_to_text(compared, form)
        assert text.splitlines()[1].removeprefix("% ") == f"split paper, data id {data_id}"
    rows = list(csv.DictReader(io.StringIO(tidy.comparison_to_csv(compared))))
    assert {(row["split"], row["data_id"]) for row in rows} == {("paper", data_id)}
