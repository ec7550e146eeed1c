"""The generated data set: same bytes each time, and a structure of which the truth is known."""

import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import ndimage, spatial, stats

from uhcs_bench import protocol, registry, synthetic
from uhcs_bench.errors import UsageError

TASKS = tuple(protocol.TASKS)
EIGHT = np.ones((3, 3))


@cache
def generated(task):
    return tuple(synthetic.generate(entry) for entry in synthetic.catalogue(task))


def random(seed):
    return np.random.Generator(np.random.PCG64(seed))


def open_field(shape):
    return np.full(shape, np.inf)


def cut_off_lognormal(sizes):
    limits = np.log(np.array([sizes.smallest_um, sizes.largest_um]) / sizes.median_um)
    log_diameter = stats.truncnorm(
        *(limits / sizes.log_sd), loc=np.log(sizes.median_um), scale=sizes.log_sd
    )
    return lambda diameter: log_diameter.cdf(np.log(diameter))


@pytest.mark.parametrize("task", TASKS)
def test_catalogue_has_four_micrographs_in_each_fold(task):
    """Check that 24 entries come fold after fold, four in each."""
    entries = synthetic.catalogue(task)
    assert [entry.fold for entry in entries] == [fold for fold in range(6) for _ in range(4)]
    assert {entry.task for entry in entries} == {task}
    assert {entry.version for entry in entries} == {"synthetic"}
    assert all(entry.pixel_size.um for entry in entries)
    assert not any(entry.files or entry.citation for entry in entries)


def test_ids_are_unique_and_not_those_of_real_micrographs():
    """Check that no two micrographs of either task or version share an id."""
    ours = [entry.id for task in TASKS for entry in synthetic.catalogue(task)]
    real = {entry.id for task in TASKS for entry in registry.entries(task)}
    assert len(set(ours)) == 48
    assert real.isdisjoint(ours)


def test_aliases_name_the_same_catalogue():
    """Check that an alias gives the entries of its task."""
    assert synthetic.catalogue("uhcs") == synthetic.catalogue("microconstituents")
    with pytest.raises(UsageError, match="microconstituents"):
        synthetic.catalogue("grains")


def test_catalogue_imports_neither_scipy_nor_skimage():
    """Check that listing the set costs no heavy import."""
    code = (
        "import sys; from uhcs_bench import synthetic; synthetic.catalogue('particles'); "
        "sys.exit(any(name in sys.modules for name in ('scipy', 'skimage')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("task", TASKS)
def test_same_bytes_in_any_order(task):
    """Check that a micrograph does not depend on what was generated before it."""
    entries = synthetic.catalogue(task)
    first = generated(task)
    for index in (17, 3, 0):
        for before, now in zip(first[index], synthetic.generate(entries[index]), strict=True):
            assert before.tobytes() == now.tobytes()


@pytest.mark.parametrize("task", TASKS)
def test_micrographs_differ(task):
    """Check that no two images and no two label maps are the same."""
    assert len({image.tobytes() for image, _ in generated(task)}) == 24
    assert len({labels.tobytes() for _, labels in generated(task)}) == 24


@pytest.mark.parametrize("task", TASKS)
def test_arrays_are_canonical(task):
    """Check shape, type and labels of every image and label map."""
    n_classes = len(protocol.task(task).classes)
    for entry, (image, labels) in zip(synthetic.catalogue(task), generated(task), strict=True):
        for array in (image, labels):
            assert array.shape == entry.shape
            assert array.dtype == np.uint8
            assert array.flags.c_contiguous
        assert set(np.unique(labels)) == set(range(n_classes))


@pytest.mark.parametrize(
    ("task", "shares"),
    [("particles", (0.848, 0.152)), ("microconstituents", (0.161, 0.130, 0.682, 0.027))],
)
def test_class_shares_are_near_the_real_ones(task, shares):
    """Check the mean shares against those of the real annotations, and that none is extreme."""
    n_classes = len(shares)
    counts = np.array([np.bincount(m.ravel(), minlength=n_classes) for _, m in generated(task)])
    found = counts / counts.sum(axis=1, keepdims=True)
    assert found.mean(axis=0) == pytest.approx(shares, abs=0.03)
    assert found.min() > 0.004
    assert found[:, -1].max() < 0.3


def test_labels_are_those_of_the_protocol():
    """Check that the generator's label constants are the positions of the protocol's classes."""
    names = protocol.task("microconstituents").classes
    assert [names.index(n) for n in ("matrix", "network", "spheroidite", "widmanstatten")] == [
        synthetic.MATRIX,
        synthetic.NETWORK,
        synthetic.SPHEROIDITE,
        synthetic.WIDMANSTATTEN,
    ]


def test_another_shape_can_be_generated():
    """Check that the micrographs come in any size, even one that holds hardly anything."""
    for task in TASKS:
        for shape in ((37, 501), (5, 4)):
            entry = replace(synthetic.catalogue(task)[0], shape=shape)
            image, labels = synthetic.generate(entry)
            assert image.shape == labels.shape == shape


def test_a_real_micrograph_is_not_generated():
    """Check that an entry of the real data set is refused by name."""
    with pytest.raises(UsageError, match="970C-5M-Q-2"):
        synthetic.generate(registry.entries("particles")[0])


@pytest.mark.parametrize("seed", range(6))
def test_particles_do_not_touch(seed):
    """Check that as many connected components are seen as particles were placed."""
    rng = random(seed)
    field = synthetic.draw_particles(rng)
    placed = synthetic.place_particles(rng, field, open_field((192, 256)), 0.04)
    mask = synthetic.rasterise(placed, (192, 256))
    assert ndimage.label(mask, EIGHT)[1] == placed.row.size > 20


@pytest.mark.parametrize("seed", range(6))
def test_placed_sizes_follow_the_stated_lognormal(seed):
    """Check the diameters of what was placed against the stated distribution."""
    rng = random(seed)
    field = synthetic.draw_particles(rng)
    placed = synthetic.place_particles(rng, field, open_field((600, 600)), 0.04)
    diameter_um = 2.0 * np.sqrt(placed.major * placed.minor) * 0.04
    assert stats.kstest(diameter_um, cut_off_lognormal(field.sizes)).pvalue > 0.01
    assert (placed.major / placed.minor).max() <= field.longest_aspect


def test_measured_sizes_follow_the_stated_lognormal():
    """Check component areas, as a user would measure them, at a pixel small against the sizes."""
    sizes = synthetic.Sizes(median_um=0.4, log_sd=0.3, smallest_um=0.1, largest_um=1.0)
    field = synthetic.Particles(sizes, area_share=0.15, longest_aspect=1.5)
    placed = synthetic.place_particles(random(1), field, open_field((1000, 1000)), 0.02)
    mask = synthetic.rasterise(placed, (1000, 1000))
    components, _ = ndimage.label(mask, EIGHT)
    # What the border cuts has not its own size.
    for border in (components[0], components[-1], components[:, 0], components[:, -1]):
        components[np.isin(components, border)] = 0
    area = np.bincount(components.ravel())[1:]
    diameter_um = 2.0 * np.sqrt(area[area > 0] / np.pi) * 0.02
    assert diameter_um.size > 200
    assert stats.kstest(diameter_um, cut_off_lognormal(sizes)).pvalue > 0.05
    assert mask.mean() == pytest.approx(field.area_share, abs=0.015)


def test_every_particle_of_the_data_set_finds_a_place():
    """Check that the densest fields drawn lose at most one particle in a hundred."""
    sizes = synthetic.Sizes(median_um=0.2, log_sd=0.5, smallest_um=0.08, largest_um=1.2)
    field = synthetic.Particles(sizes, area_share=0.19, longest_aspect=1.8)
    drawn = synthetic.draw_diameters(random(0), sizes, 100_000)
    expected = field.area_share * (300 * 0.04) ** 2 / (np.pi / 4 * (drawn**2).mean())
    placed = synthetic.place_particles(random(1), field, open_field((300, 300)), 0.04)
    assert placed.row.size == pytest.approx(expected, rel=0.015)


@pytest.fixture(scope="module")
def grown():
    rng = random(2)
    structure = replace(
        synthetic.draw_hypereutectoid(rng), denuded_um=1.6, denuded_log_sd=0.0, lath_share=0.03
    )
    return structure, *synthetic.grow_hypereutectoid(rng, structure, (300, 400), 0.2)


def test_denuded_zone_has_the_stated_width(grown):
    """Check each pixel's distance to the network, searched as the nearest of all its pixels."""
    structure, labels, _ = grown
    network = spatial.cKDTree(np.argwhere(labels == synthetic.NETWORK))
    width_px = structure.denuded_um / 0.2
    matrix, _ = network.query(np.argwhere(labels == synthetic.MATRIX))
    spheroidite, _ = network.query(np.argwhere(labels == synthetic.SPHEROIDITE))
    assert matrix.max() <= width_px < spheroidite.min()
    assert matrix.max() > width_px - 1.0
    assert spheroidite.min() < width_px + 1.0


def test_denuded_zone_is_free_of_cementite(grown):
    """Check that no cementite lies in the matrix, and that particles stay within spheroidite."""
    _, labels, cementite = grown
    assert not cementite[labels == synthetic.MATRIX].any()
    assert cementite[labels == synthetic.NETWORK].all()
    assert cementite[labels == synthetic.WIDMANSTATTEN].all()
    particles, n = ndimage.label(cementite & (labels == synthetic.SPHEROIDITE), EIGHT)
    assert n > 100
    beside = ndimage.binary_dilation(particles > 0, EIGHT)
    assert (labels[beside] == synthetic.SPHEROIDITE).all()


@pytest.mark.parametrize("seed", range(4))
def test_rough_denuded_zone_has_the_stated_median_width(seed):
    """Check the median width at the spheroidite's rim where the width varies along it."""
    rng = random(seed)
    structure = replace(synthetic.draw_hypereutectoid(rng), denuded_um=1.8, lath_share=0.0)
    labels, _ = synthetic.grow_hypereutectoid(rng, structure, (500, 500), 0.2)
    distance = ndimage.distance_transform_edt(labels != synthetic.NETWORK)
    beside = ndimage.binary_dilation(labels == synthetic.SPHEROIDITE)
    rim = distance[beside & (labels == synthetic.MATRIX)]
    assert np.median(rim) * 0.2 == pytest.approx(structure.denuded_um, rel=0.1)


def test_laths_are_thin_and_grow_from_the_network(grown):
    """Check that each lath reaches the network, and that none is wider than stated."""
    structure, labels, _ = grown
    laths = labels == synthetic.WIDMANSTATTEN
    components, n = ndimage.label(laths, EIGHT)
    beside_network = ndimage.binary_dilation(labels == synthetic.NETWORK, EIGHT, iterations=2)
    assert set(np.unique(components[beside_network])) == set(range(n + 1))
    # A lath is up to 1.3 times as wide as the mean; where two cross, both are wider.
    half_width_px = ndimage.distance_transform_edt(laths)[laths]
    assert np.quantile(half_width_px, 0.9) <= 1.3 * structure.lath_width_um / 0.2 / 2.0 + 0.5


def test_smooth_field_has_unit_variance_and_the_stated_correlation():
    """Check mean, variance and correlation at one length over many fields."""
    rng = random(0)
    fields = np.array([synthetic.smooth_field(rng, (25, 31), 6.0) for _ in range(1000)])
    assert fields.mean() == pytest.approx(0.0, abs=0.05)
    assert fields.std(axis=0) == pytest.approx(np.ones((25, 31)), abs=0.1)
    apart = (fields[:, 6:] * fields[:, :-6]).mean()
    assert apart == pytest.approx(np.exp(-0.5), abs=0.03)


def test_cementite_has_bright_edges():
    """Check the imaging of a wide plate: its rim outshines its middle, its foot lies in shadow."""
    imaging = replace(
        synthetic.draw_overview_imaging(random(0)), relief=0.0, drift=0.0, read_noise=0.0, tilt=0.0
    )
    plate = np.zeros((60, 60), bool)
    plate[:, 20:40] = True
    image = synthetic.acquire(random(1), replace(imaging, electrons=1e9), plate)
    profile = image.mean(axis=0)
    assert profile[30] == pytest.approx(imaging.cementite, abs=1.0)
    assert profile[5] == pytest.approx(imaging.ferrite, abs=1.0)
    assert profile[20] > profile[30] + 20.0
    assert profile[18] < profile[5] - 2.0


@pytest.mark.parametrize("level", [40.0, 120.0])
def test_noise_has_the_stated_variance(level):
    """Check shot and read noise on bare ferrite."""
    imaging = replace(
        synthetic.draw_particle_imaging(random(0)),
        ferrite=level, relief=0.0, drift=0.0, electrons=2.0, read_noise=3.0,
    )  # fmt: skip
    image = synthetic.acquire(random(1), imaging, np.zeros((200, 200), bool))
    assert image.mean() == pytest.approx(level, abs=0.2)
    # Rounding to whole gray levels adds a twelfth.
    assert image.var() == pytest.approx(level / 2.0 + 9.0 + 1.0 / 12.0, rel=0.05)
