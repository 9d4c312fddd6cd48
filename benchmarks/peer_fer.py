"""Times the PyPI package fer on a photo or a film, in an environment of its own (`make bench-peers`).

Run by recognition.py and video.py.

For each line on stdin, a path: a line of JSON on stdout with the milliseconds from the file's bytes to the answer.
A line of JSON, `{"film": PATH, "frames": COUNT}`, asks for so many frames of a film, evenly chosen: milliseconds for
one, reading it by OpenCV included, as fer's own class for films does.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what its libraries print is no answer
    start = time.perf_counter()
    import cv2
    import numpy as np
    from fer.fer import FER

    detector = FER()
    print(json.dumps({"loading": 1000 * (time.perf_counter() - start)}), file=answers, flush=True)
    for line in sys.stdin:
        if line.startswith("{"):
            print(json.dumps(_time_film(detector, **json.loads(line))), file=answers, flush=True)
            continue
        with open(line.strip(), "rb") as file:
            content = file.read()
        start = time.perf_counter()
        found = detector.detect_emotions(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR))
        taken = 1000 * (time.perf_counter() - start)
        print(json.dumps({"ms": taken, "faces": len(found)}), file=answers, flush=True)


def _time_film(detector: Any, film: str, frames: int) -> dict[str, float]:
    """Frames that are passed over are not timed, one that is read is, with its decoding."""
    import cv2

    capture, taken, found = cv2.VideoCapture(film), 0.0, 0
    total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted = {round(i * (total - 1) / (frames - 1)) for i in range(frames)}
    for number in range(total):
        start = time.perf_counter()
        _, image = capture.read()
        if number in wanted:
            found += len(detector.detect_emotions(image))
            taken += time.perf_counter() - start
    return {"ms": 1000 * taken / len(wanted), "faces": found / len(wanted)}


if __name__ == "__main__":
    main()
