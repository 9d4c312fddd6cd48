"""How fast mien reads a film, beside the PyPI package fer in the same run, and how well, where the truth is known.

    python benchmarks/video.py [--peer PYTHON] [--films FOLDER]

Speed: a film of 640 x 480 pixels with one face that moves, made of scikit-image's astronaut; the same at 1280 x 720
with three. mien and fer take turns, a few seconds of film each, so that a busy machine slows both. The last line is
mien's frames a second over fer's. Without fer (`make bench-peers`) that line is left out.

FOLDER is one that `mien synth FOLDER --film` made. For its films: how many faces are read, how often one is taken for
somebody else, how much later an expression is read than it is shown, and how often the dominant emotion is right, by
frames and by photos of them, with the reference from the whole film, with the running one, and with none.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from mien.drawing.film_files import write_film
from mien.images import RGBImage
from mien.inference import Recognizer
from mien.labels import CLASSES
from mien.video import Film, read
from mien.video.following import Seen, follow, without_pixels
from mien.video.live import SMOOTHING, read_frame
from mien.video.people import People
from mien.video.smoothing import Smoother
from mien.video.tracking import Tracker

RATE, FRAMES, TURNS = 30, 150, 4
"""Frames a second, frames of the film, and turns of mien and fer."""
PEER_FRAMES = 12
"""Of the film, evenly chosen, that fer reads in a turn: all would take minutes."""
PEER = Path(__file__).parents[1] / ".venv-peers" / "bin" / "python"
SAME = 0.3
"""Mean distance of landmarks from the true ones, as a share of the eyes' distance, up to which a face is the one."""

_DOMINANT = {str(emotion): int(emotion.dominant or 0) for emotion in CLASSES}
"""Label -> number of the dominant emotion, 0 for neutral."""


class Peer:
    """fer in a process of its own, which decodes the film itself."""

    def __init__(self, python: Path) -> None:
        script = Path(__file__).with_name("peer_fer.py")
        self._process = subprocess.Popen(
            [python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._answer()

    def rate(self, film: Path) -> float:
        """Frames a second."""
        assert self._process.stdin is not None
        print(json.dumps({"film": str(film), "frames": PEER_FRAMES}), file=self._process.stdin, flush=True)
        answer = self._answer()
        return float(1000 / answer["ms"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit("fer does not run; make its environment anew: make bench-peers")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main(python: Path | None, films: Path | None) -> None:
    recognizer = Recognizer.load()
    if films is not None:
        measure_reading(recognizer, films)
    peer = Peer(python) if python is not None else None
    with tempfile.TemporaryDirectory() as folder:
        one = Path(folder) / "one.mp4"
        write_film(one, _moving((640, 480), 1), RATE)
        three = Path(folder) / "three.mp4"
        write_film(three, _moving((1280, 720), 3), RATE)
        ratio = _race(recognizer, one, peer, "640 x 480, one face")
        _race(recognizer, three, peer, "1280 x 720, three faces")
    if peer is not None:
        print(f"ratio {ratio:.2f}")


def _moving(size: tuple[int, int], faces: int) -> Iterator[tuple[RGBImage, float]]:
    """Faces side by side that sway."""
    width, height = size[0] // faces, size[1]
    side = max(width, height)
    photo = np.asarray(Image.fromarray(data.astronaut()).resize((side, side)))
    left = max(0, int(0.44 * side) - width // 2)
    tile = photo[:height, left : left + width]
    for frame in range(FRAMES):
        shift = [round(12 * np.sin(frame / 12 + place)) for place in range(faces)]
        yield np.hstack([np.roll(tile, by, 1) for by in shift]), frame / RATE


def _race(recognizer: Recognizer, film: Path, peer: Peer | None, what: str) -> float:
    own, others = [], []
    for turn in range(TURNS + 1):
        start, found = time.perf_counter(), 0
        for frame in read(film, recognizer):
            found += len(frame)
        mine = FRAMES / (time.perf_counter() - start)
        theirs = peer.rate(film) if peer is not None else float("nan")
        if turn:  # the first warms up
            own.append(mine)
            others.append(theirs)
    mine, theirs = statistics.median(own), statistics.median(others)
    beside = f", fer {theirs:.1f}, ratio {mine / theirs:.2f}" if peer is not None else ""
    print(f"{what}: {mine:.1f} frames/s (best {max(own):.1f}; {found / FRAMES:.1f} faces a frame){beside}")
    return mine / theirs


@dataclass
class Tally:
    """What is counted over all films."""

    right: dict[str, list[NDArray[np.bool_]]] = field(default_factory=dict)
    delays: list[float] = field(default_factory=list)
    true: int = 0
    uncovered: int = 0
    found: int = 0
    read: int = 0
    switches: int = 0
    onsets: int = 0


def measure_reading(recognizer: Recognizer, folder: Path) -> None:
    """Print how well the films are read."""
    truth, tally = pl.read_parquet(folder / "truth.parquet"), Tally()
    for name in truth["film"].unique().sort():
        _measure_film(recognizer, folder / name, truth.filter(pl.col("film") == name), tally)
    print(
        f"{tally.true} faces in frames, {tally.true - tally.uncovered} of them covered; {tally.read} read, "
        f"{tally.found / tally.uncovered:.1%} of the uncovered found, {tally.switches} taken for somebody else"
    )
    for name, right in tally.right.items():
        emotions = np.concatenate(right)
        print(f"dominant emotion or neutral, {name:46} {emotions.mean():.3f}")
    late = 1000 * np.array(tally.delays)
    off = np.percentile(np.abs(late), [50, 90])
    print(
        f"{tally.onsets} expressions, {len(late)} read as some expression; onset read {np.median(late):+.0f} ms "
        f"after half strength (median), {np.mean(np.abs(late) <= 100):.0%} within 100 ms; its error either way is "
        f"{off[0]:.0f} ms (median) and {off[1]:.0f} ms (90th percentile)"
    )


def _measure_film(recognizer: Recognizer, path: Path, truth: pl.DataFrame, tally: Tally) -> None:
    model, smoother, plain = recognizer.model, Smoother(SMOOTHING), Smoother(0)
    people = People(model)
    faces: list[Seen] = []
    frames: list[tuple[int, float]] = []
    read_: dict[str, list[int]] = {name: [] for name in ("running reference", "running reference, not smoothed")}
    with Film.open(path) as film:
        for followed in follow(film.frames(), Tracker(recognizer.extractor), people, model):
            for name, by in zip(read_, (smoother, plain), strict=True):
                frame = read_frame(followed, recognizer, by, path.name)
                read_[name] += [_DOMINANT[str(face.recognition.emotion)] for face in frame]
            faces += without_pixels(followed).faces
            frames += [(followed.frame.number, followed.frame.time)] * len(followed.faces)
    references = [face.person.reference(model) for face in faces]
    landmarks = np.stack([face.face.landmarks_crop for face in faces])
    rows = model.probabilities(
        model.scores(np.stack([face.feature for face in faces]), landmarks, references), references
    )
    persons, times = np.array([face.person.number for face in faces]), np.array([time for _, time in frames])
    rows = Smoother(SMOOTHING).smooth(persons, times, rows, persons[:0], times[:0], rows[:0])
    of_frames = np.array([frame for frame, _ in frames])
    places = _match(truth, of_frames, np.stack([face.face.landmarks_photo for face in faces]))
    seen, covered = np.flatnonzero(places >= 0), truth["covered"].to_numpy()
    tally.true, tally.read = tally.true + len(truth), tally.read + len(faces)
    tally.uncovered += int((~covered).sum())
    tally.found += int((places[~covered] >= 0).sum())
    subjects = truth["subject"].to_numpy()[seen]
    for subject in np.unique(subjects):
        _, counts = np.unique(persons[places[seen]][subjects == subject], return_counts=True)
        tally.switches += int(counts.sum() - counts.max())
    true = np.array([_DOMINANT[label] for label in truth["label"].to_list()])[seen]
    final = [_DOMINANT[str(CLASSES[i])] for i in rows.argmax(axis=1)]
    for name, of_rows in {"whole film as reference": final, **read_}.items():
        tally.right.setdefault(name, []).append(true == np.array(of_rows)[places[seen]])
    _read_photos(recognizer, path, truth, tally)
    _time_onsets(truth, rows.argmax(axis=1) > 0, places, tally)


def _match(truth: pl.DataFrame, frames: NDArray[np.int64], landmarks: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each true face which of the faces that were read it is, or -1."""
    true, places = truth["landmarks"].to_numpy().reshape(-1, 68, 2), np.full(len(truth), -1)
    for i, frame in enumerate(truth["frame"].to_list()):
        here = np.flatnonzero(frames == frame)
        if not len(here):
            continue
        apart = np.linalg.norm(landmarks[here] - true[i], axis=2).mean(axis=1)
        if apart.min() < SAME * np.hypot(*(true[i, 45] - true[i, 36])):
            places[i] = here[apart.argmin()]
    return places


def _read_photos(recognizer: Recognizer, film: Path, truth: pl.DataFrame, tally: Tally) -> None:
    """Every 10th frame as a photo by itself."""
    with Film.open(film) as opened:
        frames = {frame.number: frame.image for frame in opened.frames() if frame.number % 10 == 0}
    right = []
    for frame, image in frames.items():
        rows = truth.filter((pl.col("frame") == frame) & ~pl.col("covered"))
        (found,) = recognizer.recognize_many([image], faces="all", errors="return", workers=1)
        for label, landmarks in zip(rows["label"], rows["landmarks"].to_numpy().reshape(-1, 68, 2), strict=True):
            for face in found:
                apart = np.linalg.norm(face.face.landmarks_photo - landmarks, axis=1).mean()
                if apart < SAME * np.hypot(*(landmarks[45] - landmarks[36])):
                    right.append(_DOMINANT[str(face.emotion)] == _DOMINANT[label])
    tally.right.setdefault("each photo alone (every 10th frame)", []).append(np.array(right))


def _time_onsets(truth: pl.DataFrame, displays: NDArray[np.bool_], places: NDArray[np.int64], tally: Tally) -> None:
    """From half strength to the first frame that is not read as neutral, within half a second on either side."""
    for subject in truth["subject"].unique():
        own = np.flatnonzero((truth["subject"] == subject).to_numpy())
        shown = (truth["label"] != "N_N").to_numpy()[own]
        times, read_ = truth["time"].to_numpy()[own], places[own]
        shots = truth["shot"].to_numpy()[own]
        for start in np.flatnonzero(shown[1:] & ~shown[:-1] & (shots[1:] == shots[:-1])) + 1:
            near = np.flatnonzero((np.abs(times - times[start]) <= 0.6) & (shots == shots[start]) & (read_ >= 0))
            emotional = displays[read_[near]]
            tally.onsets += 1
            if len(near) > 5 and not emotional[0] and emotional[-1]:
                tally.delays.append(float(times[near[np.flatnonzero(emotional)[0]]] - times[start]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, default=PEER if PEER.is_file() else None)
    parser.add_argument("--films", type=Path)
    arguments = parser.parse_args()
    main(arguments.peer, arguments.films)
