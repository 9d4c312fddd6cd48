"""`mien predict`"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mien.cli.answers import FILE_ENDINGS, answers_to
from mien.cli.console import print_error, print_out, progress_bar, refuse_output, shown, stderr
from mien.cli.execution import Ray, make_executor
from mien.cli.photos import named_photos

if TYPE_CHECKING:
    from mien.displacement import Reference
    from mien.inference import Recognition, Recognitions, Recognizer
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
        epilog="Examples: mien predict photo.jpg  |  mien predict photo.jpg --neutral neutral.jpg --explain"
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
        Path | None, typer.Option(help="Write the reference (no picture, some kB) into this file for later.")
    ] = None,
    trust_reference: Annotated[
        bool,
        typer.Option("--trust-reference", help="Do not check that the reference is of the person in the photos."),
    ] = False,
    unsure_below: Annotated[
        float, typer.Option(min=0, max=1, help="Call answers unsure whose probability is lower.")
    ] = 0.15,
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
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say below each answer what moved, and which part of the face spoke for it."),
    ] = False,
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
    from mien.cli.albums import read_album, tell_album
    from mien.errors import MienError
    from mien.inference import Recognizer

    named, neutral = list(named_photos(photos)), list(named_photos(neutral or []))
    if group_by is None and (name_from or sheet is not None):
        raise MienError("--name-from and --sheet are for an album; add --group-by person, or folder")
    _refuse_contradictions(
        named,
        neutral,
        [*([] if reference is None else [reference]), *(name_from or [])],
        references=sum((bool(neutral), same_person, reference is not None, group_by is not None)),
        explain=explain,
        forms=sum((json, jsonl, output is not None)),
        faces=(faces, largest_face),
        outputs=(save_reference, picture, output),
        album=group_by is not None,
    )
    if sheet is not None:
        refuse_output(sheet, (".png",), [Path(name) for name in named])
    wanted = "largest" if largest_face else faces
    stdin = sys.stdin.buffer.read() if "-" in (*named, *neutral) else b""
    sources, neutral_sources = ([stdin if name == "-" else name for name in names] for names in (named, neutral))
    recognizer = Recognizer.load(run, trust_reference=trust_reference, unsure_below=unsure_below)
    if group_by is not None:
        with _progress(len(named)) as show:
            album = read_album(
                recognizer,
                sources,
                group_by,
                name_from or [],
                workers,
                _executor(len(named), workers, ray),
                lambda done: show(done, len(named)),
            )
        with answers_to(named, output, json, jsonl) as answers:
            tell_album(album, answers, output, sheet)
        return
    used = _reference(recognizer, neutral_sources, reference, "largest" if wanted == "all" else wanted)
    if used is not None:
        if not trust_reference:
            _tell_doubts(used)
        if save_reference is not None:
            used.save(save_reference)
    seen = _Seen()
    explainer = recognizer if explain else None
    with answers_to(named, output, json, jsonl, explainer) as answers, _progress(len(named)) as show:
        executor = _executor(len(named), workers, ray)
        if same_person:
            used, read = recognizer.recognize_person(
                sources,
                faces="one" if wanted == "one" else "largest",
                workers=workers,
                executor=executor,
                errors="return",
                progress=lambda done: show(done, len(named)),
            )
            for part in read:
                answers.add(part)
                seen.add(part)
        else:
            coming = recognizer.recognize_many(
                sources, used, faces=wanted, workers=workers, executor=executor, errors="return"
            )
            for done, part in enumerate(coming, start=1):
                answers.add(part)
                seen.add(part)
                show(done, len(named))
    if save_reference is not None and used is not None and same_person:
        used.save(save_reference)
    seen.tell_strangers(None if same_person else neutral or [str(reference)])
    _finish(seen, recognizer, sources[0], picture, output, run, quiet=json or jsonl, told=same_person)
    if seen.failed:
        raise typer.Exit(2)


def _finish(
    seen: _Seen,
    recognizer: Recognizer,
    photo: Any,
    picture: Path | None,
    output: Path | None,
    run: Path | None,
    *,
    quiet: bool,
    told: bool,
) -> None:
    """Draw, and say where the answers are and what faces were compared with."""
    if picture is not None and seen.last is not None:
        _draw(photo, seen.last, picture)
    if output is not None:
        stderr.print(shown(f"answers in {output}"))
    for_people = not quiet and output is None
    if seen.last is not None and (for_people or told):
        subjects = "validation subjects" if run else "synthetic subjects"
        _tell_reference(seen.last.reference, recognizer, subjects, print_out if for_people else _note)


def _refuse_contradictions(
    named: list[str],
    neutral: list[str],
    profiles: list[str],
    references: int,
    explain: bool,
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
        "--explain goes with lines for people; JSON holds movements and actions anyway, so leave one of them away": (
            explain and (forms > 0 or album)
        ),
        "--json, --jsonl and --output are three forms of the answers; choose one": forms > 1,
        "--largest-face and --faces all exclude each other; choose one": largest and which == "all",
        "- is one photo, on standard input; name it once": (named + neutral).count("-") > 1,
        "--picture draws one photo; name one photo": picture and len(named) != 1,
    }
    for complaint, holds in complaints.items():
        if holds:
            raise MienError(complaint)
    inputs = [Path(name) for name in (*named, *neutral, *profiles) if name != "-"]
    for path, endings in ((picture, tuple(_FORMATS)), (output, FILE_ENDINGS), (saved, ())):
        if path is not None:
            refuse_output(path, endings, inputs)


class _Seen:
    """What is said at the end, of answers that are gone by then."""

    def __init__(self) -> None:
        self.last: Recognition | None = None
        self.strangers: list[str] = []
        self.failed = False

    def add(self, read: Recognitions) -> None:
        """Take the answers of a photo, and say what was wrong with it."""
        from mien.inference.results import OTHER_PERSON

        self.last = read[0] if len(read) else self.last
        self.strangers += [face.photo for face in read if OTHER_PERSON in face.flags]
        for _, error in read.errors:
            self.failed = True
            print_error(error)

    def tell_strangers(self, reference: list[str] | None) -> None:
        """Name the photos of other people than the reference's; None: it was made of the photos themselves."""
        if self.strangers:
            than = "most photos" if reference is None else f"the reference ({_some(reference)})"
            _warn(f"{_some(self.strangers)}: seems to show another person than {than}; give photos of one person")


def _reference(
    recognizer: Recognizer, neutral: list[Any], saved: str | None, faces: Literal["one", "largest"]
) -> Reference | None:
    """What the photos are compared with, where it does not come from themselves."""
    from mien.inference.profiles import find_reference

    if saved is not None:
        return find_reference(saved, recognizer.model)
    return recognizer.neutral_reference(neutral, faces) if neutral else None


def _tell_doubts(reference: Reference) -> None:
    if reference.strangers:
        others = _some(list(reference.strangers))
        _warn(f"{others}: shows another person than most photos of the reference; leave it out")
    for photo, phrase in reference.expressive:
        _warn(f"{photo}: reads as {phrase}, not neutral, and is compared with; give a photo of the neutral face")


def _note(text: str) -> None:
    stderr.print(shown(text.strip()))


def _warn(warning: str) -> None:
    stderr.print(shown(f"mien: {warning}, or add --trust-reference"))


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
    stderr.print(shown(f"picture: {picture}"))


def _tell_reference(reference: Reference, recognizer: Recognizer, subjects: str, tell: Callable[[str], None]) -> None:
    """What the faces were compared with, and what that is worth."""
    measured = recognizer.meta.calibration_for(reference.kind, reference.photo_count)
    alone = reference.kind == "estimated" and reference.photo_count == 1
    what = {"mean": "mean of", "neutral": "neutral:", "estimated": "an estimate from"}[reference.kind]
    photos = f"{what} {reference.photo_count} photo{'s' * (reference.photo_count != 1)} of this face"
    tell(f"\ncompared with {'an estimate from the photo alone' if alone else photos}")
    more = f", measured with {measured.photos}" if reference.photo_count > measured.photos > 0 else ""
    tell(f"right among 50 classes on {subjects}: {measured.top1:.0%}{more} (by chance 2%)")
    if alone:
        tell("a neutral photo of the same face makes this surer: --neutral PHOTO")
