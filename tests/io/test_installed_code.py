"""Identity of the installed code."""

from __future__ import annotations

import os
import shutil

import uhcs_bench
from uhcs_bench.io import installed_code


def test_code_has_the_version_and_a_hash(tmp_path, monkeypatch):
    """Check that a copy of the package has the same, and one changed line another."""
    copy = tmp_path / "uhcs_bench"
    package = os.path.dirname(uhcs_bench.__file__)  # noqa: PTH120
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__", "*.onnx"))
    original = installed_code.version_and_hash()
    assert original.startswith(f"{uhcs_bench.__version__}+")
    monkeypatch.setattr(installed_code.resources, "files", lambda _: copy)
    monkeypatch.setattr(installed_code, "source_sha256", installed_code.source_sha256.__wrapped__)
    assert installed_code.version_and_hash.__wrapped__() == original
    with (copy / "protocol.py").open("a") as stream:
        stream.write("\n")
    assert installed_code.version_and_hash.__wrapped__() != original
