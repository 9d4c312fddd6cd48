"""How a run reads real people: neutral and smiling photos without a reference, smiling also with the neutral photo.

    python benchmarks/real_smiles.py FOLDER [RUN] [--stops STOPS]

FOLDER holds a folder a person with `neutral.jpg` and `smiling.jpg`, as the Face Research Lab London Set can be laid
out. RUN is a trained run; the weights that come with mien if left out. With STOPS the photos are exposed otherwise
first, by so many stops in linear light: -2.5 is darker.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mien import Recognition, Recognizer
from mien.images import RGBImage, read_rgb
from mien.labels import Emotion


def main(folder: Path, run: Path | None, stops: float) -> None:
    recognizer = Recognizer.load(run)
    people = sorted(path.parent for path in folder.glob("*/neutral.jpg"))
    if not people:
        raise SystemExit(f"{folder}: no */neutral.jpg in it; name the folder that holds the people's folders")
    photos = {
        kind: [recognizer.detect(expose(read_rgb(person / f"{kind}.jpg"), stops))[:1] for person in people]
        for kind in ("neutral", "smiling")
    }
    references = [recognizer.neutral_reference(photo) for photo in photos["neutral"]]
    for kind, found in photos.items():
        _print(kind, "none", [recognizer.recognize(faces) for faces in found])
    # a neutral photo is no reference of itself: it would not have moved, whatever it shows
    pairs = zip(photos["smiling"], references, strict=True)
    _print("smiling", "neutral photo", [recognizer.recognize(faces, reference) for faces, reference in pairs])


def _print(kind: str, reference: str, read: Sequence[Recognition]) -> None:
    dominant = Counter(one.dominant.noun if one.dominant else "neutral" for one in read)
    happy = sum(Emotion.HAPPINESS in (one.dominant, one.complementary) for one in read)
    counts = ", ".join(f"{count} {noun}" for noun, count in dominant.most_common())
    print(f"{kind:8} reference {reference:14} of {len(read)}: {counts}; happiness takes part in {happy}")


def expose(image: RGBImage, stops: float) -> RGBImage:
    """After so many stops of exposure, in the linear light of sRGB (IEC 61966-2-1)."""
    values = np.arange(256) / 255
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4) * 2.0**stops
    table = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    return np.asarray(cv2.LUT(image, np.clip(table * 255 + 0.5, 0, 255).astype(np.uint8)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("run", type=Path, nargs="?")
    parser.add_argument("--stops", type=float, default=0.0)
    arguments = parser.parse_args()
    main(arguments.folder, arguments.run, arguments.stops)
