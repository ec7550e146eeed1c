"""Jinja templates of report and board."""

from __future__ import annotations

import base64
import hashlib
from functools import cache, partial
from importlib import resources

import jinja2

from uhcs_bench import formatting


@cache
def environment() -> jinja2.Environment:
    """Set up templates of the package's ``data`` folder: everything is escaped, nothing guessed."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("uhcs_bench", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=formatting.percent,
        mean_se=formatting.mean_se,
        interval=partial(formatting.interval, missing=""),
        count=formatting.count,
        decimal=formatting.decimal,
        p_value=formatting.p_value,
    )
    return environment


def asset(name: str) -> str:
    """Read a style sheet or a script."""
    return (resources.files("uhcs_bench") / "scoring" / "templates" / name).read_text(
        encoding="utf-8"
    )


def csp_hash(text: str) -> str:
    """Name an inline style or script in the page's content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
