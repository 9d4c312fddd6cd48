"""A trained run, ready to classify: encoder and head through onnxruntime, without torch.

This is the one way from an aligned face to scores. The command line, evaluation, and the last step of a training,
which calibrates the run, all take it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.artifacts import (
    ENCODER_FILE,
    HEAD_FILE,
    POPULATION_FILE,
    USES,
    RunMeta,
    Use,
    load_meta,
    read_checked,
    use_of,
)
from mien.displacement import (
    DISPLACEMENT_SIZE,
    Population,
    Reference,
    displacement,
    load_population,
    mean_feature,
    mildness,
)
from mien.errors import CheckpointError, ForeignReferenceError, LabelError
from mien.faces.networks import start_session
from mien.faces.points68 import PARTS
from mien.inference.actions import FacialAction, actions_for
from mien.inference.calibration import probabilities
from mien.labels import Commonness

if TYPE_CHECKING:
    import onnxruntime

WEIGHTS = Path(__file__).parent / "weights"
"""The run that comes with mien."""
_INPUTS = frozenset(("feature", "displacement", "landmarks"))
_BATCH = 64
"""Crops that are encoded at once: more take memory and save no time."""


@dataclass(frozen=True, eq=False)
class ExpressionModel:
    """Encoder, head, population and calibration of a run. Safe to share among threads.

    Attributes:
        path: its folder.
        meta: what is known about it.
        population: makes references from few photos.
        encoder: crops to visual features; None where there is no visual branch.
        head: features and geometry to scores.
    """

    path: Path
    meta: RunMeta
    population: Population
    encoder: onnxruntime.InferenceSession | None
    head: onnxruntime.InferenceSession

    @classmethod
    def load(cls, run: str | os.PathLike[str] | None = None, threads: int = 1) -> ExpressionModel:
        """Load a trained run, or the one that comes with mien.

        Args:
            run: its folder.
            threads: that one call may use, 0: one for each processor; several threads may call at once.

        Raises:
            CheckpointError: no such run, an unfinished or damaged one, or one of another version of mien.
        """
        path = Path(run) if run is not None else WEIGHTS
        return cls.open(path, load_meta(path), threads)

    @classmethod
    def open(cls, path: Path, meta: RunMeta, threads: int = 1) -> ExpressionModel:
        """Load the files of a run of which all else is known.

        Args:
            path: its folder.
            meta: what its meta.json holds, or will hold.
            threads: as for `load`; 0: one for each processor.

        Raises:
            CheckpointError: a file is missing, damaged, or of another run.
        """
        encoder = _open(path, ENCODER_FILE, meta, threads) if ENCODER_FILE in meta.files else None
        read_checked(path, POPULATION_FILE, meta)
        model = cls(path, meta, load_population(path), encoder, _open(path, HEAD_FILE, meta, threads))
        if unknown := model.inputs - _INPUTS:
            raise CheckpointError(
                f"{path}: its head takes {', '.join(sorted(unknown))}, which this mien does not give; combine "
                "or train the run again"
            )
        try:
            _ = model._common
        except LabelError as error:
            raise CheckpointError(f"{path}: what it holds to be common: {error}") from error
        return model

    @cached_property
    def identity(self) -> str:
        """16 hexadecimal digits by which references know the run that made them."""
        return self.meta.files[HEAD_FILE][:16]

    @cached_property
    def feature_size(self) -> int:
        """How many numbers `encode` makes of a crop; 0 without a visual branch."""
        return 0 if self.encoder is None else int(self.encoder.get_outputs()[0].shape[1])

    @cached_property
    def inputs(self) -> frozenset[str]:
        """What the head takes: some of `feature`, `displacement`, `landmarks`."""
        return frozenset(node.name for node in self.head.get_inputs())

    def encode(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The visual feature of each crop.

        Args:
            crops: shape (n, 224, 224, 3), uint8, RGB.

        Returns:
            shape (n, size), float32; (n, 0) where there is no visual branch or no crop.
        """
        if self.encoder is None or not len(crops):
            return np.zeros((len(crops), 0), dtype=np.float32)
        batches = (np.ascontiguousarray(crops[i : i + _BATCH]) for i in range(0, len(crops), _BATCH))
        return np.concatenate([self.encoder.run(["feature"], {"crops": batch})[0] for batch in batches])

    def neutral_reference(self, landmarks_crop: NDArray[np.float32], features: NDArray[np.float32]) -> Reference:
        """A reference from photos of the neutral face; arguments as for `reference`."""
        return replace(self.population.from_neutral(landmarks_crop, features), model=self.identity)

    def reference(self, landmarks_crop: NDArray[np.float32], features: NDArray[np.float32]) -> Reference:
        """A reference from photos of one person with various expressions, the most likely mean.

        Args:
            landmarks_crop: shape (n, 68, 2), crop pixels.
            features: shape (n, size), of `encode`. One photo alone gives no feature to compare with.
        """
        feature = mean_feature(features) if self.meta.relative_visual and len(features) > 1 else None
        return replace(self.population.estimate(landmarks_crop), feature=feature, model=self.identity)

    def scores(
        self, features: NDArray[np.float32], landmarks_crop: NDArray[np.float32], references: Sequence[Reference]
    ) -> NDArray[np.float32]:
        """Score the classes, as common as the run holds them to be.

        Args:
            features: shape (n, size), of `encode`.
            landmarks_crop: shape (n, 68, 2), crop pixels.
            references: n of them, what each photo is compared with; see `refuse_foreign`.

        Returns:
            shape (n, 50), float32: the higher the likelier; the scale depends on the loss.
        """
        even = self.even_scores(features, landmarks_crop, references)
        if not self.meta.common:
            return even
        mild = self.mildness(landmarks_crop, references)
        return self.hold_common(even, mild, references, self._temperatures(references))

    def even_scores(
        self, features: NDArray[np.float32], landmarks_crop: NDArray[np.float32], references: Sequence[Reference]
    ) -> NDArray[np.float32]:
        """The same where all classes are equally common, as they are in synthetic sets; as `scores`."""
        if not len(landmarks_crop):
            return np.zeros((0, 50), dtype=np.float32)
        feed = {}
        if "feature" in self.inputs:
            feed["feature"] = self._relative(features, references)
        if "displacement" in self.inputs:
            moved = [displacement(points, used) for points, used in zip(landmarks_crop, references, strict=True)]
            feed["displacement"] = np.stack(moved)
        if "landmarks" in self.inputs:
            feed["landmarks"] = landmarks_crop.reshape(-1, DISPLACEMENT_SIZE).astype(np.float32)
        scores: NDArray[np.float32] = self.head.run(["scores"], feed)[0]
        return scores

    def hold_common(
        self,
        scores: NDArray[np.float32],
        mild: NDArray[np.float64],
        references: Sequence[Reference],
        temperatures: NDArray[np.float64],
    ) -> NDArray[np.float32]:
        """Scores of equally common classes, (n, 50), to those of classes as common as the run holds them to be.

        Args:
            scores: of `even_scores`.
            mild: shape (n,), of `mildness`.
            references: n of them.
            temperatures: shape (n,): at which these scores are log-probabilities.
        """
        if not self.meta.common or not len(scores):
            return scores
        uses = np.array([use_of(used.kind, used.photo_count) for used in references])
        held = scores.astype(np.float32)
        for use, common in self._common.items():
            rows = uses == use
            held[rows] += temperatures[rows, None] * common.log_prior(mild[rows])
        return held

    def mildness(self, landmarks_crop: NDArray[np.float32], references: Sequence[Reference]) -> NDArray[np.float64]:
        """How mild what each face shows is, (n,), 0..1; arguments as for `scores`."""
        return mildness(self.moved_from_neutral(landmarks_crop, references))

    def probabilities(self, scores: NDArray[np.float32], references: Sequence[Reference]) -> NDArray[np.float64]:
        """Scores, (n, 50), to probabilities, calibrated by the kind of each reference and its number of photos."""
        return probabilities(scores, self._temperatures(references)[:, None])

    def moved_from_neutral(
        self, landmarks_crop: NDArray[np.float32], references: Sequence[Reference]
    ) -> NDArray[np.float32]:
        """How far landmarks lie from their places in the same face when neutral, (n, 68, 2), crop pixels.

        A reference says where they lie on average over expressions; how far from there they lie when a face is
        neutral is much the same in all people. Arguments as for `scores`.
        """
        means = np.array([used.landmarks for used in references], dtype=np.float32).reshape(landmarks_crop.shape)
        neutral = self.population.neutral.astype(np.float32).reshape(1, *landmarks_crop.shape[1:])
        moved: NDArray[np.float32] = landmarks_crop - means - neutral
        return moved

    def actions(self, moved: NDArray[np.float32]) -> list[tuple[FacialAction, ...]]:
        """The facial actions of n faces, from what `moved_from_neutral` gives; none for other landmarks."""
        estimates = actions_for(self.meta.landmarker, self.meta.alignment)
        return [()] * len(moved) if estimates is None else estimates.estimate(moved.reshape(-1, DISPLACEMENT_SIZE))

    def action_columns(
        self, landmarks_crop: NDArray[np.float32], references: Sequence[Reference]
    ) -> dict[str, NDArray[np.float32]]:
        """The same as columns of a table: `AU12_left` -> strengths, (n,). Arguments as for `scores`."""
        estimates = actions_for(self.meta.landmarker, self.meta.alignment)
        if estimates is None:
            return {}
        moved = self.moved_from_neutral(landmarks_crop, references)
        return dict(zip(estimates.columns, estimates.strengths(moved.reshape(-1, DISPLACEMENT_SIZE)).T, strict=True))

    def without_parts(
        self, features: NDArray[np.float32], landmarks_crop: NDArray[np.float32], reference: Reference
    ) -> dict[str, NDArray[np.float64]]:
        """What would be read if single parts of a face were where they are when it is neutral.

        Args:
            features: shape (1, size), of `encode`; the picture stays as it is.
            landmarks_crop: shape (1, 68, 2), crop pixels.
            reference: what the face is compared with.

        Returns:
            part of the face -> probabilities, shape (50,). What is common is held to be so as for the whole face.
        """
        neutral = landmarks_crop - self.moved_from_neutral(landmarks_crop, [reference])
        changed = np.repeat(landmarks_crop, len(PARTS), axis=0)
        for row, points in zip(changed, PARTS.values(), strict=True):
            row[points] = neutral[0, points]
        references = [reference] * len(PARTS)
        even = self.even_scores(np.repeat(features, len(PARTS), axis=0), changed, references)
        mild = np.repeat(self.mildness(landmarks_crop, [reference]), len(PARTS))
        scores = self.hold_common(even, mild, references, self._temperatures(references))
        return dict(zip(PARTS, self.probabilities(scores, references), strict=True))

    def refuse_foreign(self, reference: Reference) -> None:
        """Raise if a reference was made by another run, or has a feature of another size.

        Raises:
            ForeignReferenceError: it was.
        """
        if not np.isfinite(reference.landmarks).all():
            raise ForeignReferenceError(
                "the reference has landmarks that are no numbers; make it again from its photos"
            )
        if reference.feature is not None and reference.feature.shape != (self.feature_size,):
            raise ForeignReferenceError(
                f"the reference has a visual feature of {reference.feature.shape}, and these weights of "
                f"({self.feature_size},); make it again from its photos"
            )
        if reference.model not in ("", self.identity):
            raise ForeignReferenceError(
                "the reference was made with other weights, whose features and population it rests on; make it "
                "again from its photos"
            )

    @cached_property
    def _common(self) -> dict[Use, Commonness]:
        """How common classes are held to be, by what a reference is made of."""
        return {use: Commonness.from_dict(self.meta.common.get(use, {})) for use in USES}

    def _temperatures(self, references: Sequence[Reference]) -> NDArray[np.float64]:
        return np.array([self.meta.calibration_for(r.kind, r.photo_count).temperature for r in references])

    def _relative(self, features: NDArray[np.float32], references: Sequence[Reference]) -> NDArray[np.float32]:
        relative = self.meta.relative_features(features.shape[1])
        if not relative.any():
            return features
        nothing = np.zeros(features.shape[1], dtype=np.float32)
        means = [nothing if used.feature is None else used.feature for used in references]
        return features - relative * np.stack(means)


def _open(path: Path, name: str, meta: RunMeta, threads: int) -> onnxruntime.InferenceSession:
    content = read_checked(path, name, meta)
    try:
        return start_session(content, threads)
    except Exception as error:  # onnxruntime has no common base for its errors
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{path / name}: damaged ({reason}); train the run again") from error
