"""`mien predict`"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mien.cli.answers import FILE_ENDINGS, answers_to
from mien.cli.console import describe_others, print_error, print_out, progress_bar, refuse_output, shown, stderr
from mien.cli.execution import Ray, make_executor

if TYPE_CHECKING:
    from mien.displacement import Reference
    from mien.inference import Album, Recognition, Recognizer
    from mien.jobs.executors import Executor

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
"""Of pictures, by the end of their name."""
_HUNDREDS = 100
"""Photos from which on processes are started to read them, which take a second or two and then are faster."""
_MANY = 8
"""Photos from which on progress is shown."""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Examples: mien predict photo.jpg  |  mien predict photo.jpg --neutral neutral.jpg --picture out.png"
        "  |  mien predict photo.jpg --reference Anna"
        "  |  mien predict album/ --group-by person --output album.csv  |  mien predict *.jpg --jsonl",
        help="Read the expression in photos, each as a dominant and a complementary emotion.",
    )(predict)


def predict(
    photos: Annotated[
        list[str], typer.Argument(help="Photos, folders of photos, quoted patterns, or - for a photo on stdin.")
    ],
    neutral: Annotated[
        list[str] | None, typer.Option(help="Photo of the same person, neutral; may stand several times.")
    ] = None,
    group_by: Annotated[
        Literal["person", "folder"] | None,
        typer.Option(
            help="An album of several people: find out who is who, or take each folder for a person; every face is "
            "compared with all photos of the same person."
        ),
    ] = None,
    name_from: Annotated[
        list[str] | None,
        typer.Option(
            help="Name the people of an album by a profile: somebody enrolled, a file, a folder of files, or all; "
            "may stand several times.",
            metavar="NAME|FILE|FOLDER|all",
        ),
    ] = None,
    sheet: Annotated[Path | None, typer.Option(help="Draw an album's people and their faces into this PNG.")] = None,
    same_person: Annotated[
        bool, typer.Option("--same-person", help="All photos show one person: compare them with each other.")
    ] = False,
    reference: Annotated[
        str | None,
        typer.Option(help="Somebody enrolled, or a file that --save-reference wrote.", metavar="NAME|FILE"),
    ] = None,
    save_reference: Annotated[
        Path | None, typer.Option(help="Write the reference (no picture, 2 kB) into this file for later.")
    ] = None,
    trust_reference: Annotated[
        bool,
        typer.Option("--trust-reference", help="Do not check that the reference is of the person in the photos."),
    ] = False,
    run: Annotated[
        Path | None, typer.Option(help="A trained run.", show_default="the weights that come with mien")
    ] = None,
    faces: Annotated[
        Literal["one", "largest", "all"],
        typer.Option(help="Where a photo shows several faces: refuse it, read the largest, or read all."),
    ] = "one",
    largest_face: Annotated[bool, typer.Option("--largest-face", help="The same as --faces largest.")] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Draw face and probabilities into this PNG or JPEG (one photo).")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON array, an entry a face.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print a line of JSON a face, as it comes.")] = False,
    output: Annotated[
        Path | None, typer.Option(help="Write all into this file: .csv, .jsonl (as they come), .json or .parquet.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Threads, or processes for many photos.", show_default="all processors"),
    ] = None,
    ray: Ray = None,
) -> None:
    from mien.errors import MienError
    from mien.inference import Recognizer
    from mien.inference.results import OTHER_PERSON

    named, neutral = list(named_photos(photos)), list(named_photos(neutral or []))
    if group_by is None and (name_from or sheet is not None):
        raise MienError("--name-from and --sheet are for an album; add --group-by person, or folder")
    _refuse_contradictions(
        named,
        [Path(name) for name in (*named, *(neutral or ())) if name != "-"],
        references=sum((bool(neutral), same_person, reference is not None, group_by is not None)),
        forms=sum((json, jsonl, output is not None)),
        faces=(faces, largest_face),
        outputs=(save_reference, picture, output),
        album=group_by is not None,
    )
    if sheet is not None:
        refuse_output(sheet, (".png",))
    wanted = "largest" if largest_face else faces
    recognizer = Recognizer.load(run, trust_reference=trust_reference)
    if group_by is not None:
        _read_album(recognizer, named, group_by, name_from or [], sheet, output, json, jsonl, workers, ray)
        return
    sources: list[Any] = [sys.stdin.buffer.read() if name == "-" else name for name in named]
    given, used = _reference(recognizer, sources, neutral, same_person, reference, wanted, workers)
    if save_reference is not None and used is not None:
        used.save(save_reference)
    names = neutral or ([str(reference)] if reference else [])
    strangers = [] if same_person or used is None else list(used.strangers)
    if strangers:
        _warn(f"{_some(strangers)}: shows another person than most photos of the reference; leave it out")
    failed = False
    some: Recognition | None = None
    strangers = []
    with answers_to(named, output, json, jsonl) as answers, _progress(len(named)) as show:
        executor = _executor(len(named), workers, ray)
        read = recognizer.recognize_many(
            given, used, faces=wanted, workers=workers, executor=executor, errors="return"
        )
        for done, part in enumerate(read, start=1):
            answers.add(part)
            some = part[0] if len(part) else some
            strangers += [face.photo for face in part if OTHER_PERSON in face.flags]
            show(done, len(named))
            for _, error in part.errors:
                failed = True
                print_error(error)
    if strangers:
        than = "most photos" if same_person else f"the reference ({_some(names)})"
        _warn(f"{_some(strangers)}: seems to show another person than {than}; give photos of one person")
    if picture is not None and some is not None:
        _draw(sources[0], some, picture)
    if output is not None:
        stderr.print(shown(f"answers in {output}"), soft_wrap=True)
    if not (json or jsonl or output is not None) and some is not None:
        _tell_reference(some, recognizer, "validation subjects" if run else "synthetic subjects")
    if failed:
        raise typer.Exit(2)


def _read_album(
    recognizer: Recognizer,
    named: list[str],
    group_by: Literal["person", "folder"],
    name_from: list[str],
    sheet: Path | None,
    output: Path | None,
    json: bool,
    jsonl: bool,
    workers: int | None,
    ray: str | None,
) -> None:
    """Read an album, whose answers come when all photos have been seen."""
    from mien.inference import read_album
    from mien.inference.profiles import find_profiles

    profiles = [profile for name in name_from for profile in find_profiles(name)]
    with _progress(len(named)) as show:
        album = read_album(
            recognizer,
            named,
            group_by,
            profiles,
            workers=workers,
            executor=_executor(len(named), workers, ray),
            progress=lambda done: show(done, len(named)),
        )
    with answers_to(named, output, json, jsonl) as answers:
        for part in album.photos:
            answers.add(part)
            for _, error in part.errors:
                print_error(error)
    for person in album.people:
        doubts = f", {person.doubtful} of them doubtful" if person.doubtful else ""
        faces = f"{person.faces} face{'s' * (person.faces != 1)}"
        stderr.print(shown(f"{person.name}: {faces}{doubts}"), soft_wrap=True)
    if sheet is not None:
        _draw_album(album, sheet)
    if output is not None:
        stderr.print(shown(f"answers in {output}"), soft_wrap=True)
    if any(part.errors for part in album.photos):
        raise typer.Exit(2)


def _draw_album(album: Album, sheet: Path) -> None:
    from PIL import Image

    from mien.drawing.albums import draw_album
    from mien.files import replacing

    with replacing(sheet) as temporary:
        Image.fromarray(draw_album(album)).save(temporary, format="PNG")
    stderr.print(shown(f"sheet: {sheet}"), soft_wrap=True)


def _refuse_contradictions(
    named: list[str],
    inputs: list[Path],
    references: int,
    forms: int,
    faces: tuple[str, bool],
    outputs: tuple[Path | None, Path | None, Path | None],
    album: bool,
) -> None:
    """Raise for options that exclude each other, before any work."""
    from mien.errors import MienError

    saved, picture, output = outputs
    which, largest = faces
    complaints = {
        "--neutral, --same-person, --reference and --group-by are kinds of reference; choose one": references > 1,
        "--save-reference needs photos of the person: add --neutral PHOTO or --same-person": (
            saved and (album or not references)
        ),
        "--group-by reads every face; leave --largest-face and --picture away": album and (largest or picture),
        "a reference is of one person; leave --faces all away, or choose --faces largest": (
            references and not album and which == "all" and not largest
        ),
        "--json, --jsonl and --output are three forms of the answers; choose one": forms > 1,
        "--largest-face and --faces all exclude each other; choose one": largest and which == "all",
        "- is one photo, on standard input; name it once": named.count("-") > 1,
        "--picture draws one photo; name one photo": picture and len(named) != 1,
    }
    for complaint, holds in complaints.items():
        if holds:
            raise MienError(complaint)
    for path, endings in ((picture, tuple(_FORMATS)), (output, FILE_ENDINGS), (saved, ())):
        if path is not None:
            refuse_output(path, endings, inputs)


def named_photos(photos: list[str]) -> Iterator[str]:
    """Every photo that is meant: those of a folder, those that fit a pattern."""
    from mien.errors import UnreadableError
    from mien.images import scan_folder

    for name in photos:
        if name.startswith(("http://", "https://", "ftp://")):
            raise UnreadableError("an address on the net, and mien reads files only; save the photo first", name)
        if name != "-" and os.path.isdir(name):
            content = scan_folder(name)
            if content.others:
                kinds = describe_others(content.others)
                stderr.print(shown(f"{name}: not read, for they are no photos: {kinds}"), soft_wrap=True)
            yield from map(str, content.photos)
        elif not os.path.lexists(name) and (found := sorted(glob.glob(name, recursive=True))):
            yield from found
        else:
            yield name


def _reference(
    recognizer: Recognizer,
    sources: list[Any],
    neutral: list[str] | None,
    same_person: bool,
    saved: str | None,
    faces: Literal["one", "largest", "all"],
    workers: int | None,
) -> tuple[list[Any], Reference | None]:
    """What the photos are compared with, and the photos, or their faces where they had to be found for it."""
    from mien.faces import Faces
    from mien.inference.profiles import find_reference

    one = "largest" if faces == "all" else faces
    if saved is not None:
        return sources, find_reference(saved, recognizer.model)
    if neutral:
        return sources, recognizer.neutral_reference(neutral, one)
    if not same_person:
        return sources, None
    found = list(recognizer.detect_many(sources, one, workers))
    usable = [seen for seen in found if isinstance(seen, Faces)]
    again = [seen if isinstance(seen, Faces) else source for seen, source in zip(found, sources, strict=True)]
    return again, recognizer.reference(usable, one) if usable else None


def _warn(warning: str) -> None:
    stderr.print(shown(f"mien: {warning}, or add --trust-reference"), soft_wrap=True)


def _some(names: list[str], most: int = 3) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _executor(photos: int, workers: int | None, ray: str | None) -> Executor | None:
    """Where many photos are read; None: in threads of this process, which are there at once."""
    return make_executor(workers, ray) if ray is not None or photos >= _HUNDREDS else None


def _progress(photos: int) -> Any:
    from contextlib import nullcontext

    if photos < _MANY or not stderr.is_terminal:
        return nullcontext(lambda done, total: None)
    return progress_bar("reading", "photos")


def _draw(photo: Any, recognition: Recognition, picture: Path) -> None:
    from PIL import Image

    from mien.drawing.recognition import draw_recognition
    from mien.files import replacing
    from mien.images import read_rgb

    with replacing(picture) as temporary:
        drawn = Image.fromarray(draw_recognition(read_rgb(photo), recognition))
        drawn.save(temporary, format=_FORMATS[picture.suffix.lower()])
    stderr.print(shown(f"picture: {picture}"), soft_wrap=True)


def _tell_reference(recognition: Recognition, recognizer: Recognizer, subjects: str) -> None:
    """What the faces were compared with, and what that is worth."""
    reference = recognition.reference
    measured = recognizer.meta.calibration_for(reference.kind, reference.photo_count)
    alone = reference.kind == "estimated" and reference.photo_count == 1
    what = {"mean": "mean of", "neutral": "neutral:", "estimated": "various expressions:"}[reference.kind]
    photos = f"{what} {reference.photo_count} photo{'s' * (reference.photo_count != 1)} of this face"
    print_out(f"\ncompared with {'an estimate from the photo alone' if alone else photos}")
    print_out(f"right among 50 classes on {subjects}: {measured.top1:.0%} (by chance 2%)")
    if alone:
        best = recognizer.meta.calibration_for("neutral", 1)
        print_out(f"a neutral photo of the same face makes this surer ({best.top1:.0%}): --neutral PHOTO")
