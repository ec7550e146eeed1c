"""Jinja templates of report and board."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

import jinja2

from uhcs_bench.formatting import count, decimal, interval, mean_se, p_value_text, percent


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
        percent=percent,
        mean_se=mean_se,
        interval=interval,
        count=count,
        decimal=decimal,
        p_value=p_value_text,
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
