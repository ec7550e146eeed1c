"""Five users of the installed wheel, each with what README and documentation tell them.

The wheel is installed into an environment of its own, in which it hides this clone; other packages
are those of the tests' environment. The working folder is outside of the clone, and all data are
the synthetic set.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import sysconfig
import venv
from typing import TYPE_CHECKING

import pytest

from tests.helpers.release import once, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.helpers.release import Distributions

pytestmark = pytest.mark.slow

SAVE = """
import PIL.Image, uhcs_bench
for task in ("particles", "microconstituents"):
    m = uhcs_bench.load(task, version="synthetic")[0]
    PIL.Image.fromarray(m.image).save(f"steel-{task}.png")
"""
FIRST = """
import uhcs_bench
from uhcs_bench.segmentation import otsu

fold = uhcs_bench.load("particles", fold=2, version="synthetic")
micrograph = fold.val[0]
print(repr(micrograph), len(micrograph._repr_html_()))
maps = {m.id: otsu.segment(m.image, "particles") for m in fold.val}
micrograph.show(maps[micrograph.id]).savefig("errors.png")
print(repr(uhcs_bench.score(maps, fold=2, version="synthetic")))
"""
METHOD = """
import uhcs_bench
from uhcs_bench.segmentation import otsu

def train(micrographs):
    assert len(micrographs) == 20
    return lambda image: otsu.segment(image, "particles")

report = uhcs_bench.cross_validate(train, "particles", "preds/mine", version="synthetic")
print(report)
"""


@pytest.fixture(scope="session")
def environment(
    distributions: Distributions, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Install the wheel once, and give the variables of a shell that uses it."""

    def make(folder: Path) -> None:
        venv.create(folder / "venv")
        pip = (sys.executable, "-m", "pip", "--python", folder / "venv" / "bin" / "python")
        options = ("install", "--quiet", "--no-deps", "--no-index", "--no-compile")
        run(*pip, *options, distributions.wheel, cwd=folder)
        (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
        # Behind the wheel's own folder, so that an installation of this clone is not found.
        (packages / "others.pth").write_text(sysconfig.get_path("purelib"), "utf-8")

    folder = once(tmp_path_factory, "five-paths", make)
    return {
        "HOME": str(folder),
        "PATH": f"{folder / 'venv' / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "LANG": "C.UTF-8",
        "COLUMNS": "80",
        "MPLBACKEND": "agg",
        "OMP_NUM_THREADS": "1",
        "UHCS_BENCH_OFFLINE": "1",
        "UHCS_BENCH_CACHE": str(folder / "cache"),
    }


@pytest.fixture
def shell(environment: dict[str, str], tmp_path: Path) -> Callable[..., str]:
    """Run a script by bash in an empty folder; give back what it prints, errors included."""

    def call(script: str, expect: int = 0) -> str:
        command = ("bash", "-uo", "pipefail", "-c", f"({script}) 2>&1")
        return run(*command, cwd=tmp_path, environment=environment, expect=expect).stdout

    return call


def test_wheel_is_what_is_used(shell, environment):
    """Check that neither the clone nor an installation of it is imported."""
    where = shell('python -c "import uhcs_bench; print(uhcs_bench.__file__)"').strip()
    assert where.startswith(environment["HOME"])


def test_student(shell, tmp_path):
    """Run the demo, look at a micrograph, and segment and score it; the site runs the notebooks."""
    assert shell("uhcs-bench demo").startswith("particles: SYNTHETIC set")
    (tmp_path / "first.py").write_text(FIRST, "utf-8")
    printed = shell("python first.py")
    assert "<Micrograph synthetic-particles-08: particles synthetic, fold 2, 192x256>" in printed
    assert "<Report synthetic, split paper; particles: n = 4, IU " in printed
    assert (tmp_path / "errors.png").stat().st_size > 10_000


@pytest.mark.parametrize("task", ["particles", "microconstituents"])
def test_metallographer(shell, tmp_path, task):
    """Measure a raw micrograph by the network of the package: a table with units, and a plot."""
    (tmp_path / "save.py").write_text(SAVE, "utf-8")
    shell("python save.py")
    options = f"--model {task} --pixel-size 0.04 --wide --out sizes.csv --plots plots"
    assert "1 of 1 files measured" in shell(f"uhcs-bench measure steel-{task}.png {options}")
    with (tmp_path / "sizes.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["pixel_size_um"] == "0.04"
    assert 0 < float(row["fraction_matrix"]) < 1
    assert any(name.endswith("_um") and row[name] for name in row)
    assert list((tmp_path / "plots").glob("*.png"))


def test_teacher(shell, tmp_path):
    """Hand out pictures and folds, let a class submit, and compare two of its submissions."""
    shell("uhcs-bench export png handout --task particles --dataset-version synthetic")
    assert len(list((tmp_path / "handout").rglob("*.png"))) == 48
    (tmp_path / "mine.py").write_text(METHOD, "utf-8")
    assert shell("python mine.py").startswith("particles: SYNTHETIC set, not real micrographs")
    shell("uhcs-bench demo --out preds/theirs")
    options = "--task particles --dataset-version synthetic"
    compared = shell(f"uhcs-bench compare preds/mine preds/theirs {options} --report compared")
    assert "mine and theirs" in (tmp_path / "compared" / "index.html").read_text("utf-8")
    assert "IU: mine and theirs are not separable at n = 24" in compared


def test_reviewer(shell, tmp_path):
    """Check a score by its label maps, and get every problem of a broken submission."""
    shell("uhcs-bench demo --out preds")
    score = "uhcs-bench score preds --dataset-version synthetic --task particles"
    scored = json.loads(shell(f"{score} --format json"))
    mean = scored["tasks"][0]["conventions"]["paper"]["IU"]["mean"]
    assert f"{100 * mean:.1f} ± " in shell(score)
    assert scored["tasks"][0]["data_id"].startswith("particles-synthetic-paper-")
    (tmp_path / "preds" / "particles" / "synthetic-particles-03.png").unlink()
    (tmp_path / "preds" / "particles" / "synthetic-particles-07.png").write_text("nothing")
    printed = shell(score, expect=2)
    assert "2 problems" in printed
    assert all(f"synthetic-particles-{number}" in printed for number in ("03", "07"))
    board = "import uhcs_bench; print(*uhcs_bench.leaderboard('particles')['method'])"
    assert "otsu" in shell(f'python -c "{board}"')


def test_engineer(shell, tmp_path):
    """Use types, exit codes, JSON, pipes and arrays in memory."""
    (tmp_path / "typed.py").write_text(
        "import pathlib, uhcs_bench\n"
        "assert pathlib.Path(uhcs_bench.__file__).with_name('py.typed').is_file()\n"
        "fold = uhcs_bench.load('particles', fold=2, version='synthetic')\n"
        "maps = {m.id: m.labels for m in fold.val}\n"
        "report = uhcs_bench.score(maps, fold=2, version='synthetic')\n"
        "print(type(report).__name__, report.to_dict()['schema'])\n"
    )
    assert shell("python typed.py") == "Report uhcs-bench/score/3\n"
    missing = "uhcs-bench score nowhere --format json > scores.json"
    assert "nowhere" in shell(missing, expect=2)
    demo = "uhcs-bench demo --out preds > /dev/null"
    score = "uhcs-bench score preds --dataset-version synthetic --format json"
    assert '"schema"' in shell(f"{demo}; {score} | head -n 2; true")
    assert "there is no folder absent" in shell(f"{score} --out absent/a.json", expect=1)
    (tmp_path / "rows.py").write_text(
        "import numpy as np, uhcs_bench\n"
        "rows = uhcs_bench.measure(np.eye(20, dtype=np.uint8), 'particles')\n"
        "print(len(rows.to_frame()))\n"
    )
    assert shell("python rows.py") == "1\n"
