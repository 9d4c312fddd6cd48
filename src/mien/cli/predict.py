"""`mien predict`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.console import print_json, print_table, refuse_output, shown, stderr, stdout

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mien.errors import PhotoError
    from mien.faces import Face
    from mien.inference import Recognition, Recognizer

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
"""Of pictures, by the end of their name."""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Examples: mien predict photo.jpg  |  mien predict photo.jpg --neutral at-rest.jpg --picture out.png"
        "  |  mien predict *.jpg --json",
        help="Read the expression in photos, each as a dominant and a complementary emotion.",
    )(predict)


def predict(
    photos: Annotated[list[Path], typer.Argument(help="Photos of one face each.")],
    neutral: Annotated[
        list[Path] | None, typer.Option(help="Photo of the same person at rest; may stand several times.")
    ] = None,
    same_person: Annotated[
        bool, typer.Option("--same-person", help="All photos show one person: compare them with each other.")
    ] = False,
    run: Annotated[Path | None, typer.Option(help="A trained run.  [default: comes with mien]")] = None,
    largest_face: Annotated[
        bool, typer.Option("--largest-face", help="Where a photo shows several faces, take the largest.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Draw face and probabilities into this PNG or JPEG (one photo).")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON array, an entry a photo.")] = False,
) -> None:
    from mien.errors import MienError, PhotoError
    from mien.inference import Recognizer

    if picture is not None and len(photos) != 1:
        raise MienError("--picture draws one photo; name one photo")
    if picture is not None:
        refuse_output(picture, list(_FORMATS), [*photos, *(neutral or ())])
    if neutral and same_person:
        raise MienError("--neutral and --same-person are two kinds of reference; choose one")
    recognizer = Recognizer.load(run)
    reference = recognizer.reference_at_rest(neutral, largest=largest_face) if neutral else None

    def find(photo: Path) -> Face | PhotoError:
        try:
            return recognizer.find_face(photo, largest=largest_face)
        except PhotoError as error:
            return error

    found: Iterable[Face | PhotoError] = map(find, photos)
    if same_person:
        found = list(found)
        if usable := [face for face in found if not isinstance(face, PhotoError)]:
            reference = recognizer.reference_from_many(usable)
    entries: list[dict[str, Any]] = []
    failed = False
    for photo, face in zip(photos, found, strict=True):
        if isinstance(face, PhotoError):
            failed = True
            stderr.print(shown(f"mien: {' '.join(str(face).split())}"), soft_wrap=True)
            entries.append({"photo": str(photo), "error": str(face)})
            continue
        recognition = recognizer.recognize_faces([face], reference)[0]
        entries.append({"photo": str(photo), **recognition.as_dict()})
        if picture is not None:
            _draw(photo, recognition, picture)
    if json:
        print_json(entries)
    elif good := [entry for entry in entries if "error" not in entry]:
        _show(good, recognizer)
    if failed:
        raise typer.Exit(2)


def _draw(photo: Path, recognition: Recognition, picture: Path) -> None:
    from PIL import Image

    from mien.drawing.recognition import draw_recognition
    from mien.files import replacing
    from mien.images import read_rgb

    with replacing(picture) as temporary:
        drawn = Image.fromarray(draw_recognition(read_rgb(photo), recognition))
        drawn.save(temporary, format=_FORMATS[picture.suffix.lower()])


def _show(entries: list[dict[str, Any]], recognizer: Recognizer) -> None:
    rows = [
        [
            entry["photo"],
            entry["phrase"],
            entry["dominant"] or "-",
            entry["complementary"] or "-",
            f"{100 * entry['probability']:.0f}%",
            ", ".join(f"{other['phrase']} {100 * other['probability']:.0f}%" for other in entry["top"][1:3]),
        ]
        for entry in entries
    ]
    print_table(["photo", "expression", "dominant", "complementary", "of 50", "or else"], rows)
    kind = entries[0]["reference"]["kind"]
    costs = ", ".join(f"{share:.2f} {name}" for name, share in recognizer.reference_costs.items())
    stdout.print(f"reference: {kind} (top-1 of the 50 classes on made faces by reference: {costs})")
    if kind == "estimated":
        stdout.print("a photo of the same face at rest makes this surer: --neutral PHOTO")
