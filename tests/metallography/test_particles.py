"""Particles, against scikit-image, scipy and cases made by hand."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from skimage.measure import label, regionprops_table

import uhcs_bench
from uhcs_bench.errors import UsageError
from uhcs_bench.metallography import arguments, components, particles
from uhcs_bench.metallography.labels import MATRIX, NETWORK, SPHEROIDITE
from uhcs_bench.metallography.particles import measure_particles, number_density, size_distribution

masks = hnp.arrays(np.bool_, st.tuples(st.integers(0, 14), st.integers(0, 14)))
PROPERTIES = (
    "area",
    "equivalent_diameter_area",
    "centroid",
    "axis_major_length",
    "axis_minor_length",
    "bbox",
)
SQUARE_PIXELS = 16 / 12
"""What squares instead of points add to a squared axis: 16 times a unit square's second moment."""


def regions(mask, connectivity):
    """The same properties with scikit-image."""
    return regionprops_table(
        label(mask, connectivity=2 if connectivity == 8 else 1), properties=PROPERTIES
    )


def assert_equals_scikit_image(mask, connectivity=8):
    table = measure_particles(mask, connectivity=connectivity).table
    expected = regions(mask, connectivity)
    np.testing.assert_array_equal(table["area_px"], expected["area"])
    np.testing.assert_allclose(table["diameter_px"], expected["equivalent_diameter_area"])
    np.testing.assert_allclose(table["row"], expected["centroid-0"], atol=1e-9)
    np.testing.assert_allclose(table["column"], expected["centroid-1"], atol=1e-9)
    for axis in ("major", "minor"):
        squared = expected[f"axis_{axis}_length"] ** 2 + SQUARE_PIXELS
        np.testing.assert_allclose(table[f"{axis}_axis_px"] ** 2, squared, rtol=1e-6, atol=1e-6)
    ratio = table["major_axis_px"] / table["minor_axis_px"]
    np.testing.assert_allclose(table["aspect_ratio"], ratio)
    at_border = (
        (expected["bbox-0"] == 0)
        | (expected["bbox-1"] == 0)
        | (expected["bbox-2"] == mask.shape[0])
        | (expected["bbox-3"] == mask.shape[1])
    )
    np.testing.assert_array_equal(table["at_border"], at_border)
    np.testing.assert_array_equal(table["edge_weight"] == 0, at_border)


@given(masks, st.sampled_from([4, 8]), st.integers(1, 40))
def test_random_masks_are_measured_as_by_scikit_image(mask, connectivity, band_pixels):
    """Check every column, also of masks that are worked off in bands."""
    if not mask.size:
        assert len(measure_particles(mask)) == 0
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(components, "BAND_PIXELS", band_pixels)
        assert_equals_scikit_image(mask, connectivity)


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.usefixtures("real_data")
def test_an_annotation_is_measured_as_by_scikit_image(connectivity):
    """Check a real map, whole and in bands."""
    labels = uhcs_bench.load("particles")["800C-24H-Q-3"].labels
    assert_equals_scikit_image(labels, connectivity)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(components, "BAND_PIXELS", 30_000)
        in_bands = measure_particles(labels, connectivity=connectivity).table
    at_once = measure_particles(labels, connectivity=connectivity).table
    for name in particles.COLUMNS:
        np.testing.assert_array_equal(in_bands[name], at_once[name])


@pytest.mark.usefixtures("real_data")
def test_sizes_are_those_of_the_score():
    """Check areas and their order against those that the KS score uses."""
    for m in uhcs_bench.load("particles")[:6]:
        found = measure_particles(m.labels).table["area_px"]
        np.testing.assert_array_equal(found, components.particle_areas(m.labels))


@pytest.mark.parametrize("length", [1, 2, 9])
def test_aspect_of_a_row_of_pixels(length):
    """Check that a speck is round and a row of pixels as long as it is, also a diagonal one."""
    mask = np.zeros((30, 30))
    mask[10, 10 : 10 + length] = 1
    particle = measure_particles(mask).table[0]
    assert particle["aspect_ratio"] == pytest.approx(length)
    assert particle["minor_axis_px"] == pytest.approx(math.sqrt(4 / 3))
    diagonal = measure_particles(np.eye(30)[:, :length] if length > 1 else mask).table[0]
    assert np.isfinite(diagonal["aspect_ratio"])


def test_ellipse():
    """Check the axes of a large tilted ellipse against its definition."""
    row, column = np.indices((301, 301)) - 150
    along, across = (row + column) / math.sqrt(2), (row - column) / math.sqrt(2)
    particle = measure_particles((along / 120) ** 2 + (across / 40) ** 2 <= 1).table[0]
    assert particle["major_axis_px"] == pytest.approx(240, rel=2e-3)
    assert particle["minor_axis_px"] == pytest.approx(80, rel=2e-3)
    assert particle["aspect_ratio"] == pytest.approx(3, rel=2e-3)


def test_far_from_the_origin():
    """Check that moments don't lose digits in a large map."""
    mask = np.zeros((40, 100_000), np.uint8)
    mask[20:23, 10:15] = mask[20:23, 99_000:99_005] = 1
    near, far = measure_particles(mask).table
    assert near["major_axis_px"] == far["major_axis_px"]
    assert near["minor_axis_px"] == far["minor_axis_px"]


@given(masks, st.floats(0.001, 10))
def test_micrometres_are_scaled_pixels(mask, pixel_size):
    """Check the table's units, and that without a pixel size they are undefined."""
    found = measure_particles(mask, pixel_size)
    table = found.table
    np.testing.assert_allclose(table["area_um2"], table["area_px"] * pixel_size**2)
    np.testing.assert_allclose(table["diameter_um"], table["diameter_px"] * pixel_size)
    without = measure_particles(mask)
    assert np.isnan(without.table["diameter_um"]).all()
    density = number_density(found)
    in_px = density.um.value * pixel_size**2
    assert in_px == pytest.approx(density.px.value, nan_ok=True)
    assert math.isnan(number_density(without).um.value)


@pytest.mark.slow
@given(masks)
def test_flips_change_nothing_but_places(mask):
    """Check that mirror images and the transpose have the same particles."""
    names = ["area_px", "major_axis_px", "minor_axis_px", "at_border", "edge_weight"]
    for name in names:
        expected = np.sort(measure_particles(mask).table[name])
        for other in (mask[::-1], mask[:, ::-1], mask.T):
            found = np.sort(measure_particles(other).table[name])
            np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_translation():
    """Check that a shifted particle differs in its place alone."""
    rng = np.random.default_rng(0)
    speck = rng.random((9, 9)) < 0.7
    tables = []
    for row, column in [(5, 5), (20, 11)]:
        mask = np.zeros((40, 40))
        mask[row : row + 9, column : column + 9] = speck
        tables.append(measure_particles(mask).table)
    first, second = tables
    np.testing.assert_array_equal(first["major_axis_px"], second["major_axis_px"])
    np.testing.assert_allclose(second["row"] - first["row"], 15)
    np.testing.assert_allclose(second["column"] - first["column"], 6)


def test_number_density_is_unbiased():
    """Check that the mean over all windows is the density, of small and large particles alike."""
    scene = np.zeros((24, 24), np.uint8)
    scene[2:4, 3:6] = scene[7:18, 8:21] = 1
    scene = np.tile(scene, (3, 3))
    n_pixels, counted, density = 30 * 36, 0, {6: 0.0, 11 * 13: 0.0}
    for row in range(24):
        for column in range(24):
            table = measure_particles(scene[row : row + 30, column : column + 36]).table
            counted += len(table)
            for area in density:
                of_size = (table["area_px"] == area) & ~table["at_border"]
                density[area] += table["edge_weight"][of_size].sum() / n_pixels / 24**2
    assert density == pytest.approx(dict.fromkeys(density, 1 / 24**2))
    # Counting all that the windows cut finds many more.
    assert counted / n_pixels / 24**2 > 1.4 * 2 / 24**2


def test_number_density_of_nothing():
    """Check maps without particles, without whole particles and without pixels."""
    assert number_density(measure_particles(np.zeros((9, 9)))).px.value == 0
    assert number_density(measure_particles(np.ones((9, 9)))).px.value == 0
    assert math.isnan(number_density(measure_particles(np.zeros((0, 9)))).px.value)
    for mask in (np.zeros((9, 9)), np.ones((9, 9)), np.zeros((0, 9))):
        found = size_distribution(measure_particles(mask, 0.1))
        assert found.diameters.reason == particles.NO_WHOLE_PARTICLE
        assert math.isnan(found.diameters.mean.um.value)
        assert math.isnan(found.lognormal.sigma.value)


def squares(sides, pitch=20):
    """Squares on a grid, far from the edge."""
    n = math.ceil(math.sqrt(len(sides)))
    mask = np.zeros(((n + 1) * pitch, (n + 1) * pitch), np.uint8)
    for index, side in enumerate(sides):
        row, column = (pitch * (1 + x) for x in divmod(index, n))
        mask[row : row + side, column : column + side] = 1
    return mask


@given(st.lists(st.integers(1, 9), min_size=2, max_size=40))
def test_lognormal_is_scipys(sides):
    """Check the fit and its distance against scipy, particles of one size having one weight."""
    found = measure_particles(squares(sides))
    found.table["edge_weight"] = 1
    diameters = found.table["diameter_px"]
    lognormal = size_distribution(found).lognormal
    if len(set(sides)) == 1:
        assert lognormal.sigma.value == pytest.approx(0, abs=1e-9)
        assert math.isnan(lognormal.ks_distance)
        return
    shape, _, scale = stats.lognorm.fit(diameters, floc=0)
    assert lognormal.sigma.value == pytest.approx(shape, rel=1e-3)
    assert lognormal.median.px.value == pytest.approx(scale, rel=1e-3)
    parameters = (lognormal.sigma.value, 0, lognormal.median.px.value)
    expected = stats.kstest(diameters, "lognorm", args=parameters).statistic
    assert lognormal.ks_distance == pytest.approx(expected, abs=1e-9)


@pytest.mark.usefixtures("real_data")
def test_summary_of_an_annotation():
    """Check mean, median and intervals of a real map, in pixels and micrometres."""
    m = uhcs_bench.load("particles")["970C-5M-Q-1"]
    found = measure_particles(m.labels, m.pixel_size_um)
    diameters = size_distribution(found).diameters
    whole = found.table[~found.table["at_border"]]
    assert diameters.n == len(whole)
    assert diameters.mean.px.value == pytest.approx(whole["diameter_px"].mean(), rel=0.01)
    for length in (diameters.mean, diameters.median, size_distribution(found).lognormal.median):
        assert length.px.low <= length.px.value <= length.px.high
        assert length.um.value == pytest.approx(length.px.value * m.pixel_size_um)
    per_px = number_density(found).px
    assert per_px.low < per_px.value < per_px.high
    assert per_px.value == pytest.approx(len(found) / m.labels.size, rel=0.05)


@pytest.mark.usefixtures("real_data")
def test_mask_outside_spheroidite():
    """Check that just the particle pixels in spheroidite are left."""
    constituents = uhcs_bench.load("microconstituents")["uhcs0357"].labels
    mask = (np.indices(constituents.shape).sum(0) % 5 < 2).astype(np.uint8)
    left = particles.mask_outside_spheroidite(mask, constituents)
    assert left.dtype == np.uint8
    np.testing.assert_array_equal(left[constituents == SPHEROIDITE], mask[constituents == 2])
    assert not left[constituents != SPHEROIDITE].any()


@pytest.mark.parametrize(
    ("mask", "constituents", "message"),
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), "shape"),
        (np.full((2, 2), 2), np.zeros((2, 2), int), "between 0 and 1"),
        (np.zeros((2, 2), int), np.full((2, 2), 4), "between 0 and 3"),
    ],
)
def test_maps_that_do_not_go_together(mask, constituents, message):
    """Check that an exception is raised for maps that are not of one micrograph."""
    with pytest.raises(ValueError, match=message):
        particles.mask_outside_spheroidite(mask, constituents)


def test_distance_to_network():
    """Check distances to a straight network, and sizes that grow with them."""
    labels = np.full((200, 240), SPHEROIDITE, np.uint8)
    labels[:, :10], labels[:, 10:20] = NETWORK, MATRIX
    mask = np.zeros(labels.shape, np.uint8)
    for row in range(5, 190, 10):
        for column, side in ((30, 1), (80, 3), (150, 5)):
            mask[row : row + side, column : column + side] = 1
    found = measure_particles(mask, 0.5)
    distances = particles.distance_to_network(found, labels)
    np.testing.assert_allclose(distances, found.table["column"] - 9.5)
    bins = particles.sizes_by_distance(found, distances, [0, 50, 100, 200, 300])
    diameter = 2 / math.sqrt(math.pi)
    for summary, side in zip(bins[:3], (1, 3, 5), strict=True):
        assert summary.n == 19
        assert summary.mean.um.value == pytest.approx(side * diameter / 2)
    assert bins[3].reason == "there is no whole particle at 200 to 300 px from the network"


def test_distance_without_network():
    """Check that distances are undefined without network, and wrong shapes are refused."""
    found = measure_particles(np.eye(5))
    distances = particles.distance_to_network(found, np.full((5, 5), SPHEROIDITE))
    assert np.isnan(distances).all()
    assert particles.sizes_by_distance(found, distances, [0, 9])[0].n == 0
    with pytest.raises(ValueError, match="shape"):
        particles.distance_to_network(found, np.zeros((4, 5), int))


@pytest.mark.usefixtures("real_data")
def test_memory_on_a_montage():
    """Check that a large mask is not copied, let alone labelled."""
    labels = np.tile(uhcs_bench.load("particles")["800C-24H-Q-3"].labels, (5, 5))
    tracemalloc.start()
    found = measure_particles(labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) > 17_000
    assert peak < 3.5 * labels.size


def test_what_is_no_mask():
    """Check that an exception is raised for a stack of masks."""
    with pytest.raises(ValueError, match="two dimensions"):
        measure_particles(np.zeros((2, 2, 2)))


def test_every_column_is_described():
    """Check that the table has the columns that are documented."""
    assert measure_particles(np.eye(3)).table.dtype.names == tuple(particles.COLUMNS)


@given(masks, st.sampled_from([4, 8]), st.integers(1, 9), st.integers(1, 40))
def test_small_particles_are_left_out_as_by_scikit_image(mask, connectivity, area, band_pixels):
    """Check the mask that is left, the number and the area, also in bands."""
    numbered = label(mask, connectivity=2 if connectivity == 8 else 1)
    areas = np.bincount(numbered.ravel(), minlength=1)[1:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(components, "BAND_PIXELS", band_pixels)
        kept, n, n_pixels = components.drop_small(mask, area, connectivity)
    assert (n, n_pixels) == ((areas < area).sum(), areas[areas < area].sum())
    np.testing.assert_array_equal(kept, np.isin(numbered, 1 + np.flatnonzero(areas >= area)))


def test_too_many_particles_are_refused_before_they_fill_the_memory(monkeypatch):
    """Check the number in the message, that it comes early, and that leaving specks out helps."""
    monkeypatch.setattr(components, "MOST_PARTICLES", 1000)
    monkeypatch.setattr(components, "BAND_PIXELS", 10_000)
    specks = np.zeros((2000, 1000), np.uint8)
    specks[::2, ::2] = 1
    specks[100:110, 100:110] = 1
    tracemalloc.start()
    with pytest.raises(UsageError, match="more than 1,000 particles"):
        measure_particles(specks)
    assert tracemalloc.get_traced_memory()[1] < 4e6
    tracemalloc.stop()
    kept, n, _ = components.drop_small(specks, 5)
    assert len(measure_particles(kept)) == 1
    assert n > 400_000


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.array([[0, 1, 2, 3]]), "from 0 to 3. Give a mask of one class"),
        (np.array([[0, 2]]), "from 0 to 2"),
        (np.array([[0, 254, 255]]), "from 0 to 255"),
        (np.array([[0, 0.5, 1]]), "from 0 to 1"),
        (np.array([[-1, 1]]), "from -1 to 1"),
    ],
)
def test_what_is_no_mask_of_one_class_is_refused(mask, message):
    """Check that a map of four classes is not measured as if all were particles."""
    with pytest.raises(UsageError, match=message):
        measure_particles(mask)


@pytest.mark.parametrize(
    ("given", "pixel_size", "area"),
    [
        (None, None, 0),
        ("5px", None, math.pi / 4 * 25),
        (" 5 px", 0.1, math.pi / 4 * 25),
        ("0.2um", 0.1, math.pi),
        ("0.2 µm", 0.1, math.pi),
        (".2\u03bcm", 0.1, math.pi),
    ],
)
def test_smallest_diameters(given, pixel_size, area):
    """Check both units."""
    assert arguments.smallest_area_px(given, pixel_size) == pytest.approx(area)


@pytest.mark.parametrize("given", ["5", "px", "-1px", "0um", "5 mm", 5, "1e400px", "nanum"])
def test_what_is_no_smallest_diameter_is_refused(given):
    """Check that the message says what to give."""
    with pytest.raises(UsageError, match="such as 5px or"):
        arguments.check_min_diameter(given)


def test_smallest_diameter_in_um_needs_a_pixel_size():
    """Check the message."""
    with pytest.raises(UsageError, match="the pixel size is unknown"):
        arguments.smallest_area_px("1um", None)


def test_masked_arrays_are_refused():
    """Check that masked pixels don't count as particles."""
    with pytest.raises(UsageError, match=r"masked array.*values\.filled\(0\)"):
        particles.measure_particles(np.ma.masked_equal(np.eye(9, dtype=int), 0))


@pytest.mark.slow
def test_memory_of_a_million_specks():
    """Check that as many particles as are measured take no more than 600 bytes each."""
    specks = np.zeros((1980, 1980), np.uint8)
    specks[::2, ::2] = 1
    tracemalloc.start()
    found = measure_particles(specks)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 990**2 <= components.MOST_PARTICLES
    assert peak / len(found) < 600
