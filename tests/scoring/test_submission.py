"""Reading submissions: every layout that is allowed, and every mistake with its remedy."""

from __future__ import annotations

import functools
import io
import os
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image

from uhcs_bench.data import dataset
from uhcs_bench.data.label_maps import write_label_map
from uhcs_bench.errors import SubmissionError, UsageError
from uhcs_bench.io import protection
from uhcs_bench.scoring.comparison import compare
from uhcs_bench.scoring.score import score_submissions
from uhcs_bench.scoring.submission import read_submission

read_synthetic = functools.partial(read_submission, version="synthetic")
PARTICLES = dataset.catalogue("particles", "synthetic")
MICROCONSTITUENTS = dataset.catalogue("microconstituents", "synthetic")
FIRST = PARTICLES[0]


def empty_maps(entries=PARTICLES):
    return {entry.id: np.zeros(entry.shape, np.uint8) for entry in entries}


def submit(folder, entries=PARTICLES, changes=None):
    """Write a valid submission, then change files to an array or bytes, or drop them (None)."""
    for name, labels in empty_maps(entries).items():
        write_label_map(folder / f"{name}.png", labels)
    for name, content in (changes or {}).items():
        path = folder / name
        if content is None:
            path.unlink()
        elif isinstance(content, bytes):
            path.write_bytes(content)
        elif path.suffix == ".npy":
            np.save(path, content)
        elif path.suffix == ".tif":
            tifffile.imwrite(path, content)
        else:
            Image.fromarray(content).save(path)
    return folder


def problems_of(*args, **kwargs):
    with pytest.raises(SubmissionError) as caught:
        read_synthetic(*args, **kwargs)
    return list(caught.value.problems)


def test_a_mapping_is_read():
    """Check maps in memory: task found by the ids, order that of the folds."""
    (submission,) = read_synthetic(dict(reversed(empty_maps().items())))
    assert submission.task.name == "particles"
    assert submission.version == "synthetic"
    assert submission.entries == PARTICLES
    assert set(submission.maps) == {entry.id for entry in PARTICLES}


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".npy", ".PNG"])
def test_every_format_is_read(tmp_path, suffix):
    """Check each format for one map."""
    labels = np.random.default_rng(0).integers(0, 2, FIRST.shape, np.uint8)
    folder = submit(tmp_path, changes={f"{FIRST.id}.png": None})
    path = folder / f"{FIRST.id}{suffix}"
    if suffix == ".npy":
        np.save(path, labels)
    else:
        Image.fromarray(labels).save(path)
    (submission,) = read_synthetic(folder)
    np.testing.assert_array_equal(submission.maps[FIRST.id], labels)


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.int8, np.bool_])
def test_any_whole_numbers_are_labels(dtype):
    """Check that the container's type is no matter, and that the result is uint8."""
    maps = empty_maps()
    maps[FIRST.id] = np.eye(*FIRST.shape).astype(dtype)
    (submission,) = read_synthetic(maps)
    assert submission.maps[FIRST.id].dtype == np.uint8
    np.testing.assert_array_equal(submission.maps[FIRST.id], np.eye(*FIRST.shape))


def test_both_tasks_are_read(tmp_path):
    """Check task folders, maps directly in the folder, and a mixture."""
    submit(tmp_path / "particles")
    submit(tmp_path, MICROCONSTITUENTS)
    names = [submission.task.name for submission in read_synthetic(tmp_path)]
    assert names == ["particles", "microconstituents"]
    (only,) = read_synthetic(tmp_path, task="uhcs")
    assert only.task.name == "microconstituents"


def test_a_fold_needs_its_own_maps_alone(tmp_path):
    """Check that four maps are enough for a fold, and that all 24 do no harm."""
    fold_2 = [entry for entry in PARTICLES if entry.fold == 2]
    for entries in (fold_2, PARTICLES):
        (submission,) = read_synthetic(submit(tmp_path, entries), fold=2)
        assert list(submission.entries) == fold_2


def test_other_files_are_no_matter(tmp_path):
    """Check that notes, records and hidden files are left alone."""
    submit(tmp_path, changes={"README.md": b"x", "record.json": b"{}", "._a.png": b"x"})
    (submission,) = read_synthetic(tmp_path)
    assert len(submission.maps) == 24


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (np.zeros((230, 256), np.uint8), "crop the 38-row data bar, label_map[:192]"),
        (np.zeros((256, 192), np.uint8), "transpose"),
        (np.zeros((96, 128), np.uint8), "nearest neighbours"),
        (np.dstack([np.eye(192, 256, k, dtype=np.uint8) for k in range(3)]), "colour image"),
        (np.eye(192, 256, dtype=np.uint8) * 255, "0/255 mask, but 255 is not a class"),
        (np.eye(192, 256, dtype=np.uint8) + 1, "start at 1, subtract 1"),
        (np.full((192, 256), 2, np.uint8), "the value 2 at row 0, column 0, and 49152 such pixels"),
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n", "not an image"),
    ],
)  # fmt: skip
def test_wrong_pngs(tmp_path, change, expected):
    """Check that each mistake in an image file is named with its remedy."""
    folder = submit(tmp_path, changes={f"{FIRST.id}.png": change})
    (problem,) = problems_of(folder)
    assert problem.startswith(f"{FIRST.id}.png: ")
    assert expected in problem


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (np.zeros(FIRST.shape), "float64 values"),
        (np.full(FIRST.shape, np.nan), "NaN in 49152 pixels"),
        (np.full(FIRST.shape, -1), "the value -1 at row 0, column 0"),
        (np.full(FIRST.shape, 1000), "the value 1000"),
        (np.full(FIRST.shape, 256, np.uint16), "the value 256"),
        (np.ma.masked_equal(np.zeros(FIRST.shape, int), 0), "masked array"),
        (np.zeros((2, *FIRST.shape)), "argmax"),
        (np.zeros(FIRST.shape, complex), "complex128 values"),
        (np.full(FIRST.shape, "a"), "str"),
        (np.array(["a", {}], object), "shape (2)"),
    ],
)
def test_wrong_arrays(change, expected):
    """Check that each mistake in an array is named with its remedy."""
    (problem,) = problems_of({**empty_maps(), FIRST.id: change})
    assert problem.startswith(f"{FIRST.id}: ")
    assert expected in problem


@pytest.mark.parametrize("form", ["palette", "equal planes", "gray with alpha"])
def test_other_forms_of_one_gray_image_are_read(tmp_path, form):
    """Check that the indices of a palette, and planes that are equal, count as the labels."""
    folder = submit(tmp_path)
    labels = np.eye(*FIRST.shape, dtype=np.uint8)
    image = Image.fromarray(labels)
    if form == "palette":
        image.putpalette([0, 0, 0, 250, 120, 10])
    else:
        image = image.convert("RGB" if form == "equal planes" else "LA")
    image.save(folder / f"{FIRST.id}.png")
    (submission,) = read_synthetic(folder)
    np.testing.assert_array_equal(submission.maps[FIRST.id], labels)


@pytest.mark.parametrize("shape", [(1, *FIRST.shape), (*FIRST.shape, 1)])
def test_axes_of_length_one_are_dropped(tmp_path, shape):
    """Check arrays and array files."""
    labels = np.eye(*FIRST.shape, dtype=np.uint8)
    (submission,) = read_synthetic({**empty_maps(), FIRST.id: labels.reshape(shape)})
    np.testing.assert_array_equal(submission.maps[FIRST.id], labels)
    folder = submit(tmp_path, changes={f"{FIRST.id}.png": None})
    np.save(folder / f"{FIRST.id}.npy", labels.reshape(shape))
    (submission,) = read_synthetic(folder)
    np.testing.assert_array_equal(submission.maps[FIRST.id], labels)


@pytest.mark.parametrize("name", ["JPEG", "AVIF", "GIF", "WEBP", "BMP"])
def test_formats_for_photographs_are_refused(tmp_path, name):
    """Check that no format but PNG, TIFF and NPY passes under the name of one of them."""
    stream = io.BytesIO()
    try:
        Image.fromarray(np.eye(*FIRST.shape, dtype=np.uint8)).save(stream, name)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow does not write {name}")
    (problem,) = problems_of(submit(tmp_path, changes={f"{FIRST.id}.png": stream.getvalue()}))
    assert name in problem
    assert "as PNG" in problem


def test_paths_are_text_or_begin_at_home(tmp_path, monkeypatch):
    """Check a folder as text and below ~, and single maps by their paths."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = submit(tmp_path / "preds")
    paths = {entry.id: f"~/preds/{entry.id}.png" for entry in PARTICLES}
    for predictions in (str(folder), "~/preds", paths):
        (submission,) = read_synthetic(predictions)
        assert len(submission.maps) == 24


def test_archives_are_to_be_unpacked(tmp_path):
    """Check the remedy for a zip."""
    (tmp_path / "preds.zip").write_bytes(b"PK")
    (problem,) = problems_of(tmp_path / "preds.zip")
    assert "is an archive: unpack it" in problem


def test_pickled_arrays_are_refused(tmp_path):
    """Check that an object array is named, not loaded."""
    folder = submit(tmp_path, changes={f"{FIRST.id}.png": None})
    np.save(folder / f"{FIRST.id}.npy", np.array([{}]), allow_pickle=True)
    (problem,) = problems_of(folder)
    assert "never loaded" in problem


def test_other_formats_are_named(tmp_path):
    """Check that a JPEG is not overlooked."""
    problems = problems_of(
        submit(tmp_path, changes={f"{FIRST.id}.png": None, f"{FIRST.id}.jpg": b"x"})
    )
    assert any(".jpg is not read" in problem for problem in problems)


def test_two_files_for_one_micrograph(tmp_path):
    """Check that neither is taken silently."""
    (problem,) = problems_of(
        submit(tmp_path, changes={f"{FIRST.id}.npy": np.zeros(FIRST.shape, int)})
    )
    assert f"{FIRST.id}.npy and {FIRST.id}.png are both maps of {FIRST.id}" in problem


def linked(tmp_path, target):
    """A submission whose first map is a link."""
    folder = submit(tmp_path / "preds", changes={f"{FIRST.id}.png": None})
    write_label_map(tmp_path / "elsewhere.png", np.zeros(FIRST.shape, np.uint8))
    write_label_map(folder / ".store" / "inside.png", np.zeros(FIRST.shape, np.uint8))
    (tmp_path / "second.png").symlink_to("elsewhere.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "text.png").write_text("no picture")
    os.mkfifo(tmp_path / "pipe.png")
    (folder / f"{FIRST.id}.png").symlink_to(target)
    return folder


LINKS = {
    "../elsewhere.png": ("leads out of the folder", ""),
    "../second.png": ("leads out of the folder", ""),
    ".store/inside.png": ("", ""),
    "../nowhere.png": ("leads nowhere", "leads nowhere"),
    f"{FIRST.id}.png": ("leads nowhere", "leads nowhere"),
    "../folder.png": ("is no file", "is no file"),
    "../pipe.png": ("is no file", "is no file"),
    "/dev/zero": ("is no file", "is no file"),
    "../text.png": ("leads out of the folder", "known format"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.slow
@pytest.mark.parametrize("target", LINKS)
def test_links(tmp_path, target):
    """Check links by what they lead to, without and with the option."""
    folder = linked(tmp_path, target)
    for follow_links, refusal in zip((False, True), LINKS[target], strict=True):
        if refusal:
            problems = problems_of(folder, follow_links=follow_links)
            assert any(refusal in problem for problem in problems)
            said = any("--follow-links" in problem for problem in problems)
            assert said == (refusal == "leads out of the folder")
        else:
            (submission,) = read_synthetic(folder, follow_links=follow_links)
            assert not submission.maps[FIRST.id].any()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_files_that_links_lead_to_are_inputs(tmp_path):
    """Check that no output replaces one, not even with force."""
    folder = linked(tmp_path, "../elsewhere.png")
    with protection.protecting([folder], force=True):
        protection.check(tmp_path / "elsewhere.png")
        read_synthetic(folder, follow_links=True)
        with pytest.raises(protection.ProtectedFileError, match="is an input"):
            protection.check(tmp_path / "elsewhere.png")
    read_synthetic(folder, follow_links=True)
    with protection.protecting([], force=True):
        protection.check(tmp_path / "elsewhere.png")


def test_missing_maps_are_listed_together():
    """Check that all missing micrographs stand in one sentence."""
    maps = empty_maps()
    del maps[PARTICLES[3].id], maps[PARTICLES[9].id]
    (problem,) = problems_of(maps)
    assert f"2 of 24 micrographs ({PARTICLES[3].id}, {PARTICLES[9].id})" in problem


def test_a_single_fold_is_recognised():
    """Check that someone who handed in one fold is told the option."""
    maps = empty_maps([e for e in PARTICLES if e.fold == 3])
    (problem,) = problems_of(maps, of_parts=True)
    assert "say --fold 3" in problem
    (problem,) = problems_of(maps)
    assert "those of fold 3 are all there" in problem
    assert "--fold" not in problem


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("micrograph6", "uhcs0006"),
        ("micrograph1648", "uhcs1648"),
        ("uhcs6", "uhcs0006"),
        ("UHCS0006", "uhcs0006"),
        ("uhcs0006_pred", "uhcs0006"),
        ("train_800C-24H-Q-2_sizeRC_484_645", "800C-24H-Q-2"),
        ("800c_24h_q_2", "800C-24H-Q-2"),
        ("800C-24HQ-2", "800C-24H-Q-2"),
    ],
)
def test_misspelt_ids_are_recognised(name, meant):
    """Check that the right id is suggested, and not reported as missing as well."""
    with pytest.raises(SubmissionError) as caught:
        read_submission({name: np.zeros((2, 2), int)})
    problems = caught.value.problems
    assert problems[0] == f"{name}: there is no micrograph {name}; did you mean {meant}? Rename it"
    assert meant not in problems[1]
    assert "23 of 24" in problems[1]


def test_unknown_ids_are_listed(tmp_path):
    """Check that a file that is like no id is reported, and suggests none."""
    (problem,) = problems_of(submit(tmp_path, changes={"holiday.png": b"x"}))
    assert problem.startswith("holiday.png: there is no micrograph of this name")


def test_ids_of_another_version_are_recognised():
    """Check that a synthetic submission is not scored as a real one, and says how to score it."""
    with pytest.raises(SubmissionError) as caught:
        read_submission(empty_maps())
    (problem,) = caught.value.problems
    assert "say --dataset-version synthetic (version='synthetic' in Python)" in problem
    assert problem.startswith(f"{', '.join([*empty_maps()][:3])} and 21 others: ")


def test_a_missing_file_of_a_mapping_is_named_with_its_id():
    """Check that the error holds the path that was given, and no id twice."""
    maps = {entry.id: f"no/such-{entry.id}.png" for entry in PARTICLES}
    with pytest.raises(SubmissionError) as caught:
        read_submission(maps, version="synthetic")
    (problem,) = caught.value.problems
    first = PARTICLES[0].id
    assert problem.startswith(f"{first} (no/such-{first}.png), ")
    assert problem.endswith(" and 21 others: is not there; check its name and folder")


def test_a_mapping_is_not_spoken_to_as_a_folder():
    """Check that no message for maps in memory tells to move or rename files."""
    for maps in ({}, {"abc": np.zeros((2, 2), int)}):
        with pytest.raises(SubmissionError) as caught:
            read_submission(maps)
        assert not re.search("file|folder", str(caught.value))


def test_a_map_in_the_other_tasks_folder(tmp_path):
    """Check that a map in the wrong folder is told where it belongs."""
    submit(tmp_path / "microconstituents", MICROCONSTITUENTS)
    (tmp_path / "microconstituents" / f"{MICROCONSTITUENTS[0].id}.png").rename(
        tmp_path / f"{MICROCONSTITUENTS[0].id}.png"
    )
    submit(tmp_path / "particles")
    read_synthetic(tmp_path)
    stray = tmp_path / "microconstituents" / f"{FIRST.id}.png"
    (tmp_path / "particles" / f"{FIRST.id}.png").rename(stray)
    problems = problems_of(tmp_path)
    assert (
        f"microconstituents/{FIRST.id}.png: {FIRST.id} belongs to particles; move it there"
        in problems
    )


def test_all_problems_are_reported_together(tmp_path):
    """Check that one run shows everything that is wrong."""
    ids = [entry.id for entry in PARTICLES]
    folder = submit(
        tmp_path,
        changes={
            f"{ids[0]}.png": None,
            f"{ids[1]}.png": np.zeros((2, 2), np.uint8),
            f"{ids[2]}.png": np.full(FIRST.shape, 9, np.uint8),
            f"{ids[3]}.npy": np.zeros(FIRST.shape, int),
            "holiday.png": b"x",
        },
    )
    text = "\n".join(problems_of(folder))
    for expected in (
        f"1 of 24 micrographs ({ids[0]})",
        f"{ids[1]}.png",
        f"{ids[2]}.png",
        f"both maps of {ids[3]}",
        "holiday.png",
    ):
        assert expected in text


@pytest.mark.parametrize("nothing", ["empty", "absent", "file"])
def test_nothing_to_score(tmp_path, nothing):
    """Check an empty folder, one that does not exist, and a file in its place."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    (problem,) = problems_of(tmp_path / nothing)
    assert "one label map for each micrograph" in problem


def test_an_empty_mapping():
    """Check that no maps at all are an error, not a score."""
    (problem,) = problems_of({})
    assert "no label map" in problem


def test_ids_must_be_strings():
    """Check a mapping with other keys."""
    assert any("ids are strings" in problem for problem in problems_of({3: np.zeros((2, 2), int)}))


def real_maps(split):
    """Maps of the real particle micrographs of a split, all matrix."""
    return {e.id: np.zeros(e.shape, int) for e in dataset.catalogue("particles", split=split)}


def test_a_split_needs_its_micrographs_alone():
    """Check that those it leaves out may be there or not, and that the rest may not be missing."""
    for maps in (real_maps("paper"), real_maps("clean")):
        for split in ("clean", "grouped"):
            (found,) = read_submission(maps, split=split)
            assert found.split == split
            assert len(found.entries) == len(found.maps) == 19
            assert found.entries == dataset.catalogue("particles", split=split)
    (found,) = read_submission(real_maps("clean"), fold=3, split="grouped")
    assert [entry.id for entry in found.entries] == ["800C-8H-Q-4", "800C-8H-Q-1", "800C-8H-Q-3"]
    incomplete = real_maps("clean")
    del incomplete["800C-8H-Q-4"]
    with pytest.raises(SubmissionError, match=r"1 of 19 micrographs \(800C-8H-Q-4\)"):
        read_submission(incomplete, split="grouped")


def test_a_whole_split_is_recognised():
    """Check that someone who trained on another split than is scored is told the option."""
    with pytest.raises(SubmissionError) as caught:
        read_submission(real_maps("clean"))
    (problem,) = caught.value.problems
    assert "5 of 24 micrographs" in problem
    assert "800C-24H-Q-1, 800C-24H-Q-2" in problem
    assert "say --split clean or --split grouped" in problem


def test_folds_are_those_of_the_tasks_in_the_split():
    """Check that a fold which only the other task has is told before maps are."""
    with pytest.raises(UsageError, match=r"no fold 5 in split grouped of particles.*are 0 to 4"):
        read_submission(real_maps("clean"), fold=5, split="grouped")
    network = {e.id: np.zeros(e.shape, int) for e in dataset.catalogue("uhcs", split="grouped")}
    (found,) = read_submission(network, fold=5, split="grouped")
    assert len(found.entries) == 3


@pytest.mark.parametrize(
    "wrong", [{"task": "steel"}, {"fold": 6}, {"version": "0"}, {"split": "random"}]
)
def test_wrong_arguments_are_usage_errors(wrong):
    """Check that a wrong task, fold, version or split is told from a wrong submission."""
    with pytest.raises(UsageError):
        read_submission({}, **wrong)


def test_written_maps_read_back(tmp_path):
    """Check the writer: folders made, pixels kept, nothing left over, an older file replaced."""
    labels = np.random.default_rng(0).integers(0, 4, (7, 5), np.uint8)
    path = tmp_path / "a" / "b" / "map.png"
    write_label_map(path, 0 * labels)
    write_label_map(path, labels)
    with Image.open(path) as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.array(image), labels)
    assert [p.name for p in path.parent.iterdir()] == ["map.png"]


def test_a_failed_write_leaves_nothing(tmp_path):
    """Check that an exception while writing leaves no half file."""
    with pytest.raises(TypeError):
        write_label_map(tmp_path / "map.png", np.zeros((2, 2, 2, 2), int))
    assert list(tmp_path.iterdir()) == []


def test_names_of_files_do_not_act_on_a_terminal(tmp_path):
    """Check that a control character in a file's name is shown and not printed."""
    (tmp_path / "a\x1b[31mb.png").touch()
    with pytest.raises(SubmissionError) as caught:
        read_submission(tmp_path)
    assert "\x1b" not in str(caught.value)
    assert r"a\u001b[31mb.png" in str(caught.value)


@pytest.mark.parametrize(
    ("runs", "advice"),
    [
        (["runs/1"], "it has a run: give {}/runs/1"),
        (["runs/1", "runs/b"], "it has 2 runs: give one of {0}/runs/1, {0}/runs/b"),
    ],
)
@pytest.mark.parametrize("split", ["paper", "clean"])
def test_the_folder_of_an_entry_whose_maps_are_in_its_runs(tmp_path, runs, advice, split):
    """Check that the runs are named, whatever the split, and that each of them can be read."""
    (tmp_path / "entry.yaml").write_text("split: clean\n")
    for run in runs:
        submit(tmp_path / run / "particles")
    (tmp_path / "runs" / "empty").mkdir()
    (problem,) = problems_of(tmp_path, split=split)
    assert problem == f"there is no label map in it, but {advice.format(tmp_path)}"
    (submission,) = read_synthetic(tmp_path / runs[0], split="clean")
    assert (submission.training_split, submission.other_runs) == ("clean", ())
    (problem,) = problems_of(tmp_path / runs[0], split="grouped")
    assert "entry.yaml beside the maps states" in problem


def test_maps_beside_further_runs_are_one_run_of_several(tmp_path):
    """Check that the runs beside an entry's own maps are known, and that score and page say so."""
    submit(tmp_path / "particles")
    submit(tmp_path / "runs" / "seed-1" / "particles")
    assert read_synthetic(tmp_path)[0].other_runs == ()  # a folder of runs, but of no entry
    (tmp_path / "entry.yaml").write_text("split: paper\n")
    submissions = read_synthetic(tmp_path)
    assert submissions[0].other_runs == ("runs/seed-1",)
    report = score_submissions(submissions)
    assert "One run of 2" in report.to_text()
    assert report.to_dict()["other_runs"] == ("runs/seed-1",)
    compared = compare({"a": report, "b": replace(report, other_runs=())})
    assert compared.other_runs == {"a": ("runs/seed-1",)}
    assert "a: one run of 2" in compared.to_text()
    assert "not compared: runs/seed-1." in " ".join(compared.to_text().split())
    assert "b: one run" not in compared.to_text()
