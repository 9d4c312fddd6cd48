"""Recognising photos with a trained run, through onnxruntime; torch is not needed.

>>> recognizer = Recognizer.load()
>>> recognizer.recognize("photo.jpg").phrase  # doctest: +SKIP
'surprisedly happy'
>>> me = recognizer.neutral_reference(["passport.jpg"])  # doctest: +SKIP
>>> recognizer.recognize("photo.jpg", me).phrase  # doctest: +SKIP
'happy'
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import repeat
from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from mien.artifacts import Calibration, RunMeta
from mien.displacement import Reference
from mien.errors import CheckpointError, MienError, PhotoError
from mien.faces import FaceExtractor, Faces
from mien.faces.landmarks import landmarker_version
from mien.inference.classification import EncodedFaces, classify
from mien.inference.doubts import with_expressive, with_identity
from mien.inference.finding import PhotoLike, WhichFaces, find_faces, list_photos, pair_photos
from mien.inference.model import WEIGHTS, ExpressionModel
from mien.inference.results import UNSURE_BELOW, Recognition, Recognitions
from mien.jobs.executors import Executor
from mien.jobs.mapping import map_in_order


class Recognizer:
    """Reads compound expressions from photos; build it with `Recognizer.load`.

    One recognizer may be shared among threads. It can be pickled: what is pickled is where its run lies.

    Args:
        model: encoder, head, population and calibration of a run.
        trust_reference: do not ask whether photos show the person of their reference, which costs 11 ms a face, nor
            whether photos that are said to be neutral are.
        unsure_below: probability of the likeliest class, 0..1, below which answers are flagged as unsure.

    Raises:
        MienError: `unsure_below` is no probability.
    """

    def __init__(
        self, model: ExpressionModel, *, trust_reference: bool = False, unsure_below: float = UNSURE_BELOW
    ) -> None:
        if not isinstance(unsure_below, int | float | np.floating) or not 0 <= unsure_below <= 1:
            raise MienError(f"unsure_below={unsure_below!r} is no probability; choose one from 0 to 1")
        self._model = model
        self.trust_reference = trust_reference
        self.unsure_below = float(unsure_below)
        self._run = None if model.path == WEIGHTS else model.path.resolve()
        self._extractor = FaceExtractor(
            model.meta.crop_size, landmarker=model.meta.landmarker, alignment=model.meta.alignment
        )

    @classmethod
    def load(
        cls,
        run: str | os.PathLike[str] | None = None,
        *,
        trust_reference: bool = False,
        unsure_below: float = UNSURE_BELOW,
    ) -> Recognizer:
        """Load a trained run, or the weights that come with mien; arguments as for the class.

        Raises:
            CheckpointError: no such run, an unfinished or damaged one, one of another version of mien or of its
                predictor of landmarks, or one whose landmarks come from crops of another size.
        """
        model = ExpressionModel.load(run)
        if size := model.meta.data.landmark_size:
            raise CheckpointError(
                f"{model.path}: trained with landmarks from crops of {size} pixels; name a run of those from crops "
                "of its pictures' own size"
            )
        if model.meta.landmarker_version not in ("", landmarker_version(model.meta.landmarker)):
            raise CheckpointError(
                f"{model.path}: trained on landmarks of another version of mien's predictor; prepare its set, and "
                "train it again"
            )
        return cls(model, trust_reference=trust_reference, unsure_below=unsure_below)

    @property
    def model(self) -> ExpressionModel:
        """Encoder, head, population and calibration of the run."""
        return self._model

    @property
    def extractor(self) -> FaceExtractor:
        """What finds and aligns the faces."""
        return self._extractor

    @property
    def meta(self) -> RunMeta:
        """What is known about the run."""
        return self._model.meta

    @property
    def accuracy_by_reference(self) -> tuple[Calibration, ...]:
        """Accuracy with each kind of reference and number of photos, on the validation subjects of the run."""
        return self.meta.calibration

    def detect(self, photo: PhotoLike) -> Faces:
        """All faces of a photo, the largest first: boxes, landmarks, aligned crops, quality.

        Raises:
            UnreadableError: no usable picture.
            FaceError: no face.
        """
        return self._find(photo, "all")

    @overload
    def recognize(
        self, photo: PhotoLike, reference: Reference | None = None, faces: Literal["one", "largest"] = "one"
    ) -> Recognition: ...

    @overload
    def recognize(
        self, photo: PhotoLike, reference: Reference | None = None, *, faces: Literal["all"]
    ) -> Recognitions: ...

    @overload
    def recognize(
        self, photo: PhotoLike, reference: Reference | None = None, faces: WhichFaces = "one"
    ) -> Recognition | Recognitions: ...

    def recognize(
        self, photo: PhotoLike, reference: Reference | None = None, faces: WhichFaces = "one"
    ) -> Recognition | Recognitions:
        """What the faces in a photo show.

        Args:
            photo: a path, bytes, a binary file, a PIL image (turned as its EXIF says), an array of shape
                (height, width) or (height, width, 3), uint8, grey or RGB; or what `detect` found.
            reference: the same face, from `neutral_reference` or `reference`; None: estimated from each face alone,
                which is less sure (`accuracy_by_reference` tells how much).
            faces: which of them are wanted.

        Returns:
            a `Recognition`; for `all` the `Recognitions` of all faces.

        Raises:
            UnreadableError: no usable picture.
            FaceError: no face, or several where one is wanted.
            ForeignReferenceError: a reference that another run made.
        """
        read = self._classify(self._encode(self._find(photo, faces)), reference)
        return read if faces == "all" else read[0]

    def recognize_many(
        self,
        photos: Iterable[PhotoLike] | PhotoLike,
        references: Reference | Iterable[Reference | None] | None = None,
        *,
        faces: WhichFaces = "one",
        workers: int | None = None,
        executor: Executor | None = None,
        errors: Literal["raise", "return"] = "raise",
    ) -> Iterator[Recognitions]:
        """What the faces in many photos show, in the order of the photos, each as soon as it is known.

        Photos are read a little ahead, so any number of them takes no more memory than a few.

        Args:
            photos: as for `recognize`; one alone is taken as a list of one.
            references: one for all photos, or one for each.
            faces: which of them are wanted.
            workers: threads; None: one for each processor.
            executor: read photos elsewhere than in threads of this process, some in each task:
                `mien.jobs.executors.LocalProcesses`, faster for hundreds of photos, or
                `mien.jobs.ray_executor.RayExecutor`. The photos must be paths that are there too, or can be pickled.
            errors: `raise` what is wrong with a photo, or `return` it in `Recognitions.error`.

        Yields:
            the `Recognitions` of each photo.
        """
        if references is None or isinstance(references, Reference):
            items: Iterable[tuple[PhotoLike, Reference | None]] = zip(list_photos(photos), repeat(references))
        else:
            items = pair_photos(list_photos(photos), references)
        _refuse_unknown(errors)
        yield from map_in_order(partial(self._read, faces=faces, errors=errors), items, workers, executor)

    def recognize_person(
        self,
        photos: Iterable[PhotoLike] | PhotoLike,
        *,
        faces: Literal["one", "largest"] = "one",
        workers: int | None = None,
        executor: Executor | None = None,
        errors: Literal["raise", "return"] = "raise",
        progress: Callable[[int], None] | None = None,
    ) -> tuple[Reference | None, list[Recognitions]]:
        """What the faces in photos of one person show, each compared with the reference that all of them make.

        All photos are read before the first answer; of each some kilobytes are kept, no pixels: the crops of the
        faces in the answers are empty.

        Args:
            photos, workers, executor, errors: as for `recognize_many`.
            faces: which face is meant where a photo shows several.
            progress: called with the number of photos read.

        Returns:
            the reference, None where no photo could be used, and the `Recognitions` of each photo, in order.

        Raises:
            PhotoError: one of the photos cannot be used, with errors='raise'.
        """
        _refuse_unknown(errors)
        read: list[EncodedFaces | PhotoError] = []
        for item in map_in_order(partial(self._encode_light, faces=faces), list_photos(photos), workers, executor):
            if isinstance(item, PhotoError) and errors == "raise":
                raise item
            read.append(item)
            if progress is not None:
                progress(len(read))
        usable = [item for item in read if isinstance(item, EncodedFaces)]
        reference = self._reference(usable) if usable else None
        return reference, [
            self._classify(item, reference) if isinstance(item, EncodedFaces) else Recognitions.failed(item)
            for item in read
        ]

    def detect_many(
        self, photos: Iterable[PhotoLike] | PhotoLike, faces: WhichFaces = "all", workers: int | None = None
    ) -> Iterator[Faces | PhotoError]:
        """The faces in many photos, in the order of the photos; arguments as for `recognize_many`.

        Yields:
            the `Faces` of each photo, or what is wrong with it.
        """

        def find(photo: PhotoLike) -> Faces | PhotoError:
            try:
                return self._find(photo, faces)
            except PhotoError as error:
                return error

        return map_in_order(find, list_photos(photos), workers)

    def neutral_reference(
        self, photos: Iterable[PhotoLike] | PhotoLike, faces: Literal["one", "largest"] = "one"
    ) -> Reference:
        """A reference from photos of the neutral face; one is enough.

        `Reference.strangers` names those of other people, `Reference.expressive` those that are clearly not neutral.

        Args:
            photos: as for `recognize`; one alone is taken as a list of one.
            faces: which face is meant where a photo shows several.

        Raises:
            PhotoError: one of the photos cannot be used, or there are none.
        """
        found = [self._encode(seen[:1]) for seen in self._find_all(photos, faces)]
        reference = self._model.neutral_reference(*_first_faces(found))
        if self.trust_reference:
            return reference
        alone = [self._classify(one, None)[0] for one in found]
        return with_identity(with_expressive(reference, alone), [one.faces for one in found])

    def reference(
        self, photos: Iterable[PhotoLike] | PhotoLike, faces: Literal["one", "largest"] = "one"
    ) -> Reference:
        """A reference from photos of one person with various expressions, the more the better.

        `Reference.strangers` names those of others.

        Args:
            photos: as for `recognize`; one alone is taken as a list of one.
            faces: which face is meant where a photo shows several.

        Raises:
            PhotoError: one of the photos cannot be used, or there are none.
        """
        return self._reference([self._encode(seen[:1]) for seen in self._find_all(photos, faces)])

    def explain(self, read: Recognition) -> dict[str, float]:
        """How likely the answer would be if single parts of the face were where they are when it is neutral.

        The part without which the answer is least likely spoke for it most. The picture is left as it is.

        Args:
            read: what was recognised, with its pixels.

        Returns:
            brows, eyes, nose, mouth, jaw -> probability of the class that was read, 0..1.

        Raises:
            MienError: the pixels are not there any more, as of answers of `recognize_person`.
            ForeignReferenceError: another run read it.
        """
        self._model.refuse_foreign(read.reference)
        features = self._encode(Faces((read.face,))).features
        changed = self._model.without_parts(features, read.face.landmarks_crop[None], read.reference)
        answer = int(np.argmax(read.probabilities))
        return {part: float(probabilities[answer]) for part, probabilities in changed.items()}

    def _read(
        self, item: tuple[PhotoLike, Reference | None], faces: WhichFaces, errors: Literal["raise", "return"]
    ) -> Recognitions:
        photo, reference = item
        try:
            return self._classify(self._encode(self._find(photo, faces)), reference)
        except PhotoError as error:
            if errors == "raise":
                raise
            return Recognitions.failed(error)

    def _find(self, photo: PhotoLike, faces: WhichFaces) -> Faces:
        return find_faces(self._extractor, photo, faces)

    def _find_all(self, photos: Iterable[PhotoLike] | PhotoLike, faces: WhichFaces) -> list[Faces]:
        found = [self._find(photo, faces) for photo in list_photos(photos)]
        if not found:
            raise PhotoError("a reference needs at least one photo; name a photo of the neutral face")
        return found

    def _encode(self, faces: Faces) -> EncodedFaces:
        return EncodedFaces.of(faces, self._model)

    def _encode_light(self, photo: PhotoLike, faces: WhichFaces) -> EncodedFaces | PhotoError:
        """What is kept of a photo of which there are many."""
        try:
            found = self._find(photo, faces)[:1]
        except PhotoError as error:
            return error
        if not self.trust_reference:
            _ = found[0].identity  # while there are pixels
        return self._encode(found).without_pixels()

    def _reference(self, photos: list[EncodedFaces]) -> Reference:
        """From the first face of each photo, with any expressions."""
        reference = self._model.reference(*_first_faces(photos))
        return reference if self.trust_reference else with_identity(reference, [photo.faces for photo in photos])

    def _classify(self, encoded: EncodedFaces, reference: Reference | None) -> Recognitions:
        return classify(
            encoded,
            self._model,
            reference,
            check_identity=not self.trust_reference,
            unsure_below=self.unsure_below,
        )

    def __reduce__(self) -> tuple[Callable[..., Recognizer], tuple[Path | None, bool, float]]:
        return _load_once, (self._run, self.trust_reference, self.unsure_below)

    def __repr__(self) -> str:
        return f"Recognizer({'weights that come with mien' if self._run is None else self._run})"


def _first_faces(photos: Sequence[EncodedFaces]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Landmarks, (n, 68, 2), and features, (n, size), of the first face of each photo."""
    landmarks = np.stack([photo.faces[0].landmarks_crop for photo in photos])
    return landmarks, np.concatenate([photo.features[:1] for photo in photos])


@cache
def _load_once(run: Path | None, trust_reference: bool, unsure_below: float) -> Recognizer:
    """One in a process, for what is unpickled there."""
    return Recognizer.load(run, trust_reference=trust_reference, unsure_below=unsure_below)


def _refuse_unknown(errors: str) -> None:
    if errors not in ("raise", "return"):
        raise MienError(f"errors={errors!r}: choose 'raise' or 'return'")
