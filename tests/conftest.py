"""A small prepared set made without photos: random crops, and landmarks that move with the class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mien.datasets.crops import crops_file
from mien.datasets.prepared import SCHEMA, PreparedSet
from mien.files import write_json
from mien.labels import CLASS_COUNT, indices_to_texts
from mien.synth.assets import HeadAssets, load_head_assets
from mien.synth.generate import generate
from mien.training.recipe import load_recipe
from mien.training.train import train

CROP_SIZE = 224


@pytest.fixture(scope="session")
def rest() -> np.ndarray:
    """Landmarks of an average face, (68, 2), crop pixels: points on a circle will do."""
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    return (112 + 70 * np.column_stack([np.cos(angle), np.sin(angle)])).astype(np.float32)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, rest: np.ndarray) -> PreparedSet:
    """Eight subjects x 50 classes; class shows in the landmarks and, faintly, in the crops."""
    return PreparedSet.open(write_prepared(tmp_path_factory.mktemp("prepared"), rest))


@pytest.fixture(scope="session")
def trained(prepared: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the small fused network, hardly trained: enough to ask it."""
    settings = ("training.iterations=2", "training.validate_every=2", "training.batch_size=8")
    run = tmp_path_factory.mktemp("trained") / "run"
    train(prepared, run, load_recipe("quick", settings))
    return run


@pytest.fixture(scope="session")
def svm(prepared: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the linear model."""
    run = tmp_path_factory.mktemp("svm") / "svm"
    train(prepared, run, load_recipe("svm"))
    return run


@pytest.fixture(scope="session")
def assets() -> HeadAssets:
    """The 3-D head; reading it takes two seconds."""
    return load_head_assets()


@pytest.fixture(scope="session")
def small_synthetic_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One synthetic subject, one photo in each class."""
    out = tmp_path_factory.mktemp("synthetic") / "faces"
    generate(out, subjects=1, samples=1, seed=3, height=432)
    return out


def write_prepared(folder: Path, rest: np.ndarray, subjects: int = 8) -> Path:
    """Write such a set; the last two subjects validate and test."""
    rng = np.random.default_rng(0)
    moves = rng.normal(scale=3, size=(CLASS_COUNT, 68, 2))
    rows, crops = [], []
    for subject in range(subjects):
        face = rest + rng.normal(scale=6, size=(68, 2))
        split = {subjects - 2: "validation", subjects - 1: "test"}.get(subject, "train")
        for index, text in enumerate(indices_to_texts(range(CLASS_COUNT))):
            landmarks = face + moves[index] + rng.normal(scale=1.5, size=(68, 2))
            crop = rng.integers(0, 40, size=(CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
            crop[4 * index : 4 * index + 12] += 150
            flat = landmarks.astype(np.float32).reshape(-1).tolist()
            rows.append({
                "path": f"{subject}/{index}.jpg", "subject": str(subject), "label": text, "split": split,
                "status": "ok", "face_count": 1, "face_box": [0.0, 0.0, 200.0, 200.0], "face_score": 1.0,
                "landmarks_photo": flat, "landmarks_crop": flat,
            })  # fmt: skip
            crops.append(crop)
    pl.DataFrame(rows, schema=SCHEMA, orient="row").write_parquet(folder / "samples.parquet")
    np.save(folder / crops_file(CROP_SIZE), np.stack(crops))
    parameters = {"landmarker": "cnn", "alignment": "normalised"}
    write_json(folder / "set.json", {"crop_size": CROP_SIZE, "parameters": parameters})
    return folder
