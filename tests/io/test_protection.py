"""Tests of which files may be replaced."""

import os
from pathlib import Path

import pytest

from uhcs_bench.io import protection
from uhcs_bench.io.atomic import new_folder, replacing
from uhcs_bench.io.protection import ProtectedFileError, check, check_apart, protecting


def write(path, text="new", **options):
    with replacing(path, **options) as partial:
        partial.write_text(text)


def users_file(path):
    path.write_text("the user's")
    return path


def own_file(path):
    write(path)
    return path


def changed_file(path):
    write(path)
    path.write_text("changed by hand")
    return path


def marked_file(path):
    path.write_text('{"schema": "ours"}')
    return path


def link_to_own_file(path):
    write(path.with_name("other"))
    path.symlink_to("other")
    return path


def dangling_link(path):
    path.symlink_to("absent")
    return path


def copied_over(path):
    write(path, "one")
    write(path.with_name("b"), "two")
    path.write_bytes(path.with_name("b").read_bytes())
    return path


@pytest.mark.parametrize(
    ("make", "replaced", "replaced_by_force"),
    [
        (users_file, False, True),
        (own_file, True, True),
        (changed_file, False, True),
        (copied_over, False, True),
        (marked_file, True, True),
        (link_to_own_file, False, True),
        (dangling_link, False, True),
        (lambda path: path, True, True),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_files_of_the_user_need_force(tmp_path, make, replaced, replaced_by_force, force):
    """Check each state of the place that is written to."""
    path = make(tmp_path / "a.txt")
    before = path.read_text() if path.exists() else None
    allowed = replaced_by_force if force else replaced
    with protecting([], force=force):
        if allowed:
            write(path, mark=b'"schema": "ours"')
            assert path.read_text() == "new"
        else:
            with pytest.raises(ProtectedFileError, match="--force"):
                write(path, mark=b'"schema": "ours"')
            assert (path.read_text() if path.exists() else None) == before
    assert not [*tmp_path.glob(".partial*")]


def same(path):
    return path


def spelled_differently(path):
    return path.parent / ".." / path.parent.name / path.name


def relative(path):
    return Path(os.path.relpath(path))


def link(path):
    path.with_name("link").symlink_to(path.name)
    return path.with_name("link")


def hard_link(path):
    path.with_name("hard").hardlink_to(path)
    return path.with_name("hard")


def through_linked_folder(path):
    path.parent.with_name("linked").symlink_to(path.parent.name)
    return path.parent.with_name("linked") / path.name


@pytest.mark.parametrize(
    "spell", [same, spelled_differently, relative, link, hard_link, through_linked_folder]
)
@pytest.mark.parametrize("make", [users_file, own_file])
def test_inputs_are_never_replaced(tmp_path, make, spell):
    """Check all spellings of one file, with force, whoever wrote the input."""
    (tmp_path / "folder").mkdir()
    source = make(tmp_path / "folder" / "a.txt")
    before = source.read_text()
    with protecting([source], force=True), pytest.raises(ProtectedFileError, match="is an input"):
        write(spell(source), "other")
    assert source.read_text() == before


def test_force_does_not_reach_into_folders_of_inputs(tmp_path):
    """Check a user's file in a folder of inputs, and a new file there."""
    path = users_file(tmp_path / "a.txt")
    with protecting([tmp_path], force=True):
        with pytest.raises(ProtectedFileError, match="not even with --force"):
            write(path)
        write(tmp_path / "table.csv")
        write(tmp_path / "table.csv", "again")
    assert path.read_text() == "the user's"


@pytest.mark.parametrize("spell", [same, spelled_differently, relative, through_linked_folder])
@pytest.mark.parametrize("exists", [False, True])
def test_two_outputs_are_two_files(tmp_path, spell, exists):
    """Check one file in two spellings, before and after it exists, and names that differ."""
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "a.csv"
    if exists:
        write(path)
    with pytest.raises(ProtectedFileError, match="are one file"):
        check_apart([path, spell(path)], [])
    with pytest.raises(ProtectedFileError, match="are one file"):
        check_apart([path, path.with_name("A.CSV")], [])
    check_apart([path, path.with_name("b.csv")], [tmp_path / "folder"])


def test_folder_of_inputs_takes_no_outputs(tmp_path):
    """Check the folder itself, a link to it, a folder inside, and one that is read and written."""
    source = tmp_path / "maps"
    source.mkdir()
    (tmp_path / "link").symlink_to("maps")
    with protecting([source]):
        for folder in (source, tmp_path / "link", source / ".." / "maps"):
            with pytest.raises(ProtectedFileError, match="is an input"):
                check_apart([], [folder])
        check_apart([], [source / "plots"])
    with pytest.raises(ProtectedFileError, match="outside of it"):
        check_apart([], [source / "site"], [source])


def test_lost_memory_protects(tmp_path, monkeypatch):
    """Check a state folder that can't be written, and one that is lost."""
    for folder in (Path("/dev/null/state"), tmp_path / "empty"):
        path = tmp_path / f"{folder.name}.txt"
        monkeypatch.setattr(protection, "_state", lambda folder=folder: folder)
        write(path)
        monkeypatch.setattr(protection, "_state", lambda: tmp_path / "another")
        with pytest.raises(ProtectedFileError, match="--force"):
            check(path)


def test_memory_stays_small(tmp_path, monkeypatch):
    """Check that what is out of date is dropped, and that the last version stays known."""
    monkeypatch.setattr(protection, "_MEMORY_BYTES", 1000)
    for number in range(100):
        write(tmp_path / "a.txt", str(number))
    write(tmp_path / "b.txt")
    write(tmp_path / "a.txt", "last")
    assert protection._memory(tmp_path / "a.txt").stat().st_size < 2000


def test_killed_process_leaves_files_that_count_as_its_own(tmp_path, monkeypatch):
    """Check an end just before the file gets its name, and just after."""
    path = tmp_path / "a.txt"
    write(path, "old")

    def killed(_, __):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(SystemExit):
            write(path, "new")
    assert path.read_text() == "old"
    write(path, "newer")
    assert path.read_text() == "newer"


def test_unfinished_folder_leaves_no_memory(tmp_path, monkeypatch):
    """Check that files in a new folder, which is never written into again, are not remembered."""
    monkeypatch.setattr(protection, "_state", lambda: tmp_path / "state")
    with new_folder(tmp_path / "maps") as folder:
        write(folder / "a.txt")
    assert not (tmp_path / "state").exists()
