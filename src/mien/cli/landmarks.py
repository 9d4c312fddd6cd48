"""`mien landmarks` and `mien train-landmarks`"""

from __future__ import annotations

import csv
import io
import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.console import print_error, print_json, print_out, progress_bar, shown, stdout
from mien.cli.photos import named_photos

if TYPE_CHECKING:
    from mien.faces import Face


class Landmarker(StrEnum):
    """What finds the landmarks."""

    CNN = "cnn"
    ERT = "ert"


_LANDMARKER = typer.Option(help="mien's own network, free for every use, or dlib's regression trees, which are not.")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog="Examples: mien landmarks photo.jpg  |  mien landmarks album/ --csv > points.csv",
        help="Find the faces of photos and their 68 landmarks, and nothing else.",
    )(landmarks)
    app.command(
        "train-landmarks",
        epilog="Examples: mien synth faces --subjects 250 --samples 1  |  mien train-landmarks faces --out run  |  "
        "mien train-landmarks faces --by-hand london --by-hand canada --out run",
        help="Train the predictor of landmarks on synthetic faces and on photos with points placed by hand.",
    )(train_landmarks)


def landmarks(
    photos: Annotated[list[str], typer.Argument(help="Photos, folders or quoted patterns.")],
    landmarker: Annotated[Landmarker, _LANDMARKER] = Landmarker.CNN,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, a list of faces.")] = False,
    csv_: Annotated[bool, typer.Option("--csv", help="Print CSV, a row a face.")] = False,
) -> None:
    from mien.errors import PhotoError
    from mien.faces import FaceExtractor
    from mien.inference.finding import find_faces

    extractor = FaceExtractor(landmarker=landmarker.value)
    rows: list[dict[str, Any]] = []
    failed = False
    for photo in list(named_photos(photos)):
        try:
            faces = find_faces(extractor, photo, "all")
        except PhotoError as error:
            print_error(error)
            failed = True
            continue
        rows += [_row(photo, number, face) for number, face in enumerate(faces)]
    if json:
        print_json(rows)
    elif csv_:
        _print_csv(rows)
    else:
        for row in rows:
            points = " ".join(f"{x:.0f},{y:.0f}" for x, y in row["landmarks"])
            stdout.print(shown(f"{row['photo']} face {row['face']}: {points}"))
    if failed:
        raise typer.Exit(2)


def train_landmarks(
    synthetic: Annotated[list[Path], typer.Argument(help="Sets as `mien synth` makes them.")],
    out: Annotated[Path, typer.Option(help="New folder for the run; a begun one is gone on with.")],
    by_hand: Annotated[
        list[Path] | None, typer.Option(help="A folder of photos with .tem files beside them; may be repeated.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the last validation as JSON.")] = False,
) -> None:
    from mien.errors import require

    require("torch", "train")
    from mien.training.landmarks.recipe import load_landmark_recipe
    from mien.training.landmarks.train import LANDMARKS_FILE
    from mien.training.landmarks.train import train_landmarks as train

    recipe = load_landmark_recipe(set_ or ())
    with progress_bar("training landmarks", "steps") as show:

        def report(step: int, steps: int, line: dict[str, float]) -> None:
            errors = {name: line[name] for name in ("synthetic", "by_hand") if name in line}
            show(step, steps, ", ".join(f"{name} {error:.2f}%" for name, error in errors.items()))

        line = train(synthetic, by_hand or (), out, recipe, report)
    if json:
        print_json(line)
    else:
        stdout.print(shown(f"predictor in {out / LANDMARKS_FILE}"))


def _row(photo: str, number: int, face: Face) -> dict[str, Any]:
    """One face as JSON holds it: box, points in photo pixels, confidence of each (null where there is none)."""
    confidence = [None if math.isnan(value) else round(value, 3) for value in face.confidence.tolist()]
    return {
        "photo": photo,
        "face": number,
        "box": [round(edge, 1) for edge in face.box.as_array().tolist()],
        "score": round(face.box.score, 3),
        "landmarks": [[round(x, 2), round(y, 2)] for x, y in face.landmarks_photo.tolist()],
        "confidence": confidence,
    }


def _print_csv(rows: list[dict[str, Any]]) -> None:
    names = [f"{axis}{point}" for point in range(68) for axis in "xy"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["photo", "face", "left", "top", "right", "bottom", "score", *names, *[f"c{p}" for p in range(68)]]
    )
    for row in rows:
        points = [value for point in row["landmarks"] for value in point]
        writer.writerow([row["photo"], row["face"], *row["box"], row["score"], *points, *row["confidence"]])
    print_out(text.getvalue().rstrip("\n"))
