"""Figures of an evaluation, as PNG bytes; nothing here opens a window or touches global plot state."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.errors import require
from mien.faces.points68 import CLOSED_REGIONS, REGIONS
from mien.images import RGBImage
from mien.labels import CLASSES, Emotion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NOUNS = [emotion.noun for emotion in Emotion]
_INK, _ACCENT, _PALE = "#1d2733", "#b5402a", "#8fa3b5"
_LINE_COLOURS = ("#1f5a8a", "#b5402a", "#4c8a4a", "#8a5fa3", "#c08a2b", "#3aa0a0")


def confusion_figure(dominant: NDArray[np.int64], complementary: NDArray[np.int64]) -> bytes:
    """Dominant and complementary confusion side by side, in percent of the photos that show the emotion.

    Args:
        dominant, complementary: counts, (7, 8): row shown, column read, neutral last.
    """
    figure = _figure(11.6, 4.8)
    for place, (title, matrix) in enumerate(
        (
            ("Dominant emotion", dominant),
            ("Complementary emotion", complementary),
        ),
        start=1,
    ):
        axes = figure.add_subplot(1, 2, place)
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(8), [*_NOUNS, "neutral"], rotation=40, ha="right")
        axes.axvline(6.5, color=_PALE, linewidth=0.8)
        axes.set_yticks(range(7), _NOUNS if place == 1 else [])
        axes.set_xlabel("read as")
        if place == 1:
            axes.set_ylabel("shown")
        axes.set_title(title)
        for (row, column), share in np.ndenumerate(shares):
            axes.text(
                column,
                row,
                f"{100 * share:.0f}",
                ha="center",
                va="center",
                color="white" if share > 0.55 else _INK,
                fontsize=9,
            )
    return _png(figure)


def full_confusion_figure(counts: NDArray[np.int64]) -> bytes:
    """All 50 x 50 classes, in shares of the true class."""
    figure = _figure(8.2, 7.6)
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    picture = axes.imshow(shares, cmap="Blues", vmin=0)
    texts = [str(emotion) for emotion in CLASSES]
    axes.set_xticks(range(50), texts, rotation=90, fontsize=6)
    axes.set_yticks(range(50), texts, fontsize=6)
    for edge in range(1, 50, 7):  # neutral, then blocks of one complementary emotion
        axes.axhline(edge - 0.5, color=_PALE, linewidth=0.4)
        axes.axvline(edge - 0.5, color=_PALE, linewidth=0.4)
    axes.set_xlabel("read as (complementary_dominant)")
    axes.set_ylabel("shown")
    figure.colorbar(picture, ax=axes, shrink=0.7, label="share of the class shown")
    return _png(figure)


def accuracy_figure(accuracies: Mapping[str, NDArray[np.float64]], chance: float) -> bytes:
    """Top-1..5 accuracy of several methods as bars.

    Args:
        accuracies: method -> shape (5,).
        chance: top-1 accuracy of guessing.
    """
    figure = _figure(8.4, 3.6)
    axes = figure.add_subplot()
    width = 0.8 / len(accuracies)
    for i, (name, values) in enumerate(accuracies.items()):
        places = np.arange(5) + (i - (len(accuracies) - 1) / 2) * width
        axes.bar(places, values, width, label=name, color=_LINE_COLOURS[i % len(_LINE_COLOURS)])
    axes.hlines(
        chance * np.arange(1, 6),
        np.arange(5) - 0.45,
        np.arange(5) + 0.45,
        colors=_INK,
        linestyles=":",
        label="chance",
    )
    axes.set_xticks(range(5), [f"top-{k}" for k in range(1, 6)])
    axes.set_ylabel("accuracy")
    axes.legend(frameon=False)
    return _png(_bare(figure, axes))


def training_figure(logs: Mapping[str, Sequence[Mapping[str, float]]]) -> bytes:
    """Validation accuracy over iterations, a line a run.

    Args:
        logs: run -> lines of metrics.jsonl.
    """
    figure = _figure(8.4, 3.6)
    axes = figure.add_subplot()
    for i, (name, lines) in enumerate(logs.items()):
        steps = [line["step"] for line in lines]
        colour = _LINE_COLOURS[i % len(_LINE_COLOURS)]
        axes.plot(steps, [line["top1"] for line in lines], color=colour, label=f"{name}, top-1")
        axes.plot(steps, [line["top5"] for line in lines], color=colour, linestyle="--", label=f"{name}, top-5")
    axes.set_xlabel("iteration")
    axes.set_ylabel("validation accuracy")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return _png(_bare(figure, axes))


def curves_figure(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], levels: Mapping[str, float], ylabel: str
) -> bytes:
    """Curves over iterations, and levels to compare them with as dotted lines of the same colours.

    Args:
        curves: name -> iterations and values.
        levels: name -> value; a level of a curve's name takes its colour.
        ylabel: of the values.
    """
    figure = _figure(8.4, 3.6)
    axes = figure.add_subplot()
    colours = dict(zip(curves, _LINE_COLOURS, strict=False))
    for name, (steps, values) in curves.items():
        marker = "o" if len(steps) < 15 else None
        axes.plot(steps, values, color=colours[name], label=name, marker=marker, markersize=3.5)
    last = max((steps[-1] for steps, _ in curves.values() if len(steps)), default=1)
    for name, value in levels.items():
        axes.axhline(value, color=colours.get(name, _INK), linestyle=":", linewidth=1.2)
        text = f"paper {value:g}"
        axes.text(last, value, text, ha="right", va="bottom", fontsize=8, color=colours.get(name, _INK))
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("iteration")
    axes.set_ylabel(ylabel)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return _png(_bare(figure, axes))


def displacement_figure(
    mean_landmarks: NDArray[np.floating],
    displacement: NDArray[np.floating],
    labels: NDArray[np.integer],
) -> bytes:
    """How each plain emotion moves the average face: arrows from rest, enlarged three times.

    Args:
        mean_landmarks: (68, 2), crop pixels.
        displacement: (n, 136), crop pixels.
        labels: (n,) class indices.
    """
    figure = _figure(12, 2.6)
    for i, emotion in enumerate(Emotion, start=1):
        axes = figure.add_subplot(1, 7, i)
        axes.set_title(emotion.noun, fontsize=10)
        axes.axis("off")
        axes.set_aspect("equal")
        axes.set_xlim(15, 209)
        axes.set_ylim(224, 40)
        draw_landmarks(axes, mean_landmarks, _PALE, 0.8)
        own = displacement[labels == 8 * emotion - 7]  # C = D: 7 (C - 1) + C
        if len(own):
            move = own.mean(axis=0).reshape(-1, 2)
            axes.quiver(
                *mean_landmarks.T,
                *(3 * move).T,
                angles="xy",
                scale_units="xy",
                scale=1,
                color=_ACCENT,
                width=0.012,
            )
    return _png(figure)


def examples_figure(
    crops: Sequence[RGBImage], landmarks: Sequence[NDArray[np.floating]], captions: Sequence[str]
) -> bytes:
    """Crops in rows of up to six, their landmarks drawn, a caption above each."""
    columns = min(6, len(crops))
    rows = -(-len(crops) // columns)
    figure = _figure(2 * columns, 2.5 * rows)
    for i, (crop, points, caption) in enumerate(zip(crops, landmarks, captions, strict=True), start=1):
        axes = figure.add_subplot(rows, columns, i)
        axes.imshow(crop)
        draw_landmarks(axes, points, "white", 0.7)
        axes.axis("off")
        axes.set_title(caption, fontsize=8)
    return _png(figure)


def draw_landmarks(axes: Axes, landmarks: NDArray[np.floating], colour: str, width: float) -> None:
    """The 68 points, joined region by region; `landmarks` (68, 2)."""
    for name, region in REGIONS.items():
        points = landmarks[region]
        if name in CLOSED_REGIONS:
            points = np.vstack([points, points[:1]])
        axes.plot(*points.T, color=colour, linewidth=width)


def _figure(width: float, height: float) -> Figure:
    figure: Figure = require("matplotlib.figure", "train").Figure(figsize=(width, height), layout="constrained")
    return figure


def _bare(figure: Figure, axes: Axes) -> Figure:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e4e8ec", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()
