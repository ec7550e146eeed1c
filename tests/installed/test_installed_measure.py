"""The wheel with the extra `measure`: from a raw micrograph to numbers, without a network.

The wheel is installed in a fresh environment, which borrows its dependencies from this one by
links, since installing them takes minutes. Only those are linked that the wheel's metadata demand
for the extra, and that they demand in turn, so that nothing else can be imported. What this does
not show is that pip finds versions of them that fit together.
"""

from __future__ import annotations

import re
import sys
import venv
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from PIL import Image

import uhcs_bench
from tests.helpers.release import require, run

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.helpers.release import Distributions


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(name: str, extras: set[str], found: set[str], wheel: Path) -> set[str]:
    """Distributions that installing one brings, itself included; markers of platforms are kept."""
    found.add(normalised(name))
    own = metadata.Distribution.at(wheel)
    is_own = normalised(name) == normalised(own.metadata["Name"])
    for line in (own.requires if is_own else metadata.requires(name)) or []:
        requirement, _, marker = line.partition(";")
        needed_by = re.search(r"extra == ['\"](.+?)['\"]", marker)
        if needed_by is not None and needed_by.group(1) not in extras:
            continue
        match = re.match(r"([A-Za-z0-9._-]+)\s*(?:\[(.*?)\])?", requirement.strip())
        assert match is not None
        other, wanted = match.group(1), {e.strip() for e in (match.group(2) or "").split(",")}
        if normalised(other) == normalised(name) and wanted - extras:
            closure(name, extras | wanted, found, wheel)
        elif normalised(other) not in found:
            try:
                closure(other, wanted, found, wheel)
            except metadata.PackageNotFoundError:
                found.add(normalised(other))  # for another platform
    return found


@pytest.fixture(scope="module")
def installed(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel, and two raw micrographs beside it."""
    for module in ("onnxruntime", "pip"):
        require(module)
    folder = tmp_path_factory.mktemp("installed-measure")
    venv.create(folder / "venv")
    purelib = next((folder / "venv").glob("lib/python*/site-packages"))
    python = folder / "venv" / "bin" / "python"
    options = ("--quiet", "--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", *options)
    run(*pip, f"{distributions.wheel}[measure]", cwd=folder)
    (wheel,) = purelib.glob("uhcs_bench-*.dist-info")
    borrow(closure("uhcs-bench", {"measure"}, set(), wheel), folder / "borrowed")
    (purelib / "borrowed.pth").write_text(f"{folder / 'borrowed'}\n")
    (folder / "raw").mkdir()
    for micrograph in uhcs_bench.load("particles", version="synthetic")[:2]:
        Image.fromarray(micrograph.image).save(folder / "raw" / f"{micrograph.id}.png")
    return folder


def borrow(names: set[str], folder: Path) -> None:
    """Link the files of distributions of this environment into a folder."""
    folder.mkdir()
    for name in names - {"uhcs-bench"}:
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # for another platform
            continue
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (folder / top).is_symlink():
                (folder / top).symlink_to(str(distribution.locate_file(top)))


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "HOME": str(folder),
        "PATH": "/usr/bin:/bin",
        "UHCS_BENCH_OFFLINE": "1",
        "UHCS_BENCH_CACHE": str(folder / "cache"),
        "LANG": "C.UTF-8",
    }
    program = folder / "venv" / "bin" / "python"
    return run(program, *arguments, cwd=folder, environment=environment)


@pytest.mark.slow
def test_raw_micrographs_are_measured_offline(installed):
    """Check the command of the documentation's first line, and that the extra has all it needs."""
    outputs = ("--out", "sizes.xlsx", "--overlays", "over", "--plots", "plots", "--rois", "rois")
    more = ("--particles", "particles.parquet")
    options = ("raw", "--task", "particles", *outputs, *more)
    result = python(installed, "-m", "uhcs_bench", "measure", *options)
    assert result.stderr.startswith("Model particles: ")
    assert "2 of 2 files measured: sizes.xlsx" in result.stderr
    assert result.stdout.count("synthetic-particles-0") == 2
    assert not (installed / "cache").exists()
    where = "import uhcs_bench; print(uhcs_bench.__file__)"
    assert python(installed, "-c", where).stdout.startswith(str(installed / "venv"))
    assert not list((installed / "borrowed").glob("torch*"))
