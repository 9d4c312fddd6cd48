"""One HTML file that shows an evaluation: table, pictures, faces, and on what it rests. Needs no network."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mien.artifacts import Calibration
from mien.datasets.prepared import PreparedSet
from mien.drawing.plots import (
    accuracy_figure,
    confusion_figure,
    displacement_figure,
    examples_figure,
    full_confusion_figure,
    training_figure,
)
from mien.evaluation.evaluate import Result
from mien.evaluation.metrics import confusions_of_emotions
from mien.files import write_text
from mien.labels import CLASS_COUNT, CLASSES

_STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #1d2733 }
body { max-width: 66rem; margin: 2.5rem auto; padding: 0 1rem }
h1 { font-size: 1.7rem; margin-bottom: .2rem } h2 { font-size: 1.2rem; margin-top: 2.4rem }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .35rem .9rem .35rem 0; text-align: right; border-bottom: 1px solid #dde3e8;
  white-space: nowrap }
th:first-child, td:first-child { text-align: left }
thead th { border-bottom: 2px solid #8fa3b5; font-weight: 600 }
tr.best td { font-weight: 600 } img { max-width: 100%; height: auto } figure { margin: 1rem 0 }
figcaption, .note { color: #52616f; font-size: .92rem }
"""


def write_report(
    path: Path, title: str, faces: str, part: PreparedSet, split: str, results: Sequence[Result]
) -> None:
    """Write the report.

    Args:
        path: of the HTML file.
        title: its heading.
        faces: a sentence that says on what faces it ran.
        part: the photos that were judged.
        split: what part of their set they are: train, validation or test.
        results: one or more runs; the one with the best top-1 is shown in detail.
    """
    best = max(results, key=lambda result: result.accuracies[0])
    sections = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{html.escape(faces)} Judged on {len(part):,} photos of {len(set(part.subjects))} subjects"
        f"{_what_models_know(split, results)}</p>",
        _results_table(results, best),
        figure_to_html(
            accuracy_figure({r.name: r.accuracies for r in results}, 1 / CLASS_COUNT),
            "Share of photos whose true class, one of 50, is among the k likeliest.",
        ),
        f"<h2>What is taken for what: {html.escape(best.name)}</h2>",
        figure_to_html(
            confusion_figure(*confusions_of_emotions(best.confusion)),
            "Percent of the photos that show the emotion of the row.",
        ),
        figure_to_html(full_confusion_figure(best.confusion), "All 50 classes. N_N is neutral."),
        "<h2>Photos</h2>",
        figure_to_html(examples(part, best), "Aligned photos with their landmarks; what they show, and below it "
                "what was read. Drawn by lot, not by success."),
        "<h2>How the face moves</h2>",
        figure_to_html(
            displacement_figure(part.landmarks.mean(axis=0), part.displacement, part.labels),
            "Mean displacement from each subject's mean face (Eq. 2), three times enlarged.",
        ),
        *_training_section(results),
        *_references_section(best),
        "<h2>What this is, and is not</h2>",
        "<p class=note>A class says what a face displays, not what a person feels. Accuracy on made faces says "
        "little about real ones. The 68-point landmark predictor was trained on iBUG 300-W and may not be used "
        "commercially.</p>",
    ]  # fmt: skip
    write_page(path, title, sections)


def _what_models_know(split: str, results: Sequence[Result]) -> str:
    """The end of a sentence about the subjects that were judged."""
    if not all(result.own_set for result in results):
        return "; a model was trained on another set, and whether it knows some of them, mien cannot tell."
    return {
        "train": " that the models were trained on: this shows what they learnt by heart.",
        "validation": " that the models were chosen on, not trained: a little bright.",
        "test": " that no model was trained or chosen on.",
    }[split]


def write_page(path: Path, title: str, sections: Sequence[str]) -> None:
    """Write an HTML file of the house's look; `sections` are HTML."""
    write_text(
        path,
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><body>{''.join(sections)}</body></html>\n",
    )


def _results_table(results: Sequence[Result], best: Result) -> str:
    rows = []
    for result in results:
        figures = result.as_dict()
        low, high = result.interval
        cells = [
            html.escape(result.name),
            *(f"{share:.3f}" for share in result.accuracies),
            f"{low:.3f} to {high:.3f}",
            f"{result.misclassification:.2f}",
            f"{figures['dominant']:.3f}",
            f"{figures['complementary']:.3f}",
        ]
        mark = ' class="best"' if result is best else ""
        rows.append(f"<tr{mark}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    heads = ["method", *(f"top-{k}" for k in range(1, 6))]
    heads += ["95% of top-1", "error %", "dominant right", "complementary right"]
    head = "".join(f"<th>{name}</th>" for name in heads)
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"<p class=note>Guessing gives {1 / CLASS_COUNT:.3f} at top-1. The interval is over subjects.</p>"
    )


def examples(part: PreparedSet, result: Result, count: int = 12) -> bytes:
    """Photos drawn by lot, always the same ones, with landmarks, what they show and what a run reads."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(part))[:count])
    predicted = result.scores.argmax(axis=1)
    captions = [f"{CLASSES[part.labels[i]].phrase}\nread: {CLASSES[predicted[i]].phrase}" for i in chosen]
    return examples_figure([part.crops[part.rows[i]] for i in chosen], [part.landmarks[i] for i in chosen], captions)


def _training_section(results: Sequence[Result]) -> list[str]:
    logs = {result.name: result.log for result in results if result.log}
    if not logs:
        return []
    return [
        "<h2>Training</h2>",
        figure_to_html(training_figure(logs), "Accuracy on the validation subjects while training."),
    ]


def _references_section(best: Result) -> list[str]:
    rows = "".join(
        f"<tr><td>{_describe(measured)}</td><td>{measured.top1:.3f}</td><td>{measured.top5:.3f}</td></tr>"
        for measured in best.meta.calibration
    )
    return [
        "<h2>What the reference is worth</h2>",
        f"<table><thead><tr><th>reference</th><th>top-1</th><th>top-5</th></tr></thead>{rows}</table>",
        f"<p class=note>{html.escape(best.name)}, on the validation subjects.</p>",
    ]


def _describe(measured: Calibration) -> str:
    """A kind of reference, in words."""
    if measured.reference == "mean":
        return "mean of all the subject's photos (Eq. 1)"
    if measured.reference == "estimated" and measured.photos == 1:
        return "none: estimated from the photo itself"
    kind = "neutral" if measured.reference == "neutral" else "various"
    return f"{measured.photos} {kind} photo{'s' if measured.photos > 1 else ''}"


def figure_to_html(png: bytes, caption: str) -> str:
    """A picture, within the page, and its caption."""
    data = base64.b64encode(png).decode()
    return (
        f'<figure><img alt="{html.escape(caption)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
