"""The paper's tables beside the numbers found."""

from __future__ import annotations

import pytest

import uhcs_bench
from baselines import records, reproduce
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
    assert "not comparable" in text
    assert all(len(line) <= 80 for line in text.splitlines() if "label maps in" not in line)


def test_unknown_and_missing_are_told_apart(perfect):
    """Check that Table 2 stays unknown and that what has not run is listed."""
    text = reproduce.tables(perfect, "synthetic")
    cells = [cell.strip() for cell in row(text, "Table 2", "network")]
    assert cells[2:4] == ["unknown", "missing"]
    assert "pixelnet-ce, microconstituents: 0 of 24 label maps" in text
    assert "pixelnet-focal" not in text[text.index("Missing:") :]


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
