"""Tests between all pairs of methods, against scipy and by hand, and the ranks that they leave."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from uhcs_bench.ranking.pair_tests import MOST_LISTED, PairTests
from uhcs_bench.ranking.result_cache import Cache
from uhcs_bench.stats import paired
from uhcs_bench.stats.paired import holm

FOLDS = np.repeat(np.arange(6), 4)


def methods(n, seed=0, step=0.01):
    """Scores of methods, each a little better than the one before."""
    rng = np.random.default_rng(seed)
    base = rng.normal(0.7, 0.05, 24)
    return {f"m{i}": base + i * step + rng.normal(0, 0.02, 24) for i in range(n)}


def test_both_tests_are_scipys():
    """Check uncorrected p-values of one pair, by micrograph and by fold."""
    values = methods(2)
    difference = values["m1"] - values["m0"]
    (pair,) = PairTests("IU", values, FOLDS).pairs()
    folds = [difference[fold == FOLDS].mean() for fold in range(6)]
    assert pair.p_folds == pytest.approx(stats.ttest_1samp(folds, 0).pvalue)
    permuted = stats.permutation_test(
        (difference,), np.mean, permutation_type="samples", n_resamples=20_000
    )
    assert pair.p_micrographs == pytest.approx(permuted.pvalue, abs=0.02)
    assert pair.difference == pytest.approx(abs(difference.mean()))


def test_p_values_are_corrected_for_the_number_of_pairs():
    """Check Holm's method over the three pairs of three methods."""
    values = methods(3)
    tests = PairTests("IU", values, FOLDS)
    pairs = {frozenset((p.better, p.worse)): p for p in tests.pairs()}
    single = {
        names: next(iter(PairTests("IU", {n: values[n] for n in names}, FOLDS).pairs()))
        for names in pairs
    }
    corrected = holm([single[names].p_folds for names in pairs])
    assert [pairs[names].p_folds for names in pairs] == pytest.approx(corrected)


def test_a_range_is_the_wider_of_both_units():
    """Check methods that micrographs tell apart and six folds don't."""
    rng = np.random.default_rng(3)
    a = rng.normal(0.7, 0.05, 24)
    # One fold carries the difference: many micrographs agree, but folds do not repeat it.
    b = a + 0.004 + np.where(FOLDS == 0, 0.1, 0.0) + rng.normal(0, 0.001, 24)
    tests = PairTests("IU", {"a": a, "b": b}, FOLDS)
    ranks = tests.ranks("b")
    assert (ranks.by_micrograph, ranks.by_fold) == ((1, 1), (1, 2))
    assert (ranks.best, ranks.worst) == (1, 2)
    (pair,) = tests.pairs()
    assert pair.separable_by == ("micrographs",)
    assert pair.better == "b"


def test_the_better_one_stands_first_and_intervals_agree():
    """Check direction and interval of every pair, in tables that are turned around."""
    values = methods(5)
    for turned in (values, dict(reversed(values.items()))):
        for pair in PairTests("IU", turned, FOLDS).pairs():
            assert pair.difference >= 0
            mean = (values[pair.better] - values[pair.worse]).mean()
            assert pair.difference == pytest.approx(mean)
            if pair.ci95 is not None:
                assert pair.ci95[0] <= pair.difference <= pair.ci95[1]
                if len(pair.separable_by) < 2:
                    assert pair.ci95[0] <= 0


def test_tests_from_the_cache_are_the_same(tmp_path, monkeypatch):
    """Check p-values and ranks that were kept, and that one more method is tested alone."""
    values = methods(MOST_LISTED + 2, step=0.002)
    kept = Cache(tmp_path)
    first = dict(list(values.items())[:-1])
    PairTests("IU", first, FOLDS, kept)
    tested = []
    whole = PairTests._tested

    def counted(self, differences, **options):
        tested.append(len(differences))
        return whole(self, differences, **options)

    monkeypatch.setattr(PairTests, "_tested", counted)
    again = PairTests("IU", values, FOLDS, kept)
    assert sum(tested) == len(first)
    computed = PairTests("IU", values, FOLDS)
    assert list(again.pairs()) == list(computed.pairs())
    assert all(again.ranks(name) == computed.ranks(name) for name in values)


def test_undefined_scores_are_left_out_pair_by_pair():
    """Check that a micrograph without a score counts in no pair of that method."""
    values = methods(3)
    values["m1"][:5] = np.nan
    n = {frozenset((p.better, p.worse)): p.n for p in PairTests("IU", values, FOLDS).pairs()}
    assert n[frozenset(("m0", "m1"))] == n[frozenset(("m1", "m2"))] == 19
    assert n[frozenset(("m0", "m2"))] == 24


def test_equal_methods_share_all_places():
    """Check methods without any difference."""
    values = dict.fromkeys("abc", np.full(24, 0.5))
    tests = PairTests("IU", values, FOLDS)
    assert {str(tests.ranks(name)) for name in values} == {"1-3"}
    assert all(pair.p_micrographs == pair.p_folds == 1 for pair in tests.pairs())


def test_one_method_has_the_first_place():
    """Check a board of one entry."""
    tests = PairTests("IU", methods(1), FOLDS)
    assert str(tests.ranks("m0")) == "1"
    assert list(tests.pairs()) == []


def test_many_methods_list_neighbours_alone():
    """Check the number of pairs, which grows with the methods and not with their square."""
    few = PairTests("IU", methods(MOST_LISTED), FOLDS)
    assert len(list(few.pairs())) == MOST_LISTED * (MOST_LISTED - 1) // 2
    many = PairTests("IU", methods(MOST_LISTED + 1), FOLDS)
    assert len(list(many.pairs())) == MOST_LISTED


@pytest.mark.slow
@pytest.mark.parametrize(("step", "fewest_unknown"), [(0.0, 20), (0.002, 20), (0.1, 1)])
def test_large_boards_skip_no_test_that_matters(step, fewest_unknown, monkeypatch):
    """Check ranks and pairs against those of tests that are all computed in full."""
    values = methods(MOST_LISTED + 5, step=step)
    values["copy"] = values["m3"] + np.random.default_rng(1).normal(0, 0.01, 24)
    unknown = []
    settle = PairTests._settle

    def counted(self, p_values):
        unknown.append(int(np.isnan(p_values).sum()))
        settle(self, p_values)

    monkeypatch.setattr(PairTests, "_settle", counted)
    tests = PairTests("IU", values, FOLDS)
    monkeypatch.setattr(
        PairTests, "_sign_flips", staticmethod(lambda d, **_: paired.sign_flip_p_values(d))
    )
    full = PairTests("IU", values, FOLDS)
    assert unknown[0] >= fewest_unknown
    assert unknown[1] == 0
    assert list(tests.pairs()) == list(full.pairs())
    assert all(tests.ranks(name) == full.ranks(name) for name in values)
