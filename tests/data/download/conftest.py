"""A server whose micrographs have to be found in deposits."""

from __future__ import annotations

import pytest

from tests import faults
from tests.data.download.deposits import decoded
from tests.helpers import fault_server


@pytest.fixture
def server(tmp_path):
    """A server of three micrographs whose own sources are gone."""
    with faults.environment(tmp_path / "cache"), fault_server.serving() as running:
        running.pixels = {name: decoded(file) for name, file in running.files.items()}
        running.files.clear()
        yield running
