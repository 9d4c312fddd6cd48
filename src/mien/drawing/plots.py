"""Figures of matplotlib, as PNG bytes; nothing here opens a window or touches global plot state.

Figures are narrow and their letters large, so that they can be read on a telephone; wide ones scroll there.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mien.drawing.style import ACCENT, INK
from mien.errors import require
from mien.labels import CLASSES, EMOTION_COUNT, Emotion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PALE, _GRID = "#8fa3b5", "#e4e8ec"
_COLOURS = ("#1f5a8a", ACCENT, "#4c8a4a", "#8a5fa3", "#c08a2b", "#3aa0a0")
_DASHES = ("-", "--", ":")
_HATCHES = ("", "///", "...")
_LONGEST_NAME = 32
"""Characters of a name in a legend."""


def confusion_figure(counts: NDArray[np.int64]) -> bytes:
    """Confusion of emotions, in percent of the photos that show the emotion of the row.

    Args:
        counts: (7, 8): row shown, column predicted, neutral last.
    """
    figure = _figure(4.8, 4.4)
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    nouns = [emotion.noun for emotion in Emotion]
    axes.set_xticks(range(EMOTION_COUNT + 1), [*nouns, "neutral"], rotation=40, ha="right")
    axes.set_yticks(range(EMOTION_COUNT), nouns)
    axes.axvline(EMOTION_COUNT - 0.5, color=_PALE, linewidth=0.8)
    axes.set_xlabel("predicted")
    axes.set_ylabel("shown")
    for (row, column), share in np.ndenumerate(shares):
        ink = "white" if share > 0.55 else INK
        axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=ink, fontsize=10)
    return _png(figure)


def full_confusion_figure(counts: NDArray[np.int64]) -> bytes:
    """All 50 x 50 classes, in shares of the true class; `counts` (50, 50), row true class."""
    figure = _figure(8.2, 6.9)
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0)
    texts = [str(emotion) for emotion in CLASSES]
    axes.set_xticks(range(len(CLASSES)), texts, rotation=90, fontsize=6)
    axes.set_yticks(range(len(CLASSES)), texts, fontsize=6)
    for edge in range(1, len(CLASSES), EMOTION_COUNT):  # neutral, then blocks of one complementary emotion
        axes.axhline(edge - 0.5, color=_PALE, linewidth=0.4)
        axes.axvline(edge - 0.5, color=_PALE, linewidth=0.4)
    axes.set_xlabel("predicted (complementary_dominant)")
    axes.set_ylabel("shown")
    figure.colorbar(image, ax=axes, shrink=0.7, label="share of the class shown")
    return _png(figure)


def accuracy_figure(accuracies: Mapping[str, NDArray[np.float64]], chance_level: float) -> bytes:
    """Top-1..5 accuracy of several methods as bars.

    Args:
        accuracies: method -> shape (5,).
        chance_level: top-1 accuracy of guessing.
    """
    figure = _figure(5.2, 3.2 + 0.1 * len(accuracies))
    axes = figure.add_subplot()
    width = 0.8 / len(accuracies)
    handles: list[Any] = []
    for i, values in enumerate(accuracies.values()):
        places = np.arange(5) + (i - (len(accuracies) - 1) / 2) * width
        handles.append(axes.bar(places, values, width, color=_colour(i), hatch=_HATCHES[i // len(_COLOURS) % 3]))
    handles.append(
        axes.hlines(
            chance_level * np.arange(1, 6), np.arange(5) - 0.45, np.arange(5) + 0.45, colors=INK, linestyles=":"
        )
    )
    axes.set_xticks(range(5), [f"top-{k}" for k in range(1, 6)])
    axes.set_ylabel("accuracy")
    _legend(figure, handles, [*accuracies, "chance level"])
    return _png(_bare(figure, axes))


def training_figure(logs: Mapping[str, Sequence[Mapping[str, float]]]) -> bytes:
    """Validation accuracy over iterations, two lines a run: top-1, and top-5 paler.

    Args:
        logs: run -> lines of metrics.jsonl.
    """
    figure = _figure(5.2, 3.4)
    axes = figure.add_subplot()
    handles, names = [], []
    for i, (name, lines) in enumerate(logs.items()):
        steps = [line["step"] for line in lines]
        dashes = _DASHES[i // len(_COLOURS) % 3]
        for key, alpha in (("top1", 1.0), ("top5", 0.45)):
            values = [line[key] for line in lines]
            handles += axes.plot(steps, values, dashes, color=_colour(i), alpha=alpha, marker=_marker(steps))
            names.append(f"{name}, top-{key[-1]}")
    axes.set_ylabel("validation accuracy")
    _over_iterations(axes)
    _legend(figure, handles, names)
    return _png(_bare(figure, axes))


def curves_figure(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    levels: Mapping[str, float],
    ylabel: str,
    xlabel: str = "iteration",
) -> bytes:
    """Curves over iterations, or something else that is counted.

    Levels to compare them with are dotted lines of the same colours.

    Args:
        curves: name -> iterations and values.
        levels: name -> value that the paper gives; a level of a curve's name takes its colour.
        ylabel: of the values.
        xlabel: what is counted.
    """
    figure = _figure(5.2, 3.4)
    axes = figure.add_subplot()
    colours = {name: _colour(i) for i, name in enumerate(curves)}
    handles = []
    for i, (name, (steps, values)) in enumerate(curves.items()):
        dash = _DASHES[i // len(_COLOURS) % len(_DASHES)]
        handles += axes.plot(steps, values, color=colours[name], linestyle=dash, marker=_marker(steps))
    last = max((steps[-1] for steps, _ in curves.values() if len(steps)), default=1)
    for name, value in levels.items():
        colour = colours.get(name, INK)
        axes.axhline(value, color=colour, linestyle=":", linewidth=1.2)
        axes.text(last, value, f"paper {value:g}", ha="right", va="bottom", fontsize=8, color=colour)
    axes.set_ylabel(ylabel)
    _over_iterations(axes)
    axes.set_xlabel(xlabel)
    _legend(figure, handles, list(curves))
    return _png(_bare(figure, axes))


def _figure(width: float, height: float) -> Figure:
    figure: Figure = require("matplotlib.figure", "train").Figure(figsize=(width, height), layout="constrained")
    return figure


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _marker(steps: Sequence[float]) -> str | None:
    """A point for each value where there are few: one alone makes no line."""
    return "." if len(steps) < 15 else None


def _over_iterations(axes: Axes) -> None:
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("iteration")
    axes.set_ylim(bottom=0)


def _bare(figure: Figure, axes: Axes) -> Figure:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure


def _legend(figure: Figure, handles: Sequence[Any], names: Sequence[str]) -> None:
    """Names as they are: matplotlib would read `$` as mathematics, and leave out what begins with `_`."""
    texts = [_shorten(name).replace("$", r"\$") for name in names]
    texts = [f" {text}" if text.startswith("_") else text for text in texts]
    columns = 1 if max(map(len, texts)) > 30 else 2 if max(map(len, texts)) > 14 else 3
    rows = -(-len(texts) // columns)
    figure.set_figheight(figure.get_figheight() + max(0, rows - 2) * 0.2)
    figure.legend(handles, texts, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)


def _shorten(name: str) -> str:
    """In the middle, for beginnings and ends tell runs apart."""
    if len(name) <= _LONGEST_NAME:
        return name
    end = _LONGEST_NAME // 2
    return f"{name[: _LONGEST_NAME - end - 1]}…{name[-end:]}"


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():  # a name in letters that matplotlib's font lacks: boxes, but no noise
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()
