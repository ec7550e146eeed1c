"""Micrographs that show one field at two magnifications: found where planted, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage.transform import AffineTransform, warp

import uhcs_bench
from tests.auditing import planted
from uhcs_bench import protocol
from uhcs_bench.auditing import circumstances, magnifications
from uhcs_bench.auditing.overlaps import find_overlaps
from uhcs_bench.synthetic import micrographs

UM = 0.04


def micrograph(name, image, labels, um=UM, fold=0, task="particles"):
    """A micrograph from its gray levels and label map."""
    return planted.micrograph(name, (image, labels), fold, task, claims=(), um=um)


@pytest.fixture(scope="module")
def fine():
    """A synthetic field of particles."""
    made = micrographs.particles(3, (240, 320), UM)
    return made.image, made.labels


def around(fine, scale, offset, shape=(260, 340), noise=6.0, seed=0):
    """A coarser micrograph in which a finer one lies, resampled by scikit-image, and noisy."""
    rows, columns = offset
    # From a coarse pixel's centre to the finer micrograph's pixel: (x + .5 - offset) / scale - .5
    to_fine = AffineTransform(
        scale=(1 / scale, 1 / scale),
        translation=tuple((0.5 - start) / scale - 0.5 for start in (columns, rows)),
    )
    other = micrographs.particles(seed + 100, shape, UM / scale)
    blurred = warp(
        blurred_by(fine[0], 0.4 / scale), to_fine, output_shape=shape, cval=-1, preserve_range=True
    )
    labels = warp(fine[1], to_fine, output_shape=shape, order=0, cval=9, preserve_range=True)
    inside = blurred >= 0
    image = np.where(inside, blurred, other.image)
    image = image * 0.8 + 20 + np.random.default_rng(seed).normal(0, noise, shape)
    return (
        image.clip(0, 255).astype(np.uint8),
        np.where(labels == 9, other.labels, labels).astype(np.uint8),
    )


def blurred_by(image, sigma):
    """Gray levels that a coarser pixel averages."""
    from scipy import ndimage

    return ndimage.gaussian_filter(image.astype(float), sigma)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "offset"),
    [(0.5, (40.0, 70.0)), (0.401, (100.25, 30.5)), (0.62, (20.7, 90.1)), (0.3, (150.0, 200.0))],
)
@pytest.mark.parametrize("error", [0.96, 1.0, 1.05])
def test_planted_scale_and_position_are_found(fine, scale, offset, error):
    """Check scale and place, with micron bars that are off by some percent."""
    coarse = micrograph("coarse", *around(fine, scale, offset), um=UM / scale * error, fold=1)
    found = magnifications.search([micrograph("fine", *fine), coarse])
    (overlap,) = found.overlaps
    assert (overlap.a, overlap.b, overlap.folds) == ("coarse", "fine", (1, 0))
    assert overlap.scale == pytest.approx(scale, rel=0.004)
    assert overlap.offset == pytest.approx(offset, abs=0.5)
    assert overlap.expected_scale == pytest.approx(scale / error)
    assert overlap.correlation > 0.85
    assert overlap.equal_labels > 0.95
    assert overlap.share == 1
    assert overlap.is_leak
    assert overlap.is_across_magnifications
    assert not overlap.is_same_spot
    assert found.n_pairs == 1
    assert found.best_unrelated is None
    rows = [round(offset[0]), round(offset[0] + 240 * scale)]
    assert overlap.rows == pytest.approx(rows, abs=1)


@pytest.mark.parametrize("offset", [(-40.0, 60.0), (200.0, 280.0), (100.0, -75.0)])
def test_partial_overlap_is_found(fine, offset):
    """Check a finer micrograph of which a part lies outside."""
    coarse = micrograph("coarse", *around(fine, 0.5, offset), um=2 * UM)
    (overlap,) = magnifications.search([coarse, micrograph("fine", *fine)]).overlaps
    assert overlap.offset == pytest.approx(offset, abs=0.5)
    assert overlap.scale == pytest.approx(0.5, rel=0.01)
    inside = [
        (min(length, start + n / 2) - max(0, start)) / (n / 2)
        for start, length, n in zip(offset, (260, 340), (240, 320), strict=True)
    ]
    assert overlap.share == pytest.approx(inside[0] * inside[1], abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("unknown", ["coarse", "fine", "both"])
def test_unknown_pixel_size_is_searched(fine, unknown):
    """Check that either way is tried where a micron bar is missing."""
    sizes = {"coarse": UM / 0.45, "fine": UM}
    sizes.update(dict.fromkeys(sizes if unknown == "both" else [unknown]))
    coarse = micrograph("coarse", *around(fine, 0.45, (30.0, 80.0)), um=sizes["coarse"])
    (overlap,) = magnifications.search(
        [micrograph("fine", *fine, um=sizes["fine"]), coarse]
    ).overlaps
    assert (overlap.a, overlap.b) == ("coarse", "fine")
    assert overlap.scale == pytest.approx(0.45, rel=0.005)
    assert overlap.expected_scale is None


def test_wrong_micron_bar_hides_the_field(fine):
    """Check that the scale is searched around the ratio of the pixel sizes, not everywhere."""
    coarse = micrograph("coarse", *around(fine, 0.5, (40.0, 70.0)), um=UM / 0.3)
    found = magnifications.search([micrograph("fine", *fine), coarse])
    assert (found.n_pairs, found.overlaps) == (1, ())


@pytest.mark.slow
def test_unrelated_micrographs_are_not_reported():
    """Check silence on many pairs of one kind, and that the nearest is named."""
    sizes = (1.0, 1.3, 2.0, 2.6, None)
    many = []
    for seed in range(15):
        um = sizes[seed % 5]
        made = micrographs.particles(seed, (240, 320), UM * (um or 1.6))
        many.append(micrograph(str(seed), made.image, made.labels, um=um and um * UM))
    found = magnifications.search(many)
    assert found.overlaps == ()
    # 10 pairs of each two of the 4 known sizes (3 x 3), and those with 3 of unknown size
    assert found.n_pairs == 6 * 9 + 3 * 12 + 3
    if found.best_unrelated is not None:
        assert found.best_unrelated.correlation < found.best_unrelated.needed


def test_one_magnification_and_other_tasks_are_not_compared(fine):
    """Check which pairs are compared."""
    coarse = around(fine, 0.5, (40.0, 70.0))
    here = micrograph("fine", *fine)
    same = micrograph("same", *fine, um=UM * 1.01)
    assert magnifications.search([here, same]).n_pairs == 0
    other_task = micrograph("other", *coarse, um=2 * UM, task="microconstituents")
    assert magnifications.search([here, other_task]).n_pairs == 0


def test_degenerate_micrographs_have_no_fit():
    """Check none, one, constant and tiny ones."""
    flat = np.full((60, 80), 7, np.uint8)
    tiny = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert magnifications.search([]) == magnifications.Search(0, (), None)
    pair = [micrograph("a", flat, flat * 0), micrograph("b", flat, flat * 0, um=2 * UM)]
    assert magnifications.search(pair[:1]).overlaps == ()
    assert magnifications.search(pair).overlaps == ()
    pair[0] = micrograph("a", tiny, tiny * 0)
    assert magnifications.search(pair).overlaps == ()


def test_shared_field_at_one_magnification_is_a_crop(fine):
    """Check that nothing is resampled where the pixels are the same."""
    image, labels = fine
    crop = micrograph("crop", image[30:130, 40:200], labels[30:130, 40:200])
    whole = micrograph("whole", image, labels)
    (overlap,) = find_overlaps([whole, crop])
    field = magnifications.shared_field(whole, crop, overlap)
    assert (field.image_a == field.image_b).all()
    assert (field.labels_a == field.labels_b).all()
    assert field.image_a.shape == (100, 160)


def test_resampled_labels_are_the_majority():
    """Check by hand: 2 x 2 fine pixels to one."""
    labels = np.array([[0, 0, 3, 3], [0, 3, 3, 3], [2, 2, 0, 0], [2, 2, 0, 0]], np.uint8)
    labels = np.kron(
        labels, np.ones((10, 10), np.uint8)
    )  # large enough for the filter not to matter
    coarse = magnifications._resampled_labels(labels, 0.1, (0, 0), (slice(0, 4), slice(0, 4)))
    assert coarse[0].tolist() == [0, 0, 3, 3]
    assert coarse[2:].tolist() == [[2, 2, 0, 0]] * 2


# Real data


@pytest.fixture(scope="module")
def deposit(real_cache):
    """Micrographs of both tasks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UHCS_BENCH_CACHE", str(real_cache))
        return [m for task in protocol.TASKS for m in uhcs_bench.load(task)]


@pytest.fixture(scope="module")
def found(deposit):
    """Search on the real data."""
    return magnifications.search(deposit)


KNOWN = {
    ("800C-85H-Q-6", "800C-85H-Q-2"): (0.496, (129, 168)),
    ("800C-85H-Q-5", "800C-85H-Q-1"): (0.498, (139, 183)),
    ("800C-3H-Q-1", "800C-3H-Q-2"): (0.399, (142, 201)),
    ("uhcs0599", "uhcs0333"): (0.405, (150, 223)),
}
"""Coarser and finer micrograph, scale, and place; of the first and the last it was known before."""


def test_real_pairs(found):
    """Check the pairs, their scales and places, and that they are leaks."""
    assert {(o.a, o.b) for o in found.overlaps} == set(KNOWN)
    for overlap in found.overlaps:
        scale, place = KNOWN[overlap.a, overlap.b]
        assert overlap.scale == pytest.approx(scale, rel=0.006)
        assert overlap.offset == pytest.approx(place, abs=1.5)
        assert overlap.share == pytest.approx(1)
        assert overlap.is_leak
        assert 0.9 < overlap.equal_labels < 0.96


def test_real_micron_bars_are_confirmed(found):
    """Check scales against the ratios of pixel sizes: within what reading a bar can explain."""
    for overlap in found.overlaps:
        assert overlap.scale / overlap.expected_scale == pytest.approx(
            1, abs=circumstances.PIXEL_SIZE_TOLERANCE
        )


def test_real_pairs_stand_apart(found):
    """Check the gap between the pairs found and the best other pair."""
    assert found.n_pairs == 337
    assert min(o.correlation for o in found.overlaps) > 0.85
    assert found.best_unrelated.correlation < 0.4


def test_real_pair_of_unknown_size_would_be_found(deposit):
    """Check that the pairs don't hang on the micron bars."""
    names = ("800C-3H-Q-1", "800C-3H-Q-2", "uhcs0599", "uhcs0333")
    without = [
        replace(m, entry=replace(m.entry, pixel_size=replace(m.entry.pixel_size, um=None)))
        for m in deposit
        if m.id in names
    ]
    overlaps = magnifications.search(without).overlaps
    assert {(o.a, o.b) for o in overlaps} == {names[:2], names[2:]}
