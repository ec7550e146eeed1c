"""Many files: inputs, resuming, failures, and the same bytes wherever the work is done."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import tifffile
from PIL import Image

import uhcs_bench
from tests.helpers.particle_maps import particle_map, write_maps
from uhcs_bench import executors
from uhcs_bench.data import label_maps
from uhcs_bench.errors import UsageError
from uhcs_bench.io import installed_code
from uhcs_bench.io.atomic import UnwritableError
from uhcs_bench.measuring import batch, inputs, jobs, journal
from uhcs_bench.metallography import particles

PARTICLES = jobs.Options("particles")
NETWORK = jobs.Options("microconstituents")


@pytest.fixture
def folder(tmp_path):
    """Eight label maps in a folder."""
    return write_maps(tmp_path / "maps", 8)


def outputs_of(out, particles=None, plots=None, **more):
    folders = {} if plots is None else {"plots": plots}
    return batch.Outputs(out, wide=True, particles=particles, folders=folders | more)


def measure(folder, out, *arguments, options=PARTICLES, maps=None, **more):
    files = inputs.find([folder], options.task).files
    folders = {} if maps is None else {"maps": maps}
    return batch.run(files, options, outputs_of(out, *arguments, **folders), **more)


def rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def measured(monkeypatch):
    """Names of the files that this process measures."""
    names = []
    original = jobs.do

    def counted(job):
        names.append(Path(job.path).name)
        return original(job)

    monkeypatch.setattr(jobs, "do", counted)
    return names


def test_each_file_has_a_row_in_the_inputs_order(folder, tmp_path):
    """Check a run: rows, their order whatever the inputs' is, and the summary."""
    files = [folder / f"map{n}.png" for n in (5, 0, 7)]
    summary = batch.run(files, PARTICLES, outputs_of(tmp_path / "out.csv"))
    assert (summary.n_inputs, summary.n_from_journal) == (3, 0)
    assert [row["pixel_size_um"] for row in summary.rows] == [None] * 3
    assert (summary.warnings, summary.failures, summary.journal) == ((), (), None)
    found = rows(tmp_path / "out.csv")
    assert [r["file"] for r in found] == [str(file) for file in files]
    for row, seed in zip(found, (5, 0, 7), strict=True):
        expected = particles.measure_particles(particle_map(seed))
        assert int(row["n_particles"]) == len(expected)
        assert row["diameter_mean_um"] == ""
        assert row["pixel_size_source"] == "none: the file holds no pixel size"


def test_pixel_size_from_the_files_themselves(tmp_path):
    """Check files with different headers in one run, and a warning for an absurd one."""
    labels = particle_map(0)
    resolution = {"resolutionunit": "CENTIMETER", "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", labels, resolution=(2e5, 2e5), **resolution)
    resolution["resolutionunit"] = "MICROMETER"
    tifffile.imwrite(tmp_path / "b.tif", labels, resolution=(1e9, 1e9), **resolution)
    np.save(tmp_path / "c.npy", labels)
    summary = measure(tmp_path, tmp_path / "out.csv")
    assert [row["pixel_size_um"] for row in summary.rows].count(None) == 2
    [(file, warning)] = summary.warnings
    assert file.endswith("b.tif")
    assert "which no pixel has" in warning
    sizes = [r["pixel_size_um"] for r in rows(tmp_path / "out.csv")]
    assert sizes == ["0.05", "", ""]
    measure(tmp_path, tmp_path / "out.csv", options=jobs.Options("particles", 0.25))
    sizes = [r["pixel_size_um"] for r in rows(tmp_path / "out.csv")]
    assert sizes == ["0.25", "0.25", "0.25"]


@pytest.mark.parametrize("form", ["json", "parquet"])
def test_other_formats_hold_the_same(folder, tmp_path, form):
    """Check rows against CSV, and versions and units beside them."""
    measure(folder, tmp_path / "out.csv")
    measure(folder, tmp_path / f"out.{form}")
    if form == "json":
        table = json.loads((tmp_path / "out.json").read_text("utf-8"))
        found, notes = table["rows"], table
        assert table["units"]["diameter_mean_um"] == "um"
    else:
        table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
        found, notes = table.to_pylist(), json.loads(table.schema.metadata[b"uhcs_bench"])
        assert table.schema.field("diameter_mean_um").metadata[b"unit"] == b"um"
    assert notes["versions"]["uhcs_bench"] == uhcs_bench.__version__
    as_text = [{k: "" if v is None else str(v) for k, v in row.items()} for row in found]
    assert as_text == rows(tmp_path / "out.csv")


def test_table_of_particles(folder, tmp_path):
    """Check the second table: as many rows for each file as it has particles."""
    measure(folder, tmp_path / "out.csv", tmp_path / "particles.parquet")
    found = pyarrow.parquet.read_table(tmp_path / "particles.parquet").to_pylist()
    for row, seed in zip(rows(tmp_path / "out.csv"), range(8), strict=True):
        table = particles.measure_particles(particle_map(seed)).table
        own = [r for r in found if r["file"] == row["file"]]
        assert [r["particle"] for r in own] == list(range(1, len(table) + 1))
        assert [r["area_px"] for r in own] == table["area_px"].tolist()
        assert [r["row"] for r in own] == pytest.approx(table["row"].tolist(), rel=1e-5)
        assert {r["area_um2"] for r in own} == {None}


@pytest.fixture
def unfinished(folder, tmp_path):
    """A run of eight maps and a broken file, so that its journal stays; then the file is gone."""
    (folder / "z.png").write_bytes(b"")
    measure(folder, tmp_path / "out.csv", tmp_path / "particles.csv", maps=tmp_path / "found")
    (folder / "z.png").unlink()
    return tmp_path / "out.csv"


def test_the_journal_goes_when_all_is_done(folder, tmp_path, measured):
    """Check that a finished run leaves none, and that the next one measures everything again."""
    out, journal_file = tmp_path / "out.json", tmp_path / "out.json.journal"
    (folder / "z.png").write_bytes(b"")
    assert measure(folder, out).journal == journal_file
    assert journal_file.is_file()
    (folder / "z.png").unlink()
    assert measure(folder, out).n_from_journal == 8
    assert not journal_file.exists()
    before = out.read_bytes()
    measured.clear()
    assert measure(folder, out).n_from_journal == 0
    assert len(measured) == 8
    assert out.read_bytes() == before


def exchange_keeping_time_and_size(path, seed):
    """Write another map of the same length and time under a name."""
    before = path.stat()
    np.save(path, particle_map(seed))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


CHANGES = {
    "nothing": (lambda _: None, {}, []),
    "an exchanged file of the same size and time": (
        lambda folder: exchange_keeping_time_and_size(folder / "array.npy", 30),
        {},
        ["array.npy"],
    ),
    "a new file": (
        lambda folder: label_maps.write_label_map(folder / "new.png", particle_map(9)),
        {},
        ["new.png"],
    ),
    "a text beside a file, where the pixel size may stand": (
        lambda folder: (folder / "map3.txt").write_text("$$SM_MICRON_BAR 100"),
        {},
        ["map3.png"],
    ),
    "a lost output": (
        lambda folder: (folder.parent / "found" / "map2.png").unlink(),
        {},
        ["map2.png"],
    ),
    "another pixel size": (lambda _: None, {"pixel_size_um": 0.1}, None),
    "another smallest diameter": (lambda _: None, {"min_diameter": "3px"}, None),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_only_what_has_changed_is_measured_again(folder, tmp_path, measured, change):
    """Check that identity is content, for inputs, outputs and options."""
    act, options, expected = CHANGES[change]
    np.save(folder / "array.npy", particle_map(20))
    (folder / "z.png").write_bytes(b"")
    places, maps = (tmp_path / "out.csv", tmp_path / "particles.csv"), tmp_path / "found"
    measure(folder, *places, maps=maps)
    (folder / "z.png").unlink()
    measured.clear()
    act(folder)
    measure(folder, *places, options=jobs.Options("particles", **options), maps=maps)
    assert measured == expected if expected is not None else len(measured) == 9
    found = tuple(path.read_bytes() for path in places)
    fresh = tmp_path / "fresh.csv", tmp_path / "fresh particles.csv"
    measure(folder, *fresh, options=jobs.Options("particles", **options))
    assert found == tuple(path.read_bytes() for path in fresh)


@pytest.mark.slow
def test_a_flipped_bit_in_the_journal_changes_no_table(folder, unfinished, tmp_path):
    """Check each of many bits: the table is the same, or the journal is refused by name."""
    journal_file = tmp_path / "out.csv.journal"
    whole = journal_file.read_bytes()
    expected = unfinished.read_bytes()
    n_again = 0
    for position in np.random.default_rng(0).integers(21, len(whole), 12):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(position) % 8
        journal_file.write_bytes(damaged)
        summary = measure(folder, unfinished, tmp_path / "particles.csv")
        n_again += summary.n_unreadable
        assert unfinished.read_bytes() == expected
    assert n_again >= 12


def test_other_code_measures_everything_again(folder, unfinished, measured, monkeypatch):
    """Check that a journal of other code, even of the same version number, counts for nothing."""
    monkeypatch.setattr(installed_code, "version_and_hash", lambda: "0.1.0+other")
    measure(folder, unfinished)
    assert len(measured) == 8


def test_worker_with_other_code_is_refused_by_name(folder, tmp_path, monkeypatch):
    """Check a result that says it was made by another version."""
    original = jobs.do

    def other(job):
        return dataclasses.replace(original(job), code="0.0.9+abc")

    monkeypatch.setattr(jobs, "do", other)
    with pytest.raises(executors.ClusterError, match=r"A worker has uhcs-bench 0\.0\.9\+abc"):
        measure(folder, tmp_path / "out.csv")


def test_an_interrupted_run_keeps_what_is_done(folder, tmp_path, monkeypatch, measured):
    """Check Ctrl-C after three files: message, no table, and only the rest in the next run."""
    measure(folder, tmp_path / "whole.csv")
    measured.clear()
    add = journal.Journal.add

    def add_three(self, *arguments):
        if len(measured) > 3:
            raise KeyboardInterrupt
        add(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "add", add_three)
        with pytest.raises(batch.InterruptedRunError, match="3 of 8 files") as caught:
            measure(folder, tmp_path / "out.csv")
    assert caught.value.exit_code == 130
    assert not (tmp_path / "out.csv").exists()
    measured.clear()
    assert measure(folder, tmp_path / "out.csv").n_from_journal == 3
    assert measured == [f"map{n}.png" for n in range(3, 8)]
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def break_files(folder):
    """Put files there that can't be measured; give a part of each's message."""
    (folder / "map1.png").write_bytes((folder / "map1.png").read_bytes()[:100])
    Image.fromarray(particle_map(0) * 255).save(folder / "map2.png")
    Image.new("RGB", (5, 5), "red").save(folder / "map4.png")
    (folder / "map5.png").write_bytes(b"")
    np.save(folder / "z1.npy", np.zeros((4, 4)))
    np.save(folder / "z2.npy", np.zeros((0, 4), np.uint8))
    np.save(folder / "z3.npy", np.zeros((4, 4, 4), np.uint8))
    (folder / "z4.png").symlink_to(folder / "nowhere.png")
    return {
        "map1.png": "can't be decoded",
        "map2.png": "is a 0/255 mask",
        "map4.png": "is a colour image",
        "map5.png": "is empty",
        "z1.npy": "holds float64 values",
        "z2.npy": "holds no pixels",
        "z3.npy": "has the shape (4, 4, 4)",
        "z4.png": "is not there",
    }


def test_bad_files_do_not_stop_the_rest(folder, tmp_path, measured):
    """Check that each is listed with its reason, and tried again next time."""
    expected = break_files(folder)
    summary = measure(folder, tmp_path / "out.json")
    failures = {Path(file).name: error for file, error in summary.failures}
    assert list(failures) == list(expected)
    for name, part in expected.items():
        assert part in failures[name]
    table = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert [r["id"] for r in table["rows"]] == ["map0", "map3", "map6", "map7"]
    assert [f["file"] for f in table["failed"]] == [file for file, _ in summary.failures]
    measured.clear()
    (folder / "map5.png").unlink()
    label_maps.write_label_map(folder / "map5.png", particle_map(5))
    again = measure(folder, tmp_path / "out.json")
    assert sorted(measured) == sorted(expected)
    assert len(again.failures) == len(expected) - 1


def test_one_pixel_and_empty_maps(tmp_path):
    """Check that the smallest maps have rows with reasons in both tasks."""
    for name, labels in (("one", [[1]]), ("empty", np.zeros((50, 50))), ("full", np.ones((9, 9)))):
        np.save(tmp_path / f"{name}.npy", np.asarray(labels, np.uint8))
    for options in (PARTICLES, NETWORK):
        out = tmp_path / f"{options.task}.csv"
        plots = tmp_path / f"plots of {options.task}"
        assert measure(tmp_path, out, None, plots, options=options).failures == ()
        assert len(list(plots.iterdir())) == 4
        assert all(row["reason"] for row in rows(out))


@pytest.mark.skipif(os.name != "posix" or sys.platform == "darwin", reason="names are Unicode here")
@pytest.mark.slow
def test_names_that_are_no_unicode(tmp_path):
    """Check that a name in another encoding is measured, with a mark for what can't be written."""
    for name in ("$x_^$µ.png", os.fsdecode(b"\xe4.png")):
        label_maps.write_label_map(tmp_path / "maps" / "m.png", particle_map(0))
        (tmp_path / "maps" / "m.png").rename(tmp_path / "maps" / name)
    for form in ("parquet", "json", "csv"):
        out = tmp_path / f"out.{form}"
        summary = measure(tmp_path / "maps", out, tmp_path / f"all.{form}", tmp_path / "plots")
        assert (summary.n_inputs, summary.failures) == (2, ())
    assert {row["id"] for row in rows(tmp_path / "out.csv")} == {"\ufffd", "$x_^$µ"}
    assert (tmp_path / "plots" / "$x_^$µ.png").is_file()


def test_the_longest_names_get_plots_too(tmp_path):
    """Check a map whose name leaves no room for that of a temporary file."""
    label_maps.write_label_map(tmp_path / "maps" / "m.png", particle_map(0))
    (tmp_path / "maps" / "m.png").rename(tmp_path / "maps" / f"{'m' * 251}.png")
    summary = measure(tmp_path / "maps", tmp_path / "out.csv", None, tmp_path / "plots")
    assert summary.failures == ()
    assert (tmp_path / "plots" / f"{'m' * 251}.png").is_file()


@pytest.mark.slow
def test_inputs_of_one_name_are_kept_apart(tmp_path):
    """Check rows and plots of files with the same name, and of one named like the overview."""
    names = ("a/x.png", "b/x.png", "b/x.npy", "c/b_x.png.png", "c/overview.png")
    files = [tmp_path / name for name in names]
    for seed, file in enumerate(files):
        file.parent.mkdir(exist_ok=True)
        if file.suffix == ".npy":
            np.save(file, particle_map(seed))
        else:
            label_maps.write_label_map(file, particle_map(seed))
    batch.run(files, PARTICLES, outputs_of(tmp_path / "out.csv", None, tmp_path / "plots"))
    found = rows(tmp_path / "out.csv")
    assert [r["file"] for r in found] == [str(file) for file in files]
    expected = [len(particles.measure_particles(particle_map(seed))) for seed in range(5)]
    assert [int(r["n_particles"]) for r in found] == expected
    assert len(list((tmp_path / "plots").iterdir())) == 6


def test_outputs_that_do_not_fit(folder, tmp_path):
    """Check one name for two tables, particles of a map without, and a folder that is not there."""
    out = tmp_path / "out.csv"
    with pytest.raises(UsageError, match="can't hold two outputs"):
        measure(folder, out, out)
    with pytest.raises(UsageError, match="no single particles in microconstituents"):
        measure(folder, out, tmp_path / "p.csv", options=NETWORK)
    with pytest.raises(UnwritableError, match=r"Can't write .*Make the folder"):
        measure(folder, tmp_path / "absent" / "out.csv")
    assert not out.exists()


def outputs(folder, place, pool=None, plots=None):
    """Bytes of all that a run writes."""
    place.mkdir()
    summary = measure(folder, place / "out.csv", place / "particles.json", plots, pool=pool)
    assert summary.n_from_journal == 0
    files = sorted(p for p in place.rglob("*") if p.is_file() and p.suffix != ".journal")
    return {str(p.relative_to(place)): p.read_bytes() for p in files}


@pytest.mark.slow
def test_processes_give_the_same_bytes(folder, tmp_path):
    """Check both tables and all plots, bad files among the inputs."""
    n_bad = len(break_files(folder))
    found = []
    for name, pool in (("serial", None), ("parallel", executors.processes(2))):
        found.append(outputs(folder, tmp_path / name, pool, tmp_path / name / "plots"))
    assert found[0] == found[1]
    assert len(found[0]) == 2 + len(list(folder.iterdir())) - n_bad + 1


@pytest.mark.slow
def test_cluster_with_a_killed_worker_gives_the_same_bytes(folder, tmp_path, monkeypatch):
    """Check a real Dask cluster of three processes, one of which is killed while it works."""
    distributed = pytest.importorskip("distributed")
    for seed in range(8, 24):
        label_maps.write_label_map(folder / f"map{seed}.png", particle_map(seed, (200, 300)))
    (folder / "bad.png").write_bytes(b"")
    serial = outputs(folder, tmp_path / "serial")
    killed = []
    add = journal.Journal.add
    with (
        tempfile.TemporaryDirectory() as scratch,
        distributed.LocalCluster(
            n_workers=3,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            local_directory=scratch,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = {worker.pid for worker in cluster.workers.values()}

        def add_and_kill(self, *arguments):
            add(self, *arguments)
            busy = [worker for worker, tasks in client.processing().items() if tasks]
            if busy and not killed:
                killed.append(client.run(os.getpid, workers=busy[:1])[busy[0]])
                os.kill(killed[0], signal.SIGKILL)

        monkeypatch.setattr(journal.Journal, "add", add_and_kill)
        found = outputs(folder, tmp_path / "cluster", executors.cluster(cluster.scheduler_address))
    assert set(killed) <= pids
    assert len(killed) == 1
    assert found == serial


@pytest.mark.slow
def test_model_segments_micrographs_first(folder, tmp_path):
    """Check that the rows are those of what a thresholding network finds in each micrograph."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from uhcs_bench.segmentation.onnx_model import Description
    from uhcs_bench.segmentation.preprocessing import Preprocessing

    shape = [1, 1, "h", "w"]
    helper, float_, int_ = onnx.helper, onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    graph = helper.make_graph(
        [
            helper.make_node("Greater", ["image", "threshold"], ["above"]),
            helper.make_node("Cast", ["above"], ["whole"], to=int_),
            helper.make_node("Squeeze", ["whole", "channel"], ["labels"]),
        ],
        "threshold",
        [helper.make_tensor_value_info("image", float_, shape)],
        [helper.make_tensor_value_info("labels", int_, [1, "h", "w"])],
        [
            helper.make_tensor("threshold", float_, [], [0.5]),
            helper.make_tensor("channel", int_, [1], [1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    description = Description(
        classes=("matrix", "particle"), task="particles", preprocessing=Preprocessing()
    )
    helper.set_model_props(model, description.to_metadata())
    onnx.save(model, tmp_path / "model.onnx")
    images_folder = tmp_path / "images"
    images_folder.mkdir()
    for seed in range(3):
        gray = np.where(particle_map(seed), 200, 30).astype(np.uint8)
        Image.fromarray(gray).save(images_folder / f"map{seed}.png")
    (images_folder / "text.png").write_bytes(b"text")
    options = batch.options_with_model(tmp_path / "model.onnx", None, NETWORK)
    assert options.task == "particles"
    files = inputs.find([images_folder], options.task, micrographs=True).files
    places = outputs_of(tmp_path / "out.csv", maps=tmp_path / "found", overlays=tmp_path / "over")
    summary = batch.run(files, options, places, pool=executors.processes(2))
    assert [Path(file).name for file, _ in summary.failures] == ["text.png"]
    measure(folder, tmp_path / "maps.csv")
    found, expected = rows(tmp_path / "out.csv"), rows(tmp_path / "maps.csv")[:3]
    for row in (*found, *expected):
        del row["file"], row["segmentation"]
    assert found == expected
    for seed in range(3):
        found_map = np.asarray(Image.open(tmp_path / "found" / f"map{seed}.png"))
        np.testing.assert_array_equal(found_map, particle_map(seed))
        assert (tmp_path / "over" / f"map{seed}.png").is_file()
    with pytest.raises(UsageError, match="those of microconstituents are matrix, network"):
        batch.options_with_model(tmp_path / "model.onnx", "microconstituents", NETWORK)
