"""What `mien predict --group-by` does: an album is read, and told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from mien.cli.answers import Answers
from mien.cli.console import print_error, shown, stderr
from mien.cli.people import named_profiles

if TYPE_CHECKING:
    from mien.inference import Album, Recognizer
    from mien.jobs.executors import Executor


def read_album(
    recognizer: Recognizer,
    photos: list[Any],
    group_by: Literal["person", "folder"],
    name_from: list[str],
    workers: int | None,
    executor: Executor | None,
    progress: Callable[[int], None],
) -> Album:
    """Read an album; its people are named by the profiles that `name_from` means."""
    from mien.inference import read_album as read

    profiles = named_profiles(name_from, recognizer.model)
    return read(recognizer, photos, group_by, profiles, workers=workers, executor=executor, progress=progress)


def tell_album(album: Album, answers: Answers, output: Path | None, sheet: Path | None) -> None:
    """Give the answers, say who is in the album, and draw its sheet.

    Raises:
        typer.Exit: with 2, some photos could not be read.
    """
    for part in album.photos:
        answers.add(part)
        for _, error in part.errors:
            print_error(error)
    for person in album.people:
        doubts = f", {person.doubtful} of them doubtful" if person.doubtful else ""
        faces = f"{person.faces} face{'s' * (person.faces != 1)}"
        stderr.print(shown(f"{person.name}: {faces}{doubts}"))
    if sheet is not None:
        _draw(album, sheet)
    if output is not None:
        stderr.print(shown(f"answers in {output}"))
    if any(part.errors for part in album.photos):
        raise typer.Exit(2)


def _draw(album: Album, sheet: Path) -> None:
    from PIL import Image

    from mien.drawing.albums import draw_album
    from mien.files import replacing

    with replacing(sheet) as temporary:
        Image.fromarray(draw_album(album)).save(temporary, format="PNG")
    stderr.print(shown(f"sheet: {sheet}"))
