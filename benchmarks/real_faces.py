"""How well synthetic subjects teach to read real faces: linear models, or a trained run, on people nobody trained on.

    python benchmarks/real_faces.py FOLDER (SYNTH_PREPARED | RUN) [--cache PREPARED]

FOLDER holds photos and `labels.csv` with the columns path, subject and emotion (anger ... surprise, neutral). They
are prepared once: into the folder `--cache`, outside of the project, and taken from there afterwards. FOLDER may also
be such a prepared set itself.

Shrinkage LDA is fitted to the prepared synthetic set only, on the displacement of the landmarks (geometry), on
histograms of oriented gradients (Dalal & Triggs 2005) of the grey crop at 96 pixels, and on both together: the mean
of the two scores. All are relative to a reference:

    single     the photo alone: the most likely mean of the person (`mien.displacement.Population`), in training too
    mean       the mean of all of the person's photos
    neutral    the person's neutral photos, less the usual way from mean to neutral; no photo is its own reference

A RUN is scored as recognition does (`mien.inference`), with the same references and the same rule.

A photo is read as the emotion with the largest P(dominant) + P(complementary) among those that the real set has,
neutral by P(neutral). Then, by class, how the mean displacement agrees between synthetic and real people: the
correlation of the 136 numbers, and the length of either. The synthetic mean is that of the plain class (dominant =
complementary).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray
from skimage.feature import hog

from mien.artifacts import ALL_PHOTOS, META_FILE, ReferenceKind, load_meta
from mien.datasets import Preparation, PreparedSet
from mien.datasets.sources import read_source
from mien.evaluation.metrics import interval_by_subject
from mien.evaluation.references import references_of
from mien.evaluation.scoring import precompute_features
from mien.faces.landmarks import LandmarkerName
from mien.inference import ExpressionModel
from mien.labels import CLASSES, CompoundEmotion, Emotion
from mien.models.linear import fit_lda

SIDE = 96
COMPONENTS = 300
"""Principal components of the synthetic gradient histograms that are kept."""
REFERENCES = ("single", "mean", "neutral")
RUN_REFERENCES: dict[str, tuple[ReferenceKind, int]] = {
    "single": ("estimated", 1),
    "mean": ("mean", ALL_PHOTOS),
    "neutral": ("neutral", 99),
}
"""The same, as `mien.evaluation.references` has them: kind, and photos at most."""

Vectors = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Faces:
    """Photos of people.

    Attributes:
        features: by kind, `geometry` (n, 136) and `gradients` (n, k): not yet relative to anything.
        labels: (n,), class indices 0..49.
        subjects: (n,), from 0.
    """

    features: dict[str, Vectors]
    labels: NDArray[np.int64]
    subjects: NDArray[np.int64]

    @property
    def is_neutral(self) -> NDArray[np.bool_]:
        """Shape (n,)."""
        return self.labels == 0


@dataclass(frozen=True, eq=False)
class Population:
    """How people differ and how they move, in any feature: `mien.displacement.Population` in more dimensions."""

    mean: Vectors
    between: Vectors
    within: Vectors
    rest: Vectors

    @classmethod
    def fit(cls, vectors: Vectors, faces: Faces) -> Population:
        """From all photos of synthetic subjects, (n, k)."""
        means = subject_means(vectors, faces.subjects)
        moved = vectors - means[faces.subjects]
        return cls(means.mean(axis=0), covariance(means), covariance(moved), moved[faces.is_neutral].mean(axis=0))


def subject_means(vectors: Vectors, subjects: NDArray[np.int64]) -> Vectors:
    """The mean of each subject, (subjects, k)."""
    sums = np.zeros((subjects.max() + 1, vectors.shape[1]))
    np.add.at(sums, subjects, vectors)
    return sums / np.bincount(subjects)[:, None]


def covariance(rows: Vectors) -> Vectors:
    """About the mean, with a ridge of a thousandth of the mean variance, so that it can be inverted."""
    matrix = np.cov(rows.T)
    return matrix + 1e-3 * np.trace(matrix) / len(matrix) * np.eye(len(matrix))


def relative(vectors: Vectors, faces: Faces, population: Population, reference: str) -> Vectors:
    """Vectors minus their reference, (n, k); rows of NaN where a photo has none."""
    if reference == "mean":
        return vectors - subject_means(vectors, faces.subjects)[faces.subjects]
    if reference == "single":
        away = vectors - population.mean
        likely = np.linalg.solve(population.between + population.within, away.T).T @ population.between
        return away - likely
    moved = np.full_like(vectors, np.nan)
    for row, subject in enumerate(faces.subjects):
        neutral = faces.is_neutral & (faces.subjects == subject)
        neutral[row] = False
        if neutral.any():
            moved[row] = vectors[row] - vectors[neutral].mean(axis=0) + population.rest
    return moved


def gradient_histograms(prepared: PreparedSet) -> Vectors:
    """Of the grey crops at 96 pixels, (n, k)."""

    def histograms() -> Iterator[Vectors]:
        for row in prepared.rows:
            grey = cv2.cvtColor(prepared.crops[row], cv2.COLOR_RGB2GRAY)
            small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            yield hog(small, orientations=8, pixels_per_cell=(12, 12), cells_per_block=(2, 2))

    return np.stack(list(histograms()))


def read_faces(*sets: PreparedSet) -> list[Faces]:
    """The photos of prepared sets; gradient histograms in the principal components of the first set."""
    histograms = [gradient_histograms(prepared) for prepared in sets]
    axes = np.linalg.eigh(np.cov(histograms[0].T))[1][:, : -COMPONENTS - 1 : -1]
    faces = []
    for prepared, of_set in zip(sets, histograms, strict=True):
        landmarks = prepared.landmarks.reshape(len(prepared), -1).astype(np.float64)
        features = {"geometry": landmarks, "gradients": of_set @ axes}
        faces.append(Faces(features, prepared.labels, prepared.subject_numbers))
    return faces


def prepare_real(folder: Path, cache: Path, landmarker: LandmarkerName) -> PreparedSet:
    """Prepare photos with `labels.csv`; a set that is there already is taken."""
    table = pl.read_csv(folder / "labels.csv", schema_overrides={"subject": pl.String})
    texts = {"neutral": "N_N"} | {emotion.noun: f"{int(emotion)}_{int(emotion)}" for emotion in Emotion}
    absolute = [str((folder / path).resolve()) for path in table["path"]]
    listed = table.select(pl.Series("path", absolute), "subject", label=pl.col("emotion").replace_strict(texts))
    with tempfile.TemporaryDirectory() as temporary:
        manifest = Path(temporary, "manifest.csv")
        listed.write_csv(manifest)
        Preparation(validation=0, test=0, landmarker=landmarker).run(read_source(manifest), cache)
    return PreparedSet.open(cache)


def emotion_probabilities(scores: NDArray[np.floating]) -> Vectors:
    """P(neutral) and, for each emotion, P(dominant) + P(complementary), (n, 8), from log-probabilities (n, 50)."""
    wide = scores.astype(np.float64)
    likely = np.exp(wide - wide.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    taking_part = np.zeros((len(CLASSES), 8))
    for index, emotion in enumerate(CLASSES):
        for part in (emotion.dominant, emotion.complementary):
            taking_part[index, 0 if part is None else int(part)] += 0.5 if part is None else 1.0
    return likely @ taking_part


def plain_class(emotion: int) -> int:
    """The class index of an emotion alone; 0 is neutral."""
    return CompoundEmotion.parse(f"{emotion}_{emotion}").index if emotion else 0


def name_of(emotion: int) -> str:
    return Emotion(emotion).noun if emotion else "neutral"


def print_heads(emotions: list[int]) -> None:
    """The columns of `print_line`."""
    names = " ".join(f"{name_of(e)[:7]:>7}" for e in emotions)
    print(f"{'features':10} {'reference':9} {'all':>5}  95% over people  {names}")


def print_line(
    name: str, reference: str, scores: NDArray[np.floating], labels: NDArray[np.int64], people: list[str]
) -> None:
    """Accuracy over the emotions of the set, and by emotion; rows of NaN are left out."""
    emotions = emotions_of(labels)
    shown = shown_emotions(labels)
    usable = np.isfinite(scores).all(axis=1)
    correct = read_emotions(scores[usable], emotions) == shown[usable]
    low, high = interval_by_subject(correct, [p for p, u in zip(people, usable, strict=True) if u])
    by_class = " ".join(f"{correct[shown[usable] == e].mean():7.2f}" for e in emotions)
    print(f"{name:10} {reference:9} {correct.mean():.3f}  {low:.3f} to {high:.3f}  {by_class}")


def shown_emotions(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The emotion of each photo, 0 for neutral, from its class."""
    emotions = emotions_of(labels)
    return np.select([labels == plain_class(e) for e in emotions], emotions)


def read_emotions(scores: NDArray[np.floating], emotions: list[int]) -> NDArray[np.int64]:
    """The likeliest of some emotions for each photo, by the rule of this file."""
    return np.array(emotions)[emotion_probabilities(scores)[:, emotions].argmax(axis=1)]


def emotions_of(labels: NDArray[np.int64]) -> list[int]:
    """The emotions of a set, 0 for neutral."""
    return [e for e in range(8) if (labels == plain_class(e)).any()]


def print_accuracies(synthetic: Faces, real: Faces) -> None:
    """A line for each feature and reference."""
    people = [str(subject) for subject in real.subjects]
    print_heads(emotions_of(real.labels))
    for reference in REFERENCES:
        scores: dict[str, NDArray[np.floating]] = {}
        for kind in synthetic.features:
            population = Population.fit(synthetic.features[kind], synthetic)
            training = relative(
                synthetic.features[kind], synthetic, population, reference if reference == "single" else "mean"
            )
            moved = relative(real.features[kind], real, population, reference).astype(np.float32)
            scores[kind] = fit_lda(training.astype(np.float32), synthetic.labels).scores(moved)
        scores["both"] = np.mean(list(scores.values()), axis=0)
        for kind, of_kind in scores.items():
            print_line(kind, reference, of_kind, real.labels, people)


def print_run(run: Path, real: PreparedSet) -> None:
    """A line for each reference, by a trained run; and how it reads the photos among all 50 classes."""
    model = ExpressionModel.load(run, threads=0)
    features = precompute_features(model, real)
    print_heads(emotions_of(real.labels))
    neutral = real.labels == 0
    for reference, (kind, photos) in RUN_REFERENCES.items():
        references = references_of(kind, photos, model, real, features)
        probabilities = model.probabilities(model.scores(features, real.landmarks, references), references)
        scores = np.log(probabilities + 1e-12)
        if kind == "neutral":
            scores[[used.kind != "neutral" for used in references]] = np.nan
        print_line("run", reference, scores, real.labels, real.subjects)
        read = (probabilities[neutral].argmax(axis=1) == 0).mean()
        print(f"{'':20} of 50 classes, neutral is the likeliest in {read:.2f} of the neutral photos")


def print_class_means(synthetic: Faces, real: Faces) -> None:
    """How the class means of displacement agree."""
    moved = {
        name: faces.features["geometry"] - subject_means(faces.features["geometry"], faces.subjects)[faces.subjects]
        for name, faces in (("synthetic", synthetic), ("real", real))
    }
    for emotion in range(8):
        index = plain_class(emotion)
        rows = real.labels == index
        if not rows.any():
            continue
        ours, theirs = moved["synthetic"][synthetic.labels == index].mean(axis=0), moved["real"][rows].mean(axis=0)
        print(
            f"{name_of(emotion):10} correlation {np.corrcoef(ours, theirs)[0, 1]:5.2f}, "
            f"length {np.linalg.norm(ours):5.1f} synthetic, {np.linalg.norm(theirs):5.1f} real"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="photos with labels.csv, or a prepared set")
    parser.add_argument("learnt", type=Path, metavar="SYNTH_PREPARED | RUN", help="synthetic faces, or a trained run")
    parser.add_argument("--cache", type=Path, help="prepared set to put the real photos into, or to take them from")
    arguments = parser.parse_args()
    labelled = ("train", "validation", "test")
    is_run = (arguments.learnt / META_FILE).is_file()
    landmarker = load_meta(arguments.learnt).landmarker if is_run else PreparedSet.open(arguments.learnt).landmarker
    with tempfile.TemporaryDirectory() as temporary:
        if (arguments.folder / "set.json").is_file():
            real_set = PreparedSet.open(arguments.folder)
        else:
            real_set = prepare_real(arguments.folder, arguments.cache or Path(temporary, "prepared"), landmarker)
        real_set = real_set.select(*labelled)
        if is_run:
            print_run(arguments.learnt, real_set)
            return
        synthetic, real = read_faces(PreparedSet.open(arguments.learnt).select(*labelled), real_set)
    count, people = len(synthetic.labels), synthetic.subjects.max() + 1
    print(
        f"{count} photos of {people} synthetic subjects; {len(real.labels)} of {real.subjects.max() + 1} real people"
    )
    print_accuracies(synthetic, real)
    print_class_means(synthetic, real)


if __name__ == "__main__":
    main()
