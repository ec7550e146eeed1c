"""The page of an audit: what it shows, that it needs nothing but itself, and how it looks."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from tests.auditing.test_repeat_annotation import overlapping
from tests.helpers.browser import chromium, opened, overflow
from uhcs_bench import cli, protocol
from uhcs_bench.auditing import audit, overlaps, repeat_annotation
from uhcs_bench.auditing import report as audit_report
from uhcs_bench.data.dataset import Dataset
from uhcs_bench.web import templates


def page_of(*micrographs):
    """Page of an audit of particle micrographs."""
    datasets = [Dataset(protocol.task("particles"), "1.0", micrographs)]
    found = audit.audit(datasets)
    return audit_report.to_html(
        datasets, found, repeat_annotation.agreement(datasets, found.overlaps)
    )


@pytest.fixture(scope="module")
def html():
    """Page with a field that is shown twice."""
    return page_of(*overlapping())


def test_each_field_is_pictured(html):
    """Check six pictures of the pair, with what they show."""
    assert "<h3>crop in whole</h3>" in html
    images = re.findall(r'<img src="(data:image/(?:png|webp);base64,[^"]+)" alt="([^"]+)"', html)
    assert len(images) == 6
    assert len({source for source, _ in images}) >= 4  # crops may be equal
    assert "Crop of whole" in [text for _, text in images]
    assert 'width="320"' in html
    assert "labels differ on" in html


def test_findings_and_agreement_are_those_of_the_audit(html):
    """Check headings, and the table of agreement."""
    assert "Overlapping fields of view" in html or "Duplicates" in html
    assert "Agreement of repeated annotations, data set version 1.0" in html


def test_nothing_twice_is_said():
    """Check an audit without an overlap."""
    whole, _ = overlapping()
    page = page_of(whole)
    assert "No field is shown twice." in page
    assert "Agreement of repeated annotations" not in page


def test_nothing_is_loaded_from_elsewhere(html):
    """Check the content security policy, and addresses."""
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html).group(1)
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    css = re.search(r"<style>(.*?)</style>", html, re.DOTALL).group(1)
    assert templates.csp_hash(css) in policy
    assert "style=" not in html
    assert not re.search(r'(?:src|href)="(?!data:|#)', html)


def test_frame_is_drawn_around_the_field():
    """Check that it is white between black lines, inside and outside untouched."""
    whole, crop = overlapping()
    (overlap,) = overlaps.find_overlaps([whole, crop])
    framed = audit_report._framed(whole.image, overlap)
    assert framed[20, 50:300].tolist() == [0] * 250
    assert set(framed[21:179, 51].tolist()) == {255}
    assert (framed[24:176, 54:296] == whole.image[24:176, 54:296]).all()
    assert (framed[:20] == whole.image[:20]).all()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 360])
def test_page_opens_in_a_browser(html, tmp_path, width):
    """Check that every picture is there, nothing is refused, and nothing sticks out."""
    path = tmp_path / "index.html"
    path.write_text(html, encoding="utf-8")
    with chromium() as browser, opened(browser, path, width=width) as page:
        loaded = page.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 0)")
        assert loaded == [True] * 6
        assert overflow(page) <= 0


@pytest.mark.slow
@pytest.mark.parametrize("form", ["table", "json"])
def test_command_writes_page_and_agreement(tmp_path, form):
    """Check the options of the command, on the synthetic set, where no field is shown twice."""
    folder = tmp_path / "new" / "report"
    arguments = ["audit", "--dataset-version", "synthetic", "--agreement", "--report", str(folder)]
    result = CliRunner().invoke(cli.main, [*arguments, "--format", form])
    assert result.exit_code == 0, result.output
    assert result.stderr == f"Report: {folder / 'index.html'}\n"
    page = (folder / "index.html").read_text("utf-8")
    assert "SYNTHETIC set" in page
    assert "No field is shown twice." in page
    if form == "json":
        assert json.loads(result.stdout)["fields"] == []
    else:
        assert "No field was annotated twice." in result.stdout
