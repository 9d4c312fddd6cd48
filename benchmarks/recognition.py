"""How long mien takes from the bytes of a JPEG to its answer, by part, beside the PyPI package fer in the same run.

    python benchmarks/recognition.py [PHOTO ...] [--peer PYTHON]

PHOTO is scaled to 640 and 1280 pixels; scikit-image's astronaut if left out. PYTHON is the interpreter of an
environment with fer; `make bench-peers` makes .venv-peers, which is used where it is there. mien and fer take turns,
photo by photo, so that a busy machine slows both. The last line is fer's time over mien's at 640 pixels.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage import data

import mien
from mien.faces.detection import FaceDetector
from mien.faces.extraction import FaceExtractor
from mien.images import open_photo
from mien.inference import ExpressionModel
from mien.jobs.executors import LocalProcesses

SIZES = (640, 1280)
ROUNDS = 20
FOLDER, WARM = 240, 48
"""Photos of the folder that is read by one thread and by two workers; those before it that are not timed."""
PEER = Path(__file__).parents[1] / ".venv-peers" / "bin" / "python"


class Peer:
    """fer in a process of its own."""

    def __init__(self, python: Path) -> None:
        script = Path(__file__).with_name("peer_fer.py")
        self._process = subprocess.Popen(
            [python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.loading = self._answer()["loading"]

    def time(self, photo: Path) -> float:
        """Milliseconds for a photo."""
        assert self._process.stdin is not None
        print(photo, file=self._process.stdin, flush=True)
        return float(self._answer()["ms"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit("fer does not run; make its environment anew: make bench-peers")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main(photos: list[Path], python: Path | None) -> None:
    recognizer = mien.Recognizer.load()
    with tempfile.TemporaryDirectory() as folder:
        originals = [Image.open(path).convert("RGB") for path in photos] or [Image.fromarray(data.astronaut())]
        files = {size: _save_at(originals, size, Path(folder)) for size in SIZES}
        start = _time_start(files[640][0])
        print(f"start to first answer      {start:8.1f} ms (a new process, Python's own start included)")
        for size in SIZES:
            _print_parts(files[size][0], size)
        peer = Peer(python) if python is not None else None
        ratios = {size: _compare(recognizer, peer, files[size], size) for size in SIZES}
        one = _folder_rate(recognizer, files[640], workers=1)
        threads = _folder_rate(recognizer, files[640], workers=2)
        processes = _folder_rate(recognizer, files[640], executor=LocalProcesses(2))
        print(
            f"{FOLDER} photos of 640 pixels: {one:.1f} photos/s by one thread, {threads:.1f} by two "
            f"({threads / one:.2f} times), {processes:.1f} by two processes ({processes / one:.2f} times)"
        )
        if peer is not None:
            print(f"ratio {ratios[640]:.2f}")


def _save_at(pictures: list[Image.Image], size: int, folder: Path) -> list[Path]:
    """The pictures with a longer side of `size` pixels, as JPEG files."""
    files = []
    for number, picture in enumerate(pictures):
        factor = size / max(picture.size)
        sides = (round(picture.width * factor), round(picture.height * factor))
        scaled = picture.resize(sides, Image.Resampling.LANCZOS)
        files.append(folder / f"{number}-{size}.jpg")
        scaled.save(files[-1], quality=92)
    return files


def _time_start(photo: Path) -> float:
    """Milliseconds of a new process that reads one photo; the best of three: files come from the disk once."""
    code = f"import mien; mien.Recognizer.load().recognize({str(photo)!r}, faces='largest')"
    return min(_milliseconds(lambda: subprocess.run([sys.executable, "-c", code], check=True)) for _ in range(3))


def _print_parts(path: Path, size: int) -> None:
    model, detector, extractor = ExpressionModel.load(), FaceDetector(), FaceExtractor()
    content = path.read_bytes()
    photo = open_photo(content)
    pixels = photo.read()
    face = extractor.extract(photo)
    crops = face.crop[None]
    features = model.encode(crops)
    reference = model.reference(face.landmarks_crop[None], features)
    parts: dict[str, Callable[[], object]] = {
        "decode": lambda: open_photo(content).read(),
        "detect": lambda: detector.detect(photo, pixels),
        "detect, mark and align": lambda: extractor.extract(photo),
        "encode": lambda: model.encode(crops),
        "reference and classify": lambda: model.scores(
            features, face.landmarks_crop[None], [model.reference(face.landmarks_crop[None], features)]
        ),
    }
    assert np.isfinite(model.scores(features, face.landmarks_crop[None], [reference])).all()
    for name, part in parts.items():
        part()
        taken = statistics.median(_milliseconds(part) for _ in range(ROUNDS))
        print(f"{size:4} pixels, {name:24} {taken:6.1f} ms")


def _compare(recognizer: mien.Recognizer, peer: Peer | None, files: list[Path], size: int) -> float:
    """The whole way, in turns; the ratio of medians."""
    contents = {path: path.read_bytes() for path in files}
    own, other = [], []
    for turn in range(ROUNDS + 1):
        path = files[turn % len(files)]
        mine = _milliseconds(partial(recognizer.recognize, contents[path], faces="largest"))
        peers = peer.time(path) if peer is not None else float("nan")
        if turn:  # the first warms up
            own.append(mine)
            other.append(peers)
    mine, theirs = statistics.median(own), statistics.median(other)
    beside = f", fer {theirs:.1f} ms, ratio {theirs / mine:.2f}" if peer is not None else ""
    print(f"{size:4} pixels, bytes to answer      {mine:6.1f} ms (best {min(own):.1f}){beside}")
    return theirs / mine


def _folder_rate(recognizer: mien.Recognizer, files: list[Path], **how: Any) -> float:
    """Photos a second, the start of threads or processes left out: from the first answers on."""
    read = recognizer.recognize_many((files[i % len(files)] for i in range(FOLDER + WARM)), faces="largest", **how)
    for _ in range(WARM):
        next(read)
    return 1000 * FOLDER / _milliseconds(lambda: list(read))


def _milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="*", type=Path)
    parser.add_argument("--peer", type=Path, default=PEER if PEER.is_file() else None)
    arguments = parser.parse_args()
    main(arguments.photos, arguments.peer)
