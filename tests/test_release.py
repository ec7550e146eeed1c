"""The release: both distributions build, and hold the right files.

The installed wheel is tested in test_installed_wheel.py.
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.helpers.release import ROOT, require, run, would_be_committed

if TYPE_CHECKING:
    from tests.helpers.release import Distributions

MAX_WHEEL_BYTES = 10 << 20


@pytest.fixture(scope="module")
def wheel_names(distributions: Distributions) -> list[str]:
    return zipfile.ZipFile(distributions.wheel).namelist()


@pytest.fixture(scope="module")
def sdist_names(distributions: Distributions) -> list[str]:
    with tarfile.open(distributions.sdist) as archive:
        return [name.partition("/")[2] for name in archive.getnames()]


def test_wheel_holds_the_package_alone(wheel_names):
    """Check that code, data files, templates and the type marker are there, and nothing else."""
    packaged = {name for name in wheel_names if ".dist-info/" not in name}
    assert packaged == set(would_be_committed("uhcs_bench"))
    assert "uhcs_bench/py.typed" in packaged
    assert {name.rpartition("/")[2] for name in packaged} >= {"registry.json", "card.md.jinja"}


def test_wheel_is_small(distributions):
    """Check the size."""
    assert distributions.wheel.stat().st_size < MAX_WHEEL_BYTES


def test_sdist_holds_sources_and_documentation_but_no_label_maps(sdist_names):
    """Check that tests and pages are there, and neither maps of the leaderboard nor pictures."""
    assert {"README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "docs/index.md"} <= set(
        sdist_names
    )
    assert "tests/test_release.py" in sdist_names
    assert not [name for name in sdist_names if name.startswith("leaderboard")]
    pictures = (".png", ".tif", ".tiff", ".npy", ".pt", ".pth", ".onnx", ".jpg")
    found = [name for name in sdist_names if name.endswith(pictures)]
    models = ("microconstituents", "particles")
    drawn = [name for name in found if name.startswith("docs/_static/")]  # of synthetic micrographs
    names = ("board", "comparison", "front", "report")
    assert sorted(drawn) == [f"docs/_static/{name}.png" for name in names]
    assert sorted({*found} - {*drawn}) == [
        f"uhcs_bench/segmentation/shipped/{name}.onnx" for name in models
    ]


def test_twine_check_passes(distributions):
    """Check metadata and readme."""
    require("twine")
    files = (distributions.sdist, distributions.wheel)
    text = run(sys.executable, "-m", "twine", "check", "--strict", *files, cwd=ROOT).stdout
    assert text.count("PASSED") == 2


def test_wheel_passes_check_wheel_contents(distributions):
    """Check for stray, empty and misplaced modules."""
    require("check_wheel_contents")
    run(sys.executable, "-m", "check_wheel_contents", distributions.wheel, cwd=ROOT)
