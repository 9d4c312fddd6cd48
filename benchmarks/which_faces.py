"""Which faces are noticed and which refused: upside-down photos, and two people in one photo at four sizes.

    python benchmarks/which_faces.py FOLDER

FOLDER holds a folder a person with `neutral.jpg` and `smiling.jpg`, as the Face Research Lab London Set can be laid
out. Two people: a neutral photo, and beside it the next person's smiling one at 0.8 of its size.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from mien.errors import FaceError
from mien.faces import FaceExtractor
from mien.images import RGBImage, read_rgb, resize

WIDTHS = (640, 1300, 2600, 4000)
PAIRS = 20


def main(folder: Path) -> None:
    extractor = FaceExtractor()
    people = sorted(path.parent for path in folder.glob("*/neutral.jpg"))
    photos = [person / f"{kind}.jpg" for person in people for kind in ("neutral", "smiling")]
    refused = sum(_count(extractor, np.ascontiguousarray(read_rgb(path)[::-1, ::-1])) == 0 for path in photos)
    print(f"upside down: {refused} of {len(photos)} refused")
    found = sum(_count(extractor, read_rgb(path)) == 1 for path in photos)
    print(f"upright: one face in {found} of {len(photos)}")
    for width in WIDTHS:
        pairs = [_pair(people[i], people[(i + 1) % len(people)], width) for i in range(PAIRS)]
        noticed = sum(_count(extractor, pair) == 2 for pair in pairs)
        print(f"two people, {width} pixels wide: both noticed in {noticed} of {PAIRS}")


def _count(extractor: FaceExtractor, photo: RGBImage) -> int:
    try:
        return extractor.extract(photo).face_count
    except FaceError:
        return 0


def _pair(left: Path, right: Path, width: int) -> RGBImage:
    first, second = read_rgb(left / "neutral.jpg"), resize(read_rgb(right / "smiling.jpg"), 0.8)
    height = max(first.shape[0], second.shape[0])
    both = np.hstack([_on_height(first, height), _on_height(second, height)])
    factor = width / both.shape[1]
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(both, None, fx=factor, fy=factor, interpolation=method), dtype=np.uint8)


def _on_height(image: RGBImage, height: int) -> RGBImage:
    below = height - image.shape[0]
    return np.asarray(cv2.copyMakeBorder(image, 0, below, 0, 0, cv2.BORDER_REPLICATE), dtype=np.uint8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    main(arguments.folder)
