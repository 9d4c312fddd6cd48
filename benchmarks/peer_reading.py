"""Reads photos with the PyPI package fer or facex, in an environment of its own; run by peers.py.

    PYTHON benchmarks/peer_reading.py (fer | facex)

The first line on stdout is `ready`, or why the package does not run. Then for each line on stdin, a path: a
line with the likeliest emotion of the largest face, or `no face`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
NOUNS = {"angry": "anger", "happy": "happiness", "sad": "sadness", "surprised": "surprise"}
"""What the packages call an emotion -> the noun that mien has; others have the same name."""

Find = Callable[[Any], Sequence[tuple[Sequence[int], dict[str, float]]]]
"""A picture, BGR, to box (left, top, width, height) and probabilities of each face."""


def main(name: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print is no answer
    try:
        import cv2

        find = {"fer": _load_fer, "facex": _load_facex}[name]()
    except Exception as error:
        print(f"{type(error).__name__}: {error}".splitlines()[0], file=answers, flush=True)
        return
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        faces = find(cv2.imread(line.rstrip("\n")))
        emotions = max(faces, key=lambda face: face[0][2] * face[0][3])[1] if faces else {"no face": 1.0}
        likeliest = max(emotions, key=lambda emotion: emotions[emotion])
        print(NOUNS.get(likeliest, likeliest), file=answers, flush=True)


def _load_fer() -> Find:
    from fer.fer import FER

    detector = FER()
    return lambda image: [(face["box"], face["emotions"]) for face in detector.detect_emotions(image)]


def _load_facex() -> Find:
    import facex

    pool = facex.PoolManager(pool_size=1)
    return lambda image: [(face["bbox"], face["emot"]) for face in pool.predict(image)]


if __name__ == "__main__":
    main(sys.argv[1])
