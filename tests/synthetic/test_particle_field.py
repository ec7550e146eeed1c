"""Structures with known truth: sizes, places, outlines, and the denuded zone's width."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, ndimage, spatial, stats

from uhcs_bench import protocol
from uhcs_bench.metallography import labels as labels_of
from uhcs_bench.synthetic import particle_field as ms
from uhcs_bench.synthetic.network import Hypereutectoid, grow_hypereutectoid

EIGHT = np.ones((3, 3))


def random(seed):
    return np.random.Generator(np.random.PCG64(seed))


def truncated(sizes):
    """The same distribution by SciPy."""
    limits = np.log(np.array([sizes.smallest_um, sizes.largest_um]) / sizes.median_um)
    return stats.truncnorm(
        *(limits / sizes.log_sd), loc=np.log(sizes.median_um), scale=sizes.log_sd
    )


def cdf(sizes):
    return lambda diameter: truncated(sizes).cdf(np.log(diameter))


@pytest.mark.parametrize(
    "sizes", [ms.Sizes(), ms.Sizes(0.4, 0.3, 0.1, 1.0), ms.Sizes(1.0, 0.8, 0.9, 1.3)]
)
def test_moments_and_quantiles_are_those_of_the_cut_distribution(sizes):
    """Check mean, mean square and median against an integral and SciPy's distribution."""
    for order in (1, 2):
        expected = truncated(sizes).expect(lambda x, order=order: np.exp(order * x))
        assert sizes.moment(order) == pytest.approx(expected, rel=1e-6)
    for level in (0.0, 0.05, 0.5, 1.0):
        assert sizes.quantile_um(level) == pytest.approx(np.exp(truncated(sizes).ppf(level)))


def test_labels_are_those_of_the_protocol():
    """Check that the label constants are the positions of the protocol's classes."""
    names = protocol.task("microconstituents").classes
    assert [names.index(n) for n in ("matrix", "network", "spheroidite", "widmanstatten")] == [
        labels_of.MATRIX, labels_of.NETWORK, labels_of.SPHEROIDITE, labels_of.WIDMANSTATTEN,
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_particles_do_not_touch(seed):
    """Check that as many connected components are seen as particles lie in the image."""
    placed = ms.scatter_particles(random(seed), ms.ParticleField(), (192, 256), 0.04)
    mask = ms.particle_coverage(placed, (192, 256)) >= 0.5
    components, n = ndimage.label(mask, EIGHT)
    inside = (placed.row > -0.5) & (placed.row < 191.5)
    inside &= (placed.column > -0.5) & (placed.column < 255.5)
    assert (placed.within((192, 256)) == inside).all()
    at = np.rint([placed.row[inside], placed.column[inside]]).astype(int)
    owners = components[tuple(at)]
    assert len(set(owners)) == inside.sum() > 20
    assert (owners > 0).all()
    # The others reach in from outside.
    assert n >= inside.sum()


@pytest.mark.parametrize("seed", range(4))
def test_placed_sizes_follow_the_stated_lognormal(seed):
    """Check the diameters of what was placed against the stated distribution."""
    field = ms.ParticleField()
    placed = ms.scatter_particles(random(seed), field, (600, 600), 0.04)
    diameter_um = placed.diameter[placed.within((600, 600))] * 0.04
    assert stats.kstest(diameter_um, cdf(field.sizes)).pvalue > 0.01
    assert (placed.major / placed.minor).max() <= field.longest_aspect


def test_areas_on_pixels_are_those_that_were_drawn():
    """Check each whole particle's pixels and coverage against its exact area, bumps included."""
    field = ms.ParticleField(ms.Sizes(0.8, 0.3, 0.4, 1.5), 0.15, 1.8, 0.08)
    placed = ms.scatter_particles(random(3), field, (800, 800), 0.02)
    coverage = ms.particle_coverage(placed, (800, 800))
    components, _ = ndimage.label(coverage > 0.0, EIGHT)
    at = np.rint([placed.row, placed.column]).astype(int)
    whole = (at - placed.reach > 1).all(0) & (at + placed.reach < 798).all(0)
    owners = components[tuple(at[:, whole])]
    true = np.pi * (placed.major * placed.minor)[whole]
    assert ndimage.sum(coverage, components, owners) / true == pytest.approx(
        np.ones(whole.sum()), abs=0.02
    )
    pixels = ndimage.sum(coverage >= 0.5, components, owners)
    # Errors of areas of pixels are independent, some 0.7 of a pixel per root of the radius [px].
    spread = np.sqrt(0.7 * np.sqrt(true / np.pi)) / true
    assert abs((pixels / true - 1).mean()) < 4 * np.sqrt((spread**2).sum()) / whole.sum()
    assert (pixels / true - 1).std() < 3 * spread.mean()


def test_bumps_keep_the_area():
    """Check the area inside a bumpy outline by an integral over the angle."""
    bumps = np.array([[0.2 * np.exp(1j), 0.15 * np.exp(-2j)]])
    placed = ms.Placed(*(np.array([x]) for x in (60.0, 60.0, 40.0, 25.0, 0.3)), bumps)
    coverage = ms.particle_coverage(placed, (121, 121))
    assert coverage.sum() == pytest.approx(np.pi * 40.0 * 25.0, rel=0.003)
    distance = np.hypot(*(np.argwhere(coverage >= 0.5) - 60.0).T)
    assert distance.max() <= placed.reach[0]
    radius = integrate.quad(
        lambda t: 0.5 * (1 + (bumps[0] * np.exp([3j * t, 4j * t])).real.sum()) ** 2, 0, 2 * np.pi
    )[0]
    assert ms._shrink(bumps)[0] ** 2 * radius == pytest.approx(np.pi)


def test_coverage_is_the_share_that_finer_pixels_show():
    """Check an ellipse's coverage against its mask on pixels an eleventh as wide."""
    ellipse = [5.3, 6.1, 4.5, 3.0, 0.7]
    flat = np.zeros((1, 2), complex)
    coverage = ms.particle_coverage(ms.Placed(*np.array(ellipse)[:, None], flat), (12, 13))
    row, column = (np.indices((12 * 11, 13 * 11)) + 0.5) / 11 - 0.5
    y, x = row - ellipse[0], column - ellipse[1]
    along = (x * np.cos(0.7) + y * np.sin(0.7)) / 4.5
    across = (y * np.cos(0.7) - x * np.sin(0.7)) / 3.0
    fine = (along**2 + across**2 <= 1).reshape(12, 11, 13, 11).mean((1, 3))
    assert np.abs(coverage - fine).max() < 0.12
    assert coverage.sum() == pytest.approx(fine.sum(), abs=0.5)
    centres = (along**2 + across**2 <= 1)[5::11, 5::11]
    assert ((coverage >= 0.5) == centres).all()


def test_the_border_cuts_as_many_particles_as_it_should():
    """Check that the share of area is the same near the border as in the middle."""
    field = ms.ParticleField(ms.Sizes(1.0, 0.3, 0.5, 2.0), 0.15)
    masks = [
        ms.particle_coverage(ms.scatter_particles(random(s), field, (80, 400), 0.1), (80, 400))
        for s in range(30)
    ]
    strip = np.mean([mask[:8].mean() for mask in masks])
    assert np.mean(masks) == pytest.approx(0.15, abs=0.006)
    assert strip == pytest.approx(0.15, abs=0.015)


def test_every_particle_of_the_data_set_finds_a_place():
    """Check that dense fields of small particles lose none, and that lost ones are counted."""
    dense = ms.ParticleField(ms.Sizes(0.18, 0.6, 0.08, 1.5), 0.20)
    assert ms.scatter_particles(random(1), dense, (250, 250), 0.04).n_lost == 0
    crowd = ms.ParticleField(ms.Sizes(0.1, 0.1, 0.08, 0.2), 0.35)
    placed = ms.scatter_particles(random(1), crowd, (100, 100), 0.04)
    assert placed.n_lost > 0
    expected = 0.35 * (placed_area(crowd, 100, 0.04)) / crowd.sizes.mean_area_um2
    assert len(placed) + placed.n_lost == round(expected)


def placed_area(field, n, pixel_um):
    return ((n + 2 * ms.margin_px(field, pixel_um)) * pixel_um) ** 2


STRUCTURE = replace(Hypereutectoid(), grain_um=26.0, network_um=1.5, denuded_um=1.6)


@pytest.fixture(scope="module")
def grown():
    return grow_hypereutectoid(random(2), STRUCTURE, (300, 400), 0.2)


def test_denuded_zone_has_the_stated_width(grown):
    """Check each pixel's distance to the network, searched as the nearest of all its pixels.

    Distances between pixel centres are longer than those to the outline by half a pixel, more or
    less by at most the half diagonal.
    """
    network = spatial.cKDTree(np.argwhere(grown.labels == labels_of.NETWORK))
    width_px = STRUCTURE.denuded_um / 0.2
    spheroidite, _ = network.query(np.argwhere(grown.labels == labels_of.SPHEROIDITE))
    assert spheroidite.min() > width_px - 0.25
    # Away from the border, behind which a network may be unseen.
    matrix = grown.labels == labels_of.MATRIX
    matrix[:12] = matrix[-12:] = matrix[:, :12] = matrix[:, -12:] = False
    assert network.query(np.argwhere(matrix))[0].max() <= width_px + 1.0
    at_edge = ndimage.binary_dilation(grown.labels == labels_of.SPHEROIDITE) & matrix
    last, _ = network.query(np.argwhere(at_edge))
    # The last pixel of the zone lies up to 1 px inside its edge: half a pixel less on average,
    # which is the half by which distances of centres are too long. Both are less along diagonals.
    assert last.mean() == pytest.approx(width_px, abs=0.3)


@pytest.mark.slow
def test_the_zone_is_the_same_at_any_pixel_size():
    """Check that zone and network cover the stated share of pixels, coarse or fine."""
    structure = replace(STRUCTURE, roughness_um=0.01, network_log_sd=0.0, lath_share=0.0)
    shares = []
    for pixel_um in (0.4, 0.2, 0.1):
        shape = (round(60 / pixel_um), round(60 / pixel_um))
        labels = grow_hypereutectoid(random(5), structure, shape, pixel_um).labels
        outline = np.count_nonzero(np.diff((labels == labels_of.NETWORK).astype(int), axis=0))
        outline += np.count_nonzero(np.diff((labels == labels_of.NETWORK).astype(int), axis=1))
        # Area of the zone over its length, by Cauchy's 4 / pi for edges of all directions.
        length = outline * np.pi / 4.0
        shares.append(np.count_nonzero(labels == labels_of.MATRIX) / length * pixel_um)
    # Zones overlap in corners, and those of unseen network have area but no length.
    assert shares == pytest.approx([structure.denuded_um] * 3, rel=0.12)
    assert np.ptp(shares) < 0.12


def test_denuded_zone_is_free_of_cementite(grown):
    """Check that no cementite lies in the matrix, and that particles stay within spheroidite."""
    labels, cementite = grown.labels, grown.cementite >= 0.5
    assert not cementite[labels == labels_of.MATRIX].any()
    assert cementite[labels == labels_of.NETWORK].all()
    assert cementite[labels == labels_of.WIDMANSTATTEN].all()
    particles, n = ndimage.label(cementite & (labels == labels_of.SPHEROIDITE), EIGHT)
    assert n > 100
    beside = ndimage.binary_dilation(particles > 0, EIGHT)
    assert (labels[beside] == labels_of.SPHEROIDITE).all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_rough_zone_has_the_stated_local_width(seed):
    """Check the width at the zone's edge against the stated one there, and its spread."""
    structure = replace(STRUCTURE, denuded_um=1.8, denuded_log_sd=0.2, lath_share=0.0)
    grown = grow_hypereutectoid(random(seed), structure, (400, 400), 0.2)
    distance = ndimage.distance_transform_edt(grown.labels != labels_of.NETWORK)
    beside = ndimage.binary_dilation(grown.labels == labels_of.SPHEROIDITE)
    rim = beside & (grown.labels == labels_of.MATRIX)
    rim[:20] = rim[-20:] = rim[:, :20] = rim[:, -20:] = False
    assert distance[rim] * 0.2 == pytest.approx(grown.denuded_um[rim], abs=0.35)
    assert np.median(grown.denuded_um) == pytest.approx(1.8, rel=0.12)


def test_laths_are_thin_and_grow_from_the_network(grown):
    """Check that each lath reaches the network, and that none is wider than stated."""
    laths = grown.labels == labels_of.WIDMANSTATTEN
    components, n = ndimage.label(laths, EIGHT)
    beside_network = ndimage.binary_dilation(grown.labels == labels_of.NETWORK, EIGHT, iterations=3)
    # Except those whose roots lie beyond the border.
    inner = set(np.unique(components[15:-15, 15:-15])) - set(np.unique(components[[0, -1]]))
    inner -= set(np.unique(components[:, [0, -1]]))
    assert inner
    assert inner <= set(np.unique(components[beside_network])) <= set(range(n + 1))
    # A lath is up to 1.3 times as wide as the mean; where two cross, both are wider.
    half_width_px = ndimage.distance_transform_edt(laths)[laths]
    assert np.quantile(half_width_px, 0.9) <= 1.3 * STRUCTURE.lath_width_um / 0.2 / 2.0 + 0.5


def test_without_laths_there_are_none():
    """Check that a share of 0 means none."""
    structure = replace(STRUCTURE, lath_share=0.0)
    grown = grow_hypereutectoid(random(0), structure, (100, 100), 0.2)
    assert labels_of.WIDMANSTATTEN not in grown.labels
