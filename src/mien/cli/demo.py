"""`mien demo`"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import progress_bar, stderr, stdout
from mien.cli.evaluate import print_results
from mien.cli.train import describe

if TYPE_CHECKING:
    from mien.evaluation.evaluate import Result

SUBJECTS = 40
_FACES = f"The faces are synthetic: {SUBJECTS} subjects who do not exist, one photo in each of the 50 classes."


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Example: mien demo demo",
        help="The whole way on synthetic faces: make, prepare, train, compare four methods, recognise a real photo. "
        "Five to ten minutes on two processor cores; what is up to date is not done again.",
    )(demo)


def demo(
    out: Annotated[Path, typer.Argument(help="Folder for everything that is made.")],
    photo: Annotated[
        Path | None, typer.Option(help="Real photo to recognise.", show_default="scikit-image's astronaut")
    ] = None,
) -> None:
    from mien.errors import require
    from mien.inference import Recognizer
    from mien.jobs.claims import claim_folder

    for module, extra in (("vtk", "synth"), ("anny", "synth"), ("torch", "train"), ("matplotlib", "train")):
        require(module, extra)
    if photo is not None:
        Recognizer.load().detect(photo)  # one that shows no face is refused before minutes of work
    claim_folder(out, "demo.json", {"subjects": SUBJECTS}, "choose another folder, or remove this one")
    _make_and_prepare(out / "faces", out / "prepared")
    results = _compare(out, photo or _astronaut())
    print_results(results)
    stdout.print(f"report with pictures: {out}/report.html")
    _recognise(photo or _astronaut(), out / "runs" / "fused", out)


def _make_and_prepare(faces: Path, prepared: Path) -> None:
    from mien.datasets import Preparation
    from mien.datasets.sources import read_source
    from mien.jobs.executors import LocalProcesses, processor_count
    from mien.synth.generate import generate

    executor = LocalProcesses(processor_count())
    with progress_bar("synthesis", "photos") as show:
        generate(faces, subjects=SUBJECTS, samples=1, seed=1, executor=executor, progress=show)
    with progress_bar("preparing", "photos") as show:
        Preparation(validation=0.15, test=0.2).run(read_source(faces), prepared, executor, show)


def _compare(out: Path, photo: Path) -> list[Result]:
    from mien.datasets.prepared import PreparedSet
    from mien.evaluation.report import recognised_photo
    from mien.studies.methods import Method, section_3_methods
    from mien.studies.reproduce import compare_methods
    from mien.training.loop import Progress

    with progress_bar("training", "steps") as show:

        def tell(method: Method, progress: Progress | None) -> None:
            if progress is None:
                stderr.print(f"training: {method.name}")
            else:
                show(progress.step, progress.steps, describe(progress))

        return compare_methods(
            PreparedSet.open(out / "prepared"),
            out,
            section_3_methods("quick"),
            _FACES,
            tell,
            lambda: [recognised_photo(photo, out / "runs" / "fused")],
        )


def _recognise(photo: Path, run: Path, out: Path) -> None:
    from mien.cli.predict import predict

    stdout.print()
    predict([str(photo)], run=run, largest_face=True, picture=out / f"{photo.stem}.png")
    stdout.print(f"picture: {out}/{photo.stem}.png")


def _astronaut() -> Path:
    """scikit-image's photo of Eileen Collins (NASA, public domain), a part of its installed package."""
    from mien.errors import MissingExtraError

    spec = importlib.util.find_spec("skimage")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, "data", "astronaut.png")
        if os.path.isfile(path):
            return path
    raise MissingExtraError("the demo's real photo comes with scikit-image; run: pip install scikit-image")
