"""Jinja templates of web pages, of the dataset card and of the leaderboard's entries."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache, partial
from typing import TYPE_CHECKING

import jinja2

from uhcs_bench import formatting, protocol
from uhcs_bench.io.atomic import make_folder, replacing
from uhcs_bench.io.texts import packaged

if TYPE_CHECKING:
    from pathlib import Path


@cache
def environment() -> jinja2.Environment:
    """Set up the package's templates.

    Returns
    -------
    jinja2.Environment
        Templates are named by their path in the package. Values are escaped in those of HTML and
        left as they are in others; an undefined variable is an error. Filters write numbers as
        `uhcs_bench.formatting` does.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("uhcs_bench", ""),
        autoescape=jinja2.select_autoescape(["html.jinja"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=formatting.percent,
        signed_percent=partial(formatting.percent, signed=True),
        mean_se=formatting.mean_se,
        interval=partial(formatting.interval, missing=""),
        count=formatting.count,
        decimal=formatting.decimal,
        p_value=formatting.p_value,
        sortable=_sortable,
        # Every JSON string is a YAML string.
        quoted=partial(json.dumps, ensure_ascii=False),
    )
    return environment


def _sortable(value: float | None) -> str:
    """Write a number to sort by; the script of the page puts undefined ones last."""
    return "" if value is None else formatting.decimal(value, 6)


def render(name: str, /, **values: object) -> str:
    """Fill in a template.

    Parameters
    ----------
    name : str
        Path in the package, for example ``"web/templates/notebook.html.jinja"``.
    **values : object
        Variables of the template.

    Returns
    -------
    str
        Without blank lines at the beginning, which macros leave.

    Raises
    ------
    jinja2.UndefinedError
        If the template uses a variable that has no value.
    """
    return environment().get_template(name).render(**values).lstrip()


def inline(styles: str = "", script: str = "") -> dict[str, str]:
    """Give a page the style and script that all pages share, and hashes that allow no others.

    Parameters
    ----------
    styles, script : str, optional
        What the page has besides.

    Returns
    -------
    dict of str to str
        Variables ``css``, ``css_hash``, ``script`` and ``script_hash`` of its template.
    """
    css = packaged("web/templates/pages.css") + styles
    all_scripts = packaged("web/templates/pages.js") + script
    return {
        "css": css,
        "css_hash": csp_hash(css),
        "script": all_scripts,
        "script_hash": csp_hash(all_scripts),
    }


def described(version: str, split: str = protocol.PAPER_SPLIT) -> dict[str, object]:
    """Give a page the meaning of its data.

    Parameters
    ----------
    version : str
        Data set version.
    split : str, optional

    Returns
    -------
    dict of str to object
        Variables ``synthetic``, ``version_meaning`` and ``split_meaning`` of its template.
    """
    return {
        "synthetic": version == protocol.SYNTHETIC_VERSION,
        "version_meaning": protocol.VERSIONS[protocol.check_version(version)],
        "split_meaning": protocol.SPLITS[protocol.check_split(split)],
    }


def write_page(folder: Path, page: str) -> Path:
    """Write a page as ``index.html`` of a folder, atomically.

    Parameters
    ----------
    folder : Path
        Made where needed.
    page : str

    Returns
    -------
    Path
        The same page gives the same bytes.
    """
    make_folder(folder)
    path = folder / "index.html"
    with replacing(path) as partial:
        # A folder's name, which a page may show, may hold bytes that are no text.
        partial.write_bytes(page.encode("utf-8", errors="replace"))
    return path


def csp_hash(text: str) -> str:
    """Hash an inline style or script for the content security policy of its page.

    Examples
    --------
    >>> csp_hash("")
    'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
