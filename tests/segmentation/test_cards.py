"""Cards of models: what is said of them, and which pictures are unlike their training data."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from scipy import stats

import uhcs_bench
from tools import write_gray_ranges
from uhcs_bench import protocol
from uhcs_bench.segmentation import cards, models
from uhcs_bench.segmentation.cards import Card


def test_shipped_models_say_all():
    """Check licence, training data and score, which a metallographer has to state."""
    pytest.importorskip("onnxruntime")
    for name in models.NAMES:
        card = models.load(name, threads=1).card
        assert "not stated" not in card.sentence()
        assert card.name == name
        assert "CC BY-SA" in card.licence
        assert "cross-validation" in card.score
        assert card.gray
        assert len(card.sha256) == 64


def test_scores_of_otsu_are_those_of_the_board(pytestconfig):
    """Check the numbers against the committed board."""
    text = (pytestconfig.rootpath / "leaderboard" / "README.md").read_text("utf-8")
    rows = [line.split("|") for line in text.splitlines() if "[Otsu's threshold](otsu/)" in line]
    for task, row in zip(protocol.TASKS, rows, strict=False):
        number = row[2].split()[0]
        assert f"IU {number} %" in models.Threshold(task).card.score


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{}",
        '{"method": null, "licence": null, "score": null, "pixel_size_um": null}',
        '{"other": [1], "data_id": null}',
    ],
)
def test_what_is_not_stated_is_left_open(text):
    """Check that missing keys and null raise nothing."""
    card = Card.from_about("m.onnx", "ab", text)
    assert card.sentence().count("not stated") == 4
    assert card.doubts(np.zeros((5, 5), np.uint8), 0.1) == []
    json.dumps(card.to_dict())


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("no JSON", ["it is no JSON"]),
        ("[1]", ["it is [1], not an object"]),
        ("[" * 100_000, ["it is no JSON"]),
        (
            '{"method": 3, "licence": null, "score": [], "pixel_size_um": "x", "data_id": {}}',
            ["method is 3", "data_id is {}", "score is []", "pixel_size_um is 'x', not two"],
        ),
        (
            '{"score": {"IU": {"mean": "high"}}, "pixel_size_um": [0, -1]}',
            ["score is {'IU': {'mean': 'high'}}, not", "pixel_size_um is [0, -1]"],
        ),
    ],
)
def test_what_makes_no_sense_is_named(text, problems):
    """Check each key: silence would read like a model of which nothing is known."""
    with pytest.raises(ValueError, match=r"^\S") as caught:
        Card.from_about("m.onnx", "ab", text)
    lines = str(caught.value).splitlines()
    assert [line.startswith(p) for line, p in zip(lines, problems, strict=True)] == [True] * len(
        problems
    )


def test_foreign_text_reaches_no_terminal_as_it_is():
    """Check escapes and line feeds."""
    about = json.dumps({"method": "\x1b[31munet\n\nmore", "licence": "x" * 1000})
    card = Card.from_about("m.onnx", "", about)
    assert card.method == "[31munet more"
    assert len(card.licence) == 200


def test_gray_statistics_are_those_of_scipy():
    """Check skewness against scipy, and the others against their definition on random pictures."""
    image = np.random.default_rng(0).gamma(2, 30, (200, 300)).clip(0, 255).astype(np.uint8)
    found = cards.gray_statistics(image)
    values = image.astype(float)
    assert found["skewness"] == pytest.approx(stats.skew(values.ravel()))
    correlation = np.corrcoef(values[:, 1:].ravel(), values[:, :-1].ravel())[0, 1]
    assert found["neighbour_difference"] == pytest.approx(1 - correlation, abs=0.02)
    extreme = (image == image.min()) | (image == image.max())
    assert found["saturated_share"] == extreme.mean()


@pytest.mark.parametrize("change", [lambda i: i // 2 + 20, lambda i: i.astype(np.uint16) * 257])
def test_brightness_and_depth_change_nothing(change):
    """Check that a darker picture, and one of 16 bits, have the same statistics."""
    image = np.random.default_rng(0).integers(0, 100, (50, 60)).astype(np.uint8) * 2
    expected = cards.gray_statistics(image)
    assert cards.gray_statistics(change(image)) == pytest.approx(expected)


def test_inverted_and_smoothed_pictures_are_doubted():
    """Check what the ranges are for: etching that gives bright matrix, and blurred pictures."""
    card = Card("m", gray={"skewness": (0.4, 2.1), "neighbour_difference": (0.1, 0.6)})
    image = np.random.default_rng(0).gamma(2, 30, (200, 300)).clip(0, 255).astype(np.uint8)
    assert any("skewness" in doubt for doubt in card.doubts(255 - image, None))
    flat = np.repeat(np.repeat(image[:20, :30], 10, 0), 10, 1)
    assert any("neighbour difference" in doubt for doubt in card.doubts(flat, None))


@pytest.mark.parametrize("shape", [(9, 9), (9, 1), (1, 9), (1, 1)])
@pytest.mark.parametrize("is_flat", [True, False])
def test_undefined_statistics_are_not_compared(shape, is_flat):
    """Check that no sentence has a number that is none, and that NumPy warns of nothing."""
    everything = dict.fromkeys(cards.gray_statistics(np.eye(3)), (-1e9, 1e9))
    image = np.zeros(shape) if is_flat else np.arange(np.prod(shape)).reshape(shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Card("m", gray=everything).doubts(image, None) == []
        nothing = dict.fromkeys(everything, (1e9, 1e9))
        assert "nan" not in " ".join(Card("m", gray=nothing).doubts(image, None))


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_ranges_are_those_of_the_training_data():
    """Check the file against the tool that writes it, and that no training picture is doubted."""
    committed = cards._gray_ranges()
    for task in protocol.TASKS:
        dataset = uhcs_bench.load(task)
        statistics = [cards.gray_statistics(micrograph.image) for micrograph in dataset]
        expected = write_gray_ranges.ranges(statistics)
        assert {k: [*v] for k, v in committed[dataset.data_id].items()} == expected
        card = Card("m", gray=committed[dataset.data_id])
        assert not any(card.doubts(micrograph.image, None) for micrograph in dataset)
