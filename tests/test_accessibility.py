"""Pages that the package writes, checked by axe-core; the site is in `test_documentation`."""

from __future__ import annotations

import pytest

import uhcs_bench
from tests.helpers import browser
from tests.helpers.entries import declared, noisy, write_entry
from tests.helpers.release import require
from uhcs_bench.ranking import board
from uhcs_bench.ranking.outputs import site
from uhcs_bench.scoring import comparison_page, report
from uhcs_bench.scoring.score import score_submissions
from uhcs_bench.scoring.submission import read_submission

pytestmark = pytest.mark.slow

DATA = {"fold": 2, "version": "synthetic"}
AXE = {"preload": False}


def maps(factor):
    return {m.id: factor * m.labels for m in uhcs_bench.load("particles", **DATA).val}


def scored(factor):
    read = read_submission(maps(factor), **DATA)
    return comparison_page.Scored(score_submissions(read), read)


def report_page(folder):
    found = scored(1)
    return [report.write(folder, found.report, found.submissions, "perfect")]


def comparison_pages(folder):
    a, b = scored(1), scored(0)
    compared = uhcs_bench.compare(a.report, b.report)
    return [comparison_page.write(folder, compared, a, b)]


def board_pages(folder):
    write_entry(folder / "entries" / "mine", {"particles": noisy(0.1)}, declared(name="Mine"))
    write_entry(folder / "entries" / "other", {"particles": noisy(0.2)}, declared(name="Other"))
    built = board.build(*board.read_entries(folder / "entries"))
    index = site.write(folder / "site", built)
    names = ("index.html", "particles.html", "entries/mine.html")
    return [index.parent / name for name in names]


def notebook_page(folder):
    """Outputs of cells in a page like the one that nbconvert writes."""
    fold = uhcs_bench.load("particles", **DATA)
    found = uhcs_bench.score(maps(1), **DATA)
    compared = uhcs_bench.compare(found, uhcs_bench.score(maps(0), **DATA))
    shown = (fold.val[0], fold.val, fold, found, compared)
    outputs = "\n".join(f"<section>{item._repr_html_()}</section>" for item in shown)
    head = '<meta charset="utf-8"><title>Notebook</title>'
    page = folder / "notebook.html"
    page.write_text(
        f'<!doctype html><html lang="en"><head>{head}</head>'
        f"<body><main><h1>Notebook</h1>{outputs}</main></body></html>",
        "utf-8",
    )
    return [page]


def broken_page(folder):
    page = folder / "broken.html"
    page.write_text('<html><title>x</title><body><img src="data:,"><a href="#"></a></body></html>')
    return [page]


def violations(pages, width):
    """List serious faults of pages by their rules."""
    require("axe_playwright_python")
    from axe_playwright_python.sync_playwright import Axe

    found = []
    with browser.chromium() as chromium:
        for path in pages:
            with browser.opened(chromium, path, width=width) as page:
                found += [
                    (path.name, violation["id"], violation["nodes"][0]["html"])
                    for violation in Axe().run(page, options=AXE).response["violations"]
                    if violation["impact"] in ("serious", "critical")
                ]
    return found


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("write", [report_page, comparison_pages, board_pages, notebook_page])
def test_page_has_no_serious_fault(tmp_path, write, width):
    """Check report, comparison, board and the outputs of a notebook, on a desktop and a phone."""
    assert violations(write(tmp_path), width) == []


def test_faults_are_found(tmp_path):
    """Check the check: a picture without a text, and a link without a name."""
    rules = {rule for _, rule, _ in violations(broken_page(tmp_path), 1280)}
    assert {"image-alt", "link-name", "html-has-lang"} <= rules
