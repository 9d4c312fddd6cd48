"""Whether covered faces are told from uncovered ones, and how the weights of `mien.faces.occlusion` were fitted.

    python benchmarks/occlusion.py measure FOLDER    # photos of uncovered faces: as they are, and painted on
    python benchmarks/occlusion.py fit PREPARED OUT  # from a prepared set of synthetic faces (needs scikit-learn)

Masks, sunglasses, hands and the like are painted over faces, each of its own place, size, colour and roughness.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from mien.errors import MienError
from mien.faces import FaceExtractor
from mien.faces.ert import RegressionTrees
from mien.faces.landmarks import Landmarks
from mien.faces.occlusion import PARTS, describe_parts
from mien.faces.points68 import REGIONS, eye_distance
from mien.faces.quality import COVERED
from mien.images import RGBImage, read_rgb, resize, scan_folder

KINDS = ("mask", "sunglasses", "mouth", "eye", "hand", "thing")
_FITTED = 1500
"""Synthetic photos."""
_COVERED, _FREE = 0.5, 0.05
"""Share of a part that is painted over from which it counts as covered, and up to which as free."""
_POINTS = {**REGIONS, "nose": slice(29, 36), "mouth": REGIONS["outer lips"]}
Mask = NDArray[np.uint8]


def measure(folder: Path) -> None:
    extractor, rng = FaceExtractor(), np.random.default_rng(1)
    found: dict[str, list[float | None]] = {"uncovered": []}
    for path in scan_folder(folder).photos:
        photo = read_rgb(path)
        try:
            face = extractor.extract(photo)
        except MienError:
            continue
        found["uncovered"].append(face.quality.occlusion)
        factor = min(1.0, 150 / face.quality.size)
        photo = resize(photo, factor)
        for kind in KINDS[:-1]:
            painted, _ = paint(photo, face.landmarks_photo * np.float32(factor), kind, rng)
            try:
                found.setdefault(kind, []).append(extractor.extract(painted).quality.occlusion)
            except MienError:
                found.setdefault(kind, []).append(None)
    for kind, values in found.items():
        read = np.array([value for value in values if value is not None])
        flagged = int((read > COVERED).sum())
        print(f"{kind}: {len(values)} photos, {len(values) - len(read)} no face, {flagged} flagged of {len(read)}")


def fit(prepared: Path, out: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    from mien.datasets.prepared import PreparedSet

    data, rng, predictor = PreparedSet.open(prepared), np.random.default_rng(0), RegressionTrees()
    chosen = np.sort(rng.choice(len(data), min(_FITTED, len(data)), replace=False))
    rows, shares, subjects = [], [], []
    for i in chosen:
        crop, landmarks = np.array(data.crops[data.rows[i]]), data.landmarks[i]
        rows.append(describe_parts(worsen(crop, rng), landmarks))
        shares.append(np.zeros(len(PARTS)))
        for kind in rng.choice(KINDS, 2, replace=False):
            painted, mask = paint(crop, landmarks, kind, rng)
            shares.append(_shares(mask, landmarks))
            moved = _move(worsen(painted, rng), rng)  # where a covered face is aligned is less sure
            rows.append(describe_parts(moved, predictor.mark_aligned(moved).landmarks))
        subjects += [data.subject_numbers[i]] * 3
    held = np.array(subjects) % 4 == 0
    weights = {}
    for name, parts in {"eye": (0, 1), "nose": (2,), "mouth": (3,)}.items():
        x = np.concatenate([np.stack(rows)[:, part] for part in parts])
        share = np.concatenate([np.stack(shares)[:, part] for part in parts])
        test, sure = np.tile(held, len(parts)), (share < _FREE) | (share > _COVERED)
        mean, spread = x[~test].mean(axis=0), x[~test].std(axis=0) + 0.05
        fitted = LogisticRegression(C=0.003, max_iter=300)
        fitted.fit((x[sure & ~test] - mean) / spread, share[sure & ~test] > _COVERED)
        guessed = fitted.predict_proba((x[sure & test] - mean) / spread)[:, 1]
        area = roc_auc_score(share[sure & test] > _COVERED, guessed)
        print(f"{name}: area under the curve, on subjects that were not fitted to, {area:.4f}")
        weight = fitted.coef_[0] / spread
        weights[name] = np.append(weight, fitted.intercept_[0] - mean @ weight).astype(np.float32)
    save_file(weights, out)


def paint(image: RGBImage, landmarks: Landmarks, kind: str, rng: np.random.Generator) -> tuple[RGBImage, Mask]:
    """The picture with something painted over the face, and where; landmarks (68, 2) in its pixels."""
    span, mask = float(eye_distance(landmarks)), np.zeros(image.shape[:2], np.uint8)
    if kind == "hand":
        return _paint_hand(image, landmarks, span, rng)
    colour, rough = rng.uniform(0, 255, 3), rng.uniform(0, 60 if kind == "thing" else 6)
    skin = _skin(image, landmarks, span)
    if kind == "mask":
        jaw = landmarks[rng.integers(1, 3) : rng.integers(15, 17)]
        top = landmarks[27 + rng.integers(1, 3)]
        _fill(mask, np.concatenate([top[None], jaw + 0.06 * (jaw - jaw.mean(axis=0))]))
        usual = np.array([(235, 238, 240), (150, 190, 215), (25, 25, 28), (120, 160, 140)])
        colour = [*usual, colour][rng.integers(5)]
    elif kind == "sunglasses":
        for eye in ("right eye", "left eye"):
            _ellipse(mask, landmarks, eye, (rng.uniform(0.27, 0.36), rng.uniform(0.2, 0.3)))
        ends = [tuple(map(int, landmarks[i])) for i in (36, 45)]
        cv2.line(mask, ends[0], ends[1], 255, max(1, int(0.04 * span)))
        colour = np.array([(15, 15, 18), (40, 30, 25), (30, 35, 60), (60, 60, 60)])[rng.integers(4)]
    elif kind == "mouth":
        _ellipse(mask, landmarks, "outer lips", (rng.uniform(0.34, 0.5), rng.uniform(0.2, 0.33)))
        colour = skin if rng.random() < 0.6 else colour
    elif kind == "eye":
        eye = ("right eye", "left eye")[rng.integers(2)]
        _ellipse(mask, landmarks, eye, (rng.uniform(0.25, 0.35), rng.uniform(0.18, 0.3)))
        colour = skin if rng.random() < 0.5 else colour
    else:
        part = ("right eye", "left eye", "outer lips", "nose")[rng.integers(4)]
        centre = landmarks[_POINTS[part]].mean(axis=0) + rng.normal(0, 0.08, 2) * span
        size = 2 * span * rng.uniform((0.2, 0.15), (0.6, 0.5))
        corners = cv2.boxPoints((tuple(map(float, centre)), tuple(map(float, size)), rng.uniform(0, 90)))
        _fill(mask, corners)
    return _blend(image, _texture(mask.shape, colour, rough, rng), mask, 0.008 * span), mask


def worsen(crop: RGBImage, rng: np.random.Generator) -> RGBImage:
    """A crop as worse cameras give it: blurred, small, noisy, of other contrast, compressed."""
    if rng.random() < 0.4:
        crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 2.2))
    if rng.random() < 0.3:
        factor = rng.uniform(0.25, 0.8)
        small = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        crop = cv2.resize(small, crop.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.3:
        crop = np.clip(crop + rng.normal(0, rng.uniform(1, 8), crop.shape), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        crop = np.clip(255 * (crop / 255) ** rng.uniform(0.7, 1.4), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(40, 90))]
        crop = np.asarray(cv2.imdecode(cv2.imencode(".jpg", crop, quality)[1], cv2.IMREAD_COLOR))
    return np.ascontiguousarray(crop)


def _paint_hand(
    image: RGBImage, landmarks: Landmarks, span: float, rng: np.random.Generator
) -> tuple[RGBImage, Mask]:
    """Four or five fingers beside each other, in the person's colour."""
    centre = landmarks[REGIONS["outer lips"]].mean(axis=0)
    if rng.random() >= 0.6:
        centre = landmarks[(36, 39, 42, 45)[rng.integers(4)]]
    angle = rng.uniform(-1.2, 1.2)
    along = np.array([np.cos(angle), np.sin(angle)])
    beside = np.array([-along[1], along[0]])
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    mask, shade, width = np.zeros(image.shape[:2], np.uint8), np.ones(image.shape[:2]), rng.uniform(0.15, 0.2) * span
    for finger in range(-2, 3):
        start = centre + beside * finger * width * 1.02 + along * rng.uniform(-0.1, 0.1) * span
        reach = (columns - start[0]) * along[0] + (rows - start[1]) * along[1]
        side = np.abs((columns - start[0]) * beside[0] + (rows - start[1]) * beside[1])
        inside = (side < width / 2) & (reach < rng.uniform(0.45, 0.6) * span) & (reach > -1.5 * span)
        mask[inside] = 255
        shade[inside] = (1 - 0.35 * (2 * side / width) ** 4)[inside]
    colour = _skin(image, landmarks, span) * rng.uniform(0.75, 1.1)
    texture = colour * shade[..., None] + rng.normal(0, 2, (*mask.shape, 1))
    return _blend(image, texture, mask, 0.006 * span), mask


def _shares(mask: Mask, landmarks: Landmarks) -> NDArray[np.float64]:
    """Which share of each part is painted over, (4,)."""
    shares = []
    for part in PARTS:
        inside = np.zeros_like(mask)
        _fill(inside, landmarks[_POINTS[part]])
        shares.append((mask[inside > 0] > 127).mean() if inside.any() else 0.0)
    return np.array(shares)


def _move(crop: RGBImage, rng: np.random.Generator) -> RGBImage:
    scale, shift = 1 + rng.normal(0, 0.04), rng.normal(0, 5, 2)
    middle = crop.shape[0] / 2
    matrix = np.array([[scale, 0, middle * (1 - scale) + shift[0]], [0, scale, middle * (1 - scale) + shift[1]]])
    return np.asarray(cv2.warpAffine(crop, matrix, crop.shape[1::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _skin(image: RGBImage, landmarks: Landmarks, span: float) -> NDArray[np.float64]:
    """Mean colour of the cheeks, (3,)."""
    reach, found = max(2, int(0.06 * span)), []
    for side in (2, 14):
        x, y = (int(v) for v in (landmarks[29] + landmarks[side]) / 2)
        found.append(image[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach].reshape(-1, 3))
    return np.concatenate(found).mean(axis=0) if sum(map(len, found)) else np.full(3, 140.0)


def _fill(mask: Mask, points: NDArray[np.floating]) -> None:
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32).reshape(-1, 1, 2)), 255)


def _ellipse(mask: Mask, landmarks: Landmarks, part: str, axes: tuple[float, float]) -> None:
    """Around a part; axes in outer-eye distances, level with the eyes."""
    across = landmarks[45] - landmarks[36]
    centre = tuple(map(int, landmarks[_POINTS[part]].mean(axis=0)))
    size = tuple(int(axis * np.hypot(*across)) for axis in axes)
    cv2.ellipse(mask, centre, size, float(np.degrees(np.arctan2(across[1], across[0]))), 0, 360, 255, -1)


def _texture(
    shape: tuple[int, ...], colour: NDArray[np.floating], rough: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """A colour that changes slowly, with bumps and noise."""
    height, width = shape
    bumps = cv2.resize(rng.normal(size=(height // 16 + 2, width // 16 + 2)), (width, height), interpolation=2)
    slope = np.linspace(-1, 1, width) * rng.normal() + np.linspace(-1, 1, height)[:, None] * rng.normal()
    noise = rng.normal(0, rng.uniform(0, 3), shape)
    return colour * (1 + 0.06 * slope[..., None]) + (rough * bumps + noise)[..., None]


def _blend(image: RGBImage, over: NDArray[np.floating], mask: Mask, soft: float) -> RGBImage:
    share = cv2.GaussianBlur(mask, (0, 0), max(0.5, soft))[..., None] / 255
    return np.clip(image * (1 - share) + over * share, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_subparsers(required=True, metavar="measure | fit")
    measuring, fitting = what.add_parser("measure"), what.add_parser("fit")
    measuring.add_argument("folder", type=Path)
    measuring.set_defaults(run=lambda given: measure(given.folder))
    fitting.add_argument("prepared", type=Path)
    fitting.add_argument("out", type=Path)
    fitting.set_defaults(run=lambda given: fit(given.prepared, given.out))
    arguments = parser.parse_args()
    arguments.run(arguments)
