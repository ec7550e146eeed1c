"""Errors of the measures where the truth is known, and how they are summed up."""

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from uhcs_bench.errors import UsageError
from uhcs_bench.measuring import _drawn, calibration, columns, row
from uhcs_bench.synthetic import micrographs
from uhcs_bench.synthetic.particle_field import Placed

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


UNBIASED = (
    "fraction_particle",
    "number_density",
    "nearest_neighbour_distance",
    "diameter_mean",
    "diameter_median",
    "diameter_area_weighted_mean",
    "diameter_volume_weighted_mean",
    "unfolded_diameter_mean",
)
FROM_8_PX = (
    "number_per_length",
    "mean_intercept",
    "free_path",
    "perimeter_mean",
    "aspect_ratio_mean",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", UNBIASED)
def test_particles_are_measured_without_bias_from_4_px_on(exact, name):
    """Check that sizes and number on exact maps are off by no more than 1 % and chance.

    A root of a pixel count is too small by var / (8 area squared) of itself, 0.2 % at 4 px; sizes
    are whole numbers of pixels, which moves a median by up to half of the step between two, 1 px in
    4 pi / 4, that is 2 % at 4 px. Chance is `LIMIT` standard errors of the mean over the fields.
    """
    for error in exact.line(name, None):
        steps = 0.02 * 4 / error.resolution_px if name == "diameter_median" else 0.0
        assert error.n == REPLICATES
        assert abs(error.bias) < 0.01 + steps + LIMIT * error.bias_se
        assert error.bias_se < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", FROM_8_PX)
def test_outlines_are_measured_within_3_percent_from_8_px_on(exact, name):
    """Check what depends on outlines, which pixels make rough."""
    for error in exact.line(name, None)[1:]:
        assert abs(error.bias) < 0.03 + LIMIT * error.bias_se


def test_calibration_measures_what_measure_does(monkeypatch):
    """Check that the maps go through the same function, with the same smallest diameter."""
    calls = []

    def record(labels, task, scale, **options):
        calls.append((task, options))
        return measure(labels, task, scale, **options)

    measure = row.measure
    monkeypatch.setattr(row, "measure", record)
    calibration.calibrate((4,), (10,), 2, min_diameter="5px")
    assert calls.count(("particles", {"min_diameter": "5px"})) == 4
    assert {task for task, _ in calls} == {"particles", "microconstituents"}
    names = {m.name for measures in columns.MEASURES.values() for m in measures}
    assert set(calibration.MEASURES) <= names


@pytest.mark.slow
def test_smallest_diameter_takes_specks_away():
    """Check that after Otsu's threshold the number is right only with a smallest diameter."""
    without = calibration.calibrate((12,), (10,), 2).line("number_density", 10)[0]
    with_one = calibration.calibrate((12,), (10,), 2, min_diameter="0.4um")
    assert without.bias > 1
    assert abs(with_one.line("number_density", 10)[0].bias) < 0.15
    assert "from 0.4um on" in with_one.to_text()


@pytest.mark.slow
def test_intervals_are_counted(exact):
    """Check that most intervals on exact maps hold the mean truth, of measures without bias."""
    errors = [e for name in UNBIASED for e in exact.line(name, None)]
    assert all(e.n_intervals == REPLICATES for e in errors)
    assert sum(e.n_held for e in errors) / sum(e.n_intervals for e in errors) > 0.9


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


@pytest.mark.slow
def test_zone_widths_are_short_by_a_staircase(exact):
    """Check that widths along lines are 0 to 0.4 px too short, and nearly the same everywhere."""
    for error in exact.line("zone_width_mean", None):
        assert -0.4 < error.bias_px < 0.0
        assert error.spread * error.resolution_px < 0.1


@pytest.mark.slow
def test_the_papers_zone_widths_are_further_off(exact):
    """Check that the paper's procedure, which loses zones with smooth outlines, errs more."""
    for paper, clear in zip(
        exact.line("authors_zone_width_mean", None),
        exact.line("zone_width_mean", None),
        strict=True,
    ):
        assert abs(paper.bias) > 2 * abs(clear.bias)
        assert paper.spread > clear.spread


@pytest.mark.slow
def test_drawn_ellipses_have_their_measures():
    """Check what is drawn against formulas for one ellipse of semi-axes 20 and 10 px."""
    one = np.ones(1)
    placed = Placed(50 * one, 60 * one, 20 * one, 10 * one, 0.3 * one, np.zeros((1, 2), complex))
    made = replace(micrographs.particles(0, (100, 120), 0.5), placed=placed)
    found = _drawn.of_particles(made, None)
    assert found["diameter_mean"] == pytest.approx(0.5 * 2 * math.sqrt(200))
    assert found["aspect_ratio_mean"] == pytest.approx(2, rel=1e-3)
    assert found["feret_mean"] == pytest.approx(20, rel=1e-3)
    ramanujan = math.pi * (90 - math.sqrt((3 * 20 + 10) * (20 + 3 * 10)))
    assert found["perimeter_mean"] == pytest.approx(0.5 * ramanujan, rel=2e-3)
    assert found["fraction_particle"] == pytest.approx(math.pi * 200 / 12000)
    sine, cosine = math.sin(0.3), math.cos(0.3)
    width = 2 * math.hypot(20 * cosine, 10 * sine)
    height = 2 * math.hypot(20 * sine, 10 * cosine)
    assert found["number_per_length"] == pytest.approx((width + height) / 2 / 12000 / 0.5, rel=1e-3)
    assert _drawn.of_particles(made, "15um") == {}


def test_a_particle_field_has_no_zone():
    """Check that the wrong kind of micrograph is refused."""
    with pytest.raises(TypeError, match="no denuded zone"):
        _drawn.of_network(micrographs.particles(0, (30, 30)))


@pytest.mark.slow
def test_noise_adds_to_the_errors(noisy):
    """Check that segmented images are measured worse than exact maps, the more so the noisier."""
    for name in ("number_density", "zone_width_mean"):
        sizes = [abs(noisy.line(name, level)[0].bias) for level in (None, 4.0, 20.0)]
        assert sizes == sorted(sizes)
        assert sizes[2] > 2 * sizes[0]


@pytest.mark.slow
def test_a_seed_repeats_and_another_does_not(noisy):
    """Check that the same call gives the same numbers."""
    again = calibration.calibrate((8,), (4, 20), 3, seed=1)
    assert again == noisy
    other = calibration.calibrate((8,), (), 3, seed=2)
    assert other.line("zone_width_mean", None) != noisy.line("zone_width_mean", None)


def test_trusted_from_needs_all_finer_resolutions():
    """Check the resolution that a tolerance asks for, on biases made up for it."""

    def made(*biases):
        errors = tuple(
            calibration.Errors("diameter_mean", px, None, 3, bias, 0.0, 0.0)
            for px, bias in zip((4, 8, 16), biases, strict=True)
        )
        return calibration.Calibration(errors, 3, 0).trusted_from("diameter_mean", None)

    assert made(0.01, -0.01, 0.01) == 4
    assert made(0.01, -0.09, 0.01) == 16
    assert made(0.09, 0.01, -0.05) == 8
    assert made(0.01, 0.01, math.nan) is None


def six_digits(value):
    return pytest.approx(value, rel=1e-5)


@pytest.mark.slow
def test_tables_hold_all_errors(noisy):
    """Check JSON and CSV against the errors, and the text's width."""
    content = json.loads(noisy.to_json(), parse_constant=pytest.fail)
    rows = list(csv.DictReader(io.StringIO(noisy.to_csv())))
    assert len(rows) == len(content["errors"]) == len(noisy.errors) == len(calibration.MEASURES) * 3
    for cells, error, stored in zip(rows, noisy.errors, content["errors"], strict=True):
        assert cells["measure"] == error.measure == stored["measure"]
        bias = None if math.isnan(error.bias) else error.bias
        assert bias == stored["bias"]
        assert cells["bias"] == "" if bias is None else float(cells["bias"]) == six_digits(bias)
        assert cells["noise"] == ("" if error.noise is None else str(error.noise))
    lines = noisy.to_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("label map" in line for line in lines) == 2


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
    error = calibration.Errors("diameter_mean", 3, 4.0, 0, math.nan, math.nan, math.nan)
    made = calibration.Calibration((error,), 2, 0)
    assert json.loads(made.to_json(), parse_constant=pytest.fail)["errors"][0]["bias"] is None
    assert made.to_text().splitlines()[-1].split()[-1] == "-"


@pytest.mark.slow
def test_a_plot_has_a_panel_for_each_measure_and_a_line_for_each_noise(noisy):
    """Check the plotted values."""
    figure = calibration.plot(noisy)
    panels = figure.axes[: len(calibration.MEASURES)]
    for axes, name in zip(panels, calibration.MEASURES, strict=True):
        assert axes.get_title() == name
        drawn = [container.lines[0].get_ydata()[0] for container in axes.containers]
        expected = [100 * noisy.line(name, noise)[0].bias for noise in noisy.noises]
        np.testing.assert_array_equal(drawn, expected)
        assert axes.get_xlabel().startswith("pixels per")


def test_wrong_numbers_are_refused_together():
    """Check that everything wrong is said at once."""
    with pytest.raises(UsageError) as caught:
        calibration.calibrate((1, 1), (-1,), 1)
    for words in ("2 to 100 px", "twice", "gray levels", "from 2, which a spread needs"):
        assert words in str(caught.value)
