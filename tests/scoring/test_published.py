"""Scores by the protocols of later papers, against scikit-learn, and what is said of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn import metrics

import uhcs_bench
from uhcs_bench import protocol
from uhcs_bench.data import registry
from uhcs_bench.errors import SubmissionError, UsageError
from uhcs_bench.scoring import published


@pytest.mark.parametrize("name", published.protocols())
def test_protocols_name_micrographs_that_exist(name):
    """Check ids, metrics and classes against the registry."""
    by = published.protocols()[name]
    entries = {entry.id: entry for entry in registry.entries(by.task)}
    assert set(by.ids) <= set(entries)
    classes = protocol.TASKS[by.task].classes
    allowed = {"IU", "AC", *(f"{m} {c}" for m in ("IU", "precision", "recall") for c in classes)}
    assert set(by.reported) <= allowed
    assert all(0 < value < 1 for value in by.reported.values())
    assert by.defects


def test_con2net_takes_the_first_fold():
    """Check the ids of fold 0."""
    entries = registry.entries("microconstituents")
    expected = tuple(entry.id for entry in entries if entry.fold == 0)
    assert published.protocols()["con2net2023"].ids == expected


def shifted(task):
    """The annotations, moved by two rows."""
    return {m.id: np.roll(m.labels, 2, axis=0) for m in uhcs_bench.load(task)}


@pytest.mark.usefixtures("real_data")
def test_mean_over_five_micrographs():
    """Check MatSAM's protocol."""
    maps = shifted("particles")
    truth = uhcs_bench.load("particles")
    ids = published.protocols()["matsam2024"].ids
    expected = np.mean(
        [metrics.jaccard_score(truth[i].labels.ravel(), maps[i].ravel()) for i in ids]
    )
    found = published.score_as({i: maps[i] for i in ids}, "matsam2024")
    assert found.scores["IU particle"] == pytest.approx(expected)
    text = found.to_text()
    assert f"{100 * expected:.1f}" in text
    assert "76.0" in text
    assert "chosen on the micrographs that are scored" in text.replace("\n  ", " ")
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize("name", ["matseg2022", "con2net2023"])
def test_pooled_pixels(name):
    """Check pooled scores on all pixels, and on those that resizing takes."""
    maps, truth = shifted("microconstituents"), uhcs_bench.load("microconstituents")
    by = published.protocols()[name]
    found = published.score_as(maps, name)
    pairs = [(truth[i].labels, maps[i]) for i in by.ids]
    if by.side_px is not None:
        from scipy import ndimage

        pairs = [tuple(_by_scipy(x, by.side_px, ndimage) for x in pair) for pair in pairs]
    flat = [np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1)]
    assert found.scores["IU"] == pytest.approx(metrics.jaccard_score(*flat, average="macro"))
    assert found.scores["AC"] == pytest.approx(metrics.accuracy_score(*flat))
    assert json.loads(found.to_json())["protocol"]["name"] == name


def _by_scipy(labels, side, ndimage):
    """Nearest neighbours of pixel centres, by scipy."""
    at = [((np.arange(side) + 0.5) * length / side - 0.5) for length in labels.shape]
    grid = np.meshgrid(*(np.floor(x + 0.5) for x in at), indexing="ij")
    return ndimage.map_coordinates(labels, grid, order=0)


def test_unknown_protocol_and_missing_maps():
    """Check both errors."""
    with pytest.raises(UsageError, match=r"no protocol 'other'\. The protocols are matsam"):
        published.score_as({}, "other")
    shape = registry.entries("particles")[0].shape
    with pytest.raises(SubmissionError, match="no label map for 4 of 5 micrographs"):
        published.score_as({"970C-5M-Q-1": np.zeros(shape, np.uint8)}, "matsam2024")
