"""What goes into the report of an evaluation: table, plots, faces, and on what it rests."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.artifacts import Calibration
from mien.datasets.prepared import PreparedSet
from mien.drawing.pages import Face, Figure, faces_of, write_page
from mien.drawing.plots import accuracy_figure, confusion_figure, full_confusion_figure, training_figure
from mien.drawing.recognition import draw_recognition
from mien.drawing.sheets import ARROW_SCALE, landmark_tile, mean_face_tiles
from mien.evaluation.evaluate import Result
from mien.evaluation.metrics import confusion_of_complementary, confusion_of_dominant
from mien.images import read_rgb
from mien.inference import Recognizer
from mien.labels import CLASS_COUNT, CLASSES

CHANCE_LEVEL = 1 / CLASS_COUNT
"""Top-1 accuracy of guessing."""

_KNOWLEDGE = {
    "train": " that the models were trained on: this shows what they learnt by heart.",
    "validation": " that the models were chosen on, not trained: the accuracy is a little too high.",
    "test": " that no model was trained or chosen on.",
}
"""The end of a sentence about the subjects of a part."""


def write_report(
    path: Path,
    title: str,
    faces: str,
    part: PreparedSet,
    split: str,
    results: Sequence[Result],
    recognised: Sequence[Figure] = (),
) -> None:
    """Write the report.

    Args:
        path: of the HTML file.
        title: its heading.
        faces: a sentence that says on what faces it ran.
        part: the photos that the runs were evaluated on.
        split: what part of their set they are: train, validation or test.
        results: one or more runs; the one with the best top-1 is shown in detail.
        recognised: photos that are in no set, see `recognised_photo`.
    """
    best = max(results, key=lambda result: result.accuracies[0])
    write_page(
        path,
        "evaluation.html",
        title=title,
        faces=faces,
        photo_count=len(part),
        subject_count=len(set(part.subjects)),
        knowledge=_what_models_know(split, results),
        rows=[result.as_dict() for result in results],
        best=best.name,
        landmarker=best.meta.landmarker,
        chance_level=CHANCE_LEVEL,
        accuracy=accuracy_plot({result.name: result.accuracies for result in results}),
        confusions=confusion_plots(best),
        full_confusion=Figure(full_confusion_figure(best.confusion), "All 50 classes. N_N is neutral.", wide=True),
        examples=example_faces(part, best),
        recognised=recognised,
        mean_faces=faces_of(mean_face_tiles(part)),
        arrow_scale=ARROW_SCALE,
        training=_training_plot(results),
        references=_references(best),
    )


def recognised_photo(photo: Path, run: Path) -> Figure:
    """A photo, its largest face and what a run reads in it.

    Raises:
        PhotoError: the photo cannot be read, or shows no face.
        CheckpointError: no such run.
    """
    recognition = Recognizer.load(run).recognize(photo, faces="largest")
    content = io.BytesIO()
    Image.fromarray(draw_recognition(read_rgb(photo), recognition)).save(content, format="PNG")
    caption = f"{photo.name}, read by the run {run.name} as {recognition.phrase} ({recognition.probability:.0%})."
    return Figure(content.getvalue(), caption, wide=True, photo=True)


def accuracy_plot(accuracies: dict[str, NDArray[np.float64]]) -> Figure:
    """Top-1 to top-5 of several methods; name -> shape (5,)."""
    caption = "Share of photos whose true class, one of 50, is among the k likeliest."
    return Figure(accuracy_figure(accuracies, CHANCE_LEVEL), caption)


def confusion_plots(result: Result) -> list[Figure]:
    """Of the dominant and of the complementary emotion."""
    captions = {"Dominant": confusion_of_dominant, "Complementary": confusion_of_complementary}
    return [
        Figure(
            confusion_figure(by_emotion(result.confusion)),
            f"{name} emotion, in percent of the photos that show the emotion of the row.",
        )
        for name, by_emotion in captions.items()
    ]


def example_faces(part: PreparedSet, result: Result, count: int = 12) -> list[Face]:
    """Photos chosen at random, seeded, with landmarks, what they show and what a run predicted."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(part))[:count])
    predicted = result.scores.argmax(axis=1)
    return faces_of(
        [
            landmark_tile(
                part, int(i), f"{CLASSES[part.labels[i]].phrase}\npredicted: {CLASSES[predicted[i]].phrase}"
            )
            for i in chosen
        ]
    )


def _what_models_know(split: str, results: Sequence[Result]) -> str:
    """The end of a sentence about the subjects that the runs were evaluated on."""
    if not all(result.own_set for result in results):
        return "; a model was trained on another set, and mien cannot tell whether it was trained on some of them."
    return _KNOWLEDGE[split]


def _training_plot(results: Sequence[Result]) -> Figure | None:
    logs = {result.name: result.log for result in results if result.log}
    if not logs:
        return None
    return Figure(training_figure(logs), "Accuracy on the validation subjects during training.")


def _references(result: Result) -> list[dict[str, Any]]:
    return [
        {"name": _describe(measured), "top1": measured.top1, "top5": measured.top5}
        for measured in result.meta.calibration
    ]


def _describe(measured: Calibration) -> str:
    """A kind of reference, in words."""
    if measured.reference == "mean":
        return "mean of all the subject's photos (Eq. 1)"
    if measured.reference == "estimated" and measured.photos == 1:
        return "none: estimated from the photo itself"
    kind = "neutral" if measured.reference == "neutral" else "various"
    return f"{measured.photos} {kind} photo{'s' if measured.photos > 1 else ''}"
