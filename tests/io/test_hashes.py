"""Hashes of files."""

from __future__ import annotations

import hashlib

import pytest

from uhcs_bench.io import hashes


@pytest.mark.parametrize("content", [b"", b"pixels", bytes(range(256)) * 5000])
def test_hash_is_that_of_the_content(tmp_path, content):
    """Check files of none, few and many bytes."""
    path = tmp_path / "file"
    path.write_bytes(content)
    assert hashes.file_sha256(path) == hashlib.sha256(content).hexdigest()


def test_one_hash_of_several_files():
    """Check that one file keeps its hash, and that several count in their order."""
    assert hashes.combined_sha256(["ab"]) == "ab"
    both = hashes.combined_sha256(["ab", "cd"])
    assert both == hashlib.sha256(b"abcd").hexdigest()
    assert both != hashes.combined_sha256(["cd", "ab"])
