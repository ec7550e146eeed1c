"""What is measured, and what is said of a micrograph or something else in a label map's place."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

import uhcs_bench
from uhcs_bench.errors import UhcsBenchError, UsageError

MAP = np.zeros((60, 80), np.uint8)
MAP[20:30, 20:30] = 1

HINT = "may be a micrograph, of which uhcs-bench measure --maps makes a label map, in Python "
TAKERS = {
    "measure": lambda image: uhcs_bench.measure(image, "particles"),
    "measure, by name": lambda image: uhcs_bench.measure({"a": image}, "microconstituents"),
    "denuded_zone_widths": uhcs_bench.denuded_zone_widths,
    "measure_particles": uhcs_bench.metallography.measure_particles,
    "phase_fractions": lambda image: uhcs_bench.metallography.phase_fractions(image, "particles"),
    "score": lambda image: uhcs_bench.score({"synthetic-particles-00": image}, version="synthetic"),
}


@pytest.fixture(scope="module")
def micrograph():
    return uhcs_bench.load("particles", version="synthetic")["synthetic-particles-00"]


def message_of(take, values):
    with pytest.raises(UhcsBenchError) as caught:
        take(values)
    return str(caught.value)


def test_an_array_takes_no_size_from_a_file_of_its_name(tmp_path, monkeypatch):
    """Check an array that is named like a file in the current folder, and the file itself."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(MAP).save("steel.png", dpi=(254000, 254000))
    (row,) = uhcs_bench.measure({"steel.png": MAP}, "particles")
    assert row["pixel_size_um"] is None
    (row,) = uhcs_bench.measure("steel.png", "particles")
    assert row["pixel_size_um"] == pytest.approx(0.1, rel=1e-3)


def test_smallest_diameter_is_that_of_the_command():
    """Check that a speck is left out, in both units, and that a wrong length is refused."""
    labels = MAP.copy()
    labels[5:7, 5:7] = 1
    rows = {
        length: uhcs_bench.measure(labels, "particles", 0.5, min_diameter=length)[0]
        for length in (None, "4px", "2um")
    }
    assert [row["n_particles"] for row in rows.values()] == [2, 1, 1]
    with pytest.raises(UsageError, match="smallest diameter can't be '4'"):
        uhcs_bench.measure(labels, "particles", min_diameter="4")
    with pytest.raises(UsageError, match="pixel size"):
        uhcs_bench.measure(labels, "particles", min_diameter="2um")


@pytest.mark.parametrize("taker", TAKERS)
def test_micrograph_is_recognised(taker, micrograph):
    """Check that the message names what makes a label map of it."""
    assert HINT in message_of(TAKERS[taker], micrograph.image)


@pytest.mark.parametrize(
    "form",
    [
        lambda image: image / 1.0,
        lambda image: np.stack([image] * 3, axis=-1),
        lambda image: image.astype(np.uint16) * 257,
    ],
    ids=["float", "RGB", "16 bit"],
)
def test_micrograph_is_recognised_in_other_forms(form, micrograph):
    """Check numbers of other types and equal colour planes."""
    assert HINT in message_of(TAKERS["measure"], form(micrograph.image))


def test_micrograph_in_a_file_is_recognised(micrograph, tmp_path):
    """Check that a file is named, too."""
    path = tmp_path / "field.png"
    Image.fromarray(micrograph.image).save(path)
    message = message_of(lambda path: uhcs_bench.measure(path, "particles"), path)
    assert HINT in message
    assert "field.png" in message


@pytest.mark.parametrize(
    "wrong",
    [
        lambda labels: labels * 255,
        lambda labels: labels + 1,
        lambda labels: labels / 1.0,
        lambda labels: ndimage.label(labels)[0],
    ],
    ids=["mask of 255", "from 1 on", "float", "numbers of particles"],
)
def test_other_wrong_maps_are_no_micrographs(wrong, micrograph):
    """Check that masks, moved labels and instance numbers are not taken for a micrograph."""
    assert "micrograph" not in message_of(TAKERS["measure"], wrong(micrograph.labels))


@pytest.mark.parametrize(
    ("maps", "options", "message"),
    [
        ({None: MAP}, {}, "A map can't be called None"),
        ({b"a": MAP}, {}, "A map can't be called b'a'"),
        ({"a": MAP}, {"pixel_size_um": 10**400}, "A pixel of inf um is not possible"),
        (MAP, {"task": np.zeros(3)}, "There is no task array"),
    ],
)
def test_arguments_of_a_wrong_kind_are_named(maps, options, message):
    """Check names, pixel sizes and tasks that are none."""
    with pytest.raises(UsageError, match=message):
        uhcs_bench.measure(maps, **{"task": "particles", **options})


def test_names_may_be_numbers_and_maps_buffers():
    """Check a mapping of numbers, and a memoryview of an array."""
    assert [row["file"] for row in uhcs_bench.measure({7: MAP}, "particles")] == ["7"]
    (row,) = uhcs_bench.measure(memoryview(MAP), "particles")
    assert row["n_particles"] == 1


@pytest.mark.parametrize("option", ["version", "split"])
def test_versions_and_splits_of_a_wrong_kind_are_named(option):
    """Check an array, which has no truth value."""
    with pytest.raises(UsageError, match=rf"There is no .*{option} array"):
        uhcs_bench.load("particles", **{option: np.zeros(3)})
