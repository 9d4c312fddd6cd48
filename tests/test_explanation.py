from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs
from server_process import sample
from skimage import data

from mien import Recognizer
from mien.errors import CheckpointError, MienError
from mien.faces.alignment import photo_to_crop, stretched, to_photo_steps
from mien.faces.points68 import MIRROR, PARTS
from mien.inference.actions import ACTION_COLUMNS, UNITS, ActionEstimates, actions_for, split_name
from mien.inference.movements import describe_movements
from mien.inference.results import COLUMNS


def _moved(**by_part: tuple[list[int], float, float]) -> np.ndarray:
    moved = np.zeros((68, 2), dtype=np.float32)
    for points, right, down in by_part.values():
        moved[points] = right, down
    return moved


def test_what_moved_is_told_by_part_and_way() -> None:
    both = _moved(brows=(PARTS["brows"], 0, 5))
    assert [str(movement) for movement in describe_movements(both, 100)] == ["brows lowered 5%"]
    left = _moved(brow=([*range(22, 27)], 0, -8))
    assert [str(movement) for movement in describe_movements(left, 100)] == ["left brow raised 8%"]


def test_the_strongest_movement_comes_first_and_noise_is_not_told() -> None:
    moved = _moved(chin=([7, 8, 9], 0, 12), brows=(PARTS["brows"], 0, 4), corner=([48, 60], 0, -0.5))
    told = describe_movements(moved, 100)
    assert [movement.part for movement in told] == ["chin", "brows"]
    assert describe_movements(np.zeros((68, 2)), 100) == ()


def test_the_mirrored_face_moves_on_the_other_side() -> None:
    moved = np.random.default_rng(0).normal(scale=4, size=(68, 2))
    swapped = moved[MIRROR] * [-1, 1]
    names = {"left": "right", "right": "left"}

    def turned(part: str) -> str:
        side, _, rest = part.partition(" ")
        return f"{names[side]} {rest}" if side in names else part

    told = {(turned(m.part), m.change, round(m.amount, 6)) for m in describe_movements(moved, 100)}
    assert told == {(m.part, m.change, round(m.amount, 6)) for m in describe_movements(swapped, 100)}


def test_actions_are_named_by_unit_and_side() -> None:
    assert split_name("mouthSmileLeft") == ("mouthSmile", "left")
    assert split_name("jawOpen") == ("jawOpen", "both")
    assert len(ACTION_COLUMNS) == len(set(ACTION_COLUMNS)) == sum(1 + unit.sided for unit in UNITS.values())
    assert set(ACTION_COLUMNS) <= set(COLUMNS)


def test_estimates_of_actions_are_kept_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weights, constant = rng.normal(size=(136, 2)).astype(np.float32), np.zeros(2, np.float32)
    made = ActionEstimates(("mouthSmileLeft", "jawOpen"), weights, constant, "ert", "normalised")
    made.save(tmp_path / "actions.safetensors")
    read = ActionEstimates.load(tmp_path / "actions.safetensors")
    moved = rng.normal(size=(3, 136))
    np.testing.assert_array_equal(read.strengths(moved), made.strengths(moved))
    assert [action.column for action in read.estimate(moved)[0]] == ["AU12_left", "AU26"]
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError):
        ActionEstimates.load(tmp_path / "broken.safetensors")


def test_other_landmarks_have_no_actions() -> None:
    assert actions_for("cnn", "normalised") is not None
    assert actions_for("cnn", "similarity") is None
    assert actions_for("ert", "normalised") is None


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.load(trust_reference=True)


def test_a_reading_tells_what_moved_and_which_actions(recognizer: Recognizer) -> None:
    read = recognizer.recognize(data.astronaut())
    assert read.moved is not None
    assert {action.column for action in read.actions} <= set(ACTION_COLUMNS)
    smile = max(action.strength for action in read.actions if action.unit == 12)
    assert smile > 0.3  # she smiles
    told = read.to_dict()
    assert told["movements"] == [movement.to_dict() for movement in read.movements]
    assert len(told["actions"]) == len(read.actions)
    assert read.to_row()["AU12_left"] is not None


def test_leaving_a_part_out_changes_the_answer(recognizer: Recognizer) -> None:
    read = recognizer.recognize(sample("asha-surprised"))
    without = recognizer.explain(read)
    assert set(without) == set(PARTS)
    assert min(without, key=lambda part: without[part]) == "mouth"  # it is wide open
    with pytest.raises(MienError):
        recognizer.explain(replace(read, face=read.face.without_pixels()))


def test_steps_in_the_photo_undo_what_alignment_did() -> None:
    rng = np.random.default_rng(0)
    here = (rng.uniform(0, 400, size=(68, 2)) + [300, 100]).astype(np.float32)
    there = here + rng.normal(scale=3, size=(68, 2)).astype(np.float32)
    alignment = photo_to_crop(here)
    crops = [stretched(alignment.apply(points), 1.3) for points in (here, there)]
    np.testing.assert_allclose(to_photo_steps(crops[1] - crops[0], here, 1.3), there - here, atol=1e-3)


def test_what_is_common_is_held_to_be_so_for_the_whole_face_whatever_part_is_left_out() -> None:
    """Else a smile without its mouth would be mild, and so the likelier."""
    recognizer = Recognizer.load()
    model, face = recognizer.model, recognizer.detect(data.astronaut())[0]
    bare = replace(model, meta=structs.replace(model.meta, common={}))
    features, landmarks = model.encode(face.crop[None]), face.landmarks_crop[None]
    reference = model.reference(landmarks, features)
    read, even = (one.without_parts(features, landmarks, reference) for one in (model, bare))
    gains = np.array([np.log(read[part]) - np.log(even[part]) for part in PARTS])
    gains -= gains[:, :1]
    np.testing.assert_allclose(gains, np.broadcast_to(gains[0], gains.shape), atol=1e-3)
