"""Entries of the leaderboard: what is valid, and what a hostile one does not get away with."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from jsonschema import Draft7Validator
from PIL import Image

from tests.helpers.entries import annotations, declared, noisy, write_entry
from uhcs_bench.data import label_maps
from uhcs_bench.errors import SubmissionError, UhcsBenchError, UsageError
from uhcs_bench.ranking.entries import create, declaration, entry
from uhcs_bench.scoring import training_record

FIRST = "synthetic-particles-00"


def compute(**changes):
    return declared()["compute"] | changes


def links(**changes):
    return declared()["links"] | changes


def chosen(**changes):
    return {"task": "particles", "folds": [0], "choice": "The size of windows"} | changes


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    return write_entry(tmp_path_factory.mktemp("entries") / "method")


@pytest.fixture
def folder(valid, tmp_path):
    """A valid entry of one's own."""
    return shutil.copytree(valid, tmp_path / "method")


@pytest.fixture
def bare(tmp_path):
    """An entry without maps, which is one problem more."""
    return write_entry(tmp_path / "method", {})


def problems(folder, content=None):
    """Problems of an entry, after its entry.yaml was replaced."""
    if content is not None:
        text = content if isinstance(content, bytes) else yaml.safe_dump(content).encode()
        (folder / "entry.yaml").write_bytes(text)
    with pytest.raises(declaration.EntryError) as caught:
        entry.read_entry(folder)
    assert caught.value.exit_code == 2
    return list(caught.value.problems)


def test_a_valid_entry(folder):
    """Check that everything is read, maps in the order of the folds."""
    (folder / "record.json").write_text("{}")
    found = entry.read_entry(folder)
    assert (found.slug, found.name, found.version, found.split) == (
        "method",
        "A method",
        "synthetic",
        "paper",
    )
    maps = found.tasks["particles"]
    assert maps.complete
    assert maps.folds == [0, 1, 2, 3, 4, 5]
    (run,) = maps.runs
    assert (run.folder, run.seeds) == (".", (0,))
    loaded = maps.load(run)
    assert list(loaded) == [micrograph.id for micrograph in maps.expected]
    np.testing.assert_array_equal(loaded[FIRST], annotations()[FIRST])


def test_the_schema_is_one():
    """Check the schema against the schema of schemas, and that it refuses every unknown key."""
    Draft7Validator.check_schema(declaration.schema())

    def objects(schema):
        if isinstance(schema, dict):
            if "properties" in schema and schema.get("type") == "object":
                yield schema
            for inner in schema.values():
                yield from objects(inner)

    found = list(objects(declaration.schema()))
    assert len(found) >= 6
    assert all(schema["additionalProperties"] is False for schema in found)


def test_all_problems_are_reported_at_once(folder):
    """Check one problem of each kind in one entry."""
    (folder / "particles" / f"{FIRST}.png").write_bytes(b"")
    (folder / "particles" / "synthetic-particles-01.png").unlink()
    (folder / "scores.csv").write_text("IU,99")
    (folder / "record.json").write_text("[1]")
    content = declared(
        scores={"IU": 0.99}, authors=[], date="2026-02-30", links={"code": "http://x.org"}
    )
    text = "\n".join(problems(folder, content))
    for part in (
        "scores.csv: does not belong",
        "record.json: is not a JSON object",
        "there is no key scores",
        "Scores are computed",
        "authors: goes beyond the limit (minItems 1)",
        "links: paper is missing",
        "links: weights is missing",
        "links.code: http://x.org has the wrong form (An https:// address, or null)",
        "date: there is no day 2026-02-30",
        f"particles/{FIRST}.png: is not a PNG file",
        "declared active, but 1 of 24 label maps are missing (folds 0)",
    ):
        assert part in text
    assert len(text.splitlines()) == 10, text


@pytest.mark.parametrize("key", sorted(declared()))
def test_each_key_is_required(bare, key):
    """Check that nothing may be left out."""
    assert f"entry.yaml: {key} is missing" in problems(bare, declared(**{key: None}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": "uhcs-bench/entry/9"}, "schema: is not uhcs-bench/entry/2"),
        ({"name": 5}, "name: is a number, expected string"),
        ({"name": "x" * 61}, "name: goes beyond the limit (maxLength 60)"),
        ({"dataset_version": 1.0}, "dataset_version: is a number, expected string (Version"),
        ({"dataset_version": "7"}, "There is no data set version '7'"),
        ({"split": "mine"}, "There is no split 'mine'"),
        ({"authors": [{"name": "A", "orcid": "0000-0002-1825-0098"}]}, "wrong check digit"),
        ({"authors": [{"name": "A", "email": "a@b"}]}, "authors.0: there is no key email"),
        ({"tasks": {"steel": {}}}, "tasks: there is no key steel"),
        (
            {"tasks": {"particles": {"status": "best", "reason": "x"}}},
            "is not active or incomplete",
        ),
        ({"hyperparameters": {"IU": 0.99}}, "hyperparameters.IU: looks like a score"),
        ({"hyperparameters": {"val_mIoU": 1}}, "looks like a score"),
        (
            {"hyperparameters": {"a" * 41: 1}},
            "has the wrong form (A letter, then at most 39 letters, digits",
        ),
        ({"hyperparameters": {"a": {"b": 1}}}, "is neither a text, a number"),
        (
            {"runs": [{"folder": ".", "seeds": [-1]}]},
            "runs.0.seeds.0: goes beyond the limit (minimum 0)",
        ),
        ({"runs": []}, "runs: goes beyond the limit (minItems 1)"),
        ({"runs": [{"folder": "../x", "seeds": []}]}, "runs.0.folder: ../x has the wrong form"),
        (
            {"runs": [{"folder": ".", "seeds": []}, {"folder": ".", "seeds": [1]}]},
            "runs: a folder is named twice",
        ),
        ({"compute": compute(training_hours=float("inf"))}, "compute.training_hours"),
        ({"compute": compute(count=0)}, "compute.count: goes beyond the limit (minimum 1)"),
        ({"selection": [chosen(folds=[])]}, "selection.0.folds: goes beyond the limit"),
        ({"selection": [chosen(folds=[6])]}, "selection: there is no fold 6"),
        ({"selection": [chosen(task="microconstituents")]}, "which the entry is not for"),
        ({"retrained": {"date": "2026-02-30", "command": "x"}}, "retrained.date: there is no day"),
        (
            {"links": links(weights={"link": "https://a.org", "sha256": "0", "licence": "MIT"})},
            "links.weights.sha256: 0 has the wrong form",
        ),
        ({"summary": "TO BE FILLED IN"}, "summary: is still to be filled in"),
        ({"summary": "a\nb"}, "control or invisible characters (U+000A)"),
        ({"summary": "abc \u202e fed"}, "control or invisible characters (U+202E)"),
        ({"summary": "zero\u200bwidth"}, "(U+200B)"),
        ({"summary": "e\u0301"}, "normal form C"),
        ({"summary": "x" + "\u0336" * 50}, "stacks combining characters"),
        ({"summary": " x"}, "begins or ends with a space"),
        ({"summary": ""}, "summary: goes beyond the limit (minLength 1)"),
    ],
)
def test_wrong_values(bare, changes, message):
    """Check each with its message."""
    assert any(message in problem for problem in problems(bare, declared(**changes)))


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "JAVASCRIPT://example.org/%0aalert(1)",
        "data:text/html,<script>",
        "http://example.org",
        "https://example.org/\"onmouseover='x'",
        "https://example.org/<script>",
        "https://example.org/a b",
        "https://example.org/)](x",
        "https://example.org/\n",
        "https://user@example.org/",
        "https://ex\u0430mple.org/",
        "//example.org",
        "https://",
    ],
)
@pytest.mark.parametrize("place", ["code", "external"])
def test_only_plain_https_links(bare, link, place):
    """Check that nothing else becomes an address on a page."""
    changes = {"links": {"code": link, "paper": None, "weights": None}}
    if place == "external":
        changes = {"external_data": [{"name": "x", "use": "y", "link": link}]}
    found = problems(bare, declared(**changes))
    assert any("link" in p and "entry.yaml" in p for p in found)


@pytest.mark.parametrize(
    "content", [b"", b"- 1", b"just text", b"null", b"\xff\xfe", b"[" * 70_000]
)
def test_other_documents_are_one_error(bare, content):
    """Check that whatever stands in entry.yaml gives a problem and nothing else."""
    (problem,) = problems(bare, content)
    assert problem.startswith("entry.yaml: ")


def test_maps_are_checked_beside_an_unreadable_yaml(folder):
    """Check that a broken entry.yaml hides no problem of a map, and causes none."""
    (folder / "particles" / f"{FIRST}.png").write_bytes(b"x")
    found = problems(folder, b"a: &x 1")
    assert found[0].startswith("entry.yaml: line 1")
    assert found[1:] == [f"particles/{FIRST}.png: is not a PNG file"]


def test_links_are_never_followed(folder, tmp_path):
    """Check links as entry.yaml, map, folder of a task, and the entry itself."""
    secret = tmp_path / "secret"
    secret.mkdir()
    path = folder / "particles" / f"{FIRST}.png"
    shutil.move(path, secret / path.name)
    path.symlink_to(secret / path.name)
    (folder / "microconstituents").symlink_to(secret)
    shutil.move(folder / "entry.yaml", secret / "entry.yaml")
    (folder / "entry.yaml").symlink_to(secret / "entry.yaml")
    found = problems(folder)
    for place in ("entry.yaml", "microconstituents", f"particles/{FIRST}.png"):
        assert f"{place}: is a link; put the file itself there" in found
    (tmp_path / "linked").symlink_to(folder)
    assert problems(tmp_path / "linked") == ["the folder is a link; put the folder itself there"]


def test_pipes_are_not_opened(folder):
    """Check that a named pipe, which would block for ever, is only named."""
    os.mkfifo(folder / "record.json")
    assert problems(folder) == ["record.json: is not a regular file"]


def test_huge_files_are_not_read(folder):
    """Check each limit with a sparse file; reading one would be seen."""
    names = ("entry.yaml", "record.json", f"particles/{FIRST}.png")
    for name in names:
        with (folder / name).open("wb") as stream:
            stream.truncate(1 << 40)
    found = problems(folder)
    for name in names:
        assert any(p.startswith(f"{name}: is 1099511627776 bytes long") for p in found)


@pytest.mark.slow
def test_giant_images_are_not_decoded(folder, monkeypatch):
    """Check a small file that claims 30000 x 30000 pixels."""
    stream = io.BytesIO()
    Image.new("1", (30000, 30000)).save(stream, "PNG", optimize=True)
    (folder / "particles" / f"{FIRST}.png").write_bytes(stream.getvalue())
    assert len(stream.getvalue()) < 1 << 20
    load = Image.Image.load

    def loaded(image):
        assert image.size != (30000, 30000)
        return load(image)

    monkeypatch.setattr(Image.Image, "load", loaded)
    assert any(f"{FIRST}.png: claims to be of a size" in problem for problem in problems(folder))


def test_too_many_files_end_the_walk(folder):
    """Check that a folder with thousands of files is not listed to its end."""
    for number in range(1600):
        (folder / f"x{number}").touch()
    found = problems(folder)
    assert sum("more than 1500 files" in problem for problem in found) == 1
    assert len(found) < 1550


def test_other_files_and_folders_are_named(folder):
    """Check unknown files, in the tasks' folders too, and names that could act on a terminal."""
    (folder / "particles" / "x.tif").touch()
    (folder / "particles" / "\x1b[31mred.png").touch()
    (folder / "particles" / "deeper").mkdir()
    (folder / "weights").mkdir()
    (folder / "weights" / "w.pt").touch()
    found = problems(folder)
    assert "\x1b" not in "".join(found)
    assert any("x.tif: does not belong" in problem for problem in found)
    assert any("\\x1b[31mred.png" in problem for problem in found)
    assert any("particles/deeper/: the folders of an entry are" in problem for problem in found)
    assert not any("w.pt" in problem for problem in found)


@pytest.mark.parametrize("name", ["Mine", "a b", "-x", "a.b", "x" * 51, "<script>"])
def test_names_of_folders_are_addresses(tmp_path, name):
    """Check names that no page could be called."""
    found = problems(write_entry(tmp_path / name, {"particles": {}}))
    assert any("not usable in an address" in problem for problem in found)


def test_maps_are_checked_as_a_submission_is(folder):
    """Check shape, labels, colour, another format, and a name of no micrograph."""
    place = folder / "particles"
    shape = annotations()[FIRST].shape

    def save(number, array, suffix="png"):
        Image.fromarray(array).save(place / f"synthetic-particles-0{number}.png", suffix)

    save(0, np.zeros((3, 4), np.uint8))
    save(1, np.full(shape, 7, np.uint8))
    save(2, np.dstack([np.eye(*shape, k, dtype=np.uint8) for k in range(3)]))
    save(3, np.zeros(shape, np.uint8), "tiff")
    (place / "970C-5M-Q-2.png").write_bytes((place / "synthetic-particles-04.png").read_bytes())
    found = problems(folder)
    assert len(found) == 5
    for number, text in enumerate(["(3, 4)", "value 7", "colour image", "not a PNG"]):
        (problem,) = [p for p in found if p.startswith(f"particles/synthetic-particles-0{number}")]
        assert text in problem
    assert any("no micrograph of this name in particles" in problem for problem in found)


def status(value):
    return declared(tasks={"particles": {"status": value, "reason": "because"}})


def test_unfinished_entries_have_whole_folds(tmp_path):
    """Check that an incomplete entry is valid with some folds or none, and says so."""
    ids = list(annotations())
    some = {name: annotations()[name] for name in ids[:8]}
    found = entry.read_entry(
        write_entry(tmp_path / "some", {"particles": some}, status("incomplete"))
    )
    assert found.tasks["particles"].folds == [0, 1]
    assert not found.tasks["particles"].complete
    entry.read_entry(write_entry(tmp_path / "none", {"particles": {}}, status("incomplete")))
    some.pop(ids[2])
    (problem,) = problems(
        write_entry(tmp_path / "broken", {"particles": some}, status("incomplete"))
    )
    assert "of fold 0 only some label maps are there" in problem


@pytest.mark.parametrize(("value", "n_maps"), [("active", 20), ("retired", 20), ("incomplete", 24)])
def test_status_follows_the_facts(tmp_path, value, n_maps):
    """Check statuses that the maps contradict."""
    some = dict(list(annotations().items())[:n_maps])
    (problem,) = problems(write_entry(tmp_path / "method", {"particles": some}, status(value)))
    assert problem.startswith(f"particles: is declared {value}, but")


@pytest.mark.slow
def test_maps_without_a_status(tmp_path):
    """Check maps of a task that entry.yaml does not name."""
    maps = {task: annotations(task) for task in ("particles", "microconstituents")}
    (problem,) = problems(write_entry(tmp_path / "method", maps))
    assert "there are maps of microconstituents, but no status of it" in problem


def test_the_fingerprint_is_of_ids_and_pixels(tmp_path):
    """Check the tree of hashes by hand, and that the encoding of the files does not count."""
    first = entry.read_entry(write_entry(tmp_path / "a")).fingerprint
    lines = ""
    for name in sorted(annotations()):
        labels = annotations()[name]
        text = f"uint8 {labels.shape[0]}x{labels.shape[1]}\n".encode() + labels.tobytes()
        lines += f"{name} {hashlib.sha256(text).hexdigest()}\n"
    branch = hashlib.sha256(lines.encode()).hexdigest()
    assert first.tasks == {"particles": branch}
    assert first.sha256 == hashlib.sha256(f"particles {branch}\n".encode()).hexdigest()

    other = write_entry(tmp_path / "b")
    path = other / "particles" / f"{FIRST}.png"
    before = path.read_bytes()
    Image.fromarray(annotations()[FIRST]).save(path, compress_level=0)
    assert path.read_bytes() != before
    assert entry.read_entry(other).fingerprint == first

    changed = annotations()[FIRST].copy()
    changed[0, 0] ^= 1
    path.unlink()
    label_maps.write_label_map(path, changed)
    assert entry.read_entry(other).fingerprint.sha256 != first.sha256


def test_swapped_maps_have_another_fingerprint():
    """Check that the id counts, not the pixels alone."""

    def run(**hashes):
        return entry.RunMaps(".", (0,), {}, hashes)

    one = entry.fingerprint({"particles": [run(a="1", b="2")]})
    other = entry.fingerprint({"particles": [run(a="2", b="1")]})
    assert one.sha256 != other.sha256


@pytest.mark.slow
def test_create_makes_an_entry_but_for_its_texts(tmp_path):
    """Check that a new entry lacks what only its authors know, and is valid once that is there."""
    for name, labels in noisy(0.1).items():
        np.save(tmp_path / f"{name}.npy", labels)
    folder, to_fill = create.create([tmp_path], 'My "net" \u00fc', tmp_path / "out", "synthetic")
    assert folder == tmp_path / "out" / "my-net-u-synthetic"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["my-net-u-synthetic"]
    assert problems(folder) == [f"entry.yaml: {key}: is still to be filled in" for key in to_fill]
    path = folder / "entry.yaml"
    path.write_text(path.read_text("utf-8").replace(f'"{declaration.TO_FILL}"', "filled"), "utf-8")
    found = entry.read_entry(folder)
    assert found.name == 'My "net" \u00fc'
    loaded = found.tasks["particles"].load(found.tasks["particles"].runs[0])
    np.testing.assert_array_equal(loaded[FIRST], noisy(0.1)[FIRST])
    with pytest.raises(UsageError, match="is there already"):
        create.create([tmp_path], "my net u", tmp_path / "out", "synthetic")


def test_create_leaves_nothing_of_a_bad_submission(tmp_path):
    """Check that all problems are raised and no folder appears."""
    np.save(tmp_path / f"{FIRST}.npy", np.zeros((2, 2), np.uint8))
    with pytest.raises(SubmissionError, match="no label map for 23"):
        create.create([tmp_path], "mine", tmp_path / "out", "synthetic")
    for name in ("\u65e5\u672c", "a\x7fb", "a\ud800", "../..", "x" * 61):
        with pytest.raises(UsageError):
            create.create([tmp_path], name, tmp_path / "out", "synthetic")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["yaml", "jsonschema"])
def test_a_missing_package_is_named_with_its_extra(folder, name, monkeypatch):
    """Check the advice where an optional package is not installed."""
    monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(UhcsBenchError, match=r"pip install 'uhcs-bench\[leaderboard\]'"):
        entry.read_entry(folder)


def several_runs(folder, seeds=(0, 1)):
    """An entry with runs of one method, in folders of their own."""
    runs = [{"folder": f"runs/{seed}", "seeds": [seed]} for seed in seeds]
    write_entry(folder, {}, declared(runs=runs))
    for seed in seeds:
        for name, labels in noisy(0.1, seed=seed).items():
            label_maps.write_label_map(
                folder / "runs" / str(seed) / "particles" / f"{name}.png", labels
            )
    return folder


@pytest.mark.slow
def test_runs_have_folders_of_their_own(tmp_path):
    """Check an entry of two runs, and its fingerprint by hand."""
    folder = several_runs(tmp_path / "method")
    (folder / "runs" / "0" / "record.json").write_text("{}")
    found = entry.read_entry(folder)
    maps = found.tasks["particles"]
    assert [(run.folder, run.seeds) for run in maps.runs] == [("runs/0", (0,)), ("runs/1", (1,))]
    assert maps.complete
    np.testing.assert_array_equal(maps.load(maps.runs[1])[FIRST], noisy(0.1, seed=1)[FIRST])
    lines = "".join(f"{run.folder} {run.sha256}\n" for run in maps.runs)
    assert found.fingerprint.tasks["particles"] == hashlib.sha256(lines.encode()).hexdigest()


def test_runs_have_one_configuration(tmp_path):
    """Check runs whose records state other settings."""
    folder = several_runs(tmp_path / "method")
    for seed, updates in enumerate((100, 200)):
        fold = {
            "dataset_version": "synthetic",
            "configuration": {"seed": seed, "updates": updates},
            "training": ["a"],
            "validation": ["b"],
        }
        content = {"schema": training_record.RUN_SCHEMA, "tasks": {"particles": {"0": fold}}}
        (folder / "runs" / str(seed) / "record.json").write_text(json.dumps(content), "utf-8")
    (problem,) = problems(folder)
    assert problem.startswith("runs/1/record.json: fold 0 of particles was run with other settings")
    assert "than fold 0 of runs/0/record.json (updates)" in problem


@pytest.mark.slow
def test_runs_differ(tmp_path):
    """Check that runs with the same maps are named, by pixels and not by bytes of files."""
    folder = several_runs(tmp_path / "method", seeds=(0, 1, 2))
    for name in annotations():
        pixels = Image.open(folder / "runs" / "0" / "particles" / f"{name}.png")
        pixels.save(folder / "runs" / "2" / "particles" / f"{name}.png", compress_level=1)
    (problem,) = problems(folder)
    assert problem.startswith("runs/0 and runs/2: have the same label maps of particles")


@pytest.mark.slow
def test_runs_are_those_that_are_declared(tmp_path):
    """Check a folder that is not declared, one that is not there, and a run that lacks maps."""
    folder = several_runs(tmp_path / "method")
    shutil.move(folder / "runs" / "1", folder / "runs" / "two")
    (folder / "runs" / "0" / "particles" / f"{FIRST}.png").unlink()
    found = problems(folder)
    assert "entry.yaml: runs: runs/1 has no label maps" in found
    assert "entry.yaml: runs: there are label maps in runs/two, which is not declared" in found
    assert any(
        p.startswith("runs/0/particles: is declared active, but 1 of 24 label maps") for p in found
    )


@pytest.mark.slow
def test_create_takes_several_runs(tmp_path):
    """Check the folders of two runs, and that both are declared."""
    for seed in (0, 1):
        for name, labels in noisy(0.1, seed=seed).items():
            label_maps.write_label_map(tmp_path / str(seed) / f"{name}.png", labels)
    predictions = [tmp_path / "0", tmp_path / "1"]
    folder, _ = create.create(predictions, "mine", tmp_path / "out", "synthetic")
    path = folder / "entry.yaml"
    path.write_text(path.read_text("utf-8").replace(f'"{declaration.TO_FILL}"', "filled"), "utf-8")
    maps = entry.read_entry(folder).tasks["particles"]
    assert [run.folder for run in maps.runs] == ["runs/0", "runs/1"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
@pytest.mark.parametrize("place", ["entry.yaml", f"particles/{FIRST}.png", "particles"])
def test_what_cannot_be_read_is_a_problem(folder, place):
    """Check that an unreadable file or folder is named, with the advice."""
    (folder / place).chmod(0)
    try:
        assert any("can't be read (Permission denied)" in problem for problem in problems(folder))
    finally:
        (folder / place).chmod(0o755)


def test_a_failing_disk_is_a_problem(folder, monkeypatch):
    """Check that an error of reading one map is named beside that file."""
    opened = type(folder).open

    def fail(path, *arguments, **options):
        if path.name == f"{FIRST}.png":
            raise OSError(5, "Input/output error")
        return opened(path, *arguments, **options)

    monkeypatch.setattr("pathlib.Path.open", fail)
    (problem,) = problems(folder)
    assert problem.startswith(f"particles/{FIRST}.png: can't be read (Input/output error)")


def test_files_of_macos_are_skipped(folder):
    """Check the files that its Finder leaves behind."""
    (folder / "particles" / f"._{FIRST}.png").write_bytes(b"x")
    (folder / ".DS_Store").touch()
    entry.read_entry(folder)


def test_maps_that_change_after_the_check_are_refused(folder):
    """Check that scores are of the maps that were checked."""
    maps = entry.read_entry(folder).tasks["particles"]
    path = folder / "particles" / f"{FIRST}.png"
    path.unlink()
    label_maps.write_label_map(path, noisy(0.5)[FIRST])
    with pytest.raises(declaration.EntryError, match="has other pixels now"):
        maps.load(maps.runs[0])


@pytest.mark.parametrize("name", ["method", "build", "dist", "figures", "preds", "runs"])
def test_git_ignores_no_part_of_an_entry(tmp_path, name):
    """Check that entries and runs of any name are committed: the board is made of their maps."""
    ignored = Path(__file__).parents[3] / ".gitignore"
    (tmp_path / ".gitignore").write_bytes(ignored.read_bytes())
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    places = [
        f"leaderboard/{name}/particles/a.png",
        f"leaderboard/method/runs/{name}/particles/a.png",
        f"leaderboard/method/runs/{name}/record.json",
    ]
    found = subprocess.run(
        ["git", "-C", tmp_path, "check-ignore", "--no-index", "-v", *places, "runs/a.png"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line.split("\t")[1] for line in found.stdout.splitlines()] == ["runs/a.png"]
