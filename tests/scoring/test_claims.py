"""Checking claimed scores: how they are read, and which ways of scoring they fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import uhcs_bench
from uhcs_bench.cli import main
from uhcs_bench.errors import SubmissionError, UsageError
from uhcs_bench.metrics.table import CLASS_SCORES, OVERALL_SCORES, SCORES
from uhcs_bench.scoring import claims


@pytest.mark.parametrize(
    ("text", "metric", "class_name", "value", "half_unit"),
    [
        ("IU=0.724", "IU", None, 0.724, 0.0005),
        ("IU=72.4", "IU", None, 0.724, 0.0005),
        ("mIoU = 72 %", "IU", None, 0.72, 0.005),
        ("acc=.91", "AC", None, 0.91, 0.005),
        ("iu particle=54.80", "IU", "particle", 0.548, 0.00005),
        ("KS=0.042", "KS", None, 0.042, 0.0005),
        ("IU=1.0", "IU", None, 1.0, 0.05),
        ("IU=1%", "IU", None, 0.01, 0.005),
        ("IU=8.24e-1", "IU", None, 0.824, 0.0005),
        ("IU=8.2E1", "IU", None, 0.82, 0.005),
        ("IU=0.5%", "IU", None, 0.005, 0.0005),
    ],
)
def test_claims_are_read(text, metric, class_name, value, half_unit):
    """Check metric, class, value and rounding."""
    found = claims.parse(text)
    assert (found.metric, found.class_name, found.text) == (metric, class_name, text)
    assert (found.value, found.half_unit) == pytest.approx((value, half_unit))


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("IU", ["it states no value"]),
        ("IU=", ["it states no value"]),
        ("IU=high", ["'high' is no number"]),
        ("IU=8_2.4", ["'8_2.4' is no number"]),
        ("IU=\u0668\u0662", ["is no number"]),
        ("F1=0.5", ["no metric 'F1'"]),
        ("IU steel=0.5", ["no class 'steel'"]),
        ("IU=-1", ["which -1 does not"]),
        ("IU=nan", ["'nan' is no number"]),
        ("IU=inf", ["'inf' is no number"]),
        ("IU=1e999", ["which 1e999 does not"]),
        ("IU=200", ["which 200 does not"]),
        ("recall particle=900", ["which 900 does not"]),
        ("IU=101%", ["which 101 does not"]),
        ("F1 steel=900", ["no metric 'F1'", "no class 'steel'", "which 900 does not"]),
    ],
)
def test_other_claims_are_named_with_the_reason(text, reasons):
    """Check that the error states everything that is wrong, and nothing that is right."""
    with pytest.raises(UsageError) as caught:
        claims.parse(text)
    stated = str(caught.value).partition(" can't be checked: ")[2].partition(". Give ")[0]
    found = stated.split(", and ")
    assert len(found) == len(reasons)
    assert all(reason in said for reason, said in zip(reasons, found, strict=True))


@pytest.mark.parametrize("text", ["IU=1", "AC=0", "KS=0", "IU=1e0"])
def test_claims_that_fit_nearly_everything_are_refused(text):
    """Check fractions without decimals."""
    with pytest.raises(UsageError, match="states no decimals"):
        claims.parse(text)


@given(st.floats(0.0, 0.9999), st.integers(1, 4))
def test_a_rounded_score_fits_itself(score, digits):
    """Check that a claim which is a rounded score fits it, and misses one a unit away."""
    claim = claims.parse(f"IU={score:.{digits}f}")
    assert claim.fits(score)
    assert not claim.fits(score + 1.1 * 10.0**-digits)


@pytest.fixture(scope="module")
def maps():
    """The synthetic annotations, some of them moved."""
    truth = uhcs_bench.load("particles", version="synthetic")
    return {m.id: np.roll(m.labels, m.fold, axis=1) for m in truth}


def test_convention_is_found(maps):
    """Check that a pooled score is recognised as one."""
    report = uhcs_bench.score(maps, version="synthetic")["particles"]
    pooled = report.conventions["pooled"].classes["particle"].IU.mean
    found = claims.check(maps, f"IU particle={pooled:.5f}")
    (reading,) = found.claims[0].fitting
    assert (reading.version, reading.mean, reading.n) == ("synthetic", "pooled", 24)
    assert found.confirmed


def test_every_score_can_be_claimed(maps):
    """Check that each score of the table, over all classes or of one, is read and found."""
    pooled = uhcs_bench.score(maps, version="synthetic")["particles"].conventions["pooled"]
    values = {score.name: getattr(pooled, score.name).mean for score in OVERALL_SCORES}
    for score in CLASS_SCORES:
        values[f"{score.name} particle"] = getattr(pooled.classes["particle"], score.name).mean
    assert {name.partition(" ")[0] for name in values} == {score.name for score in SCORES}
    found = claims.check(maps, *(f"{name}={value:.6f}" for name, value in values.items()))
    for name, claim in zip(values, found.claims, strict=True):
        assert "pooled" in {reading.mean for reading in claim.fitting}, name


def test_metrics_are_listed_in_the_error():
    """Check that a claim on another metric is answered with all that there are."""
    with pytest.raises(UsageError) as caught:
        claims.parse("F1=0.5")
    listed = str(caught.value).partition("the metrics are ")[2].partition(", the classes")[0]
    assert listed.split(", ") == [*(score.name for score in SCORES), "KS"]


def test_what_fits_nothing(maps):
    """Check that the nearest readings are shown."""
    found = claims.check(maps, "AC=0.1234")
    assert not found.confirmed
    assert "fits no reading within rounding; the nearest are" in found.to_text()
    scores = [abs(reading.score - 0.1234) for reading in found.claims[0].readings]
    assert scores == sorted(scores)


def test_no_claim_and_no_maps(maps):
    """Check both errors."""
    with pytest.raises(UsageError, match="no claim"):
        claims.check(maps)
    with pytest.raises(SubmissionError):
        claims.check({"nothing": next(iter(maps.values()))}, "IU=0.5")


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_command(tmp_path):
    """Check output and exit codes on real annotations without a particle."""
    nothing = {m.id: 0 * m.labels for m in uhcs_bench.load("particles")}
    uhcs_bench.save_predictions(nothing, tmp_path)
    accuracy = np.mean([(m.labels == 0).mean() for m in uhcs_bench.load("particles")])
    claim = f"AC={100 * accuracy:.1f}"
    result = CliRunner().invoke(main, ["check", str(tmp_path), "--claim", claim])
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["particles", "1.0", "paper", "paper", "24", f"{100 * accuracy:.2f}"] in lines
    assert "fits" in result.stdout.splitlines()[0]
    assert max(map(len, result.stdout.splitlines())) <= 80
    options = ["--claim", claim, "--claim", "IU=99", "--format", "json"]
    result = CliRunner().invoke(main, ["check", str(tmp_path), *options])
    assert result.exit_code == 4
    assert json.loads(result.stdout)["schema"] == claims.SCHEMA


@pytest.mark.parametrize("options", [("--fold", "2"), ("--format", "csv"), ("--split", "clean")])
def test_protocol_fixes_what_is_scored(tmp_path, options):
    """Check that contradictory options of score are refused."""
    result = CliRunner().invoke(
        main, ["score", str(tmp_path), "--protocol", "matsam2024", *options]
    )
    assert result.exit_code == 2
    assert "can't be combined with --protocol" in result.stderr
