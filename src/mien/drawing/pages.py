"""HTML pages from the templates beside this file: each is one file that asks no other address for anything."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.drawing.sheets import Tile
from mien.errors import require
from mien.files import write_text
from mien.labels import Emotion

if TYPE_CHECKING:
    import jinja2


@dataclass(frozen=True, eq=False)
class Figure:
    """A plot on a page.

    Attributes:
        png: its bytes.
        caption: below it; read out as well where the picture cannot be seen.
        wide: whether it is too detailed to be shrunk to a narrow page, so that it scrolls there.
        photo: whether it shows a photo, whose colours stay as they are on a dark page.
    """

    png: bytes
    caption: str
    wide: bool = False
    photo: bool = False

    @property
    def address(self) -> str:
        """The picture itself, as an address."""
        return _data_address(self.png, "image/png")


@dataclass(frozen=True, eq=False)
class Face:
    """A face on a page: its picture, and lines below it."""

    tile: Tile

    @property
    def lines(self) -> list[str]:
        """Of the caption."""
        return self.tile.caption.splitlines()

    @property
    def address(self) -> str:
        """The picture itself, as an address."""
        content = io.BytesIO()
        self.tile.picture.save(content, format="JPEG", quality=90)
        return _data_address(content.getvalue(), "image/jpeg")


def faces_of(tiles: Sequence[Tile]) -> list[Face]:
    """Tiles for a page."""
    return [Face(tile) for tile in tiles]


def write_page(path: Path, template: str, **values: Any) -> None:
    """Fill a template and write it.

    Args:
        path: of the HTML file.
        template: name of the file in `templates/`.
        values: what the template names; text is escaped.

    Raises:
        MissingExtraError: jinja2 is not installed.
        OutputError: the file cannot be written.
    """
    write_text(path, _environment().get_template(template).render(values))


@cache
def _environment() -> jinja2.Environment:
    module = require("jinja2", "train")
    environment: jinja2.Environment = module.Environment(
        loader=module.PackageLoader("mien.drawing"),
        autoescape=True,
        undefined=module.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["emotions"] = [(int(e), e.noun, e.adverb, e.adjective) for e in Emotion]
    return environment


def _data_address(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
