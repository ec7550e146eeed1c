"""Errors of the measures where the truth is known, and how they are summed up."""

import csv
import io
import json
import math

import numpy as np
import pytest

from uhcs_bench.errors import UsageError
from uhcs_bench.measuring import calibration
from uhcs_bench.synthetic import micrographs
from uhcs_bench.synthetic.network import Hypereutectoid

REPLICATES = 6
LIMIT = 5.0
"""Student's t that 5 degrees of freedom exceed once in 500 times on either side."""


@pytest.fixture(scope="module")
def exact():
    """Errors on exact label maps."""
    return calibration.calibrate((4, 8, 12), (), REPLICATES)


@pytest.fixture(scope="module")
def noisy():
    """Errors on segmented images."""
    return calibration.calibrate((8,), (4, 20), 3, seed=1)


@pytest.mark.parametrize("name", calibration.PARTICLE_MEASURES)
def test_particles_are_measured_without_bias_from_4_px_on(exact, name):
    """Check that sizes and number on exact maps are off by no more than 1 % and chance.

    A root of a pixel count is too small by var / (8 area squared) of itself, 0.2 % at 4 px; sizes
    are whole numbers of pixels, which moves a median by up to half of the step between two, 1 px in
    4 pi / 4, that is 2 % at 4 px. Chance is `LIMIT` standard errors of the mean over the fields.
    """
    for error in exact.line(name, None):
        steps = 0.02 * 4 / error.resolution_px if name == "median diameter" else 0.0
        assert error.n == REPLICATES
        assert abs(error.bias) < 0.01 + steps + LIMIT * error.bias_se
        # A tenth of some 200 particles is cut by the border, which is what the weights make up for.
        assert error.bias_se < 0.03


def test_diameters_shrink_as_pixel_counts_predict():
    """Check the bias of roots of counts: the mean over random places, for discs."""
    for radius in (1.5, 3.0):
        rng = np.random.default_rng(0)
        centres = rng.uniform(-0.5, 0.5, (4000, 2))
        row, column = np.indices((11, 11)) - 5
        inside = np.hypot(row[None] - centres[:, :1, None], column[None] - centres[:, 1:, None])
        counts = (inside <= radius).sum((1, 2))
        area = np.pi * radius**2
        assert counts.mean() == pytest.approx(area, rel=0.01)
        shrunk = (np.sqrt(counts).mean() / np.sqrt(area)) - 1
        predicted = -counts.var() / (8 * area**2)
        assert shrunk == pytest.approx(predicted, abs=0.004)
        assert counts.var() < 1.3 * radius
        assert abs(predicted) < 0.004


def test_zone_widths_are_short_by_a_staircase(exact):
    """Check that widths along lines are 0 to 0.4 px too short, and nearly the same everywhere."""
    for error in exact.line("zone width", None):
        assert -0.4 < error.bias_px < 0.0
        assert error.spread * error.resolution_px < 0.1


def test_the_papers_zone_widths_are_further_off(exact):
    """Check that the paper's procedure, which loses zones with smooth outlines, errs more."""
    for paper, clear in zip(
        exact.line("zone width (paper)", None), exact.line("zone width", None), strict=True
    ):
        assert abs(paper.bias) > 2 * abs(clear.bias)
        assert paper.spread > clear.spread


def test_errors_of_known_maps_are_known():
    """Check both errors on straight zones of 10 px where 8 px are stated, and without network.

    The paper's procedure gives 10 and 11 px there, once a spur keeps it from taking the zone away,
    and 0 and 1 px on the other side, where spheroidite touches the network.
    """
    made = micrographs.hypereutectoid(0, (60, 80), 1.0, Hypereutectoid(denuded_um=8.0))
    labels = np.full((60, 80), 2, np.uint8)
    labels[:, 10:20], labels[:, 20:30] = 1, 0
    assert calibration.zone_errors(made, labels)[0] == pytest.approx(10 / 8 - 1)
    assert calibration.zone_errors(made, labels)[1] == pytest.approx(0.5 / 8 - 1)
    labels[30, 20:22] = 1
    assert calibration.zone_errors(made, labels)[1] == pytest.approx(5.5 / 8 - 1, abs=0.02)
    assert all(math.isnan(error) for error in calibration.zone_errors(made, 0 * labels))


def test_particle_errors_are_relative_to_the_truth():
    """Check that a map of nothing has no size, and that of another scale the right factor."""
    made = micrographs.particles(2, (200, 200), 0.04)
    mean, median, density = calibration.particle_errors(made, 0 * made.labels)
    assert math.isnan(mean)
    assert math.isnan(median)
    assert density == -1.0
    doubled = made.labels.repeat(2, 0).repeat(2, 1)
    once, twice = (calibration.particle_errors(made, m) for m in (made.labels, doubled))
    assert 1 + twice[0] == pytest.approx(2 * (1 + once[0]), rel=0.02)
    assert 1 + twice[2] == pytest.approx((1 + once[2]) / 4, rel=0.05)


def test_a_particle_field_has_no_zone():
    """Check that the wrong kind of micrograph is refused."""
    made = micrographs.particles(0, (30, 30))
    with pytest.raises(TypeError, match="no denuded zone"):
        calibration.zone_errors(made, made.labels)


def test_noise_adds_to_the_errors(noisy):
    """Check that segmented images are measured worse than exact maps, the more so the noisier."""
    for name in ("number density", "zone width"):
        sizes = [abs(noisy.line(name, level)[0].bias) for level in (None, 4.0, 20.0)]
        assert sizes == sorted(sizes)
        assert sizes[2] > 2 * sizes[0]


def test_a_seed_repeats_and_another_does_not(noisy):
    """Check that the same call gives the same numbers."""
    again = calibration.calibrate((8,), (4, 20), 3, seed=1)
    assert again == noisy
    other = calibration.calibrate((8,), (), 3, seed=2)
    assert other.line("zone width", None) != noisy.line("zone width", None)


def test_trusted_from_needs_all_finer_resolutions():
    """Check the resolution that a tolerance asks for, on biases made up for it."""

    def made(*biases):
        errors = tuple(
            calibration.Errors("mean diameter", px, None, 3, bias, 0.0, 0.0)
            for px, bias in zip((4, 8, 16), biases, strict=True)
        )
        return calibration.Calibration(errors, 3, 0).trusted_from("mean diameter", None)

    assert made(0.01, -0.01, 0.01) == 4
    assert made(0.01, -0.09, 0.01) == 16
    assert made(0.09, 0.01, -0.05) == 8
    assert made(0.01, 0.01, math.nan) is None


def test_tables_hold_all_errors(noisy):
    """Check JSON and CSV against the errors, and the text's width."""
    content = json.loads(noisy.to_json(), parse_constant=pytest.fail)
    rows = list(csv.DictReader(io.StringIO(noisy.to_csv())))
    assert len(rows) == len(content["errors"]) == len(noisy.errors) == 5 * 3
    for row, error, stored in zip(rows, noisy.errors, content["errors"], strict=True):
        assert row["measure"] == error.measure == stored["measure"]
        assert float(row["bias"]) == error.bias == stored["bias"]
        assert row["noise"] == ("" if error.noise is None else str(error.noise))
    lines = noisy.to_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("label map" in line for line in lines) == 5


def test_the_default_table_fits_a_terminal():
    """Check the width with all resolutions and errors of any size."""
    errors = tuple(
        calibration.Errors(name, px, noise, 8, bias, 0.0123, 0.1)
        for name in calibration.MEASURES
        for noise in (None, *calibration.NOISE)
        for px, bias in zip(
            calibration.RESOLUTIONS_PX, (0.1, -0.51, 0.2, -12.5, 0.3, 5.0, math.nan), strict=True
        )
    )
    text = calibration.Calibration(errors, 8, 0).to_text()
    assert max(map(len, text.splitlines())) <= 80


def test_undefined_errors_are_null():
    """Check that what could not be measured is no number in JSON, and a dash in the text."""
    error = calibration.Errors("mean diameter", 3, 4.0, 0, math.nan, math.nan, math.nan)
    made = calibration.Calibration((error,), 2, 0)
    assert json.loads(made.to_json(), parse_constant=pytest.fail)["errors"][0]["bias"] is None
    assert made.to_text().splitlines()[-2].split() == ["3", "px", "-"]


def test_a_plot_has_a_panel_for_each_measure_and_a_line_for_each_noise(noisy):
    """Check the plotted values."""
    figure = calibration.plot(noisy)
    panels = figure.axes[: len(calibration.MEASURES)]
    for axes, name in zip(panels, calibration.MEASURES, strict=True):
        assert axes.get_title() == name
        drawn = [container.lines[0].get_ydata()[0] for container in axes.containers]
        assert drawn == [100 * noisy.line(name, noise)[0].bias for noise in noisy.noises]
        assert axes.get_xlabel().startswith("pixels per")


def test_wrong_numbers_are_refused_together():
    """Check that everything wrong is said at once."""
    with pytest.raises(UsageError) as caught:
        calibration.calibrate((1, 1), (-1,), 1)
    for words in ("2 to 100 px", "twice", "gray levels", "at least 2 replicates"):
        assert words in str(caught.value)
