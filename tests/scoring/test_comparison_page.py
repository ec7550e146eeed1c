"""The page of a comparison: its numbers, its pictures, and how it behaves in a browser."""

from __future__ import annotations

import re

import numpy as np
import pytest

import uhcs_bench
from tests.helpers import browser
from tests.helpers.browser import expect
from tests.helpers.pages import picture
from uhcs_bench.scoring import comparison_page
from uhcs_bench.scoring.score import score_submissions
from uhcs_bench.scoring.submission import read_submission
from uhcs_bench.segmentation import otsu

HOSTILE = "<script>alert(1)</script>\"'&"
TASKS = ("particles", "microconstituents")


def scored(maps):
    read = read_submission(maps, fold=2, version="synthetic")
    return comparison_page.Scored(score_submissions(read), read)


def fold(task):
    return uhcs_bench.load(task, 2, "synthetic").val


@pytest.fixture(scope="module")
def pair():
    """Otsu's threshold, and the annotations moved by three pixels."""
    otsus = {m.id: otsu.segment(m.image, task) for task in TASKS for m in fold(task)}
    moved = {m.id: np.roll(m.labels, 3, 1) for task in TASKS for m in fold(task)}
    return scored(otsus), scored(moved)


@pytest.fixture(scope="module")
def compared(pair):
    return uhcs_bench.compare(*(found.report for found in pair), names=["otsu", HOSTILE])


@pytest.fixture(scope="module")
def html(compared, pair):
    return comparison_page.to_html(compared, *pair)


@pytest.fixture(scope="module")
def path(compared, pair, tmp_path_factory):
    return comparison_page.write(tmp_path_factory.mktemp("compared") / "new", compared, *pair)


def test_page_is_written(path, html):
    """Check the file, and that names stay text."""
    assert path.name == "index.html"
    assert path.read_text("utf-8") == html
    assert "<script>alert" not in html
    assert html.count('<section class="micrograph"') == 8


def test_numbers_are_those_of_the_reports(html, pair):
    """Check both scores and their difference on each micrograph, in the order of the difference."""
    for task in TASKS:
        first, second = (found.report[task].images for found in pair)
        expected = sorted((a.IU - b.IU, a.id) for a, b in zip(first, second, strict=True))
        section = html.partition(f'id="{task}-micrographs"')[2]
        table = section.partition("<tbody>")[2].partition("</tbody>")[0]
        found = re.findall(
            r'data-value="(synthetic-[^"]+)">.*?data-value="([^"]+)">[^<]*</td>\n', table, re.S
        )
        assert [(float(value), name) for name, value in found] == expected
        for a, b in zip(first, second, strict=True):
            shown = (f"IU A <b>{100 * a.IU:.1f}<", f"IU B <b>{100 * b.IU:.1f}<")
            place = html.partition(f'id="{task}-{a.id}"')[2].partition("</header>")[0]
            assert all(text in place for text in shown)


def test_conclusions_are_those_of_the_comparison(html, compared):
    """Check that each sentence on all classes is on the page."""
    for task in compared.tasks:
        for found in (d for d in task.differences if d.class_name is None):
            assert found.sentence.partition(" ")[0] in html
    assert "A - B" in html
    assert "fewer than 16 micrographs" in html


def test_difference_shows_which_map_is_right(html, pair):
    """Check each pixel's colour against both maps and the annotation, and the shares in words."""
    colors = {"a": (0x6A, 0x3D, 0x9A), "b": (0xE6, 0x9F, 0x00), "neither": (0x77, 0x77, 0x77)}
    for task in TASKS:
        maps_a, maps_b = (found.of(task)[1].maps for found in pair)
        for m in fold(task):
            a, b, truth = maps_a[m.id], maps_b[m.id], m.labels
            shown = picture(html, f"Pixels of {m.id} on which A and B differ")
            np.testing.assert_array_equal(shown[..., 3] == 0, a == b)
            cases = {"a": a == truth, "b": b == truth, "neither": (a != truth) & (b != truth)}
            for name, case in cases.items():
                where = case & (a != b)
                assert (shown[where][:, :3] == colors[name]).all()
            share = 100 * ((a == truth) & (b != truth)).mean()
            place = html.partition(f'id="{task}-{m.id}"')[2].partition("</section>")[0]
            assert f"A alone is right: {share:.1f} % of the pixels" in place
            assert ("both are wrong" in place) == (task == "microconstituents")


def test_three_submissions_are_refused(pair):
    """Check that the page is of two."""
    first, second = (found.report for found in pair)
    three = uhcs_bench.compare(first, second, first)
    with pytest.raises(ValueError, match="two submissions, not 3"):
        comparison_page.to_html(three, *pair)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_page_in_a_browser(path, width):
    """Check that it fits, shows one view over the micrograph, sorts, and runs nothing foreign."""
    with browser.chromium() as chromium, browser.opened(chromium, path, width=width) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        assert browser.overflow(page) <= 0
        assert page.locator("h1").inner_text() == f"otsu and {HOSTILE}"
        viewer = page.locator(".viewer").first
        assert viewer.locator(".panel:visible").count() == 5
        for label, kind in (("A", "a"), ("B", "b"), ("Difference", "difference")):
            viewer.locator(".switch").get_by_text(label, exact=True).click()
            assert viewer.locator(".panel:visible").count() == 2
            expect(viewer.locator(f".panel.{kind}")).to_be_visible()
        assert browser.overflow(page) <= 0
        table = page.locator("#particles-micrographs table.sortable")
        table.get_by_role("button", name="IU A").click()
        values = [float(text) for text in table.locator("tbody td:nth-child(3)").all_inner_texts()]
        assert values == sorted(values)
