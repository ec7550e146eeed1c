"""The environment variables that say where the data may come from and go to."""

from __future__ import annotations

import os

MIRROR_VARIABLE = "UHCS_BENCH_MIRROR"
CACHE_VARIABLE = "UHCS_BENCH_CACHE"
OFFLINE_VARIABLE = "UHCS_BENCH_OFFLINE"


def mirror() -> str:
    """Folder or base URL that is tried before the sources themselves; empty if there is none."""
    return os.environ.get(MIRROR_VARIABLE, "")


def offline() -> bool:
    """Whether the network is forbidden."""
    return os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0")
