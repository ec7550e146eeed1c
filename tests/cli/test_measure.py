"""The command ``measure``: outputs, exit codes, messages, and what an interrupt leaves."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import uhcs_bench
from tests.helpers import command
from tests.helpers.particle_maps import particle_map, write_maps
from uhcs_bench.data import label_maps
from uhcs_bench.measuring import columns
from uhcs_bench.metallography import particles
from uhcs_bench.segmentation import otsu


def run(*arguments):
    return command.run("measure", *arguments)


@pytest.fixture
def maps(tmp_path):
    """A folder with three label maps."""
    return write_maps(tmp_path / "maps", 3)


@pytest.mark.slow
def test_all_outputs(maps, tmp_path):
    """Check tables, plots, maps and files for ImageJ, and what is printed where."""
    result = run(
        maps, "--task", "spheroidite", "--out", tmp_path / "out.csv", "--pixel-size", 0.05,
        "--particles", tmp_path / "particles.csv", "--plots", tmp_path / "plots", "--wide",
        "--maps", tmp_path / "found", "--rois", tmp_path / "rois", "--specimen", "map",
        "--specimens", tmp_path / "specimens.csv",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    places = ", ".join(
        str(tmp_path / name)
        for name in ("out.csv", "particles.csv", "specimens.csv", "plots", "found", "rois")
    )
    assert result.stderr == f"3 of 3 files measured: {places}\n"
    assert result.stdout.startswith("Specimen map\n")
    with (tmp_path / "out.csv").open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert [r["task"] for r in found] == ["particles"] * 3
    assert [r["pixel_size_source"] for r in found] == ["given by the user"] * 3
    assert {r["segmentation"] for r in found} == {"label map as it was given"}
    n_lines = len((tmp_path / "particles.csv").read_text().splitlines())
    assert n_lines == 1 + sum(int(r["n_particles"]) for r in found)
    names = sorted(p.name for p in (tmp_path / "plots").iterdir())
    assert names == ["map0.png", "map1.png", "map2.png", "overview.png"]
    assert len(list((tmp_path / "rois").iterdir())) == 6
    assert (tmp_path / "found" / "map1.png").is_file()


def test_printed_table(maps):
    """Check symbols, units and standards, within 80 columns, and that nothing else is printed."""
    result = run(maps, "--task", "particles", "--pixel-size", 0.05, "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split()[:3] == ["V_V", "N", "N_A"]
    assert lines[1].split() == ["1/µm²", "µm", "µm"]
    assert [line.split()[0] for line in lines[3:6]] == ["map0", "map1", "map2"]
    assert "ASTM E562" in result.stdout


def test_tidy_table(maps, tmp_path):
    """Check that a row holds one measure of one map, as the wide table does."""
    options = (maps, "--task", "particles", "--pixel-size", 0.05)
    assert run(*options, "--out", tmp_path / "tidy.csv").exit_code == 0
    assert run(*options, "--out", tmp_path / "wide.csv", "--wide").exit_code == 0
    with (tmp_path / "wide.csv").open(newline="") as stream:
        wide = {row["id"]: row for row in csv.DictReader(stream)}
    with (tmp_path / "tidy.csv").open(newline="") as stream:
        tidy = {(r["id"], r["measure"], r["unit"]): r for r in csv.DictReader(stream)}
    row = tidy["map1", "diameter_median", "um"]
    for end in ("low", "high"):
        assert row[end] == wide["map1"][f"diameter_median_um_{end}"]
    assert (row["value"], row["n"]) == (
        wide["map1"]["diameter_median_um"],
        wide["map1"]["diameter_n"],
    )
    density = tidy["map0", "number_density", "1/um^2"]
    assert density["n"] == wide["map0"]["n_particles"]


def test_pixel_sizes_that_were_found_are_said(maps, tmp_path):
    """Check sizes of files' own, a file without one, and that the user's own needs no note."""
    labels = Image.open(next(maps.glob("*.png")))
    for number, dpi in enumerate((25400, 50800)):
        labels.save(maps / f"with{number}.png", dpi=(dpi, dpi))
    result = run(maps, "--task", "particles")
    assert result.exit_code == 0
    said = result.stderr
    assert "Pixel size of 2 files: 0.5 to 1 um (the file's PNG resolution)." in said
    assert 'No pixel size for 3 files, so that lengths are "-" above, and in pixels in' in said
    assert "95 % intervals and further measures: --out FILE." in said
    assert max(map(len, said.splitlines())) <= 80
    given = run(maps, "--task", "particles", "--pixel-size", 0.1, "--out", tmp_path / "o.csv")
    assert "ixel size of" not in given.stderr
    assert "intervals" not in given.stderr
    quiet = run(maps, "--task", "particles", "--quiet")
    assert not any("ixel size" in line for line in quiet.stderr.splitlines())


@pytest.mark.parametrize("text", ["40px", "40n", "forty", "0.04 kg"])
def test_what_is_no_pixel_size_is_told_the_forms(maps, text):
    """Check that a slip in a unit is not taken for the name of a table alone."""
    result = run(maps, "--task", "particles", "--pixel-size", text)
    assert result.exit_code == 2
    assert f"--pixel-size {text}: that is no length" in result.stderr
    assert "40nm" in result.stderr
    assert "CSV file" in result.stderr


@pytest.mark.parametrize("model", ["otsu", "particles"])
def test_nanometres_without_their_unit_are_doubted_once(raw, model):
    """Check that a model with a range of sizes does not say the same in its own words."""
    if model != "otsu":
        pytest.importorskip("onnxruntime")
    result = run(raw / "A-1.png", "--model", model, "--task", "particles", "--pixel-size", 40)
    assert result.exit_code == 0, result.stderr
    about_sizes = [line for line in result.stderr.splitlines() if "a pixel of 40 um" in line]
    assert len(about_sizes) == 1
    assert "nanometres are given with their unit, 40nm" in about_sizes[0]


def test_files_without_a_specimen_are_named(maps, tmp_path):
    """Check names and reasons for an expression and a column, and what the intervals are of."""
    options = ("--task", "particles", "--pixel-size", 0.1)
    result = run(maps, *options, "--specimen", "^map0")
    assert (
        "2 files belong to no specimen and to no mean: map1, map2; nothing in their names"
        in result.stderr
    )
    assert "95 % intervals of single fields and further measures: --out FILE." in result.stderr
    table = tmp_path / "files.csv"
    table.write_text("file,specimen\nmap0.png,A\nmap1.png,A\nmap2.png,\n")
    result = run(maps, "--task", "particles", "--pixel-size", table)
    said = " ".join(result.stderr.split())
    assert "1 file belongs to no specimen and to no mean: map2; the table has nothing" in said


def test_model_by_the_alias_of_its_task(raw, tmp_path):
    """Check that --model takes what --task takes, and that the table has one name for it."""
    pytest.importorskip("onnxruntime")
    out = tmp_path / "o.json"
    result = run(raw / "A-1.png", "--model", "spheroidite", "--pixel-size", 0.04, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert result.stderr.startswith("Model particles: ")
    assert json.loads(out.read_text("utf-8"))["model"]["name"] == "particles"


def test_without_a_pixel_size_it_says_so(maps, tmp_path):
    """Check the note, and that no micrometres are in the table."""
    result = run(maps, "--task", "particles", "--out", tmp_path / "out.json")
    assert result.exit_code == 0
    assert "No pixel size for 3 files, so that lengths are in pixels:" in result.stderr
    assert "  map0, map1, map2: the file holds no pixel size" in result.stderr
    table = json.loads((tmp_path / "out.json").read_text())
    units = {row["unit"] for row in table["rows"]}
    assert {"", "px", "1/px^2"} <= units
    assert not any("um" in unit for unit in units)


def test_bad_files_are_listed_at_the_end(maps, tmp_path):
    """Check exit code 1, the reasons, and that the others are in the table."""
    (maps / "map1.png").write_bytes((maps / "map1.png").read_bytes()[:60])
    np.save(maps / "z.npy", np.full((3, 3), 7))
    (maps / "notes.txt").write_text("text")
    result = run(maps, "--task", "particles", "--out", tmp_path / "out.json", "--wide")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert lines[0] == f"1 not looked at: {maps / 'notes.txt'} (is no image, by its name)"
    assert lines[1].startswith("2 of 4 files measured")
    assert lines[-3] == "uhcs-bench: 2 of 4 files could not be measured: 2 problems."
    assert lines[-2].startswith(f"  - {maps / 'map1.png'}: can't be decoded")
    assert lines[-1].startswith(f"  - {maps / 'z.npy'}: holds the value 7 at row 0, column 0")
    assert "Traceback" not in result.stderr
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [r["id"] for r in rows] == ["map0", "map2"]


@pytest.fixture
def raw(tmp_path):
    """Three synthetic micrographs of two specimens, and a table about them."""
    (tmp_path / "raw").mkdir()
    micrographs = uhcs_bench.load("particles", version="synthetic")[:3]
    for name, micrograph in zip(("A-1", "A-2", "B-1"), micrographs, strict=True):
        Image.fromarray(micrograph.image).save(tmp_path / "raw" / f"{name}.png")
    (tmp_path / "files.csv").write_text(
        "file,pixel_size_um,specimen\nA-1.png,0.04,A\nA-2.png,0.04,A\nB-1.png,0.05,B\n"
    )
    return tmp_path / "raw"


def test_micrographs_by_otsu(raw, tmp_path):
    """Check that the card is printed and recorded, and that the maps are Otsu's."""
    out, maps = tmp_path / "out.json", tmp_path / "found"
    options = ("--pixel-size", tmp_path / "files.csv", "--maps", maps, "--out", out)
    result = run(raw, "--task", "particles", "--model", "otsu", *options)
    assert result.exit_code == 0, result.stderr
    assert result.stderr.startswith("Model otsu: Otsu's threshold")
    assert result.stdout.count("Specimen ") == 2
    table = json.loads(out.read_text("utf-8"))
    assert table["model"]["name"] == "otsu"
    assert "71.6" in table["model"]["score"]
    sizes = {row["id"]: row["pixel_size_um"] for row in table["rows"]}
    assert sizes == {"A-1": 0.04, "A-2": 0.04, "B-1": 0.05}
    assert {row["id"]: row["specimen"] for row in table["rows"]}["A-2"] == "A"
    expected = otsu.segment(np.asarray(Image.open(raw / "A-1.png")), "particles")
    np.testing.assert_array_equal(np.asarray(Image.open(maps / "A-1.png")), expected)
    # The maps that were written measure as the micrographs did.
    assert run(maps, "--task", "particles", "--out", tmp_path / "b.json").exit_code == 0
    again = json.loads((tmp_path / "b.json").read_text("utf-8"))["rows"]
    for measure in ("fraction_particle", "n_particles"):
        first, second = (
            [row["value"] for row in rows if row["measure"] == measure]
            for rows in (table["rows"], again)
        )
        assert first == second


@pytest.mark.slow
def test_micrographs_without_a_model_get_the_shipped_one(raw, tmp_path):
    """Check that the default is said, recorded, and doubts a magnification it has not seen."""
    pytest.importorskip("onnxruntime")
    options = ("--pixel-size", 0.5, "--overlays", tmp_path / "over", "--out", tmp_path / "o.csv")
    result = run(raw, "--task", "particles", *options)
    assert result.exit_code == 0, result.stderr
    card, _, rest = result.stderr.partition("--model names another one, --model otsu")
    assert card.startswith("Model particles: ")
    assert "CC BY-SA" in card
    assert "IU 81.1" in card
    assert max(map(len, card.splitlines())) <= 80
    assert rest
    assert "outside of the 0.01942 to 0.09709 um that particles was trained on" in result.stderr
    with (tmp_path / "o.csv").open(newline="") as stream:
        assert all("CC BY-SA" in row["segmentation"] for row in csv.DictReader(stream))
    with Image.open(tmp_path / "over" / "A-1.png") as picture:
        assert (picture.mode, picture.width >= 1200) == ("RGB", True)


def test_the_package_that_the_default_needs_is_named(raw, monkeypatch):
    """Check an environment without onnxruntime, where Otsu's threshold still works."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    result = run(raw, "--task", "particles")
    assert result.exit_code == 2
    assert "uhcs-bench[measure]" in result.stderr
    assert "--model otsu" in result.stderr
    assert run(raw, "--task", "particles", "--model", "otsu").exit_code == 0


def test_micrographs_in_the_place_of_label_maps(raw):
    """Check that --model none takes them for label maps, and says what they need."""
    result = run(raw, "--task", "particles", "--model", "none")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Micrographs need a --model that segments them."


def test_blank_picture_is_named_with_what_it_was_taken_for(tmp_path):
    """Check standard error, the table's notes, and that a lone pixel raises no warning of NumPy."""
    for name, shape in (("black", (30, 40)), ("pixel", (1, 1))):
        Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / f"{name}.png")
        out = tmp_path / f"{name}.csv"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = run(tmp_path / f"{name}.png", "--task", "uhcs", "--out", out)
        assert result.exit_code == 0
        taken = "all its pixels are 0, so that it was taken for a label map and not segmented"
        assert f"{name}.png: {taken}" in result.stderr
        assert taken in out.read_text()


def test_micrograph_of_floats_is_segmented(tmp_path):
    """Check that gray values from 0 to 1 give what the same picture of 8 bits gives."""
    pytest.importorskip("onnxruntime")
    image = uhcs_bench.load("particles", version="synthetic")[0].image[:96, :96]
    np.save(tmp_path / "whole.npy", image)
    np.save(tmp_path / "float.npy", image / 255)
    lines = [
        run(tmp_path / f"{name}.npy", "--task", "particles").stdout.splitlines()[-1]
        for name in ("whole", "float")
    ]
    assert lines[0].split()[1:] == lines[1].split()[1:]


def test_crop(raw, tmp_path):
    """Check that rows are cut off, that it is said, and that too many are refused."""
    options = (raw / "A-1.png", "--task", "particles", "--model", "otsu", "--crop-bottom")
    result = run(*options, 20, "--out", tmp_path / "out.csv", "--wide")
    assert "lowest 20 rows were left out" in result.stderr
    with (tmp_path / "out.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert int(row["rows_px"]) == Image.open(raw / "A-1.png").height - 20
    assert run(*options, 1000).exit_code == 1
    assert run(*options, "much").exit_code == 2


def test_glossary_names_every_measure():
    """Check that --columns explains each measure of both tasks, in 80 columns, without inputs."""
    result = run("--columns")
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    for measures in columns.MEASURES.values():
        for measure in measures:
            if measure.dimension != "word":
                assert f"\n  {measure.name}" in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--task", "steel"), "tasks are particles"),
        ((), "Say what is to be measured"),
        (("--task", "particles", "--wide"), "--wide is about the table"),
        (("--task", "particles", "--overlays", "o"), "these inputs are label maps"),
        (("--task", "particles", "--specimen", "("), "nor a regular expression"),
        (("--task", "particles", "--specimen", "zzz"), "no file has a specimen"),
        (("--task", "particles", "--min-diameter", "5"), "smallest diameter can't be '5'"),
        (("--task", "uhcs", "--rois", "r"), "no single particles"),
        (("--task", "particles", "--pixel-size", "0"), "not possible"),
        (("--task", "particles", "--pixel-size", "5000"), "not possible"),
        (("--task", "particles", "--workers", "0"), "0 is not in the range"),
        (("--task", "particles", "--workers", "2", "--scheduler", "tcp://x:1"), "not both"),
        (("--task", "uhcs", "--particles", "p.csv"), "no single particles"),
        (("--task", "particles", "--model", "absent.onnx"), "There is no model absent.onnx"),
        (("--task", "particles", "--model", ""), "The name of the model is empty"),
    ],
)
def test_wrong_usage_exits_with_2(maps, tmp_path, options, message):
    """Check each wrong option, and that nothing was begun."""
    out = () if "--wide" in options else ("--out", tmp_path / "out.csv")
    with contextlib.chdir(tmp_path):
        result = run(maps, *out, *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["maps"]


@pytest.mark.parametrize(("name", "code"), [("out.xls", 2), ("maps", 2), ("absent/out.csv", 1)])
def test_impossible_output_is_refused(maps, tmp_path, name, code):
    """Check an unknown format, a folder in the way and a missing folder."""
    assert run(maps, "--task", "particles", "--out", tmp_path / name).exit_code == code
    assert [p.name for p in tmp_path.iterdir()] == ["maps"]


def test_wrong_inputs_exit_with_2(tmp_path):
    """Check none at all, and one that is not there."""
    out = ("--task", "particles", "--out", tmp_path / "out.csv")
    assert "nothing to measure" in run(*out).stderr
    result = run(tmp_path / "absent", *out)
    assert (result.exit_code, "does not exist" in result.stderr) == (2, True)


def test_help_fits_80_columns():
    """Check the help text, which has examples."""
    text = run("--help").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "Examples:" in text


@pytest.mark.slow
def test_interrupt_of_parallel_work_can_be_resumed(tmp_path):
    """Check Ctrl-C in a terminal: exit code, message, no table; the same command does the rest."""
    n = 24
    for seed in range(n):
        label_maps.write_label_map(
            tmp_path / "maps" / f"{seed}.png", particle_map(seed, (200, 300))
        )
    # The last map takes seconds, so that the interrupt comes before the end.
    last = np.tile(particle_map(n, (200, 300)), (10, 10))
    label_maps.write_label_map(tmp_path / "maps" / "last.png", last)
    out, journal = tmp_path / "out.csv", tmp_path / "out.csv.journal"
    options = ("--task", "particles", "--out", str(out), "--workers", "2")
    command = [sys.executable, "-m", "uhcs_bench", "measure", str(tmp_path / "maps"), *options]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell lets what it starts in the background ignore the signal, tests too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while process.poll() is None and not (journal.exists() and journal.stat().st_size > 100):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130, stderr
    assert f"of {n + 1} files are measured and kept in {journal}" in stderr
    assert "Traceback" not in stderr
    assert not out.exists()
    result = run(tmp_path / "maps", *options[:-2])
    assert result.exit_code == 0, result.stderr
    assert "of them by an earlier run that was not finished" in result.stderr
    assert not journal.exists()
    assert run(tmp_path / "maps", "--task", "particles", "--out", tmp_path / "b.csv").exit_code == 0
    assert out.read_bytes() == (tmp_path / "b.csv").read_bytes()


def started(tmp_path, n=6):
    """A run in two processes of maps that take seconds each; gives it when both work."""
    for seed in range(n):
        large = np.tile(particle_map(seed, (200, 300)), (10, 10))
        label_maps.write_label_map(tmp_path / "maps" / f"{seed}.png", large)
    options = ("--task", "particles", "--out", str(tmp_path / "out.csv"), "--workers", "2")
    process = subprocess.Popen(
        [sys.executable, "-m", "uhcs_bench", "measure", str(tmp_path / "maps"), *options],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while len(spawned(process.pid)) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return process


def spawned(pid):
    """Worker processes of a session; the resource tracker of multiprocessing is none."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            session = int((folder / "stat").read_text().rpartition(")")[2].split()[3])
            if session == pid and any(b"spawn_main" in word for word in words):
                found.append(int(folder.name))
    return found


def wait_until_gone(pid):
    """Wait until a session has no workers; a test that never ends is what a hang would be."""
    for _ in range(2400):
        if not spawned(pid):
            return
        time.sleep(0.05)
    pytest.fail(f"{spawned(pid)} are left")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent(tmp_path, kind):
    """Check that a parent that is killed leaves no process behind."""
    process = started(tmp_path)
    process.send_signal(kind)
    process.communicate()
    assert process.returncode == -kind
    wait_until_gone(process.pid)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_more_interrupts_end_the_command_too(tmp_path):
    """Check three interrupts, as an impatient user gives them: message, exit code, no process."""
    process = started(tmp_path)
    for _ in range(3):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.2)
        if process.poll() is not None:
            break
    _, stderr = process.communicate(timeout=120)
    # A shell shows 130 for both; the latter is an interrupt after the last message.
    assert process.returncode in (130, -signal.SIGINT), stderr
    assert "6 files are measured and kept in" in stderr
    assert "Traceback" not in stderr
    wait_until_gone(process.pid)


def test_one_of_several_images_is_chosen(tmp_path):
    """Check that a file of two is refused with the remedy, and that the remedy helps."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for seed in (0, 1):
            tiff.write(particle_map(seed), metadata=None)
    refused = run(tmp_path / "a.tif", "--task", "particles", "--model", "none")
    assert refused.exit_code == 1
    assert "holds 2 images; save the one that is meant alone" in refused.stderr
    refused = run(tmp_path / "a.tif", "--task", "particles", "--model", "otsu")
    assert "say which one is meant, --page 1 to 2" in refused.stderr
    counts = []
    for page in ("1", "2"):
        options = ("--task", "particles", "--model", "none", "--page", page)
        out = tmp_path / f"{page}.json"
        assert run(tmp_path / "a.tif", *options, "--wide", "--out", out).exit_code == 0
        counts.append(json.loads(out.read_text())["rows"][0]["n_particles"])
    expected = [len(particles.measure_particles(particle_map(seed))) for seed in (0, 1)]
    assert counts == expected
