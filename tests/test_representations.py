"""How results are represented: one short line in a terminal, pictures and tables in Jupyter."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

import uhcs_bench

SYNTHETIC = {"version": "synthetic"}
MOST = 500
"""Characters of a representation."""


def fold():
    return uhcs_bench.load("particles", fold=2, **SYNTHETIC)


def micrograph():
    return uhcs_bench.load("particles", **SYNTHETIC)[0]


def constituents():
    return uhcs_bench.load("microconstituents", **SYNTHETIC)[0]


def report():
    return uhcs_bench.score({m.id: m.labels for m in fold().val}, fold=2, **SYNTHETIC)


def comparison():
    nothing = {m.id: 0 * m.labels for m in fold().val}
    return uhcs_bench.compare(report(), nothing, fold=2, **SYNTHETIC)


def particles():
    return uhcs_bench.metallography.measure_particles(micrograph().labels, 0.1)


def combined():
    mask = np.zeros((40, 40), np.uint8)
    mask[10:14, 10:14] = 1
    return uhcs_bench.combine(mask, mask + 1)


RESULTS = {
    "Dataset": lambda: fold().train,
    "Fold": fold,
    "Micrograph": micrograph,
    "Entry": lambda: uhcs_bench.load("particles", **SYNTHETIC)[0].entry,
    "Report": report,
    "TaskScore": lambda: report()["particles"],
    "MicrographScore": lambda: report()["particles"].images[0],
    "Comparison": comparison,
    "TaskComparison": lambda: comparison().tasks[0],
    "Difference": lambda: comparison().tasks[0].differences[0],
    "Audit": lambda: uhcs_bench.audit(**SYNTHETIC),
    "DenudedZone": lambda: uhcs_bench.denuded_zone_widths(constituents().labels),
    "UnobstructedWidths": lambda: uhcs_bench.metallography.unobstructed_widths(
        constituents().labels
    ),
    "Particles": particles,
    "SizeDistribution": lambda: uhcs_bench.metallography.size_distribution(particles()),
    "CombinedAnalysis": combined,
    "Calibration": lambda: uhcs_bench.calibrate([8], [], 2),
    "Synthetic": lambda: uhcs_bench.synthetic.particles(1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RESULTS)
def test_representation_is_short(name):
    """Check that it is one line of at most 500 characters that names the class."""
    text = repr(RESULTS[name]())
    assert len(text) <= MOST
    assert "\n" not in text
    assert name in text


def test_representation_of_a_fold_says_what_is_in_it():
    """Check task, version, split and both sizes, and that no field is dumped."""
    shown = "<Fold 2 of particles synthetic, split paper: 20 train, 4 val>"
    assert repr(fold()) == shown


def test_printed_report_is_the_table():
    """Check ``print``: the tables of the command, not a dump of all fields."""
    text = str(report())
    assert text == report().to_text()
    assert max(map(len, text.splitlines())) <= 80
    assert str(comparison()) == comparison().to_text()


@pytest.mark.parametrize("name", ["Micrograph", "Dataset", "Fold", "Report", "Comparison"])
def test_html_is_closed_and_safe(name):
    """Check that tags are balanced, pictures have a text, and there is no script."""
    html = RESULTS[name]()._repr_html_()
    for tag in ("div", "figure", "table", "tr", "td", "th", "p", "span"):
        assert len(re.findall(rf"<{tag}\b", html)) == html.count(f"</{tag}>"), tag
    assert "<script" not in html
    assert all(' alt="' in image for image in re.findall(r"<img [^>]*>", html))


def test_html_of_a_micrograph_holds_its_pixels():
    """Check picture, annotation, scale bar and legend against the arrays."""
    shown = micrograph()
    html = shown._repr_html_()
    image, annotation = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
        for content in re.findall(r'src="data:image/\w+;base64,([^"]+)"', html)
    )
    np.testing.assert_array_equal(image, shown.image)
    assert len(np.unique(annotation[shown.labels == 1], axis=0)) == 1
    (share, length) = re.search(r"width: ([\d.]+)%; border-bottom.*?>([\d.]+) µm<", html).groups()
    stated = float(share) / 100 * shown.image.shape[1] * shown.pixel_size_um
    assert stated == pytest.approx(float(length), rel=0.01)
    assert "matrix" in html
    assert "particle" in html


def test_html_of_data_sets_lists_every_micrograph():
    """Check ids, thumbnails, and that a fold shows which micrographs are trained on."""
    shown = fold()
    html = shown._repr_html_()
    assert html.count("<img ") == len(shown.val)
    assert all(name in html for name in (*shown.train.ids, *shown.val.ids))


def test_html_of_scores_holds_the_numbers_of_the_text():
    """Check that every number of the tables in text is in the page's tables."""
    for result in (report(), comparison()):
        html = result._repr_html_()
        numbers = re.findall(r"\d+\.\d ± \d+\.\d", result.to_text())
        assert all(number in html for number in numbers)
        assert "particles: " in html


def test_frames_hold_the_tables_of_the_commands():
    """Check the data frames against the CSV of the same results."""
    import pandas as pd

    from uhcs_bench.scoring import tidy

    for frame, csv in (
        (report().to_frame(), tidy.to_csv(report())),
        (comparison().to_frame(), tidy.comparison_to_csv(comparison())),
    ):
        expected = pd.read_csv(io.StringIO(csv), dtype=str, keep_default_na=False)
        assert list(frame.columns) == list(expected.columns)
        assert len(frame) == len(expected)
        for column in ("value", "difference"):
            if column in frame:
                found = frame[column].dropna().tolist()
                written = [float(cell) for cell in expected[column] if cell]
                assert found == pytest.approx(written, rel=1e-5, abs=1e-9)


def test_measures_become_a_frame():
    """Check that rows of `measure` are dictionaries and a table."""
    rows = uhcs_bench.measure({"a": np.eye(20, dtype=np.uint8)}, "particles", 0.5)
    frame = rows.to_frame()
    assert frame["n_particles"].tolist() == [row["n_particles"] for row in rows] == [1]
    assert list(frame.columns) == list(rows[0])
