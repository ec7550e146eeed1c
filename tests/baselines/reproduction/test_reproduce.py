"""The paper's tables beside the numbers found."""

from __future__ import annotations

import numpy as np
import pytest

import uhcs_bench
from baselines import records
from baselines.configuration import configure
from baselines.reproduction import paper_tables, reproduce
from uhcs_bench import paper, protocol
from uhcs_bench.data import label_maps
from uhcs_bench.errors import UsageError
from uhcs_bench.scoring import training_record


@pytest.fixture
def perfect(tmp_path):
    """Write the annotations of the synthetic set as the label maps of one method."""
    for task in protocol.TASKS:
        for m in uhcs_bench.load(task, version="synthetic"):
            path = tmp_path / "pixelnet-focal" / task / f"{m.id}.png"
            label_maps.write_label_map(path, m.labels)
    return tmp_path


def row(text, title, name):
    """Cells of a table's row, by its title and the row's first cell."""
    lines = text[text.index(title) :].splitlines()
    line = next(line for line in lines if line.startswith(name))
    return [cell for cell in line.split("  ") if cell]


def test_numbers_and_differences(perfect):
    """Check a row of Tables 1 and 4 when every pixel is right."""
    text = reproduce.tables(perfect, "synthetic")
    cells = [cell.strip() for cell in row(text, "Table 1", "widmanstatten")]
    assert cells[1:5] == ["IU", "42.7 ± 2.9", "100.0 ± 0.0", "+57.3"]
    assert "pixelnet-focal  KS score     4.2             100.0 " in text
    assert "text's settings" not in text[: text.index("The paper's comparisons")]
    assert "not comparable" in text
    wide = [line for line in text.splitlines() if len(line) > 80 and "label maps in" not in line]
    assert wide == []


def test_unknown_and_missing_are_told_apart(perfect):
    """Check that Table 2 stays unknown and that what has not run is listed."""
    text = reproduce.tables(perfect, "synthetic")
    cells = [cell.strip() for cell in row(text, "Table 2", "network")]
    assert cells[2:4] == ["unknown", "missing"]
    assert "pixelnet-ce, microconstituents: 0 of 24 label maps" in text
    assert "pixelnet-focal," not in text[text.index("Missing:") :]


def test_an_unfinished_method_is_not_scored(perfect):
    """Check that one lost map takes the method out and is counted."""
    next((perfect / "pixelnet-focal" / "particles").iterdir()).unlink()
    text = reproduce.tables(perfect, "synthetic")
    assert "pixelnet-focal, particles: 23 of 24 label maps" in text
    assert row(text, "Table 3", "overall")[3].strip() == "missing"


def test_the_paper_has_no_table_2():
    """Check that nobody fills in numbers that the paper's readers don't have."""
    table = next(t for t in paper.CLASS_TABLES if t.title.startswith("Table 2"))
    assert not table.cells


def test_maps_of_another_split_are_refused(perfect):
    """Check that a record that contradicts is named."""
    folds = {"0": {"dataset_version": "synthetic", "split": "grouped", "configuration": {},
                   "training": [], "validation": []}}  # fmt: skip
    content = {"schema": training_record.RUN_SCHEMA, "tasks": {"particles": folds}}
    records.write_json(perfect / "pixelnet-focal" / "record.json", content)
    reproduce.check(perfect, "synthetic", "grouped", required=True)
    with pytest.raises(UsageError, match=r"pixelnet-focal: record\.json: .* Say --split grouped"):
        reproduce.check(perfect, "synthetic", "paper", required=True)


def test_another_split_is_named(perfect):
    """Check the sentence above the tables."""
    text = reproduce.tables(perfect, "synthetic", "clean")
    assert "the folds of the split 'clean':" in text


# Like beside like


@pytest.fixture
def flawed(perfect):
    """Add the strict variant, each of whose maps has its own share of wrong pixels."""
    rng = np.random.default_rng(0)
    for task in protocol.TASKS:
        for number, m in enumerate(uhcs_bench.load(task, version="synthetic")):
            wrong = rng.random(m.labels.shape) < 0.02 * number
            labels = np.where(wrong, 0, m.labels).astype(np.uint8)
            for method in ("pixelnet-focal-paper", "otsu"):
                label_maps.write_label_map(perfect / method / task / f"{m.id}.png", labels)
    return perfect


def test_strict_variant_has_columns_of_its_own(flawed):
    """Check that both runs of the focal loss stand beside the paper's number."""
    text = reproduce.tables(flawed, "synthetic")
    headers = row(text, "Table 1", "class ")
    assert [cell.strip() for cell in headers][2:] == [
        "paper", "here", "diff.", "text's settings", "diff."
    ]  # fmt: skip
    cells = [cell.strip() for cell in row(text, "Table 4", "pixelnet-focal")]
    assert cells[3] == "100.0 ± 0.0"
    assert len(cells) == 7
    assert all(len(line) <= 100 for line in text.splitlines() if "label maps in" not in line)


def test_spreads_are_those_of_the_paper(flawed):
    """Check the error of the overall IU, and the deviation of Otsu's row, against NumPy."""
    score = uhcs_bench.score(flawed / "otsu", task="particles", version="synthetic")["particles"]
    values = np.array([[c.IU for c in image.classes.values()] for image in score.images])
    error = 100 * values.std(ddof=1) / np.sqrt(values.size)
    cell = paper_tables.overall_iu(score)
    assert cell.mean == pytest.approx(100 * values.mean())
    assert cell.spread == pytest.approx(error)
    assert error != pytest.approx(100 * score.conventions["paper"].IU.se, rel=0.05)
    text = reproduce.tables(flawed, "synthetic")
    overall = row(text, "Table 4", "otsu            IU mean")
    assert overall[3].strip() == f"{cell.mean:.1f} (SD {100 * values.mean(1).std(ddof=1):.1f})"


def test_comparisons_are_paired(flawed):
    """Check the last comparison of the paper against NumPy."""
    score = uhcs_bench.score(flawed / "otsu", task="particles", version="synthetic")["particles"]
    gain = 100 * (1 - np.array([image.IU for image in score.images]))
    text = reproduce.tables(flawed, "synthetic")
    line = row(text, "The paper's comparisons", "particles: PixelNet (focal) - Otsu")
    expected = f"{gain.mean():+.1f} ± {gain.std(ddof=1) / np.sqrt(24):.1f}"
    assert line[-1].strip() == expected


def test_settings_that_differ_are_listed(flawed):
    """Check what is said of a run with the paper's settings but one."""
    for crop in (None, 224):
        settings = configure("pixelnet-focal-paper", fc7=False, crop=crop).to_dict()
        tasks = {
            task: {"0": {"dataset_version": "synthetic", "configuration": settings,
                         "training": [], "validation": []}}
            for task in protocol.TASKS
        }  # fmt: skip
        content = {"schema": training_record.RUN_SCHEMA, "tasks": tasks}
        records.write_json(flawed / "pixelnet-focal-paper" / "record.json", content)
        text = reproduce.tables(flawed, "synthetic")
        part = text[text.index("pixelnet-focal-paper:\n") : text.index("Missing:")]
        lines = [line.split("  ")[0] for line in part.splitlines()[4:] if line]
        assert lines == ["hypercolumn"] + ["training views"] * (crop is not None)
