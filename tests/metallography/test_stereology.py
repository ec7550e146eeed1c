"""Fractions, intercepts and summaries, against counting, geometry and numpy."""

from __future__ import annotations

import math
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import uhcs_bench
from uhcs_bench.errors import UsageError
from uhcs_bench.metallography import estimates, stereology
from uhcs_bench.metallography.estimates import BLOCKS, distribution
from uhcs_bench.metallography.labels import MICROCONSTITUENTS, NETWORK
from uhcs_bench.metallography.stereology import mean_intercept_length
from uhcs_bench.stats import blocks

label_maps = hnp.arrays(
    np.uint8, st.tuples(st.integers(0, 12), st.integers(0, 12)), elements=st.integers(0, 3)
)
lengths = st.lists(st.integers(1, 30).map(lambda x: math.sqrt(x)), min_size=1, max_size=50)


@given(label_maps)
def test_fractions_are_counts_over_pixels(labels):
    """Check values, their sum and what is said of absent classes."""
    found = stereology.phase_fractions(labels, "uhcs")
    assert [phase.phase for phase in found] == list(MICROCONSTITUENTS)
    for label, phase in enumerate(found):
        n_pixels = np.count_nonzero(labels == label)
        assert phase.n_pixels == n_pixels
        if not labels.size:
            assert phase.reason == "the map has no pixels"
            assert math.isnan(phase.fraction.value)
        else:
            assert phase.fraction.value == pytest.approx(n_pixels / labels.size)
            assert bool(phase.reason) == math.isnan(phase.fraction.low)
            if not n_pixels:
                assert phase.reason == f"the map has no {phase.phase}"


def test_fraction_interval_is_that_of_blocks():
    """Check that blocks are left out: of uniform blocks, the interval is that of their values."""
    values = np.random.default_rng(1).random((BLOCKS, BLOCKS)) < 0.4
    found = stereology.phase_fractions(np.kron(values, np.ones((30, 41), int)), "uhcs")[1]

    def mean(weights):
        return (weights @ values.ravel() / weights.sum(1))[:, np.newaxis]

    expected = np.clip(blocks.block_intervals(mean, BLOCKS**2)[0], 0, 1)
    np.testing.assert_allclose([found.fraction.low, found.fraction.high], expected)


@pytest.mark.usefixtures("real_data")
def test_fractions_of_annotations():
    """Check the pixel shares of all annotations, and that intervals hold the values."""
    counts = np.zeros(4)
    for m in uhcs_bench.load("microconstituents"):
        for label, phase in enumerate(stereology.phase_fractions(m.labels, "uhcs")):
            counts[label] += phase.n_pixels
            if phase.n_pixels and phase.fraction.value < 1:
                assert phase.fraction.low < phase.fraction.value < phase.fraction.high
    np.testing.assert_allclose(counts / counts.sum(), [0.161, 0.130, 0.682, 0.027], atol=5e-4)


@given(st.integers(1, 50), st.integers(1, 50))
def test_blocks_hold_their_pixels(n_rows, n_columns):
    """Check block sizes against the numbers of all pixels."""
    row, column = np.indices((n_rows, n_columns))
    numbers = estimates.block_numbers(row.ravel(), column.ravel(), (n_rows, n_columns))
    counts = np.bincount(numbers, minlength=BLOCKS**2)
    np.testing.assert_array_equal(estimates.block_sizes((n_rows, n_columns)), counts)


def crossings(line):
    """Runs of network on a line; those that its ends cut off count one half."""
    runs = [int(key) for key, _ in groupby(line == NETWORK)]
    return sum(runs) - (runs[0] + runs[-1]) / 2


@given(label_maps, st.floats(0.01, 10))
def test_intercepts_are_counted_line_by_line(labels, pixel_size):
    """Check number and lengths against counting runs on each line."""
    found = mean_intercept_length(labels, pixel_size)
    n = sum(crossings(line) for line in (*labels, *labels.T) if len(line)) if labels.size else 0.0
    assert found.n_crossings == n
    if not n:
        assert found.reason == "no test line enters or leaves network"
        assert math.isnan(found.spacing.px.value)
        return
    inside = 2 * np.count_nonzero(labels == NETWORK)
    assert found.spacing.px.value == pytest.approx(2 * labels.size / n)
    assert found.thickness.px.value == pytest.approx(inside / n)
    assert found.free_path.px.value == pytest.approx((2 * labels.size - inside) / n)
    assert found.spacing.um.value == pytest.approx(found.spacing.px.value * pixel_size)
    for other in (labels[::-1], labels[:, ::-1]):
        assert mean_intercept_length(other).spacing.px.value == found.spacing.px.value
    turned = mean_intercept_length(labels.T)
    assert (turned.horizontal_px, turned.vertical_px) == (found.vertical_px, found.horizontal_px)


def test_mean_chord_of_disks():
    """Check the thickness of disks against their mean chord, pi / 4 times the diameter."""
    row, column = np.indices((400, 600)) % 200 - 100
    labels = (np.hypot(row, column) < 60).astype(np.uint8)
    found = mean_intercept_length(labels)
    assert found.thickness.px.value == pytest.approx(math.pi / 4 * 120, rel=0.01)
    assert found.n_crossings == pytest.approx(6 * 2 * 120, rel=0.01)


def test_square_grid():
    """Check the spacing of walls in both directions, whatever the grid's offset."""
    for offset in range(0, 40, 7):
        wall = (np.arange(400) + offset) % 40 < 4
        labels = np.where(wall[:, np.newaxis] | wall, NETWORK, 2)
        found = mean_intercept_length(labels)
        # Lines inside a wall cross nothing: 36 of 40 count.
        assert found.spacing.px.value == pytest.approx(40 / 0.9, rel=0.06)
        assert found.horizontal_px == pytest.approx(found.vertical_px)
        assert found.thickness.px.low < found.thickness.px.value < found.thickness.px.high


@pytest.mark.usefixtures("real_data")
def test_intercepts_of_an_annotation():
    """Check that a real network has a spacing with an interval, and uhcs0596 has a reason."""
    annotations = uhcs_bench.load("microconstituents")
    found = mean_intercept_length(annotations["uhcs1150"].labels, 0.2)
    assert found.spacing.um.low < found.spacing.um.value < found.spacing.um.high
    assert found.spacing.px.value == pytest.approx(
        found.free_path.px.value + found.thickness.px.value
    )
    assert mean_intercept_length(annotations["uhcs0596"].labels).n_crossings == 0


@given(lengths, st.randoms(use_true_random=False))
def test_summary_is_numpys(values, random):
    """Check mean, deviation and quantiles; a weight of 2 is the same length twice."""
    blocks = [random.randrange(16) for _ in values]
    weights = [random.randrange(1, 4) for _ in values]
    found = distribution(values, blocks, weights)
    repeated = np.repeat(values, weights)
    assert found.n == len(values)
    assert found.mean.px.value == pytest.approx(repeated.mean())
    assert found.standard_deviation.px.value == pytest.approx(repeated.std(), abs=1e-6)
    for percent, length in found.percentiles.items():
        expected = np.quantile(repeated, percent / 100, method="inverted_cdf")
        assert length.px.value == expected
    assert found.median == found.percentiles[50]


def test_summary_does_not_count_weight_zero():
    """Check that such lengths are as if they weren't there, and none gives the reason."""
    values, blocks_ = [1, 2, 3, 4, 5, 9], [0, 1, 2, 3, 4, 5]
    found = distribution(values, blocks_, [1, 1, 1, 1, 1, 0])
    expected = distribution(values[:-1], blocks_[:-1])
    assert (found.n, found.mean.px, found.median.px) == (5, expected.mean.px, expected.median.px)
    nothing = distribution([1], [0], [0], reason="because")
    assert (nothing.n, nothing.reason) == (0, "because")
    assert math.isnan(nothing.percentiles[95].um.value)


def test_interval_of_one_block_is_undefined():
    """Check that samples from one place claim no certainty."""
    found = distribution([1, 2, 3], [5, 5, 5])
    assert found.mean.px.value == 2
    assert math.isnan(found.mean.px.low)
    assert math.isnan(found.median.px.high)


def test_interval_covers_the_mean():
    """Check that of independent blocks about nine in ten intervals hold the true mean."""
    rng = np.random.default_rng(2)
    block = np.repeat(np.arange(16), 5)
    hits = 0
    for _ in range(40):
        # Five equal samples a block: as independent samples they would seem surer than they are.
        mean = distribution(np.repeat(rng.normal(50, 5, 16), 5), block).mean.px
        hits += mean.low < 50 < mean.high
    assert hits >= 33


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full((2, 2), 4), "between 0 and 3"),
        (np.zeros(3, int), "two dimensions"),
        (np.zeros((2, 2)), "integers"),
    ],
)
def test_what_is_no_label_map(labels, message):
    """Check that an exception is raised for what is no label map."""
    with pytest.raises(ValueError, match=message):
        stereology.phase_fractions(labels, "uhcs")


def test_particle_map_has_no_network():
    """Check the names of fractions and intercepts of a map of particles."""
    labels = np.zeros((40, 40), int)
    labels[10:20, 10:30] = 1
    found = stereology.phase_fractions(labels, "particles")
    assert [phase.phase for phase in found] == ["matrix", "particle"]
    crossed = mean_intercept_length(labels, phase="particle")
    assert crossed.n_crossings == 30
    assert crossed.thickness.px.value == pytest.approx(400 / 30)
    assert mean_intercept_length(labels * 0, phase="particle").reason.endswith("leaves particle")
    with pytest.raises(UsageError, match="no phase 'matrix'"):
        mean_intercept_length(labels, phase="matrix")
