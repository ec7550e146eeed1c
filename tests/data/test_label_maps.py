"""Label maps in the forms that people have them in, and hints about values that are no class."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from uhcs_bench.data import dataset
from uhcs_bench.data.label_maps import read_label_map
from uhcs_bench.io.images import ImageError

PARTICLES = dataset.catalogue("particles", "synthetic")[0]
MICROCONSTITUENTS = dataset.catalogue("microconstituents", "synthetic")[0]


def labels(n_classes=2, entry=PARTICLES):
    """A map in which each class is a band, and particles are squares."""
    return np.broadcast_to(np.arange(entry.shape[1]) * n_classes // entry.shape[1], entry.shape)


def problem(content, entry=PARTICLES):
    """What is said of a map."""
    with pytest.raises(ImageError) as caught:
        read_label_map(content, entry)
    return str(caught.value)


def palette(indices):
    """A palette image of indices."""
    image = Image.fromarray(indices.astype(np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 0, 255])
    return image


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x.tolist(),
        lambda x: x.astype(bool),
        lambda x: x.astype(np.int64),
        lambda x: Image.fromarray(x.astype(np.uint8)),
        lambda x: Image.fromarray(255 * x.astype(np.uint8)).convert("1"),
        palette,
    ],
    ids=["list", "bool", "int64", "PIL L", "PIL 1", "PIL P"],
)
def test_forms_of_a_map(make):
    """Check that each gives the same labels."""
    np.testing.assert_array_equal(read_label_map(make(labels()), PARTICLES), labels())


@pytest.mark.slow
def test_tensors_with_gradients():
    """Check tensors of PyTorch, on the processor and with a graph behind them."""
    torch = pytest.importorskip("torch")
    expected = torch.from_numpy(labels().copy())
    np.testing.assert_array_equal(read_label_map(expected, PARTICLES), labels())
    scores = torch.stack([1.0 - expected, expected.float()]).requires_grad_()
    np.testing.assert_array_equal(read_label_map(scores.argmax(0), PARTICLES), labels())
    assert "float32 values" in problem(scores[0])
    assert ".detach().cpu().numpy()" in problem(scores[0].to(torch.bfloat16))


def test_masked_arrays_are_refused():
    """Check that a mask is not dropped silently."""
    assert "masked array" in problem(np.ma.masked_equal(labels(), 1))


@pytest.mark.parametrize("content", [object(), {"a": 1}, None])
def test_other_objects_are_named(content):
    """Check that the type is named, and what can be given."""
    assert f"of type {type(content).__name__}" in problem(content)


def blurred(map_, step):
    """Labels after a JPEG file."""
    stream = io.BytesIO()
    Image.fromarray((step * map_).astype(np.uint8)).save(stream, "JPEG", quality=50)
    return np.asarray(Image.open(stream))


def instances():
    """A map in which each particle has a number."""
    numbered = np.zeros(PARTICLES.shape, int)
    for number in range(1, 9):
        numbered[20 * number : 20 * number + 5, 10:20] = number
    return numbered


SQUARES = np.kron(np.indices((6, 8)).sum(0) % 2, np.ones((32, 32), int))


@pytest.mark.parametrize(
    ("content", "entry", "hint"),
    [
        (255 * labels(), PARTICLES, "divide by 255"),
        (128 * labels(), PARTICLES, "divide by 128"),
        (65535 * labels().astype(np.uint16), PARTICLES, "divide by 65535"),
        (85 * labels(4, MICROCONSTITUENTS), MICROCONSTITUENTS, "divide by 85"),
        (1 + labels(4, MICROCONSTITUENTS), MICROCONSTITUENTS, "start at 1, subtract 1"),
        (np.where(SQUARES & (labels() == 0), -1, labels()), PARTICLES, "-1 seems to mark pixels"),
        (np.where(SQUARES & (labels() == 0), 255, labels()), PARTICLES, "255 seems to mark"),
        (instances(), PARTICLES, "instance ids"),
        (blurred(np.roll(SQUARES, 3, (0, 1)), 255), PARTICLES, "lossy compression (JPEG)"),
    ],
)
def test_hints(content, entry, hint):
    """Check that the likely mistake is named with its remedy."""
    assert hint in problem(content, entry)


def test_no_hint_where_nothing_is_likely():
    """Check a stray value."""
    stray = labels(4, MICROCONSTITUENTS).copy()
    stray[3, 4] = 77
    text = problem(stray, MICROCONSTITUENTS)
    assert text.startswith("holds the value 77 at row 3, column 4, and 1 such pixels in all")
    assert text.endswith("3 widmanstatten")


def test_numbers_of_64_bits_are_refused():
    """Check labels that are larger than NumPy's own integers, which a fuzzed TIFF may hold."""
    wide = np.zeros(PARTICLES.shape, np.uint64)
    wide[0, :9] = np.uint64(2**64 - 1) - np.arange(9, dtype=np.uint64)
    assert "holds the value 18446744073709551615 at row 0" in problem(wide)
