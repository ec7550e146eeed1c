"""Micrographs that are noisy, blurred, flat or resampled."""

from __future__ import annotations

import math

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import ndimage

import uhcs_bench
from baselines.__main__ import main
from baselines.studies import robustness
from baselines.studies.robustness import Condition
from uhcs_bench.errors import UsageError


@pytest.fixture
def micrograph():
    """Give a small part of a synthetic micrograph."""
    found = uhcs_bench.load("particles", version="synthetic")[0]
    return found.image[:120, :160], found.labels[:120, :160]


def changed(condition, micrograph):
    """Give image and labels under a condition."""
    return condition.apply(*micrograph, np.random.default_rng(0))


def test_unchanged_is_unchanged(micrograph):
    """Check that the first condition gives what it gets."""
    image, labels = changed(Condition("unchanged", 1.0), micrograph)
    np.testing.assert_array_equal(image, micrograph[0])
    np.testing.assert_array_equal(labels, micrograph[1])


@pytest.mark.parametrize("electrons", [8.0, 1.0])
def test_noise_has_the_variance_of_shot_noise(electrons):
    """Check the variance against the law, away from the ends of the gray scale."""
    flat = np.full((300, 300), 120, np.uint8)
    image, _ = changed(Condition("noise", electrons), (flat, flat))
    assert image.mean() == pytest.approx(120, abs=0.2)
    assert image.std() == pytest.approx(math.sqrt(120 / electrons + 4), rel=0.02)


def test_blur_and_contrast(micrograph):
    """Check both against SciPy and NumPy."""
    image, labels = changed(Condition("blur", 1.5), micrograph)
    expected = ndimage.gaussian_filter(micrograph[0].astype(float), 1.5)
    assert np.abs(image - expected).max() <= 0.5
    assert labels is micrograph[1]
    flat, _ = changed(Condition("contrast", 0.2), micrograph)
    assert flat.mean() == pytest.approx(micrograph[0].mean(), abs=0.5)
    assert flat.std() == pytest.approx(0.2 * micrograph[0].std(), rel=0.02)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_magnification_keeps_area_fractions(micrograph, factor):
    """Check shapes, and that annotation and image are resampled at the same places."""
    image, labels = changed(Condition("magnification", factor), micrograph)
    assert image.shape == labels.shape == (120 * factor, 160 * factor)
    assert set(np.unique(labels)) == {0, 1}
    assert labels.mean() == pytest.approx(micrograph[1].mean(), abs=0.01)
    before = [micrograph[0][micrograph[1] == k].mean() for k in (0, 1)]
    after = [image[labels == k].mean() for k in (0, 1)]
    assert after == pytest.approx(before, rel=0.05)


def test_measures_are_in_pixels_of_the_unchanged_micrograph():
    """Check a disc by hand, a speck that is left out, and the same twice as large."""
    rows, columns = np.mgrid[:60, :60]
    labels = ((rows - 30) ** 2 + (columns - 30) ** 2 < 100).astype(np.uint8)
    labels[0, 0] = 1
    found = robustness.measure(labels, "particles", 1.0)
    assert found["count"] == 1
    assert found["mean diameter"] == pytest.approx(20, rel=0.02)
    large = robustness.measure(labels.repeat(2, 0).repeat(2, 1), "particles", 2.0)
    assert large == pytest.approx(found)
    nothing = robustness.measure(np.zeros((9, 9), np.uint8), "particles", 1.0)
    assert nothing["count"] == 0
    assert math.isnan(nothing["mean diameter"])


def test_a_perfect_model_has_no_errors():
    """Check scores and errors of the annotation itself, and of half of its particles."""
    chosen = [Condition("unchanged", 1.0), Condition("blur", 1.0), Condition("magnification", 2.0)]

    def annotated(micrograph, image):
        factor = image.shape[0] // micrograph.labels.shape[0]
        return micrograph.labels.repeat(factor, 0).repeat(factor, 1)

    rows = robustness.evaluate("particles", annotated, "synthetic", chosen=chosen)
    assert [row["n"] for row in rows] == [24, 24, 24]
    assert [row["IU"] for row in rows[:2]] == [100, 100]
    assert rows[2]["IU"] > 99
    assert rows[1]["count error"] == rows[1]["area fraction error"] == 0
    assert rows[2]["mean diameter error"] == pytest.approx(0, abs=1e-9)
    empty = robustness.evaluate(
        "particles", lambda _, image: np.zeros_like(image), "synthetic", chosen=chosen[:1]
    )
    assert empty[0]["count error"] == -100
    assert math.isnan(empty[0]["mean diameter error"])
    shares = [m.labels.mean() for m in uhcs_bench.load("particles", version="synthetic")]
    assert empty[0]["area fraction error"] == pytest.approx(-100 * np.mean(shares))


def test_table_and_picture(tmp_path):
    """Check that a table is read as it was written, and that it can be drawn."""
    rows = [
        {"kind": c.kind, "severity": c.severity, "n": 24, "IU": 80.0, "IU SE": 1.0,
         "IU change": 0.0, "count error": c.severity if n else math.nan, "count error SE": 1.0}
        for n, c in enumerate(robustness.conditions())
    ]  # fmt: skip
    robustness.write_table(rows, tmp_path / "table.csv")
    again = robustness.read_table(tmp_path / "table.csv")
    assert [(row["kind"], row["severity"]) for row in again] == [
        (row["kind"], row["severity"]) for row in rows
    ]
    assert math.isnan(again[0]["count error"])
    robustness.draw(again, "particles").savefig(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["particles"] * 2, "2 models were given. Give one, or 6"),
        (["microconstituents"], "but particles has matrix, particle"),
    ],
)
def test_wrong_models(paths, message):
    """Check the number of models and their classes."""
    pytest.importorskip("onnxruntime")
    with pytest.raises(UsageError, match=message):
        robustness.with_models(paths, "particles")


def test_what_numbers_show_is_said():
    """Check the three sentences."""
    assert robustness.caveat(["particles"]).startswith("In sample")
    assert "not trained on" in robustness.caveat([])
    assert "not known" in robustness.caveat(["mine.onnx"])


def test_command(tmp_path, monkeypatch):
    """Check the files, and that two sources of models are refused."""
    pytest.importorskip("onnxruntime")
    few = [Condition(kind, values[0]) for kind, values in robustness.SEVERITIES.items()]
    monkeypatch.setattr(robustness, "conditions", lambda: few)
    monkeypatch.setattr(
        robustness, "with_models", lambda *_: lambda _micrograph, image: (image > 150).astype("u1")
    )
    arguments = ["robustness", "--task", "spheroidite", "--dataset-version", "synthetic",
                 "--out", str(tmp_path)]  # fmt: skip
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "In sample" in result.stdout
    assert len(robustness.read_table(tmp_path / "particles.csv")) == 5
    assert (tmp_path / "particles.png").is_file()
    result = CliRunner().invoke(main, [*arguments, "--runs", "runs", "--model", "particles"])
    assert result.exit_code == 2
    assert "can't be combined" in result.stderr
