"""A trained run on disk: a folder that holds all that is needed to recognise, and to know where it came from.

    meta.json                what was trained, on what, with which choices, how well; written last
    head.onnx                from features and geometry to the scores of the 50 classes
    encoder.onnx             from crops to visual features; only where there is a visual branch
    population.safetensors   how faces differ and move, for references from few photos
    model.safetensors        the weights as torch has them, to look into or to export again (networks only)
    metrics.jsonl            a line for each validation (networks only)

Nothing here is a pickle: a downloaded run cannot run code. meta.json names the SHA-256 of the other files, so that a
damaged or exchanged one is noticed before it gives an answer.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from mien.errors import CheckpointError
from mien.files import hash_file, replacing, saying_where, write_json

META_FILE = "meta.json"
HEAD_FILE = "head.onnx"
ENCODER_FILE = "encoder.onnx"
POPULATION_FILE = "population.safetensors"
WEIGHTS_FILE = "model.safetensors"
METRICS_FILE = "metrics.jsonl"
FORMAT = 2

ReferenceKind = Literal["mean", "neutral", "estimated"]
"""Where a reference comes from, see `mien.displacement`."""
ALL_PHOTOS = 0
"""As a number of photos: all that there are of the subject."""
Use = Literal["few", "many", "neutral"]
"""What a reference is made of: up to `FEW` photos of any expression, more, or neutral ones. Of a photo that is read
alone it is that photo."""
FEW = 4
USES: tuple[Use, ...] = get_args(Use)


class Count(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much data a part of a set holds."""

    photos: int
    subjects: int


class TrainingData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a run was trained on.

    Attributes:
        name: of the folder of the prepared set.
        fingerprint: of the set, see `PreparedSet.fingerprint`.
        training, validation: how much of it.
        landmark_size: side of the crops that its landmarks were found on; None for the stored crops.
        points: fingerprint of the points without photos that it was trained on instead, see
            `mien.training.simulation`; None: on the photos of the set.
    """

    name: str
    fingerprint: str
    training: Count
    validation: Count
    landmark_size: int | None = None
    points: str | None = None


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What scores are worth with one kind of reference, measured on subjects that were not trained on.

    Attributes:
        reference: its kind.
        photos: how many made each reference; `ALL_PHOTOS` for all of the subject.
        temperature: divides scores before the softmax.
        top1, top5: accuracy over the 50 classes, 0..1.
    """

    reference: ReferenceKind
    photos: int
    temperature: float
    top1: float
    top5: float


class RunMeta(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of meta.json.

    Attributes:
        method: `network`, `svm` or `lda`.
        recipe: all of it, as in its TOML file.
        seed: of weights, batches and augmentation.
        data: what it was trained on.
        best: figures of the best validation: top1 to top5, for networks also step and loss.
        calibration: by kind of reference and number of photos.
        files: name -> SHA-256 of the other files that recognition reads.
        landmarker: what found the 68 landmarks: `cnn`, mien's network, or `ert`, dlib's ensemble of regression trees.
        landmarker_version: of `cnn`, 8 hexadecimal digits; "" where it is not known.
        alignment: of the crops: the paper's similarity, or stretched to one distance of the eyes.
        crop_size: side of the crops in pixels.
        common: by `Use` of a reference, how many times as common something is held to be as where all classes are
            equally common: `plain`, `neutral`, an emotion, or `mild-` and an emotion, see `mien.labels.Commonness`.
        name: of the recipe, for people.
        machine: device, processor, precision, processes.
        code: commit of a checkout of mien, or None.
        versions: package -> version.
    """

    method: Literal["network", "svm", "lda"]
    recipe: dict[str, Any]
    seed: int
    data: TrainingData
    best: dict[str, float]
    calibration: tuple[Calibration, ...]
    files: dict[str, str]
    landmarker: Literal["cnn", "ert"] = "ert"
    landmarker_version: str = ""
    alignment: Literal["similarity", "normalised"] = "similarity"
    crop_size: int = 224
    common: dict[Use, dict[str, Annotated[float, msgspec.Meta(gt=0)]]] = {}
    name: str = ""
    machine: dict[str, str | int] = {}
    code: str | None = None
    versions: dict[str, str] = {}
    format: int = FORMAT

    @property
    def relative_visual(self) -> bool:
        """Whether the head wants visual features, all or some, minus the subject's mean feature."""
        return bool(self.recipe.get("network", {}).get("relative_visual")) or bool(self._combined_relative)

    @property
    def trained_on(self) -> set[str]:
        """Fingerprints of the sets that its parts were trained on, or calibrated by; of an adapted run, of the set of
        its own photos."""
        members = [] if "adapted" in self.recipe else self.recipe.get("combination", {}).get("members", [])
        return {self.data.fingerprint, *(str(member.get("fingerprint", "")) for member in members)}

    def relative_features(self, size: int) -> NDArray[np.bool_]:
        """Which of the visual features, (size,), the head wants minus the subject's mean."""
        relative = np.full(size, self.relative_visual and not self._combined_relative)
        for start, stop in self._combined_relative:
            relative[start:stop] = True
        return relative

    @property
    def _combined_relative(self) -> list[tuple[int, int]]:
        """Ranges of features, where several runs were made one."""
        ranges: list[tuple[int, int]] = self.recipe.get("combination", {}).get("relative_features", [])
        return ranges

    def calibration_for(self, kind: ReferenceKind, photos: int) -> Calibration:
        """The calibration of a reference: that of its kind with most photos, but no more than made it.

        Args:
            kind: of the reference.
            photos: how many made it.
        """
        of_kind = [c for c in self.calibration if c.reference == kind]
        enough = [c for c in of_kind if c.photos != ALL_PHOTOS and c.photos <= photos]
        return max(enough, key=lambda c: c.photos) if enough else of_kind[0]


def use_of(kind: ReferenceKind, photos: int) -> Use:
    """What a reference of a kind, made of so many photos, is made of."""
    if kind == "neutral":
        return "neutral"
    return "few" if photos <= FEW else "many"


@contextmanager
def new_run(out: Path) -> Iterator[Path]:
    """A folder to write a run into. It becomes `out` at the end, whole, or is removed.

    Raises:
        OutputError: it cannot be made there.
    """
    with ExitStack() as stack:
        with saying_where(out):
            out.parent.mkdir(parents=True, exist_ok=True)
            temporary = stack.enter_context(TemporaryDirectory(dir=out.parent, prefix=f".{out.name}."))
            run = Path(temporary, "run")
            run.mkdir()
        yield run
        with saying_where(out):
            run.rename(out)


def save_meta(run: Path, meta: RunMeta) -> None:
    """Write meta.json; do it last, it marks the run as whole."""
    write_json(run / META_FILE, msgspec.to_builtins(meta))


def load_meta(run: Path) -> RunMeta:
    """Read meta.json.

    Raises:
        CheckpointError: no run there, an unfinished or damaged one, or one of another version of mien.
    """
    path = run / META_FILE
    if not os.path.isfile(path):  # unlike that of Path, it never raises
        raise CheckpointError(f"{run}: no trained run (meta.json is missing); run: mien train PREPARED {run}")
    try:
        content = msgspec.json.decode(path.read_bytes())
        found = content.get("format") if isinstance(content, dict) else None
        if isinstance(found, int) and found != FORMAT:
            remedy = "train it again with this one" if found < FORMAT else "update mien"
            raise CheckpointError(f"{path}: of another version of mien (format {found}, not {FORMAT}); {remedy}")
        meta = msgspec.convert(content, RunMeta)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); train the run again") from error
    if {c.reference for c in meta.calibration} != {"mean", "neutral", "estimated"}:
        raise CheckpointError(f"{path}: damaged (a calibration is missing); train the run again")
    return meta


def read_log(run: Path) -> list[dict[str, float]]:
    """The lines of metrics.jsonl; none where there is no such file.

    Raises:
        CheckpointError: damaged.
    """
    path = run / METRICS_FILE
    if not os.path.isfile(path):
        return []
    try:
        return [msgspec.json.decode(line, type=dict[str, int | float]) for line in path.read_bytes().splitlines()]
    except (OSError, msgspec.MsgspecError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); remove it, or train the run again") from error


def hash_files(run: Path) -> dict[str, str]:
    """Name -> SHA-256 of the files of a run that recognition reads, as `RunMeta.files` holds them."""
    names = (HEAD_FILE, ENCODER_FILE, POPULATION_FILE)
    return {name: hash_file(run / name) for name in names if (run / name).is_file()}


def read_checked(run: Path, name: str, meta: RunMeta) -> bytes:
    """The content of a file of a run.

    Raises:
        CheckpointError: missing, or not the file that the run was finished with.
    """
    path = run / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); train the run again") from error
    if hashlib.sha256(content).hexdigest() != meta.files.get(name):
        raise CheckpointError(f"{path}: damaged, or of another run; copy the run again, or train it again")
    return content


def save_arrays(
    path: Path,
    arrays: dict[str, NDArray[Any]],
    about: dict[str, str] | None = None,
    private: bool = False,
    first: bool = False,
) -> None:
    """Write named arrays as safetensors, with texts about them; `private`, `first`: see `mien.files.replacing`."""
    content = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with replacing(path, private, first) as temporary:
        temporary.write_bytes(save(content, metadata=about))


def load_arrays(path: Path, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, NDArray[Any]]:
    """Read named arrays, those of `optional` where they are there.

    Raises:
        CheckpointError: missing, damaged, with other names, or with values that are no numbers.
    """
    try:
        arrays: dict[str, NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: missing or damaged ({error}); train the run again") from error
    if set(arrays) - set(optional) != set(names):
        raise CheckpointError(f"{path}: holds {', '.join(sorted(arrays))}, not {', '.join(names)}; train again")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise CheckpointError(f"{path}: damaged (values that are no numbers); train the run again")
    return arrays
