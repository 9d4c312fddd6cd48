"""Where the time of a recognition goes, on the photo of an astronaut (512 x 512), one photo at a time.

python benchmarks/recognition.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

from skimage import data

from mien import Recognizer
from mien.faces.detection import FaceDetector
from mien.images import PhotoArray

REPEATS = 40


def main() -> None:
    start = time.perf_counter()
    recognizer, photo = Recognizer.load(), data.astronaut()
    recognizer.recognize(photo)
    print(f"loading and the first photo  {1000 * (time.perf_counter() - start):7.1f} ms")
    detector, pixels, face = FaceDetector(), PhotoArray(photo), recognizer.find_face(photo)
    steps: dict[str, Callable[[], object]] = {
        "detection": lambda: detector.detect(pixels, pixels.read()),
        "detection to aligned face": lambda: recognizer.find_face(photo),
        "network": lambda: recognizer.recognize_faces([face]),
        "whole": lambda: recognizer.recognize(photo),
    }
    for name, step in steps.items():
        step()
        start = time.perf_counter()
        for _ in range(REPEATS):
            step()
        print(f"{name:28} {1000 * (time.perf_counter() - start) / REPEATS:7.1f} ms")


if __name__ == "__main__":
    main()
