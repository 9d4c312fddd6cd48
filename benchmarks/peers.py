"""How well the weights that come with mien read real photos, beside the PyPI packages fer and facex.

    python benchmarks/peers.py [--expressions FOLDER] [--smiles FOLDER [--people CSV]] [--peer PYTHON]

PYTHON is the interpreter of an environment with the peers. `make bench-peers` makes .venv-peers, with fer
alone, which is used where it is there; one with both is made by

    python -m venv peers
    peers/bin/pip install "fer==25.10.3" "facex==1.1.0" "opencv-contrib-python<5" "setuptools<81"

A peer that is not there, or does not run, is named in a line.

--expressions  photos and `labels.csv` with the columns path, subject and emotion (six emotions and neutral)
--smiles       a folder a person with `neutral.jpg` and `smiling.jpg`, to be read as neutral and as happiness;
               then the same with less light, by so many stops in linear light (`real_smiles.py`)
--people       the column `person`, a folder's name, and others by which people are told apart, as `sex`;
               one of numbers, as `age`, is cut at 30; people without an entry are left out there

One table, a line for photos and reader. Every photo counts: one in which the reader finds no face is wrong. A
peer reads the largest face as the likeliest of its seven classes. mien reads it as one of the same seven, by
the rule of `real_faces.py`, or strictly: as the dominant emotion of the likeliest of its 50 classes. It
compares the face with

    alone       what the photo itself says of the person
    a neutral   one other photo of the person, a neutral one; photos of people without one are left out
    neutrals    all other neutral photos, where there are more
    mean        the mean of all of the person's photos, this one too; of two photos it tells much
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray
from real_faces import emotion_probabilities
from real_smiles import expose

from mien import Recognizer
from mien.displacement import Reference, mean_feature
from mien.errors import PhotoError
from mien.evaluation.metrics import interval_by_subject
from mien.images import read_rgb
from mien.labels import CLASSES, Emotion

EMOTIONS = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise")
NO_FACE = "no face"
STOPS = (0.0, -1.5, -2.5, -3.5)
OLDER = 30
"""Where columns of numbers are cut."""
PEERS = ("fer", "facex")
BY_GROUP = (*PEERS, "mien, alone", "mien, alone, strictly")
"""Readers whose figures are given by group."""
PEER = Path(__file__).parents[1] / ".venv-peers" / "bin" / "python"

_NUMBERS = [0 if name == "neutral" else int(Emotion[name.upper()]) for name in EMOTIONS]

Answers = list[str | None]
"""What each photo is read as: an emotion, `NO_FACE`, or None where the reader was not asked."""


@dataclass(frozen=True)
class Shot:
    """A photo of somebody who shows an emotion."""

    path: Path
    person: str
    emotion: str


class Peer:
    """A package in a process of its own; `fault` says why it does not run, empty if it does."""

    def __init__(self, name: str, python: Path) -> None:
        command = [str(python), str(Path(__file__).with_name("peer_reading.py")), name]
        pipe, lost = subprocess.PIPE, subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=lost, text=True)
        answer = self._answer()
        self.fault = "" if answer == "ready" else answer or "it does not start"

    def read(self, shots: Sequence[Shot]) -> Answers:
        """One after the other."""
        assert self._process.stdin is not None
        answers: Answers = []
        for shot in shots:
            print(shot.path.resolve(), file=self._process.stdin, flush=True)
            answers.append(self._answer() or sys.exit(f"{shot.path}: a peer's process ended"))
        return answers

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")


def main(expressions: Path | None, smiles: Path | None, people: Path | None, python: Path | None) -> None:
    peers = {name: Peer(name, python) for name in PEERS} if python is not None else {}
    for name in PEERS:
        if fault := peers[name].fault if name in peers else "no environment, see --peer":
            print(f"{name} is left out: {fault}\n")
            peers.pop(name, None)
    recognizer = Recognizer.load()

    def read(shots: Sequence[Shot]) -> dict[str, Answers]:
        return {name: peer.read(shots) for name, peer in peers.items()} | _read_by_mien(recognizer, shots)

    heads = ("photos", "reader", "n", "no face", "right", "95% over people", *EMOTIONS)
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    if expressions is not None:
        shots = _list_expressions(expressions)
        _print_rows("expressions", shots, read(shots))
    if smiles is not None:
        with tempfile.TemporaryDirectory() as temporary:
            for stops in STOPS:
                shots = _list_smiles(smiles, stops, Path(temporary))
                answers = read(shots)
                _print_rows(f"smiles, {stops:g} stops", shots, answers)
                if not stops and people is not None:
                    _print_groups("smiles", shots, answers, people)


def _list_expressions(folder: Path) -> list[Shot]:
    table = pl.read_csv(folder / "labels.csv", schema_overrides={"subject": pl.String})
    return [Shot(folder / row["path"], row["subject"], row["emotion"]) for row in table.iter_rows(named=True)]


def _list_smiles(folder: Path, stops: float, temporary: Path) -> list[Shot]:
    """The photos, or darkened copies of them, as PNG files, which lose nothing."""
    shots = []
    for neutral in sorted(folder.glob("*/neutral.jpg")):
        for path, emotion in ((neutral, "neutral"), (neutral.with_name("smiling.jpg"), "happiness")):
            person, taken = neutral.parent.name, path
            if stops:
                taken = temporary / f"{person}-{emotion}.png"
                cv2.imwrite(str(taken), cv2.cvtColor(expose(read_rgb(path), stops), cv2.COLOR_RGB2BGR))
            shots.append(Shot(taken, person, emotion))
    return shots


def _read_by_mien(recognizer: Recognizer, shots: Sequence[Shot]) -> dict[str, Answers]:
    model, everyone = recognizer.model, range(len(shots))
    found = list(recognizer.detect_many((shot.path for shot in shots), faces="largest", workers=1))
    faces = {row: faces[0] for row, faces in enumerate(found) if not isinstance(faces, PhotoError)}
    encoded = model.encode(np.array([face.crop for face in faces.values()]))
    landmarks = np.zeros((len(shots), 68, 2), np.float32)
    features = np.zeros((len(shots), encoded.shape[1]), np.float32)
    landmarks[list(faces)] = [face.landmarks_crop for face in faces.values()]
    features[list(faces)] = encoded
    own = [[i for i in faces if shots[i].person == shot.person] for shot in shots]
    rest = [[i for i in own[row] if i != row and shots[i].emotion == "neutral"] for row in everyone]
    rows_of = {"alone": [[row] for row in everyone], "a neutral": [rows[:1] for rows in rest], "mean": own}
    if max(map(len, rest)) > 1:
        rows_of["neutrals"] = rest

    def refer(kind: str, rows: list[int]) -> Reference:
        if kind == "alone":
            return model.reference(landmarks[rows], features[rows])
        if kind == "mean":
            feature = mean_feature(features[rows]) if model.meta.relative_visual else None
            return Reference.from_mean(landmarks[rows], feature)
        return model.neutral_reference(landmarks[rows], features[rows])

    answers: dict[str, Answers] = {}
    for kind, rows in rows_of.items():
        read = [row for row in faces if rows[row]]
        references = [refer(kind, rows[row]) for row in read]
        scores = model.scores(features[read], landmarks[read], references)
        probabilities = model.probabilities(scores, references)
        missed = [NO_FACE if rows[row] or kind == "mean" else None for row in everyone]
        for rule, emotions in (("", _among_seven(probabilities)), (", strictly", _strictly(probabilities))):
            told = dict(zip(read, emotions, strict=True))
            answers[f"mien, {kind}{rule}"] = [told.get(row, missed[row]) for row in everyone]
    return answers


def _among_seven(probabilities: NDArray[np.float64]) -> list[str]:
    taking_part = emotion_probabilities(np.log(probabilities + 1e-12))[:, _NUMBERS]
    return [EMOTIONS[place] for place in taking_part.argmax(axis=1)]


def _strictly(probabilities: NDArray[np.float64]) -> list[str]:
    dominant = [CLASSES[index].dominant for index in probabilities.argmax(axis=1)]
    return [emotion.noun if emotion is not None else "neutral" for emotion in dominant]


def _print_groups(name: str, shots: Sequence[Shot], answers: dict[str, Answers], file: Path) -> None:
    people = pl.read_csv(file, schema_overrides={"person": pl.String})
    some = {reader: answers[reader] for reader in BY_GROUP if reader in answers}
    for column in people.drop("person").columns:
        groups = dict(people.select("person", column).drop_nulls().iter_rows())
        if people[column].dtype.is_numeric():
            groups = {who: f"{'under' if age < OLDER else 'from'} {OLDER}" for who, age in groups.items()}
        for group in sorted(set(groups.values())):
            rows = [row for row, shot in enumerate(shots) if groups.get(shot.person) == group]
            chosen = {reader: [read[row] for row in rows] for reader, read in some.items()}
            _print_rows(f"{name}, {column} {group}", [shots[row] for row in rows], chosen)


def _print_rows(name: str, shots: Sequence[Shot], answers: dict[str, Answers]) -> None:
    """Readers that were asked for no photo are passed over."""
    for reader, read in answers.items():
        asked = [(shot, answer) for shot, answer in zip(shots, read, strict=True) if answer is not None]
        if not asked:
            continue
        correct = np.array([shot.emotion == answer for shot, answer in asked])
        low, high = interval_by_subject(correct, [shot.person for shot, _ in asked])
        shown = np.array([shot.emotion for shot, _ in asked])
        by_emotion = {e: correct[np.flatnonzero(shown == e)] for e in EMOTIONS}
        parts = [f"{right.mean():.2f}" if len(right) else "" for right in by_emotion.values()]
        missed = sum(answer == NO_FACE for _, answer in asked)
        numbers = (len(asked), missed, f"{correct.mean():.3f}", f"{low:.3f} to {high:.3f}")
        print(f"| {' | '.join(map(str, (name, reader, *numbers, *parts)))} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--expressions", type=Path)
    parser.add_argument("--smiles", type=Path)
    parser.add_argument("--people", type=Path)
    parser.add_argument("--peer", type=Path, default=PEER if PEER.is_file() else None)
    arguments = parser.parse_args()
    main(arguments.expressions, arguments.smiles, arguments.people, arguments.peer)
