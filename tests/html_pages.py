"""Reads a page of mien's back, to check what holds for all of them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

_EMPTY = {"meta", "img", "link", "br", "hr", "input"}


class Page(HTMLParser):
    """A page in pieces.

    Attributes:
        text: all that is shown.
        pictures: attributes of each picture.
        tables: attributes of what each table lies in.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.text = ""
        self.pictures: list[dict[str, str | None]] = []
        self.tables: list[dict[str, str | None]] = []
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(self.source)
        self.close()
        self.text = " ".join(self.text.split())
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.pictures.append(dict(attrs))
        if tag == "table":
            self.tables.append(self._open[-1][1])
        if tag not in _EMPTY:
            self._open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] != "style":
            self.text += data


def check_page(path: Path) -> Page:
    """What holds for every page: it is whole, needs no network, fits a narrow screen and has a key of the classes."""
    page = Page(path)
    shown = re.sub(r"data:image/[a-z]+;base64,[A-Za-z0-9+/=]+", "", page.source)
    assert "//" not in shown
    assert "url(" not in shown
    assert all((picture["src"] or "").startswith("data:image/") for picture in page.pictures)
    assert all("alt" in picture for picture in page.pictures)
    assert all(around.get("class") == "scroll" for around in page.tables)
    assert 'name="viewport"' in page.source
    assert "prefers-color-scheme: dark" in page.source
    assert "Key of the classes" in page.text
    return page
