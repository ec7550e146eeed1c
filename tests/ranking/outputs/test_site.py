"""The leaderboard's site: what stands in it, and how it behaves in a browser."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from tests.helpers import browser
from tests.helpers.browser import expect
from tests.helpers.entries import annotations, declared, hostile, noisy, write_entry
from tests.helpers.pages import Outline
from uhcs_bench import protocol
from uhcs_bench.errors import UsageError
from uhcs_bench.ranking import board as leaderboard
from uhcs_bench.ranking.board import METRICS
from uhcs_bench.ranking.outputs import board_json, sentences, site
from uhcs_bench.web import pictures

pytestmark = pytest.mark.slow  # the site that all of these look at takes seconds

HOSTILE = "<script>alert(1)</script>\"'&</td><img src=x onerror=alert(1)>"
PAGES = ("index.html", "particles.html", "microconstituents.html", "entries/near.html")


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """Two methods that are tied, one that is worse, one unfinished, and one with hostile texts."""
    root = tmp_path_factory.mktemp("board")
    maps = {task: noisy(0.05, task) for task in protocol.TASKS}
    active = {"status": "active", "reason": "Finished"}
    write_entry(root / "near", maps, declared(name="Near", tasks=dict.fromkeys(maps, active)))
    write_entry(root / "same", {"particles": noisy(0.05, seed=1)}, declared(name="Same"))
    some = dict(list(annotations().items())[:4])
    half = {"particles": {"status": "incomplete", "reason": "Running"}}
    write_entry(root / "half", {"particles": some}, declared(name="Half", tasks=half))
    write_entry(root / "evil", {"particles": noisy(0.3)}, hostile(HOSTILE))
    return leaderboard.build(*leaderboard.read_entries(root))


@pytest.fixture(scope="module")
def folder(board, tmp_path_factory):
    path = tmp_path_factory.mktemp("site") / "new" / "site"
    assert site.write(path, board) == path / "index.html"
    return path


@pytest.fixture(scope="module")
def chromium():
    with browser.chromium() as started:
        yield started


def outline(path):
    return Outline(path.read_text("utf-8"))


def test_links_and_images_lead_somewhere(folder):
    """Check every page: structure, ids, and that each link within the site has its target."""
    pages = {path: outline(path) for path in folder.rglob("*.html")}
    assert len(pages) == 3 + 4
    for path, found in pages.items():
        ids = found.values("id")
        assert len(set(ids)) == len(ids)
        for link in found.values("href") + found.values("src"):
            if link.startswith(("https://", "data:")):
                continue
            place, _, anchor = link.partition("#")
            target = (path.parent / place).resolve() if place else path
            assert target.is_file()
            if anchor:
                assert anchor in pages[target].values("id")


def test_pages_load_nothing_from_elsewhere(folder):
    """Check the policy, and that there is one script and no style beside it."""
    for path in folder.rglob("*.html"):
        found = outline(path)
        tags = [tag for tag, _ in found.elements]
        assert tags.count("script") == 1
        assert tags.count("style") == 1
        assert not {"iframe", "object", "embed", "base", "form"} & set(tags)
        assert found.values("style") == []
        assert "default-src 'none'; img-src 'self' data:" in path.read_text("utf-8")
        assert not any(link.startswith("https") for link in found.values("src"))


def test_hostile_texts_stay_texts(folder):
    """Check that no text of an entry becomes an element, on any page."""
    for path in folder.rglob("*.html"):
        found = outline(path)
        assert "x" not in found.values("src")
        assert found.values("onerror") == []
        assert "<script>alert" not in path.read_text("utf-8")
    assert "&lt;script&gt;alert(1)" in (folder / "entries" / "evil.html").read_text("utf-8")


def test_same_board_gives_same_bytes(folder, board):
    """Check that there is no date or order of chance in any file."""
    found = dict(site.files(board))
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == {*found}
    for name, expected in found.items():
        assert (folder / name).read_bytes() == expected


def test_data_lie_beside_the_pages(folder, board):
    """Check leaderboard.json."""
    assert (folder / "leaderboard.json").read_text("utf-8") == board_json.to_json(board)


def test_numbers_are_the_boards(folder, board):
    """Check means and intervals of every row in all conventions, and each micrograph's IU."""
    page = (folder / "particles.html").read_text("utf-8")
    group = next(g for g in board.groups if g.task.name == "particles")
    for row in group.ranked:
        start = page.index(f'<tr id="{group.anchor}-{row.entry.slug}"')
        text = page[start : page.index("show 24", start) + 6000]
        assert sentences.fit_cell(row.fits["n_particles"]) in page
        assert sentences.with_interval(METRICS[2], row.mean("D")).split(" ")[0] in text
        for means in row.result.conventions.values():
            low, high = means.IU.ci95
            assert f"{100 * low:.1f} to {100 * high:.1f}" in text
            assert f'="{means.AC.mean:.6f}"' in text
        for image in row.result.images:
            assert re.search(
                rf"{image.id}</th><td>{image.fold}</td><td>{100 * image.IU:.1f}<", text
            )


def test_maps_are_the_predictions(folder, board):
    """Check pixels and colours of a picture, and that no other image is in the site."""
    (found,) = [e for e in board.entries if e.slug == "near"]
    for task, maps in found.tasks.items():
        colors = np.array([list(bytes.fromhex(color[1:])) for color in maps.task.colors])
        name, labels = next(iter(maps.load(maps.runs[0]).items()))
        content = (folder / "maps" / "near" / task / f"{name}.png").read_bytes()
        shown = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        np.testing.assert_array_equal(shown, colors[labels])
    assert len(list(folder.rglob("*.png"))) == 24 * 4 + 4
    assert all("maps" in path.parts for path in folder.rglob("*.png"))


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scripts", [True, False])
def test_pages_open_from_files(chromium, folder, width, scripts):
    """Check each page at desktop and phone width: no error, no overflow, n and numbers visible."""
    for name in PAGES:
        with browser.opened(chromium, folder / name, width=width, scripts=scripts) as page:
            expect(page.locator(".n").first).to_contain_text("n = 24")
            if scripts:
                assert browser.overflow(page) <= 0
            images = page.locator("img")
            if images.count():
                images.first.scroll_into_view_if_needed()
                expect(images.first).to_be_visible()
    with browser.opened(chromium, folder / "particles.html", scripts=scripts) as page:
        expect(page.locator(".board tbody").first).to_contain_text("Near")
        expect(page.locator(".filters")).to_be_visible(visible=scripts)


def shown(page, column):
    """Visible text of a column of the table."""
    cells = page.locator(f".board > tbody:first-of-type > tr > :nth-child({column})").all()
    return [cell.inner_text().split("\n")[0] for cell in cells]


@pytest.mark.parametrize("scripts", [True, False])
def test_convention_switch(chromium, folder, board, scripts):
    """Check that one convention is shown at a time, by keyboard, with and without scripts."""
    group = next(g for g in board.groups if g.task.name == "microconstituents")
    (row,) = group.ranked
    with browser.opened(chromium, folder / "microconstituents.html", scripts=scripts) as page:
        page.locator("input[value=paper]").focus()
        for name in ("paper", "present", "pooled"):
            mean = row.result.conventions[name].IU.mean
            assert shown(page, 3)[0].startswith(f"{100 * mean:.1f}")
            assert page.locator(".board svg.strip:visible").count() == 1
            assert page.locator(".meaning:visible").inner_text().startswith(name)
            page.keyboard.press("ArrowRight")


def test_sorting_and_ties(chromium, folder):
    """Check the order by IU, by method with the keyboard, and the ranks that are shown."""
    with browser.opened(chromium, folder / "particles.html") as page:
        assert sorted(shown(page, 2)) == ["1-2", "1-2", "3"]
        page.get_by_role("button", name="method").focus()
        page.keyboard.press("Enter")
        assert [name[:4] for name in shown(page, 1)] == ["<scr", "Near", "Same"]
        page.get_by_role("button", name="IU", exact=True).first.click()
        numbers = [float(text.split()[0]) for text in shown(page, 3)]
        assert numbers == sorted(numbers, reverse=True)
        page.locator("input[value=pooled]").check(force=True)
        numbers = [float(text.split()[0]) for text in shown(page, 3)]
        assert numbers == sorted(numbers, reverse=True)


@pytest.mark.parametrize("scripts", [True, False])
def test_micrographs_show_on_hover_and_focus(chromium, folder, scripts):
    """Check both ways, and that the list fits into the window of a phone."""
    path = folder / "particles.html"
    with browser.opened(chromium, path, width=390, height=844, scripts=scripts) as page:
        button, popup = page.locator(".peek").nth(1), page.locator(".popup").nth(1)
        expect(popup).to_be_hidden()
        button.scroll_into_view_if_needed()
        place = button.bounding_box()
        # Not hover(): on a phone the list may cover its own button.
        page.mouse.move(place["x"] + 5, place["y"] + 5)
        expect(popup).to_be_visible()
        assert popup.locator("tbody tr").count() == 24
        box = popup.bounding_box()
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= 390
        page.mouse.move(0, 0)
        expect(popup).to_be_hidden()
        button.focus()
        expect(popup).to_be_visible()
        if scripts:
            page.keyboard.press("Escape")
            expect(popup).to_be_hidden()


def test_everything_is_reached_by_keyboard(chromium, folder):
    """Check that Tab visits each link, button, choice and table."""
    with browser.opened(chromium, folder / "particles.html") as page:
        visited = set()
        for _ in range(60):
            page.keyboard.press("Tab")
            visited.add(
                page.evaluate("document.activeElement.className || document.activeElement.tagName")
            )
        assert {"A", "INPUT", "SELECT", "BUTTON", "peek", "scroll"} <= visited


def test_filters_hide_other_groups(chromium, folder):
    """Check that the choice of a split hides what is of another."""
    with browser.opened(chromium, folder / "particles.html") as page:
        section = page.locator("section.board-group")
        assert section.get_attribute("data-version") == "synthetic"
        select = page.locator("select[data-filter=split]")
        assert select.locator("option").all_inner_texts() == ["all", "paper"]
        section.evaluate("element => element.dataset.split = 'other'")
        select.select_option("paper")
        expect(section).to_be_hidden()
        select.select_option("all")
        expect(section).to_be_visible()


def test_a_comparison_of_splits_is_shown_with_either(chromium, split_board, tmp_path):
    """Check its table, and that the choice of a split hides it only where it has no part."""
    site.write(tmp_path / "site", split_board)
    (found,) = split_board.split_comparisons
    with browser.opened(chromium, tmp_path / "site" / "particles.html") as page:
        section = page.locator(f"#{found.anchor}")
        rows = section.locator("tbody tr")
        assert [rows.nth(k).locator("th, td").all_inner_texts() for k in range(rows.count())] == [
            sentences.change_cells(change) for change in found.changes
        ]
        for split in ("clean", "grouped"):
            page.locator("select[data-filter=split]").select_option(split)
            expect(section).to_be_visible()
        section.evaluate("element => element.dataset.split = 'paper clean'")
        page.locator("select[data-filter=split]").select_option("grouped")
        page.locator("select[data-filter=split]").dispatch_event("change")
        expect(section).to_be_hidden()


COLORS = """() => {
  const solid = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (color !== "rgba(0, 0, 0, 0)") return color;
    }
    return "rgb(255, 255, 255)";
  };
  const found = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || parent.closest("script, style")) continue;
    const style = getComputedStyle(parent);
    found.add((parent.closest("svg") ? style.fill : style.color) + "|" + solid(parent));
  }
  return [...found];
}"""


def contrast(one, other):
    """Ratio of the Web Content Accessibility Guidelines."""
    pair = [pictures.luminance([int(c) for c in re.findall(r"\d+", x)[:3]]) for x in (one, other)]
    return (max(pair) + 0.05) / (min(pair) + 0.05)


def test_contrast_of_all_texts(chromium, folder, reported_page):
    """Check the colours that the browser computes against WCAG's 4.5, reported rows included."""
    seen = set()
    for path in (*(folder / name for name in PAGES), reported_page):
        with browser.opened(chromium, path) as page:
            seen.update(page.evaluate(COLORS))
    assert len(seen) >= 6
    poor = {pair: contrast(*pair.split("|")) for pair in seen}
    assert {pair: ratio for pair, ratio in poor.items() if ratio < 4.5} == {}
    assert contrast("rgb(119, 119, 119)", "rgb(255, 255, 255)") == pytest.approx(4.48, abs=0.01)


@pytest.fixture(scope="module")
def reported_page(board, tmp_path_factory):
    """A page with the paper's numbers, of which the synthetic set has none."""
    import dataclasses

    from uhcs_bench import paper

    groups = [
        dataclasses.replace(group, reported=paper.reported(group.task.name))
        for group in board.groups
    ]
    folder = tmp_path_factory.mktemp("reported")
    site.write(folder, dataclasses.replace(board, groups=groups))
    return folder / "particles.html"


def test_reported_rows_look_different(chromium, reported_page):
    """Check that the paper's rows are marked, without rank, apart, and in its convention alone."""
    with browser.opened(chromium, reported_page) as page:
        rows = page.locator("tbody.reported tr:not(.source)")
        assert rows.count() == 2
        expect(rows.first).to_contain_text("reported")
        expect(rows.nth(1)).to_contain_text("72.4 ± 3.1")
        styles = [
            row.locator("td")
            .nth(1)
            .evaluate("e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).fontStyle]")
            for row in (rows.first, page.locator(".board > tbody:first-of-type > tr").first)
        ]
        assert styles[0][0] != styles[1][0]
        assert (styles[0][1], styles[1][1]) == ("italic", "normal")
        expect(page.locator("tbody.reported .source a").first).to_have_attribute(
            "href", "https://doi.org/10.1017/S1431927618015635"
        )
        page.locator("input[value=present]").check(force=True)
        assert "72.4" not in rows.nth(1).inner_text()
        page.locator(".board thead button").nth(2).click()
        assert page.locator(".board tbody.reported tr").count() == 3


def test_unfinished_entries_have_a_page(folder):
    """Check the entry with one fold: maps, but neither scores nor sizes."""
    text = (folder / "entries" / "half.html").read_text("utf-8")
    assert "n = 4 of 24" in text
    assert "incomplete" in text
    assert "rank" not in text.partition("<main>")[2]
    assert json.loads((folder / "leaderboard.json").read_text("utf-8"))["groups"][0]["unfinished"]


def test_failure_leaves_the_old_page(board, tmp_path, monkeypatch):
    """Check that a full disk leaves no half page."""
    (tmp_path / "index.html").write_text("old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="No space"):
        site.write(tmp_path, board)
    assert (tmp_path / "index.html").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["index.html"]


@pytest.mark.parametrize("place", ["entries", "entries/site", "."])
def test_a_site_does_not_take_the_place_of_entries(tmp_path, place):
    """Check the entries' folder, one inside it, and one around it."""
    (tmp_path / "entries" / "a").mkdir(parents=True)
    with pytest.raises(UsageError, match="lie inside one another"):
        site.check_folder(tmp_path / place, tmp_path / "entries")


def test_sizes_are_not_said_to_be_the_same(folder):
    """Check that no page takes a test that does not reject for equality."""
    for path in folder.rglob("*.html"):
        text = path.read_text("utf-8")
        assert "same distribution" not in text
        assert "annotated distribution" not in text
    assert "Not rejected is no evidence" in (folder / "particles.html").read_text("utf-8")


def test_cards_and_entries_of_two_splits_are_told_apart(split_board, tmp_path):
    """Check that neither two cards nor two entries of one method read the same."""
    site.write(tmp_path / "site", split_board)
    page = (tmp_path / "site" / "index.html").read_text("utf-8")
    headings = [re.sub("<[^>]+>", "", found) for found in re.findall(r"<h2.*?</h2>", page)]
    assert len(set(headings)) == len(headings)
    for found in split_board.entries:
        start = f'<li><a href="entries/{found.slug}.'
        line = next(row for row in page.splitlines() if row.startswith(start))
        assert f"data set {found.version}, split {found.split}" in line
