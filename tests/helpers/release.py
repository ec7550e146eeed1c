"""Build the distributions, and run commands."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Distributions:
    """What ``python -m build`` leaves in a folder."""

    folder: Path

    @property
    def sdist(self) -> Path:
        (path,) = self.folder.glob("*.tar.gz")
        return path

    @property
    def wheel(self) -> Path:
        (path,) = self.folder.glob("*.whl")
        return path


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Make a folder once in a run of tests, in whichever worker of pytest-xdist comes first."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, made = base / name, base / f"{name}.made"
    with FileLock(base / f"{name}.lock"):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


def require(module: str) -> None:
    """Skip a test where a package is not installed; in continuous integration that fails."""
    if os.environ.get("CI"):
        importlib.import_module(module)
    pytest.importorskip(module)


def run(
    *arguments: object, cwd: Path, environment: Mapping[str, str] | None = None, expect: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run a command, which must end with the exit code that is expected."""
    result = subprocess.run(
        [str(argument) for argument in arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    what = " ".join(map(str, arguments))
    assert result.returncode == expect, f"{what}\n{result.stdout}\n{result.stderr}"
    return result


def would_be_committed(*places: str) -> list[str]:
    """List files of the repository, and those that git does not ignore."""
    options = ("--cached", "--others", "--exclude-standard")
    listed = run("git", "ls-files", *options, *places, cwd=ROOT).stdout.splitlines()
    return [name for name in listed if (ROOT / name).is_file()]


def build(folder: Path) -> None:
    """Build sdist and wheel of what git would commit.

    Without isolation, so that the build backend's own release is the one that is installed here.
    """
    clone = folder / "clone"
    for name in would_be_committed():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, clone, cwd=folder)
