"""`mien synth`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mien.cli.console import progress_bar, refuse_output, stdout
from mien.cli.execution import Ray, Workers, make_executor
from mien.errors import MienError

if TYPE_CHECKING:
    from mien.jobs.executors import Executor


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Examples: mien synth faces --subjects 30 --samples 1  |  mien synth films --film --subjects 4  |  "
        "mien synth points --points --subjects 1500 --samples 1",
        help="Make photos of synthetic subjects, in all 50 expressions, with exact ground truth.",
    )(synth)


def synth(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="New folder for the photos; a begun one is gone on with.")],
    subjects: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many subjects.")] = 125,
    samples: Annotated[
        int, typer.Option(min=1, max=1_000, help="Photos of a subject in each of the 50 classes.")
    ] = 5,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same bytes.")] = 0,
    height: Annotated[int, typer.Option(min=216, max=3456, help="Of a photo in pixels; width is 3/2 of it.")] = 432,
    style: Annotated[
        Literal["camera", "studio", "mixed"],
        typer.Option(help="Any camera in any light, a camera on a stand in good light, or half of each."),
    ] = "mixed",
    film: Annotated[
        bool,
        typer.Option("--film", help="Make films of two subjects each, with the truth of every frame, no photos."),
    ] = False,
    points: Annotated[
        bool, typer.Option("--points", help="Take no photos; write only where the landmarks are, seven times faster.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="Length of a film, about.")] = 40,
    workers: Workers = None,
    ray: Ray = None,
    contact_sheet: Annotated[
        Path | None, typer.Option(help="Draw eight subjects in all 50 classes into this PNG.")
    ] = None,
) -> None:
    from mien.errors import require

    require("vtkmodules", "synth")
    if points and (film or contact_sheet is not None):
        raise MienError("--points takes no photos; leave it away, or leave --film and --contact-sheet away")
    for name in ("samples", "height") if film else ("seconds",):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            remedy = "leave it or --film away" if film else "leave it away, or add --film"
            raise MienError(f"--{name} is of {'photos' if film else 'films'}; {remedy}")
    if film:
        _make_films(out, subjects, seed, seconds, style, contact_sheet, make_executor(workers, ray))
        return

    from PIL import Image

    from mien.drawing.sheets import draw_synthetic_sheet
    from mien.files import replacing
    from mien.synth.generate import generate

    if contact_sheet is not None:
        refuse_output(contact_sheet, (".png",))
    executor = make_executor(workers, ray)
    with progress_bar("making faces", "photos") as show:
        summary = generate(
            out,
            subjects=subjects,
            samples=samples,
            seed=seed,
            height=height,
            style=style,
            photos=not points,
            executor=executor,
            progress=show,
        )
    if points:
        stdout.print(f"points of {summary.photos} photos of {subjects} subjects in {out}/truth.parquet")
        return
    if contact_sheet is not None:
        with replacing(contact_sheet) as temporary:
            Image.fromarray(draw_synthetic_sheet(out)).save(temporary, format="PNG")
    stdout.print(f"{summary.photos} photos of {subjects} subjects in {out}, labels in {out}/labels.txt")


def _make_films(
    out: Path,
    subjects: int,
    seed: int,
    seconds: float,
    style: Literal["camera", "studio", "mixed"],
    contact_sheet: Path | None,
    executor: Executor,
) -> None:
    from mien.synth.films import generate_films

    if contact_sheet is not None:
        raise MienError("--contact-sheet is of photos; leave it away, or leave --film away")
    films = -(-subjects // 2)
    with progress_bar("making films", "frames") as show:
        made = generate_films(
            out, films=films, seconds=seconds, seed=seed, style=style, executor=executor, progress=show
        )
    stdout.print(f"{made.frames} frames in {made.films} films in {out}, the truth in {out}/truth.parquet")
