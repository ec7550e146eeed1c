"""Open pages in headless Chromium, Debian's own, and note whatever they do that they should not."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium without a window.

    Where it is not installed, the tests that need it are skipped with the reason; in continuous
    integration that is a failure.
    """
    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    if executable is None:
        _give_up("there is no Chromium; on Debian: apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _give_up("playwright is not installed; pip install playwright")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def _give_up(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"the browser is required in CI: {reason}")
    pytest.skip(reason)


@contextmanager
def opened(
    browser: Browser, path: Path, width: int = 1280, height: int = 900, scripts: bool = True
) -> Iterator[Page]:
    """Open a file, and fail if it logs an error or asks for anything but files and data.

    Parameters
    ----------
    browser : Browser
    path : Path
    width, height : int, optional
        Of the window, in CSS pixels.
    scripts : bool, optional
        Whether the page may run its scripts.
    """
    context = browser.new_context(
        viewport={"width": width, "height": height}, java_script_enabled=scripts
    )
    page = context.new_page()
    errors: list[str] = []
    requests: list[str] = []
    page.on("console", lambda m: errors.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.resolve().as_uri())
    try:
        yield page
    finally:
        context.close()
    assert errors == []
    assert [url[:100] for url in requests if not url.startswith(("file:", "data:"))] == []


def expect(locator: Locator) -> Any:
    """Assert of an element what may take the browser a moment, as playwright does."""
    from playwright.sync_api import expect as playwright_expect

    return playwright_expect(locator)


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    width: int = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return width
