"""The predictors of landmarks, and how mien's own is trained."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import polars as pl
import pytest
import torch
from PIL import Image
from skimage import data

from mien.errors import DataError, RecipeError
from mien.faces import FaceExtractor
from mien.faces.cnn import INPUT_SIZE, LandmarkModel
from mien.faces.ert import RegressionTrees
from mien.faces.landmarks import Landmarker
from mien.faces.points68 import INNER, MIRROR, eye_distance
from mien.images import RGBImage
from mien.models.export import export_landmarks
from mien.models.landmark_network import LandmarkNetwork
from mien.training.landmarks.patches import CROP_IN_PATCH, PATCH_SIZE, make_patches
from mien.training.landmarks.recipe import load_landmark_recipe
from mien.training.landmarks.sampling import Motion, draw_view, plain_view
from mien.training.landmarks.template import read_template
from mien.training.landmarks.train import LANDMARKS_FILE, train_landmarks

LANDMARKERS: list[Landmarker] = [LandmarkModel(), RegressionTrees()]
NO_MOTION = Motion(np.zeros((68, 2), dtype=np.float32), np.zeros((68, 2), dtype=np.float32))
SHORT = ("training.iterations=4", "training.validate_every=2", "training.batch_size=4")


@pytest.fixture(scope="module")
def astronaut() -> RGBImage:
    return np.ascontiguousarray(data.astronaut()[:300, 80:380])


@pytest.fixture(scope="module")
def box(astronaut: RGBImage) -> np.ndarray:
    """Of the detector, in the astronaut's photo."""
    return FaceExtractor().extract(astronaut).box.as_array()


@pytest.mark.parametrize("landmarker", LANDMARKERS, ids=["cnn", "ert"])
def test_landmarks_move_with_the_face(landmarker: Landmarker, astronaut: RGBImage, box: np.ndarray) -> None:
    there = landmarker.mark(astronaut, box).landmarks
    moved = cv2.copyMakeBorder(astronaut, 40, 0, 30, 0, cv2.BORDER_REPLICATE)
    np.testing.assert_allclose(landmarker.mark(moved, box + [30, 40, 30, 40]).landmarks, there + [30, 40], atol=1.01)


@pytest.mark.parametrize("landmarker", LANDMARKERS, ids=["cnn", "ert"])
def test_landmarks_grow_with_the_photo(landmarker: Landmarker, astronaut: RGBImage, box: np.ndarray) -> None:
    there = landmarker.mark(astronaut, box).landmarks
    large = cv2.resize(astronaut, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    error = np.linalg.norm(landmarker.mark(large, 3 * box).landmarks / 3 - there, axis=1) / eye_distance(there)
    assert error[INNER].mean() < 0.02


def test_exposure_moves_no_landmark_of_the_network(astronaut: RGBImage, box: np.ndarray) -> None:
    model = LandmarkModel()
    there = model.mark(astronaut, box).landmarks
    dark = (astronaut * 0.3).astype(np.uint8)
    error = np.linalg.norm(model.mark(dark, box).landmarks - there, axis=1) / eye_distance(there)
    assert error[INNER].mean() < 0.02


def test_the_network_finds_the_true_points_of_synthetic_faces(small_synthetic_set: Path) -> None:
    truth = pl.read_parquet(small_synthetic_set / "truth.parquet")
    extractor, errors = FaceExtractor(landmarker="cnn"), []
    for path, points in truth.select("path", "landmarks").head(12).iter_rows():
        true = np.array(points).reshape(68, 2)
        found = extractor.extract(small_synthetic_set / path).landmarks_photo
        errors.append(np.linalg.norm(found - true, axis=1)[INNER].mean() / eye_distance(true))
    assert np.median(errors) < 0.04


def test_covered_points_are_less_sure(astronaut: RGBImage, box: np.ndarray) -> None:
    model = LandmarkModel()
    seen = model.mark(astronaut, box)
    covered = astronaut.copy()
    left, top = seen.landmarks[48:].min(axis=0).astype(int) - 8
    right, bottom = seen.landmarks[48:].max(axis=0).astype(int) + 8
    covered[top:bottom, left:right] = 128
    assert model.mark(covered, box).confidence[48:].mean() < seen.confidence[48:].mean()


def test_the_trees_do_not_say_how_sure_they_are(astronaut: RGBImage, box: np.ndarray) -> None:
    assert np.isnan(RegressionTrees().mark(astronaut, box).confidence).all()


def test_exposure_and_contrast_do_not_reach_the_layers() -> None:
    torch.manual_seed(0)
    network = LandmarkNetwork().eval()
    crops = torch.rand(2, 1, INPUT_SIZE, INPUT_SIZE) * 200 + 20
    with torch.no_grad():
        points, spread = network(crops)
        darker, same_spread = network(crops * 0.5)
    assert points.shape == (2, 68, 2)
    assert torch.allclose(points, darker, atol=2e-2)
    assert torch.allclose(spread, same_spread, atol=2e-1)


@pytest.mark.slow
def test_the_exported_file_answers_as_the_network_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = LandmarkNetwork().eval()
    export_landmarks(network, tmp_path / "landmarks.onnx")
    crops = np.random.default_rng(0).integers(0, 256, (3, INPUT_SIZE, INPUT_SIZE), dtype=np.uint8)
    session = onnxruntime.InferenceSession(tmp_path / "landmarks.onnx", providers=["CPUExecutionProvider"])
    points, spread = session.run(None, {"crops": crops})
    with torch.no_grad():
        expected, logarithm = network(torch.from_numpy(crops[:, None]).float())
    np.testing.assert_allclose(points, expected, atol=1e-5)
    np.testing.assert_allclose(spread, logarithm.exp(), rtol=1e-3)


def test_points_of_any_view_lie_on_what_they_mark() -> None:
    rng = np.random.default_rng(0)
    margin = (PATCH_SIZE - CROP_IN_PATCH) / 2
    points = rng.uniform(margin + 30, PATCH_SIZE - margin - 30, (68, 2)).astype(np.float32)
    image = np.zeros((PATCH_SIZE, PATCH_SIZE), dtype=np.uint8)
    for x, y in points[:1]:
        cv2.circle(image, (round(float(x)), round(float(y))), 4, 255, -1)
    image = cv2.GaussianBlur(image, (0, 0), 2)
    near = 0
    for _ in range(60):
        view = draw_view(image, points, rng)
        target = view.points[16 if view.mirrored else 0] * INPUT_SIZE - 0.5
        brightest = np.array(np.unravel_index(cv2.GaussianBlur(view.crop, (0, 0), 2).argmax(), view.crop.shape))[::-1]
        near += bool(np.linalg.norm(brightest - target) < 4)
    assert near > 45  # some are covered


def test_a_plain_view_is_the_aligned_crop() -> None:
    points = np.full((68, 2), PATCH_SIZE / 2 - 0.5, dtype=np.float32)
    view = plain_view(np.zeros((PATCH_SIZE, PATCH_SIZE), dtype=np.uint8), points)
    np.testing.assert_allclose(view.points, 0.5, atol=1e-6)
    assert not view.mirrored


def test_a_template_gives_the_points_that_it_marks(tmp_path: Path) -> None:
    marked = np.random.default_rng(0).uniform(0, 500, (189, 2)).round(2)
    lines = ["189", *(f"{x}\t{y}" for x, y in marked), "2", "0 1"]
    (tmp_path / "face.tem").write_text("\n".join(lines))
    points = read_template(tmp_path / "face.tem")
    np.testing.assert_allclose(points[36], marked[18], atol=1e-3)
    np.testing.assert_allclose(points[60], marked[[87, 94]].mean(axis=0), atol=1e-3)
    assert np.isnan(points[:17]).all()
    assert np.isfinite(points[17:]).all()


@pytest.mark.parametrize("content", ["", "2\n1 1\n2 2\n", "189\n1 1\n", "no template"])
def test_what_is_no_template_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "face.tem").write_text(content)
    with pytest.raises(DataError):
        read_template(tmp_path / "face.tem")


def test_patches_show_faces_upright_with_their_points(small_synthetic_set: Path, tmp_path: Path) -> None:
    patches = make_patches([small_synthetic_set], [], tmp_path)
    assert patches.images.shape == (50, PATCH_SIZE, PATCH_SIZE)
    np.testing.assert_allclose(patches.points[:, [27, 51], 0], PATCH_SIZE / 2, atol=1.0)
    again = make_patches([small_synthetic_set], [], tmp_path)
    np.testing.assert_array_equal(again.images, patches.images)


def test_a_source_without_points_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        make_patches([tmp_path], [], tmp_path / "run")
    with pytest.raises(DataError):
        make_patches([], [tmp_path], tmp_path / "run")


@pytest.mark.parametrize("setting", ["nothing", "training.iterations=none", "folds=-1", "other.key=1", "unknown=1"])
def test_impossible_settings_are_refused(setting: str) -> None:
    with pytest.raises(RecipeError):
        load_landmark_recipe([setting])


@pytest.mark.slow
def test_a_stopped_training_goes_on_to_the_same_weights(small_synthetic_set: Path, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(step: int, steps: int, line: dict[str, float]) -> None:
        if step == 3:
            raise Stopped

    recipe = load_landmark_recipe(SHORT)
    train_landmarks([small_synthetic_set], [], tmp_path / "whole", recipe)
    with pytest.raises(Stopped):
        train_landmarks([small_synthetic_set], [], tmp_path / "cut", recipe, stop)
    train_landmarks([small_synthetic_set], [], tmp_path / "cut", recipe)
    whole, cut = ((tmp_path / name / LANDMARKS_FILE).read_bytes() for name in ("whole", "cut"))
    assert whole == cut
    reported: list[int] = []
    train_landmarks([small_synthetic_set], [], tmp_path / "whole", recipe, lambda step, *_: reported.append(step))
    assert reported == []


def test_landmarks_alone_from_the_command_line(astronaut: RGBImage, tmp_path: Path) -> None:
    Image.fromarray(astronaut).save(tmp_path / "face.png")
    command = [sys.executable, "-m", "mien", "landmarks", str(tmp_path)]
    answer = json.loads(subprocess.run([*command, "--json"], check=True, capture_output=True).stdout)
    assert len(answer[0]["landmarks"]) == len(answer[0]["confidence"]) == 68
    rows = subprocess.run([*command, "--csv"], check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(rows) == 2
    assert len(rows[0].split(",")) == len(rows[1].split(",")) == 7 + 3 * 68


def test_a_moved_face_has_its_points_where_the_motion_takes_them() -> None:
    rng = np.random.default_rng(0)
    margin = (PATCH_SIZE - CROP_IN_PATCH) / 2
    places = rng.uniform(margin + 20, PATCH_SIZE - margin - 20, (68, 2)).astype(np.float32)
    motion = Motion(places, rng.normal(0, 4, (68, 2)).astype(np.float32))
    known = places.copy()
    known[:17] = np.nan
    view = draw_view(np.full((PATCH_SIZE, PATCH_SIZE), 128, dtype=np.uint8), known, np.random.default_rng(1), motion)
    still = draw_view(
        np.full((PATCH_SIZE, PATCH_SIZE), 128, dtype=np.uint8), known, np.random.default_rng(1), NO_MOTION
    )
    steps = motion.steps[MIRROR] if view.mirrored else motion.steps
    expected = steps @ view.linear.T / CROP_IN_PATCH
    np.testing.assert_allclose(view.points[17:] - still.points[17:], expected[17:], atol=0.012)
    assert np.isnan(view.points[:17] if not view.mirrored else view.points[MIRROR][:17]).all()
