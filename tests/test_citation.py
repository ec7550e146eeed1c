"""CITATION.cff: valid, of this version, with the authors and addresses of the registry."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from uhcs_bench import __version__
from uhcs_bench.data import registry
from uhcs_bench.exporters import description

CITATION = Path(__file__).parents[1] / "CITATION.cff"


@pytest.fixture(scope="module")
def cff() -> Any:
    if os.environ.get("CI"):
        importlib.import_module("cffconvert")
    cffconvert = pytest.importorskip("cffconvert")
    citation = cffconvert.Citation(CITATION.read_text("utf-8"))
    citation.validate()
    return citation


def test_invalid_citation_is_reported(cff):
    """Check that the validation of the fixture can fail."""
    broken = CITATION.read_text("utf-8").replace("type: software", "type: steel")
    with pytest.raises(Exception, match="steel"):
        type(cff)(broken).validate()


def test_version_and_licence_are_the_packages(cff):
    """Check what has to be changed with each release."""
    assert cff.cffobj["version"] == __version__
    assert json.loads(cff.as_zenodo())["license"] == {"id": "MIT"}


def test_paper_and_both_data_sets_are_cited(cff):
    """Check addresses, people and licences against those that each micrograph carries."""
    article, annotated, uhcsdb = cff.cffobj["references"]
    assert [work["type"] for work in (article, annotated, uhcsdb)] == ["article", "data", "data"]
    paper, *handles = registry.entries("particles")[0].citation
    assert paper.endswith(f"https://doi.org/{article['doi']}")
    assert str(article["year"]) in paper
    for work, handle in zip((annotated, uhcsdb), handles, strict=True):
        assert handle.endswith(work["identifiers"][0]["value"])
    people = [f"{p['given-names']} {p['family-names']}" for p in article["authors"]]
    assert tuple(people) == description.CREATORS
    assert {annotated["license-url"], uhcsdb["license-url"]} == {
        description.licence_url(text)
        for text in description.licences(registry.entries("particles"))
    }


def test_aliases_are_not_used():
    """Check for YAML that readers refuse for safety, GitHub's among them."""
    lines = CITATION.read_text("utf-8").splitlines()
    assert [line for line in lines if line.rstrip().endswith(": *authors") or ": &" in line] == []


def test_zenodo_file_tells_what_the_citation_file_tells():
    """Check the fields that both have."""
    cited = yaml.safe_load(CITATION.read_text("utf-8"))
    zenodo = json.loads(CITATION.with_name(".zenodo.json").read_text("utf-8"))
    for key in ("title", "version", "keywords"):
        assert zenodo[key] == cited[key], key
    assert zenodo["license"]["id"] == cited["license"]
    assert zenodo["description"] == cited["abstract"].strip()
    assert zenodo["creators"] == cited["authors"]
    identifiers = [reference.get("doi") for reference in cited["references"]]
    identifiers += [i["value"] for r in cited["references"] for i in r.get("identifiers", [])]
    assert {i["identifier"] for i in zenodo["related_identifiers"]} == {*filter(None, identifiers)}
