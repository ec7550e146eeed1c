"""The imaging model: where it is bright, how it is noisy, and that it displaces nothing."""

from dataclasses import replace

import numpy as np
import pytest

import uhcs_bench
from uhcs_bench.auditing import registration
from uhcs_bench.synthetic import micrographs
from uhcs_bench.synthetic.imaging import Imaging, acquire

SILENT = replace(
    Imaging(), relief=0.0, scratches=0.0, drift=0.0, tilt=0.0, electrons=1e9, read_noise=0.0
)
"""Nothing random in it."""


def random(seed):
    return np.random.Generator(np.random.PCG64(seed))


def plate():
    solid = np.zeros((60, 60))
    solid[:, 20:40] = 1.0
    return solid


def test_cementite_has_bright_edges():
    """Check the imaging of a wide plate: its rim outshines its middle, its foot lies in shadow."""
    profile = acquire(random(1), SILENT, plate()).mean(axis=0)
    assert profile[30] == pytest.approx(SILENT.cementite, abs=1.0)
    assert profile[5] == pytest.approx(SILENT.ferrite, abs=1.0)
    assert profile[21] > profile[30] + 10.0
    assert profile[17] < profile[5] - 2.0


def test_slopes_towards_the_upper_edge_are_bright():
    """Check shading by relief, on both sides of an edge and wider than it."""
    imaging = replace(SILENT, tilt=60.0, edge_gain=0.0, shadow=0.0, cementite=180.0)
    shaded = acquire(random(1), imaging, plate().T).astype(float)
    flat = acquire(random(1), replace(imaging, tilt=0.0), plate().T)
    difference = (shaded - flat).mean(axis=1)
    assert difference[17] > 10.0 < difference[22]
    assert difference[37] < -10.0 > difference[42]
    assert difference[16:24].sum() == pytest.approx(-difference[36:44].sum(), abs=2.0)


@pytest.mark.parametrize("level", [40.0, 120.0])
def test_noise_has_the_stated_variance(level):
    """Check shot and read noise on bare ferrite."""
    imaging = replace(SILENT, ferrite=level, electrons=2.0, read_noise=3.0)
    image = acquire(random(1), imaging, np.zeros((200, 200)))
    assert image.mean() == pytest.approx(level, abs=0.2)
    # Rounding to whole gray levels adds a twelfth.
    assert image.var() == pytest.approx(level / 2.0 + 9.0 + 1.0 / 12.0, rel=0.05)


def test_texture_has_the_stated_deviation():
    """Check the relief's standard deviation, which the beam's width lowers."""
    imaging = replace(SILENT, relief=15.0, relief_px=3.0, blur_px=0.1, ferrite=120.0)
    images = [acquire(random(seed), imaging, np.zeros((200, 200))) for seed in range(4)]
    assert np.std(images) == pytest.approx(15.0, rel=0.1)
    assert np.mean(images) == pytest.approx(120.0, abs=3.0)


def test_drift_is_slow_and_of_the_stated_size():
    """Check the relative drift over many images, and that neighbours hardly differ."""
    imaging = replace(SILENT, drift=0.1, ferrite=120.0)
    images = np.array([acquire(random(seed), imaging, np.zeros((30, 40))) for seed in range(200)])
    relative = images / 120.0 - 1.0
    assert relative.std() == pytest.approx(0.1, rel=0.15)
    assert np.abs(np.diff(images.astype(float), axis=2)).max() <= 4.0


def test_scratches_are_straight_dark_and_as_many_as_stated():
    """Check the number of scratches by the dark pixels on bare ferrite, and their straightness."""
    imaging = replace(SILENT, scratches=200.0, scratch_depth=60.0, ferrite=150.0, blur_px=0.1)
    images = [acquire(random(seed), imaging, np.zeros((250, 400))) for seed in range(6)]
    covered = np.mean([image < 140 for image in images])
    # 20 scratches per image, 0.45 of 400 px long on average, one or two pixels wide.
    assert 0.5 < covered / (20 * 180 * 1.5 / 1e5) < 1.6
    assert all(image.max() <= 150 for image in images)
    one = replace(imaging, scratches=1e6 / (100 * 100))
    for seed in range(40):
        row, column = np.nonzero(acquire(random(seed), one, np.zeros((100, 100))) < 135)
        if len(row) <= 30:
            continue
        _, deviations, *_ = np.linalg.svd(np.stack([row - row.mean(), column - column.mean()]))
        if deviations[1] ** 2 / len(row) < 0.5:
            return
    pytest.fail("no image shows a single straight scratch")


def test_cementite_is_hardly_scratched():
    """Check that a groove is shallower in the harder phase."""
    imaging = replace(SILENT, scratches=2000.0, scratch_depth=40.0)
    soft, hard = (
        np.std(acquire(random(3), imaging, np.full((150, 150), share))) for share in (0.0, 1.0)
    )
    assert 0.0 < hard < 0.5 * soft


def test_partly_covered_pixels_lie_in_between():
    """Check that half a pixel of cementite moves an edge by half a pixel."""
    solid = plate()
    whole = acquire(random(1), SILENT, solid).sum(dtype=float)
    solid[:, 40] = 0.5
    half = acquire(random(1), SILENT, solid).sum(dtype=float)
    solid[:, 40] = 1.0
    full = acquire(random(1), SILENT, solid).sum(dtype=float)
    assert half - whole == pytest.approx((full - whole) / 2.0, rel=0.05)


def test_an_image_of_one_row_can_be_made():
    """Check the smallest images."""
    assert acquire(random(0), Imaging(), np.zeros((1, 7))).shape == (1, 7)


def test_images_lie_on_their_label_maps():
    """Check the displacement of all synthetic particle micrographs, in rows and columns.

    Single images' standard errors are 0.01 px; the real maps that fit do so to 0.03 px.
    """
    found = [registration.register(m) for m in uhcs_bench.load("particles", version="synthetic")]
    rows, columns = (np.array([getattr(r, name)[0] for r in found]) for name in ("rows", "columns"))
    assert np.abs(rows).max() < 0.06
    assert np.abs(columns).max() < 0.06
    assert abs(rows.mean()) < 0.02
    assert abs(columns.mean()) < 0.01


def test_shading_as_narrow_as_the_edges_would_displace_the_image():
    """Check that the test above can see what it is there for."""
    narrow = replace(Imaging(), tilt=90.0, tilt_px=1.2)
    made = micrographs.particles(0, (192, 256), imaging=narrow)
    micrograph = uhcs_bench.load("particles", version="synthetic")[0]

    class Displaced:
        image, labels = made.image, made.labels
        id, task = micrograph.id, micrograph.task

    assert registration.register(Displaced).rows[0] < -0.08
