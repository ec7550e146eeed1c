"""The coverage simulations, reduced: they run, and tell methods that hold from those that don't."""

from __future__ import annotations

from tests.benchmarks import coverage, field_coverage, specimen_coverage
from uhcs_bench.stats import means


def test_chosen_interval_holds_where_others_do_not():
    """Check the most skewed population of the board at n = 24."""
    name = "particles pixelnet-ce AC"
    rows = coverage.of_means({name: coverage.score_populations()[name]}, (24,), replicates=400)
    held = {row["method"]: row["lowest"] for row in rows if row["kind"] == "gamma"}
    assert held[coverage.CHOSEN] >= means.COVERAGE
    assert held["percentile"] < means.COVERAGE
    assert held["t"] < held[coverage.CHOSEN]


def test_micrographs_of_one_sample_are_no_independent_evidence():
    """Check that by sample an interval holds that does not by micrograph."""
    for row in coverage.of_clusters((0.7,), replicates=400):
        assert row["by micrograph, t"] < 0.8
        assert row["by sample, 97 %"] >= means.COVERAGE - 0.02  # 400 samples: 1.3 points


def test_field_intervals_hold_on_small_fields():
    """Check a few small fields of particles: all columns are there, and most intervals hold."""
    found = field_coverage.coverage("particles, median .28 um", 12, (150, 200))
    assert {"diameter_mean_px", "diameter_median_px", "fraction_particle"} <= set(found)
    assert sum(share for share, _ in found.values()) / len(found) > 0.8


def test_specimens_of_small_fields():
    """Check that all sizes of specimens are simulated, and that t intervals hold often."""
    for measure, values in specimen_coverage.pool(
        "particles, median .28 um", 40, (150, 200)
    ).items():
        assert len(values) == 40
        assert specimen_coverage.coverage(measure, values, 5, 200) > 0.85
