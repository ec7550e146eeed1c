"""Web pages read by the tests: their elements and the pictures in them."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser

import numpy as np
from PIL import Image

VOID = {"meta", "link", "img", "input", "br", "hr"}


class Outline(HTMLParser):
    """Collect the elements of a page, and check that they are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for _, attrs in self.elements if attribute in attrs]


def picture(html: str, alt: str) -> np.ndarray:
    """Decode the image with this alternative text."""
    (source,) = [a["src"] for tag, a in Outline(html).elements if tag == "img" and a["alt"] == alt]
    assert source is not None
    content = base64.b64decode(source.partition("base64,")[2])
    return np.asarray(Image.open(io.BytesIO(content)))
