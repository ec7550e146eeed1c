"""Denuded-zone widths: the paper's, against their steps in scikit-image; ours, against geometry."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.measure import label
from skimage.morphology import closing, diamond, remove_small_holes
from skimage.segmentation import find_boundaries

import uhcs_bench
from uhcs_bench.metallography import _interfaces, denuded_zone
from uhcs_bench.metallography.denuded_zone import (
    denuded_zone_widths,
    unobstructed_widths,
    width_distribution,
)
from uhcs_bench.metallography.labels import MATRIX, NETWORK, SPHEROIDITE, WIDMANSTATTEN

REFERENCE = {
    "uhcs0006": (5746, 17.2520),
    "uhcs0333": (2939, 48.5903),
    "uhcs0357": (9464, 20.3644),
    "uhcs1150": (5843, 38.3705),
    "uhcs1648": (3084, 13.1230),
}
"""Number and mean of the samples, in pixels, that the authors' code gives on annotations."""

FLIPS = [
    pytest.param(lambda m: m[::-1], id="up"),
    pytest.param(lambda m: m[:, ::-1], id="left"),
    pytest.param(np.transpose, id="transposed"),
]


@pytest.fixture
def annotations(real_data):  # noqa: ARG001 - makes load() work
    """Annotated label maps by name."""
    return {m.id: m.labels for m in uhcs_bench.load("microconstituents")}


def literal_steps(labels):
    """Take the paper's steps with scikit-image and scipy: cleaned map, interface and widths."""
    cleaned = labels.astype(int)
    few = denuded_zone.HOLE_PX - 1
    cleaned[remove_small_holes(cleaned == NETWORK, max_size=few)] = NETWORK
    components = label(closing(cleaned == MATRIX, diamond(1)), connectivity=2)
    attached = np.unique(components[cleaned == NETWORK])
    cleaned[(components > 0) & ~np.isin(components, attached)] = SPHEROIDITE
    to_network = distance_to(cleaned == NETWORK)
    near_lath = distance_to(cleaned == WIDMANSTATTEN) < to_network
    cleaned[(cleaned == MATRIX) & near_lath] = SPHEROIDITE
    cleaned[cleaned == WIDMANSTATTEN] = SPHEROIDITE
    interface = find_boundaries(cleaned == SPHEROIDITE)
    return cleaned, interface, to_network[interface]


def distance_to(mask):
    """Exact distance of each pixel to the nearest one of a mask."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return ndimage.distance_transform_edt(~mask)


def assert_equals_literal_steps(labels):
    cleaned, interface, widths = literal_steps(labels)
    zone = denuded_zone_widths(labels)
    np.testing.assert_array_equal(zone.cleaned, cleaned)
    np.testing.assert_array_equal(zone.interface, interface)
    np.testing.assert_array_equal(zone.widths_px, widths)


def random_map(seed):
    """Blobs of all classes, more or less smooth, with specks."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(20, 130, 2))
    fields = [
        ndimage.gaussian_filter(rng.standard_normal(shape), rng.uniform(0.5, 8), mode="wrap")
        for _ in range(4)
    ]
    labels = np.argmax([f / f.std() for f in fields], axis=0).astype(np.uint8)
    specks = rng.random(shape) < rng.uniform(0, 0.02)
    labels[specks] = rng.integers(0, 4, specks.sum())
    return labels


def stripes(*bands, rows=120):
    """Vertical stripes of (label, width in pixels)."""
    return np.tile(np.repeat(*np.transpose(bands)).astype(np.uint8), (rows, 1))


def rings(*radii, side=241, labels=(NETWORK, MATRIX, SPHEROIDITE)):
    """Concentric disks of the labels; the last fills the rest."""
    row, column = np.indices((side, side)) - side // 2
    return np.choose(np.searchsorted(radii, np.hypot(row, column)), labels).astype(np.uint8)


def tilted_band(width, angle, side=161):
    """Network below a line, a zone of some width above it, and spheroidite above that."""
    row, column = np.indices((side, side)) - side // 2
    height = row * math.cos(angle) + column * math.sin(angle)
    return np.select([height < 0, height < width], [NETWORK, MATRIX], SPHEROIDITE).astype(np.uint8)


def mean_width(zone):
    return np.average(zone.widths_px, weights=zone.weights)


# The paper's measure


@pytest.mark.parametrize("name", REFERENCE)
def test_reference_values(annotations, name):
    """Check number and mean of the samples against the authors' code."""
    zone = denuded_zone_widths(annotations[name])
    n, mean = REFERENCE[name]
    assert len(zone) == n
    assert zone.widths_px.mean() == pytest.approx(mean, abs=1e-3)
    assert zone.reason == ""


@pytest.mark.slow
def test_annotations_give_what_the_literal_steps_give(annotations):
    """Check cleaned map, interface and every sample of all annotations with a network."""
    for name, labels in annotations.items():
        if name != "uhcs0596":
            assert_equals_literal_steps(labels)


def test_annotation_without_network(annotations):
    """Check that a reason is given where the authors' code fails."""
    for measure in (denuded_zone_widths, unobstructed_widths):
        zone = measure(annotations["uhcs0596"])
        assert (len(zone), zone.reason) == (0, denuded_zone.NO_NETWORK)
        assert width_distribution(zone).reason == denuded_zone.NO_NETWORK


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_random_maps_give_what_the_literal_steps_give(seed):
    """Check maps of all kinds, specks and image edges included."""
    assert_equals_literal_steps(random_map(seed))


@given(
    hnp.arrays(
        np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 3)
    ),
    st.integers(1, 6),
)
def test_coarse_maps_give_what_the_literal_steps_give(labels, factor):
    """Check small maps and such with long straight outlines."""
    labels = np.kron(labels, np.ones((factor, factor), np.uint8))
    if (labels == NETWORK).any():
        assert_equals_literal_steps(labels)
    else:
        assert denuded_zone_widths(labels).reason == denuded_zone.NO_NETWORK


@given(
    hnp.arrays(
        np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 9)
    )
)
def test_nearer_pixels_are_those_of_exact_distances(draw):
    """Check block by block comparison, ties included, against distance transforms."""
    these, others, mask = draw == 1, draw == 2, draw > 2
    if these.any() and others.any():
        trees = (_interfaces.tree(np.argwhere(m)) for m in (these, others))
        found = _interfaces.nearer(mask, *trees)
        np.testing.assert_array_equal(found, mask & (distance_to(these) < distance_to(others)))


@pytest.mark.parametrize(
    "labels",
    [np.zeros((0, 0), int), np.zeros((0, 5), int), np.full((3, 3), 2), np.zeros((9, 9), bool)],
    ids=["no pixels", "no rows", "spheroidite", "bool"],
)
def test_maps_without_network(labels):
    """Check that they give reasons, not errors."""
    for measure in (denuded_zone_widths, unobstructed_widths):
        assert measure(labels).reason == denuded_zone.NO_NETWORK


def test_network_alone():
    """Check that a map without interface gives a reason."""
    labels = np.full((20, 20), NETWORK)
    assert denuded_zone_widths(labels).reason == "spheroidite and denuded zone have no interface"
    zone = unobstructed_widths(labels)
    assert zone.reason == "spheroidite and matrix have no interface"
    assert math.isnan(zone.contact_fraction)


@pytest.mark.parametrize("measure", [denuded_zone_widths, unobstructed_widths])
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full((2, 2), 4), "between 0 and 3"),
        (np.full((2, 2), -1), "between 0 and 3"),
        (np.zeros(4, int), "two dimensions"),
        (np.zeros((2, 2)), "integers"),
    ],
)
def test_what_is_no_label_map(measure, labels, message):
    """Check that an exception is raised for labels that aren't microconstituents."""
    with pytest.raises(ValueError, match=message):
        measure(labels)


@pytest.mark.parametrize("measure", [denuded_zone_widths, unobstructed_widths])
def test_any_integers_in_any_order(measure):
    """Check data types and memory layouts, and that the map is left as it was."""
    labels = random_map(3)
    labels.flags.writeable = False
    expected = measure(labels).widths_px
    for other in (labels.astype(np.int64), np.asfortranarray(labels), labels.repeat(2, 1)[:, ::2]):
        np.testing.assert_array_equal(measure(other).widths_px, expected)


def test_result_is_an_array_of_samples():
    """Check that the result can be used as the samples themselves."""
    zone = denuded_zone_widths(random_map(1))
    assert np.mean(zone) == zone.widths_px.mean()
    assert np.array(zone, np.float32).dtype == np.float32
    np.testing.assert_array_equal(zone.interface[zone.row, zone.column], True)


@pytest.mark.slow
@pytest.mark.parametrize("measure", [denuded_zone_widths, unobstructed_widths])
def test_memory_on_a_montage(annotations, measure):
    """Check that memory is a few bytes for each pixel; two distance transforms take over 30."""
    labels = np.tile(annotations["uhcs1150"], (5, 5))
    tracemalloc.start()
    assert len(measure(labels)) > 40_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15 * labels.size


# What the paper's measure gets wrong, and ours doesn't


def rough(labels):
    """Give a straight network a spur, without which the paper's cleaning takes the zone away."""
    row, column = 3, np.flatnonzero(np.diff((labels[3] == NETWORK).astype(int)) == -1)[0] + 1
    labels[row, column : column + 2] = NETWORK
    return labels


def test_both_sides_of_the_interface_count():
    """Check that the paper samples w and w + 1, and ours w once."""
    labels = rough(stripes((NETWORK, 20), (MATRIX, 10), (SPHEROIDITE, 40)))
    theirs, ours = denuded_zone_widths(labels), unobstructed_widths(labels)
    assert set(theirs.widths_px[-200:]) == {10, 11}
    assert set(ours.widths_px[ours.row > 20]) == {10}
    assert len(theirs) == 2 * ours.n_edges


def test_straight_zone_is_taken_away():
    """Check that the paper's cleaning loses a zone with straight edges, and ours doesn't."""
    labels = stripes((NETWORK, 20), (MATRIX, 10), (SPHEROIDITE, 40))
    assert set(denuded_zone_widths(labels).widths_px) == {0, 1}
    assert set(unobstructed_widths(labels).widths_px) == {10}


def test_spheroidite_at_the_network():
    """Check that contact gives the paper widths of 0 and 1, and ours a share of the outline."""
    labels = rough(stripes((SPHEROIDITE, 30), (NETWORK, 20), (MATRIX, 10), (SPHEROIDITE, 40)))
    assert {0, 1} < set(denuded_zone_widths(labels).widths_px)
    ours = unobstructed_widths(labels)
    assert ours.widths_px.min() > 8
    assert ours.contact_fraction == pytest.approx(0.5, abs=0.02)


def test_cut_to_a_lath():
    """Check that the cut half way to a lath gives the paper widths, and ours none."""
    labels = rough(stripes((NETWORK, 20), (MATRIX, 40), (WIDMANSTATTEN, 3), (MATRIX, 30)))
    theirs = denuded_zone_widths(labels)
    assert np.median(theirs.widths_px) == pytest.approx(20.5, abs=0.5)
    assert unobstructed_widths(labels).reason == "spheroidite and matrix have no interface"


def test_interface_nearer_to_a_lath():
    """Check that spheroidite beyond a lath does not end the network's zone."""
    labels = stripes(
        (NETWORK, 20), (MATRIX, 20), (WIDMANSTATTEN, 3), (MATRIX, 9), (SPHEROIDITE, 20)
    )
    zone = unobstructed_widths(labels)
    assert (len(zone), zone.n_edges, zone.n_near_widmanstatten) == (0, 120, 120)
    assert zone.reason == "no line from spheroidite to the network runs through matrix alone"


@pytest.mark.parametrize("side", [8, 30], ids=["speck", "field"])
def test_island_in_the_zone(side):
    """Check that a speck is ignored, and that only the near side of a larger field counts."""
    labels = rough(stripes((NETWORK, 20), (MATRIX, 80), (SPHEROIDITE, 80), rows=240))
    labels[100 : 100 + side, 50 : 50 + side] = SPHEROIDITE
    zone = unobstructed_widths(labels)
    near, far = (np.abs(zone.column - column) < 0.3 for column in (49.5, 49.5 + side))
    assert near.sum() == (0 if side == 8 else 30)
    assert not far.any()
    theirs = set(denuded_zone_widths(labels).widths_px)
    assert {30.0, 31.0, 30.0 + side, 29.0 + side} <= theirs


def test_pocket_of_matrix_in_a_grain():
    """Check that a pocket behind spheroidite gives the paper samples, and ours none."""
    labels = rough(stripes((NETWORK, 20), (MATRIX, 10), (SPHEROIDITE, 200)))
    labels[50:52, 20:130], labels[40:60, 110:130] = MATRIX, MATRIX
    assert denuded_zone_widths(labels).widths_px.max() > 100
    zone = unobstructed_widths(labels)
    assert zone.weights[zone.widths_px > 11].sum() < 0.05 * zone.weights.sum()
    assert zone.widths_px.max() < 60
    assert zone.n_obstructed > 60


def test_network_beyond_the_image():
    """Check that widths that the image's edge may cut short are left out."""
    labels = stripes((NETWORK, 20), (MATRIX, 30), (SPHEROIDITE, 31))
    zone = unobstructed_widths(labels)
    assert (len(zone), zone.n_near_border) == (60, 60)
    zone = unobstructed_widths(labels[:, :-2])
    assert zone.reason == "every width may be cut short by the image's edge"


def test_wide_zones_are_not_missed_more_often():
    """Check that over all windows a wide zone weighs as much as a narrow one of equal length."""
    scene = stripes((MATRIX, 30), (NETWORK, 20), (MATRIX, 8), (SPHEROIDITE, 42), rows=101)
    scene = np.tile(scene, 3)
    weight = {8.0: 0.0, 30.0: 0.0}
    number = dict(weight)
    for first in range(100):
        zone = unobstructed_widths(scene[:, first : first + 101])
        for width in weight:
            weight[width] += zone.weights[zone.widths_px == width].sum()
            number[width] += np.count_nonzero(zone.widths_px == width)
    assert number[30.0] < 0.5 * number[8.0]
    assert weight[30.0] == pytest.approx(weight[8.0], rel=0.02)
    assert weight[8.0] == pytest.approx(101 * 101, rel=0.02)


# Geometry with known widths


@pytest.mark.parametrize("width", [1, 2, 7, 30])
def test_parallel_bands(width):
    """Check that each sample is the width, on both sides of a network."""
    zone_and_grain = (MATRIX, width), (SPHEROIDITE, 40)
    labels = stripes(*zone_and_grain[::-1], (NETWORK, 5), *zone_and_grain)
    zone = unobstructed_widths(labels)
    np.testing.assert_array_equal(zone.widths_px, width)
    assert len(zone) + zone.n_near_border == zone.n_edges == 240


@pytest.mark.parametrize("degrees", [0, 10, 26.6, 37, 45, 60, 90])
@pytest.mark.parametrize("width", [6, 20])
def test_tilted_bands(width, degrees):
    """Check that the width hardly depends on direction."""
    zone = unobstructed_widths(tilted_band(width, math.radians(degrees)))
    assert -0.4 < mean_width(zone) - width < 0.2
    assert np.abs(zone.widths_px - width).max() < 1.1
    assert zone.n_obstructed <= 0.02 * zone.n_edges


@pytest.mark.parametrize(("inner", "outer"), [(20, 50), (40.3, 60.8), (8, 25)])
def test_concentric_circles(inner, outer):
    """Check width and circumference of a zone around a disk, and around a grain."""
    for labels in (
        rings(inner, outer),
        rings(inner, outer, labels=(SPHEROIDITE, MATRIX, NETWORK)),
    ):
        zone = unobstructed_widths(labels)
        assert -0.4 < mean_width(zone) - (outer - inner) < 0.2
        assert np.abs(zone.widths_px - (outer - inner)).max() < 1.5
        radius = np.hypot(zone.row - 120, zone.column - 120).mean()
        length = (zone.weights * np.square(1 - 2 * zone.widths_px / 241)).sum()
        assert length == pytest.approx(2 * math.pi * radius, rel=0.02)
        assert zone.n_obstructed <= 0.02 * zone.n_edges
        assert zone.contact_fraction == 0


@pytest.mark.parametrize("flip", FLIPS)
@pytest.mark.parametrize("seed", range(5))
def test_flips(seed, flip):
    """Check that a mirror image has the same widths.

    Of equally near ends any may be taken, and one line may be free where the other is not.
    """
    labels = random_map(seed)
    there, back = denuded_zone_widths(labels), denuded_zone_widths(flip(labels))
    np.testing.assert_allclose(np.sort(there.widths_px), np.sort(back.widths_px))
    there, back = unobstructed_widths(labels), unobstructed_widths(flip(labels))
    assert there.n_edges == back.n_edges
    assert there.n_near_widmanstatten == back.n_near_widmanstatten
    assert there.contact_fraction == back.contact_fraction
    assert len(there) == pytest.approx(len(back), rel=0.02, abs=10)


def test_translation():
    """Check that the same zone elsewhere in the image has the same widths."""
    scene = rings(20, 50, side=301)
    widths = [
        np.sort(unobstructed_widths(scene[a : a + 240, b : b + 240]).widths_px)
        for a, b in [(10, 20), (50, 20), (31, 47)]
    ]
    for other in widths[1:]:
        np.testing.assert_array_equal(other, widths[0])


def test_lines_run_through_matrix(annotations):
    """Check that lines start at spheroidite, end at the network and have the stated length."""
    labels = annotations["uhcs0357"]
    zone = unobstructed_widths(labels)
    starts = np.stack([zone.row, zone.column], axis=1)
    ends = np.stack([zone.network_row, zone.network_column], axis=1)
    np.testing.assert_allclose(np.hypot(*(ends - starts).T), zone.widths_px)
    middle = np.floor((starts + ends) / 2 + 0.5).astype(int)
    assert (labels[middle[:, 0], middle[:, 1]] == MATRIX).mean() > 0.97
    assert len(zone) + zone.n_near_widmanstatten + zone.n_obstructed + zone.n_near_border == (
        zone.n_edges
    )


def test_strip_in_an_annotation(annotations):
    """Check that the strip along the edge of uhcs1150 no longer decides its mean width."""
    labels = annotations["uhcs1150"]
    theirs, ours = denuded_zone_widths(labels).widths_px, unobstructed_widths(labels)
    assert (theirs > 100).mean() > 0.08
    assert ours.widths_px.max() < 60
    assert mean_width(ours) == pytest.approx(20.3, abs=0.1)


# Summaries and distances


@given(st.floats(0.01, 10))
def test_micrometres_are_scaled_pixels(pixel_size):
    """Check that values and intervals are in proportion to the pixel size."""
    found = width_distribution(unobstructed_widths(rings(20, 40, side=101)), pixel_size)
    for length in (found.mean, found.median, found.standard_deviation, *found.percentiles.values()):
        assert length.um.value == pytest.approx(length.px.value * pixel_size)
        assert length.um.low == pytest.approx(length.px.low * pixel_size, nan_ok=True)


def test_intervals_know_of_correlation(annotations):
    """Check that an interval is much wider than if neighbouring samples were independent."""
    zone = denuded_zone_widths(annotations["uhcs0357"])
    mean = width_distribution(zone).mean.px
    naive = 1.96 * zone.widths_px.std() / math.sqrt(len(zone))
    assert mean.low < mean.value < mean.high
    assert mean.high - mean.low > 8 * 2 * naive
    assert math.isnan(width_distribution(zone).mean.um.value)


@pytest.mark.parametrize("seed", range(5))
def test_network_distances_are_exact(seed):
    """Check distances of pixels against a distance transform of the doubled map."""
    labels = random_map(seed)
    row, column = np.nonzero(labels != WIDMANSTATTEN)
    found = denuded_zone.network_distances(row, column, labels)
    filled = ~(literal_steps(labels)[0] != NETWORK)
    assert filled.any()
    expected = distance_to(filled)[row, column]
    # From the outline instead of the centre of the nearest pixel: half a pixel less, or a bit more.
    assert (found[expected == 0] == 0).all()
    away = expected > 0
    difference = (expected - found)[away]
    assert (difference >= 0).all()
    assert (difference <= 0.5 + 1e-9).all()


def test_network_distances_without_network():
    """Check that they are undefined, and 0 where network is everywhere."""
    at = np.array([0, 1])
    assert np.isnan(denuded_zone.network_distances(at, at, np.zeros((3, 3), int))).all()
    assert (denuded_zone.network_distances(at, at, np.ones((3, 3), int)) == 0).all()
