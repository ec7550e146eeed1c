"""The page of a scored submission: what stands in it, and how it behaves in a browser."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

import uhcs_bench
from tests.helpers import browser
from tests.helpers.browser import expect
from tests.helpers.pages import Outline, picture
from uhcs_bench import protocol
from uhcs_bench.data import dataset
from uhcs_bench.io.atomic import replacing
from uhcs_bench.metrics.table import CLASS_SCORES, RANKED_SCORES
from uhcs_bench.scoring import report as html_report
from uhcs_bench.scoring import score as scoring
from uhcs_bench.scoring.submission import read_submission
from uhcs_bench.segmentation import otsu
from uhcs_bench.web import pictures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

    from uhcs_bench.scoring.results import Report
    from uhcs_bench.scoring.submission import Submission

HOSTILE = "<script>alert(1)</script>\"'&\n"


@pytest.fixture(scope="module")
def submissions() -> tuple[Submission, ...]:
    """Otsu's maps of both synthetic sets, with some that are extreme."""
    maps = {
        micrograph.id: otsu.segment(micrograph.image, task)
        for task in protocol.TASKS
        for micrograph in uhcs_bench.load(task, version="synthetic")
    }
    maps["synthetic-particles-03"] = 0 * maps["synthetic-particles-03"]
    maps["synthetic-microconstituents-07"] = 0 * maps["synthetic-microconstituents-07"]
    return read_submission(maps, version="synthetic")


@pytest.fixture(scope="module")
def report(submissions: tuple[Submission, ...]) -> Report:
    """Score them."""
    return scoring.score_submissions(submissions)


@pytest.fixture(scope="module")
def html(report: Report, submissions: tuple[Submission, ...]) -> str:
    """Lay the page out."""
    return html_report.to_html(report, submissions, "otsu")


@pytest.fixture(scope="module")
def path(
    report: Report, submissions: tuple[Submission, ...], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Write the page."""
    folder = tmp_path_factory.mktemp("site") / "new" / "report"
    return html_report.write(folder, report, submissions, "otsu")


@pytest.fixture(scope="module")
def fold() -> tuple[Report, tuple[Submission, ...]]:
    """Score the annotations of one fold, as the arguments of a small page."""
    maps = {m.id: m.labels for m in uhcs_bench.load("particles", 2, "synthetic").val}
    read = read_submission(maps, fold=2, version="synthetic")
    return scoring.score_submissions(read), read


def test_the_page_says_which_data(fold: tuple[Report, tuple[Submission, ...]]) -> None:
    """Check version, split and data id at the head, and that another split's report is refused."""
    report, submissions = fold
    html = html_report.to_html(report, submissions, "truth")
    assert f"data id {report['particles'].data_id}" in html
    assert protocol.SPLITS["paper"].replace("'", "&#39;") in html
    with pytest.raises(ValueError, match="the submissions are"):
        html_report.to_html(dataclasses.replace(report, split="clean"), submissions, "truth")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start the browser once."""
    with browser.chromium() as started:
        yield started


@pytest.fixture
def page(chromium: Browser, path: Path) -> Iterator[Page]:
    """Open the page in a fresh window."""
    with browser.opened(chromium, path) as opened:
        yield opened


@pytest.mark.slow
def test_page_is_written_whole(path: Path, html: str) -> None:
    """Check the file, and that nothing else is left beside it."""
    assert path.name == "index.html"
    assert path.read_text(encoding="utf-8") == html
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.slow
def test_same_input_gives_same_bytes(
    report: Report, submissions: tuple[Submission, ...], html: str
) -> None:
    """Check that there is no date or order of chance in it."""
    assert html_report.to_html(report, submissions, "otsu") == html


@pytest.mark.slow
def test_elements_are_closed_and_ids_unique(html: str) -> None:
    """Check the structure, and that links within the page lead somewhere."""
    assert html.startswith("<!doctype html>")
    outline = Outline(html)
    ids = outline.values("id")
    assert len(set(ids)) == len(ids)
    targets = {link[1:] for link in outline.values("href") if link.startswith("#")}
    assert targets <= set(ids)
    assert sum(a.get("class") == "micrograph" for _, a in outline.elements) == 48


def test_nothing_is_loaded(html: str) -> None:
    """Check that every source is in the page, and that its policy forbids any other."""
    outline = Outline(html)
    assert all(source.startswith("data:image/") for source in outline.values("src"))
    assert not {"iframe", "object", "embed", "base", "form"} & {tag for tag, _ in outline.elements}
    assert [a["href"] for tag, a in outline.elements if tag == "link"] == ["data:,"]
    assert outline.values("style") == []
    assert not re.search(r"@import|url\(", html)
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in html


def test_every_image_is_embedded_once(html: str) -> None:
    """Check that the micrograph is shared by both views."""
    sources = Outline(html).values("src")
    assert len(sources) == 48 * 4
    assert sum(source.startswith("data:image/png") for source in sources) == 48


def test_numbers_are_the_reports(html: str, report: Report) -> None:
    """Check means, intervals, micrographs and the KS score against the report."""
    for task in report.tasks:
        for score in task.conventions.values():
            for means in score.classes.values():
                for estimate in (getattr(means, s.name) for s in CLASS_SCORES):
                    if estimate.mean is None:
                        continue
                    shown = f"{100 * estimate.mean:.1f}"
                    if estimate.se is not None:
                        shown += f" ± {100 * estimate.se:.1f}"
                    if estimate.ci95 is None:  # too few micrographs, or no scatter
                        assert re.search(rf'<td>{shown}<span class="interval"><', html)
                        continue
                    low, high = estimate.ci95
                    ends = f"{100 * low:.1f} to {100 * high:.1f}"
                    assert re.search(rf'<td>{shown}<span class="interval">{ends}\*?<', html)
        for image in task.images:
            (row,) = re.findall(rf'<tr><th [^>]*data-value="{image.id}">.*?</tr>', html, re.S)
            values = [value for value in re.findall(r'<td data-value="([^"]*)"', row) if value]
            expected = [image.fold, *(getattr(image, s.name) for s in RANKED_SCORES)]
            of_class = [
                getattr(found, s.name)
                for s in RANKED_SCORES
                if s.per_class
                for found in image.classes.values()
            ]
            expected += [value for value in of_class if value is not None]
            assert [float(value) for value in values[: len(expected)]] == expected
    psd = report["particles"].psd
    assert psd is not None
    assert f"KS score {100 * psd.ks_score:.1f} %" in html
    assert f"have one distribution on {psd.n_consistent} of 24 micrographs" in html


def test_page_states_what_its_intervals_hold(
    html: str, fold: tuple[Report, tuple[Submission, ...]]
) -> None:
    """Check the coverage, the mark of kinds that fall short, and the reason for no interval."""
    assert "In simulations both hold 93 % or more" in html
    marked = re.findall(r'<td>[^<]*<span class="interval">[^<]*\*</span>', html)
    assert marked
    assert "* simulated coverage below 93 %" in html
    page = html_report.to_html(*fold, "perfect")
    assert "No 95 % intervals: below 19 micrographs" in page


@pytest.mark.slow
def test_page_shows_the_unit_that_is_asked_for(submissions: tuple[Submission, ...]) -> None:
    """Check the intervals by heat-treated sample."""
    report = scoring.score_submissions(submissions, "samples")
    html = html_report.to_html(report, submissions, "otsu")
    ends = report["particles"].conventions["paper"].classes["particle"].IU.ci95_samples
    assert ends is not None
    assert f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}" in html
    assert "the 95 % interval by heat-treated sample" in html


def test_confusion_matrix_is_the_sum(html: str, report: Report) -> None:
    """Check counts and shares of the rows."""
    for task in report.tasks:
        counts = np.sum([image.confusion for image in task.images], axis=0)
        for row in counts:
            for count in row:
                shown = f"{count:,}".replace(",", "\u202f")
                assert f'{100 * count / row.sum():.1f} %</span><span class="count">{shown}<' in html


def test_worst_comes_first(html: str, report: Report) -> None:
    """Check the order of sections and of both tables."""
    for task in report.tasks:
        order = [image.id for image in sorted(task.images, key=lambda image: image.IU)]
        assert re.findall(rf'<section class="micrograph" id="({task.task}-[^"]+)"', html) == [
            f"{task.task}-{name}" for name in order
        ]
        linked = re.findall(
            rf'<th scope="row" data-value="[^"]*"><a href="#({task.task}-\S+)"', html
        )
        assert linked == [f"{task.task}-{name}" for name in order]


def test_undefined_is_a_dash(html: str) -> None:
    """Check a map without particles: no precision, no test statistic, and never a zero."""
    (row,) = re.findall(r'<tr><th [^>]*data-value="synthetic-particles-03">.*?</tr>', html, re.S)
    assert row.count('<td data-value="">-</td>') == 2  # statistic and p-value
    assert "no particles predicted: equality rejected" in html
    section = html.partition('id="particles-synthetic-particles-03"')[2]
    table = section.partition('class="classes"')[2].partition("</table>")[0]
    particle = table.partition("</svg> particle</th>")[2].partition("</tr>")[0]
    assert re.findall("<td>(.*?)</td>", particle)[:3] == ["0.0", "-", "0.0"]


def test_maps_have_the_classes_colours(html: str, submissions: tuple[Submission, ...]) -> None:
    """Check that annotation and prediction can be read back from the page, pixel by pixel."""
    for submission in submissions:
        colors = np.array([list(bytes.fromhex(c[1:])) for c in submission.task.colors])
        micrograph = dataset.micrographs(submission.entries[:1])[0]
        name = micrograph.id
        shown = picture(html, f"Annotated classes of {name}")[..., :3]
        np.testing.assert_array_equal(shown, colors[micrograph.labels])
        shown = picture(html, f"Predicted classes of {name}")[..., :3]
        np.testing.assert_array_equal(shown, colors[submission.maps[name]])
        np.testing.assert_array_equal(picture(html, f"Micrograph {name}"), micrograph.image)


def test_error_map_shows_every_wrong_pixel(html: str, submissions: tuple[Submission, ...]) -> None:
    """Check the wrong pixels' colours, that hits are marked and the rest is transparent."""
    for submission in submissions:
        micrograph = dataset.micrographs(submission.entries[:1])[0]
        predicted = submission.maps[micrograph.id]
        wrong = predicted != micrograph.labels
        shown = picture(html, f"Wrong pixels of {micrograph.id}")
        colors = np.array([list(bytes.fromhex(c[1:])) for c in submission.task.colors])
        np.testing.assert_array_equal(shown[wrong][:, :3], colors[predicted[wrong]])
        visible = wrong
        if submission.task.has_particles:
            hit = ~wrong & (micrograph.labels == 1)
            assert (shown[hit][:, :3] == 0x33).all()
            visible = wrong | hit
        np.testing.assert_array_equal(shown[..., 3] == 255, visible)


def test_cells_have_enough_contrast() -> None:
    """Check each shade of the confusion matrix against WCAG's 4.5."""
    rules = re.findall(
        r"\.shade-\d+ { background: #(\w{6}); color: #(\w{3}); }", html_report._shades_css()
    )
    assert len(rules) == 21
    for background, text in rules:
        pair = [pictures.luminance(bytes.fromhex(c)) for c in (background, 2 * text)]
        assert (max(pair) + 0.05) / (min(pair) + 0.05) >= 4.5


def test_synthetic_scores_say_so(html: str) -> None:
    """Check that the page can't be taken for scores on real micrographs."""
    assert '<p class="banner"><strong>SYNTHETIC set, not real micrographs.' in html


def test_single_fold(fold: tuple[Report, tuple[Submission, ...]]) -> None:
    """Check a page of four micrographs."""
    page = html_report.to_html(*fold, "perfect")
    Outline(page)
    assert "n = 4, fold 2" in page
    assert page.count('<section class="micrograph"') == 4


def test_report_of_another_submission_is_refused(
    report: Report, submissions: tuple[Submission, ...]
) -> None:
    """Check that scores and maps can't be mixed up."""
    with pytest.raises(ValueError, match="the submissions are"):
        html_report.to_html(report, submissions[:1], "otsu")


def hostile(
    monkeypatch: pytest.MonkeyPatch, submissions: tuple[Submission, ...]
) -> tuple[Report, list[Submission]]:
    """Give the first particle micrograph a name that would run a script."""
    (submission,) = [s for s in submissions if s.task.has_particles]
    micrographs = list(dataset.micrographs(submission.entries[:2]))
    entry = dataclasses.replace(micrographs[0].entry, id=HOSTILE, licence=HOSTILE)
    micrographs[0] = dataclasses.replace(micrographs[0], entry=entry)
    monkeypatch.setattr(dataset, "micrographs", lambda _: tuple(micrographs))
    renamed = dataclasses.replace(
        submission,
        entries=tuple(m.entry for m in micrographs),
        maps={m.id: 0 * m.labels for m in micrographs},
    )
    return scoring.score_submissions([renamed]), [renamed]


def test_names_are_escaped(
    submissions: tuple[Submission, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check that a title, an id and a licence stay text."""
    html = html_report.to_html(*hostile(monkeypatch, submissions), title=HOSTILE)
    assert "<script>alert" not in html
    outline = Outline(html)
    assert [tag for tag, _ in outline.elements].count("script") == 1
    assert f"Micrograph {HOSTILE}" in outline.values("alt")


def test_title_that_is_no_text(fold: tuple[Report, tuple[Submission, ...]], tmp_path: Path) -> None:
    """Check a folder's name with a byte that is not UTF-8."""
    page = html_report.write(tmp_path, *fold, "preds-\udcff")
    assert "<h1>preds-?</h1>" in page.read_text(encoding="utf-8")


def test_failure_leaves_the_old_page(
    fold: tuple[Report, tuple[Submission, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check that a full disk leaves neither half a page nor a partial file."""
    with replacing(tmp_path / "index.html") as partial:
        partial.write_text("old")

    def fail(*_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="No space"):
        html_report.write(tmp_path, *fold, "otsu")
    assert [p.name for p in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text() == "old"


@pytest.mark.usefixtures("real_data")
def test_real_page_stays_small(tmp_path: Path, chromium: Browser) -> None:
    """Check size and loading of the page of 24 real micrographs."""
    maps = {m.id: otsu.segment(m.image, "particles") for m in uhcs_bench.load("particles")}
    read = read_submission(maps)
    path = html_report.write(tmp_path, scoring.score_submissions(read), read, "otsu")
    assert path.stat().st_size < 12e6
    assert "CC BY-SA 3.0 US" in path.read_text(encoding="utf-8")
    with browser.opened(chromium, path) as page:
        ready = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        assert ready < 10_000


def column(table: Locator, number: int) -> list[str]:
    """Text of a column of a table's body."""
    return table.locator(f"tbody tr > :nth-child({number})").all_inner_texts()


def test_sorting_by_mouse(page: Page) -> None:
    """Check that a click on a heading sorts up, another down, and that it is announced."""
    table = page.locator("#particles-micrographs table")
    iu = [float(text) for text in column(table, 3)]
    assert iu == sorted(iu)
    heading = table.locator("thead th").nth(3)
    heading.get_by_role("button", name="AC").click()
    values = [float(text) for text in column(table, 4)]
    assert values == sorted(values)
    assert heading.get_attribute("aria-sort") == "ascending"
    assert table.locator("[aria-sort]").count() == 1
    heading.get_by_role("button").click()
    assert [float(text) for text in column(table, 4)] == values[::-1]
    assert heading.get_attribute("aria-sort") == "descending"


def test_sorting_by_keyboard(page: Page) -> None:
    """Check that a heading can be reached and pressed without a mouse."""
    table = page.locator("#microconstituents-micrographs table")
    table.get_by_role("button", name="fold").focus()
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.innerText") == "micrograph"
    page.keyboard.press("Enter")
    names = column(table, 1)
    assert names == sorted(names)
    page.keyboard.press("Space")
    assert column(table, 1) == names[::-1]


def test_undefined_values_are_sorted_last(page: Page) -> None:
    """Check the micrograph without predicted particles, both ways."""
    table = page.locator("#particles-micrographs table")
    for _ in range(2):
        table.get_by_role("button", name="KS").first.click()
        assert column(table, 7)[-1] == "-"
        assert "-" not in column(table, 7)[:-1]


def visible_panels(viewer: Locator) -> list[str]:
    """Captions' first words of the images that are shown."""
    panels = viewer.locator(".panel").all()
    kinds = [(panel.get_attribute("class") or "").split()[1] for panel in panels]
    return [kind for kind, panel in zip(kinds, panels, strict=True) if panel.is_visible()]


def test_views(page: Page) -> None:
    """Check what each view shows, and that arrow keys go from one to the next."""
    viewer = page.locator(".viewer").first
    slider = viewer.locator("input[type=range]")
    assert visible_panels(viewer) == ["image", "annotation", "prediction", "errors"]
    expect(slider).to_be_hidden()
    viewer.get_by_text("Micrograph", exact=True).first.click()
    assert visible_panels(viewer) == ["image"]
    expect(slider).to_be_hidden()
    for kind in ("annotation", "prediction", "errors"):
        page.keyboard.press("ArrowRight")
        assert visible_panels(viewer) == ["image", kind]
        expect(slider).to_be_visible()
        below, above = (viewer.locator(f".{name} img").bounding_box() for name in ("image", kind))
        assert below == above
    assert visible_panels(page.locator(".viewer").nth(1))[1:] == [
        "annotation",
        "prediction",
        "errors",
    ]


def test_opacity(page: Page) -> None:
    """Check that the slider works by keyboard and says its value."""
    viewer = page.locator(".viewer").first
    viewer.get_by_text("Errors", exact=True).first.click()
    expect(viewer.locator(".panel.errors")).to_have_css("opacity", "0.6")
    viewer.locator("input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    expect(viewer.locator(".panel.errors")).to_have_css("opacity", "0.65")
    expect(viewer.locator("output")).to_have_text("65 %")
    page.keyboard.press("Home")
    expect(viewer.locator(".panel.errors")).to_have_css("opacity", "0")
    expect(viewer.locator(".panel.image")).to_have_css("opacity", "1")


def test_links_lead_to_the_section(page: Page) -> None:
    """Check that a row's link brings its micrograph into view."""
    link = page.locator("#particles-micrographs tbody a").nth(20)
    name = link.inner_text()
    link.click()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_in_viewport()


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_no_horizontal_scrolling(chromium: Browser, path: Path, width: int) -> None:
    """Check that the page fits its window, in each view; wide tables scroll by themselves."""
    with browser.opened(chromium, path, width=width, height=844) as page:
        assert browser.overflow(page) <= 0
        page.locator(".viewer").first.get_by_text("Errors", exact=True).first.click()
        assert browser.overflow(page) <= 0


def test_images_decode(page: Page) -> None:
    """Check that the browser understands every image, also those that it would load later."""
    widths = page.evaluate(
        """Promise.all(Array.from(document.images, async image => {
            image.loading = "eager";
            await image.decode();
            return image.naturalWidth;
        }))"""
    )
    assert set(widths) == {256}


def test_without_scripts(chromium: Browser, path: Path) -> None:
    """Check that tables, images and views are there; only sorting and the slider are not."""
    with browser.opened(chromium, path, scripts=False) as page:
        assert page.locator("thead button").count() == 0
        assert page.locator("#particles-micrographs tbody tr").count() == 24
        viewer = page.locator(".viewer").first
        viewer.get_by_text("Prediction", exact=True).first.click()
        assert visible_panels(viewer) == ["image", "prediction"]
        expect(viewer.locator("input[type=range]")).to_be_hidden()


def test_hostile_names_run_nothing(
    chromium: Browser,
    submissions: tuple[Submission, ...],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Check in the browser that names stay text: no dialog, no error, and links still lead."""
    path = html_report.write(tmp_path, *hostile(monkeypatch, submissions), title=HOSTILE)
    with browser.opened(chromium, path) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        assert page.locator("h1").inner_text() == HOSTILE.strip()
        link = page.locator("tbody a").filter(has_text="alert")
        link.click()
        expect(page.locator("h4").filter(has_text="alert")).to_be_in_viewport()


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_missing_browser(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    """Check that a missing browser skips tests, but fails them in continuous integration."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(outcome, match="there is no Chromium"), browser.chromium():
        pass
