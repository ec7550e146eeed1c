"""Take the documentation's pictures of report and board: ``python docs/screenshots.py``.

They are committed, since Chromium is not needed to build the site. The report is of the synthetic
set, the board of the repository's entries; both show no real micrograph.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
STATIC = Path(__file__).parent / "_static"
WIDTH = 1000


def main() -> None:
    """Build report and board in a temporary folder, and take a picture of each."""
    sys.path.insert(0, str(ROOT))
    from tests import browser

    with TemporaryDirectory() as folder, browser.chromium() as chromium:
        maps, report, board = (Path(folder) / name for name in ("demo", "report", "board"))
        command("demo", "--out", maps)
        options = ("--task", "particles", "--dataset-version", "synthetic")
        command("score", maps, *options, "--report", report)
        command("leaderboard", "build", "--check", "--site", board)
        for name, path, at in (
            ("report", report / "index.html", "section.micrograph"),
            ("board", board / "index.html", "main"),
        ):
            with browser.opened(chromium, path, width=WIDTH, height=700) as page:
                page.locator(at).first.scroll_into_view_if_needed()
                page.wait_for_timeout(500)
                page.screenshot(path=STATIC / f"{name}.png")


def command(*words: object) -> None:
    """Run the command line of this clone."""
    subprocess.run(
        [sys.executable, "-m", "uhcs_bench", *map(str, words)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    main()
