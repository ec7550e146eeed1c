"""Synthetic micrographs: the stated truth, same bytes each time, and the demo's data set."""

import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import ndimage, stats

from uhcs_bench import protocol
from uhcs_bench.auditing import registration
from uhcs_bench.data import registry, synthetic
from uhcs_bench.errors import UsageError
from uhcs_bench.synthetic import micrographs
from uhcs_bench.synthetic.imaging import Imaging
from uhcs_bench.synthetic.network import Hypereutectoid
from uhcs_bench.synthetic.particle_field import ParticleField
from uhcs_bench.synthetic.sizes import Sizes

TASKS = tuple(protocol.TASKS)
EIGHT = np.ones((3, 3))


@cache
def generated(task):
    return tuple(synthetic.generate(entry) for entry in synthetic.catalogue(task))


def test_particles_come_with_their_truth():
    """Check that true sizes, number and share are those of the label map, but for pixels."""
    sizes = Sizes(median_um=0.25, log_sd=0.3, smallest_um=0.12, largest_um=0.6)
    made = micrographs.particles(5, (600, 700), 0.02, sizes)
    components, n = ndimage.label(made.labels, EIGHT)
    area = np.bincount(components.ravel())[1:]
    assert made.labels.shape == made.image.shape == made.cementite.shape == (600, 700)
    # Some reach in from outside, and a few of the small ones at the border show no pixel.
    assert made.diameters_um.size == pytest.approx(n, rel=0.15)
    assert made.number_density_um == made.diameters_um.size / (12.0 * 14.0)
    largest = np.sort(made.diameters_um)[-10:].mean()
    assert np.sort(2 * np.sqrt(area / np.pi) * 0.02)[-10:].mean() == pytest.approx(largest, rel=0.1)
    assert made.labels.mean() == pytest.approx(made.structure.area_share, abs=0.02)
    assert made.denuded_um is None


def test_true_sizes_follow_the_stated_distribution():
    """Check the diameters in one large image against the stated mean and quantiles."""
    sizes = Sizes(median_um=0.3, log_sd=0.4, smallest_um=0.1, largest_um=1.0)
    found = micrographs.particles(0, (900, 900), 0.03, sizes).diameters_um
    assert found.size > 800
    assert abs(found.mean() - sizes.mean_um) < 4 * found.std() / np.sqrt(found.size)
    below = [np.mean(found <= sizes.quantile_um(level)) for level in (0.1, 0.5, 0.9)]
    assert below == pytest.approx([0.1, 0.5, 0.9], abs=4 * 0.5 / np.sqrt(found.size))


def test_measured_sizes_follow_the_stated_lognormal():
    """Check component areas, as a user would measure them, at a pixel small against the sizes."""
    sizes = Sizes(median_um=0.4, log_sd=0.3, smallest_um=0.1, largest_um=1.0)
    made = micrographs.particles(1, (1000, 1000), 0.02, sizes, longest_aspect=1.5)
    components, _ = ndimage.label(made.labels, EIGHT)
    # What the border cuts has not its own size.
    for border in (components[0], components[-1], components[:, 0], components[:, -1]):
        components[np.isin(components, border)] = 0
    area = np.bincount(components.ravel())[1:]
    diameter_um = 2.0 * np.sqrt(area[area > 0] / np.pi) * 0.02
    limits = np.log(np.array([sizes.smallest_um, sizes.largest_um]) / sizes.median_um)
    stated = stats.truncnorm(*(limits / sizes.log_sd), np.log(sizes.median_um), sizes.log_sd)
    assert diameter_um.size > 200
    assert stats.kstest(np.log(diameter_um), stated.cdf).pvalue > 0.01


def test_the_zone_comes_with_its_width():
    """Check the stated width at every pixel, constant unless told otherwise."""
    made = micrographs.hypereutectoid(3, (200, 250), structure=Hypereutectoid(denuded_um=2.0))
    assert made.denuded_um == pytest.approx(np.full((200, 250), 2.0))
    rough = Hypereutectoid(denuded_um=2.0, denuded_log_sd=0.3)
    assert np.ptp(micrographs.hypereutectoid(3, (200, 250), structure=rough).denuded_um) > 0.3


@pytest.mark.parametrize("make", [micrographs.particles, micrographs.hypereutectoid])
def test_seeds_repeat_and_imaging_leaves_the_structure_alone(make):
    """Check that a seed gives one structure, whatever the imaging, and another seed another."""
    first, again, other = (make(seed, (90, 110)) for seed in (1, 1, 2))
    assert first.image.tobytes() == again.image.tobytes()
    assert first.labels.tobytes() == again.labels.tobytes() != other.labels.tobytes()
    noisy = make(np.random.default_rng(1), (90, 110), imaging=Imaging(electrons=0.5))
    assert noisy.labels.tobytes() == first.labels.tobytes()
    assert noisy.image.tobytes() != first.image.tobytes()


def test_a_field_without_particles_is_empty():
    """Check the share 0."""
    made = micrographs.particles(0, (50, 60), area_share=0.0)
    assert not made.labels.any()
    assert made.diameters_um.size == 0 == made.number_density_um


def test_everything_wrong_is_said_at_once():
    """Check that impossible conditions are refused in words, all of them."""
    with pytest.raises(UsageError) as caught:
        micrographs.particles(
            0, (0, 5), -1.0, "a", area_share=0.9, longest_aspect=0.5, irregularity=1.0, imaging=3
        )  # fmt: skip
    for name in ("shape", "pixel_size_um", "sizes", "area_share", "aspect", "irregularity"):
        assert name in str(caught.value)
    assert "imaging" in str(caught.value)
    with pytest.raises(UsageError) as caught:
        Hypereutectoid(
            grain_um=0.0, denuded_um=float("nan"), lath_share=1.5, lath_um=(5.0, 1.0), particles=3
        )
    for name in ("grain_um", "denuded_um", "lath_share", "lath_um", "particles"):
        assert name in str(caught.value)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("kind", "name", "wrong"),
    [
        *((Imaging, name, "x") for name in vars(Imaging())),
        *((Imaging, name, NAN) for name in vars(Imaging())),
        *((Imaging, name, INF) for name in vars(Imaging())),
        *((Imaging, name, -1.0) for name in vars(Imaging()) if name != "tilt"),
        (Imaging, "electrons", 0),
        (Imaging, "relief_px", 0),
        *((Sizes, name, wrong) for name in vars(Sizes()) for wrong in ("a", None, NAN, INF, 0, -1)),
        *((ParticleField, name, "x") for name in vars(ParticleField())),
        (ParticleField, "sizes", None),
        (ParticleField, "area_share", 0.36),
        (ParticleField, "longest_aspect", 0.9),
        (ParticleField, "irregularity", True),
        *((Hypereutectoid, name, "x") for name in vars(Hypereutectoid())),
        *((Hypereutectoid, name, -1) for name in vars(Hypereutectoid())),
        (Hypereutectoid, "lath_um", (1.0, NAN)),
        (Hypereutectoid, "lath_um", (1.0, 2.0, 3.0)),
    ],
)
def test_each_attribute_that_makes_no_sense_is_named(kind, name, wrong):
    """Check that every attribute is checked where it is stated, with its name and value."""
    with pytest.raises(UsageError, match=f"{kind.__name__} was not made: 1 problem") as caught:
        kind(**{name: wrong})
    assert name in str(caught.value)
    assert "must be" in str(caught.value)
    assert str(wrong) in str(caught.value)


def test_sizes_contradict_each_other():
    """Check the order of the three diameters."""
    with pytest.raises(UsageError, match=r"median_um 3\.0 must be from smallest_um 0\.08 to"):
        Sizes(median_um=3.0)
    with pytest.raises(UsageError, match=r"smallest_um 0\.5 must be below largest_um 0\.1"):
        Sizes(smallest_um=0.5, largest_um=0.1)


@pytest.mark.parametrize(
    ("make", "arguments", "said"),
    [
        (micrographs.particles, {"pixel_size_um": 1e-6}, "must be larger"),
        (micrographs.particles, {"pixel_size_um": 1e3}, "must be smaller"),
        (micrographs.particles, {"shape": (10**6, 10**6)}, "pixels at most"),
        (micrographs.particles, {"shape": (60.0, 60.0)}, r"\(60\.0, 60\.0\)"),
        (micrographs.hypereutectoid, {"pixel_size_um": 1e-6}, "must be larger"),
        (micrographs.hypereutectoid, {"structure": 3}, "structure is 3"),
        (micrographs.hypereutectoid, {"structure": Hypereutectoid(grain_um=1e-3)}, "be smaller"),
        (micrographs.hypereutectoid, {"structure": Hypereutectoid(network_um=1e-3)}, "be smaller"),
    ],
)
def test_what_takes_boundless_memory_is_refused(make, arguments, said):
    """Check frames and pixels before anything is drawn."""
    with pytest.raises(UsageError, match=said):
        make(0, **arguments)


def test_numbers_of_numpy_are_numbers():
    """Check single precision and integers of NumPy."""
    made = micrographs.particles(
        0, (np.int64(50), np.int32(60)), np.float32(0.04), Sizes(np.float32(0.3), np.float64(0.5))
    )
    assert made.image.shape == (50, 60)


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
        "import sys; from uhcs_bench.data import synthetic; synthetic.catalogue('particles'); "
        "sys.exit(any(name in sys.modules for name in ('scipy', 'skimage')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_same_bytes_in_any_order(task):
    """Check that a micrograph does not depend on what was generated before it."""
    entries = synthetic.catalogue(task)
    first = generated(task)
    for index in (17, 3, 0):
        for before, now in zip(first[index], synthetic.generate(entries[index]), strict=True):
            assert before.tobytes() == now.tobytes()


@pytest.mark.slow
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


def test_gray_levels_are_near_the_real_ones():
    """Check the mean percentiles of the particle task against those of the real micrographs.

    Those have, at 5, 25, 50, 75 and 95 %, means of 37, 73, 98, 127 and 232.
    """
    levels = np.percentile([image for image, _ in generated("particles")], [5, 25, 50, 75, 95])
    assert levels == pytest.approx([37, 73, 98, 127, 232], abs=20)


def test_another_shape_can_be_generated():
    """Check that the micrographs come in any size, even one that holds hardly anything."""
    for task in TASKS:
        for shape in ((37, 501), (5, 4), (1, 1)):
            entry = replace(synthetic.catalogue(task)[0], shape=shape)
            image, labels = synthetic.generate(entry)
            assert image.shape == labels.shape == shape


def test_a_real_micrograph_is_not_generated():
    """Check that an entry of the real data set is refused by name."""
    with pytest.raises(UsageError, match="970C-5M-Q-2"):
        synthetic.generate(registry.entries("particles")[0])


def test_the_data_set_has_no_findings_of_displacement():
    """Check that the audit finds no map of the set off its micrograph."""
    for entry, (image, labels) in zip(
        synthetic.catalogue("particles"), generated("particles"), strict=True
    ):

        class Micrograph:
            id, task = entry.id, entry.task

        Micrograph.image, Micrograph.labels = image, labels
        found = registration.register(Micrograph)
        assert found.best_shift == (0, 0)
        assert not found.is_shifted
        assert not found.is_drifting
