"""Croissant metadata: valid, complete, and what a foreign loader reads from it is the data set."""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

import uhcs_bench
from uhcs_bench import protocol
from uhcs_bench.data import pixels, registry
from uhcs_bench.data.download import fetch
from uhcs_bench.errors import UsageError
from uhcs_bench.exporters import croissant, description
from uhcs_bench.io import images

MIRROR = os.environ.get(fetch.MIRROR_VARIABLE, "")
"""Read before the tests are cut off from it."""

needs_mirror = pytest.mark.skipif(
    not MIRROR or "://" in MIRROR, reason="needs a folder with all source files"
)
TASKS = [None, *protocol.TASKS]


def mlcroissant():
    if os.environ.get("CI"):
        return importlib.import_module("mlcroissant")
    return pytest.importorskip("mlcroissant", reason="the reference implementation of Croissant")


def files(described):
    return [item for item in described["distribution"] if item["@type"] == "cr:FileObject"]


def records(described, name):
    (found,) = (item for item in described["recordSet"] if item["@id"] == name)
    return [
        {key.removeprefix(f"{name}/"): value for key, value in record.items()}
        for record in found["data"]
    ]


def mirrored(described):
    """Where the mirror has each file object."""
    return {
        item["@id"]: Path(MIRROR, unquote(item["contentUrl"]).removeprefix("https://"))
        for item in files(described)
    }


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_mlcroissant_reports_no_issue(task, caplog):
    """Check the metadata with the reference implementation: no error, no warning."""
    loaded = mlcroissant().Dataset(jsonld=croissant.metadata(task))
    assert loaded.metadata.ctx.issues.report() == ""
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_limitations_and_biases_are_those_of_the_audit():
    """Check that every finding is in a field that mlcroissant reads, without a complaint."""
    audited = description.audited("particles")
    loaded = mlcroissant().Dataset(jsonld=croissant.metadata("particles", audited))
    assert loaded.metadata.ctx.issues.report() == ""
    read = loaded.metadata
    assert read.ctx.conforms_to.value == "http://mlcommons.org/croissant/1.1"
    said = {*read.data_biases, *read.data_limitations}
    assert {finding.sentence for finding in audited.findings} < said
    assert any("particle" in bias and "%" in bias for bias in read.data_biases)
    assert len(read.data_use_cases) == 1


def test_mlcroissant_finds_a_broken_reference():
    """Check that the validation above can fail."""
    broken = croissant.metadata("particles")
    broken["recordSet"][2]["field"][0]["source"]["fileSet"]["@id"] = "elsewhere"
    with pytest.raises(mlcroissant().ValidationError):
        mlcroissant().Dataset(jsonld=broken)


def test_alias_names_the_task():
    """Check that the deposit's name of a task gives the same."""
    assert croissant.metadata("uhcs") == croissant.metadata("microconstituents")
    assert croissant.metadata("uhcs")["name"] == "uhcs-bench-microconstituents"
    with pytest.raises(UsageError, match="The tasks are"):
        croissant.metadata("steel")


def test_each_file_is_pinned_once():
    """Check that the 24 + 24 + 24 + 24 files, less the one shared, stand there with their hash."""
    described = files(croissant.metadata())
    assert len({item["@id"] for item in described}) == len(described) == 95
    known = {
        source.url: source
        for task in protocol.TASKS
        for entry in registry.entries(task)
        for file in entry.files.values()
        for source in file.sources
    }
    for item in described:
        source = known[item["contentUrl"]]
        assert (item["sha256"], item["contentSize"]) == (source.sha256, f"{source.n_bytes} B")


def test_licences_are_those_of_each_file():
    """Check label maps, micrographs of UHCSDB, and the two that were not found there."""
    share_alike = "https://creativecommons.org/licenses/by-sa/3.0/us/"
    attribution = "https://creativecommons.org/licenses/by/3.0/us/"
    described = croissant.metadata()
    assert described["license"] == [attribution, share_alike]
    of = {item["@id"]: item["license"] for item in files(described)}
    labels = {licence for name, licence in of.items() if "/labels/" in name}
    assert labels == {share_alike}
    others = {name for name, licence in of.items() if licence == share_alike and "/images/" in name}
    assert others == {
        "particles/images/train_800C-24H-Q-4_sizeRC_481_645.png",
        "particles/images/train_800C-24H-Q-6_sizeRC_481_645.png",
    }
    for task in protocol.TASKS:
        for record in records(described, task):
            assert record["image_licence"] == of[record["image_file"]]
            assert record["labels_licence"] == of[record["labels_file"]]


def test_records_are_the_catalogue():
    """Check folds, heat treatment, pixel size and classes against the paper's and UHCSDB's."""
    described = croissant.metadata()
    by_id = {record["id"]: record for task in protocol.TASKS for record in records(described, task)}
    assert len(by_id) == 48
    quenched = by_id["uhcs1648"]
    assert (quenched["fold"], quenched["sample"], quenched["time_h"]) == (3, "AC1 800C 24H Q", 24.0)
    assert (quenched["pixel_size_um"], quenched["uhcsdb_id"]) == (0.19417, 1648)
    assert by_id["800C-24H-Q-4"]["pixel_size_um"] is None
    assert by_id["800C-24H-Q-1"]["image_file"] == by_id["800C-24H-Q-7"]["image_file"]
    assert [record["name"] for record in records(described, "microconstituents-classes")] == [
        *("matrix", "network", "spheroidite", "widmanstatten"),
    ]


def test_records_have_the_fold_of_every_split():
    """Check that a split's micrographs, and no others, have a fold there."""
    described = croissant.metadata("particles")
    for split in ("clean", "grouped"):
        folds = {
            record["id"]: record[f"fold_{split}"] for record in records(described, "particles")
        }
        loaded = {entry.id: entry.fold for entry in registry.entries("particles", split=split)}
        assert {id_: fold for id_, fold in folds.items() if fold is not None} == loaded


@pytest.mark.slow
@needs_mirror
@pytest.mark.parametrize("task", list(protocol.TASKS))
@pytest.mark.usefixtures("real_data")
def test_what_mlcroissant_reads_is_the_data_set(task):
    """Check every pixel: records of the foreign loader, cut as they state, against `load`."""
    mlc = mlcroissant()
    described = croissant.metadata(task)
    mapping = mirrored(described)
    loaded = mlc.Dataset(jsonld=described, mapping=mapping)
    content = {
        kind: {
            record[f"{task}-{kind}/file"].decode(): record[f"{task}-{kind}/content"]
            for record in loaded.records(f"{task}-{kind}")
        }
        for kind in ("images", "labels")
    }
    dataset = uhcs_bench.load(task)
    n_compared = 0
    for raw in loaded.records(task):
        record = {key.removeprefix(f"{task}/"): value for key, value in raw.items()}
        micrograph = dataset[record["id"]]
        image = np.asarray(content["images"][mapping[record["image_file"]].name])
        image = image.reshape(*image.shape[:2], -1)[: record["image_rows"], :, 0]
        missing = record["image_missing_rows"]
        np.testing.assert_array_equal(image, micrograph.image[missing:])
        assert pixels.pixel_sha256(image) == record["image_pixel_sha256"]
        labels = decoded(content["labels"][mapping[record["labels_file"]].name])
        labels = labels[: record["labels_rows"]].astype(np.uint8)
        np.testing.assert_array_equal(labels, micrograph.labels)
        assert pixels.pixel_sha256(labels) == record["labels_pixel_sha256"]
        assert record["fold"] == micrograph.fold
        n_compared += 1
    assert n_compared == 24


def decoded(content: bytes):
    import tifffile

    return tifffile.imread(io.BytesIO(content))


@pytest.mark.slow
@needs_mirror
def test_mlcroissant_downloads_and_checks_the_files(tmp_path, monkeypatch):
    """Check a download from a server: good files are taken, a file of another hash is refused."""
    mlc = mlcroissant()
    from etils import epath
    from mlcroissant._src.core import constants

    monkeypatch.setattr(constants, "DOWNLOAD_PATH", epath.Path(tmp_path))
    handler = partial(SimpleHTTPRequestHandler, directory=MIRROR)
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    described = croissant.metadata("particles")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}/"
        for item in files(described):
            item["contentUrl"] = item["contentUrl"].replace("https://", here)
        got = {
            hashlib.sha256(record["particles-labels/content"]).hexdigest()
            for record in mlc.Dataset(jsonld=described).records("particles-labels")
        }
        assert got == {item["sha256"] for item in files(described) if "/labels/" in item["@id"]}
        files(described)[-1]["sha256"] = "0" * 64
        with pytest.raises(mlc.GenerationError) as refusal:
            list(mlc.Dataset(jsonld=described).records("particles-labels"))
        assert "not identical" in str(refusal.value.__cause__)
        server.shutdown()


@needs_mirror
def test_images_are_read_alike():
    """Check that this package reads the described files in every encoding as well."""
    paths = mirrored(croissant.metadata("uhcs"))
    shapes = {images.read_image(path).shape for path in paths.values()}
    assert shapes == {(484, 645), (522, 645)}
