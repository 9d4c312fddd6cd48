"""How fast photos are prepared, against the official recipe, side by side.

    python benchmarks/prepare.py [PHOTO_FOLDER] [--photos N] [--workers N] [--quality Q]

The official recipe (paper, section II): decode all pixels, shrink to 1/8 by area, dlib's HOG detector with one
upsampling, landmarks on the whole picture, warp to 224, landmarks on the crop. mien does what `mien prepare` does:
the whole command, with its files. Both run on the same photos with the same number of processes; their turns
alternate, and the better of two counts for each.

The photos are 5184 x 3456: PHOTO_FOLDER's own if they are so large, else its faces enlarged on a grey ground with
sensor noise; without a folder the face is scikit-image's astronaut. The last line is `ratio N.NN`.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import cv2
import dlib
import numpy as np

from mien.datasets import Preparation, PreparedSet
from mien.datasets.sources import read_source
from mien.faces.alignment import photo_to_crop, warp
from mien.faces.ert import RegressionTrees
from mien.faces.points68 import eye_distance
from mien.images import PhotoFile, RGBImage, list_photos, read_rgb
from mien.jobs.executors import LocalProcesses

WIDTH, HEIGHT = 5184, 3456
FACE_HEIGHTS = (0.5, 0.6, 0.7, 0.8)
"""Whole heads, as shares of the picture's height: heads and shoulders as iCV-MEFED shows them."""

DIFFERENT = 128
"""Photos that are made; where more are wanted, these come again under other names, for a photo takes a second."""


def main(folder: Path | None, count: int, workers: int, quality: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        photos = Path(scratch, "photos")
        photos.mkdir()
        lay_out_photos(folder, photos, count, quality)
        paths = sorted(photos.iterdir())
        official_times, mien_times = [], []
        with ProcessPoolExecutor(workers, get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)) as pool:
            list(pool.map(official, paths[:workers]))  # loads the predictor
            for turn in range(2):
                start = time.perf_counter()
                marks = list(pool.map(official, paths))
                official_times.append(time.perf_counter() - start)
                start = time.perf_counter()
                with memory_of_new_children() as memory:
                    executor = LocalProcesses(workers)
                    preparation = Preparation(validation=0, test=0, landmarker="ert")  # as the recipe beside it
                    preparation.run(read_source(photos), Path(scratch, str(turn)), executor)
                mien_times.append(time.perf_counter() - start)
            prepared = PreparedSet.open(Path(scratch, "0"))
            report(min(official_times), min(mien_times), prepared, dict(zip(paths, marks, strict=True)), workers)
    print(f"memory: {sum(memory.values()):.0f} MB in the {workers} processes of mien prepare together, at most")
    print(f"ratio {min(official_times) / min(mien_times):.2f}")


@contextlib.contextmanager
def memory_of_new_children() -> Iterator[dict[int, float]]:
    """Process number -> most memory so far in MB, of the processes that are started meanwhile (Linux only)."""
    known = {child.pid for child in multiprocessing.active_children()}
    memory: dict[int, float] = {}
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.1):
            for child in multiprocessing.active_children():
                if child.pid is not None and child.pid not in known:
                    with contextlib.suppress(OSError, StopIteration):
                        lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
                        memory[child.pid] = int(next(li for li in lines if li.startswith("VmHWM")).split()[1]) / 1024

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield memory
    finally:
        stop.set()
        watcher.join()


def official(path: Path) -> np.ndarray | None:
    """One photo by the official recipe: its 68 landmarks in the photo, None without a face."""
    image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    small = cv2.resize(image, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
    faces = _detector()(small, 1)
    if not faces:
        return None
    face = max(faces, key=lambda found: found.area())
    box = 8.0 * np.array([face.left(), face.top(), face.right(), face.bottom()])
    landmarks = _predictor().mark(image, box).landmarks
    crop = warp(image, photo_to_crop(landmarks))
    _predictor().mark(crop, np.array([29, 47, 184, 202], dtype=float))
    return landmarks


@cache
def _detector() -> dlib.fhog_object_detector:
    return dlib.get_frontal_face_detector()


@cache
def _predictor() -> RegressionTrees:
    return RegressionTrees()


def lay_out_photos(source: Path | None, target: Path, count: int, quality: int) -> None:
    """`count` large photos: links to those that are large, new ones of the faces in others; many come in turn."""
    found = list_photos(source) if source else []
    for number in range(count):
        path = target / f"{number:04d}.jpg"
        if number >= DIFFERENT:
            path.hardlink_to(target / f"{number % DIFFERENT:04d}.jpg")
            continue
        if found and sorted(PhotoFile(found[number % len(found)]).size) == [HEIGHT, WIDTH]:
            path.symlink_to(found[number % len(found)].resolve())
            continue
        face = read_rgb(found[number % len(found)]) if found else _astronaut()
        photo = photograph(face, FACE_HEIGHTS[number % len(FACE_HEIGHTS)], np.random.default_rng(number))
        settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR]
        cv2.imwrite(str(path), photo[..., ::-1], [*settings, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422])


def photograph(face: RGBImage, share: float, rng: np.random.Generator) -> RGBImage:
    """A head, `share` of the height of an 18-megapixel picture, before an even ground, with sensor noise."""
    scale = share * HEIGHT / (0.75 * face.shape[0])  # a head fills three quarters of a portrait
    around = np.median(face[: face.shape[0] // 20].reshape(-1, 3), axis=0)
    left, top = (WIDTH - scale * face.shape[1]) / 2, (HEIGHT - scale * face.shape[0]) / 2
    place = np.array([[scale, 0, left], [0, scale, top]])
    photo = cv2.warpAffine(face, place, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderValue=around.tolist())
    noise = cv2.GaussianBlur(rng.normal(0, 5, photo.shape).astype(np.float32), (0, 0), 0.7)
    return np.clip(photo + noise, 0, 255).astype(np.uint8)


def _astronaut() -> RGBImage:
    from skimage import data

    return data.astronaut()[:400, 50:400]


def report(
    official_time: float, mien_time: float, prepared: PreparedSet, marks: dict[Path, np.ndarray | None], workers: int
) -> None:
    references = {path.name: mark for path, mark in marks.items() if mark is not None}
    shares = []
    for name, flat in prepared.table.select("path", "landmarks_photo").iter_rows():
        if name in references:
            apart = np.linalg.norm(np.reshape(flat, (68, 2)) - references[name], axis=1)
            shares.append(100 * apart.mean() / eye_distance(references[name]))
    megabytes = np.mean([path.stat().st_size for path in marks]) / 1e6
    print(
        f"{len(marks)} photos of {WIDTH} x {HEIGHT}, {megabytes:.1f} MB each, {workers} processes, better of two runs"
    )
    print(f"{'':20}{'photos/s':>10}{'seconds':>10}{'faces':>8}")
    for name, took, faces in (
        ("official recipe", official_time, len(references)),
        ("mien prepare", mien_time, len(prepared)),
    ):
        print(f"{name:20}{len(marks) / took:10.1f}{took:10.1f}{faces:8d}")
    print(
        f"landmarks differ by {np.mean(shares):.2f}% of the outer-eye distance on average, "
        f"median {np.median(shares):.2f}%, at most {np.max(shares):.2f}%"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="photos; the astronaut without")
    parser.add_argument("--photos", type=int, default=512)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quality", type=int, default=93, help="of the JPEG files that are made")
    options = parser.parse_args()
    main(options.folder, options.photos, options.workers, options.quality)
