"""Paths as users give them: an empty one is none, in every public function that takes one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import baselines
import uhcs_bench
from uhcs_bench.errors import UsageError
from uhcs_bench.exporters import coco, mmsegmentation, nnunet
from uhcs_bench.io import paths
from uhcs_bench.segmentation import onnx_model

MAP = np.zeros((20, 30), np.uint8)


def test_a_path_is_kept_but_for_the_home_folder(monkeypatch, tmp_path):
    """Check texts, paths and ``~``."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert paths.given("a/b") == Path("a/b")
    assert paths.given(Path("a")) == Path("a")
    assert paths.given(".") == Path()
    assert paths.given("~/maps") == tmp_path / "maps"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "The path is empty"),
        (" \t", "The path is empty"),
        ("a\0b", "zero character"),
        ("~nobody-of-this-name/maps", "a user who does not exist"),
    ],
)
def test_what_names_no_file_is_refused(path, message):
    """Check texts that no file can have as its name."""
    with pytest.raises(UsageError, match=message):
        paths.given(path)


def test_links_are_followed_as_far_as_they_lead(tmp_path):
    """Check a chain, a link that leads nowhere, and one that leads to itself."""
    for name, target in {"a": "b", "b": "c", "loop": "loop"}.items():
        (tmp_path / name).symlink_to(target)
    top = Path(os.path.realpath(tmp_path))
    assert paths.real(tmp_path / "a") == top / "c"
    assert paths.real(tmp_path / "loop") == top / "loop"


@pytest.mark.parametrize("package", [uhcs_bench, baselines], ids=lambda package: package.__name__)
def test_no_other_function_follows_links(package):
    """Check that `Path.resolve`, which fails on links that lead to each other, is not called."""
    modules = Path(package.__file__).parent.rglob("*.py")
    assert not [str(path) for path in modules if ".resolve()" in path.read_text("utf-8")]


FUNCTIONS = {
    "score": lambda path: uhcs_bench.score(path, version="synthetic"),
    "score one map": lambda path: uhcs_bench.score({"a": path}, version="synthetic"),
    "compare": lambda path: uhcs_bench.compare(path, path, version="synthetic"),
    "check": lambda path: uhcs_bench.check(path, "IU=70"),
    "save_predictions": lambda path: uhcs_bench.save_predictions({"a": MAP}, path, "synthetic"),
    "cross_validate": lambda path: uhcs_bench.cross_validate(
        lambda _: None, "particles", path, version="synthetic"
    ),
    "measure": lambda path: uhcs_bench.measure(path, "particles"),
    "measure several": lambda path: uhcs_bench.measure([path, path], "particles"),
    "combine particles": lambda path: uhcs_bench.combine(path, MAP),
    "combine microconstituents": lambda path: uhcs_bench.combine(MAP, path),
    "export": lambda path: uhcs_bench.export("png", path, version="synthetic"),
    "collect nnunet": lambda path: nnunet.collect(path, "out"),
    "collect coco": lambda path: coco.collect(path, "out", path),
    "collect mmsegmentation": lambda path: mmsegmentation.collect(path, "out", path),
    "onnx_model": lambda path: onnx_model.load(path),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_takes_an_empty_path_for_the_current_folder(name, tmp_path, monkeypatch):
    """Check that nothing is read or written where nobody named a place."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="The path is empty"):
        FUNCTIONS[name]("")
    assert not list(tmp_path.iterdir())
