"""Making a set: photos of made people, laid out as iCV-MEFED lays out its own, with the truth beside them.

    Sample_001_001.jpg ...   the photos
    labels.txt               photo, tab, label text; written last, so that it marks a whole set
    truth.parquet            a row a photo: class, true landmarks and which of them are visible, head pose, facial
                             actions, attributes
    synth.json               the parameters

A subject is the unit of work. All chance of a photo follows from the seed, the subject and the photo's index,
so the bytes depend neither on the number of workers nor on where an earlier run was killed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl

from mien.datasets.icv_mefed import LABEL_FILE, photo_name, write_labels
from mien.errors import require
from mien.files import replacing, saying_where, write_parquet
from mien.jobs.claims import claim_folder, working_in
from mien.jobs.processes import run_in_processes
from mien.labels import CLASSES
from mien.synth.anatomy import draw_subject
from mien.synth.assets import HeadAssets, data_folder, load_head_assets
from mien.synth.expressions import draw_expression
from mien.synth.studio import Studio

_MARKER = "synth.json"
_TRUTH = "truth.parquet"
_SHARDS = "truth"
_FORMAT = 3


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
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Make a set of faces, `samples` photos of each subject in each of the 50 classes.

    Args:
        out: folder of the set; new, empty, or of the same set begun earlier.
        height: of the photos in pixels; the width is 3/2 of it.
        workers: processes.
        progress: called with (photos done, photos in all) after each subject.

    Raises:
        OutputError: `out` holds something else, or cannot be written.
        MissingExtraError: the extra `synth` is not installed.
    """
    require("vtkmodules", "synth")
    data_folder()
    plan = _Plan(out, subjects, samples, seed, height)
    parameters = {k: v for k, v in asdict(plan).items() if k != "out"}
    parameters |= {"format": _FORMAT, "anny": version("anny"), "vtk": version("vtk")}
    claim_folder(out, _MARKER, parameters, "make them in another folder, or remove this one")
    total = subjects * plan.photos_of_subject
    if (out / LABEL_FILE).is_file():
        shutil.rmtree(out / _SHARDS, ignore_errors=True)
        return Summary(total, up_to_date=True)
    with working_in(out, _MARKER):
        _make_all(plan, workers, progress or (lambda done, total: None))
    return Summary(total, up_to_date=False)


def _make_all(plan: _Plan, workers: int, report: Callable[[int, int], None]) -> None:
    out, subjects = plan.out, plan.subjects
    total = subjects * plan.photos_of_subject
    with saying_where(out):
        (out / _SHARDS).mkdir(exist_ok=True)
    missing = [s for s in range(1, subjects + 1) if not plan.shard(s).is_file()]
    done = total - len(missing) * plan.photos_of_subject
    report(done, total)
    for _ in run_in_processes(partial(_make_subject, plan), missing, workers):
        done += plan.photos_of_subject
        report(done, total)

    truth = pl.concat([pl.read_parquet(plan.shard(subject)) for subject in range(1, subjects + 1)])
    write_parquet(out / _TRUTH, truth)
    with replacing(out / LABEL_FILE) as temporary:
        write_labels(temporary, dict(truth.select("path", "label").iter_rows()))
    shutil.rmtree(out / _SHARDS)


@dataclass(frozen=True)
class _Plan:
    out: Path
    subjects: int
    samples: int
    seed: int
    height: int

    @property
    def photos_of_subject(self) -> int:
        return len(CLASSES) * self.samples

    def shard(self, subject: int) -> Path:
        """The truth of one subject; there when all of its photos are."""
        return self.out / _SHARDS / f"{subject:06d}.parquet"


_studios: dict[int, tuple[HeadAssets, Studio]] = {}
"""One for each photo height in a process: opening takes two seconds."""


def _make_subject(plan: _Plan, number: int) -> int:
    if plan.height not in _studios:
        assets = load_head_assets()
        _studios[plan.height] = assets, Studio(assets, plan.height)
    assets, studio = _studios[plan.height]
    names = [str(name) for name in assets.action_names]
    subject = draw_subject(assets, np.random.default_rng([plan.seed, number]))
    studio.enter(subject)
    rows: list[dict[str, Any]] = []
    for index in range(1, plan.photos_of_subject + 1):
        chance = np.random.default_rng([plan.seed, number, index])
        emotion = CLASSES[(index - 1) // plan.samples]
        expression = draw_expression(emotion, names, subject.gain, subject.resting, chance)
        photo = studio.photograph(expression.actions, chance, expression.nod)
        name = photo_name(number, index)
        _write_jpeg(plan.out / name, photo.image, quality=int(chance.integers(86, 96)))
        rows.append({
            "path": name,
            "subject": f"{number:03d}",
            "label": str(emotion),
            "landmarks": photo.landmarks.reshape(-1).tolist(),
            "visible": photo.visible.tolist(),
            "pose": photo.pose.tolist(),
            "actions": dict(zip(names, expression.actions.tolist(), strict=True)),
            "attributes": subject.attributes,
        })  # fmt: skip
    schema = {
        "landmarks": pl.Array(pl.Float32(), 136),
        "visible": pl.Array(pl.Boolean(), 68),
        "pose": pl.Array(pl.Float32(), 3),
    }
    write_parquet(plan.shard(number), pl.DataFrame(rows, schema_overrides=schema))
    return number


def _write_jpeg(path: Path, image: np.ndarray[Any, Any], quality: int) -> None:
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    with replacing(path) as temporary:
        temporary.write_bytes(data.tobytes())
