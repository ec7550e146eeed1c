"""Combined analysis, against scipy, distance maps by brute force and cases made by hand."""

from __future__ import annotations

import csv
import io
import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage, stats

from uhcs_bench.data import synthetic
from uhcs_bench.measuring.outputs import combined_tables
from uhcs_bench.metallography import estimates, particles, spheroidite
from uhcs_bench.metallography.labels import MATRIX, NETWORK, SPHEROIDITE, WIDMANSTATTEN
from uhcs_bench.metallography.spheroidite import combine, equal_counts, rank_correlation
from uhcs_bench.segmentation import otsu

shapes = st.tuples(st.integers(1, 24), st.integers(1, 24))


@st.composite
def pairs(draw):
    """A particle map and a microconstituent map of one shape."""
    shape = draw(shapes)
    particle_map = draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 1)))
    return particle_map, draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 3)))


def field():
    """A network on the left, then denuded zone, spheroidite and a lath on the right.

    Four squares of 9 px stand in the spheroidite, one in the denuded zone, one on the boundary.
    """
    labels = np.full((100, 120), SPHEROIDITE, np.uint8)
    labels[:, :10], labels[:, 10:20], labels[:, 110:] = NETWORK, MATRIX, WIDMANSTATTEN
    particle_map = np.zeros(labels.shape, np.uint8)
    for row, column in ((20, 30), (50, 40), (70, 60), (30, 80), (40, 12), (60, 18)):
        particle_map[row : row + 3, column : column + 3] = 1
    return particle_map, labels


def test_counts_by_hand():
    """Check what is kept, dropped and cut."""
    found = combine(*field())
    assert len(found.particles) == 5
    assert (found.n_dropped, found.n_cut) == (1, 1)
    assert (found.n_pixels_kept, found.n_pixels_dropped) == (4 * 9 + 3, 9 + 6)
    assert found.n_spheroidite_pixels == 100 * 90
    assert found.area_fraction == 39 / 9000
    assert found.n_specks == 1
    assert sorted(found.particles.table["area_px"]) == [3, 9, 9, 9, 9]
    assert found.warning == spheroidite.WARNING
    assert "too poorly" in found.warning


def test_distances_by_hand():
    """Check the distance from centroid to the network's outline, half a pixel past its centre."""
    particle_map, labels = field()
    found = combine(particle_map, labels, pixel_size_um=0.5, bin_edges_px=[0, 30, 60, 200])
    at = dict(zip(found.particles.table["column"], found.distances_px, strict=True))
    for column, distance in at.items():
        assert distance == pytest.approx(column - 9.5)
    assert [bin_.diameters.n for bin_ in found.by_distance] == [2, 2, 1]
    diameters = np.sqrt(4 * np.array([9, 3]) / math.pi)
    nearest = found.by_distance[0].diameters.mean
    # Weights that correct for the image's edge are nearly, but not quite, the same.
    assert nearest.px.value == pytest.approx(diameters.mean(), rel=0.02)
    assert nearest.um.value == pytest.approx(nearest.px.value * 0.5)


@given(pairs())
def test_pixels_are_decided_one_by_one(maps):
    """Check the mask itself, and that counts add up."""
    particle_map, labels = maps
    found = combine(particle_map, labels)
    np.testing.assert_array_equal(found.particle_map, particle_map & (labels == SPHEROIDITE))
    assert found.n_pixels_kept + found.n_pixels_dropped == np.count_nonzero(particle_map)
    assert found.particles.table["area_px"].sum() == found.n_pixels_kept
    before = len(particles.measure_particles(particle_map))
    inside = before - found.n_dropped
    assert found.n_cut <= inside <= len(found.particles)
    assert bool(found.reason) == (not found.n_pixels_kept)


@given(pairs())
def test_spheroidite_everywhere_keeps_all(maps):
    """Check that a mask of everything changes nothing, and that there is no distance."""
    particle_map, labels = maps
    found = combine(particle_map, np.full_like(labels, SPHEROIDITE), pixel_size_um=0.5)
    expected = particles.measure_particles(particle_map, pixel_size_um=0.5)
    np.testing.assert_array_equal(found.particles.table, expected.table)
    assert (found.n_dropped, found.n_cut, found.n_pixels_dropped) == (0, 0, 0)
    assert found.sizes.diameters.n == particles.size_distribution(expected).diameters.n
    assert np.isnan(found.distances_px).all()
    assert found.by_distance == ()
    assert math.isnan(found.trend.rho.value)
    if len(expected):
        assert found.trend.reason == "the map has no network"


@pytest.mark.parametrize(
    ("particle", "label", "reason"),
    [
        (1, MATRIX, spheroidite.NO_SPHEROIDITE),
        (0, SPHEROIDITE, spheroidite.NO_PARTICLE),
        (0, MATRIX, spheroidite.NO_PARTICLE),
    ],
)
def test_nothing_left_says_why(particle, label, reason):
    """Check empty results."""
    shape = (40, 50)
    found = combine(np.full(shape, particle), np.full(shape, label))
    assert len(found.particles) == 0
    assert found.reason == found.trend.reason == reason
    assert found.sizes.diameters.n == 0
    assert math.isnan(found.sizes.diameters.mean.px.value)
    assert found.by_distance == ()
    assert json.loads(combined_tables.to_json({"a": found}))["micrographs"]["a"]["reason"] == reason


def test_particles_outside_alone_say_so():
    """Check a map whose particles all lie outside the spheroidite that is there."""
    particle_map, labels = field()
    particle_map[:, 20:] = 0
    assert combine(particle_map, labels).reason == spheroidite.ALL_OUTSIDE


def test_one_whole_particle_has_no_trend():
    """Check that a constant has a reason instead of a correlation."""
    particle_map, labels = field()
    particle_map[:, 35:] = particle_map[60:] = 0
    found = combine(particle_map, labels)
    assert len(found.particles) == 1
    assert math.isnan(found.trend.rho.value)
    assert found.trend.reason == "the particles have one size or one distance"


def outline_distance(labels, row, column):
    """Distance to the network's outline from a distance map in half pixels.

    The outline's points are the middles of pixel edges; they and all centres of particles that
    are used here lie on a grid of half a pixel.
    """
    network = labels == NETWORK
    fine = np.ones((2 * len(labels) - 1, 2 * labels.shape[1] - 1), bool)
    fine[1::2, ::2] = network[1:] == network[:-1]
    fine[::2, 1::2] = network[:, 1:] == network[:, :-1]
    distance = ndimage.distance_transform_edt(fine) / 2
    return distance[np.rint(2 * row).astype(int), np.rint(2 * column).astype(int)]


@pytest.mark.parametrize("seed", range(5))
def test_distances_equal_a_distance_map(seed):
    """Check every particle of a random field against scipy's exact distance transform."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.standard_normal((120, 150)), 12)
    network = smooth > np.quantile(smooth, 0.8)
    # Holes are filled as in the paper; without any, the map is its own truth.
    network = ndimage.binary_fill_holes(network)
    labels = np.where(network, NETWORK, SPHEROIDITE)
    particle_map = np.zeros(labels.shape, np.uint8)
    particle_map[rng.integers(0, 120, 60), rng.integers(0, 150, 60)] = 1
    particle_map[network] = 0
    found = combine(particle_map, labels)
    table = found.particles.table
    on_grid = (2 * table["row"] % 1 == 0) & (2 * table["column"] % 1 == 0)
    assert on_grid.sum() > 30
    expected = outline_distance(labels, table["row"][on_grid], table["column"][on_grid])
    np.testing.assert_allclose(found.distances_px[on_grid], expected)
    # To the next pixel's centre it is further than to its edge, by half a pixel straight ahead.
    single = table["area_px"] == 1
    row, column = (table[name][single].astype(int) for name in ("row", "column"))
    to_centre = ndimage.distance_transform_edt(~network)[row, column]
    difference = to_centre - found.distances_px[single]
    assert ((difference > 0) & (difference <= 0.5)).all()


samples = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.int64, n, elements=st.integers(-5, 5)),
        hnp.arrays(np.int64, n, elements=st.integers(-5, 5)),
        hnp.arrays(np.int64, n, elements=st.integers(0, 15)),
    )
)


@settings(max_examples=40)
@given(samples)
def test_rank_correlation_is_spearmans(sample):
    """Check the value against scipy, with many ties."""
    x, y, block = sample
    found = rank_correlation(x, y, block)
    if len(np.unique(x)) == 1 or len(np.unique(y)) == 1:
        assert math.isnan(found.value)
    else:
        assert found.value == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
        assert rank_correlation(y, x, block).value == found.value
        assert rank_correlation(np.exp(x), y, block).value == found.value
        assert rank_correlation(-x, y, block).value == -found.value


def test_resamples_rank_anew(monkeypatch):
    """Check each resample against scipy on the repeated data."""
    rng = np.random.default_rng(3)
    x, block = rng.integers(0, 30, 200), rng.integers(0, 6, 200)
    y = x + rng.integers(0, 40, 200)
    statistics = []

    def record(statistic, n_blocks, _):
        statistics.append((statistic, n_blocks))
        return [estimates.UNDEFINED]

    monkeypatch.setattr(estimates, "estimates", record)
    rank_correlation(x, y, block)
    ((statistic, n_blocks),) = statistics
    assert n_blocks == 6
    drawn = rng.multinomial(6, np.full(6, 1 / 6), size=50)
    found = statistic(drawn.astype(float))[:, 0]
    for weights, rho in zip(drawn, found, strict=True):
        repeats = weights[block]
        expected = stats.spearmanr(np.repeat(x, repeats), np.repeat(y, repeats)).statistic
        assert rho == pytest.approx(expected, abs=1e-12)


def test_interval_holds_no_trend_where_there_is_none():
    """Check that an interval covers 0 for independent sizes, and not where size is distance."""
    rng = np.random.default_rng(11)
    distance, block = rng.random(800) * 100, rng.integers(0, 16, 800)
    nothing = rank_correlation(distance, rng.random(800), block)
    assert nothing.low < 0 < nothing.high
    trend = rank_correlation(distance, distance + 30 * rng.random(800), block)
    assert 0.5 < trend.low < trend.value < trend.high <= 1


@given(hnp.arrays(np.float64, st.integers(1, 200), elements=st.floats(0, 500)), st.integers(1, 9))
def test_bins_hold_everything_evenly(distances, n_bins):
    """Check that every distance is in one bin, and that distinct ones are spread evenly."""
    edges = equal_counts(distances, n_bins)
    assert all(near < far for near, far in pairwise(edges))
    inside = [((distances >= a) & (distances < b)).sum() for a, b in pairwise(edges)]
    assert sum(inside) == len(distances)
    if len(np.unique(distances)) == len(distances) >= n_bins:
        assert max(inside) - min(inside) <= 1


@pytest.mark.parametrize("edges", [[], [3], [0, 5, 5], [9, 1], [0, math.nan]])
def test_edges_that_do_not_ascend(edges):
    """Check that they are named."""
    with pytest.raises(ValueError, match="ascending"):
        combine(*field(), bin_edges_px=edges)


def test_wrong_maps():
    """Check shapes and labels."""
    particle_map, labels = field()
    with pytest.raises(ValueError, match="shape"):
        combine(particle_map[1:], labels)
    with pytest.raises(ValueError, match="between 0 and 1"):
        combine(particle_map * 255, labels)
    with pytest.raises(ValueError, match="between 0 and 3"):
        combine(particle_map, labels + 2)


def test_pixel_size_scales_lengths_alone():
    """Check that micrometres are pixels times the pixel size, and that rho has no unit."""
    in_px, in_um = combine(*field()), combine(*field(), pixel_size_um=0.25)
    assert (in_px.trend.rho.value, in_px.trend.n) == (in_um.trend.rho.value, in_um.trend.n)
    for without, with_size in zip(in_px.by_distance, in_um.by_distance, strict=True):
        assert with_size.near_px == without.near_px
        assert math.isnan(without.diameters.mean.um.value)
        mean = with_size.diameters.mean
        assert mean.um.value == pytest.approx(0.25 * without.diameters.mean.px.value)


def test_json_and_csv_say_the_same():
    """Check both forms against the result, and that undefined is null or empty."""
    result = combine(*field(), pixel_size_um=0.5)
    other = combine(field()[0], np.full((100, 120), SPHEROIDITE))
    content = json.loads(combined_tables.to_json({"a": result, "b": other}))
    assert content["warning"] == spheroidite.WARNING
    a, b = content["micrographs"]["a"], content["micrographs"]["b"]
    assert a["n_particles"] == 5
    assert a["diameter"]["mean_um"]["value"] == result.sizes.diameters.mean.um.value
    assert a["trend"]["spearman_rho"]["value"] == result.trend.rho.value
    assert a["diameter_by_distance"][0]["far_um"] == a["diameter_by_distance"][0]["far_px"] / 2
    assert b["pixel_size_um"] is b["diameter"]["mean_um"]["value"] is None
    assert b["trend"]["reason"] == "the map has no network"
    rows = list(csv.DictReader(io.StringIO(combined_tables.to_csv({"a": result, "b": other}))))
    whole = {(r["micrograph"], r["quantity"], r["unit"]): r for r in rows if not r["near_px"]}
    in_csv = {key: row["value"] for key, row in whole.items()}
    six_digits = {"rel": 1e-5}
    mean = a["diameter"]["mean_um"]["value"]
    assert float(in_csv["a", "diameter_mean", "um"]) == pytest.approx(mean, **six_digits)
    rho = result.trend.rho.value
    assert float(in_csv["a", "spearman_rho", "1"]) == pytest.approx(rho, **six_digits)
    assert whole["b", "spearman_rho", "1"]["value"] == ""
    assert whole["b", "spearman_rho", "1"]["note"] == "the map has no network"
    assert whole["b", "resolution", ""]["note"] == spheroidite.WARNING
    assert ("b", "diameter_mean", "um") not in whole
    binned = [r for r in rows if r["near_px"] and r["quantity"] == "diameter_mean"]
    assert len(binned) == 2 * len(result.by_distance)


def test_particle_list():
    """Check that every particle is listed with its distance."""
    result = combine(*field(), pixel_size_um=0.5)
    rows = list(csv.DictReader(io.StringIO(combined_tables.particles_to_csv({"a": result}))))
    assert len(rows) == 5
    for row, distance in zip(rows, result.distances_px, strict=True):
        assert float(row["distance_px"]) == pytest.approx(distance, rel=1e-5)
        assert float(row["distance_um"]) == pytest.approx(distance / 2, rel=1e-5)
        assert float(row["column"]) - 9.5 == pytest.approx(distance)


def test_masking_finds_the_particles_of_the_synthetic_set():
    """Check on a map of known truth that masking drops network and laths.

    Otsu's threshold takes the network's bright edge and the laths for particles.
    """
    image, labels = synthetic.generate(synthetic.catalogue("microconstituents")[0])
    found = combine(otsu.segment(image, "particles"), labels, 0.1)
    assert found.n_dropped > 0
    assert found.n_cut > 0
    assert not found.particle_map[labels != SPHEROIDITE].any()
    assert len(found.by_distance) == spheroidite.N_BINS
    counts = [bin_.diameters.n for bin_ in found.by_distance]
    assert sum(counts) == found.trend.n == found.sizes.diameters.n
    assert found.trend.rho.low < found.trend.rho.value < found.trend.rho.high


def test_small_particles_inside_are_left_out():
    """Check that they count nowhere but in their own two numbers."""
    constituents = np.full((60, 80), SPHEROIDITE)
    constituents[:, :10] = NETWORK
    mask = np.zeros((60, 80), np.uint8)
    mask[10:12, 20:22] = mask[40:44, 60:64] = 1
    found = combine(mask, constituents, 0.5, min_diameter="1.5um")
    assert (len(found.particles), found.n_left_out, found.n_pixels_left_out) == (1, 1, 4)
    assert (found.n_pixels_kept, found.n_specks, found.n_dropped) == (16, 0, 0)
    nothing = combine(mask, constituents, min_diameter="20px")
    assert nothing.reason == spheroidite.ALL_SMALL
