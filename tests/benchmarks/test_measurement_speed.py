"""How long measuring takes, beside scikit-image and scipy doing the same in the same run.

Run with ``pytest tests/benchmarks/test_measurement_speed.py --benchmark-enable``; compare within a
group, by ratios. Both sides give the same numbers, which is checked.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import label, regionprops_table
from skimage.morphology import closing, diamond, remove_small_holes
from skimage.segmentation import find_boundaries

import uhcs_bench
from uhcs_bench.measuring import row
from uhcs_bench.measuring.pixel_size import Scale
from uhcs_bench.metallography import denuded_zone, particles, stereology
from uhcs_bench.metallography.labels import MATRIX, NETWORK, SPHEROIDITE, WIDMANSTATTEN

SCALE = Scale(0.1, "given")

PROPERTIES = (
    "area",
    "equivalent_diameter_area",
    "centroid",
    "axis_major_length",
    "axis_minor_length",
    "bbox",
)


@pytest.fixture
def particle_maps(real_data):  # noqa: ARG001 - makes load() work
    """Annotations of the particle micrographs."""
    return [m.labels for m in uhcs_bench.load("particles")]


@pytest.fixture
def network_maps(real_data):  # noqa: ARG001 - makes load() work
    """Annotations of the microconstituents that have a network."""
    maps = [m.labels for m in uhcs_bench.load("microconstituents")]
    return [labels for labels in maps if (labels == NETWORK).any()]


def sizes_with_scikit_image(mask):
    """Measure particles as most users would."""
    return regionprops_table(label(mask, connectivity=2), properties=PROPERTIES)


def areas_with_scikit_image(mask):
    """Measure areas alone."""
    return regionprops_table(label(mask, connectivity=2), properties=("area",))


def widths_with_scikit_image(labels):
    """Take the paper's steps, components in one pass and each distance map once."""
    cleaned = labels.copy()
    few = denuded_zone.HOLE_PX - 1
    cleaned[remove_small_holes(cleaned == NETWORK, max_size=few)] = NETWORK
    components = label(closing(cleaned == MATRIX, diamond(1)), connectivity=2)
    is_attached = np.zeros(components.max() + 1, bool)
    is_attached[components[cleaned == NETWORK]] = True
    cleaned[(components > 0) & ~is_attached[components]] = SPHEROIDITE
    to_network = ndimage.distance_transform_edt(cleaned != NETWORK)
    to_laths = ndimage.distance_transform_edt(cleaned != WIDMANSTATTEN)
    cleaned[(cleaned == MATRIX) & (to_laths < to_network)] = SPHEROIDITE
    cleaned[cleaned == WIDMANSTATTEN] = SPHEROIDITE
    return to_network[find_boundaries(cleaned == SPHEROIDITE)]


@pytest.mark.benchmark(group="particles of 4 micrographs")
@pytest.mark.parametrize(
    ("implementation", "column"),
    [
        (lambda mask: particles.measure_particles(mask).table, "area_px"),
        (sizes_with_scikit_image, "area"),
        (areas_with_scikit_image, "area"),
    ],
    ids=["uhcs-bench", "scikit-image", "scikit-image, areas alone"],
)
def test_particles(particle_maps, benchmark, implementation, column):
    """Time each, and check that the areas agree."""
    tables = benchmark(lambda: [implementation(mask) for mask in particle_maps[:4]])
    for table, mask in zip(tables, particle_maps, strict=False):
        expected = particles.measure_particles(mask).table["area_px"]
        np.testing.assert_array_equal(table[column], expected)


@pytest.mark.benchmark(group="denuded-zone widths of 23 micrographs")
@pytest.mark.parametrize(
    "implementation",
    [lambda labels: denuded_zone.denuded_zone_widths(labels).widths_px, widths_with_scikit_image],
    ids=["uhcs-bench", "scikit-image and scipy"],
)
def test_widths(network_maps, benchmark, implementation):
    """Time each, and check that all samples are the same."""
    found = benchmark(lambda: [implementation(labels) for labels in network_maps])
    for widths, labels in zip(found, network_maps, strict=True):
        expected = denuded_zone.denuded_zone_widths(labels).widths_px
        np.testing.assert_array_equal(widths, expected)


@pytest.mark.benchmark(group="other measures of 23 micrographs")
@pytest.mark.parametrize(
    "measure",
    [
        denuded_zone.unobstructed_widths,
        lambda labels: stereology.phase_fractions(labels, "microconstituents"),
        stereology.mean_intercept_length,
        lambda labels: denuded_zone.width_distribution(denuded_zone.unobstructed_widths(labels)),
    ],
    ids=["unobstructed widths", "phase fractions", "mean intercept", "widths with intervals"],
)
def test_other_measures(network_maps, benchmark, measure):
    """Time what the libraries don't have."""
    assert len(benchmark(lambda: [measure(labels) for labels in network_maps])) == 23


@pytest.mark.benchmark(group="all measures of 4 maps, beside areas or widths alone")
@pytest.mark.parametrize(
    "measure",
    [
        lambda p, _: row.measure(p, "particles", SCALE),
        lambda _, n: row.measure(n, "microconstituents", SCALE),
        lambda p, _: areas_with_scikit_image(p),
        lambda _, n: widths_with_scikit_image(n),
    ],
    ids=["particles", "microconstituents", "areas, scikit-image", "widths, scikit-image and scipy"],
)
def test_all_measures(particle_maps, network_maps, benchmark, measure):
    """Time a row of the table, intervals included, and one measure of the libraries."""
    pairs = list(zip(particle_maps[:4], network_maps[:4], strict=True))
    assert len(benchmark(lambda: [measure(*pair) for pair in pairs])) == 4


@pytest.mark.benchmark(group="growth with pixels")
@pytest.mark.parametrize("times", [1, 4, 8])
@pytest.mark.parametrize(
    "measure",
    [
        particles.measure_particles,
        denuded_zone.denuded_zone_widths,
        widths_with_scikit_image,
        denuded_zone.unobstructed_widths,
    ],
    ids=["particles", "widths", "widths with scikit-image and scipy", "unobstructed widths"],
)
def test_growth_with_pixels(particle_maps, network_maps, benchmark, measure, times):
    """Time one map repeated in both directions, 16 and 64 times as large."""
    maps = particle_maps if measure is particles.measure_particles else network_maps
    montage = np.tile(maps[0], (times, times))
    benchmark.pedantic(measure, args=(montage,), rounds=3)
