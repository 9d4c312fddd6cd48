"""`mien video`"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.console import print_error, print_out, progress_bar, refuse_output, shown, stderr
from mien.cli.people import named_profiles

if TYPE_CHECKING:
    from mien.inference import Recognizer, SubjectProfile
    from mien.video import FilmSummary

_TABLES = (".parquet", ".csv", ".jsonl")
_FILMS = (".mp4", ".mkv", ".mov")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Examples: mien video film.mp4  |  mien video film.mp4 film.parquet --timeline film.png  |  "
        "mien video film.mp4 --annotate seen.mp4 --reference Anna  |  mien video 0 --jsonl",
        help="Read the expressions in a film or from a camera: faces are followed, and each person is compared with "
        "how they look in the whole film.",
    )(video)


def video(
    film: Annotated[str, typer.Argument(help="A film, or a camera by its number: 0.", metavar="FILE|CAMERA")],
    out: Annotated[
        Path | None,
        typer.Argument(help="Table to write, a row a face and frame: .parquet, .csv or .jsonl.", metavar="OUT"),
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            help="Somebody enrolled who may be in the film, a file or folder of profiles, or all; may stand several "
            "times.",
            metavar="NAME|FILE|FOLDER|all",
        ),
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print a line of JSON a frame as it comes, in one pass.")
    ] = False,
    timeline: Annotated[Path | None, typer.Option(help="Draw who displays what, and when, into this PNG.")] = None,
    annotate: Annotated[
        Path | None, typer.Option(help="Write the film with its readings drawn into it: .mp4, .mkv or .mov.")
    ] = None,
    top5: Annotated[bool, typer.Option("--top5", help="Five probabilities in the table, not all 50.")] = False,
    smoothing: Annotated[
        float, typer.Option(min=0, help="Time constant in seconds by which probabilities are smoothed.")
    ] = 0.15,
    seconds: Annotated[float | None, typer.Option(min=0, help="Stop after so many seconds of a camera.")] = None,
    run: Annotated[
        Path | None, typer.Option(help="A trained run.", show_default="the weights that come with mien")
    ] = None,
) -> None:
    from mien.errors import MienError
    from mien.inference import Recognizer
    from mien.video import Film
    from mien.video.reading import is_camera

    for path, endings in ((out, _TABLES), (timeline, (".png",)), (annotate, _FILMS)):
        if path is not None:
            refuse_output(path, endings, [Path(film)])
    one_pass = jsonl or is_camera(film)
    if not one_pass:
        Film.open(film).close()  # what is no film is refused before weights are loaded
    if one_pass and (timeline is not None or annotate is not None):
        raise MienError("--timeline and --annotate need a film from a file, read in two passes; leave --jsonl away")
    if seconds is not None and not one_pass:
        raise MienError("--seconds is for a camera, or with --jsonl")
    recognizer = Recognizer.load(run)
    profiles = named_profiles(reference or (), recognizer.model)
    if one_pass:
        _read_once(film, out, recognizer, profiles, smoothing, jsonl, seconds, top5)
        return
    _read_twice(film, out, recognizer, profiles, smoothing, top5, timeline, annotate)


def _read_twice(
    film: str,
    out: Path | None,
    recognizer: Recognizer,
    profiles: list[SubjectProfile],
    smoothing: float,
    top5: bool,
    timeline: Path | None,
    annotate: Path | None,
) -> None:
    from mien.video import analyse
    from mien.video.pictures import AnnotatedFilm, TimelinePicture

    with ExitStack() as stack:

        def watchers(found: FilmSummary) -> list[Any]:
            watching: list[Any] = [] if timeline is None else [TimelinePicture(timeline, found)]
            if annotate is not None:
                watching.append(stack.enter_context(AnnotatedFilm(annotate, film, found)))
            return watching

        progress = stack.enter_context(progress_bar("reading", "frames")) if stderr.is_terminal else None
        summary = analyse(
            film,
            out,
            recognizer,
            profiles,
            smoothing=smoothing,
            probabilities="top5" if top5 else "all",
            watchers=watchers,
            progress=progress,
        )
    _tell(summary)
    for what, path in (("table", out), ("timeline", timeline), ("annotated film", annotate)):
        if path is not None:
            stderr.print(shown(f"{what} in {path}"))
    if summary.problem is not None:
        print_error(summary.problem)
        raise typer.Exit(2)


def _tell(summary: FilmSummary) -> None:
    for episode in summary.episodes:
        print_out(shown(str(episode)))
    if not summary.episodes:
        what = "nobody is seen" if not summary.people else "nobody displays an emotion for long"
        print_out(f"{what} in {summary.frames} frames")
    for person in summary.people:
        seen = f"seen in {person.frames} of {summary.frames} frames, compared with {person.compared_with}"
        stderr.print(shown(f"{person.name}: {seen}"))


def _read_once(
    film: str,
    out: Path | None,
    recognizer: Recognizer,
    profiles: list[SubjectProfile],
    smoothing: float,
    jsonl: bool,
    seconds: float | None,
    top5: bool,
) -> None:
    import json

    from mien.errors import FilmError
    from mien.video import Film, read
    from mien.video.stream import writing_rows

    problem: FilmError | None = None
    with ExitStack() as stack:
        opened = stack.enter_context(Film.open(film))
        write = None if out is None else stack.enter_context(writing_rows(out, "top5" if top5 else "all"))
        if opened.is_live:  # a camera is read until it is stopped
            stack.enter_context(suppress(KeyboardInterrupt))
        try:
            for frame in read(opened, recognizer, profiles, smoothing):
                if write is not None:
                    write(frame)
                if jsonl:
                    print_out(json.dumps(frame.to_dict()))
                elif write is None:
                    for face in frame:
                        print_out(shown(f"{frame.time:8.2f}  {face.name:12}  {face.phrase}"))
                if seconds is not None and frame.time >= seconds:
                    break
        except FilmError as error:
            problem = error
    if out is not None:
        stderr.print(shown(f"table in {out}"))
    if problem is not None:
        print_error(problem)
        raise typer.Exit(2)
