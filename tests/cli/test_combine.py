"""The command that measures particles inside spheroidite."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import uhcs_bench
from tests.helpers import command
from uhcs_bench.cli import combine as combining
from uhcs_bench.data import label_maps, registry
from uhcs_bench.errors import UsageError
from uhcs_bench.measuring.outputs import combined_tables
from uhcs_bench.metallography import spheroidite


def run(*arguments):
    return command.run("combine", *arguments)


def maps(shape=(80, 100)):
    """A network on the left, spheroidite right of it, particles that grow to the right."""
    constituents = np.full(shape, 2, np.uint8)
    constituents[:, :10], constituents[:, 10:14] = 1, 0
    particle = np.zeros(shape, np.uint8)
    for size, column in enumerate((18, 30, 44, 60, 78), start=1):
        for row in (10, 30, 50):
            particle[row : row + size, column : column + size] = 1
    particle[20:25, 11:13] = 1
    return particle, constituents


@pytest.fixture
def folders(tmp_path):
    """Maps of two micrographs, one of which the registry knows."""
    known = registry.entries("microconstituents")[0]
    for name, shape in ((known.id, known.shape), ("mine", (80, 100))):
        particle, constituents = maps(shape)
        label_maps.write_label_map(tmp_path / "particles" / f"{name}.png", particle)
        label_maps.write_label_map(tmp_path / "constituents" / f"{name}.png", constituents)
    return tmp_path / "particles", tmp_path / "constituents", known


def test_json_equals_the_function(folders, tmp_path):
    """Check results, the registry's pixel size, and what goes where."""
    particle_maps, constituents, known = folders
    result = run(particle_maps, constituents, "--out", tmp_path / "r.json")
    assert result.exit_code == 0, result.stderr
    expected = {
        "mine": spheroidite.combine(*maps()),
        known.id: spheroidite.combine(*maps(known.shape), known.pixel_size.um),
    }
    content = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert content == json.loads(combined_tables.to_json(expected))
    assert content["micrographs"][known.id]["pixel_size_um"] == known.pixel_size.um
    assert content["micrographs"]["mine"]["pixel_size_um"] is None
    assert "No pixel size for 1 file, so that sizes are in pixels:" in result.stderr
    assert "  mine: the file holds no pixel size" in result.stderr
    assert f"Pixel size of 1 file: {known.pixel_size.um:.4g} um (registry, " in result.stderr
    assert spheroidite.WARNING.split()[0] in result.stderr
    assert "mine" in result.stdout
    said = (result.stdout + result.stderr).replace(str(tmp_path), "")
    assert max(map(len, said.splitlines())) <= 80


def test_long_names_and_sizes_fit_a_terminal(tmp_path):
    """Check the width of the table, names that differ at their ends, and one number of decimals."""
    particle, constituents = maps()
    larger = particle.repeat(4, axis=0).repeat(4, axis=1)
    for number, pair in enumerate(
        [(particle, constituents), (larger, constituents.repeat(4, 0).repeat(4, 1))]
    ):
        for folder, map_ in zip(("p", "c"), pair, strict=True):
            name = f"a-very-long-name-of-a-series-{number:02}.png"
            label_maps.write_label_map(tmp_path / folder / name, map_)
    options = ("--out", tmp_path / "r.json", "--pixel-size", 0.5)
    result = run(tmp_path / "p", tmp_path / "c", *options)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines[2:4]]
    assert rows[0][0] != rows[1][0]
    assert len({len(row[4].partition(".")[2]) for row in rows}) == 1


def test_nanometres_without_their_unit_are_doubted(folders, tmp_path):
    """Check that a warning about the pixel size is passed on, once for all pairs."""
    particle_maps, constituents, _ = folders
    result = run(particle_maps, constituents, "--out", tmp_path / "r.json", "--pixel-size", 40)
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("nanometres are given with their unit, 40nm") == 2


def test_smallest_diameter_is_that_of_the_functions(folders, tmp_path):
    """Check the command against the public function, and micrometres without a pixel size."""
    particle_maps, constituents, _ = folders
    pair = (particle_maps / "mine.png", constituents / "mine.png")
    result = run(*pair, "--out", tmp_path / "r.json", "--min-diameter", "3px")
    assert result.exit_code == 0, result.stderr
    content = json.loads((tmp_path / "r.json").read_text("utf-8"))["micrographs"]["mine"]
    expected = uhcs_bench.combine(*pair, min_diameter="3px")
    assert content == json.loads(json.dumps(expected.to_dict()))
    # Squares of 1 and 2 px, three of each, have equivalent diameters of 1.1 and 2.3 px.
    assert (content["n_left_out"], content["n_pixels_left_out"]) == (6, 15)
    result = run(*pair, "--out", tmp_path / "r.json", "--min-diameter", "0.1um")
    assert result.exit_code == 2
    assert "pixel size" in result.stderr
    result = run(*pair, "--out", tmp_path / "r.json", "--min-diameter", "much")
    assert result.exit_code == 2


def test_csv_and_particles(folders, tmp_path):
    """Check both tables, and a pixel size and bins in micrometres by option."""
    particle_maps, constituents, known = folders
    result = run(particle_maps, constituents, "--out", tmp_path / "r.csv", "--pixel-size", 0.5,
                 "--bins", "0,20,40um", "--particles", tmp_path / "p.csv")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    bins = {(r["near_px"], r["far_px"]) for r in rows if r["near_px"]}
    assert bins == {("0.0", "40.0"), ("40.0", "80.0")}
    assert {r["micrograph"] for r in rows} == {"mine", known.id}
    assert {r["value"] for r in rows if r["quantity"] == "pixel_size"} == {"0.5"}
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as stream:
        particles = list(csv.DictReader(stream))
    assert len(particles) == 2 * 15
    for row in particles:
        assert float(row["distance_um"]) == float(row["distance_px"]) / 2


def test_two_files(folders, tmp_path):
    """Check a single pair, whatever the files are called."""
    particle_maps, constituents, known = folders
    result = run(
        particle_maps / "mine.png", constituents / "mine.png", "--out", tmp_path / "r.json"
    )
    assert result.exit_code == 0
    content = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert content["micrographs"]["mine"]["trend"]["spearman_rho"]["value"] > 0.9
    assert known.id not in result.stdout


def test_everything_wrong_is_said_at_once(folders, tmp_path):
    """Check missing partners, unreadable maps, labels and shapes; the rest is measured."""
    particle_maps, constituents, known = folders
    (particle_maps / "broken.png").write_bytes(b"not a picture")
    label_maps.write_label_map(constituents / "broken.png", np.zeros((4, 4), np.uint8))
    label_maps.write_label_map(particle_maps / "alone.png", np.zeros((4, 4), np.uint8))
    label_maps.write_label_map(constituents / "lonely.png", np.zeros((4, 4), np.uint8))
    label_maps.write_label_map(particle_maps / "mask.png", np.full((4, 4), 255, np.uint8))
    label_maps.write_label_map(constituents / "mask.png", np.full((4, 4), 4, np.uint8))
    label_maps.write_label_map(particle_maps / "small.png", np.zeros((4, 4), np.uint8))
    label_maps.write_label_map(constituents / "small.png", np.zeros((5, 4), np.uint8))
    result = run(particle_maps, constituents, "--out", tmp_path / "r.json")
    assert result.exit_code == 1
    assert "6 problems" in result.stderr
    for text in ("alone.png", "lonely.png", "broken.png", "divide by 255", "holds the value 4",
                 "(4, 4) is not the microconstituent map's (5, 4)"):  # fmt: skip
        assert text in result.stderr
    assert "Traceback" not in result.stderr
    content = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert set(content["micrographs"]) == {"mine", known.id}


def test_nothing_to_measure_writes_nothing(folders, tmp_path):
    """Check folders that are absent, or hold the maps one level deeper."""
    particle_maps, _, _ = folders
    deeper = tmp_path / "run"
    label_maps.write_label_map(deeper / "microconstituents" / "mine.png", maps()[1])
    result = run(particle_maps, deeper, "--out", tmp_path / "r.json")
    assert result.exit_code == 2
    assert f"Did you mean {deeper / 'microconstituents'}?" in result.stderr
    result = run(tmp_path / "none", deeper, "--out", tmp_path / "r.json")
    assert result.exit_code == 2
    assert "2 problems" in result.stderr
    assert not (tmp_path / "r.json").exists()


def test_missing_folder_exits_with_1(folders, tmp_path):
    """Check a table whose folder is not there: nothing is measured for it."""
    particle_maps, constituents, _ = folders
    options = ("--out", tmp_path / "r.json", "--particles", tmp_path / "absent" / "p.csv")
    result = run(particle_maps, constituents, *options)
    assert result.exit_code == 1
    assert "there is no folder" in result.stderr
    assert not (tmp_path / "r.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--bins", "0,5,3px"), "ascending"),
        (("--bins", "0,5"), "their unit"),
        (("--bins", "px"), "ascending"),
        (("--pixel-size", "0"), "not possible"),
        (("--pixel-size", "-1"), "not possible"),
        (("--out", "r.parquet"), ".json or .csv"),
        (("--particles", "p.parquet"), "end its name in .csv"),
        (("--out", "p.csv", "--particles", "p.csv"), "two names"),
    ],
)
def test_wrong_usage(folders, tmp_path, monkeypatch, options, message):
    """Check that each wrong option is told before anything is read or written."""
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    particle_maps, constituents, _ = folders
    result = run(particle_maps, constituents, "--out", "r.json", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_bins_in_micrometres_need_a_pixel_size(folders, tmp_path):
    """Check that a map of unknown pixel size is named and the other measured."""
    particle_maps, constituents, known = folders
    result = run(particle_maps, constituents, "--out", tmp_path / "r.json", "--bins", "0,5,10um")
    assert result.exit_code == 1
    assert "mine.png: its pixel size is unknown" in result.stderr
    content = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert set(content["micrographs"]) == {known.id}


def test_parse_bins():
    """Check numbers and units."""
    for unit in ("um", "µm", "\u03bcm"):
        assert combining.parse_bins(f"0,2.5,10{unit}") == ([0, 2.5, 10], "um")
    for wrong in ("4px", "1_0,20px", "0,2nm"):
        with pytest.raises(UsageError, match="two or more"):
            combining.parse_bins(wrong)


def test_help():
    """Check that help shows examples and exit codes, and fits the terminal."""
    result = run("--help")
    assert "Examples:" in result.stdout
    assert "Exit codes" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
