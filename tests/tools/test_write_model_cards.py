"""The model cards of the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import write_model_cards
from uhcs_bench.segmentation import models, onnx_model

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

PAGE = Path(__file__).parents[2] / "docs" / "model-cards.md"


def test_cards_are_what_the_files_say():
    """Check that the committed page follows from the models' metadata, to the byte."""
    assert PAGE.read_text("utf-8") == write_model_cards.generate()


@pytest.mark.parametrize("name", models.NAMES)
def test_a_card_holds_the_facts_of_its_file(name):
    """Check score, data and ranges against the metadata, read here."""
    about = write_model_cards.statement(onnx_model.load(models.find(name), 1))
    page = write_model_cards.generate()
    card = page[page.index(f"## {name}") :].partition("\n## ")[0]
    low, high = about["pixel_size_um"]
    assert about["data_id"] in card
    assert f"{low:g} to {high:g} um" in card
    assert f"{about['score']['IU']['mean']:.1f} ± {about['score']['IU']['se']:.1f} %" in card
    assert "CC BY-SA" in card
