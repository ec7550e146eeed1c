"""The release: both distributions build, hold what they should, install and run."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import uhcs_bench

ROOT = Path(__file__).parents[1]
MAX_WHEEL_BYTES = 1_000_000

in_ci = pytest.mark.skipif(
    not os.environ.get("CI"), reason="takes a minute and needs a package index; run with CI=true"
)


def run(*arguments: object, cwd: Path, clean: bool = False) -> str:
    """Run a command that must succeed, and give back what it prints."""
    environment = {**os.environ, "PYTHONWARNINGS": "default"}
    if clean:
        environment = {
            key: value for key, value in environment.items() if not key.startswith("PYTHON")
        }
    result = subprocess.run(
        [str(argument) for argument in arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="session")
def distributions(tmp_path_factory) -> tuple[Path, Path]:
    """Build sdist and wheel of what git would commit, as ``python -m build`` does.

    Without isolation, so that the build backend's own release is the one that is installed here.
    """
    for module in ("build", "hatchling"):
        if os.environ.get("CI"):
            importlib.import_module(module)
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp("release")
    clone = folder / "clone"
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone / name)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, clone, cwd=folder)
    (sdist,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="session")
def wheel_names(distributions) -> list[str]:
    return zipfile.ZipFile(distributions[1]).namelist()


@pytest.fixture(scope="session")
def sdist_names(distributions) -> list[str]:
    with tarfile.open(distributions[0]) as archive:
        return [name.partition("/")[2] for name in archive.getnames()]


def test_wheel_holds_the_whole_package_and_no_more(wheel_names):
    """Check that code, data files, templates and the type marker are there, and nothing else."""
    committed = run(
        *("git", "ls-files", "--cached", "--others", "--exclude-standard", "uhcs_bench"), cwd=ROOT
    ).splitlines()
    packaged = {name for name in wheel_names if ".dist-info/" not in name}
    assert packaged == {name for name in committed if (ROOT / name).is_file()}
    assert "uhcs_bench/py.typed" in packaged
    assert {name.rpartition("/")[2] for name in packaged} >= {"registry.json", "card.md.jinja"}


def test_wheel_is_small(distributions):
    """Check the size."""
    assert distributions[1].stat().st_size < MAX_WHEEL_BYTES


def test_sdist_holds_sources_and_documentation_but_no_label_maps(sdist_names):
    """Check that tests and pages are there, and neither maps of the leaderboard nor pictures."""
    assert {"README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "docs/index.md"} <= set(
        sdist_names
    )
    assert "tests/test_release.py" in sdist_names
    assert not [name for name in sdist_names if name.startswith("leaderboard")]
    pictures = (".png", ".tif", ".tiff", ".npy", ".pt", ".pth", ".onnx", ".jpg")
    assert [name for name in sdist_names if name.endswith(pictures)] == []


def test_twine_has_no_complaint(distributions):
    """Check metadata and readme as the package index would."""
    if os.environ.get("CI"):
        importlib.import_module("twine")
    pytest.importorskip("twine")
    text = run(sys.executable, "-m", "twine", "check", "--strict", *distributions, cwd=ROOT)
    assert text.count("PASSED") == 2


@in_ci
def test_wheel_installs_into_an_empty_environment_and_runs(distributions, tmp_path):
    """Check that its dependencies are enough for the demo, without anything of this folder."""
    venv.create(tmp_path / "venv", with_pip=True)
    bin_ = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = bin_ / "python"
    run(python, "-m", "pip", "install", "--quiet", distributions[1], cwd=tmp_path, clean=True)
    version = run(bin_ / "uhcs-bench", "--version", cwd=tmp_path, clean=True)
    assert version == f"uhcs-bench, version {uhcs_bench.__version__}\n"
    demo = run(bin_ / "uhcs-bench", "demo", cwd=tmp_path, clean=True)
    assert demo.startswith("particles: SYNTHETIC set")
    place = run(python, "-c", "import uhcs_bench; print(uhcs_bench.__file__)", cwd=tmp_path)
    assert Path(place.strip()).is_relative_to(tmp_path)
