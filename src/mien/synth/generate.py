"""A set of synthetic faces: photos of synthetic subjects, laid out as iCV-MEFED lays out its own, with ground truth.

    Sample_001_001.jpg ...   the photos
    labels.txt               photo, tab, label text; written last, so that it marks a whole set
    truth.parquet            a row a photo: class, true landmarks and which of them are visible, head pose, facial
                             actions, attributes
    synth.json               the parameters

Without photos, of a set there are the truth and the parameters alone: geometry needs no more, and more subjects. The
truth has one column more then, `elsewhere`: landmarks of the neutral face before another camera.

A subject is the unit of work. All random numbers of a photo follow from the seed, the subject and the photo's index,
so the bytes depend neither on the number of workers nor on where an earlier run was killed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl

from mien.datasets.icv_mefed import LABEL_FILE, TRUTH_FILE, photo_name, write_labels
from mien.errors import require
from mien.files import replacing, saying_where, write_parquet
from mien.jobs.claims import claim_folder, name_and_value, working_in
from mien.jobs.executors import THIS_PROCESS, Executor
from mien.jobs.shards import Progress, run_shards
from mien.labels import CLASSES
from mien.synth.anatomy import draw_subject
from mien.synth.assets import HeadAssets, data_folder, load_head_assets
from mien.synth.expressions import draw_expression
from mien.synth.studio import Photo, Studio
from mien.synth.survey import Measured, Survey, around_points
from mien.synth.viewpoint import PhotoStyle

_MARKER = "synth.json"
_SHARDS = "truth"
_FORMAT = 7


@dataclass(frozen=True)
class Summary:
    """What was made.

    Attributes:
        photos: in the whole set.
        up_to_date: the set was there already and nothing was done.
    """

    photos: int
    up_to_date: bool


def generate(
    out: Path,
    *,
    subjects: int = 125,
    samples: int = 5,
    seed: int = 0,
    height: int = 432,
    style: PhotoStyle = "mixed",
    photos: bool = True,
    executor: Executor = THIS_PROCESS,
    progress: Progress | None = None,
) -> Summary:
    """Make a set of faces, `samples` photos of each subject in each of the 50 classes.

    Args:
        out: folder of the set; new, empty, or of the same set begun earlier.
        height: of the photos in pixels; the width is 3/2 of it.
        style: how people are photographed.
        photos: whether they are taken; else only what is true about them is written, seven times faster.
        executor: where the photos are made.
        progress: called with (photos done, photos in all) after each subject.

    Raises:
        OutputError: `out` holds something else, cannot be written, or another process works there.
        MissingExtraError: the extra `synth` is not installed.
        WorkerLostError: a worker was killed.
    """
    require("vtkmodules", "synth")
    data_folder()
    plan = _Plan(out.absolute(), subjects, samples, seed, height, style, photos)
    claim_set(out, _MARKER, plan, _FORMAT, _as_option)
    done = Summary(subjects * plan.photos_of_subject, up_to_date=True)
    if _is_whole(plan):
        return done
    with working_in(out):
        if _is_whole(plan):  # another process has just finished
            return done
        _make_all(plan, executor, progress)
    return replace(done, up_to_date=False)


def claim_set(out: Path, marker: str, plan: Any, form: int, as_option: Callable[[str, Any], str]) -> None:
    """Take a folder for a set that follows from a plan, a dataclass with the folder as `out`, and from what draws it.

    Raises:
        OutputError: the folder holds something else.
    """
    parameters = {name: value for name, value in asdict(plan).items() if name != "out"}
    parameters |= {"format": form, "anny": version("anny"), "vtk": version("vtk")}
    claim_folder(out, marker, parameters, "make them in another folder, or remove this one", as_option)


def _is_whole(plan: _Plan) -> bool:
    """Whether nothing is left to do but to remove what a kill at the very end left."""
    if not os.path.isfile(plan.out / (LABEL_FILE if plan.photos else TRUTH_FILE)):
        return False
    shutil.rmtree(plan.out / _SHARDS, ignore_errors=True)
    return True


def _as_option(name: str, value: Any) -> str:
    """A parameter as the command line says it."""
    if name == "photos":
        return "no --points" if value else "--points"
    return (
        f"--{name} {value}"
        if name in ("subjects", "samples", "seed", "height", "style")
        else name_and_value(name, value)
    )


def _make_all(plan: _Plan, executor: Executor, progress: Progress | None) -> None:
    out = plan.out
    with saying_where(out):
        (out / _SHARDS).mkdir(exist_ok=True)
    shards = [_Shard(plan, number) for number in range(1, plan.subjects + 1)]
    run_shards(shards, _make_subject, executor, progress=progress)
    truth = pl.concat([pl.read_parquet(shard.marker) for shard in shards])
    write_parquet(out / TRUTH_FILE, truth)
    if plan.photos:
        with replacing(out / LABEL_FILE) as temporary:
            write_labels(temporary, dict(truth.select("path", "label").iter_rows()))
    shutil.rmtree(out / _SHARDS, ignore_errors=True)


@dataclass(frozen=True)
class _Plan:
    out: Path
    subjects: int
    samples: int
    seed: int
    height: int
    style: PhotoStyle
    photos: bool

    @property
    def photos_of_subject(self) -> int:
        return len(CLASSES) * self.samples


@dataclass(frozen=True)
class _Shard:
    """One subject, numbered from 1."""

    plan: _Plan
    number: int
    uncollected = None

    @property
    def size(self) -> int:
        return self.plan.photos_of_subject

    @property
    def marker(self) -> Path:
        """The ground truth of the subject; there when all of its photos are."""
        return self.plan.out / _SHARDS / f"{self.number:06d}.parquet"


@cache
def _studio(height: int, style: PhotoStyle) -> tuple[HeadAssets, Studio]:
    """One for each photo height and style in a process: opening takes two seconds."""
    assets = load_head_assets()
    return assets, Studio(assets, height, style)


@cache
def _survey(height: int, style: PhotoStyle) -> tuple[HeadAssets, Survey]:
    """The same, without photos."""
    assets = around_points(load_head_assets())
    return assets, Survey(assets, (height * 3 // 2, height), style)


def _make_subject(shard: _Shard) -> None:
    plan, number = shard.plan, shard.number
    assets, place = (_studio if plan.photos else _survey)(plan.height, plan.style)
    names = [str(name) for name in assets.action_names]
    subject = draw_subject(assets, np.random.default_rng([plan.seed, number]))
    place.enter(subject)
    rows: list[dict[str, Any]] = []
    for index in range(1, plan.photos_of_subject + 1):
        rng = np.random.default_rng([plan.seed, number, index])
        emotion = CLASSES[(index - 1) // plan.samples]
        expression = draw_expression(emotion, subject.style, rng)
        name = photo_name(number, index)
        made: Photo | Measured
        elsewhere: dict[str, list[float]] = {}
        if isinstance(place, Studio):
            made = place.photograph(expression, rng)
            _write_jpeg(plan.out / name, made.image, quality=made.quality)
        else:
            made = place.measure(expression, rng)
            other = place.measure_elsewhere(np.random.default_rng([plan.seed, number, index, 1]))
            elsewhere = {"elsewhere": other.landmarks.reshape(-1).tolist()}
        rows.append({
            "path": name,
            "subject": f"{number:03d}",
            "label": str(emotion),
            "landmarks": made.landmarks.reshape(-1).tolist(),
            "visible": made.visible.tolist(),
            "pose": made.pose.tolist(),
            "actions": dict(zip(names, expression.actions.tolist(), strict=True)),
            "attributes": subject.attributes,
        } | elsewhere)  # fmt: skip
    schema: dict[str, pl.DataType] = {
        "landmarks": pl.Array(pl.Float32(), 136),
        "visible": pl.Array(pl.Boolean(), 68),
        "pose": pl.Array(pl.Float32(), 3),
    }
    if not plan.photos:
        schema["elsewhere"] = pl.Array(pl.Float32(), 136)
    write_parquet(shard.marker, pl.DataFrame(rows, schema_overrides=schema))


def _write_jpeg(path: Path, image: np.ndarray[Any, Any], quality: int) -> None:
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    with replacing(path) as temporary:
        temporary.write_bytes(data.tobytes())
