"""What Jupyter shows in place of an object: pictures, tables and sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uhcs_bench.web.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uhcs_bench.web.pictures import LegendItem, ScaleBar


@dataclass(frozen=True)
class Panel:
    """A picture with its caption.

    Attributes
    ----------
    caption : str
    image : str
        Data URI.
    scale_bar : ScaleBar or None
    """

    caption: str
    image: str
    scale_bar: ScaleBar | None = None


@dataclass(frozen=True)
class HtmlTable:
    """A table; a cell is text or, in all columns but the first, a picture."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str | Panel]]
    caption: str = ""


def html(
    title: str,
    facts: Sequence[str] = (),
    panels: Sequence[Panel] = (),
    legend: Sequence[LegendItem] = (),
    tables: Sequence[HtmlTable] = (),
    sentences: Sequence[str] = (),
) -> str:
    """Lay an object out for the output of a notebook's cell.

    Parameters
    ----------
    title : str
    facts : sequence of str, optional
        Stand beside the title.
    panels : sequence of Panel, optional
        Stand side by side.
    legend : sequence of LegendItem, optional
    tables : sequence of HtmlTable, optional
    sentences : sequence of str, optional

    Returns
    -------
    str
        HTML with inline styles and without scripts; all texts are escaped.

    Examples
    --------
    >>> "&lt;title&gt;" in html("<title>")
    True
    """
    return render(
        "web/templates/notebook.html.jinja",
        title=title,
        facts=facts,
        panels=panels,
        legend=legend,
        tables=tables,
        sentences=sentences,
    )
