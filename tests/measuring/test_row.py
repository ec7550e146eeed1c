"""One map, one row: hand-computed values, units, and what is said of what is not there."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import uhcs_bench
from uhcs_bench.errors import UsageError
from uhcs_bench.measuring import columns
from uhcs_bench.measuring import row as measurement
from uhcs_bench.measuring.pixel_size import Scale
from uhcs_bench.metallography import particles
from uhcs_bench.metallography.labels import MATRIX, NETWORK, SPHEROIDITE

few = settings(max_examples=25)

NO_SIZE = Scale(None, "none: the file holds no pixel size")
TASKS = ("particles", "microconstituents")


def row(labels, task="particles", um=None):
    scale = NO_SIZE if um is None else Scale(um, "given by the user")
    return measurement.measure(np.asarray(labels), task, scale, "folder/a.b.png").row


def maps(n_classes, largest=24):
    sides = st.integers(1, largest)
    return hnp.arrays(np.uint8, st.tuples(sides, sides), elements=st.integers(0, n_classes - 1))


@st.composite
def maps_of_a_task(draw):
    task = draw(st.sampled_from(TASKS))
    return task, draw(maps(len(uhcs_bench.protocol.TASKS[task].classes)))


def test_row_of_a_hand_made_particle_map():
    """Check every value of three squares: two whole ones of 4 and 16 px, one at the border."""
    labels = np.zeros((50, 40), np.uint8)
    labels[10:12, 20:22] = labels[30:34, 20:24] = labels[48:, 2:5] = 1
    found = row(labels, um=0.5)
    assert (found["file"], found["id"], found["task"]) == ("folder/a.b.png", "a.b", "particles")
    assert (found["rows_px"], found["columns_px"]) == (50, 40)
    assert (found["n_particles"], found["n_at_border"], found["diameter_n"]) == (3, 1, 2)
    assert found["fraction_particle"] == (4 + 16 + 6) / 2000
    assert found["fraction_matrix"] == 1 - (4 + 16 + 6) / 2000
    # Each whole particle is at one of the places where it would be clear of the border.
    small, large = 1 / (47 * 37), 1 / (45 * 35)
    assert found["number_density_per_px2"] == pytest.approx(small + large)
    assert found["number_density_per_um2"] == pytest.approx((small + large) / 0.5**2)
    diameters = 2 * np.sqrt(np.array([4, 16]) / math.pi)
    weights = np.array([small, large]) / (small + large)
    mean = weights @ diameters
    assert found["diameter_mean_px"] == pytest.approx(mean)
    assert found["diameter_mean_um"] == pytest.approx(mean / 2)
    assert found["diameter_sd_px"] == pytest.approx(math.sqrt(weights @ (diameters - mean) ** 2))
    assert [found[f"diameter_{p}_px"] for p in ("p5", "p25")] == pytest.approx([diameters[0]] * 2)
    assert [found[f"diameter_{p}_px"] for p in ("p75", "p95")] == pytest.approx([diameters[1]] * 2)
    logarithm = weights @ np.log(diameters)
    assert found["lognormal_median_px"] == pytest.approx(math.exp(logarithm))
    assert found["lognormal_sigma"] == pytest.approx(
        math.sqrt(weights @ (np.log(diameters) - logarithm) ** 2)
    )
    assert found["reason"] == ""


def test_row_of_a_hand_made_network():
    """Check fractions, widths and intercepts of a straight network with a zone of 10 px."""
    labels = np.full((60, 80), SPHEROIDITE)
    labels[:, 20:30], labels[:, 10:20] = MATRIX, NETWORK
    found = row(labels, "uhcs", um=0.2)
    assert found["fraction_network"] == found["fraction_matrix"] == 1 / 8
    assert found["fraction_spheroidite"] == 3 / 4
    assert found["fraction_widmanstatten"] == 0.0
    assert (found["zone_width_mean_px"], found["zone_width_mean_um"]) == (10.0, 2.0)
    assert found["zone_width_sd_px"] == 0.0
    assert (found["zone_n_edges"], found["zone_n_near_border"]) == (60, 20)
    assert found["zone_contact_fraction"] == 0.5
    # The authors' procedure loses a zone with straight edges, and finds the network's bare side.
    assert found["authors_zone_width_median_px"] == 0.0
    # 60 rows cross the network once, no column does: 2 * 60 * 80 px of line, 60 crossings.
    assert found["intercept_n"] == 60
    assert found["intercept_spacing_px"] == 2 * 60 * 80 / 60
    assert found["intercept_thickness_px"] == 2 * 600 / 60
    assert found["intercept_spacing_horizontal_px"] == 80
    assert found["intercept_spacing_vertical_px"] is None
    assert found["intercept_spacing_um"] == pytest.approx(0.2 * found["intercept_spacing_px"])
    assert found["reason"] == "the map has no widmanstatten"


@few
@given(maps_of_a_task(), st.floats(1e-4, 1e3))
def test_micrometres_are_pixels_times_their_size(drawn, um):
    """Check each column in um against its neighbour in px, and that no size leaves none."""
    task, labels = drawn
    found, unscaled = row(labels, task, um), row(labels, task)
    for column in columns.columns(task):
        name = column.name
        powers = {"um": 1, "1/um": -1, "1/um^2": -2, "1/um^3": -3}
        if column.unit not in powers or name == "pixel_size_um":
            continue
        px = found[name.replace("_um", "_px")]
        expected = None if px is None else px * um ** powers[column.unit]
        assert found[name] == (expected if expected is None else pytest.approx(expected))
        assert unscaled[name] is None
        if not name.startswith("zone_"):  # the size of holes that are filled is in um
            assert unscaled[name.replace("_um", "_px")] == px


@few
@given(maps(2))
def test_a_quarter_turn_leaves_sizes_equal(labels):
    """Check all values of particles but their intervals, which draw blocks in another order."""
    before, after = row(labels), row(np.rot90(labels))
    for column in columns.columns("particles"):
        if not column.name.endswith(("_low", "_high", "rows_px", "columns_px", "reason")):
            value = before[column.name]
            is_number = isinstance(value, float)
            assert after[column.name] == (pytest.approx(value) if is_number else value)


@few
@given(maps(4))
def test_a_quarter_turn_leaves_fractions_and_spacing_equal(labels):
    """Check fractions and intercepts, whose two directions change places."""
    before, after = row(labels, "uhcs"), row(np.rot90(labels), "uhcs")
    for name in ("fraction_network", "fraction_widmanstatten", "intercept_n", "zone_n_edges"):
        assert after[name] == pytest.approx(before[name])
    assert after["authors_zone_width_n"] == before["authors_zone_width_n"]
    for name in ("authors_zone_width_mean_px", "intercept_spacing_px"):
        value = before[name]
        assert after[name] == (value if value is None else pytest.approx(value))
    for one, other in (("horizontal", "vertical"), ("vertical", "horizontal")):
        turned = after[f"intercept_spacing_{one}_px"]
        assert turned == before[f"intercept_spacing_{other}_px"]


@few
@given(maps_of_a_task())
def test_rows_are_as_their_columns_say(drawn):
    """Check names, order, kinds, units in names, and that JSON can hold every row."""
    task, labels = drawn
    found, names = row(labels, task, 0.5), columns.columns(task)
    assert list(found) == [column.name for column in names]
    for column in names:
        value = found[column.name]
        assert value is None or isinstance(value, column.kind)
        assert ("_px" in column.name or "_um" in column.name) == bool(column.unit)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize(
    ("labels", "n", "at_border"),
    [(np.zeros((30, 40)), 0, 0), (np.ones((30, 40)), 1, 1), ([[0]], 0, 0), ([[1]], 1, 1)],
)
def test_maps_without_a_whole_particle(labels, n, at_border):
    """Check empty, all-particle and one-pixel maps: counts, and a reason instead of sizes."""
    found = row(np.asarray(labels, np.uint8), um=0.1)
    assert (found["n_particles"], found["n_at_border"], found["diameter_n"]) == (n, at_border, 0)
    assert found["number_density_per_um2"] == 0.0
    assert found["diameter_mean_px"] is found["lognormal_sigma"] is None
    assert particles.NO_WHOLE_PARTICLE in found["reason"]


def test_map_without_network():
    """Check a map like uhcs0596: fractions stand, widths have a reason."""
    found = row(np.full((484, 645), SPHEROIDITE), "microconstituents", 0.03876)
    assert found["fraction_spheroidite"] == 1.0
    assert found["zone_width_n"] == found["authors_zone_width_n"] == 0
    assert found["zone_width_mean_um"] is found["intercept_spacing_um"] is None
    for reason in (
        "denuded zone: the map has no network",
        "denuded zone (authors): the map has no network",
        "intercepts: no test line enters or leaves network",
    ):
        assert reason in found["reason"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full((3, 3), 2), "the labels 2 to 2, but they must lie between 0 and 1"),
        (np.full((3, 3), -1), "the labels -1 to -1"),
        (np.zeros((3, 3)), "must hold integers, but it holds float64"),
        (np.zeros((3, 3, 1), int), "two dimensions"),
        (np.zeros((0, 3), int), "no pixels"),
    ],
)
def test_what_is_no_label_map_is_refused(labels, message):
    """Check each kind."""
    with pytest.raises(ValueError, match=message):
        row(labels)


def test_unknown_task_is_refused():
    """Check the message."""
    with pytest.raises(UsageError, match="tasks are particles"):
        row([[0]], "steel")


@pytest.mark.usefixtures("real_data")
def test_reference_widths_of_annotations():
    """Check the authors' own numbers, which stand in the row unchanged."""
    expected = {
        "uhcs0006": (5746, 17.2520),
        "uhcs0333": (2939, 48.5903),
        "uhcs0357": (9464, 20.3644),
        "uhcs1150": (5843, 38.3705),
        "uhcs1648": (3084, 13.1230),
    }
    for micrograph in uhcs_bench.load("microconstituents"):
        if micrograph.id in expected:
            found = row(micrograph.labels, "microconstituents")
            n, mean = expected[micrograph.id]
            assert found["authors_zone_width_n"] == n
            assert found["authors_zone_width_mean_px"] == pytest.approx(mean, abs=1e-3)


@pytest.mark.usefixtures("real_data")
def test_a_quarter_turn_of_annotations_leaves_widths_equal():
    """Check the authors' widths exactly, and unobstructed ones, whose ties change, to 0.3 %."""
    for micrograph in uhcs_bench.load("microconstituents")[:6]:
        before = row(micrograph.labels, "microconstituents")
        after = row(np.rot90(micrograph.labels), "microconstituents")
        authors, own = "authors_zone_width_mean_px", "zone_width_mean_px"
        assert after[authors] == pytest.approx(before[authors], rel=1e-12)
        assert after[own] == pytest.approx(before[own], rel=3e-3)


def test_rows_of_particles():
    """Check numbers, units and undefined values of the table with a row for each particle."""
    mask = np.zeros((30, 40), np.uint8)
    mask[3:5, 4:8] = mask[20:22, 38:] = 1
    table = particles.measure_particles(mask, 0.5).table
    found = list(measurement.particle_rows(table, "a.png", "a"))
    assert [list(r) for r in found] == [[c.name for c in measurement.PARTICLE_COLUMNS]] * 2
    ignored = dict.fromkeys(
        [
            name
            for name in found[0]
            if name.startswith(("major", "minor", "edge", "perim", "feret"))
        ],
        0,
    )
    assert found[0] | ignored | {"circularity": 0} == {
        "file": "a.png",
        "id": "a",
        "particle": 1,
        "row": 3.5,
        "column": 5.5,
        "area_px": 8,
        "area_um2": 2.0,
        "diameter_px": pytest.approx(2 * math.sqrt(8 / math.pi)),
        "diameter_um": pytest.approx(math.sqrt(8 / math.pi)),
        "major_axis_px": 0,
        "minor_axis_px": 0,
        "aspect_ratio": pytest.approx(2.0),
        "perimeter_px": 0,
        "perimeter_um": 0,
        "circularity": 0,
        "feret_px": 0,
        "feret_um": 0,
        "at_border": False,
        "edge_weight": 0,
    }
    assert found[1]["at_border"] is True
    units = {c.name: c.unit for c in measurement.PARTICLE_COLUMNS}
    assert (units["area_px"], units["area_um2"], units["row"]) == ("px^2", "um^2", "px")
    assert (units["aspect_ratio"], units["at_border"]) == ("", "")


def test_particles_below_the_smallest_diameter_are_matrix():
    """Check that no measure counts them, and what the row says of them, in both units."""
    labels = np.zeros((50, 40), np.uint8)
    labels[10:12, 20:22] = labels[30:34, 20:24] = labels[48:, 2:5] = 1
    without_small = labels.copy()
    without_small[10:12, 20:22] = 0
    scale = Scale(0.5, "given by the user")
    expected = measurement.measure(without_small, "particles", scale).row
    for smallest in ("2.5px", "1.25um"):
        found = measurement.measure(labels, "particles", scale, min_diameter=smallest).row
        assert (found["left_out_n"], found["left_out_fraction"]) == (1, 4 / 2000)
        assert found["min_diameter_um"] == pytest.approx(1.25)
        differing = {name for name in found if found[name] != expected[name]}
        own = {"min_diameter_px", "min_diameter_um", "left_out_n", "left_out_fraction"}
        assert differing == own


def test_smallest_diameter_of_a_map_without_particles_is_refused():
    """Check the message."""
    with pytest.raises(UsageError, match="which maps of microconstituents have not"):
        measurement.measure(np.zeros((3, 3), int), "uhcs", NO_SIZE, min_diameter="5px")
