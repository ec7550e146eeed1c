"""Scores as text: the numbers in it, its width, and what it says of synthetic data."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest

import uhcs_bench
from tests.helpers.widths import WIDTH
from uhcs_bench.metrics.table import CLASS_SCORES
from uhcs_bench.scoring import coverage, tidy
from uhcs_bench.scoring import text as tables
from uhcs_bench.segmentation import otsu


@pytest.fixture(scope="module")
def report():
    """Scores of a constant prediction for both synthetic tasks."""
    maps = {
        m.id: 0 * m.labels
        for task in ("particles", "uhcs")
        for m in uhcs_bench.load(task, version="synthetic")
    }
    return uhcs_bench.score(maps, version="synthetic")


def test_table_fits_a_terminal(report):
    """Check the width, which is 80 columns but for metrics with longer names."""
    assert max(map(len, tables.to_text(report).splitlines())) <= WIDTH


@pytest.mark.parametrize("form", ["table", "markdown", "latex"])
def test_tables_say_which_data(report, form):
    """Check that the title of each task names the split and the data id, within the width."""
    lines = [line.removeprefix("% ") for line in tables.to_text(report, form).splitlines()]
    for task in report.tasks:
        title = lines.index(f"split paper, data id {task.data_id}") - 1
        assert lines[title].startswith(f"{task.task}: SYNTHETIC set")
    longest = replace(
        report,
        dataset_version="audited",
        split="grouped",
        tasks=[
            replace(task, data_id=f"{task.task}-audited-grouped-{0:08}") for task in report.tasks
        ],
    )
    if form == "table":
        assert max(map(len, tables.to_text(longest).splitlines())) <= WIDTH


def test_csv_says_which_data(report):
    """Check that each row names version, split and data id."""
    rows = list(csv.DictReader(io.StringIO(tidy.to_csv(report))))
    found = {(r["dataset_version"], r["split"], r["task"], r["data_id"]) for r in rows}
    assert found == {("synthetic", "paper", t.task, t.data_id) for t in report.tasks}


@pytest.mark.slow
def test_extended_tables(report):
    """Check that the further measures come with the option alone, within the same width."""
    maps = {
        m.id: otsu.segment(m.image, "particles")
        for m in uhcs_bench.load("particles", fold=1, version="synthetic").val
    }
    extended = uhcs_bench.score(
        maps, fold=1, version="synthetic", extended=True, ks_sensitivity=True
    )
    text = tables.to_text(extended)
    assert max(map(len, text.splitlines())) <= WIDTH
    measured = extended["particles"].measures
    row = next(line for line in text.splitlines() if line.startswith("panoptic quality"))
    assert f"{100 * measured['instances']['panoptic_quality'].mean:.3g}" in row
    row = next(line for line in text.splitlines() if line.startswith("count error"))
    assert f" {measured['sizes']['count_error'].mean:.0f} " in row
    row = next(line for line in text.splitlines() if line.startswith("8 neighbours, whole, with "))
    assert row.split()[-5:] == [
        str(cell["n_consistent"]) for cell in measured["ks_sensitivity"][:5]
    ]
    assert "panoptic quality" not in tables.to_text(report)
    latex = tables.to_text(extended, "latex")
    assert not [line for line in latex.splitlines() if re.search(r"&.*(?<!\\)%", line)]


def test_table_has_the_papers_rows(report):
    """Check that rows hold mean and standard error, the overall row the accuracy where due."""
    text = tables.to_text(report)
    score = report["particles"].conventions["paper"]
    matrix = score.classes["matrix"].IU
    cell = f"{100 * matrix.mean:.1f} ± {100 * matrix.se:.1f}"
    (row,) = [line for line in text.splitlines() if line.startswith("matrix") and cell in line]
    assert "100.0 ± 0.0" in row
    accuracy = f"{100 * score.AC.mean:.1f} ± {100 * score.AC.se:.1f}"
    overall = [line for line in text.splitlines() if line.startswith("overall")]
    heading = next(line for line in text.splitlines() if line.startswith("%, mean and SE"))
    cells = dict(zip(*(re.split(r" {2,}", line) for line in (heading, overall[0])), strict=True))
    by_accuracy = {s.name for s in CLASS_SCORES if s.overall == "AC"}
    assert {"precision", "recall"} <= by_accuracy
    assert {name for name, cell in cells.items() if cell == accuracy} == by_accuracy
    assert "KS score 0.0 % (95 % 0.0 to 14.2)" in text
    assert "have one distribution on 0" in text.replace("\n  ", " ")


def test_text_states_what_its_numbers_rest_on(report):
    """Check coverage, smaller n, the paper's standard error, and the unknown training split."""
    text = tables.to_text(report).replace("\n  ", " ")
    assert text.count("In simulations both hold 93 % or more") == 2
    error = report["particles"].IU_errors
    assert f"over 48 values of a class on a micrograph: {100 * error.over_values:.1f}." in text
    assert text.count("Warning: the training split is not stated") == 2
    assert "Particle sizes: undefined" in text


def test_n_of_a_mean_is_shown_where_it_is_smaller():
    """Check a map without particles, whose precision is undefined."""
    maps = {m.id: m.labels for m in uhcs_bench.load("particles", version="synthetic")}
    first = next(iter(maps))
    report = uhcs_bench.score({**maps, first: 0 * maps[first]}, version="synthetic")
    assert report["particles"].conventions["paper"].classes["particle"].precision.n == 23
    assert "n = 23 for particle precision (paper): the others don't define it." in tables.to_text(
        report
    )


def test_a_fold_has_no_intervals():
    """Check that the reason is stated, and that cells are shown as missing."""
    maps = {m.id: m.labels for m in uhcs_bench.load("particles", 2, "synthetic").val}
    text = tables.to_text(uhcs_bench.score(maps, fold=2, version="synthetic"))
    assert "No 95 % intervals: below 19 micrographs" in text
    (row,) = [line for line in text.splitlines() if line.startswith("IU particle")]
    assert row.split()[3:5] == ["-", "-"]


def test_kinds_that_fall_short_are_marked(report):
    """Check each row of the further measures against the simulated coverage."""
    task = report["microconstituents"]
    rows = tables.further_tables(task)[0].rows
    for (measure, _, _), row in zip(
        (found for found in tables._found_measures(task) if found[0].long_name), rows, strict=True
    ):
        assert row[2].endswith("*") == (row[2] != "-" and not coverage.holds(measure.kind))


def test_undefined_values_are_shown_as_missing(report):
    """Check that the precision of a class that is never predicted is a dash, not a zero."""
    lines = tables.to_text(report).splitlines()
    heading = next(line for line in lines if line.startswith("%, mean and SE"))
    (row,) = [line for line in lines if line.startswith("particle ")]
    cells = dict(zip(*(re.split(r" {2,}", line) for line in (heading, row)), strict=True))
    assert cells.keys() >= {score.name for score in CLASS_SCORES}
    assert (cells["precision"], cells["recall"]) == ("-", "0.0 ± 0.0")


@pytest.mark.parametrize("form", ["table", "markdown", "latex"])
def test_synthetic_scores_say_so(report, form):
    """Check that no output can be taken for scores on real micrographs."""
    text = tables.to_text(report, form)
    assert text.count("SYNTHETIC set, not real micrographs") == 2


def test_markdown_is_a_table(report):
    """Check GitHub's form."""
    lines = tables.to_text(report, "markdown").splitlines()
    assert any(line.startswith("|") and "precision |" in line for line in lines)


def test_latex_compiles_as_far_as_can_be_seen(report):
    """Check that environments are closed, percent signs escaped, and sentences commented out."""
    text = tables.to_text(report, "latex")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 4
    assert r"$\pm$" in text
    assert "±" not in text
    outside = False
    for line in text.splitlines():
        if line.startswith(r"\begin{tabular}"):
            outside = True
        if not outside:
            assert not line or line.startswith("%")
        elif "%" in line:
            assert r"\%" in line
        if line.startswith(r"\end{tabular}"):
            outside = False


def test_csv_holds_every_number(report):
    """Check that each mean and each micrograph's score stands in its own row."""
    rows = list(csv.DictReader(io.StringIO(tidy.to_csv(report))))
    assert {row["dataset_version"] for row in rows} == {"synthetic"}

    def find(**wanted):
        (row,) = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
        return row

    paper = report["uhcs"].conventions["paper"]
    row = find(task="microconstituents", convention="paper", metric="IU", **{"class": "network"})
    assert float(row["value"]) == pytest.approx(paper.classes["network"].IU.mean, rel=1e-5)
    assert float(row["se"]) == pytest.approx(paper.classes["network"].IU.se, rel=1e-5)
    assert row["n"] == "24"
    image = report["particles"].images[7]
    row = find(micrograph=image.id, metric="AC")
    assert float(row["value"]) == pytest.approx(image.AC, rel=1e-5)
    assert row["fold"] == str(image.fold)
    row = find(micrograph=image.id, metric="precision", **{"class": "particle"})
    assert row["value"] == ""
    assert find(micrograph=image.id, metric="n_true")["value"] == str(image.psd.n_true)
    assert find(task="particles", convention="paper", metric="ks_score")["value"] in ("0", "0.0")
