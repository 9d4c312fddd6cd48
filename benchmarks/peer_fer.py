"""Times the PyPI package fer on a photo; run by recognition.py in an environment of its own (`make bench-peers`).

For each line on stdin, a path: a line of JSON on stdout with the milliseconds from the file's bytes to the answer.
"""

from __future__ import annotations

import json
import os
import sys
import time

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
        with open(line.strip(), "rb") as file:
            content = file.read()
        start = time.perf_counter()
        found = detector.detect_emotions(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR))
        taken = 1000 * (time.perf_counter() - start)
        print(json.dumps({"ms": taken, "faces": len(found)}), file=answers, flush=True)


if __name__ == "__main__":
    main()
