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
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import islice, repeat
from pathlib import Path
from typing import Literal, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from mien.artifacts import Calibration, RunMeta
from mien.displacement import Reference
from mien.errors import CheckpointError, FaceError, MienError, PhotoError, SeveralFacesError
from mien.faces import Face, FaceExtractor, Faces
from mien.faces.identity import identity_distance, shows_majority
from mien.images import PhotoSource, open_photo
from mien.inference.model import WEIGHTS, ExpressionModel
from mien.inference.results import UNSURE_BELOW, Recognition, Recognitions
from mien.jobs.executors import Executor, processor_count
from mien.labels import Emotion

WhichFaces = Literal["one", "largest", "all"]
"""`one`: the face of a photo that shows one; several are refused. `largest`: the largest. `all`: every face."""
PhotoLike = PhotoSource | Face | Faces
"""A photo (path, bytes, binary file, PIL image, or array), or what `Recognizer.detect` found in one."""

_IN_A_TASK = 8
"""Photos that a task of an executor reads."""
_EXPRESSIVE = 0.45
"""Probability that happiness or surprise is dominant, above which a photo is no neutral one: of 76 neutral photos
none, of 34 mild smiles 53%. The other emotions are read too unsurely from one photo (docs/experiments.md)."""
_AHEAD = 2
"""Photos for each thread that are read before they are asked for."""
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class _Encoded:
    """A face of a photo without its pixels, and its feature, shape (1, size)."""

    faces: Faces
    features: NDArray[np.float32]


class Recognizer:
    """Reads compound expressions from photos; build it with `Recognizer.load`.

    One recognizer may be shared among threads. It can be pickled: what is pickled is where its run lies.

    Args:
        model: encoder, head, population and calibration of a run.
        trust_reference: do not ask whether photos show the person of their reference, which costs 0.1 s a face, nor
            whether photos that are said to be neutral are.
        unsure_below: probability of the likeliest class, 0..1, below which answers are flagged as unsure.

    Raises:
        MienError: `unsure_below` is no probability.
    """

    def __init__(
        self, model: ExpressionModel, *, trust_reference: bool = False, unsure_below: float = UNSURE_BELOW
    ) -> None:
        if not isinstance(unsure_below, int | float) or not 0 <= unsure_below <= 1:
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
            CheckpointError: no such run, an unfinished or damaged one, one of another version of mien, or one whose
                landmarks come from crops of another size.
        """
        model = ExpressionModel.load(run)
        if size := model.meta.data.landmark_size:
            raise CheckpointError(
                f"{model.path}: trained with landmarks from crops of {size} pixels; name a run of those from crops "
                "of its pictures' own size"
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
        found = self._find(photo, faces)
        read = self._classify(found, self._encode(found), reference)
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
            items: Iterable[tuple[PhotoLike, Reference | None]] = zip(_as_list(photos), repeat(references))
        else:
            items = _pairs(_as_list(photos), references)

        if errors not in ("raise", "return"):
            raise MienError(f"errors={errors!r}: choose 'raise' or 'return'")
        yield from _map_by(partial(self._read, faces=faces, errors=errors), items, workers, executor)

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
        if errors not in ("raise", "return"):
            raise MienError(f"errors={errors!r}: choose 'raise' or 'return'")
        read: list[_Encoded | PhotoError] = []
        for item in _map_by(partial(self._encode_light, faces=faces), _as_list(photos), workers, executor):
            if isinstance(item, PhotoError) and errors == "raise":
                raise item
            read.append(item)
            if progress is not None:
                progress(len(read))
        usable = [item for item in read if isinstance(item, _Encoded)]
        if not usable:
            return None, [_failed(item) for item in read if isinstance(item, PhotoError)]
        landmarks = np.stack([item.faces[0].landmarks_crop for item in usable])
        made = self._model.reference(landmarks, np.concatenate([item.features for item in usable]))
        reference = self._identified(made, [item.faces for item in usable])
        return reference, [
            self._classify(item.faces, item.features, reference) if isinstance(item, _Encoded) else _failed(item)
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

        return _map_ahead(find, _as_list(photos), workers or processor_count())

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
        found = self._find_all(photos, faces)
        reference = self._model.neutral_reference(np.stack([seen[0].landmarks_crop for seen in found]))
        if not self.trust_reference:
            alone = [self._classify(seen[:1], self._encode(seen[:1]), None)[0] for seen in found]
            expressive = tuple((one.photo, one.phrase) for one in alone if _is_expressive(one))
            reference = replace(reference, expressive=expressive)
        return self._identified(reference, found)

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
        found = self._find_all(photos, faces)
        features = self._model.encode(np.stack([seen[0].crop for seen in found]))
        reference = self._model.reference(np.stack([seen[0].landmarks_crop for seen in found]), features)
        return self._identified(reference, found)

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
        if self._model.encoder is not None and not read.face.crop.size:
            raise MienError("the answer holds no pixels any more; explain one of `recognize`")
        self._model.refuse_foreign(read.reference)
        features = self._encode(Faces((read.face,)))
        changed = self._model.without_parts(features, read.face.landmarks_crop[None], read.reference)
        answer = int(np.argmax(read.probabilities))
        return {part: float(probabilities[answer]) for part, probabilities in changed.items()}

    def _read(
        self, item: tuple[PhotoLike, Reference | None], faces: WhichFaces, errors: Literal["raise", "return"]
    ) -> Recognitions:
        photo, reference = item
        try:
            found = self._find(photo, faces)
            return self._classify(found, self._encode(found), reference)
        except PhotoError as error:
            if errors == "raise":
                raise
            return _failed(error)

    def _find(self, photo: PhotoLike, faces: WhichFaces) -> Faces:
        if faces not in ("one", "largest", "all"):
            raise MienError(f"faces={faces!r}: choose 'one', 'largest' or 'all'")
        if isinstance(photo, Face):
            return Faces((photo,))
        if isinstance(photo, Faces):
            if not photo:
                raise FaceError("there are no faces in it", photo.photo)
            wanted = photo if faces == "all" else photo[:1]
            _refuse_several(photo[0], photo.photo, faces)
            return wanted
        opened = open_photo(photo)
        try:
            found = self._extractor.extract_all(opened)
            first = next(found)
            _refuse_several(first, opened.name, faces)
            return Faces((first, *found) if faces == "all" else (first,), opened.name)
        except FaceError as error:
            raise type(error)(error.reason, opened.name, error.count) from error

    def _find_all(self, photos: Iterable[PhotoLike] | PhotoLike, faces: WhichFaces) -> list[Faces]:
        found = [self._find(photo, faces) for photo in _as_list(photos)]
        if not found:
            raise PhotoError("a reference needs at least one photo; name a photo of the neutral face")
        return found

    def _identified(self, reference: Reference, found: list[Faces]) -> Reference:
        """The reference with who it is, and with the photos that show somebody else."""
        if self.trust_reference:
            return reference
        identities = np.stack([seen[0].identity for seen in found])
        belongs = shows_majority(identities)
        strangers = tuple(seen.photo for seen, its in zip(found, belongs, strict=True) if not its)
        return replace(reference, identity=identities[belongs].mean(axis=0), strangers=strangers)

    def _distance(self, face: Face, reference: Reference | None) -> float | None:
        if self.trust_reference or reference is None or reference.identity is None:
            return None
        return identity_distance(face.identity, reference.identity)

    def _encode(self, faces: Faces) -> NDArray[np.float32]:
        return self._model.encode(np.stack([face.crop for face in faces]))

    def _encode_light(self, photo: PhotoLike, faces: WhichFaces) -> _Encoded | PhotoError:
        """What is kept of a photo of which there are many: no pixels."""
        try:
            found = self._find(photo, faces)[:1]
        except PhotoError as error:
            return error
        features = self._encode(found)
        if not self.trust_reference:
            _ = found[0].identity
        return _Encoded(Faces((found[0].without_pixels(),), found.photo), features)

    def _classify(self, faces: Faces, features: NDArray[np.float32], reference: Reference | None) -> Recognitions:
        model = self._model
        if reference is not None:
            if not isinstance(reference, Reference):
                raise MienError(
                    f"{type(reference).__name__} is no reference; make one with neutral_reference or reference, or "
                    "read one with mien.Reference.load"
                )
            model.refuse_foreign(reference)
        landmarks = np.stack([face.landmarks_crop for face in faces])
        references = [
            reference or model.reference(landmarks[i : i + 1], features[i : i + 1]) for i in range(len(faces))
        ]
        probabilities = model.probabilities(model.scores(features, landmarks, references), references)
        moved = model.moved_from_neutral(landmarks, references)
        rows = zip(probabilities, references, faces, moved, model.actions(moved), strict=True)
        read = tuple(
            Recognition(
                probabilities=row,
                reference=used,
                face=face,
                photo=faces.photo,
                place=place,
                reference_distance=self._distance(face, reference),
                unsure_below=self.unsure_below,
                moved=points,
                actions=actions,
            )
            for place, (row, used, face, points, actions) in enumerate(rows)
        )
        return Recognitions(read, faces.photo)

    def __reduce__(self) -> tuple[Callable[..., Recognizer], tuple[Path | None, bool, float]]:
        return _load_once, (self._run, self.trust_reference, self.unsure_below)

    def __repr__(self) -> str:
        return f"Recognizer({'weights that come with mien' if self._run is None else self._run})"


@cache
def _load_once(run: Path | None, trust_reference: bool, unsure_below: float) -> Recognizer:
    """One in a process, for what is unpickled there."""
    return Recognizer.load(run, trust_reference=trust_reference, unsure_below=unsure_below)


def _is_expressive(alone: Recognition) -> bool:
    """Whether a photo that should be neutral is not, read by itself."""
    return any(alone.matrix[:, emotion - 1].sum() > _EXPRESSIVE for emotion in (Emotion.HAPPINESS, Emotion.SURPRISE))


def _failed(error: PhotoError) -> Recognitions:
    name = error.photo or "photo"
    return Recognitions((), name, ((name, error),))


def _refuse_several(face: Face, name: str, faces: WhichFaces) -> None:
    if face.face_count > 1 and faces == "one":
        raise SeveralFacesError(
            f"{face.face_count} faces found; crop the photo to one of them, or choose faces='largest' or faces='all'",
            count=face.face_count,
        )


def _pairs(
    photos: Iterable[PhotoLike], references: Iterable[Reference | None]
) -> Iterator[tuple[PhotoLike, Reference | None]]:
    """Each photo with its reference, as many of one as of the other."""
    own = iter(references)
    for photo in photos:
        for reference in islice(own, 1):
            yield photo, reference
            break
        else:
            raise MienError("fewer references than photos; give one for each photo, None where there is none")
    if next(own, own) is not own:
        raise MienError("more references than photos; give one for each photo")


def _as_list(photos: Iterable[PhotoLike] | PhotoLike) -> Iterable[PhotoLike]:
    """Photos as they are given, one alone as a list of one: a text is one path, an array one picture."""
    single = isinstance(photos, (Face, Faces, np.ndarray)) or not isinstance(photos, Iterable)
    if single or isinstance(photos, (str, bytes, os.PathLike)) or hasattr(photos, "read"):
        return [photos]  # type: ignore[list-item]
    return photos  # type: ignore[return-value]


def _map_by(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int | None, executor: Executor | None
) -> Iterator[Result]:
    """`map`, in order and lazily: by threads of this process, or some items at a time by an executor."""
    if executor is None:
        yield from _map_ahead(work, items, workers or processor_count())
        return
    coming = iter(items)
    tasks = iter(lambda: list(islice(coming, _IN_A_TASK)), [])
    for results in executor.ordered(partial(_do_some, work, os.getpid(), os.getcwd()), tasks):
        yield from results


def _do_some(work: Callable[[Item], Result], parent: int, folder: str, items: list[Item]) -> list[Result]:
    """A task of an executor."""
    if os.getpid() != parent:
        os.chdir(folder)  # paths, and so names, stay as they were given
    return [work(item) for item in items]


def _map_ahead(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """`map` by threads, in order, that reads no more than a few items ahead."""
    if workers <= 1:
        yield from map(work, items)
        return
    coming = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        begun: deque[Future[Result]] = deque(pool.submit(work, item) for item in islice(coming, _AHEAD * workers))
        try:
            while begun:
                result = begun.popleft().result()
                begun.extend(pool.submit(work, item) for item in islice(coming, 1))
                yield result
        finally:
            for future in begun:
                future.cancel()


__all__ = ["PhotoLike", "Recognizer", "WhichFaces"]
