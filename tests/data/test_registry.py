"""The registry: complete, consistent, and equal to what its generator writes."""

from __future__ import annotations

import os
import re
from importlib import resources
from pathlib import Path

import pytest

from tools import write_registry
from uhcs_bench import protocol
from uhcs_bench.data import registry
from uhcs_bench.data.download import fetch
from uhcs_bench.errors import UsageError

MIRROR = os.environ.get(fetch.MIRROR_VARIABLE, "")
"""Read before the tests are cut off from it."""

ALL = [entry for task in protocol.TASKS for entry in registry.entries(task)]
by_id = {entry.id: entry for entry in ALL}


def test_both_tasks_are_complete():
    """Check numbers, folds and shapes."""
    assert len(by_id) == 48
    for task, shape in (("particles", (475, 645)), ("microconstituents", (484, 645))):
        entries = registry.entries(task)
        assert [entry.fold for entry in entries] == [fold for fold in range(6) for _ in range(4)]
        assert {entry.shape for entry in entries} == {shape}
        assert {(entry.task, entry.version) for entry in entries} == {(task, "1.0")}


def test_aliases_name_the_same_entries():
    """Check that the deposit's own names work."""
    assert registry.entries("spheroidite") == registry.entries("particles")
    assert registry.entries("uhcs") == registry.entries("microconstituents")
    with pytest.raises(UsageError, match=r"particles \(alias spheroidite\) and microconstituents"):
        registry.entries("steel")


def test_folds_are_the_papers():
    """Check the first and last fold against the authors' fold files."""
    particles = [entry.id for entry in registry.entries("particles")]
    assert particles[:4] == ["970C-5M-Q-2", "800C-24H-Q-7", "800C-24H-Q-3", "970C-5M-Q-1"]
    assert particles[-4:] == ["800C-85H-Q-6", "800C-8H-Q-3", "800C-24H-Q-5", "970C-5M-Q-3"]
    uhcs = [entry.id for entry in registry.entries("microconstituents")]
    assert uhcs[:4] == ["uhcs1176", "uhcs1219", "uhcs0357", "uhcs0333"]
    assert uhcs[-4:] == ["uhcs0007", "uhcs0477", "uhcs0124", "uhcs0599"]


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.id)
def test_sources_are_pinned(entry):
    """Check that each source names a commit, a hash, and as many rows as are needed."""
    assert set(entry.files) == {"image", "labels"}
    for file in entry.files.values():
        assert re.fullmatch("[0-9a-f]{64}", file.pixel_sha256)
        assert file.sources
        for source in file.sources:
            assert re.match(r"https://[\w.]+/[\w-]+/[\w-]+/[0-9a-f]{40}/", source.url)
            assert re.fullmatch("[0-9a-f]{64}", source.sha256)
            assert source.n_bytes > 0
            assert source.rows[1] - source.rows[0] + source.missing_rows == entry.shape[0]
            assert source.missing_rows <= file.hashed_from_row
    assert entry.licence.startswith("CC BY-SA 3.0 US")
    assert entry.files["labels"].licence == entry.licence
    assert len(entry.citation) == 3


def test_micrographs_of_uhcsdb_have_its_licence():
    """Check that only the two that were not found there have the annotated set's."""
    stricter = {e.id for e in ALL if not e.files["image"].licence.startswith("CC BY 3.0 US")}
    assert stricter == {"800C-24H-Q-4", "800C-24H-Q-6"}


def test_sources_with_all_rows_come_first():
    """Check that a copy with its true first row is preferred."""
    for entry in ALL:
        lost = [source.missing_rows for source in entry.files["image"].sources]
        assert lost == sorted(lost)


def test_nine_particle_micrographs_lost_their_first_row():
    """Check that their hash leaves it out, and no other's does."""
    lost = [entry for entry in ALL if entry.files["image"].hashed_from_row == 1]
    assert len(lost) == 9
    assert {entry.task for entry in lost} == {"particles"}
    assert all(entry.files["labels"].hashed_from_row == 0 for entry in ALL)


def test_duplicates_have_equal_hashes():
    """Check that the micrograph that stands in two folds is recognisable as such, and no other."""
    hashes = [entry.files["image"].pixel_sha256 for entry in ALL]
    assert len(set(hashes)) == 47
    first, second = by_id["800C-24H-Q-1"], by_id["800C-24H-Q-7"]
    assert first.files["image"].pixel_sha256 == second.files["image"].pixel_sha256
    assert first.files["labels"].pixel_sha256 == second.files["labels"].pixel_sha256
    assert first.fold != second.fold


def test_pixel_sizes():
    """Check values, conflicts and gaps against the known ones."""
    assert by_id["uhcs0006"].pixel_size.um == 0.16129
    assert by_id["uhcs0357"].pixel_size.um == 0.38760
    particles = registry.entries("particles")
    conflicts = {entry.id for entry in particles if entry.pixel_size.sources_disagree}
    assert conflicts == {
        *("800C-24H-Q-1", "800C-24H-Q-7", "800C-3H-Q-1", "800C-8H-Q-3", "800C-8H-Q-4"),
        *("800C-85H-Q-1", "800C-85H-Q-2", "800C-85H-Q-3"),
    }
    unknown = {entry.id for entry in particles if entry.pixel_size.um is None}
    assert unknown == {"800C-24H-Q-4", "800C-24H-Q-6"}
    assert all(entry.pixel_size.provenance for entry in ALL)


def test_heat_treatments():
    """Check a sample from the database, one from a name, and one that nobody recorded."""
    quenched = by_id["uhcs1648"].heat_treatment
    assert (quenched.sample, quenched.temperature_c, quenched.time_h, quenched.cooling) == (
        *("AC1 800C 24H Q", 800, 24, "Q"),
    )
    named = by_id["800C-85H-Q-2"].heat_treatment
    assert (named.sample, named.temperature_c, named.time_h, named.cooling) == (None, 800, 85, "Q")
    unknown = by_id["uhcs1528"].heat_treatment
    assert (unknown.sample, unknown.temperature_c, unknown.time_h, unknown.cooling) == (None,) * 4


@pytest.mark.skipif(
    not MIRROR or "://" in MIRROR, reason="the generator needs a folder with all source files"
)
def test_registry_is_what_its_generator_writes():
    """Check that the committed file is generated from the source files, to the byte."""
    committed = (resources.files("uhcs_bench") / "data" / "registry.json").read_text("utf-8")
    written = write_registry.as_json(write_registry.generate(Path(MIRROR)))
    assert committed == written
