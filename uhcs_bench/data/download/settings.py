"""The environment variables that say where the data may come from and go to."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from uhcs_bench.errors import UsageError

MIRROR_VARIABLE = "UHCS_BENCH_MIRROR"
CACHE_VARIABLE = "UHCS_BENCH_CACHE"
OFFLINE_VARIABLE = "UHCS_BENCH_OFFLINE"

_NO = ("", "0", "false", "no", "off")


def mirror() -> str:
    """Folder or base URL that is tried before the sources themselves; empty if there is none.

    Raises
    ------
    UsageError
        If it is neither.
    """
    named = os.environ.get(MIRROR_VARIABLE, "").strip()
    try:
        parts = urlsplit(named)
    except ValueError as error:
        raise UsageError(_strange(MIRROR_VARIABLE, f"it is no address, {error}")) from error
    if parts.scheme in ("http", "https"):
        return parts.geturl()  # with the scheme in lower case
    if parts.scheme == "file":
        from urllib.request import url2pathname  # with all that fetches: not for cached data

        named = url2pathname(parts.path)
    elif "://" in named:
        raise UsageError(_strange(MIRROR_VARIABLE, f"{parts.scheme}:// can't be read"))
    return str(folder(MIRROR_VARIABLE, named)) if named else ""


def folder(variable: str, named: str) -> Path:
    """Folder that a variable names, with ``~`` replaced.

    Raises
    ------
    UsageError
        If it begins with the home of a user who does not exist.
    """
    try:
        return Path(named).expanduser()
    except RuntimeError as error:
        raise UsageError(_strange(variable, f"there is no user of that name, {named}")) from error


def _strange(variable: str, reason: str) -> str:
    return f"{variable} can't be used ({reason}). Name a folder there, or an http or https address."


def offline() -> bool:
    """Whether the network is forbidden: by anything but nothing, 0, false, no or off."""
    return os.environ.get(OFFLINE_VARIABLE, "").strip().lower() not in _NO
