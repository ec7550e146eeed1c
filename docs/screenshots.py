"""Take the documentation's pictures of pages: ``python docs/screenshots.py``.

They are committed, since Chromium is not needed to build the site. Report and comparison are of the
synthetic set, the board of the repository's entries; none shows a real micrograph.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
STATIC = Path(__file__).parent / "_static"
WIDTH, HEIGHT = 1000, 900


def main() -> None:
    """Build the pages in a temporary folder, and take a picture of each."""
    sys.path.insert(0, str(ROOT))
    from tests.helpers import browser

    with TemporaryDirectory() as folder, browser.chromium() as chromium:
        names = ("otsu", "smoothed", "report", "comparison", "board")
        maps, others, report, comparison, board = (Path(folder) / name for name in names)
        command("demo", "--out", maps)
        options = ("--task", "particles", "--dataset-version", "synthetic")
        write_smoothed(others)
        command("score", maps, *options, "--report", report)
        command("compare", others, maps, *options, "--report", comparison)
        command("leaderboard", "build", "--check", "--site", board)
        for name, path, at in (
            ("report", report / "index.html", "section.micrograph"),
            ("comparison", comparison / "index.html", "section.micrograph"),
            ("board", board / "index.html", "main"),
        ):
            with browser.opened(chromium, path, width=WIDTH, height=HEIGHT) as page:
                page.locator(at).first.evaluate("element => element.scrollIntoView()")
                page.wait_for_timeout(500)
                page.screenshot(path=STATIC / f"{name}.png")


def write_smoothed(folder: Path) -> None:
    """Segment the synthetic particles by Otsu's threshold after a median filter."""
    from scipy.ndimage import median_filter

    import uhcs_bench
    from uhcs_bench.segmentation import otsu

    micrographs = uhcs_bench.load("particles", version="synthetic")
    maps = {m.id: otsu.segment(median_filter(m.image, 5), "particles") for m in micrographs}
    uhcs_bench.save_predictions(maps, folder, version="synthetic")


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
