"""Scores and measures of changed micrographs: numbers, the table, and what is refused."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from click.testing import CliRunner

import uhcs_bench
from baselines.__main__ import main
from baselines.studies import conditions, robustness
from baselines.studies.conditions import Condition
from uhcs_bench.errors import UhcsBenchError, UsageError
from uhcs_bench.segmentation import otsu


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


@pytest.mark.parametrize("factor", [1, 2])
def test_zone_width_is_in_pixels_of_the_unchanged_micrograph(factor):
    """Check a zone of 10 px with a small hole in its network, drawn at two magnifications."""
    labels = np.full((60, 80), 2, np.uint8)
    labels[:, 20:30], labels[:, 10:20] = 0, 1
    labels[28:38, 14:16] = 2  # less than 128 px: network
    large = labels.repeat(factor, 0).repeat(factor, 1)
    found = robustness.measure(large, "microconstituents", float(factor))
    assert found["zone width"] == pytest.approx(10)
    assert found["network fraction"] == pytest.approx((labels == 1).mean())
    nowhere = robustness.measure(np.zeros((9, 9), np.uint8), "microconstituents", 1.0)
    assert math.isnan(nowhere["zone width"])


def test_a_perfect_model_has_no_errors():
    """Check scores and errors of the annotation itself, and of a map without particles."""
    chosen = [Condition("unchanged", 1.0), Condition("blur", 1.0), Condition("magnification", 2.0)]

    def annotated(micrograph, image):
        factor = image.shape[0] // micrograph.labels.shape[0]
        return micrograph.labels.repeat(factor, 0).repeat(factor, 1)

    rows = list(robustness.evaluate("particles", annotated, chosen, "synthetic"))
    assert [row["n"] for row in rows] == [24, 24, 24]
    assert [row["IU"] for row in rows[:2]] == [100, 100]
    assert rows[2]["IU"] > 99
    assert rows[1]["count error"] == rows[1]["area fraction error"] == 0
    assert rows[2]["mean diameter error"] == pytest.approx(0, abs=1e-9)
    (empty,) = robustness.evaluate(
        "particles", lambda _, image: np.zeros_like(image), chosen[:1], "synthetic"
    )
    assert empty["count error"] == -100
    assert math.isnan(empty["mean diameter error"])
    assert (empty["count n"], empty["mean diameter n"]) == (24, 0)
    shares = [m.labels.mean() for m in uhcs_bench.load("particles", version="synthetic")]
    assert empty["area fraction error"] == pytest.approx(-100 * np.mean(shares))


@pytest.mark.parametrize("task", ["particles", "microconstituents"])
def test_scores_are_those_of_the_command_score(task):
    """Check mean and standard error of Otsu's maps against the paper's convention."""
    micrographs = uhcs_bench.load(task, version="synthetic")
    maps = {m.id: otsu.segment(m.image, task) for m in micrographs}
    expected = uhcs_bench.score(maps, task=task, version="synthetic")[task].conventions["paper"].IU
    (row,) = robustness.evaluate(
        task, lambda m, _: maps[m.id], [Condition("unchanged", 1.0)], "synthetic"
    )
    assert row["IU"] == pytest.approx(100 * expected.mean)
    assert row["IU SE"] == pytest.approx(100 * expected.se)


def test_noise_of_a_condition_does_not_depend_on_the_others():
    """Check that a condition gives the same row alone and after another one."""
    noise, blur = Condition("noise", 0.5), Condition("blur", 2.0)

    def threshold(_, image):
        return (image > 150).astype(np.uint8)

    (alone,) = robustness.evaluate("particles", threshold, [noise], "synthetic")
    assert list(robustness.evaluate("particles", threshold, [blur, noise], "synthetic"))[1] == alone


def rows_of(chosen, error=math.nan):
    """Write rows of some conditions by hand."""
    return [
        {"kind": c.kind, "severity": c.severity, "n": 24, "IU": 80.0, "IU SE": 1.0,
         "count error": c.severity if n else error, "count error SE": 1.0, "count n": 24 - n}
        for n, c in enumerate(chosen)
    ]  # fmt: skip


def test_table_and_picture(tmp_path):
    """Check that a table is read as it was written, its text, and that it can be drawn."""
    path = tmp_path / "table.csv"
    chosen = conditions.conditions()
    robustness.extend_table(path, "ab", "synthetic", chosen, rows_of)
    again = robustness.read_table(path)
    assert [(row["kind"], row["severity"]) for row in again] == [
        (c.kind, c.severity) for c in chosen
    ]
    assert math.isnan(again[0]["count error"])
    lines = robustness.to_text(again, "simple").splitlines()
    assert lines[0].split() == ["change", "severity", "IU", "count,", "%"]
    assert lines[2].split() == ["unchanged", "80.0", "±", "1.0"]
    assert lines[3].split() == ["noise", "8", "80.0", "±", "1.0", "+8.0", "(n", "=", "23)"]
    assert [line.split()[1] for line in lines[3:8]] == ["8", "4", "2", "1", "0.5"]
    for shown in (again, again[:4]):
        robustness.draw(shown, "particles").savefig(tmp_path / "picture.png")
        assert (tmp_path / "picture.png").stat().st_size > 1000


def test_interrupted_study_goes_on(tmp_path):
    """Check that finished conditions are kept, and are not computed again."""
    path, chosen = tmp_path / "table.csv", conditions.conditions()[:4]

    def interrupted(missing):
        yield from rows_of(missing, 1.0)[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        robustness.extend_table(path, "ab", "1.0", chosen, interrupted)
    asked = []

    def rest(missing):
        asked.extend(missing)
        return rows_of(missing, 1.0)

    rows = robustness.extend_table(path, "ab", "1.0", chosen, rest)
    assert asked == chosen[2:]
    assert [row["severity"] for row in rows] == [c.severity for c in chosen]


@pytest.mark.parametrize(("models_id", "version"), [("cd", "1.0"), ("ab", "synthetic")])
def test_results_of_others_are_not_mixed(tmp_path, models_id, version):
    """Check that a table of other models or micrographs is refused and stays."""
    path, chosen = tmp_path / "table.csv", conditions.conditions()[:2]
    robustness.extend_table(path, "ab", "1.0", chosen[:1], rows_of)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"other models or of another data set[^!]*other --out"):
        robustness.extend_table(path, models_id, version, chosen, rows_of)
    assert path.read_bytes() == before


def test_foreign_table_is_refused(tmp_path):
    """Check that a file of something else is neither read nor replaced."""
    path = tmp_path / "table.csv"
    path.write_text("a,b\nred,blue\n", encoding="utf-8")
    with pytest.raises(UhcsBenchError, match="is no table of the command robustness"):
        robustness.extend_table(path, "ab", "1.0", conditions.conditions(), rows_of)
    assert path.read_text(encoding="utf-8").startswith("a,b")


@pytest.mark.parametrize(
    "text",
    [
        "kind,severity,models,data set\nblur,1,ab,1.0\n",
        "kind,severity,n,IU,IU SE,models,data set\nfog,1,24,80,1,ab,1.0\n",
        "kind,severity,n,IU,IU SE,count error,models,data set\nblur,1,24,80,1,2,ab,1.0\n",
    ],
)
def test_a_table_of_other_columns_or_kinds_is_refused(tmp_path, text):
    """Check tables that could be read, but not laid out or drawn."""
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(UhcsBenchError, match="is no table of the command robustness"):
        robustness.read_table(path)


def test_models_are_known_by_their_bytes(tmp_path):
    """Check the hash against hashlib, and that a missing file is named."""
    files = [tmp_path / "0.pt", tmp_path / "1.pt"]
    for file in files:
        file.write_bytes(file.name.encode())
    assert robustness.identity(files) == hashlib.sha256(b"0.pt1.pt").hexdigest()
    assert len(robustness.identity(["particles"])) == 64
    with pytest.raises(UhcsBenchError, match=r"2\.pt can't be read"):
        robustness.identity([tmp_path / "2.pt"])


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
    """Check the four sentences."""
    assert robustness.caveat(["particles"]).startswith("In sample")
    assert "not trained on" in robustness.caveat([])
    assert "not known" in robustness.caveat(["mine.onnx"])
    assert "no real steel" in robustness.caveat(["particles"], "synthetic")


def test_command(tmp_path, monkeypatch):
    """Check table and files, that finished conditions are kept, and that sources aren't mixed."""
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(
        robustness, "with_models", lambda *_: lambda _micrograph, image: (image > 150).astype("u1")
    )
    arguments = ["robustness", "--task", "spheroidite", "--dataset-version", "synthetic",
                 "--out", str(tmp_path), "--condition", "blur=2"]  # fmt: skip
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert [line.split()[1] for line in result.stdout.splitlines()[2:]] == ["unchanged", "blur"]
    assert "no real steel" in result.stderr
    monkeypatch.setattr(robustness, "_evaluate_one", lambda *_: (0.0, {"count": 0.0}))
    again = CliRunner().invoke(main, [*arguments, "--condition", "blur=2"])
    assert again.stdout == result.stdout
    assert len(robustness.read_table(tmp_path / "particles.csv")) == 2
    assert (tmp_path / "particles.png").is_file()
    result = CliRunner().invoke(main, [*arguments, "--runs", "runs", "--model", "particles"])
    assert result.exit_code == 2
    assert "can't be combined" in result.stderr
