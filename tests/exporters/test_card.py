"""The dataset card: read back by the library of those who defined its form."""

from __future__ import annotations

import re

import pytest

from uhcs_bench import protocol
from uhcs_bench.data import registry
from uhcs_bench.errors import UsageError
from uhcs_bench.exporters import card


@pytest.fixture(scope="session")
def text(real_audit):
    return card.render(real_audit)


def test_front_matter_is_valid_for_the_hub(text):
    """Check the card with huggingface_hub's own reader, and its licences with the hub's names."""
    hub = pytest.importorskip("huggingface_hub")
    read = hub.DatasetCard(text)
    data = read.data.to_dict()
    assert data["license"] == ["cc-by-3.0", "cc-by-sa-3.0"]
    assert data["task_categories"] == ["image-segmentation"]
    assert data["size_categories"] == ["n<1K"]
    assert data["pretty_name"].startswith("UHCS benchmark")
    assert read.text.lstrip().startswith("# UHCS benchmark")


def test_every_micrograph_is_in_a_table_with_its_licence(text):
    """Check id, fold and licence of all 48."""
    rows = {row.split(" | ")[0]: row for row in re.findall(r"^\| (.* \|)$", text, re.MULTILINE)}
    for task in protocol.TASKS:
        for entry in registry.entries(task):
            assert rows[entry.id].startswith(f"{entry.id} | {entry.fold} | ")
            share_alike = entry.id in ("800C-24H-Q-4", "800C-24H-Q-6")
            assert ("CC BY-SA" in rows[entry.id]) == share_alike
    assert "| not recorded |" in rows["uhcs1528"]
    assert "| unknown |" in rows["800C-24H-Q-4"]


def test_known_problems_are_the_audits(text, real_audit):
    """Check that each finding stands there, and the shares of the classes with it."""
    assert len(real_audit.findings) > 10
    assert all(f"\n- {finding.sentence}\n" in text for finding in real_audit.findings)
    assert "| 3 | widmanstatten | 2.7 % |" in text
    assert "| 1 | particle | 15.2 % |" in text


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_card_of_one_task_is_of_that_task():
    """Check that the other one is left out."""
    alone = card.card("uhcs")
    assert "uhcs0596" in alone
    assert "800C-24H-Q-1" not in alone


def test_unknown_task_is_reported():
    """Check the error, without data."""
    with pytest.raises(UsageError, match="The tasks are"):
        card.card("steel")
