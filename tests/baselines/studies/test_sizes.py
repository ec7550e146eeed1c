"""Rules that make particle sizes right."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import ndimage, stats

import uhcs_bench
from baselines.__main__ import main
from baselines.studies import sizes
from baselines.studies.sizes import Outcome, Prediction
from uhcs_bench.data import label_maps


def discs(*circles, shape=(40, 80)):
    """Draw discs (row, column, radius)."""
    row, column = np.indices(shape)
    return np.any([(row - r) ** 2 + (column - c) ** 2 < s**2 for r, c, s in circles], axis=0)


def test_touching_discs_are_cut_apart():
    """Check the number of components by SciPy, and that no more than a line is lost."""
    mask = discs((20, 20, 9), (20, 36, 9), (20, 60, 5))
    cut = sizes.cut_apart(mask)
    assert ndimage.label(mask, np.ones((3, 3)))[1] == 2
    assert ndimage.label(cut, np.ones((3, 3)))[1] == 3
    assert not (cut & ~mask).any()
    assert 0 < (mask & ~cut).sum() < 20
    alone = discs((20, 20, 9))
    np.testing.assert_array_equal(sizes.cut_apart(alone), alone)


@pytest.mark.parametrize("smallest", [1, 2, 5])
def test_specks_are_dropped(smallest):
    """Check against a loop over SciPy's components."""
    mask = np.random.default_rng(0).random((40, 50)) < 0.2
    numbers, count = ndimage.label(mask, np.ones((3, 3)))
    kept = [k for k in range(1, count + 1) if (numbers == k).sum() >= smallest]
    np.testing.assert_array_equal(sizes.drop_specks(mask, smallest), np.isin(numbers, kept))


@pytest.mark.parametrize("radius", [0, 1, 2])
def test_opening_is_scipys(radius):
    """Check against SciPy with a disc written by hand."""
    mask = ndimage.gaussian_filter(np.random.default_rng(0).random((40, 50)), 1) > 0.5
    row, column = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = row**2 + column**2 <= radius**2
    # Beyond the edge particles go on for an erosion, but nothing is dilated from there.
    eroded = ndimage.binary_erosion(mask, disc, border_value=1)
    expected = ndimage.binary_dilation(eroded, disc)
    np.testing.assert_array_equal(sizes.open_by_disc(mask, radius), expected)


def test_errors_of_count_and_diameter():
    """Check against squares of known sides, with a speck that does not count."""
    annotated, predicted = np.zeros((2, 40, 60), bool)
    annotated[2:6, 2:6] = annotated[20:28, 20:28] = annotated[2:10, 40:48] = True
    annotated[20:24, 50:54] = True
    predicted[20:28, 20:28] = predicted[35, 35] = True
    found = sizes.compare(annotated, predicted)
    assert found.count_error == pytest.approx(-75)
    assert found.diameter_error == pytest.approx(100 * (8 / 6 - 1))
    empty = sizes.compare(annotated, np.zeros_like(annotated))
    assert empty.count_error == -100
    assert np.isnan(empty.diameter_error)
    assert np.isnan(sizes.compare(np.zeros_like(annotated), annotated).count_error)


def outcome(consistent, distance):
    """Write an outcome."""
    return Outcome(consistent, distance, IU=90.0, count_error=0.0, diameter_error=0.0)


def test_outcome_is_scipys():
    """Check the distance against SciPy, and the IU by hand."""
    annotated = np.random.default_rng(1).random((60, 60)) < 0.1
    predicted = np.random.default_rng(2).random((60, 60)) < 0.3
    found = sizes.compare(annotated, predicted)
    areas = []
    for mask in (annotated, predicted):
        numbers, _ = ndimage.label(mask, np.ones((3, 3)))
        areas.append(np.bincount(numbers.ravel())[1:])
    assert found.distance == pytest.approx(stats.ks_2samp(*areas).statistic)
    assert found.IU == pytest.approx(
        100 * (annotated & predicted).sum() / (annotated | predicted).sum()
    )
    assert not found.consistent
    assert sizes.compare(annotated, np.zeros_like(annotated)).distance == 1


def test_a_parameter_is_chosen_without_its_fold():
    """Check by hand: 1 is best in fold 0 alone, so that fold 0 must not get it."""
    good, bad = outcome(True, 0.1), outcome(False, 0.5)
    outcomes = {1.0: [good, bad, bad], 2.0: [bad, good, good]}
    chosen, found = sizes.cross_fit([0, 1, 2], outcomes)
    assert chosen[0] == 2.0
    assert found[0] is bad


def test_the_distance_decides():
    """Check that the smaller mean distance counts, not the number of consistent micrographs."""
    near, far = outcome(False, 0.1), outcome(True, 0.5)
    chosen, found = sizes.cross_fit([0, 1], {1.0: [far, far], 2.0: [near, near]})
    assert chosen == [2.0, 2.0]
    assert found == [near, near]


def test_thresholds_need_probabilities():
    """Check which rules are tried with a map alone, and that a threshold is applied."""
    truth = {m.id: m.labels == 1 for m in uhcs_bench.load("particles", version="synthetic")}
    rows = sizes.study("mine", lambda m: Prediction(truth[m.id]), "synthetic")
    assert [row.family for row in rows] == [
        "as it is", "specks dropped", "opened", "cut apart", "cut apart, specks dropped"
    ]  # fmt: skip
    assert all(outcome.consistent for outcome in rows[0].outcomes)
    assert rows[0].chosen == ()
    assert len(rows[1].chosen) == 6
    family = next(family for family in sizes.FAMILIES if family.name == "threshold")
    found = family.apply(Prediction(np.zeros((1, 3), bool), np.array([[0.2, 0.6, 0.9]])), 0.6)
    assert found.tolist() == [[False, True, True]]


def test_command(tmp_path):
    """Check the table of a method that is right, and what is said without maps and runs."""
    for m in uhcs_bench.load("particles", version="synthetic"):
        path = tmp_path / "right" / "particles" / f"{m.id}.png"
        label_maps.write_label_map(path, m.labels)
    arguments = ["sizes", "--maps", str(tmp_path), "--dataset-version", "synthetic"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    line = next(line for line in result.stdout.splitlines() if "as it is" in line)
    assert line.split()[-5:] == ["100.0", "+0.0", "(0.0)", "+0.0", "(0.0)"]
    assert "24 of 24  0.000" in line
    assert CliRunner().invoke(main, arguments[:1]).exit_code == 2
    other = tmp_path / "other" / "particles" / f"{m.id}.png"
    label_maps.write_label_map(other, m.labels)
    (tmp_path / "other" / "entry.yaml").write_text("split: clean\n")
    again = CliRunner().invoke(main, arguments)
    assert (again.exit_code, again.stdout) == (0, result.stdout)
    assert "other is left out: it is of the split clean." in again.stderr
    (tmp_path / "other" / "entry.yaml").unlink()
    incomplete = CliRunner().invoke(main, arguments)
    assert (incomplete.exit_code, incomplete.stdout) == (2, "")
    assert f"{tmp_path / 'other' / 'particles'} was not scored" in incomplete.stderr
    result = CliRunner().invoke(main, ["sizes", "--maps", str(tmp_path / "wrong")])
    assert result.exit_code == 2
    assert "has no label maps" in result.stderr
